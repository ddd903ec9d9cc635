"""The background thread behind the card log, the audit journal, the used tokens and the clients' keys."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

from cds_service.base import worker
from cds_service.base.worker import Worker


class Owner:
    """Takes numbers from a queue; fails as often as it is told to."""

    def __init__(self) -> None:
        self.worker = Worker("test", self._serve, self._failed)
        self.queue: deque[int] = deque()
        self.done: list[int] = []
        self.errors: list[str] = []
        self.to_fail = 0

    def give(self, *numbers: int) -> None:
        self.worker.start()
        with self.worker.work:
            self.queue.extend(numbers)
            self.worker.work.notify_all()

    def _serve(self) -> None:
        while True:
            with self.worker.work:
                self.worker.work.wait_for(lambda: self.queue or self.worker.stopping)
                if not self.queue:
                    return
                if self.to_fail:
                    self.to_fail -= 1
                    raise OSError("no space")
                self.done.append(self.queue.popleft())
            self.worker.succeeded()

    def _failed(self, error: Exception) -> None:
        self.errors.append(type(error).__name__)

    def wait_for(self, count: int) -> None:
        end = time.monotonic() + 10
        while len(self.done) < count:
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def owner() -> Iterator[Owner]:
    made = Owner()
    yield made
    made.queue.clear()
    made.worker.stop(5)


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test"]


def test_one_thread_however_often_it_is_started(owner: Owner) -> None:
    assert not running()
    owner.give(1)
    owner.give(2)
    owner.worker.start()
    owner.wait_for(2)
    assert owner.done == [1, 2]
    assert len(running()) == 1
    assert running()[0].daemon


def test_a_stop_finishes_the_waiting_work_and_ends_the_thread(owner: Owner) -> None:
    owner.give(*range(500))
    owner.worker.stop(10)
    assert owner.done == list(range(500))
    assert not running()
    owner.worker.start()
    assert not running()


def test_it_outlives_failures_and_loses_nothing(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PAUSES", (0.01,))
    owner.to_fail = 3
    owner.give(1, 2)
    owner.wait_for(2)
    assert owner.errors == ["OSError"] * 3
    assert owner.done == [1, 2]


def test_pauses_grow_and_are_short_again_after_a_success(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PAUSES", (0.02, 0.4))
    owner.to_fail = 2
    began = time.monotonic()
    owner.give(1)
    owner.wait_for(1)
    assert time.monotonic() - began >= 0.42
    owner.to_fail = 1
    began = time.monotonic()
    owner.give(2)
    owner.wait_for(2)
    assert time.monotonic() - began < 0.4


def test_a_stop_does_not_wait_for_a_pause(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PAUSES", (60.0,))
    owner.to_fail = 1
    owner.give(1)
    end = time.monotonic() + 10
    while not owner.errors:
        assert time.monotonic() < end
        time.sleep(0.005)
    began = time.monotonic()
    owner.worker.stop(20)
    assert time.monotonic() - began < 10
    assert not running()

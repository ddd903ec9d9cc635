"""A budget of computing time, with a clock that the test moves."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import pytest

from cds_service.base.budget import Budget
from cds_service.base.errors import TooCostly


@dataclass
class Hand:
    """A clock moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_ends_when_the_time_is_used_up() -> None:
    clock = Hand()
    budget = Budget(2.0, clock)
    budget.check()
    clock.now += 2.0
    budget.check()
    clock.now += 0.001
    with pytest.raises(TooCostly, match="not an all-clear"):
        budget.check()


def test_only_work_counts() -> None:
    clock = Hand()
    budget = Budget(2.0, clock)
    for _ in range(4):
        with budget.working():
            clock.now += 0.5
        clock.now += 50  # other calls, in the same thread
        budget.check()
    budget.check()
    with pytest.raises(TooCostly), budget.working():
        clock.now += 0.001
    with pytest.raises(TooCostly):
        budget.check()
    with pytest.raises(TooCostly), budget.working():
        pytest.fail("no work begins without time")


def test_work_that_fails_counts_too() -> None:
    clock = Hand()
    budget = Budget(1.0, clock)

    def fail() -> None:
        with budget.working():
            clock.now += 5
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    with pytest.raises(TooCostly):
        budget.check()


def test_the_time_of_every_thread_counts_and_none_of_waiting() -> None:
    budget = Budget(0.2)

    def work() -> None:
        with budget.working():
            end = time.thread_time() + 0.15
            while time.thread_time() < end:
                budget.check()

    first = threading.Thread(target=work)
    first.start()
    first.join()
    with budget.working():
        time.sleep(0.3)
    with pytest.raises(TooCostly):
        work()

"""A background thread that writes or fetches for callers that must not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next attempt after the first, second, ... failure in a row."""


class Worker:
    """One thread, and the lock of its owner's queue. It survives every failure and ends when it is stopped.

    The owner keeps its own limited queue under ``work`` and counts what it has to drop.

    Attributes:
        work: the lock of the owner's queue; notify it when there is something to do.
        stopping: whether ``serve`` should finish the waiting work and return.
    """

    def __init__(self, name: str, serve: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        """Create the worker; the thread starts with ``start``.

        Args:
            name: name of the thread.
            serve: does the work until ``stopping``. After an exception it is called again, after a pause.
            failed: called with the exception, before the pause.
        """
        self.work = threading.Condition()
        self.stopping = False
        self._name = name
        self._serve = serve
        self._failed = failed
        self._failures = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Further calls, and calls after ``stop``, have no effect."""
        with self.work:
            if self._thread is None and not self.stopping:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self, seconds: float) -> None:
        """Let ``serve`` finish, and wait for it at most ``seconds``."""
        with self.work:
            self.stopping = True
            self.work.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def succeeded(self) -> None:
        """Note that the work succeeds again, so that the next pause is a short one."""
        self._failures = 0

    def _run(self) -> None:
        while True:
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001 - no failure may end the thread
                self._failed(error)
                if self._pause():
                    return
            else:
                return

    def _pause(self) -> bool:
        """Wait before the next attempt, longer each time. Return true if the worker is stopped in the meantime."""
        seconds = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        with self.work:
            return self.work.wait_for(lambda: self.stopping, timeout=seconds)

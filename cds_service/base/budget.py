"""Limit on the computing time of one call, so that a costly chart cannot block a core for long.

The limit counts processor time, not wall-clock time: a chart is not rejected because the machine is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cds_service.base.errors import TooCostly


class Budget:
    """The computing time left for one call.

    Time counts from construction. After the first use of ``working``, only the time inside ``working`` counts. A call
    may move from thread to thread, but only one thread works on it at a time.
    """

    __slots__ = ("_began", "_clock", "_seconds", "_spent")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.thread_time) -> None:
        """Start the budget. ``seconds``: the limit. ``clock``: returns the processor seconds of the current thread."""
        self._seconds = seconds
        self._clock = clock
        self._spent = 0.0
        self._began: float | None = clock()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of one stretch of work in one thread. Waiting and the work of other calls do not count.

        Raises:
            TooCostly: the time is used up, before the work starts or when it ends.
        """
        self._began = self._clock()
        try:
            self.check()
            yield
            self.check()
        finally:
            self._spent += self._clock() - self._began
            self._began = None

    def check(self) -> None:
        """Check the limit. Call this often: for each row of a chart.

        Raises:
            TooCostly: the time is used up.
        """
        running = self._clock() - self._began if self._began is not None else 0.0
        if self._spent + running > self._seconds:
            raise TooCostly

"""Computing time for one call: whoever sends a chart that is costly to judge must not hold a core for long.

What counts is time of the processor, not of the clock on the wall: a chart is not refused because the machine is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cds_service.base.errors import TooCostly


class Budget:
    """The time that one call may compute, from now on or, once there is ``working``, only within that.

    Work on a call goes from thread to thread, but is never in two at once.
    """

    __slots__ = ("_began", "_clock", "_seconds", "_spent")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.thread_time) -> None:
        """``clock``: seconds that the present thread has computed."""
        self._seconds = seconds
        self._clock = clock
        self._spent = 0.0
        self._began: float | None = clock()

    @contextmanager
    def working(self) -> Iterator[None]:
        """A stretch of work in one thread; only such stretches count, and neither waiting nor other calls' work.

        Raises:
            TooCostly: before the work or after it, the time is used up.
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
        """To be asked often: for each row of a chart.

        Raises:
            TooCostly: the time is used up.
        """
        running = self._clock() - self._began if self._began is not None else 0.0
        if self._spent + running > self._seconds:
            raise TooCostly

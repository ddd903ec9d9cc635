"""Measures the time of each stage of a call."""

from __future__ import annotations

import time
from collections.abc import Iterator


class Stages:
    """A stopwatch. Each ``end`` closes the stage that began at the previous ``end``.

    Attributes:
        seconds: duration of each stage by name, in the order in which the stages ended.
    """

    __slots__ = ("_last", "seconds")

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, stage: str) -> None:
        """End ``stage`` now and begin the next one."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Sum of all ended stages, in seconds."""
        return sum(self.seconds.values())

    def as_header(self) -> str:
        """Return the value of the ``Server-Timing`` header, in milliseconds (W3C Server Timing)."""
        return ", ".join(self._metrics())

    def _metrics(self) -> Iterator[str]:
        for stage, seconds in self.seconds.items():
            yield f"{stage};dur={seconds * 1000:.3f}"
        yield f"total;dur={self.total * 1000:.3f}"

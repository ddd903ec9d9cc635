"""The time that each stage of a call takes."""

from __future__ import annotations

import time
from collections.abc import Iterator


class Stages:
    """A stop-watch: each ``end`` closes the stage since the one before. Seconds, by name in the order they ended."""

    __slots__ = ("_last", "seconds")

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, stage: str) -> None:
        """``stage`` ends now, and the next begins."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds of all stages that have ended."""
        return sum(self.seconds.values())

    def as_header(self) -> str:
        """As the ``Server-Timing`` header tells it: milliseconds (W3C Server Timing)."""
        return ", ".join(self._metrics())

    def _metrics(self) -> Iterator[str]:
        for stage, seconds in self.seconds.items():
            yield f"{stage};dur={seconds * 1000:.3f}"
        yield f"total;dur={self.total * 1000:.3f}"

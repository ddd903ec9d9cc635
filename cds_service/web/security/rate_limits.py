"""Rate limits: calls per minute of each client, and calls in progress of each client and of all together."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from cds_service.adapters.clients.model import Caller
from cds_service.base.errors import TooMuch

if TYPE_CHECKING:
    from limits.aio.strategies import SlidingWindowCounterRateLimiter

CALLS_PER_MINUTE = 6_000
"""The limit of a client that has a token and no ``calls_per_minute`` of its own."""
_BUSY_SECONDS = 1


class RateLimits:
    """Counts the calls of all clients. One instance per process."""

    def __init__(self, at_once: int) -> None:
        """``at_once``: limit for calls in progress, of all clients together."""
        self._max_running = at_once
        self._running: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """Number of calls in progress."""
        return self._running.total()

    @cached_property
    def _rates(self) -> SlidingWindowCounterRateLimiter:
        """The library is loaded for the first client that has a share of calls."""
        from limits.aio.storage import MemoryStorage
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        return SlidingWindowCounterRateLimiter(MemoryStorage())

    async def take(self, caller: Caller) -> None:
        """Count a call.

        Raises:
            TooMuch: 429, the client has used up its calls of this minute.
        """
        limits, known = caller.client.limits, caller.client.token is not None
        share = limits.calls_per_minute or (CALLS_PER_MINUTE if known else None)
        if share is None:
            return
        from limits import RateLimitItemPerMinute

        item = RateLimitItemPerMinute(share)
        if not await self._rates.hit(item, caller.name):
            stats = await self._rates.get_window_stats(item, caller.name)
            retry_seconds = stats.reset_time - time.time()
            raise TooMuch(429, "rate", min(60, max(1, math.ceil(retry_seconds))))

    @contextmanager
    def working(self, caller: Caller) -> Iterator[None]:
        """Count a call as in progress. It starts after the body is read, so slow senders do not block others.

        Raises:
            TooMuch: 429 if the client, 503 if the service has reached its limit of calls in progress.
        """
        own = caller.client.limits.at_once
        if own is not None and self._running[caller.name] >= own:
            raise TooMuch(429, "at_once", _BUSY_SECONDS)
        if self._running.total() >= self._max_running:
            raise TooMuch(503, "busy", _BUSY_SECONDS)
        self._running[caller.name] += 1
        try:
            yield
        finally:
            self._running[caller.name] -= 1

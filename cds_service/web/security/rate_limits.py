"""How much each client and all together may ask for: calls a minute, and calls worked on at once."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from cds_service.adapters.clients.model import Caller
from cds_service.base.errors import TooMuch

CALLS_PER_MINUTE = 6_000
"""For a client that has proved who it is and for which the site has set no other share."""
_BUSY_SECONDS = 1


class RateLimits:
    """One for the whole process."""

    def __init__(self, at_once: int) -> None:
        """``at_once``: most calls worked on, of all clients."""
        self._most = at_once
        self._running: Counter[str] = Counter()
        self._rates = SlidingWindowCounterRateLimiter(MemoryStorage())

    @property
    def running(self) -> int:
        """Calls worked on now."""
        return self._running.total()

    async def take(self, caller: Caller) -> None:
        """Count a call.

        Raises:
            TooMuch: 429, the client has used up its minute.
        """
        limits, known = caller.client.limits, caller.client.token is not None
        share = limits.calls_per_minute or (CALLS_PER_MINUTE if known else None)
        if share is None:
            return
        item = RateLimitItemPerMinute(share)
        if not await self._rates.hit(item, caller.name):
            stats = await self._rates.get_window_stats(item, caller.name)
            again = stats.reset_time - time.time()
            raise TooMuch(429, "rate", min(60, max(1, math.ceil(again))))

    @contextmanager
    def working(self, caller: Caller) -> Iterator[None]:
        """While a call that has been read is worked on: slow senders take nobody's place.

        Raises:
            TooMuch: 429 if the client, 503 if the service has as many in hand as it may.
        """
        own = caller.client.limits.at_once
        if own is not None and self._running[caller.name] >= own:
            raise TooMuch(429, "at_once", _BUSY_SECONDS)
        if self._running.total() >= self._most:
            raise TooMuch(503, "busy", _BUSY_SECONDS)
        self._running[caller.name] += 1
        try:
            yield
        finally:
            self._running[caller.name] -= 1

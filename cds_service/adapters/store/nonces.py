"""Allows each token to be used only once. Used tokens are kept in memory and in the database for all processes.

While the database is down, each process only knows the tokens it has seen itself. A repeated call for a card on the
caller's own data does less harm than no card. Feedback needs the database anyway and is rejected.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cds_service.adapters.store.rows import TokenUse
from cds_service.adapters.store.store import Store
from cds_service.base.logs import get_log
from cds_service.base.worker import Worker

log = get_log()

MAX_REMEMBERED = 200_000
SHARED_SECONDS = 0.25
"""How long a call waits for the database to check whether another process has seen the token."""
MAX_ASKED = 10_000
_REMEMBERED_BYTES = 16
_GROUP = 500
_TRY_AGAIN_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class _Query:
    """A token that the database is asked about. ``fresh``: whether it was never used before."""

    use: TokenUse
    fresh: Future[bool] = field(default_factory=Future)


class Nonces:
    """The used tokens of the whole process. Its own thread asks the database about the tokens of all waiting calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory: set[bytes] = set()
        self._by_expiry: list[tuple[float, bytes]] = []
        self._asked: deque[_Query] = deque()
        self._worker = Worker("tokens", self._run, lambda error: self._set_alone(type(error).__name__))
        self._work = self._worker.work
        self._alone = False
        self._try_again = 0.0

    @property
    def alone(self) -> bool:
        """Whether used tokens are not shared with other processes, because the database is down."""
        return self._alone

    async def first_use(self, client: str, jti: str, expires: float, now: float) -> bool:
        """Mark a token as used and return whether this was its first use.

        ``expires``, ``now``: seconds since 1970. ``jti``: id of the token, unique for the client.
        """
        mark = hashlib.sha256(f"{len(client)}:{client}{jti}".encode("utf-8", "surrogatepass")).hexdigest()
        if not self._remember(bytes.fromhex(mark)[:_REMEMBERED_BYTES], expires, now):
            return False
        query = _Query(TokenUse(mark, datetime.fromtimestamp(expires, UTC)))
        self._ask(query)
        if self._alone and time.monotonic() < self._try_again:
            return True  # do not wait for the database, but mark the token there if it is back
        try:
            fresh = await asyncio.wait_for(asyncio.wrap_future(query.fresh), SHARED_SECONDS)
        except Exception as error:  # noqa: BLE001 - no database error may fail the call
            self._set_alone(type(error).__name__)
            return True
        if self._alone:
            self._alone = False
            log.warning("tokens_shared_again")
        return fresh

    def close(self) -> None:
        """Stop the thread."""
        self._worker.stop(2)

    def _remember(self, mark: bytes, expires: float, now: float) -> bool:
        """Mark a token in memory; false if it was marked before. Needs no lock: only the event loop calls it."""
        while self._by_expiry and (self._by_expiry[0][0] <= now or len(self._by_expiry) > MAX_REMEMBERED):
            self._memory.discard(heapq.heappop(self._by_expiry)[1])
        if mark in self._memory:
            return False
        self._memory.add(mark)
        heapq.heappush(self._by_expiry, (expires, mark))
        return True

    def _ask(self, query: _Query) -> None:
        self._worker.start()
        with self._work:
            self._asked.append(query)
            if len(self._asked) > MAX_ASKED:
                self._asked.popleft()
            self._work.notify()

    def _run(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: self._asked or self._worker.stopping)
                if self._worker.stopping:
                    return
                group = [self._asked.popleft() for _ in range(min(_GROUP, len(self._asked)))]
            self._answer([query for query in group if not query.fresh.done()])

    def _answer(self, group: Sequence[_Query]) -> None:
        if not group:
            return
        try:
            fresh = self._store.claim([query.use for query in group])
        except Exception as error:  # noqa: BLE001 - every waiting call must get the error
            for query in group:
                with suppress(InvalidStateError):
                    query.fresh.set_exception(error)
        else:
            for query in group:
                with suppress(InvalidStateError):
                    query.fresh.set_result(query.use.token in fresh)

    def _set_alone(self, error: str) -> None:
        self._try_again = time.monotonic() + _TRY_AGAIN_SECONDS
        if not self._alone:
            self._alone = True
            log.error("tokens_not_shared", error=error)

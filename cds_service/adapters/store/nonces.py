"""Each token is good for one use: remembered here, and in the database for all processes and replicas.

While the database is down each process remembers for itself: a card about data that the caller itself brought is less
harm than no card. Feedback needs the database anyway and is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import threading
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

log = get_log()

MAX_REMEMBERED = 200_000
SHARED_SECONDS = 0.25
"""How long a call waits for the database to say whether a token was used elsewhere."""
MAX_ASKED = 10_000
_REMEMBERED_BYTES = 16
_GROUP = 500
_TRY_AGAIN_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class _Asked:
    use: TokenUse
    fresh: Future[bool] = field(default_factory=Future)


class Nonces:
    """One for the whole process. A thread of its own asks the database, for all calls that wait at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory: set[bytes] = set()
        self._by_expiry: list[tuple[float, bytes]] = []
        self._asked: deque[_Asked] = deque()
        self._work = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._alone = False
        self._try_again = 0.0

    @property
    def alone(self) -> bool:
        """Whether other processes do not know of the tokens used here, because the database is down."""
        return self._alone

    async def first_use(self, client: str, jti: str, expires: float, now: float) -> bool:
        """Whether the token was never used before; from now on it was. Times in seconds since 1970."""
        mark = hashlib.sha256(f"{len(client)}:{client}{jti}".encode("utf-8", "surrogatepass")).hexdigest()
        if not self._remember(bytes.fromhex(mark)[:_REMEMBERED_BYTES], expires, now):
            return False
        asked = _Asked(TokenUse(mark, datetime.fromtimestamp(expires, UTC)))
        self._ask(asked)
        if self._alone and time.monotonic() < self._try_again:
            return True  # still marked in the database, should it be back; but not waited for
        try:
            fresh = await asyncio.wait_for(asyncio.wrap_future(asked.fresh), SHARED_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever keeps the database away
            self._lonely(type(error).__name__)
            return True
        if self._alone:
            self._alone = False
            log.warning("tokens_shared_again")
        return fresh

    def close(self) -> None:
        """Stop the thread."""
        with self._work:
            self._stopping = True
            self._work.notify_all()
        if self._thread is not None:
            self._thread.join(2)

    def _remember(self, mark: bytes, expires: float, now: float) -> bool:
        """In the event loop only, so without a lock."""
        while self._by_expiry and (self._by_expiry[0][0] <= now or len(self._by_expiry) > MAX_REMEMBERED):
            self._memory.discard(heapq.heappop(self._by_expiry)[1])
        if mark in self._memory:
            return False
        self._memory.add(mark)
        heapq.heappush(self._by_expiry, (expires, mark))
        return True

    def _ask(self, asked: _Asked) -> None:
        with self._work:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="tokens", daemon=True)
                self._thread.start()
            self._asked.append(asked)
            if len(self._asked) > MAX_ASKED:
                self._asked.popleft()
            self._work.notify()

    def _run(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: self._asked or self._stopping)
                if self._stopping:
                    return
                group = [self._asked.popleft() for _ in range(min(_GROUP, len(self._asked)))]
            self._answer([one for one in group if not one.fresh.done()])

    def _answer(self, group: Sequence[_Asked]) -> None:
        if not group:
            return
        try:
            fresh = self._store.claim([one.use for one in group])
        except Exception as error:  # noqa: BLE001 - each call must hear of it
            for one in group:
                with suppress(InvalidStateError):
                    one.fresh.set_exception(error)
        else:
            for one in group:
                with suppress(InvalidStateError):
                    one.fresh.set_result(one.use.token in fresh)

    def _lonely(self, error: str) -> None:
        self._try_again = time.monotonic() + _TRY_AGAIN_SECONDS
        if not self._alone:
            self._alone = True
            log.error("tokens_not_shared", error=error)

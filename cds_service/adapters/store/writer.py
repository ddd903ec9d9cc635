"""The card log. One thread writes to the database in groups, so that no call waits for its own disk write.

Calls hand over their cards without waiting. A limited number of cards waits for the database. Feedback is confirmed
only when it is on disk.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from cds_service.adapters.pseudonyms import Requester
from cds_service.adapters.store.quota import Quota
from cds_service.adapters.store.rows import Answered, CardRow, FeedbackRow
from cds_service.adapters.store.store import Store, is_refusal
from cds_service.base.errors import StoreDown, UnusableInput
from cds_service.base.logs import get_log
from cds_service.base.worker import Worker

log = get_log()

MAX_WAITING_CARDS = 10_000
MAX_WAITING_CALLS = 2_000
FEEDBACK_SECONDS = 2.0
LOOK_UP_SECONDS = 0.1
_GROUP = 500
_READERS = 4
_MAX_LOOK_UPS = 32
_FORGET_EVERY = 600.0
_LOOK_EVERY = 5.0
_GATHER_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class CardLogState:
    """The state of the card log.

    Attributes:
        since: when the database failed; None while it works.
        error: the kind of failure, never its text.
        waiting: number of cards that are not written yet.
        lost: number of cards that were dropped, because too many waited or the database rejected them.
        cards, feedback: number of cards and feedback items written since the start.
        look_ups_failed: number of calls since the start for which answered cards could not be looked up in time.
    """

    status: Literal["starting", "up", "down"] = "starting"
    since: datetime | None = None
    error: str = ""
    waiting: int = 0
    lost: int = 0
    cards: int = 0
    feedback: int = 0
    look_ups_failed: int = 0


@dataclass(eq=False, slots=True)
class _Sent:
    """A feedback call that waits for its confirmation. ``done``: ids of the rows that were not kept."""

    rows: tuple[FeedbackRow, ...]
    done: Future[frozenset[str]] = field(default_factory=Future)


class CardLog:
    """Writes cards and feedback to the database and looks up answered cards."""

    def __init__(self, store: Store, quota: Quota | None = None) -> None:
        """``quota``: limit for feedback on unknown cards, for each client and day; None for no limit."""
        self.store = store
        self._quota = quota
        self._cards: deque[CardRow] = deque()
        self._calls: deque[_Sent] = deque()
        self._worker = Worker("card-log", self._run, self._set_down)
        self._work = self._worker.work
        self._state = CardLogState()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="card-log-read")
        self._look_ups = 0
        self._look_ups_fail = False
        self._forgot = time.monotonic()

    @property
    def state(self) -> CardLogState:
        """A copy of the current state."""
        with self._work:
            return self._with(waiting=len(self._cards))

    def wait(self, seconds: float) -> bool:
        """Wait until the first attempt to connect has ended. Return false if it takes longer than ``seconds``."""
        with self._work:
            return self._work.wait_for(lambda: self._state.status != "starting" or self._worker.stopping, seconds)

    def start(self) -> None:
        """Connect and migrate in the background. The service also runs while the database is down.

        The first card or feedback does this too, for servers without a start event. Further calls have no effect.
        """
        self._worker.start()

    def close(self, seconds: float = 5.0) -> None:
        """Write the waiting cards if the database works, and stop. ``seconds``: the longest time to wait."""
        self._worker.stop(seconds)
        self._readers.shutdown(wait=False, cancel_futures=True)
        left = self.state.waiting
        if left:
            log.error("card_log_stopped", lost=left)
        self.store.close()

    def record(self, cards: Sequence[CardRow]) -> None:
        """Hand over cards. Never blocks or fails. If too many wait, the oldest are dropped."""
        if not cards:
            return
        self.start()
        with self._work:
            is_first = not self._cards
            self._cards.extend(cards)
            self._drop_the_oldest()
            if is_first or len(self._cards) >= _GROUP:  # in between, the thread waits for more in any case
                self._work.notify_all()

    async def keep(self, rows: Sequence[FeedbackRow]) -> frozenset[str]:
        """Wait until ``rows`` are on disk. Return the ids of rows that were not kept because they exceed the quota.

        Raises:
            StoreDown: the rows could not be written within ``FEEDBACK_SECONDS``.
            UnusableInput: the database rejects one of the rows.
        """
        if not rows:
            return frozenset()
        sent = _Sent(tuple(rows))
        self.start()
        with self._work:
            if self._state.status == "down" or self._worker.stopping or len(self._calls) >= MAX_WAITING_CALLS:
                raise StoreDown("feedback cannot be stored now")
            self._calls.append(sent)
            self._work.notify_all()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(sent.done), FEEDBACK_SECONDS)
        except TimeoutError:
            raise StoreDown("feedback could not be stored in time") from None

    async def answered(self, requester: Requester, now: datetime) -> list[Answered]:
        """Return the cards that the requester has answered, while the answers are still in effect.

        Raises:
            StoreDown: the database fails or does not answer within ``LOOK_UP_SECONDS``.
        """
        try:
            found = await self._look_up(requester, now)
        except StoreDown:
            self._note_look_up(failed=True)
            raise
        self._note_look_up(failed=False)
        return found

    async def _look_up(self, requester: Requester, now: datetime) -> list[Answered]:
        with self._work:
            if self._look_ups >= _MAX_LOOK_UPS or self._state.status != "up" or self._worker.stopping:
                raise StoreDown("answered cards cannot be looked up now")
        asked = (requester.client, requester.patient_key, requester.user_key)
        if self.store.surely_answered_none(*asked):
            return []
        with self._work:
            self._look_ups += 1
        running = self._readers.submit(self.store.answered, *asked, now)
        running.add_done_callback(lambda _: self._end_look_up())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), LOOK_UP_SECONDS)
        except Exception as error:
            raise StoreDown("answered cards could not be looked up in time") from error

    def _note_look_up(self, *, failed: bool) -> None:
        """Count a failed look-up. The first of several, and the first success after them, are logged."""
        with self._work:
            changed, self._look_ups_fail = failed is not self._look_ups_fail, failed
            count = self._state.look_ups_failed + failed
            self._state = self._with(look_ups_failed=count)
        if changed and failed:
            log.warning("answered_cards_not_looked_up")
        elif changed:
            log.warning("answered_cards_looked_up_again", count=count)

    def _end_look_up(self) -> None:
        with self._work:
            self._look_ups -= 1

    def _run(self) -> None:
        self.store.migrate()
        self._set_up()
        self._serve()

    def _serve(self) -> None:
        """Write groups until stopped. Cards that could not be written wait for the next attempt."""
        while True:
            with self._work:
                self._work.wait_for(lambda: self._cards or self._calls or self._worker.stopping, timeout=_LOOK_EVERY)
                # No call waits for cards, so collect them for a moment. Feedback is written at once, with these cards.
                self._work.wait_for(self._is_worth_it, timeout=_GATHER_SECONDS)
                cards = [self._cards.popleft() for _ in range(min(_GROUP, len(self._cards)))]
                calls = [self._calls.popleft() for _ in range(min(_GROUP, len(self._calls)))]
                if self._worker.stopping and not cards and not calls:
                    return
            try:
                self.store.look()
                self._write(cards, calls)
                self._forget()
                self._worker.succeeded()
            except Exception:
                self._give_back(cards, calls)
                raise

    def _is_worth_it(self) -> bool:
        return bool(self._calls) or self._worker.stopping or len(self._cards) >= _GROUP or not self._cards

    def _write(self, cards: Sequence[CardRow], calls: Sequence[_Sent]) -> None:
        try:
            left = self.store.add(cards, [row for call in calls for row in call.rows], self._quota)
        except Exception as error:
            if not is_refusal(error):
                raise
            self._write_singly(cards, calls)
            return
        self._count(len(cards), sum(row.id not in left for call in calls for row in call.rows))
        for call in calls:
            _resolve(call, left)

    def _write_singly(self, cards: Sequence[CardRow], calls: Sequence[_Sent]) -> None:
        """Write each card and call in its own transaction, so that one bad row does not block the others."""
        for card in cards:
            try:
                self.store.add([card], ())
                self._count(1, 0)
            except Exception as error:
                if not is_refusal(error):
                    raise
                self._lose(1)
                log.error("card_refused_by_database", error=type(error).__name__)
        for call in calls:
            try:
                left = self.store.add((), call.rows, self._quota)
                self._count(0, sum(row.id not in left for row in call.rows))
                _resolve(call, left)
            except Exception as error:
                if not is_refusal(error):
                    raise
                log.error("feedback_refused_by_database", error=type(error).__name__)
                _resolve(call, UnusableInput("the feedback holds a value that cannot be stored"))

    def _forget(self) -> None:
        if time.monotonic() - self._forgot >= _FORGET_EVERY:
            self._forgot = time.monotonic()
            self.store.forget(datetime.now(UTC))

    def _give_back(self, cards: Sequence[CardRow], calls: Sequence[_Sent]) -> None:
        with self._work:
            self._cards.extendleft(reversed(cards))
            self._drop_the_oldest()
            waiting = [*calls, *self._calls]
            self._calls.clear()
        for call in waiting:
            _resolve(call, StoreDown("feedback cannot be stored now"))

    def _drop_the_oldest(self) -> None:
        """Call with the lock held."""
        over = len(self._cards) - MAX_WAITING_CARDS
        for _ in range(over):
            self._cards.popleft()
        if over > 0:
            self._state = self._with(lost=self._state.lost + over)

    def _count(self, cards: int, feedback: int) -> None:
        with self._work:
            self._state = self._with(cards=self._state.cards + cards, feedback=self._state.feedback + feedback)

    def _lose(self, cards: int) -> None:
        with self._work:
            self._state = self._with(lost=self._state.lost + cards)

    def _set_down(self, error: Exception) -> None:
        with self._work:
            was_down = self._state.status == "down"
            since = self._state.since or datetime.now(UTC)
            self._state = self._with(status="down", since=since, error=type(error).__name__)
            self._work.notify_all()
        self._give_back((), ())
        if not was_down:
            log.error("database_down", error=type(error).__name__)

    def _set_up(self) -> None:
        with self._work:
            was_down = self._state.status == "down"
            self._state = self._with(status="up", since=None, error="")
            self._work.notify_all()
            waiting = len(self._cards)
        if was_down:
            log.warning("database_up_again", waiting=waiting)

    def _with(self, **changes: object) -> CardLogState:
        return replace(self._state, **changes)  # type: ignore[arg-type]


def _resolve(call: _Sent, result: frozenset[str] | Exception) -> None:
    """Complete a waiting call, unless it has given up. ``result``: ids of the rows that were not kept, or an error."""
    with suppress(InvalidStateError):
        if isinstance(result, Exception):
            call.done.set_exception(result)
        else:
            call.done.set_result(result)

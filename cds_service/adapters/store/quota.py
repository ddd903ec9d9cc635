"""How much feedback a client may leave that no card of the register explains: on unknown cards, or much on one card.

Such feedback is kept, since a card may have been lost while the database was away; but a sender at fault, or an
attacker with a client's key, must not fill the disk with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, Executable, func, select, update

from cds_service.adapters.store import tables as t
from cds_service.adapters.store.rows import FeedbackRow

MAX_ON_ONE_CARD = 20
"""Statements on a known card that count for nothing: its readers change their minds, and answer reminders."""
_AT_ONCE = 1_000
_FRAME_BYTES = 100
"""What a row takes besides its texts: moments and the database's own."""


@dataclass(frozen=True, slots=True)
class Quota:
    """``rows`` and ``bytes``: most of a client in one day of UTC."""

    rows: int
    bytes: int


_Day = tuple[str, str]
"""A client (empty where callers need not prove who they are) and a day."""


def beyond(connection: Connection, rows: Sequence[FeedbackRow], quota: Quota, begin_day: Executable) -> frozenset[str]:
    """Ids of ``rows`` that the quota has no room for; what it has room for is counted as used.

    A repeat of a statement that is there already takes no room. Called within the transaction that writes the rest.
    ``begin_day``: inserts a row into ``feedback_quota`` unless there is one.
    """
    there = _there(connection, rows)
    spare = _spare(connection, rows)
    waiting: dict[_Day, list[FeedbackRow]] = {}
    for row in rows:
        if row.id in there:
            continue
        there.add(row.id)
        owner = (row.client, row.card)
        if spare[owner] > 0:
            spare[owner] -= 1
        else:
            waiting.setdefault(_day(row), []).append(row)
    left: set[str] = set()
    for day in sorted(waiting):  # in one order in every process, so that none waits for another in a circle
        left |= _take(connection, day, waiting[day], quota, begin_day)
    return frozenset(left)


def size(row: FeedbackRow) -> int:
    """Bytes that ``row`` takes in the database, about."""
    texts = (row.id, row.card, row.outcome, row.reason_system, row.reason_code, row.reason_display, row.comment)
    accepted = len(orjson.dumps(list(row.accepted)))
    return _FRAME_BYTES + accepted + sum(len(text.encode("utf-8", "replace")) for text in texts if text)


def _day(row: FeedbackRow) -> _Day:
    return row.client or "", row.received_at.astimezone(UTC).date().isoformat()


def _chunks(values: set[str]) -> Iterator[list[str]]:
    left = iter(values)
    while chunk := list(islice(left, _AT_ONCE)):
        yield chunk


def _there(connection: Connection, rows: Sequence[FeedbackRow]) -> set[str]:
    """Ids of ``rows`` that are in the database."""
    found: set[str] = set()
    for chunk in _chunks({row.id for row in rows}):
        found.update(connection.execute(select(t.feedback.c.id).where(t.feedback.c.id.in_(chunk))).scalars())
    return found


def _spare(connection: Connection, rows: Sequence[FeedbackRow]) -> Counter[tuple[str | None, str]]:
    """Client and card -> how many more statements on it count for nothing; 0 for a card that is not the client's."""
    owners: dict[str, str] = {}
    said: Counter[str] = Counter()
    for chunk in _chunks({row.card for row in rows}):
        known = select(t.cards.c.uuid, t.cards.c.client).where(t.cards.c.uuid.in_(chunk))
        owners.update((uuid, client) for uuid, client in connection.execute(known))
        on_them = t.feedback.c.card.in_(chunk)
        counted = select(t.feedback.c.card, func.count()).where(on_them).group_by(t.feedback.c.card)
        for card, count in connection.execute(counted):
            said[card] = count
    found: Counter[tuple[str | None, str]] = Counter()
    for row in rows:
        owner = owners.get(row.card)
        if owner is not None and row.client in (None, owner):
            found[row.client, row.card] = MAX_ON_ONE_CARD - said[row.card]
    return found


def _take(
    connection: Connection,
    day: _Day,
    rows: Sequence[FeedbackRow],
    quota: Quota,
    begin_day: Executable,
) -> set[str]:
    """Use up the quota of one client and day in the order of ``rows``; the ids for which there is no room."""
    used = t.feedback_quota
    here = (used.c.client == day[0]) & (used.c.day == day[1])
    fresh: dict[str, Any] = {"client": day[0], "day": day[1], "rows": 0, "bytes": 0}
    connection.execute(begin_day, fresh)
    count, total = connection.execute(select(used.c.rows, used.c.bytes).where(here).with_for_update()).one()
    left: set[str] = set()
    for row in rows:
        needed = size(row)
        if count < quota.rows and total + needed <= quota.bytes:
            count, total = count + 1, total + needed
        else:
            left.add(row.id)
    connection.execute(update(used).where(here).values(rows=count, bytes=total))
    return left

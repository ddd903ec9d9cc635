"""Limits the feedback of a client on unknown cards, and repeated feedback on one card.

Feedback on unknown cards is kept, because a card may have been lost while the database was down. But a faulty client,
or an attacker with a client's key, must not be able to fill the disk.
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
"""Statements on a known card that do not use the quota: readers change their minds and answer reminders."""
_AT_ONCE = 1_000
_FRAME_BYTES = 100
"""Approximate size of a row without its texts: times and database overhead."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits for one client on one UTC day: number of rows and bytes."""

    rows: int
    bytes: int


_Day = tuple[str, str]
"""A client (empty if callers need not authenticate) and a day."""


def beyond(connection: Connection, rows: Sequence[FeedbackRow], quota: Quota, begin_day: Executable) -> frozenset[str]:
    """Return the ids of ``rows`` that exceed the quota, and count the others as used.

    A repeated statement does not use the quota. Call this in the transaction that writes the accepted rows.
    ``begin_day``: statement that inserts a row into ``feedback_quota`` if there is none.
    """
    known = _stored_ids(connection, rows)
    spare = _spare(connection, rows)
    waiting: dict[_Day, list[FeedbackRow]] = {}
    for row in rows:
        if row.id in known:
            continue
        known.add(row.id)
        owner = (row.client, row.card)
        if spare[owner] > 0:
            spare[owner] -= 1
        else:
            waiting.setdefault(_day(row), []).append(row)
    rejected: set[str] = set()
    for day in sorted(waiting):  # the same order in every process prevents deadlocks
        rejected |= _use_quota(connection, day, waiting[day], quota, begin_day)
    return frozenset(rejected)


def size(row: FeedbackRow) -> int:
    """Return the approximate size of ``row`` in the database, in bytes."""
    texts = (row.id, row.card, row.outcome, row.reason_system, row.reason_code, row.reason_display, row.comment)
    accepted = len(orjson.dumps(list(row.accepted)))
    return _FRAME_BYTES + accepted + sum(len(text.encode("utf-8", "replace")) for text in texts if text)


def _day(row: FeedbackRow) -> _Day:
    return row.client or "", row.received_at.astimezone(UTC).date().isoformat()


def _chunks(values: set[str]) -> Iterator[list[str]]:
    left = iter(values)
    while chunk := list(islice(left, _AT_ONCE)):
        yield chunk


def _stored_ids(connection: Connection, rows: Sequence[FeedbackRow]) -> set[str]:
    """Return the ids of ``rows`` that are already in the database."""
    ids: set[str] = set()
    for chunk in _chunks({row.id for row in rows}):
        ids.update(connection.execute(select(t.feedback.c.id).where(t.feedback.c.id.in_(chunk))).scalars())
    return ids


def _spare(connection: Connection, rows: Sequence[FeedbackRow]) -> Counter[tuple[str | None, str]]:
    """Return how many more statements on each card do not use the quota, by client and card.

    It is 0 for a card of another client.
    """
    owners: dict[str, str] = {}
    statements: Counter[str] = Counter()
    for chunk in _chunks({row.card for row in rows}):
        known = select(t.cards.c.uuid, t.cards.c.client).where(t.cards.c.uuid.in_(chunk))
        owners.update((uuid, client) for uuid, client in connection.execute(known))
        on_them = t.feedback.c.card.in_(chunk)
        counted = select(t.feedback.c.card, func.count()).where(on_them).group_by(t.feedback.c.card)
        for card, count in connection.execute(counted):
            statements[card] = count
    spare: Counter[tuple[str | None, str]] = Counter()
    for row in rows:
        owner = owners.get(row.card)
        if owner is not None and row.client in (None, owner):
            spare[row.client, row.card] = MAX_ON_ONE_CARD - statements[row.card]
    return spare


def _use_quota(
    connection: Connection,
    day: _Day,
    rows: Sequence[FeedbackRow],
    quota: Quota,
    begin_day: Executable,
) -> set[str]:
    """Count ``rows`` in their order against the quota of one client and day. Return the ids that exceed it."""
    used = t.feedback_quota
    here = (used.c.client == day[0]) & (used.c.day == day[1])
    fresh: dict[str, Any] = {"client": day[0], "day": day[1], "rows": 0, "bytes": 0}
    connection.execute(begin_day, fresh)
    count, total = connection.execute(select(used.c.rows, used.c.bytes).where(here).with_for_update()).one()
    rejected: set[str] = set()
    for row in rows:
        needed = size(row)
        if count < quota.rows and total + needed <= quota.bytes:
            count, total = count + 1, total + needed
        else:
            rejected.add(row.id)
    connection.execute(update(used).where(here).values(rows=count, bytes=total))
    return rejected

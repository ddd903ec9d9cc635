"""Feedback that no card explains has a bound for each client and day, in SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from cds_service.adapters.store.quota import MAX_ON_ONE_CARD, Quota, size
from cds_service.adapters.store.rows import FeedbackRow
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import feedback, feedback_quota
from tests.adapters.store.test_store import NOON, card_row, feedback_row

TEN = Quota(rows=10, bytes=1_000_000)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    store.migrate()
    yield store
    store.close()


def kept(store: Store) -> set[str]:
    return {row.id for row in store.stream(select(feedback.c.id))}


def unknown(count: int, name: str = "u", **changes: object) -> list[FeedbackRow]:
    return [feedback_row(f"{name}{number}", f"card of {name}{number}", **changes) for number in range(count)]


def test_the_known_are_kept_and_the_unknown_up_to_the_quota(store: Store) -> None:
    known = [feedback_row("k0"), feedback_row("k1", client="north")]
    left = store.add([card_row()], [known[0], *unknown(12), known[1]], TEN)
    assert left == {"u10", "u11"}
    assert kept(store) == {"k0", "k1", *(f"u{number}" for number in range(10))}
    assert store.add([], unknown(1, "later"), TEN) == {"later0"}


def test_each_client_has_its_own_and_each_day_a_new_one(store: Store) -> None:
    assert len(store.add([], unknown(11, "a", client="north"), TEN)) == 1
    assert store.add([], unknown(10, "b", client="south"), TEN) == frozenset()
    assert store.add([], unknown(10, "c"), TEN) == frozenset()
    tomorrow = NOON + timedelta(hours=13)
    assert len(store.add([], unknown(12, "d", client="north", received_at=tomorrow), TEN)) == 2


def test_a_card_of_another_client_is_unknown(store: Store) -> None:
    store.add([card_row(client="south")], [])
    rows = [feedback_row(f"f{number}", client="north") for number in range(11)]
    assert store.add([], rows, TEN) == {"f10"}


def test_bytes_are_bounded_too(store: Store) -> None:
    long = unknown(10, comment="ü" * 4_000)
    room = Quota(rows=1_000, bytes=3 * size(long[0]) + 10)
    assert size(long[0]) > 8_000
    assert len(store.add([], long, room)) == 7
    assert len(kept(store)) == 3
    assert store.add([], unknown(1, "s", comment=None), room) == {"s0"}


def test_a_repeat_takes_no_room(store: Store) -> None:
    for _ in range(5):
        assert store.add([], unknown(10), TEN) == frozenset()
    assert store.add([], [*unknown(10), *unknown(1, "more")], TEN) == {"more0"}
    ((used,),) = store.stream(select(feedback_quota.c.rows))
    assert used == 10


def test_one_known_card_does_not_open_the_door(store: Store) -> None:
    """A uuid of a card is easily had: what is said beyond a handful counts like feedback on an unknown one."""
    rows = [feedback_row(f"f{number}", comment=f"{number}") for number in range(MAX_ON_ONE_CARD + 11)]
    assert store.add([card_row()], rows[:5], TEN) == frozenset()
    assert store.add([], rows[5:], TEN) == {rows[-1].id}
    assert len(kept(store)) == MAX_ON_ONE_CARD + 10


def test_many_rows_at_once(store: Store) -> None:
    rows = unknown(5_000)
    assert len(store.add([], rows, Quota(rows=4_000, bytes=10_000_000))) == 1_000


def test_past_days_are_forgotten(store: Store) -> None:
    store.add([], unknown(1), TEN)
    store.forget(NOON + timedelta(days=1))
    assert len(list(store.stream(select(feedback_quota)))) == 1
    store.forget(NOON + timedelta(days=3))
    assert list(store.stream(select(feedback_quota))) == []

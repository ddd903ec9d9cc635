"""The card log at work: groups, outages, rows the database refuses, and what is never lost or blocked by them."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from cds_service.adapters.pseudonyms import Requester
from cds_service.adapters.store import writer
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import cards, feedback
from cds_service.adapters.store.writer import CardLog, CardLogState
from cds_service.base.errors import StoreDown, UnusableInput
from tests.adapters.store.test_store import NOON, card_row, feedback_row
from tests.postgres import postgres_server

REQUESTER = Requester("north", "Practitioner/p1", "p" * 32, "u" * 32, "e" * 32)


def until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def card_log(database_url: str) -> Iterator[CardLog]:
    card_log = CardLog(Store.open(database_url))
    card_log.start()
    yield card_log
    card_log.close()


def count(card_log: CardLog, table: object = cards) -> int:
    (row,) = card_log.store.stream(select(func.count()).select_from(table))  # type: ignore[arg-type]
    return int(row[0])


def test_cards_are_written_behind_the_call(card_log: CardLog) -> None:
    card_log.record([card_row("a"), card_row("b")])
    card_log.record([card_row("c")])
    until(lambda: card_log.state.cards == 3)
    assert count(card_log) == 3
    assert card_log.state.status == "up"


def test_feedback_is_on_disk_when_it_is_answered(card_log: CardLog) -> None:
    async def many() -> None:
        await asyncio.gather(*(card_log.keep([feedback_row(f"{n}-{m}") for m in range(3)]) for n in range(200)))

    asyncio.run(many())
    assert count(card_log, feedback) == 600
    asyncio.run(card_log.keep([]))


def test_nobody_has_to_start_it(database_url: str) -> None:
    card_log = CardLog(Store.open(database_url))
    asyncio.run(card_log.keep([feedback_row()]))
    assert count(card_log, feedback) == 1
    card_log.close()


def test_what_is_answered_is_found_at_once(card_log: CardLog) -> None:
    async def answer() -> int:
        card_log.record([card_row("a")])
        await card_log.keep([feedback_row("f", "a")])
        return len(await card_log.answered(REQUESTER, NOON))

    assert asyncio.run(answer()) == 1


def test_a_row_that_is_refused_takes_no_other_with_it(card_log: CardLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FEEDBACK_SECONDS", 60.0)  # a busy machine may need more than two
    if card_log.store.engine.dialect.name == "sqlite":
        bad_card, bad_said = card_row("bad", rule=None), feedback_row("bad", outcome=None)
    else:
        bad_card, bad_said = card_row("bad", rule="a\x00b"), feedback_row("bad", comment="a\x00b")

    async def mixed() -> list[frozenset[str] | BaseException]:
        card_log.record([card_row("a"), bad_card, card_row("b")])
        calls = [[feedback_row("1")], [feedback_row("2"), bad_said], [feedback_row("3")]]
        return list(await asyncio.gather(*(card_log.keep(rows) for rows in calls), return_exceptions=True))

    first, second, third = asyncio.run(mixed())
    assert (first, third) == (frozenset(), frozenset())
    assert isinstance(second, UnusableInput)
    until(lambda: card_log.state.cards == 2)
    assert {row.uuid for row in card_log.store.stream(select(cards))} == {"a", "b"}
    assert {row.id for row in card_log.store.stream(select(feedback))} == {"1", "3"}
    assert card_log.state.lost == 1


def test_tables_that_vanish_come_back(card_log: CardLog) -> None:
    """A fault that is not about a row: the cards wait, and are written when the database serves again."""
    card_log.record([card_row("a")])
    until(lambda: card_log.state.cards == 1)
    with card_log.store.engine.begin() as connection:
        connection.execute(text("DROP TABLE card"))
        connection.execute(text("DROP TABLE feedback"))
        connection.execute(text("DROP TABLE token_use"))
        connection.execute(text("DROP TABLE launch"))
        connection.execute(text("DROP TABLE feedback_quota"))
        connection.execute(text("DROP TABLE assessment_count"))
        connection.execute(text("DELETE FROM alembic_version"))
    card_log.record([card_row("b")])
    until(lambda: card_log.state.cards == 2)
    assert [row.uuid for row in card_log.store.stream(select(cards))] == ["b"]


def test_an_outage_holds_the_cards_and_refuses_feedback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    card_log = CardLog(Store.open(f"sqlite:///{folder}/cards.db"))
    card_log.start()
    until(lambda: card_log.state.status == "down")
    assert card_log.state.error == "OperationalError"
    assert card_log.state.since is not None
    started = time.monotonic()
    card_log.record([card_row(str(n)) for n in range(50)])
    for ask in (card_log.keep([feedback_row()]), card_log.answered(REQUESTER, NOON)):
        with pytest.raises(StoreDown):
            asyncio.run(ask)
    assert time.monotonic() - started < 1
    assert card_log.state.waiting == 50
    folder.mkdir()
    until(lambda: card_log.state.cards == 50)
    assert card_log.state == CardLogState("up", waiting=0, lost=0, cards=50, feedback=0, look_ups_failed=1)
    asyncio.run(card_log.keep([feedback_row()]))
    assert count(card_log) == 50
    shutil.move(folder, tmp_path / "elsewhere")  # and away again, under a running service
    card_log.record([card_row("late")])
    until(lambda: card_log.state.status == "down")
    folder.mkdir()
    until(lambda: card_log.state.cards == 51)
    card_log.close()
    said = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
    assert [event for event in said if "database" in event] == ["database_down", "database_up_again"] * 2


def test_a_server_that_stops_and_starts_again() -> None:
    """PostgreSQL goes away under a running service and comes back: the cards wait, and nothing is lost."""
    with postgres_server() as running:
        card_log = CardLog(Store.open(running.url))
        card_log.start()
        card_log.record([card_row("before")])
        until(lambda: card_log.state.cards == 1)
        running.stop()
        card_log.record([card_row("while it was down")])
        until(lambda: card_log.state.status == "down")
        with pytest.raises(StoreDown):
            asyncio.run(card_log.keep([feedback_row()]))
        running.start()
        until(lambda: card_log.state.cards == 2)
        asyncio.run(card_log.keep([feedback_row()]))
        assert (count(card_log), count(card_log, feedback)) == (2, 1)
        card_log.close()


def test_a_stuck_writer_is_an_outage_for_feedback_only(card_log: CardLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else holds the lock on the tables: the call ends in time, and its items are kept once it is free."""
    monkeypatch.setattr(writer, "FEEDBACK_SECONDS", 0.3)
    until(lambda: card_log.state.status == "up")
    with card_log.store.engine.begin() as connection:
        if card_log.store.engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE feedback IN ACCESS EXCLUSIVE MODE"))
        started = time.monotonic()
        with pytest.raises(StoreDown):
            asyncio.run(card_log.keep([feedback_row("slow")]))
        assert time.monotonic() - started < 2
        card_log.record([card_row("a")])
    until(lambda: card_log.state.cards == 1)
    assert count(card_log, feedback) <= 1
    asyncio.run(card_log.keep([feedback_row("slow")]))
    assert count(card_log, feedback) == 1


def test_too_many_waiting_cards_give_way_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING_CARDS", 10)
    card_log = CardLog(Store.open(f"sqlite:///{tmp_path}/none/cards.db"))
    for number in range(14):
        card_log.record([card_row(str(number))])
    assert (card_log.state.waiting, card_log.state.lost) == (10, 4)
    (tmp_path / "none").mkdir()
    until(lambda: card_log.state.cards == 10)
    assert sorted(int(row.uuid) for row in card_log.store.stream(select(cards))) == list(range(4, 14))
    card_log.close()


def test_closing_writes_what_waits(database_url: str) -> None:
    card_log = CardLog(Store.open(database_url))
    card_log.start()
    card_log.record([card_row(str(number)) for number in range(2_000)])
    card_log.close(seconds=30)
    again = Store.open(database_url)
    assert len(list(again.stream(select(cards.c.uuid)))) == 2_000
    again.close()
    for ask in (card_log.keep([feedback_row()]), card_log.answered(REQUESTER, NOON)):
        with pytest.raises(StoreDown):
            asyncio.run(ask)
    card_log.record([card_row("too late")])


def test_look_ups_that_hang_do_not_pile_up(card_log: CardLog) -> None:
    """More look-ups than may wait, each cut off in time, and all are free again afterwards."""
    card_log.record([card_row("a")])
    asyncio.run(card_log.keep([feedback_row("f", "a")]))  # else nothing would have to be looked up
    until(lambda: card_log.state.cards == 1)
    held = threading.Event()

    def slow(*_: object) -> list[object]:
        held.wait(5)
        return []

    real = card_log.store.answered
    card_log.store.answered = slow  # type: ignore[method-assign, assignment]

    async def ask() -> list[object]:
        asks = [card_log.answered(REQUESTER, NOON) for _ in range(100)]
        return list(await asyncio.gather(*asks, return_exceptions=True))

    started = time.monotonic()
    found = asyncio.run(ask())
    assert all(isinstance(one, StoreDown) for one in found)
    assert time.monotonic() - started < 2
    held.set()
    card_log.store.answered = real  # type: ignore[method-assign]

    def serves() -> bool:
        try:
            asyncio.run(card_log.answered(REQUESTER, NOON))
        except StoreDown:
            return False
        return True

    until(serves)


def test_old_hashes_are_forgotten_in_passing(card_log: CardLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_FORGET_EVERY", 0.0)
    card_log.record([card_row("old", quiet_until=NOON - timedelta(days=400))])
    until(lambda: card_log.state.cards == 1)
    until(lambda: next(card_log.store.stream(select(cards))).patient_key is None)

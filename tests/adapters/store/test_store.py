"""The database itself, SQLite and PostgreSQL alike: tables, what goes in comes out, and who may write at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select

from cds_service.adapters.store.rows import Answered, CardRow, FeedbackRow
from cds_service.adapters.store.store import MIGRATIONS, Store, newest_revision
from cds_service.adapters.store.tables import cards, feedback, metadata
from cds_service.base.errors import WrongSetting

NOON = datetime(2026, 3, 16, 12, 0, 0, 123456, tzinfo=UTC)


def card_row(uuid: str = "c1", **changes: object) -> CardRow:
    row = CardRow(
        uuid=uuid,
        shown_at=NOON,
        client="north",
        rule="RF01",
        topic="kneedvt1",
        pathway="uk_ng158",
        content_version="abc",
        indicator="critical",
        leg="left",
        suggestions={"s1": "venous_duplex", "s2": "d_dimer"},
        shown=True,
        user="Practitioner/p1",
        patient_key="p" * 32,
        user_key="u" * 32,
        encounter_key="e" * 32,
        fingerprint="f" * 32,
        quiet_until=NOON + timedelta(days=1),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def feedback_row(key: str = "f1", card: str = "c1", **changes: object) -> FeedbackRow:
    row = FeedbackRow(
        id=key,
        service="posterior-knee-pain",
        card=card,
        outcome="overridden",
        outcome_at=NOON,
        received_at=NOON,
        reason_system="http://x",
        reason_code="r",
        comment="im Bein schmerzt es – „stark“ 🦵",
    )
    return replace(row, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(database_url: str) -> Store:
    store = Store.open(database_url)
    store.migrate()
    return store


def test_the_migrations_make_exactly_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    store.close()


def test_the_newest_revision_is_that_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == newest_revision()


def test_tables_of_an_earlier_version_are_brought_up(store: Store) -> None:
    every = set(inspect(store.engine).get_table_names())
    store.downgrade("0001")
    assert set(inspect(store.engine).get_table_names()) < every
    store.migrate()
    assert set(inspect(store.engine).get_table_names()) == every
    store.close()


def test_tables_that_are_new_are_left_alone_without_the_library(database_url: str) -> None:
    code = (
        "import sys; from cds_service.adapters.store.store import Store; s = Store.open(sys.argv[1]); s.migrate(); "
        "s.close(); print('alembic' in sys.modules)"
    )
    told = [
        subprocess.run([sys.executable, "-c", code, database_url], capture_output=True, check=True, text=True).stdout
        for _ in range(2)
    ]
    assert told == ["True\n", "False\n"]


def test_down_to_nothing_and_up_again(store: Store) -> None:
    store.add([card_row()], [feedback_row()])
    store.downgrade("base")
    assert set(inspect(store.engine).get_table_names()) <= {"alembic_version"}
    store.migrate()
    store.add([card_row()], [])
    assert [row.uuid for row in store.stream(select(cards))] == ["c1"]
    store.close()


def test_what_goes_in_comes_out(store: Store) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))
    store.add([card_row(shown_at=elsewhere)], [feedback_row(outcome_at=elsewhere)])
    (card,) = store.stream(select(cards))
    assert (card.shown_at, card.shown_at.tzinfo, card.suggestions) == (
        NOON,
        UTC,
        '{"s1":"venous_duplex","s2":"d_dimer"}',
    )
    (said,) = store.stream(select(feedback))
    assert (said.outcome_at, said.comment, said.reason_display) == (NOON, feedback_row().comment, None)
    store.close()


def test_a_repeat_changes_nothing(store: Store) -> None:
    store.add([card_row()], [feedback_row()])
    later = NOON + timedelta(hours=1)
    store.add([card_row(rule="other")], [feedback_row(received_at=later), feedback_row("f2"), feedback_row("f2")])
    assert [row.rule for row in store.stream(select(cards))] == ["RF01"]
    found = {row.id: row.received_at for row in store.stream(select(feedback))}
    assert found == {"f1": NOON, "f2": NOON}
    store.close()


def test_answered_cards_are_found_for_this_requester_only(store: Store) -> None:
    rows = [
        card_row("mine"),
        card_row("of another user", user_key="v" * 32),
        card_row("about another patient", patient_key="q" * 32),
        card_row("of another client", client="south"),
        card_row("window over", quiet_until=NOON),
        card_row("in silent mode", shown=False),
        card_row("reminder", fingerprint=None, quiet_until=None),
        card_row("not answered"),
    ]
    store.add(rows, [feedback_row(row.uuid, row.uuid) for row in rows if row.uuid != "not answered"])
    found = store.answered("north", "p" * 32, "u" * 32, NOON)
    until = NOON + timedelta(days=1)
    assert found == [Answered("kneedvt1", "f" * 32, "e" * 32, NOON, "overridden", (), until)]
    store.close()


@pytest.mark.parametrize(
    ("accepted", "orders"),
    [(("s2",), ("d_dimer",)), (("s1", "s2"), ("venous_duplex", "d_dimer")), (("other", "s1"), ("venous_duplex",)),
     (("nothing of ours",), ()), ((), ())],
)  # fmt: skip
def test_an_answered_card_tells_which_orders_were_accepted(
    store: Store, accepted: tuple[str, ...], orders: tuple[str, ...]
) -> None:
    store.add([card_row()], [feedback_row(outcome="accepted", accepted=accepted)])
    (found,) = store.answered("north", "p" * 32, "u" * 32, NOON)
    assert (found.outcome, found.orders) == ("accepted", orders)
    store.close()


def test_hashes_are_forgotten_when_their_window_has_ended(store: Store) -> None:
    store.add([card_row("old", quiet_until=NOON), card_row("new")], [])
    assert store.forget(NOON) == 1
    found = {row.uuid: row for row in store.stream(select(cards))}
    for key in ("patient_key", "user_key", "encounter_key", "fingerprint", "quiet_until"):
        assert getattr(found["old"], key) is None
        assert getattr(found["new"], key) is not None
    assert found["old"].rule == "RF01"
    store.close()


START = """
import sys
import time
from cds_service.adapters.store.store import MIGRATIONS, Store, newest_revision
store = Store.open(sys.argv[1])
sys.stdin.readline()
store.migrate()
store.close()
"""


def test_processes_that_start_together_migrate_one_after_the_other(database_url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", START, database_url]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    store = Store.open(database_url)
    store.add([card_row()], [])
    store.close()


def test_sqlite_is_durable_and_lets_readers_read(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/x.db")
    store.migrate()
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with store.engine.begin():  # somebody writes
        assert store.answered("north", "p", "u", NOON) == []
    store.close()


def test_that_nothing_was_answered_is_known_without_waiting(tmp_path: Path) -> None:
    """It may be unsure where an answer is, and never sure where one is found."""
    store = Store.open(f"sqlite:///{tmp_path}/a b.db")
    requester = ("north", "p" * 32, "u" * 32)
    assert not store.surely_answered_none(*requester), "there is no database yet"
    store.migrate()
    assert store.surely_answered_none(*requester)
    store.add([card_row("shown")], [feedback_row("f", "another card")])
    assert store.surely_answered_none(*requester)
    store.add([], [feedback_row("g", "shown")])
    assert store.answered(*requester, NOON)
    assert not store.surely_answered_none(*requester)
    for other in (("south", *requester[1:]), (requester[0], "q" * 32, requester[2]), (*requester[:2], "v" * 32)):
        assert store.surely_answered_none(*other)
    store.close()
    assert not store.surely_answered_none(*requester), "it may be opened again after an outage"
    store.close()


def test_a_locked_database_does_not_make_the_caller_wait(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/x.db")
    store.migrate()
    requester = ("north", "p" * 32, "u" * 32)
    assert store.surely_answered_none(*requester)
    store.close()
    locking = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    locking.execute("PRAGMA locking_mode=EXCLUSIVE")
    locking.execute("BEGIN EXCLUSIVE")
    locking.execute("DELETE FROM card")
    began = time.monotonic()
    assert not store.surely_answered_none(*requester)
    assert time.monotonic() - began < 0.5
    locking.execute("ROLLBACK")
    locking.close()
    assert store.surely_answered_none(*requester)
    store.close()


def test_a_file_that_is_gone_is_noticed(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/x.db")
    store.migrate()
    store.look()
    (tmp_path / "x.db").unlink()
    with pytest.raises(FileNotFoundError):
        store.look()
    store.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u:secret@x/y", "sqlite://", "sqlite:///:memory:", "oracle://x"]
)
def test_other_databases_are_refused_in_plain_words(url: str) -> None:
    with pytest.raises(WrongSetting, match="KNEE_CDS_DATABASE_URL") as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_is_understood(scheme: str) -> None:
    url = Store.open(f"{scheme}://u:p@server/db").engine.url
    assert (url.drivername, url.host, url.database) == ("postgresql+psycopg", "server", "db")


def test_purge_takes_what_is_old_and_nothing_else(store: Store) -> None:
    """On both sides of the limit; a card stays with its answer, and while that keeps it quiet."""
    limit = NOON - timedelta(days=100)
    old, second = limit - timedelta(seconds=1), timedelta(seconds=1)
    ended = NOON - timedelta(days=1)
    store.add(
        [
            card_row("old", shown_at=old, quiet_until=ended),
            card_row("never-quiet", shown_at=old, quiet_until=None),
            card_row("at-the-limit", shown_at=limit, quiet_until=ended),
            card_row("still-quiet", shown_at=old, quiet_until=NOON + second),
            card_row("answered-late", shown_at=old, quiet_until=ended),
            card_row("answered-then", shown_at=old, quiet_until=ended),
        ],
        [
            feedback_row("late", "answered-late", received_at=limit),
            feedback_row("then", "answered-then", received_at=old),
            feedback_row("stray", "elsewhere", received_at=old),
        ],
    )
    steps = list(store.purge(limit, NOON))
    assert (sum(one for one, _ in steps), sum(one for _, one in steps)) == (3, 2)
    assert {row.uuid for row in store.stream(select(cards))} == {"at-the-limit", "still-quiet", "answered-late"}
    assert [row.id for row in store.stream(select(feedback))] == ["late"]
    assert list(store.purge(limit, NOON)) == []
    store.close()


def test_purge_goes_in_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.adapters.store.store._STEP", 10)
    store.add([card_row(str(n), quiet_until=None) for n in range(25)], [])
    assert list(store.purge(NOON + timedelta(days=1), NOON)) == [(10, 0), (10, 0), (5, 0)]
    store.close()

"""The table of rows and tests is whole."""

from __future__ import annotations

from tests.conformance.table import TABLE, marks, rows, table


def test_every_mark_names_a_row() -> None:
    assert set(marks()) <= {row.id for row in rows()}


def test_every_row_that_can_be_seen_has_a_test() -> None:
    shown = marks()
    missing = [row.id for row in rows() if row.seen == "outside" and row.id not in shown]
    assert missing == []


def test_every_row_that_has_none_says_why() -> None:
    shown = marks()
    for row in rows():
        assert row.seen in ("outside", "no")
        assert row.why if row.seen == "no" else not row.why, row.id
        assert row.seen == "outside" or row.id not in shown, row.id


def test_no_row_is_listed_twice() -> None:
    ids = [row.id for row in rows()]
    assert len(ids) == len(set(ids))
    assert len(ids) > 130


def test_the_table_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "run python -m tests.conformance.table"

"""``knee-cds feedback`` and ``knee-cds database``: what the card log holds, as files, numbers and a page."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import orjson
import pytest

from cds_service.adapters.store.reports import Line, Report, Week, report
from cds_service.adapters.store.store import Store
from cds_service.cli.feedback_page import page
from cds_service.cli.main import main
from tests.adapters.store.test_store import NOON, card_row, feedback_row

LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def filled(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Six cards, of which one was answered twice, and an answer to a card of another card log."""
    store = Store.open(database_url)
    store.migrate()
    cards = [
        card_row("a"),
        card_row("b"),
        card_row("c"),
        card_row("d", indicator="warning"),
        card_row("e", rule="knee_oa", topic="kneecauses1", indicator="info", suggestions={"x": "physiotherapy"}),
        card_row("f", shown=False),
    ]
    said = [
        feedback_row("1", "a", outcome="accepted", accepted=("s1", "zz"), reason_code=None, comment=None),
        feedback_row("2", "b", reason_code="action-completed", comment="first\nsecond"),
        feedback_row("3", "b", outcome_at=LATER, reason_code="patient-refuses", comment="=HYPERLINK(1)"),
        feedback_row("4", "e", reason_code=None, reason_system=None, comment=None),
        feedback_row("5", "elsewhere", reason_code="<b>own</b>"),
    ]
    store.add(cards, said)
    store.close()
    monkeypatch.setenv("KNEE_CDS_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    return database_url


def test_export_as_lines(filled: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["feedback", "export"]) == 0
    lines = {line["intervention"]["card"] + line["date"]: line for line in map(orjson.loads, read(capfdbinary))}
    assert len(lines) == 5
    first = lines["a2026-03-16T12:00:00.123456Z"]
    assert first == {
        "intervention": {
            "service": "posterior-knee-pain", "card": "a", "rule": "RF01", "topic": "kneedvt1",
            "pathway": "uk_ng158", "contentVersion": "abc", "indicator": "critical", "leg": "left",
            "shown": "2026-03-16T12:00:00.123456Z", "known": True,
        },
        "action": {"outcome": "accepted", "acceptedSuggestions": ["s1", "zz"], "acceptedOrders": ["venous_duplex"]},
        "feedback": {"reasonSystem": "http://x"},
        "user": "Practitioner/p1",
        "date": "2026-03-16T12:00:00.123456Z",
        "received": "2026-03-16T12:00:00.123456Z",
        "location": "north",
    }  # fmt: skip
    stranger = lines["elsewhere2026-03-16T12:00:00.123456Z"]
    assert stranger["intervention"] == {"service": "posterior-knee-pain", "card": "elsewhere", "known": False}
    assert not {"user", "location"} & set(stranger)


def read(captured: pytest.CaptureFixture[bytes]) -> list[bytes]:
    return captured.readouterr().out.splitlines()


def test_export_as_a_table_that_no_spreadsheet_takes_for_a_formula(filled: str, tmp_path: Path) -> None:
    out = tmp_path / "feedback.csv"
    assert main(["feedback", "export", "--format", "csv", "--output", str(out)]) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_bytes().decode(), newline="")))
    assert len(rows) == 5
    by_comment = {row["feedback.comment"]: row for row in rows}
    assert "'=HYPERLINK(1)" in by_comment
    assert "first\nsecond" in by_comment
    accepted = next(row for row in rows if row["action.outcome"] == "accepted")
    assert accepted["action.acceptedOrders"] == "venous_duplex"
    assert accepted["intervention.known"] == "true"
    for row in rows:
        assert None not in row.values()
        assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())


def test_report_in_numbers(filled: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut on a terminal of the usual width."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["feedback", "report"]) == 0
    said = capsys.readouterr().out
    assert all(len(line) <= 80 for line in said.splitlines() if not line.startswith("Overridden"))
    assert "…" not in said
    found = {tuple(row[:2]): row[2:] for row in map(str.split, said.splitlines()) if len(row) == 7}
    # shown, accepted, overridden, unanswered, silent: the latest answer to b counts
    assert found["RF01", "critical"] == ["3", "1", "1", "1", "1"]
    assert found["RF01", "warning"] == ["1", "0", "0", "1", "0"]
    assert found["knee_oa", "info"] == ["1", "0", "1", "0", "0"]
    reasons = [line for line in said.splitlines() if line.startswith("Overridden")]
    assert [line.rpartition("): ")[2] for line in reasons] == ["patient-refuses: 1", "no reason given: 1"]
    assert ["RF01 critical" in reasons[0], "knee_oa info" in reasons[1]] == [True, True]
    assert "1 card(s) that are not in this database" in said


class Page(HTMLParser):
    """Checks that every tag is closed, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def test_report_as_a_page(filled: str, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert main(["feedback", "report", "--html", str(out)]) == 0
    html = out.read_text(encoding="utf-8")
    drawn = Page()
    drawn.feed(html)
    assert drawn.open == []
    assert "script" not in drawn.tags
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "Suspected DVT RF01" in " ".join(drawn.text.split())
    assert "patient-refuses: 1" in drawn.text
    assert 'aria-label="Suspected DVT: 1 accepted, 1 overridden, 1 unanswered"' in html
    assert "33 %" in drawn.text
    assert '<th scope="row">16 Mar 2026</th>' in html
    plots = [Xml.fromstring(one) for one in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    bars = [[float(bar.attrib["width"]) for bar in plot.iter("rect")] for plot in plots]
    assert bars[0][0] == bars[0][1] == bars[0][2]
    assert sum(bars[0]) == pytest.approx(370, abs=0.3)
    assert [len(one) for one in bars[:3]] == [3, 1, 1]


def weekly(*numbers: tuple[int, int]) -> tuple[Week, ...]:
    """Shown and accepted in each of some weeks."""
    first = date(2026, 1, 5)
    return tuple(Week(first + timedelta(days=7 * place), *both) for place, both in enumerate(numbers))


@pytest.mark.parametrize(
    ("weeks", "words"),
    [
        (weekly(*[(10, 2)] * 4, *[(10, 4)] * 4), "up: 20 % accepted in the 4 weeks before, 40 % in the last 4"),
        (
            weekly((99, 99), *[(10, 4)] * 4, *[(10, 2)] * 4),
            "down: 40 % accepted in the 4 weeks before, 20 % in the last 4",
        ),
        (weekly(*[(10, 3)] * 8), "level: 30 % accepted in the 4 weeks before, 30 % in the last 4"),
        (weekly(*[(2, 2)] * 4, *[(10, 2)] * 4), "too few cards for a trend"),
        (weekly((50, 2)), "too few cards for a trend"),
    ],
)
def test_a_trend_needs_enough_cards_on_both_sides(weeks: tuple[Week, ...], words: str) -> None:
    found = Report((Line("RF01", "critical", "abc", shown=1),), 0, {"RF01": weeks})
    assert f"Trend: {words}" in page(found, {})


def test_weeks_begin_on_monday_and_have_no_holes(database_url: str) -> None:
    store = Store.open(database_url)
    store.migrate()
    sunday = NOON - timedelta(days=1)
    cards = [
        card_row("a", shown_at=sunday),
        card_row("b", shown_at=sunday + timedelta(days=15)),
        card_row("c", shown_at=NOON, rule="RF07"),
        card_row("d", shown_at=NOON, shown=False),
    ]
    store.add(cards, [feedback_row("1", "b", outcome="accepted")])
    weeks = report(store).weeks
    store.close()
    assert [(one.monday.isoformat(), one.shown, one.accepted) for one in weeks["RF01"]] == [
        ("2026-03-09", 1, 0),
        ("2026-03-16", 0, 0),
        ("2026-03-23", 0, 0),
        ("2026-03-30", 1, 1),
    ]
    assert [one.shown for one in weeks["RF07"]] == [1, 0, 0]


def test_nothing_registered_yet(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KNEE_CDS_DATABASE_URL", database_url)
    assert main(["database", "upgrade"]) == 0
    out = tmp_path / "report.html"
    assert main(["feedback", "report", "--html", str(out)]) == 0
    assert "No card has been recorded yet" in out.read_text(encoding="utf-8")


def test_up_and_down(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["database", "downgrade", "base"]) == 0
    assert main(["database", "upgrade"]) == 0
    capsys.readouterr()
    assert main(["feedback", "export"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["database", "downgrade", "nonsense"]) == 2


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/x.db",
        "postgresql://user:secret-word@127.0.0.1:1/x",
        "mysql://user:secret-word@host/x",
        "nonsense",
    ],
)
def test_a_database_that_cannot_be_used(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNEE_CDS_DATABASE_URL", url)
    for command in (["feedback", "export"], ["feedback", "report"], ["database", "upgrade"]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert "KNEE_CDS_DATABASE_URL" in said.err
        assert "secret-word" not in said.err + said.out


def test_reading_in_the_wrong_folder_makes_no_empty_register(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KNEE_CDS_DATABASE_URL", raising=False)
    assert main(["feedback", "report"]) == 2
    assert "The database knee-cds.db does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

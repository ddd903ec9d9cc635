"""The report: intervals that are right, and a page that reads without a script, a mouse or colours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cds_service.cli.main import main
from cds_service.replay.encounter_classes import class_of, in_words
from cds_service.replay.intervals import wilson
from cds_service.replay.page import page
from cds_service.replay.plots import Bar, Column, bars, columns
from tests.conftest import NOW, ROOT
from tests.population import export
from tests.replay.runs import KEY, replayed


@pytest.mark.parametrize(
    ("some", "of", "low", "high"),
    [
        # Newcombe 1998 (Stat Med 17:857), table I, method 3: score without continuity correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_of_the_literature(some: int, of: int, low: float, high: float) -> None:
    assert wilson(some, of) == pytest.approx((low, high), abs=0.00005)


class Tags(HTMLParser):
    """Which elements a page has, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("report")
    export(folder / "in", 80)
    return replayed(folder / "in", folder / "out"), folder / "out"


def test_the_two_rates_stand_first(report: tuple[dict[str, Any], Path]) -> None:
    found, out = report
    assert list(found)[:3] == ["trigger_rate", "completion_rate", "by_month"]
    text = read((out / "report.html").read_text(encoding="utf-8")).text
    assert text.index("Trigger rate") < text.index("Completion rate") < text.index("From openings to cards")
    assert f"{found['trigger_rate']['value'] * 100:.2f} %" in text
    months = found["by_month"]
    assert sum(one["openings"] for one in months) == found["openings"]
    assert sum(one["trigger_rate"]["count"] for one in months) == found["openings_with_card"]
    weeks = found["by_week"]
    assert sum(one["critical"] + one["warning"] + one["info"] for one in weeks) == found["openings_with_card"]


def test_classes_of_encounters_are_shown_in_words(report: tuple[dict[str, Any], Path]) -> None:
    found, out = report
    assert {row["name"] for row in found["by"]["encounter_class"]} == {"AMB", "EMER"}
    text = read((out / "report.html").read_text(encoding="utf-8")).text
    assert "ambulatory (AMB)" in text
    assert "emergency (EMER)" in text


@pytest.mark.parametrize(
    ("system", "shown"),
    [
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "short stay (SS)"),
        ("http://hl7.org/fhir/v3/ActCode", "short stay (SS)"),
        ("urn:oid:1.2.3", "SS (urn:oid:1.2.3)"),
    ],
)
def test_a_code_of_another_system_has_no_words_of_hl7(system: str, shown: str) -> None:
    assert in_words(class_of({"class": {"system": system, "code": "SS"}})) == shown
    assert in_words(class_of({"class": {"system": system, "code": "ours"}})).startswith("ours")
    assert class_of({"class": "SS"}) == class_of({"class": {"code": 1}}) == ""


def test_each_plot_says_what_it_shows(report: tuple[dict[str, Any], Path]) -> None:
    html = (report[1] / "report.html").read_text(encoding="utf-8")
    tags = read(html)
    plots = [one for name, one in zip(tags.names, tags.attributes, strict=True) if name == "svg"]
    assert len(plots) >= 6
    ids = [one["id"] for one in tags.attributes if "id" in one]
    assert len(ids) == len(set(ids))
    for plot in plots:
        assert plot["role"] == "img"
        assert set((plot["aria-labelledby"] or "").split()) <= set(ids)
    assert "script" not in tags.names
    assert not re.search(r"(src|href)=", html)
    assert not re.search(r"https?://(?!posterior-knee-cds\.example)", html)


WIDTH, LETTER, DIGIT = 880, 6.8, 7.7
"""Of a plot, and of a letter and a digit in the widest font seen (DejaVu Sans)."""


def test_numbers_are_written_alike_in_plots_and_tables(report: tuple[dict[str, Any], Path]) -> None:
    page_read = (report[1] / "report.html").read_text(encoding="utf-8").partition("</style>")[2]
    drawn = re.findall(r"<(?:svg|table).*?</(?:svg|table)>", page_read, re.DOTALL)
    assert any(re.search(r"\d %", one) for one in drawn)
    assert not any(re.search(r"\d%", one) for one in drawn)
    assert re.search(r"one opening took \d+\.\d ms \(median\), \d+\.\d ms \(99th percentile\)", page_read)


@pytest.mark.parametrize("label", ["Suspected DVT (RF01)", "no current complaint of the knee " * 4])
def test_labels_and_numbers_of_a_bar_plot_fit(label: str) -> None:
    svg = bars("Cards", [Bar(label, 180.2, "180.20 (169.79 to 191.10)", low=169.79, high=191.1)])
    texts = re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    (end, shown), (start, numbers) = ((float(x), text) for x, text in texts)
    assert end - LETTER * len(shown) > 0
    assert shown == label or shown.endswith("…")
    assert start + DIGIT * len(numbers) < WIDTH
    assert label in svg  # whole, in the description


def test_the_last_week_of_a_plot_is_not_cut() -> None:
    weeks = [f"2025-{number:02}-01" for number in range(1, 74)]
    svg = columns("Weeks", [Column(week, (("critical", 1),)) for week in weeks], "openings")
    shown = [float(x) for x, text in re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([^<]*)</text>', svg) if text in weeks]
    assert len(shown) > 5
    assert max(shown) + DIGIT * 10 / 2 < WIDTH


def test_texts_of_charts_are_escaped(report: tuple[dict[str, Any], Path]) -> None:
    found = dict(report[0])
    found["by"] = {**found["by"], "site": [{**found["by"]["site"][0], "name": "<b>Ward & Co</b>"}]}
    html = page(found)
    assert "&lt;b&gt;Ward &amp; Co&lt;/b&gt;" in html


def test_a_report_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all.ndjson").write_text('{"resourceType": "Patient", "id": "p"}\n', encoding="utf-8")
    found = replayed(tmp_path / "in", tmp_path / "out")
    assert (found["patients"], found["openings"], found["patients_without_opening"]) == (1, 0, 1)
    assert found["trigger_rate"]["value"] is None
    assert "No card at all" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("module", "engine"), [("duckdb", "duckdb"), ("pyspark", "spark")])
def test_what_is_not_installed_is_said(tmp_path: Path, module: str, engine: str) -> None:
    export(tmp_path / "in", 1)
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from cds_service.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "replay", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    ended = subprocess.run(
        [*command, "--engine", engine],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{module} is not installed: pip install" in ended.stderr


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KNEE_CDS_HASH_KEY", KEY)
    export(tmp_path / "in", 20)
    command = ["replay", str(tmp_path / "in"), "--every", "90d", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert "20 patients" in capsys.readouterr().out
    assert main(command) == 2
    assert "finished replay" in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "in"), "--out", str(tmp_path / "new"), "--against", "0123456789ab"]) == 2
    assert "A version does not hold the content itself" in capsys.readouterr().err.replace("\n", " ")
    with (tmp_path / "in" / "Patient.000.ndjson").open("a", encoding="utf-8") as stream:
        stream.write("broken\n")
    again = ["replay", str(tmp_path / "in"), "--at", NOW.isoformat(), "--out", str(tmp_path / "again")]
    assert main(again) == 1
    assert "1 row(s) belong to no chart" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["replay", "in", "--out", "out", "--every", "soon"])

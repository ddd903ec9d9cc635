"""The feedback report as a file in a browser."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from cds_service.adapters.store.reports import Line, Report, Week
from cds_service.cli.feedback_page import page as drawn
from tests.browser.conftest import Look


def test_report(page: Page, look: Look, tmp_path: Path) -> None:
    first = date(2026, 1, 5)
    weeks = tuple(Week(first + timedelta(days=7 * place), 20 + place, 4 + place, 3) for place in range(10))
    lines = (
        Line("RF01", "critical", "c2aada4a264b", 245, 3, 85, {"patient-refuses": 20, "no reason given": 10}),
        Line("gone_rule", "info", "c2aada4a264b", 40, 0, 2, {}),
        Line("silent_rule", "info", "c2aada4a264b", 0, 7, 0, {}),
    )
    report = Report(lines, 2, {"RF01": weeks, "gone_rule": weeks[:3]})
    out = tmp_path / "report.html"
    out.write_text(drawn(report, {"RF01": "Possible deep vein thrombosis"}), encoding="utf-8")
    page.goto(out.as_uri())
    expect(page.get_by_text("up: 32 % accepted")).to_be_visible()
    page.get_by_text("10 weeks in numbers").click()
    look(page, "feedback-report")

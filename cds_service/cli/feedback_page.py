"""The feedback report as one self-contained HTML page, in the style of the other pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cds_service.adapters.store.reports import Line, Report, Week
from cds_service.web.pages.layout import Pages

_SPAN = 4
"""A trend compares this many weeks with the same number before them."""
_ENOUGH = 10
"""Fewest cards on each side of a trend; with fewer, a single answer would change it."""
_BAR, _WEEK, _HEIGHT = 370, 12, 40


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table with its bar. ``pieces``: kind, start, width and count of each segment."""

    rule: str
    title: str
    line: Line
    overridden: int
    pieces: tuple[tuple[str, float, float, int], ...]

    @property
    def rate(self) -> str:
        """The share of the cards shown that were accepted."""
        return rate_words(self.line.accepted, self.line.shown)


@dataclass(frozen=True, slots=True)
class Trend:
    """The weeks of a rule. ``bars``: x, height of the cards shown and height of the cards accepted."""

    rule: str
    title: str
    weeks: tuple[Week, ...]
    bars: tuple[tuple[int, float, float], ...]
    width: int
    words: str


def page(found: Report, titles: Mapping[str, str]) -> str:
    """Return the page. ``titles``: rule or cause -> title; a rule that no longer exists is shown by its key."""
    pages = Pages()
    return pages.text(
        "feedback_report.html",
        rows=tuple(_rows(found.lines, titles)),
        trends=tuple(_trend(rule, titles.get(rule, rule), weeks) for rule, weeks in found.weeks.items()),
        unknown_cards=found.unknown_cards,
        assessments=found.assessments,
        titles=titles,
        rate=rate_words,
        bar_width=_BAR,
        height=_HEIGHT,
        # Our own files, included so that the page is a single file.
        style=Markup(pages.files["base.css"].body.decode() + pages.files["report.css"].body.decode()),  # noqa: S704  # nosec B704
    )


def rate_words(accepted: int, shown: int) -> str:
    """Return a share such as ``25 %``; a dash if no card was shown."""
    return f"{round(100 * accepted / shown)} %" if shown else "-"


def _rows(lines: Sequence[Line], titles: Mapping[str, str]) -> Iterator[Row]:
    max_shown = max((line.shown for line in lines), default=0) or 1
    for line in lines:
        overridden = sum(line.overridden.values())
        counts = {"accepted": line.accepted, "overridden": overridden, "unanswered": max(0, line.unanswered)}
        pieces, start = [], 0.0
        for kind, count in counts.items():
            width = round(count / max_shown * _BAR, 1)
            if count:
                pieces.append((kind, round(start, 1), width, count))
            start += width
        yield Row(line.rule, titles.get(line.rule, line.rule), line, overridden, tuple(pieces))


def _trend(rule: str, title: str, weeks: tuple[Week, ...]) -> Trend:
    max_shown = max(week.shown for week in weeks) or 1
    bars = tuple(
        (place * _WEEK, round(week.shown / max_shown * _HEIGHT, 1), round(week.accepted / max_shown * _HEIGHT, 1))
        for place, week in enumerate(weeks)
    )
    return Trend(rule, title, weeks, bars, len(weeks) * _WEEK, _trend_words(weeks))


def _trend_words(weeks: Sequence[Week]) -> str:
    late, early = weeks[-_SPAN:], weeks[-2 * _SPAN : -_SPAN]
    sums = [(sum(week.accepted for week in part), sum(week.shown for week in part)) for part in (early, late)]
    if any(shown < _ENOUGH for _, shown in sums):
        return f"too few cards for a trend: at least {_ENOUGH} in the last {_SPAN} weeks and in the {_SPAN} before"
    before, now = (accepted / shown for accepted, shown in sums)
    direction = "level" if round(100 * before) == round(100 * now) else "up" if now > before else "down"
    earlier, later = (rate_words(*part) for part in sums)
    return f"{direction}: {earlier} accepted in the {_SPAN} weeks before, {later} in the last {_SPAN}"

"""The feedback report as one page that needs nothing else, in the style of the other pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cds_service.adapters.store.reports import Line, Report, Week
from cds_service.web.pages.layout import Pages

_SPAN = 4
"""Weeks that a trend compares with as many before."""
_ENOUGH = 10
"""Fewest cards on each side of a trend: of less, one answer would make it."""
_BAR, _WEEK, _HEIGHT = 370, 12, 40


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, and its bar: ``pieces`` are kind, start, width and count."""

    rule: str
    title: str
    line: Line
    overridden: int
    pieces: tuple[tuple[str, float, float, int], ...]

    @property
    def rate(self) -> str:
        """How many of the cards shown were accepted."""
        return rate_words(self.line.accepted, self.line.shown)


@dataclass(frozen=True, slots=True)
class Trend:
    """The weeks of a rule: ``bars`` are place, height of the shown and height of the accepted, in the picture."""

    rule: str
    title: str
    weeks: tuple[Week, ...]
    bars: tuple[tuple[int, float, float], ...]
    width: int
    words: str


def page(found: Report, titles: Mapping[str, str]) -> str:
    """The whole page. ``titles``: of rules and causes; a rule that is gone keeps its key."""
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
        # Our own file, and the only way to send the page as one file.
        style=Markup(pages.files["house.css"].body.decode() + pages.files["report.css"].body.decode()),  # noqa: S704  # nosec B704
    )


def rate_words(accepted: int, shown: int) -> str:
    """``25 %``; a dash where nothing was shown."""
    return f"{round(100 * accepted / shown)} %" if shown else "-"


def _rows(lines: Sequence[Line], titles: Mapping[str, str]) -> Iterator[Row]:
    most = max((line.shown for line in lines), default=0) or 1
    for line in lines:
        overridden = sum(line.overridden.values())
        counts = {"accepted": line.accepted, "overridden": overridden, "unanswered": max(0, line.unanswered)}
        pieces, start = [], 0.0
        for kind, count in counts.items():
            width = round(count / most * _BAR, 1)
            if count:
                pieces.append((kind, round(start, 1), width, count))
            start += width
        yield Row(line.rule, titles.get(line.rule, line.rule), line, overridden, tuple(pieces))


def _trend(rule: str, title: str, weeks: tuple[Week, ...]) -> Trend:
    most = max(week.shown for week in weeks) or 1
    bars = tuple(
        (place * _WEEK, round(week.shown / most * _HEIGHT, 1), round(week.accepted / most * _HEIGHT, 1))
        for place, week in enumerate(weeks)
    )
    return Trend(rule, title, weeks, bars, len(weeks) * _WEEK, _trend_words(weeks))


def _trend_words(weeks: Sequence[Week]) -> str:
    late, early = weeks[-_SPAN:], weeks[-2 * _SPAN : -_SPAN]
    sums = [(sum(one.accepted for one in part), sum(one.shown for one in part)) for part in (early, late)]
    if any(shown < _ENOUGH for _, shown in sums):
        return f"too few cards to tell: a trend needs {_ENOUGH} in the last {_SPAN} weeks and in the {_SPAN} before"
    before, now = (accepted / shown for accepted, shown in sums)
    way = "level" if round(100 * before) == round(100 * now) else "up" if now > before else "down"
    earlier, later = (rate_words(*part) for part in sums)
    return f"{way}: {earlier} accepted in the {_SPAN} weeks before, {later} in the last {_SPAN}"

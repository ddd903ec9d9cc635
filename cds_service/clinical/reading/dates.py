"""FHIR dates as ``When``: partial dates mean their latest day, so that imprecision never makes a sign too old."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from typing import Any

from cds_service.clinical.record import When

DAYS_OF_A_YEAR = 365.25


class FutureDate(ValueError):  # noqa: N818 - reads as what was found
    """A date that lies after today: an error of the record."""


def to_when(value: Any, today: date) -> When | None:
    """A FHIR date, dateTime, instant or partial date.

    Raises:
        FutureDate: more than one day after ``today`` (one day is left for time zones).
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        first = last = value.date()
        text = first.isoformat()
    elif isinstance(value, date):
        first = last = value
        text = value.isoformat()
    else:
        text = str(value)[:10]  # a whole one is the day of a leap second, which is no ``datetime``
        first, last = _span(text)
    if first > today + timedelta(days=1):
        raise FutureDate(text)
    return When(min(last, today), text, min(first, today))


def is_past(value: Any, today: date) -> bool:
    """Whether a FHIR date lies before or on ``today``; a date to come is no error here."""
    try:
        return to_when(value, today) is not None
    except FutureDate:
        return False


def still_going(start: When | None, today: date) -> When | None:
    """A period without an end: it may reach to today, and began when it says."""
    return When(today, start.text, start.earliest) if start else None


def _span(text: str) -> tuple[date, date]:
    """First and last day of ``2026``, ``2026-03`` or a whole date."""
    if len(text) == len("2026-03-16"):
        return date.fromisoformat(text), date.fromisoformat(text)
    year, _, month = text.partition("-")
    if not month:
        return date(int(year), 1, 1), date(int(year), 12, 31)
    last = calendar.monthrange(int(year), int(month))[1]
    return date(int(year), int(month), 1), date(int(year), int(month), last)


def years_after(birth: When, years: float, today: date) -> When:
    """The day on which somebody born on ``birth`` had lived ``years``, an approximate date not after ``today``."""
    day = min(birth.day + timedelta(days=years * DAYS_OF_A_YEAR), today)
    return When(day, f"{day.year}", day - timedelta(days=366))

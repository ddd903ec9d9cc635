"""FHIR dates as ``When``: partial dates mean their latest day, so that imprecision never makes a sign too old."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from typing import Any

from cds_service.clinical.record import When


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
        day, text = value.date(), value.date().isoformat()
    elif isinstance(value, date):
        day, text = value, value.isoformat()
    else:
        day, text = _latest_day(str(value), today), str(value)
    if day > today + timedelta(days=1):
        raise FutureDate(text)
    return When(min(day, today), text)


def _latest_day(text: str, today: date) -> date:
    year, _, month = text.partition("-")
    first = date(int(year), int(month or 1), 1)
    if first > today:
        return first
    if not month:
        return min(date(int(year), 12, 31), today)
    return min(date(int(year), int(month), calendar.monthrange(int(year), int(month))[1]), today)


def years_after(birth: When, years: float) -> When:
    """The day on which somebody born on ``birth`` had lived ``years``, as an approximate date."""
    day = birth.day + timedelta(days=years * 365.25)
    return When(day, f"{day.year}")

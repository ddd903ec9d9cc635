"""Read FHIR dates as ``When``. A partial date means its latest day, so that it never makes a sign too old."""

from __future__ import annotations

import calendar
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cds_service.clinical.record import When

DAYS_OF_A_YEAR = 365.25
_MAX_COURSE_DAYS = 366
"""The longest supply of a medicine in days; more is an error in the record."""
_WHOLE_DAY = len("2026-03-16")
_LEAP_SECOND = re.compile(r"(T\d{2}:\d{2}):60")


class FutureDate(ValueError):
    """A date in the future, which is an error in the record."""


def to_when(value: Any, now: datetime) -> When | None:
    """Return a FHIR date, dateTime, instant or partial date as a day in the time zone of ``now``.

    Raises:
        FutureDate: it is more than one day after today. One day is allowed for time zones; the date is then ``ahead``.
    """
    if value is None:
        return None
    moment = _moment(value, now)
    if moment is not None:
        first = last = moment.date()
        text = first.isoformat()
    elif isinstance(value, date):
        first = last = value
        text = value.isoformat()
    else:
        text = str(value)[:_WHOLE_DAY]
        first, last = _span(text)
    today = now.date()
    if last <= today and (moment is None or last < today or not comes_after(moment, now)):
        return When(last, text, first, moment, ahead=False)
    if first > today + timedelta(days=1):
        raise FutureDate(text)
    ahead = comes_after(moment, now) if moment is not None else first > today
    return When(min(last, today), text, min(first, today), moment, ahead)


def comes_after(moment: datetime, than: datetime) -> bool:
    """Whether ``moment`` comes after ``than``; both with a time zone.

    Compared in UTC: of two moments in one zone Python compares what the clocks show, which is twice the same hour when
    summer time ends.
    """
    return moment.astimezone(UTC) > than.astimezone(UTC)


def is_settled(when: When, today: date) -> bool:
    """Whether ``to_when`` returns this date at every later moment too: it is over, and no part of it is cut off."""
    return when.day < today or (not when.ahead and len(when.text) == _WHOLE_DAY)


def _moment(value: Any, now: datetime) -> datetime | None:
    """Return the moment in the zone of ``now`` (also assumed if no zone is given); None without a time of day."""
    if isinstance(value, str) and len(value) > _WHOLE_DAY:
        # ``datetime`` has no leap seconds, so the second before is used.
        try:
            value = datetime.fromisoformat(_LEAP_SECOND.sub(r"\g<1>:59", value) if ":60" in value else value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    zoned = value if value.tzinfo is not None else value.replace(tzinfo=now.tzinfo or UTC)
    try:
        return zoned.astimezone(now.tzinfo or UTC)
    except OverflowError:
        return zoned  # the first or the last day of the calendar


def is_past(value: Any, now: datetime) -> bool:
    """Whether a FHIR date is certainly not after ``now``. For a partial date the last day counts."""
    try:
        when = to_when(value, now)
    except FutureDate:
        return False
    if when is None or when.ahead:
        return False
    return _span(when.text)[1] <= now.date()


def day_of(value: Any) -> date | None:
    """Return the latest day that a FHIR date or dateTime can mean, past or future; None if there is none."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    try:
        return _span(str(value)[:_WHOLE_DAY])[1]
    except ValueError:
        return None


def still_going(start: When | None, now: datetime) -> When | None:
    """Return a period without an end: it began at ``start`` and may last until now."""
    return When(now.date(), start.text, start.earliest, None, start.ahead) if start else None


def _span(text: str) -> tuple[date, date]:
    """Return the first and last day of ``2026``, ``2026-03`` or a full date."""
    if len(text) == _WHOLE_DAY:
        return date.fromisoformat(text), date.fromisoformat(text)
    year, _, month = text.partition("-")
    if not month:
        return date(int(year), 1, 1), date(int(year), 12, 31)
    last = calendar.monthrange(int(year), int(month))[1]
    return date(int(year), int(month), 1), date(int(year), int(month), last)


def lasting(when: When | None, days: float, today: date) -> When | None:
    """Return the span that began at ``when`` and lasts ``days``, but not beyond today."""
    if when is None or not 0 < days <= _MAX_COURSE_DAYS:
        return when
    return replace(when, day=max(when.day, min(when.day + timedelta(days=days), today)), at=None)


def years_after(birth: When, years: float, today: date) -> When:
    """Return when a person born on ``birth`` was ``years`` old: up to the next birthday and not after ``today``."""
    first = birth.earliest + timedelta(days=years * DAYS_OF_A_YEAR)
    last = birth.day + timedelta(days=(years + 1) * DAYS_OF_A_YEAR)
    return When(min(last, today), f"{first.year}", min(first, today))

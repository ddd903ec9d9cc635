"""FHIR dates as days of the reader, and whether they lie in the future."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.reading.dates import FutureDate, comes_after, to_when

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)
AN_HOUR_TWICE = datetime(2025, 11, 2, 6, 10, tzinfo=UTC).astimezone(NEW_YORK)
"""Ten past one in standard time; an hour before it was ten past one too, in summer time."""


def test_an_earlier_moment_of_the_hour_that_comes_twice_is_not_in_the_future() -> None:
    assert (AN_HOUR_TWICE.hour, AN_HOUR_TWICE.fold) == (1, 1)
    before = to_when("2025-11-02T05:50:00Z", AN_HOUR_TWICE)  # ten to two in summer time, 20 minutes ago
    after = to_when("2025-11-02T06:20:00Z", AN_HOUR_TWICE)
    assert before is not None
    assert after is not None
    assert (before.ahead, after.ahead) == (False, True)


@given(st.datetimes(datetime(2025, 11, 1), datetime(2025, 11, 3)), st.integers(1, 3 * 3600))
def test_later_is_later_whatever_the_clocks_show(moment: datetime, seconds: int) -> None:
    earlier = moment.replace(tzinfo=UTC)
    later = earlier + timedelta(seconds=seconds)
    assert comes_after(later.astimezone(NEW_YORK), earlier.astimezone(NEW_YORK))
    assert not comes_after(earlier.astimezone(NEW_YORK), later.astimezone(NEW_YORK))
    assert not comes_after(earlier.astimezone(NEW_YORK), earlier)


@pytest.mark.parametrize(
    ("written", "day", "text", "first"),
    [
        ("2026-03-16", date(2026, 3, 16), "2026-03-16", date(2026, 3, 16)),
        ("2026-03-15T23:30:00-05:00", date(2026, 3, 16), "2026-03-16", date(2026, 3, 16)),
        ("2026-02", date(2026, 2, 28), "2026-02", date(2026, 2, 1)),
        ("2026", date(2026, 3, 16), "2026", date(2026, 1, 1)),
        ("2026-03-16T10:59:60Z", date(2026, 3, 16), "2026-03-16", date(2026, 3, 16)),
    ],
)
def test_a_day_and_the_latest_day_of_a_partial_date(written: str, day: date, text: str, first: date) -> None:
    when = to_when(written, NOON)
    assert when is not None
    assert (when.day, when.text, when.earliest) == (day, text, first)


def test_one_day_ahead_is_a_matter_of_time_zones_and_two_are_an_error() -> None:
    tomorrow = to_when("2026-03-17", NOON)
    assert tomorrow is not None
    assert tomorrow.ahead
    assert tomorrow.day == NOON.date()
    with pytest.raises(FutureDate):
        to_when("2026-03-18", NOON)

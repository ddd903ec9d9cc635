"""Day and time as they are at the site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from cds_service.base.clock import in_zone, moment_words, on_site, site_clock
from cds_service.base.settings import Settings

MOMENT = datetime(2026, 11, 28, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("UTC", "28 Nov 09:12 UTC"),
        ("Europe/Berlin", "28 Nov 10:12 CET"),
        ("Europe/London", "28 Nov 09:12 GMT"),
        ("America/New_York", "28 Nov 04:12 EST"),
        ("Pacific/Pago_Pago", "27 Nov 22:12 SST"),
        ("America/Sao_Paulo", "28 Nov 06:12 UTC-03"),
        ("Pacific/Kiritimati", "28 Nov 23:12 UTC+14"),
        ("Asia/Kathmandu", "28 Nov 14:57 UTC+05:45"),
        ("America/Argentina/Buenos_Aires", "28 Nov 06:12 UTC-03"),
        ("Australia/Lord_Howe", "28 Nov 20:12 UTC+11"),
    ],
)
def test_words_for_a_moment(zone: str, words: str) -> None:
    assert moment_words(MOMENT.astimezone(ZoneInfo(zone))) == words


@pytest.mark.parametrize(
    ("offset", "words"), [(0, "UTC"), (-11 * 60, "UTC-11:00"), (5 * 60 + 30, "UTC+05:30"), (-210, "UTC-03:30")]
)
def test_words_for_a_bare_offset(offset: int, words: str) -> None:
    assert moment_words(MOMENT.astimezone(timezone(timedelta(minutes=offset)))).endswith(f" {words}")


def test_summer_time_has_its_own_words_and_its_own_hour() -> None:
    summer = datetime(2026, 7, 1, 23, 30, tzinfo=UTC).astimezone(ZoneInfo("Europe/London"))
    assert moment_words(summer) == "2 Jul 00:30 BST"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("Europe/Lodnon", "Europe/London"), ("europe/paris", "Europe/Paris"), ("America/NewYork", "America/New_York"),
        ("utc", "UTC"), ("", ""), ("America", ""), ("../../etc/passwd", ""), ("right/UTC", ""), ("UTC+1", ""),
        ("/usr/share/zoneinfo/UTC", ""),
    ],
)  # fmt: skip
def test_an_unknown_zone_is_refused_with_a_hint(wrong: str, hint: str) -> None:
    with pytest.raises(ValidationError, match="is not a time zone of the IANA database, such as ") as caught:
        Settings(time_zone=wrong)
    assert hint in str(caught.value)


def test_the_zone_of_the_settings() -> None:
    assert Settings().zone == ZoneInfo("UTC")
    assert Settings(time_zone="Pacific/Auckland").zone == ZoneInfo("Pacific/Auckland")


def test_clocks_give_the_day_of_the_site() -> None:
    zone = ZoneInfo("Pacific/Kiritimati")
    assert in_zone(lambda: MOMENT.replace(hour=11), zone)().date().isoformat() == "2026-11-29"
    now = site_clock(zone)()
    assert now.tzinfo is zone
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_moment_without_a_zone_is_of_the_site() -> None:
    zone = ZoneInfo("Pacific/Pago_Pago")
    assert on_site(datetime(2026, 3, 16), zone) == datetime(2026, 3, 16, 11, tzinfo=UTC)
    assert on_site(datetime(2026, 3, 16, 3, tzinfo=UTC), zone).date().isoformat() == "2026-03-15"

"""The site's clock. Dates and times on a card are in the time zone of the site, not in UTC."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, tzinfo
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

Clock = Callable[[], datetime]
"""Returns the current time, with its zone."""


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone with this IANA name.

    Raises:
        ValueError: there is no such zone. The message suggests a name.
    """
    if name != "UTC" and name not in _zones():
        alike = get_close_matches(name.lower(), (zone.lower() for zone in _zones()), 1, 0.5)
        hint = next((zone for zone in sorted(_zones()) if [zone.lower()] == alike), "Europe/London")
        raise ValueError(f"is not a time zone of the IANA database, such as {hint}")
    return ZoneInfo(name)


def machine_zone() -> ZoneInfo:
    """Return the time zone that the environment variable ``TZ`` names, or UTC if it names none."""
    name = os.environ.get("TZ", "").removeprefix(":")
    return ZoneInfo(name) if name in _zones() else ZoneInfo("UTC")


def site_clock(zone: tzinfo) -> Clock:
    """Return a clock for the current time in ``zone``."""
    return lambda: datetime.now(zone)


def in_zone(clock: Clock, zone: tzinfo) -> Clock:
    """Return ``clock`` with its times converted to ``zone``."""
    return lambda: clock().astimezone(zone)


def on_site(moment: datetime, zone: tzinfo) -> datetime:
    """Return ``moment`` in ``zone``. A ``moment`` without a zone is taken to be in ``zone`` already."""
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def moment_words(moment: datetime) -> str:
    """Return a date and time as text: ``28 Nov 10:12 CET``."""
    return f"{moment.day} {moment:%b %H:%M} {zone_words(moment)}"


def zone_words(moment: datetime) -> str:
    """Return the name of the zone: ``CET``, or ``UTC-11`` or ``UTC+05:45`` if the zone has only a number."""
    name = moment.tzname() or "UTC"
    if name[:1] not in ("+", "-"):
        return name
    hours, minutes = name[:3], name[3:].strip(":")
    return f"UTC{hours}" + (f":{minutes}" if minutes.strip("0") else "")

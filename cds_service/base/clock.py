"""The site's clock. The day and the time on a card are those of the clinician who reads it, not those of UTC."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, tzinfo
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

Clock = Callable[[], datetime]
"""Gives the present moment, with its zone."""


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_named(name: str) -> ZoneInfo:
    """The time zone with this IANA name.

    Raises:
        ValueError: there is none; the message holds a hint.
    """
    if name != "UTC" and name not in _zones():
        alike = get_close_matches(name.lower(), (one.lower() for one in _zones()), 1, 0.5)
        hint = next((one for one in sorted(_zones()) if [one.lower()] == alike), "Europe/London")
        raise ValueError(f"is no time zone of the IANA database, such as {hint}")
    return ZoneInfo(name)


def machine_zone() -> ZoneInfo:
    """The time zone that the environment variable ``TZ`` names, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    return ZoneInfo(name) if name in _zones() else ZoneInfo("UTC")


def site_clock(zone: tzinfo) -> Clock:
    """The clock on the wall in ``zone``."""
    return lambda: datetime.now(zone)


def in_zone(clock: Clock, zone: tzinfo) -> Clock:
    """``clock``, read in ``zone``."""
    return lambda: clock().astimezone(zone)


def on_site(moment: datetime, zone: tzinfo) -> datetime:
    """``moment`` in ``zone``; one that states no zone is meant to be there already."""
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def moment_words(moment: datetime) -> str:
    """``28 Nov 10:12 CET``."""
    return f"{moment.day} {moment:%b %H:%M} {zone_words(moment)}"


def zone_words(moment: datetime) -> str:
    """``CET``; ``UTC-11`` or ``UTC+05:45`` for a zone that has a number for a name."""
    name = moment.tzname() or "UTC"
    if name[:1] not in ("+", "-"):
        return name
    hours, minutes = name[:3], name[3:].strip(":")
    return f"UTC{hours}" + (f":{minutes}" if minutes.strip("0") else "")

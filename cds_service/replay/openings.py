"""The moments at which a chart would have been opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cds_service.clinical.reading.statuses import NEVER_HAPPENED
from cds_service.replay.chart import StagedEntry, moment
from cds_service.replay.options import Options

_NOT_OPENED = NEVER_HAPPENED | {"planned"}


@dataclass(frozen=True, slots=True)
class Opening:
    """One moment. ``key``: names it within the chart. The rest is of the encounter, as far as there is one."""

    at: datetime
    key: str
    encounter: str | None = None
    kind: str = ""
    site: str = ""
    practitioner: str = ""


def openings_of(entries: Sequence[StagedEntry], options: Options, now: datetime) -> list[Opening]:
    """The openings of one chart, in their order. ``now``: none is later; in whose time zone dates without one are."""
    if options.at is not None:
        return [Opening(options.at, options.at.isoformat())]
    found = _every(entries, options.every) if options.every is not None else _encounters(entries, options, now)
    since = options.since
    return sorted(
        (one for one in found if one.at <= now and (since is None or one.at >= since)),
        key=lambda one: (one.at, one.key),
    )


def _every(entries: Sequence[StagedEntry], days: int) -> Iterator[Opening]:
    known = [entry.known for entry in entries if entry.known is not None]
    if not known:
        return
    at, last = min(known), max(known)
    while at <= last:
        yield Opening(at, at.isoformat())
        at += timedelta(days=days)


def _encounters(entries: Sequence[StagedEntry], options: Options, now: datetime) -> Iterator[Opening]:
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        if entry.kind != "Encounter" or not isinstance(entry.resource, dict):
            continue
        resource = entry.resource
        period = resource.get("period")
        edge = "end" if options.each == "encounter-end" else "start"
        text = (period.get(edge) or period.get("start")) if isinstance(period, dict) else None
        at = moment(text, now.tzinfo)
        if edge == "end" and at is not None and isinstance(text, str) and "T" not in text:
            at += timedelta(days=1, microseconds=-1)  # the end of a day is its last moment
        key = entry.identity or f"entry {number}"
        if at is None or resource.get("status") in _NOT_OPENED or key in seen:
            continue
        seen.add(key)
        yield Opening(at, key, entry.identity, _kind(resource), _site(resource), _practitioner(resource))


def _kind(encounter: dict[str, Any]) -> str:
    found = encounter.get("class")
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) else ""


def _site(encounter: dict[str, Any]) -> str:
    found = encounter.get("serviceProvider")
    if not isinstance(found, dict):
        return ""
    name = found.get("display") or found.get("reference")
    return name if isinstance(name, str) else ""


def _practitioner(encounter: dict[str, Any]) -> str:
    taking_part = encounter.get("participant")
    for one in taking_part if isinstance(taking_part, list) else ():
        who = one.get("individual") if isinstance(one, dict) else None
        name = who.get("reference") if isinstance(who, dict) else None
        if isinstance(name, str):
            return name
    return ""

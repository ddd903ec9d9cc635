"""Find the moments at which a chart would have been opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.reading.statuses import NEVER_HAPPENED, word_of
from cds_service.replay.chart import StagedEntry
from cds_service.replay.dates import moment
from cds_service.replay.encounter_classes import class_of
from cds_service.replay.options import Options

_NOT_OPENED = NEVER_HAPPENED | {"planned"}


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening. ``key``: identifies it within the chart. The other fields are from its encounter, if it has one."""

    at: datetime
    key: str
    encounter: str | None = None
    kind: str = ""
    site: str = ""
    practitioner: str = ""


def encounter_name(entry: ChartEntry) -> str:
    """Return the id of an Encounter, or else its UUID in the Bundle (``fullUrl``); empty if it has none."""
    return entry.identity or (entry.full_url or "").removeprefix("urn:uuid:")


def openings_of(entries: Sequence[StagedEntry], options: Options, now: datetime) -> list[Opening]:
    """Return the openings of one chart up to ``now``, in order. Dates without a time zone have the zone of ``now``."""
    if options.at is not None:
        return [Opening(options.at, options.at.isoformat())]
    openings = _every(entries, options.every) if options.every is not None else _encounters(entries, options, now)
    since = options.since
    return sorted(
        (opening for opening in openings if opening.at <= now and (since is None or opening.at >= since)),
        key=lambda opening: (opening.at, opening.key),
    )


def _every(entries: Sequence[StagedEntry], days: int) -> Iterator[Opening]:
    known = [moment for entry in entries for moment in (entry.known, entry.known_until) if moment is not None]
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
            at += timedelta(days=1, microseconds=-1)  # a day ends with its last microsecond
        key = encounter_name(entry) or f"entry {number}"
        if at is None or word_of(resource, "status") in _NOT_OPENED or key in seen:
            continue
        seen.add(key)
        yield Opening(at, key, entry.identity, class_of(resource), _site(resource), _practitioner(resource))


def _site(encounter: dict[str, Any]) -> str:
    provider = encounter.get("serviceProvider")
    if not isinstance(provider, dict):
        return ""
    name = provider.get("display") or provider.get("reference")
    return name if isinstance(name, str) else ""


def _practitioner(encounter: dict[str, Any]) -> str:
    participants = encounter.get("participant")
    for participant in participants if isinstance(participants, list) else ():
        individual = participant.get("individual") if isinstance(participant, dict) else None
        name = individual.get("reference") if isinstance(individual, dict) else None
        if isinstance(name, str):
            return name
    return ""

"""A chart as it was known at a moment: without what was written down later, and with what had not ended yet.

A date without a time counts from the start of its day, so that what was written during a visit is there when the
chart is opened that day. What says no date at all is there always: leaving it out would hide more than it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cds_service.clinical.reading import ChartEntry
from cds_service.replay.chart import StagedEntry, moment

_GOING_ON = {"Encounter": "in-progress", "MedicationStatement": "active", "Procedure": "in-progress"}
"""The status before the end, where FHIR has one word for it."""
_OVER = frozenset({"finished", "completed", "stopped"})
_ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
_PERIODS = ("period", "effectivePeriod", "performedPeriod")


def known_at(entries: Sequence[StagedEntry], now: datetime) -> Iterator[ChartEntry]:
    """The entries that were there at ``now``, as they were then."""
    for entry in entries:
        if entry.known is not None and entry.known > now:
            continue
        if any(end > now for end in entry.ended):
            yield ChartEntry(_before_its_end(entry.resource, now), entry.full_url)
        else:
            yield entry


def _before_its_end(resource: Any, now: datetime) -> Any:
    """The resource without an end that was still to come."""
    if not isinstance(resource, dict):
        return resource
    found = dict(resource)
    if _is_later(found.get("abatementDateTime"), now):
        del found["abatementDateTime"]
        found["clinicalStatus"] = _ACTIVE
    if _is_later(found.get("deceasedDateTime"), now):
        del found["deceasedDateTime"]
    for name in _PERIODS:
        period = found.get(name)
        if isinstance(period, dict) and _is_later(period.get("end"), now):
            found[name] = {key: value for key, value in period.items() if key != "end"}
            if found.get("status") in _OVER and found.get("resourceType") in _GOING_ON:
                found["status"] = _GOING_ON[found["resourceType"]]
    return found


def _is_later(text: Any, now: datetime) -> bool:
    at = moment(text, now.tzinfo)
    return at is not None and at > now

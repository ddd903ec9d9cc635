"""Reconstruct a chart as it was known at a moment: without later entries, and with the problems not yet ended.

A date without a time counts from the start of its day, so that entries written during a visit are part of the chart
opened that day. Entries without any date are always included, because leaving them out would hide more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.reading.dates import comes_after
from cds_service.clinical.reading.statuses import word_of
from cds_service.replay.chart import StagedEntry, StagedNumbers
from cds_service.replay.dates import moment

_GOING_ON = {"Encounter": "in-progress", "MedicationStatement": "active", "Procedure": "in-progress"}
"""Resource type -> status before the end, for types with only one such status."""
_OVER = frozenset({"finished", "completed", "stopped"})
_ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
_PERIODS = ("period", "effectivePeriod", "performedPeriod")


def known_at(entries: Sequence[StagedEntry], now: datetime) -> Iterator[ChartEntry]:
    """Yield the entries that existed at ``now``, in the state that they had then."""
    for entry in entries:
        if entry.known is not None and comes_after(entry.known, now):
            continue
        if entry.ended and any(comes_after(end, now) for end in entry.ended):
            earlier = ChartEntry(_before_its_end(entry.resource, now), entry.full_url)
            if entry.kind == "Encounter":
                earlier.named = entry.named  # an end has no words
            yield earlier
        elif isinstance(entry, StagedNumbers):
            yield entry.recorded_by(now)
        else:
            yield entry


def _before_its_end(resource: Any, now: datetime) -> Any:
    """Return the resource without an end that lies after ``now``."""
    if not isinstance(resource, dict):
        return resource
    earlier = dict(resource)
    if _lies_after(earlier.get("abatementDateTime"), now):
        del earlier["abatementDateTime"]
        earlier["clinicalStatus"] = _ACTIVE
    if _lies_after(earlier.get("deceasedDateTime"), now):
        del earlier["deceasedDateTime"]
    for name in _PERIODS:
        period = earlier.get(name)
        if isinstance(period, dict) and _lies_after(period.get("end"), now):
            earlier[name] = {key: value for key, value in period.items() if key != "end"}
            if word_of(earlier, "status") in _OVER and (kind := word_of(earlier, "resourceType")) in _GOING_ON:
                earlier["status"] = _GOING_ON[kind]
    return earlier


def _lies_after(text: Any, now: datetime) -> bool:
    at = moment(text, now.tzinfo)
    return at is not None and comes_after(at, now)

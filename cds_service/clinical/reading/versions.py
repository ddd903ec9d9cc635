"""Choose among versions of one resource: the latest counts, and so do versions without a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cds_service.clinical.reading.entries import ChartEntry


def which_count(versions: Sequence[ChartEntry]) -> tuple[list[tuple[ChartEntry, int]], int]:
    """Return the versions that count, each with its number of copies, and how many versions are older.

    The latest version counts, and so does each version without a time.
    """
    if len(versions) == 1:
        return [(versions[0], 1)], 0
    distinct: dict[str, ChartEntry] = {}
    copies: Counter[str] = Counter()
    for entry in versions:
        text = repr(entry.resource)
        distinct.setdefault(text, entry)
        copies[text] += 1
    if len(distinct) == 1:
        ((text, entry),) = distinct.items()
        return [(entry, copies[text])], 0
    times = {text: updated_at(entry.resource) for text, entry in distinct.items()}
    latest = max((time for time in times.values() if time is not None), default=None)
    dated = sorted(text for text, time in times.items() if time is not None and time == latest)
    undated = sorted(text for text, time in times.items() if time is None)
    counting = [(distinct[text], copies[text]) for text in (*dated, *undated)]
    return counting, copies.total() - sum(count for _, count in counting)


def is_later(resource: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, theirs = updated_at(resource), updated_at(other)
    return mine is not None and theirs is not None and mine > theirs


def updated_at(raw: Mapping[str, Any]) -> datetime | None:
    """Return when the server last changed this resource; None if it does not state that in FHIR's form."""
    meta = raw.get("meta")
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    if not isinstance(text, str):
        return None
    try:
        updated = datetime.fromisoformat(text)
    except ValueError:
        return None
    return updated if updated.tzinfo is not None else updated.replace(tzinfo=UTC)

"""Finds the Medications that the chart refers to but does not contain, and that this server can be asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from cds_service.base.urls import Address
from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.reading.medications import is_not_taken
from cds_service.clinical.reading.resource_types import TAKEN
from cds_service.clinical.reading.whose import place_of_server
from cds_service.protocol.prefetch import Prefetched

MAX_MEDICINES = 40
"""Limit for Medications that are read in one call. The others stay unknown and are reported as such."""
_MEDICATIONS = "medications"
_KIND = "Medication"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def missing_medicines(entries: Sequence[ChartEntry], base: Address) -> tuple[str, ...]:
    """Return the ids of Medications on the server at ``base`` that ``entries`` refer to but do not hold, each once."""
    contained = {name for entry in entries if entry.kind == _KIND for name in _names(entry)}
    wanted = dict.fromkeys(
        identity
        for entry in entries
        if entry.kind in TAKEN and entry.head is not None and entry.head.medicationReference is not None
        for reference, identity in _readable(entry, base)
        if reference not in contained and f"{_KIND}/{identity}" not in contained
    )
    return tuple(wanted)


def medicine_in(answer: Any, identity: str, base: Address) -> ChartEntry | None:
    """Return the Medication with this id from a response; None if the response is something else."""
    entry = ChartEntry(answer, f"{base}/{_KIND}/{identity}")
    return entry if entry.kind == _KIND and entry.identity == identity else None


def with_medicines(prefetched: Prefetched, medicines: Iterable[ChartEntry]) -> Prefetched:
    """Return ``prefetched`` with the Medications added to the medicines. The states of the parts do not change."""
    entries = tuple(medicines)
    if not entries:
        return prefetched
    parts = [part for part in prefetched.parts if part.key == _MEDICATIONS]
    return prefetched.with_parts([replace(part, entries=(*part.entries, *entries)) for part in parts])


def _names(entry: ChartEntry) -> tuple[str, ...]:
    return tuple(name for name in (f"{_KIND}/{entry.identity}", entry.full_url) if name)


def _readable(entry: ChartEntry, base: Address) -> list[tuple[str, str]]:
    """Return (reference, id) of the Medication if it is on this server and the medicine may be taken; else empty."""
    raw = entry.resource
    pointer = raw.get("medicationReference")
    reference = pointer.get("reference") if isinstance(pointer, dict) else None
    if not isinstance(reference, str) or is_not_taken(raw):
        return []
    plain = reference.split("/_history/")[0]
    holder, _, identity = plain.rpartition("/")
    server, _, kind = holder.rpartition("/")
    if kind != _KIND or not _ID.fullmatch(identity) or not _is_at(server, base):
        return []
    return [(reference, identity)]


def _is_at(server: str, base: Address) -> bool:
    """Return whether the server in a reference is the one at ``base``. A relative reference (empty) is too."""
    return not server or place_of_server(server) == place_of_server(str(base))

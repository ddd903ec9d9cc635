"""What documents and rows of types that are not read name anywhere in them.

A document may mention rows that are in the chart themselves; what they say is read there, and not taken from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.recognition import Recognised
from cds_service.clinical.content.names import SUSPICION
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.memory import Memory
from cds_service.clinical.reading.passed_rows import PassedRows
from cds_service.clinical.reading.whose import Owners, local_name


def suspicion_in(content: Content, owners: Owners, entry: ChartEntry, present: frozenset[str]) -> tuple[str, ...]:
    """Return the suspicion of DVT that a document names without the rows that are ``present`` (``names_of``)."""
    memory = (entry.memory or Memory()).of(content)
    if memory.mentions is None:
        memory.mentions = frozenset(_references(entry.resource))
    here = frozenset(
        mentioned
        for mentioned in memory.mentions
        if mentioned in present or (owners.is_here(mentioned) and local_name(mentioned) in present)
    )
    if memory.suspicion is None or memory.suspicion[0] != here:
        named = content.recogniser.recognise(_without_those(entry.resource, here)).keys
        memory.suspicion = here, tuple(key for key in named if key in SUSPICION)
    return memory.suspicion[1]


def recognised_in(content: Content, entry: ChartEntry) -> Recognised:
    """Return what is named anywhere in a row."""
    memory = (entry.memory or Memory()).of(content)
    if memory.recognised is None:
        memory.recognised = content.recogniser.recognise(entry.resource)
    return memory.recognised


def subject_of(raw: Mapping[str, Any]) -> Any:
    """Return the patient reference of a resource, from the element that its type uses for it."""
    for name in ("subject", "patient", "for"):
        if name in raw:
            return raw[name]
    participants = raw.get("participant")
    actors = (
        [participant.get("actor") for participant in participants if isinstance(participant, Mapping)]
        if isinstance(participants, list)
        else []
    )
    people = [actor for actor in actors if isinstance(actor, Mapping) and "Patient/" in str(actor.get("reference"))]
    return people[0] if len(people) == 1 else None


def names_of(entries: Iterable[ChartEntry]) -> frozenset[str]:
    """Return the names that references use for the rows of the chart: ``Type/id`` and ``fullUrl``."""
    names: set[str] = set()
    for entry in entries:
        if isinstance(entry, PassedRows):
            names.update(entry.names())
        else:
            names.update(name for name in (f"{entry.kind}/{entry.identity}", entry.full_url) if name)
    return frozenset(names)


def _references(node: Any) -> Iterator[str]:
    """Yield every reference in ``node``."""
    left = [node]
    while left:
        node = left.pop()
        if isinstance(node, Mapping):
            reference = node.get("reference")
            if isinstance(reference, str):
                yield reference
            left += node.values()
        elif isinstance(node, list):
            left += node


def _without_those(node: Any, references: frozenset[str]) -> Any:
    """Return ``node`` without what has one of the ``references``, including its words."""
    if isinstance(node, Mapping):
        reference = node.get("reference")
        if isinstance(reference, str) and reference in references:
            return None
        return {key: _without_those(inner, references) for key, inner in node.items()}
    return [_without_those(inner, references) for inner in node] if isinstance(node, list) else node

"""The codes, units and systems that charts hold, and which of them look like ours and are not mapped.

What the words of a code name is a proposal, never a mapping.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.base.errors import TooLarge, UnusableInput
from cds_service.base.strict_json import JsonLimits, parse
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import Code

LIMITS = JsonLimits(depth=64, entries=1_000_000)
"""A file on one's own machine may hold more than a call."""
_WORD = re.compile(r"[a-z]+")
_MAX_KEPT = 50_000
"""Different codes that are counted; charts repeat the same few thousand."""
_CATEGORY = 3
"""Characters of an ICD category: codes of one category are about one thing."""
BY_CATEGORY = "its ICD category"
_NOT_THE_PLACE = frozenset({"structure", "structures", "of", "entire", "left", "right", "region"})
_CONCEPTS = ("code", "valueCodeableConcept", "medicationCodeableConcept", "bodySite", "reasonCode", "conclusionCode")
_INSIDE = ("component", "contained")


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A code that may be one of ours. ``keys``: what it may mean; none if only its place is ours. ``by``: how seen."""

    system: str
    code: str
    display: str
    keys: tuple[str, ...]
    by: str


@dataclass(slots=True)
class Survey:
    """What the charts hold. Memory grows with different codes, never with rows."""

    content: Content
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmapped: dict[tuple[str, str], Unmapped] = field(default_factory=dict)
    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    systems: Counter[str] = field(default_factory=Counter)
    resources: int = 0
    unusable: int = 0
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def take(self, document: bytes) -> None:
        """One Bundle or resource."""
        try:
            value = parse(document, LIMITS)
        except (TooLarge, UnusableInput):
            self.unusable += 1
            return
        found = list(_resources(value))
        self.unusable += not found
        for resource in found:
            self.look_at(resource)

    def look_at(self, resource: Mapping[str, Any], times: int = 1) -> None:
        """One resource that came so many times with these codes and units."""
        self.resources += times
        for concept in _concepts(resource):
            text = concept.get("text")
            for coding in _dicts(concept.get("coding")):
                self._count(coding, text if isinstance(text, str) else "", times)
        for part in (resource, *_dicts(resource.get("component"))):
            self._look_at_unit(part, times)

    def merge(self, other: Survey) -> None:
        """Add what another survey, of other charts, has counted."""
        self.resources += other.resources
        self.unusable += other.unusable
        for name, count in other.counts.items():
            _add(self.counts, name, count)
        for unit, count in other.units.items():
            _add(self.units, unit, count)
        for system, count in other.systems.items():
            _add(self.systems, system, count)
        for name, found in other.unmapped.items():
            self._keep(name, found)

    def as_json(self) -> dict[str, Any]:
        """For ``from_json``."""
        return {
            "resources": self.resources,
            "unusable": self.unusable,
            "counts": [[*name, count] for name, count in self.counts.items()],
            "units": [[*name, count] for name, count in self.units.items()],
            "systems": dict(self.systems),
            "unmapped": [[one.system, one.code, one.display, one.keys, one.by] for one in self.unmapped.values()],
        }

    @classmethod
    def from_json(cls, content: Content, value: Mapping[str, Any]) -> Survey:
        """What ``as_json`` gave."""
        found = cls(content, resources=value["resources"], unusable=value["unusable"])
        found.counts.update({(system, code): count for system, code, count in value["counts"]})
        found.units.update({(key, unit): count for key, unit, count in value["units"]})
        found.systems.update(value["systems"])
        for system, code, display, keys, by in value["unmapped"]:
            found.unmapped[system, code] = Unmapped(system, code, display, tuple(keys), by)
        return found

    def _keep(self, name: tuple[str, str], found: Unmapped) -> None:
        """Of several displays of a code the one that names most counts; of equals, the first in order."""
        known = self.unmapped.get(name)
        if known is None or (-len(found.keys), found.display) < (-len(known.keys), known.display):
            self.unmapped[name] = found

    def _count(self, coding: Mapping[str, Any], text: str, times: int) -> None:
        system, code, display = coding.get("system"), coding.get("code"), coding.get("display")
        if not isinstance(system, str) or not isinstance(code, str) or not system or not code:
            return
        if not self.content.knows_system(system):
            _add(self.systems, system, times)
        words = display if isinstance(display, str) and display else text
        name = (system, code, words)
        if name not in self._seen and len(self._seen) < _MAX_KEPT:
            self._seen.add(name)
            found = self._unmapped(system, code, words)
            if found is not None:
                self._keep((system, code), found)
        _add(self.counts, (system, code), times)

    def _unmapped(self, system: str, code: str, words: str) -> Unmapped | None:
        content = self.content
        if content.uses(system, code):
            return None
        named = content.recogniser.recognise({"text": words})
        if named.keys:
            return Unmapped(system, code, words, named.keys, "its words")
        if keys := _keys_near(content, system, code):
            return Unmapped(system, code, words, keys, BY_CATEGORY)
        if not content.knows_system(system):
            uses = content.uses_anywhere(code)
            keys = tuple(sorted({use.key for use in uses if use.is_of_concern and use.kind != "order"}))
            if keys:
                return Unmapped(system, code, words, keys, "the same code in a system of ours")
        return Unmapped(system, code, words, (), "its place") if _names_place(content, words) else None

    def _look_at_unit(self, part: Mapping[str, Any], times: int) -> None:
        """A unit that a measure of ours does not take."""
        quantity = part.get("valueQuantity")
        concept = part.get("code")
        if not isinstance(quantity, dict) or not isinstance(concept, dict):
            return
        unit = quantity.get("code") or quantity.get("unit")
        for coding in _dicts(concept.get("coding")):
            for use in self.content.uses(str(coding.get("system")), str(coding.get("code"))):
                measure = self.content.measures.get(use.key) if use.kind == "measure" else None
                if measure is not None and unit not in {one.ucum for one in measure.units}:
                    _add(self.units, (use.key, str(unit)), times)


def _add(counted: Counter[Any], one: Any, times: int) -> None:
    if one in counted or len(counted) < _MAX_KEPT:
        counted[one] += times


def _keys_near(content: Content, system: str, code: str) -> tuple[str, ...]:
    """What other codes of the same ICD category mean."""
    wanted = content.systems.code(system, code)
    kind = content.systems.of(system)
    if kind is None or not kind.is_tree:
        return ()
    near = {use.key for stem, use in content.coded() if _is_near(stem, wanted) and use.is_of_concern}
    return tuple(sorted(near - set(content.orders)))


def _is_near(stem: Code, wanted: Code) -> bool:
    return stem.system == wanted.system and stem.code[:_CATEGORY] == wanted.code[:_CATEGORY]


def _names_place(content: Content, words: str) -> bool:
    """Whether the words name a place on the leg."""
    said = set(_WORD.findall(words.lower()))
    named = (name for site in content.sites.values() for name in (site.name, *(one.display for one in site.codes)))
    places = (set(_WORD.findall(name.partition("(")[0].lower())) - _NOT_THE_PLACE for name in named)
    return any(place and place <= said for place in places)


def _resources(value: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, dict):
        return
    if value.get("resourceType") == "Bundle":
        for row in _dicts(value.get("entry")):
            yield from _resources(row.get("resource"))
    elif isinstance(value.get("resourceType"), str):
        yield value


def _concepts(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in _CONCEPTS:
        yield from _dicts(node.get(name))
    for name in _INSIDE:
        for inside in _dicts(node.get(name)):
            yield from _concepts(inside)


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return (one for one in listed if isinstance(one, dict))

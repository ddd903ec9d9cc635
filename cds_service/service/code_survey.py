"""Counts the codes, units and code systems in charts, and finds unmapped codes that may match ours.

A match by words is only a proposal, never a mapping.
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
"""Limits for a local file, which may hold more than a call."""
_WORD = re.compile(r"[a-z]+")
_MAX_KEPT = 50_000
"""Limit for different codes that are counted. Charts repeat the same few thousand codes."""
_CATEGORY = 3
"""Length of an ICD category, in characters. Codes of one category have related meanings."""
BY_CATEGORY = "its ICD category"
_NOT_THE_PLACE = frozenset({"structure", "structures", "of", "entire", "left", "right", "region"})
_CONCEPTS = ("code", "valueCodeableConcept", "medicationCodeableConcept", "bodySite", "reasonCode", "conclusionCode")
_INSIDE = ("component", "contained")


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An unmapped code that may match one of ours.

    Attributes:
        keys: findings and causes that it may mean; empty if it only names a place on the leg.
        by: how it was found, in words.
    """

    system: str
    code: str
    display: str
    keys: tuple[str, ...]
    by: str


@dataclass(slots=True)
class Survey:
    """The counts of a survey. Its memory grows with the number of different codes, not with the number of rows."""

    content: Content
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmapped: dict[tuple[str, str], Unmapped] = field(default_factory=dict)
    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    systems: Counter[str] = field(default_factory=Counter)
    resources: int = 0
    unusable: int = 0
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def take(self, document: bytes) -> None:
        """Count the codes of one Bundle or resource, given as JSON."""
        try:
            value = parse(document, LIMITS)
        except (TooLarge, UnusableInput):
            self.unusable += 1
            return
        resources = list(_resources(value))
        self.unusable += not resources
        for resource in resources:
            self.look_at(resource)

    def look_at(self, resource: Mapping[str, Any], times: int = 1) -> None:
        """Count the codes and units of one resource. ``times``: how often such a resource occurs."""
        self.resources += times
        for concept in _concepts(resource):
            text = concept.get("text")
            for coding in _dicts(concept.get("coding")):
                self._count(coding, text if isinstance(text, str) else "", times)
        for part in (resource, *_dicts(resource.get("component"))):
            self._look_at_unit(part, times)

    def merge(self, other: Survey) -> None:
        """Add the counts of another survey."""
        self.resources += other.resources
        self.unusable += other.unusable
        for name, count in other.counts.items():
            _add(self.counts, name, count)
        for unit, count in other.units.items():
            _add(self.units, unit, count)
        for system, count in other.systems.items():
            _add(self.systems, system, count)
        for name, unmapped in other.unmapped.items():
            self._keep(name, unmapped)

    def as_json(self) -> dict[str, Any]:
        """Return the survey as JSON, for ``from_json``."""
        return {
            "resources": self.resources,
            "unusable": self.unusable,
            "counts": [[*name, count] for name, count in self.counts.items()],
            "units": [[*name, count] for name, count in self.units.items()],
            "systems": dict(self.systems),
            "unmapped": [[code.system, code.code, code.display, code.keys, code.by] for code in self.unmapped.values()],
        }

    @classmethod
    def from_json(cls, content: Content, value: Mapping[str, Any]) -> Survey:
        """Read the result of ``as_json``."""
        survey = cls(content, resources=value["resources"], unusable=value["unusable"])
        survey.counts.update({(system, code): count for system, code, count in value["counts"]})
        survey.units.update({(key, unit): count for key, unit, count in value["units"]})
        survey.systems.update(value["systems"])
        for system, code, display, keys, by in value["unmapped"]:
            survey.unmapped[system, code] = Unmapped(system, code, display, tuple(keys), by)
        return survey

    def _keep(self, name: tuple[str, str], unmapped: Unmapped) -> None:
        """Keep one display of a code: the one that names most findings, or else the first in alphabetical order."""
        known = self.unmapped.get(name)
        if known is None or (-len(unmapped.keys), unmapped.display) < (-len(known.keys), known.display):
            self.unmapped[name] = unmapped

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
            unmapped = self._unmapped(system, code, words)
            if unmapped is not None:
                self._keep((system, code), unmapped)
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
        """Count a unit that our measure for this code does not support."""
        quantity = part.get("valueQuantity")
        concept = part.get("code")
        if not isinstance(quantity, dict) or not isinstance(concept, dict):
            return
        unit = quantity.get("code") or quantity.get("unit")
        for coding in _dicts(concept.get("coding")):
            for use in self.content.uses(str(coding.get("system")), str(coding.get("code"))):
                measure = self.content.measures.get(use.key) if use.kind == "measure" else None
                if measure is not None and str(unit) not in {known.ucum for known in measure.units}:
                    _add(self.units, (use.key, str(unit)), times)


def _add(counts: Counter[Any], item: Any, times: int) -> None:
    """Count an item, unless it is new and there are too many different items already."""
    if item in counts or len(counts) < _MAX_KEPT:
        counts[item] += times


def _keys_near(content: Content, system: str, code: str) -> tuple[str, ...]:
    """Return the meanings of other codes in the same ICD category."""
    wanted = content.systems.code(system, code)
    kind = content.systems.of(system)
    if kind is None or not kind.is_tree:
        return ()
    near = {use.key for stem, use in content.coded() if _is_near(stem, wanted) and use.is_of_concern}
    return tuple(sorted(near - set(content.orders)))


def _is_near(stem: Code, wanted: Code) -> bool:
    return stem.system == wanted.system and stem.code[:_CATEGORY] == wanted.code[:_CATEGORY]


def _names_place(content: Content, words: str) -> bool:
    """Return whether the words name a place on the leg."""
    all_words = set(_WORD.findall(words.lower()))
    names = (name for site in content.sites.values() for name in (site.name, *(code.display for code in site.codes)))
    places = (set(_WORD.findall(name.partition("(")[0].lower())) - _NOT_THE_PLACE for name in names)
    return any(place and place <= all_words for place in places)


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
    return (item for item in listed if isinstance(item, dict))

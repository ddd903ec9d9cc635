"""``knee-cds codes``: the codes, units and systems of a site's charts that look like ours and are not mapped.

What the words of a code name is a proposal, never a mapping: each entry is written out as a comment, and counts only
after a person has read it and taken the ``#`` away.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cds_service.cli.inputs import LIMITS, documents
from cds_service.clinical.codes import Code
from cds_service.clinical.content import Content
from cds_service.ground.errors import TooLarge, UnusableInput
from cds_service.ground.strict_json import parse

_WORD = re.compile(r"[a-z]+")
_MOST_KEPT = 50_000
"""Different codes that are counted; charts repeat the same few thousand."""
_CATEGORY = 3
"""Characters of an ICD category: codes of one category are about one thing."""
_BY_CATEGORY = "its ICD category"
_NOT_THE_PLACE = frozenset({"structure", "structures", "of", "entire", "left", "right", "region"})
_CONCEPTS = ("code", "valueCodeableConcept", "medicationCodeableConcept", "bodySite", "reasonCode", "conclusionCode")
_INSIDE = ("component", "contained")
_SUFFIXES = (".json", ".ndjson", ".jsonl")


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
            self.resources += 1
            self._look_at(resource)

    def _look_at(self, resource: Mapping[str, Any]) -> None:
        for concept in _concepts(resource):
            text = concept.get("text")
            for coding in _dicts(concept.get("coding")):
                self._count(coding, text if isinstance(text, str) else "")
        for part in (resource, *_dicts(resource.get("component"))):
            self._look_at_unit(part)

    def _count(self, coding: Mapping[str, Any], text: str) -> None:
        system, code, display = coding.get("system"), coding.get("code"), coding.get("display")
        if not isinstance(system, str) or not isinstance(code, str) or not system or not code:
            return
        if not self.content.knows_system(system):
            _add(self.systems, system)
        words = display if isinstance(display, str) and display else text
        name = (system, code, words)
        if name not in self._seen and len(self._seen) < _MOST_KEPT:
            self._seen.add(name)
            found = self._unmapped(system, code, words)
            known = self.unmapped.get((system, code))
            if found is not None and (known is None or len(found.keys) > len(known.keys)):
                self.unmapped[system, code] = found
        _add(self.counts, (system, code))

    def _unmapped(self, system: str, code: str, words: str) -> Unmapped | None:
        content = self.content
        if content.uses(system, code):
            return None
        named = content.recogniser.recognise({"text": words})
        if named.keys:
            return Unmapped(system, code, words, named.keys, "its words")
        if keys := _keys_near(content, system, code):
            return Unmapped(system, code, words, keys, _BY_CATEGORY)
        if not content.knows_system(system):
            uses = content.uses_anywhere(code)
            keys = tuple(sorted({use.key for use in uses if use.is_of_concern and use.kind != "order"}))
            if keys:
                return Unmapped(system, code, words, keys, "the same code in a system of ours")
        return Unmapped(system, code, words, (), "its place") if _names_place(content, words) else None

    def _look_at_unit(self, part: Mapping[str, Any]) -> None:
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
                    _add(self.units, (use.key, str(unit)))


def survey(content: Content, paths: Iterable[Path]) -> Survey:
    """All charts of some files and folders (``.json``, ``.ndjson``), read one document after the other."""
    found = Survey(content)
    for file in _files(paths):
        with file.open("rb") as stream:
            for document in documents(stream):
                found.take(document)
    return found


def write(found: Survey, out: IO[str]) -> None:
    """The survey as a local codes file with every entry still a comment, most frequent first."""
    out.write(
        f"# {found.resources} resources. Codes that look like ours and are not mapped, most frequent first.\n"
        "# Nothing counts yet: words are a hint, not a proof. Read each entry, correct `finding`, add `side` where\n"
        "# the code itself names the leg, and take the # away; `same_as` takes the place of `finding`. Then:\n"
        "# KNEE_CDS_LOCAL_CODES=this-file knee-cds check\n"
    )
    for name in _most(found.counts):
        if (one := found.unmapped.get(name)) is None:
            continue
        count = found.counts[name]
        out.write(f"\n# {count} x {_plain(one.display) or 'without words'} (by {one.by})\n")
        out.writelines(_entry(found.content, one))
    _table(out, "Units that a measure does not take", (f"{key}: {unit}" for key, unit in _most(found.units)))
    _table(out, "Systems that are not known", (f"{found.systems[one]} x {one}" for one in _most(found.systems)))


def _entry(content: Content, one: Unmapped) -> Iterator[str]:
    findings = [key for key in one.keys if key in content.findings]
    others = [key for key in one.keys if key not in content.findings]
    if others:
        yield f"# May mean {', '.join(others)}: no finding, so name the standard code that it stands for.\n"
    yield f"# [[code]]\n# system = {_quoted(one.system)}\n# code = {_quoted(one.code)}\n"
    if others:
        yield '# same_as = { system = "http://snomed.info/sct", code = "" }\n'
    if findings or not others:
        proposed = "" if others or one.by == _BY_CATEGORY else _proposed(content, findings, one.display)
        more = "" if proposed or not findings else f"  # one of {', '.join(findings)}, if any"
        yield f'# finding = "{proposed}"{more}\n'


def _proposed(content: Content, findings: list[str], words: str) -> str:
    """The finding of just this name, or the only one; empty if a person has to choose."""
    said = words.strip().lower()
    named = [key for key in findings if content.findings[key].name.lower() == said or key == said.replace(" ", "_")]
    return next(iter(named or findings), "") if named or len(findings) == 1 else ""


def _table(out: IO[str], title: str, rows: Iterable[str]) -> None:
    listed = [f"#   {_plain(row)}\n" for row in rows]
    if listed:
        out.write(f"\n# {title}:\n")
        out.writelines(listed)


def _most(counted: Counter[Any]) -> Iterator[Any]:
    return (one for one, _ in counted.most_common())


def _add(counted: Counter[Any], one: Any) -> None:
    if one in counted or len(counted) < _MOST_KEPT:
        counted[one] += 1


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


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES)
        else:
            yield path


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


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=True)


def _plain(text: str) -> str:
    """On one line and without what could end a comment."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:200]).split())

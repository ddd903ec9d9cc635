"""Find what a resource that is not understood may be about: known codes in any form, and known names in words.

A match is a hint, never a proof. It is shown to the clinician and keeps a suspicion open, but it is not a fact.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.coding.medicine_names import MedicineNames
from cds_service.clinical.content.coding.vocabulary import BOTH, LEFT, RIGHT, words_of
from cds_service.clinical.content.coding.word_net import WordNet
from cds_service.clinical.record import Side

_MAX_TEXTS = 2_000
_DEEPEST = 30
_IN_BRACKETS = re.compile(r"\([^)]*\)")
_ACRONYM = re.compile(r"\(([A-Z]{2,5})\)")
"""An acronym in brackets after a name: "Deep vein thrombosis (DVT)"."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,40}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?")
"""A date with a time of day. Its T and Z are no words."""
_SHORTEST_WORD = 4
_NOT_ABOUT_IT = frozenset(
    {"resourceType", "id", "fullUrl", "identifier", "reference", "url", "meta", "subject", "patient", "performer",
     "encounter", "version", "status", "category"}
)  # fmt: skip
"""Elements whose texts say nothing about what was found."""


class CodeLookup(Protocol):
    """The content look-ups that the recogniser needs."""

    def uses_named(self, system: str, code: str) -> tuple[CodeUse, ...]:
        """Return what a code names, even if it is not understood as a whole."""

    def uses_anywhere(self, code: str) -> tuple[CodeUse, ...]:
        """Return what a code means in any system."""

    def identifies(self, system: str, code: str) -> bool:
        """Whether an unused code shows that the resource is about something else."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The findings, causes and measures that are named, and whether a place on the leg is named.

    ``medicines``: those of ``keys`` that only the name of a medicine suggests.
    """

    keys: tuple[str, ...] = ()
    at_our_place: bool = False
    medicines: frozenset[str] = frozenset()


class Recogniser:
    """One per content. ``net``: finds the meanings of words; ``medicines``: the names of medicines."""

    def __init__(self, lookup: CodeLookup, net: WordNet, medicines: MedicineNames) -> None:
        self._lookup = lookup
        self._net = net
        self._medicines = medicines

    def recognise(self, resource: Any) -> Recognised:
        """Return what any code or text of ``resource``, of any shape, may be about."""
        keys: set[str] = set()
        at_our_place = False
        for use in self._uses(resource):
            if use.is_of_concern and use.kind != "order":
                keys.add(use.key)
            at_our_place = at_our_place or (use.kind == "site" and bool(use.key))
        kind = resource.get("resourceType") if isinstance(resource, Mapping) else None
        in_medicine = isinstance(kind, str) and kind.startswith("Medication")
        medicines: set[str] = set()
        for text in _texts(resource):
            keys |= self._net.keys_in(text)
            medicines |= self._medicines.findings_in(text, in_medicine=in_medicine)
        return Recognised(tuple(sorted(keys | medicines)), at_our_place, frozenset(medicines - keys))

    def side_of(self, resource: Any) -> Side:
        """Return the leg that the words of ``resource`` name; UNKNOWN if none."""
        sides = frozenset[str]().union(*(self._net.sides_in(text) for text in _texts(resource)))
        if BOTH in sides or {LEFT, RIGHT} <= sides:
            return Side.BOTH
        return Side.LEFT if LEFT in sides else Side.RIGHT if RIGHT in sides else Side.UNKNOWN

    def _uses(self, resource: Any) -> Iterator[CodeUse]:
        for system, code in _codes(resource):
            named = self._lookup.uses_named(system, code) if system is not None else ()
            yield from named
            if not named and not (system is not None and self._lookup.identifies(system, code)):
                yield from self._lookup.uses_anywhere(code)


def looked_at(node: Any) -> Hashable:
    """Return what ``recognise`` looks at. Resources in which it is equal are recognised alike."""
    if isinstance(node, Mapping):
        kept = ((key, inner) for key, inner in node.items() if key not in _NOT_ABOUT_IT)
        inside = ((key, inner if key == "code" and isinstance(inner, str) else looked_at(inner)) for key, inner in kept)
        return node.get("resourceType"), tuple(inside)
    if isinstance(node, list):
        return tuple(map(looked_at, node))
    return None if isinstance(node, str) and _MOMENT.fullmatch(node) else (type(node), node)


def names_in(key: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the names in ``text``, as words: with and without brackets, and acronyms in brackets.

    ``text`` is the name or a code display of ``key``.
    """
    for acronym in _ACRONYM.findall(text):
        yield key, [acronym.lower()]
    short = _IN_BRACKETS.sub(" ", text).strip()
    words = words_of(short)
    if len(words) > 1 or len(short) >= _SHORTEST_WORD or (words and short.isupper()):
        yield key, words
    if short != text.strip():
        yield key, words_of(text)


def _codes(node: Any, depth: int = 0) -> Iterator[tuple[str | None, str]]:
    """Yield (system, code) of everything that may be a code; the system is None if none is given."""
    if depth > _DEEPEST:
        return
    if isinstance(node, Mapping):
        code, system = node.get("code"), node.get("system")
        if isinstance(code, str) and isinstance(system, str):
            yield system, code
        for key, inner in node.items():
            if key in _NOT_ABOUT_IT or (key == "code" and isinstance(code, str) and isinstance(system, str)):
                continue
            yield from _codes(inner, depth + 1)
    elif isinstance(node, list):
        for inner in node:
            yield from _codes(inner, depth + 1)
    elif isinstance(node, str):
        for part in node[:200].split("|"):
            if _CODE.fullmatch(part.strip()):
                yield None, part.strip()
    elif isinstance(node, int) and not isinstance(node, bool) and node > 99_999:
        yield None, str(node)


def _texts(node: Any) -> Iterator[str]:
    """Yield every text of ``node`` that may be words, up to a limit."""
    left = [node]
    count = 0
    while left and count < _MAX_TEXTS:
        item = left.pop()
        count += 1
        if isinstance(item, Mapping):
            left += [inner for key, inner in item.items() if key not in _NOT_ABOUT_IT]
        elif isinstance(item, list):
            left += item
        elif isinstance(item, str) and any(map(str.isalpha, item)) and not _MOMENT.fullmatch(item):
            yield item

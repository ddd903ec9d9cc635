"""Reads a Bundle: its entries and whether it is complete. A Bundle that is not understood never counts as complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.bundle_rows import BUNDLE, NOT_FOUND, NOT_UNDERSTOOD, REPORTED, ReadRow, Rows, read_row
from cds_service.protocol.outcomes import OUTCOME, is_harmless

PAGE = "page"
SUBSET = "subset"
WRONG_TYPE = "wrong_type"
_SUBSETTED = "SUBSETTED"
_RESULTS = ("searchset", "collection")
"""Bundle types for which an empty Bundle means that there are no resources."""
_kind_of = attrgetter("kind")
_identity_of = attrgetter("identity")


@dataclass(frozen=True, slots=True)
class Matches:
    """The resources that a search itself found, each once.

    Attributes:
        named: resource type and id of those with an id.
        nameless: number of those without an id.
    """

    named: frozenset[tuple[str | None, str]] = frozenset()
    nameless: int = 0

    def __len__(self) -> int:
        return len(self.named) + self.nameless

    def __or__(self, other: Matches) -> Matches:
        return Matches(self.named | other.named, self.nameless + other.nameless)


@dataclass(frozen=True, slots=True)
class Searchset:
    """A Bundle that was read.

    Attributes:
        entries: all rows, including those without a resource.
        matches: the resources that the search itself found.
        kinds: the resource types of the matches; None for a row that is not a resource.
        next_page: as in ``Part``.
        total: number of all matches, if the sender gave it.
        failed: a code for why the rows cannot be used as the result; empty if they can.
        flaw: a code for why the result is incomplete; empty if it is complete.
        says_none: if the Bundle has no resources, whether this means that there are none.
    """

    entries: tuple[ChartEntry, ...]
    matches: Matches
    kinds: frozenset[str | None]
    next_page: str | None
    total: int | None
    failed: str
    flaw: str
    says_none: bool


def read_searchset(bundle: Mapping[str, Any]) -> Searchset:
    """Read ``bundle``. Its ``entry`` may be ``Rows``."""
    entries, unusual = _rows(bundle)
    matches, kinds = _matches(_found(entries, unusual))
    next_page, (total, is_odd) = _next_page(bundle), _total(bundle)
    objections = set(map(_objection, unusual))
    if is_odd:
        objections.add(NOT_UNDERSTOOD)
    flaws = {
        NOT_UNDERSTOOD: NOT_UNDERSTOOD in objections,
        SUBSET: _holds(bundle.get("meta"), _SUBSETTED),
        PAGE: next_page is not None or (total or 0) > len(matches),
    }
    return Searchset(
        entries=tuple(entries),
        matches=matches,
        kinds=kinds,
        next_page=next_page,
        total=total,
        failed=_failed(bundle) or (REPORTED if REPORTED in objections else ""),
        flaw=next((why for why, is_so in flaws.items() if is_so), ""),
        says_none=_says_none(bundle, total),
    )


def brings_resource(entry: ChartEntry) -> bool:
    """Return whether the entry holds a resource of the chart. An OperationOutcome is about the search only."""
    return entry.kind not in (None, OUTCOME)


def _rows(bundle: Mapping[str, Any]) -> tuple[Sequence[ChartEntry], Sequence[ReadRow]]:
    """Return the entry of each row, and the rows that may be other than plain matches of the search."""
    rows = bundle.get("entry")
    if isinstance(rows, Rows):
        return rows.read()
    rows = [] if rows is None else rows
    read = [read_row(row) for row in (rows if isinstance(rows, list) else [rows])]
    return [row.entry for row in read], read


def _found(entries: Sequence[ChartEntry], unusual: Sequence[ReadRow]) -> Sequence[ChartEntry]:
    """Return the entries that the search itself found: neither included ones nor outcomes."""
    others = {id(row.entry) for row in unusual if row.mode in NOT_FOUND or row.entry.kind == OUTCOME}
    return [entry for entry in entries if id(entry) not in others] if others else entries


def _matches(found: Sequence[ChartEntry]) -> tuple[Matches, frozenset[str | None]]:
    """Return the resources that the search itself found, and their types."""
    kinds, identities = list(map(_kind_of, found)), list(map(_identity_of, found))
    nameless = identities.count(None)
    named = frozenset(zip(kinds, identities, strict=True))
    if nameless:
        named = frozenset(name for name in named if name[1] is not None)
    return Matches(named, nameless), frozenset(kinds)


def _objection(row: ReadRow) -> str:
    """Return a code for why one row makes the result unusable or incomplete; empty if it does not."""
    kind = row.entry.kind
    if kind == OUTCOME and not is_harmless(row.entry.resource):
        return REPORTED
    return row.objection or (NOT_UNDERSTOOD if kind is None or kind == BUNDLE else "")


def _failed(bundle: Mapping[str, Any]) -> str:
    """Return a code for why the whole Bundle cannot be used; empty if it can."""
    if not isinstance(bundle.get("entry"), list | Rows | None):
        return WRONG_TYPE
    has_own_rules = any(bundle.get(name) is not None for name in ("implicitRules", "modifierExtension"))
    return NOT_UNDERSTOOD if has_own_rules else ""


def _says_none(bundle: Mapping[str, Any], total: int | None) -> bool:
    kind = bundle.get("type")
    return kind in _RESULTS if kind is not None else total == 0 or bundle.get("entry") is not None


def _total(bundle: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return the total, and whether the field holds an invalid value instead."""
    total = bundle.get("total")
    is_count = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return (total, False) if is_count else (None, total is not None)


def _next_page(bundle: Mapping[str, Any]) -> str | None:
    """Return the address of the next page; empty if there may be one at an unknown address, None if there is none."""
    links = bundle.get("link")
    if links is None:
        return None
    if not isinstance(links, list):
        return ""
    urls = [url for url in map(_next_url, links) if url is not None]
    return next((url for url in urls if url), "") if urls else None


def _next_url(link: Any) -> str | None:
    relation = link.get("relation") if isinstance(link, dict) else None
    if not isinstance(relation, str):
        return ""  # the purpose of this link is unknown
    if "next" not in relation.lower():
        return None
    url = link.get("url")
    return url if isinstance(url, str) else ""


def _holds(node: Any, text: str) -> bool:
    """Return whether ``text`` is a value anywhere in ``node``, in any letter case."""
    if isinstance(node, str):
        return node.strip().upper() == text
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return any(_holds(value, text) for value in inner)

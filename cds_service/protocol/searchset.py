"""What a Bundle brings, and what it says of its own completeness. What is not understood never counts as whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.bundle_rows import NOT_UNDERSTOOD, REPORTED, ReadRow, Rows, read_row
from cds_service.protocol.outcomes import OUTCOME, is_harmless

BUNDLE = "Bundle"
PAGE = "page"
SUBSET = "subset"
WRONG_TYPE = "wrong_type"
_SUBSETTED = "SUBSETTED"
_RESULTS = ("searchset", "collection")
"""Types of a Bundle that, without entries, says that there are none."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The resources that a search itself found, each once.

    ``named``: their kinds and ids. ``nameless``: how many have no id.
    """

    named: frozenset[tuple[str | None, str]] = frozenset()
    nameless: int = 0

    def __len__(self) -> int:
        return len(self.named) + self.nameless

    def __or__(self, other: Matches) -> Matches:
        return Matches(self.named | other.named, self.nameless + other.nameless)


@dataclass(frozen=True, slots=True)
class Searchset:
    """A Bundle.

    Attributes:
        entries: every row, also those that bring no resource.
        kinds: the resource types of the matches; None for what is no resource.
        next_page: as in ``Part``.
        total: how many matches there are in all, if the sender said so.
        failed: a code for why its rows cannot be taken for the result; empty if they can.
        flaw: a code for what keeps the result from being whole; empty if it is.
        says_none: should it hold no resources: whether that is what it says.
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
    """``bundle``, whose ``entry`` may be ``Rows``."""
    rows = _rows(bundle)
    matches, kinds = _matches(rows)
    next_page, (total, is_odd) = _next_page(bundle), _total(bundle)
    against = {*(_against(*row) for row in rows), *([NOT_UNDERSTOOD] if is_odd else [])}
    flaws = {
        NOT_UNDERSTOOD: NOT_UNDERSTOOD in against,
        SUBSET: _holds(bundle.get("meta"), _SUBSETTED),
        PAGE: next_page is not None or (total or 0) > len(matches),
    }
    return Searchset(
        entries=tuple(entry for entry, _, _ in rows),
        matches=matches,
        kinds=kinds,
        next_page=next_page,
        total=total,
        failed=_failed(bundle) or (REPORTED if REPORTED in against else ""),
        flaw=next((why for why, is_so in flaws.items() if is_so), ""),
        says_none=_says_none(bundle, total),
    )


def brings_resource(entry: ChartEntry) -> bool:
    """Whether there is a resource of the chart in it; an OperationOutcome is about the search."""
    return entry.kind not in (None, OUTCOME)


def _rows(bundle: Mapping[str, Any]) -> Sequence[ReadRow]:
    rows = bundle.get("entry")
    if isinstance(rows, Rows):
        return rows.read()
    rows = [] if rows is None else rows
    return [read_row(row) for row in (rows if isinstance(rows, list) else [rows])]


def _matches(rows: Sequence[ReadRow]) -> tuple[Matches, frozenset[str | None]]:
    """How many resources the search itself found, and their kinds. Included ones and outcomes are none of them."""
    named: set[tuple[str | None, str]] = set()
    kinds: set[str | None] = set()
    nameless = 0
    for entry, mode, _ in rows:
        head = entry.head
        kind, identity = (head.resourceType, head.id) if head is not None else (entry.kind, entry.identity)
        if mode == "include" or mode == "outcome" or kind == OUTCOME:
            continue
        if identity is None:
            nameless += 1
        else:
            named.add((kind, identity))
        kinds.add(kind)
    return Matches(frozenset(named), nameless), frozenset(kinds)


def _against(entry: ChartEntry, _: str | None, against: str) -> str:
    """What speaks against the result in one row."""
    head = entry.head
    kind = head.resourceType if head is not None else entry.kind
    if kind == OUTCOME and not is_harmless(entry.resource):
        return REPORTED
    return against or (NOT_UNDERSTOOD if kind is None or kind == BUNDLE else "")


def _failed(bundle: Mapping[str, Any]) -> str:
    """Why no row of it can be taken for what it looks like."""
    if not isinstance(bundle.get("entry"), list | Rows | None):
        return WRONG_TYPE
    has_own_rules = any(bundle.get(name) is not None for name in ("implicitRules", "modifierExtension"))
    return NOT_UNDERSTOOD if has_own_rules else ""


def _says_none(bundle: Mapping[str, Any], total: int | None) -> bool:
    kind = bundle.get("type")
    return kind in _RESULTS if kind is not None else total == 0 or bundle.get("entry") is not None


def _total(bundle: Mapping[str, Any]) -> tuple[int | None, bool]:
    """The total, and whether something else stands in its place."""
    total = bundle.get("total")
    is_count = isinstance(total, int) and not isinstance(total, bool) and total >= 0
    return (total, False) if is_count else (None, total is not None)


def _next_page(bundle: Mapping[str, Any]) -> str | None:
    """The address of the next page; empty if one may be announced without an address, None if there is none."""
    links = bundle.get("link")
    if links is None:
        return None
    if not isinstance(links, list):
        return ""
    found = [url for url in map(_next_url, links) if url is not None]
    return next((url for url in found if url), "") if found else None


def _next_url(link: Any) -> str | None:
    relation = link.get("relation") if isinstance(link, dict) else None
    if not isinstance(relation, str):
        return ""  # what it leads to is not known
    if "next" not in relation.lower():
        return None
    url = link.get("url")
    return url if isinstance(url, str) else ""


def _holds(node: Any, text: str) -> bool:
    """Whether ``text`` is a value anywhere in ``node``, in any letter case."""
    if isinstance(node, str):
        return node.strip().upper() == text
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return any(_holds(one, text) for one in inner)

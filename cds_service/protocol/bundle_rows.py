"""The rows of a Bundle in a request body. Their heads are typed; the rest stays bytes until it is needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from cds_service.base.strict_json import JsonLimits, parse
from cds_service.clinical.reading import ChartEntry, Glance, Head
from cds_service.protocol.outcomes import OUTCOME, is_harmless

BUNDLE = "Bundle"
NOT_FOUND = ("include", "outcome")
"""Modes of rows that the search did not itself find."""
NO_RESOURCES = (None, BUNDLE, OUTCOME)
"""Kinds of entries that are no resources of a chart."""
REPORTED = "operation_outcome"
NOT_UNDERSTOOD = "not_understood"
_SUCCESS = re.compile(r"2\d\d(\D.*)?", re.DOTALL)


class Search(Struct, gc=False):
    """Why the row is in the Bundle: a match, an included resource or an outcome."""

    mode: str | None = None


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row that was read: its entry, its search mode, and a code for why its resource cannot be used, if so."""

    entry: ChartEntry
    mode: str | None = None
    objection: str = ""


class _WithHead(Struct, gc=False):
    resource: Head


class Row(Struct, gc=False):
    """One row of a Bundle. ``glance``: the glance of its resource."""

    glance: Glance | UnsetType | None = field(default=UNSET, name="resource")
    full_url: str | None = field(default=None, name="fullUrl")
    search: Search | None = None
    response: Any = None
    modifier: Any = field(default=None, name="modifierExtension")


class UnparsedEntry(ChartEntry):
    """An entry of which only the head has been read, or the glance of a plain number. The rest is parsed when used.

    Reading ``resource`` can raise the errors of ``strict_json.parse``. They end the whole call.
    """

    __slots__ = ("_has_head", "_limits", "_raw")

    def __init__(self, seen: Glance | Head, full_url: str | None, raw: Raw, limits: JsonLimits) -> None:
        """``seen``: the head, or the glance of a plain number. ``raw``: the whole row."""
        if isinstance(seen, Glance):
            self.glance, self._head = seen, None
        else:
            self.glance, self._head = None, seen
        self.kind = seen.resourceType
        self.identity = seen.id
        self.full_url = full_url
        self.named = self.unconcerning = self._resource = None
        self._has_head = True
        self._raw = raw
        self._limits = limits

    @property
    def head(self) -> Head | None:
        """As for ``ChartEntry``, decoded once."""
        if self._head is None and self._has_head:
            self._head = _head(self._raw)
            self._has_head = self._head is not None
        return self._head

    @property
    def resource(self) -> Any:
        """The JSON of the resource, parsed once.

        Raises:
            TooCostly: the computing time is used up. It is checked here because every row of a chart is read here.
            TooLarge, UnusableInput: as for ``strict_json.parse``.
        """
        self._limits.check_time()
        if self._resource is None:
            self._resource = parse(bytes(self._raw), self._limits)["resource"]
        return self._resource


_all_rows = msgspec.json.Decoder(list[Row])
_one_row = msgspec.json.Decoder(Row)
_with_head = msgspec.json.Decoder(_WithHead)


class Rows:
    """The rows of one Bundle, in order. A row whose own elements or whose head are not FHIR's is parsed at once."""

    def __init__(
        self, raws: Sequence[Raw], rows: Sequence[Row | None], seen: Sequence[Glance | Head | None], limits: JsonLimits
    ) -> None:
        """``seen``: of each row, as in ``UnparsedEntry``; None if it has no head."""
        self._raws = raws
        self._rows = rows
        self._seen = seen
        self._limits = limits

    @classmethod
    def of(cls, array: memoryview, raws: Sequence[Raw], limits: JsonLimits) -> Rows | None:
        """Read the glances and heads of all rows. Return None if ``array`` does not have as many elements as ``raws``.

        ``array``: the JSON array whose elements are ``raws``.

        Raises:
            DecodeError: ``array`` is not a JSON array.
        """
        rows: list[Row | None] | list[Row]
        try:
            rows = _all_rows.decode(array)
        except msgspec.ValidationError:
            rows = [_row(raw) for raw in raws]
        if len(rows) != len(raws):
            return None
        seen = [_seen(raw, row.glance) if row is not None else None for raw, row in zip(raws, rows, strict=True)]
        return cls(raws, rows, seen, limits)

    def __len__(self) -> int:
        return len(self._raws)

    def read(self) -> tuple[list[ChartEntry], list[ReadRow]]:
        """Return the entry of each row, in order, and again the rows that are no plain match of the search."""
        limits = self._limits
        entries: list[ChartEntry] = []
        unusual = []
        for raw, row, seen in zip(self._raws, self._rows, self._seen, strict=True):
            if row is not None and seen is not None:
                entry: ChartEntry = UnparsedEntry(seen, row.full_url, raw, limits)
                mode = row.search.mode if row.search is not None else None
                if (
                    mode in NOT_FOUND
                    or row.response is not None
                    or row.modifier is not None
                    or entry.kind in NO_RESOURCES
                ):
                    unusual.append(ReadRow(entry, mode, _objection(row.response, row.modifier)))
            else:
                read = read_row(self._parsed(raw))
                entry = read.entry
                unusual.append(read)
            entries.append(entry)
        return entries, unusual

    def _parsed(self, raw: Raw) -> Any:
        self._limits.check_time()
        return parse(bytes(raw), self._limits)


def _row(raw: Raw) -> Row | None:
    try:
        return _one_row.decode(raw)
    except msgspec.ValidationError:
        return None


def _seen(raw: Raw, glance: Glance | UnsetType | None) -> Glance | Head | None:
    """Return the glance of a plain number, else the head; None if the head is not FHIR's."""
    return glance if isinstance(glance, Glance) and glance.is_number else _head(raw)


def _head(raw: Raw) -> Head | None:
    """Return the head of a row's resource; None if there is no resource, or none in the shape of FHIR."""
    try:
        return _with_head.decode(raw).resource
    except msgspec.ValidationError:
        return None


def read_row(row: Any) -> ReadRow:
    """Read a parsed row. A row without a resource gets an empty entry, so that it is counted too."""
    if not isinstance(row, dict):
        return ReadRow(ChartEntry(None), None, NOT_UNDERSTOOD)
    search, url = row.get("search"), row.get("fullUrl")
    mode = search.get("mode") if isinstance(search, dict) else None
    entry = ChartEntry(row.get("resource"), url if isinstance(url, str) else None)
    return ReadRow(entry, mode, _objection(row.get("response"), row.get("modifierExtension")))


def _objection(response: Any, modifier: Any) -> str:
    """Return a code for why the resource of a row cannot be used: a reported error or a modifier; empty if it can."""
    if response is not None and not _succeeded(response):
        return REPORTED
    return NOT_UNDERSTOOD if modifier is not None else ""


def _succeeded(response: Any) -> bool:
    """Return whether the response in a row of a batch-response was a success, by its HTTP status and outcome."""
    if not isinstance(response, dict):
        return False
    outcome = response.get("outcome")
    return bool(_SUCCESS.fullmatch(str(response.get("status")).strip())) and (outcome is None or is_harmless(outcome))

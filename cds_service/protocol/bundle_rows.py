"""The rows of a Bundle in a request body. Their heads are typed; the rest stays bytes until it is needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from cds_service.base.strict_json import JsonLimits, parse
from cds_service.clinical.reading import ChartEntry, Head
from cds_service.protocol.outcomes import is_harmless

ReadRow = tuple[ChartEntry, str | None, str]
"""The entry of a row, its search mode, and a code for why its resource cannot be used (empty if it can)."""
REPORTED = "operation_outcome"
NOT_UNDERSTOOD = "not_understood"
_SUCCESS = re.compile(r"2\d\d(\D.*)?", re.DOTALL)


class Search(Struct, gc=False):
    """Why the row is in the Bundle: a match, an included resource or an outcome."""

    mode: str | None = None


class Row(Struct, gc=False):
    """One row of a Bundle. ``head``: the head of its resource."""

    head: Head | UnsetType | None = field(default=UNSET, name="resource")
    full_url: str | None = field(default=None, name="fullUrl")
    search: Search | None = None
    response: Any = None
    modifier: Any = field(default=None, name="modifierExtension")


class UnparsedEntry(ChartEntry):
    """An entry of which only the head has been read. The resource is parsed at its first use.

    Reading ``resource`` can raise the errors of ``strict_json.parse``. They end the whole call.
    """

    __slots__ = ("_limits", "_raw")

    def __init__(self, head: Head, full_url: str | None, raw: Raw, limits: JsonLimits) -> None:
        """``raw``: the whole row."""
        self.head = head
        self.kind = head.resourceType
        self.identity = head.id
        self.named = self.unconcerning = None
        self.full_url = full_url
        self._resource = None
        self._raw = raw
        self._limits = limits

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


class Rows:
    """The rows of one Bundle, in order. A row whose head does not have FHIR's shape is parsed at once."""

    def __init__(self, raws: Sequence[Raw], heads: Sequence[Row | None], limits: JsonLimits) -> None:
        self._raws = raws
        self._heads = heads
        self._limits = limits

    @classmethod
    def of(cls, array: memoryview, raws: Sequence[Raw], limits: JsonLimits) -> Rows | None:
        """Read the heads of all rows. Return None if ``array`` does not have as many elements as ``raws``.

        ``array``: the JSON array whose elements are ``raws``.

        Raises:
            DecodeError: ``array`` is not a JSON array.
        """
        heads: list[Row | None] | list[Row]
        try:
            heads = _all_rows.decode(array)
        except msgspec.ValidationError:
            heads = [_row(raw) for raw in raws]
        return cls(raws, heads, limits) if len(heads) == len(raws) else None

    def __len__(self) -> int:
        return len(self._raws)

    def read(self) -> list[ReadRow]:
        """Return each row, in order. Every row has an entry."""
        limits = self._limits
        return [
            (
                UnparsedEntry(row.head, row.full_url, raw, limits),
                row.search.mode if row.search is not None else None,
                "" if row.response is None and row.modifier is None else _objection(row.response, row.modifier),
            )
            if row is not None and row.head.__class__ is Head
            else read_row(self._parsed(raw))
            for raw, row in zip(self._raws, self._heads, strict=True)
        ]

    def _parsed(self, raw: Raw) -> Any:
        self._limits.check_time()
        return parse(bytes(raw), self._limits)


def _row(raw: Raw) -> Row | None:
    try:
        return _one_row.decode(raw)
    except msgspec.ValidationError:
        return None


def read_row(row: Any) -> ReadRow:
    """Read a parsed row. A row without a resource gets an empty entry, so that it is counted too."""
    if not isinstance(row, dict):
        return ChartEntry(None), None, NOT_UNDERSTOOD
    search, url = row.get("search"), row.get("fullUrl")
    mode = search.get("mode") if isinstance(search, dict) else None
    entry = ChartEntry(row.get("resource"), url if isinstance(url, str) else None)
    return entry, mode, _objection(row.get("response"), row.get("modifierExtension"))


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

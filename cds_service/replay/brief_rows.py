"""Keep what a chart needs of a number of no concern: its codes, its date and its version, and not the rest.

Most rows of a chart are such numbers: vital signs and laboratory results that no rule uses. They are counted, and one
may be the latest version of a row of concern. Both need only these parts, which are an eighth of the row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
import orjson
from msgspec import Raw, Struct
from msgspec import field as element

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import Head
from cds_service.clinical.reading.heads import NumberCodes

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"(?:(https?://[^?#|]+)/)?Patient/([A-Za-z0-9\-.]{1,64})")
_NONE = Raw()
_YEARS = range(1800, 2200)
"""Years whose dates have a time in every zone."""
_DAY = len("2026-03-16")
_MOST = 50_000
"""Most different codes that are remembered. Charts repeat the same few thousand."""
_head = msgspec.json.Decoder(Head)


class _Subject(Struct, forbid_unknown_fields=True, gc=False):
    reference: str
    display: Raw = _NONE


class _Meta(Struct, gc=False):
    updated: str = element(default="", name="lastUpdated")


class _Quantity(Struct, gc=False):
    code: str | None = None
    unit: str | None = None


class _Number(Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """An Observation with a number and no other element than these. What is ``Raw`` does not matter for a count."""

    resource_type: Literal["Observation"]
    id: str
    subject: _Subject
    code: Raw
    value_quantity: _Quantity
    category: Raw = _NONE
    issued: str | None = None
    effective_date_time: str | None = None
    meta: _Meta | None = None
    implicit_rules: Raw = _NONE
    language: Raw = _NONE
    text: Raw = _NONE
    extension: Raw = _NONE
    modifier_extension: Raw = _NONE
    identifier: Raw = _NONE
    based_on: Raw = _NONE
    part_of: Raw = _NONE
    status: Raw = _NONE
    focus: Raw = _NONE
    encounter: Raw = _NONE
    performer: Raw = _NONE
    data_absent_reason: Raw = _NONE
    interpretation: Raw = _NONE
    note: Raw = _NONE
    method: Raw = _NONE
    specimen: Raw = _NONE
    device: Raw = _NONE
    reference_range: Raw = _NONE
    derived_from: Raw = _NONE


_number = msgspec.json.Decoder(_Number)


class Brief(NamedTuple):
    """The parts of a row that count.

    Attributes:
        server: FHIR server of the reference to the patient; empty for a relative one.
        codes: JSON with the codings of ``code`` and ``category``; the same for every row with these codes.
        known: the date that shows when it was recorded, as FHIR writes it.
        updated: ``meta.lastUpdated``; empty if there is none.
    """

    patient: str
    server: str
    id: str
    codes: bytes
    known: str
    updated: str


class Briefs:
    """Finds the rows that can be kept so, and counts their codes. One instance per batch."""

    def __init__(self, contents: Sequence[Content]) -> None:
        """``contents``: a row must be of no concern by each of them."""
        self._contents = contents
        self._remembered: dict[tuple[bytes, bytes], bytes] = {}
        self._people: tuple[str, str, str] = "", "", ""
        self._seen: Counter[tuple[bytes, str | None, str | None]] = Counter()

    def of(self, text: bytes) -> Brief | None:
        """Return what counts of the resource in ``text``, which is UTF-8; None if the whole of it may count."""
        try:
            number = _number.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None
        code = bytes(number.code)
        key = code, bytes(number.category)
        codes = self._remembered.get(key)
        if codes is None:
            codes = self._codes(*key)
        known = number.issued if number.issued is not None else number.effective_date_time
        if not codes or known is None or not _is_date(known) or _ID.fullmatch(number.id) is None:
            return None
        reference, server, patient = self._people
        if reference != number.subject.reference:
            reference = number.subject.reference
            named = _REFERENCE.fullmatch(reference)
            if named is None:
                return None
            server, patient = named[1] or "", named[2]
            self._people = reference, server, patient
        self._seen[code, number.value_quantity.code, number.value_quantity.unit] += 1
        return Brief(patient, server, number.id, codes, known, number.meta.updated if number.meta is not None else "")

    def seen(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the coded parts of the rows found so far, with the number of rows that have them."""
        for (code, ucum, unit), times in self._seen.items():
            yield {"code": orjson.loads(code), "valueQuantity": {"code": ucum, "unit": unit}}, times

    def _codes(self, code: bytes, category: bytes) -> bytes:
        """Return the codings as JSON if a number with them is of no concern; else nothing."""
        if len(self._remembered) >= _MOST:
            self._remembered.clear()
        codes = self._remembered[code, category] = self._read(code, category)
        return codes

    def _read(self, code: bytes, category: bytes) -> bytes:
        parts = [b'"resourceType":"Observation","valueQuantity":{}', b'"code":' + code]
        parts += [b'"category":' + category] if category else []
        try:
            head = _head.decode(b"{%s}" % b",".join(parts))
        except msgspec.DecodeError:
            return b""
        numbers = head.codes_of_number()
        if numbers is None or not all(_is_of_no_concern(content, numbers) for content in self._contents):
            return b""
        concepts = {"code": head.code} | ({"category": head.category} if head.category is not None else {})
        return msgspec.json.encode(concepts)


def reference_to(patient: str, server: str) -> str:
    """Return the reference to a patient that such a row has. ``server``: empty for a relative one."""
    return f"{server}/Patient/{patient}" if server else f"Patient/{patient}"


def _is_of_no_concern(content: Content, numbers: NumberCodes) -> bool:
    use = content.use_of_number(*numbers)
    return use.is_identified and not use.is_of_concern


def _is_date(text: str) -> bool:
    try:
        return len(text) >= _DAY and datetime.fromisoformat(text).year in _YEARS
    except ValueError:
        return False

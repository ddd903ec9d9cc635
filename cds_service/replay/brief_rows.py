"""Keep what a chart needs of a number of no concern: its id, its date and its version, and not the rest.

Most rows of a chart are such numbers: vital signs and laboratory results that no rule uses. They are counted, and one
may be the latest version of a row of concern. Both need only these parts. Rows of one patient that follow each other
in the input are stored together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, NamedTuple

import msgspec
import orjson
from msgspec import Raw, Struct
from msgspec import field as element

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import Head
from cds_service.clinical.reading.heads import NumberCodes
from cds_service.replay.rows import Row

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"(?:(https?://[^?#|]+)/)?Patient/([A-Za-z0-9\-.]{1,64})")
_NONE = Raw()
_YEARS = range(1800, 2200)
"""Years whose dates have a time in every zone."""
_DAY = len("2026-03-16")
_MOST = 50_000
"""Most different codes that are remembered. Charts repeat the same few thousand."""
_LARGEST_PACK = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
        known: when it was recorded, in microseconds since 1970.
        updated: ``meta.lastUpdated``; empty without one.
    """

    patient: str
    server: str
    id: str
    known: int
    updated: str


class Briefs:
    """Takes the parts of rows that count. Their codes repeat, so those that are of no concern are remembered."""

    def __init__(self, contents: Sequence[Content], zone: tzinfo) -> None:
        """``contents``: a row must be of no concern by each of them. ``zone``: for dates without one."""
        self._contents = contents
        self._zone = zone
        self._remembered: dict[tuple[bytes, bytes], bool] = {}
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
        passes = self._remembered.get(key)
        if passes is None:
            passes = self._pass(*key)
        date = number.issued if number.issued is not None else number.effective_date_time
        if not passes or date is None or _ID.fullmatch(number.id) is None:
            return None
        known = self._moment(date)
        if known is None:
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
        return Brief(patient, server, number.id, known, number.meta.updated if number.meta is not None else "")

    def seen(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the coded parts of the rows found so far, with the number of rows that have them."""
        for (code, ucum, unit), times in self._seen.items():
            yield {"code": orjson.loads(code), "valueQuantity": {"code": ucum, "unit": unit}}, times

    def _moment(self, text: str) -> int | None:
        """Return a date in microseconds since 1970; None if it is no whole date."""
        if len(text) < _DAY:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if moment.year not in _YEARS:
            return None
        return microseconds(moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone))

    def _pass(self, code: bytes, category: bytes) -> bool:
        """Whether a number with these codes is of no concern."""
        if len(self._remembered) >= _MOST:
            self._remembered.clear()
        passes = self._remembered[code, category] = self._read(code, category)
        return passes

    def _read(self, code: bytes, category: bytes) -> bool:
        parts = [b'"resourceType":"Observation","valueQuantity":{}', b'"code":' + code]
        parts += [b'"category":' + category] if category else []
        try:
            head = _head.decode(b"{%s}" % b",".join(parts))
        except msgspec.DecodeError:
            return False
        numbers = head.codes_of_number()
        return numbers is not None and all(_is_of_no_concern(content, numbers) for content in self._contents)


class Numbers(NamedTuple):
    """Several rows of one patient, each at the same place of the three lists, in the order of the input."""

    ids: list[str]
    known: list[int]
    updated: list[str]


_packing = msgspec.msgpack.Encoder()
_numbers = msgspec.msgpack.Decoder(Numbers)


class Pack:
    """Rows that follow each other in the input and name the same patient; they are stored as one row."""

    def __init__(self) -> None:
        self._of = "", ""
        self._numbers = Numbers([], [], [])

    def takes(self, brief: Brief) -> bool:
        """Take a row. Returns False, with nothing done, if it names another patient than those before."""
        ids, known, updated = self._numbers
        if ids and (self._of != (brief.patient, brief.server) or len(ids) >= _LARGEST_PACK):
            return False
        self._of = brief.patient, brief.server
        ids.append(brief.id)
        known.append(brief.known)
        updated.append(brief.updated)
        return True

    def rows(self, resource: bytes = b"") -> Iterator[Row]:
        """Yield the rows taken so far as one, and start again. ``resource``: if it is kept."""
        if self._numbers.ids:
            (patient, server), numbers = self._of, self._numbers
            self._numbers = Numbers([], [], [])
            yield Row(
                patient,
                "Observation",
                numbers.ids[0],
                resource,
                server=server,
                numbers=_packing.encode(numbers),
                times=len(numbers.ids),
            )


def numbers_in(row: Row) -> Numbers:
    """Return the rows for which ``row`` stands."""
    return _numbers.decode(row.numbers)


def microseconds(moment: datetime) -> int:
    """Return ``moment``, which has a zone, in microseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment_of(known: int, zone: tzinfo) -> datetime:
    """Return what ``microseconds`` was given, in ``zone``."""
    return (_EPOCH + timedelta(microseconds=known)).astimezone(zone)


def reference_to(patient: str, server: str) -> str:
    """Return the reference to a patient that such a row has. ``server``: empty for a relative one."""
    return f"{server}/Patient/{patient}" if server else f"Patient/{patient}"


def _is_of_no_concern(content: Content, numbers: NumberCodes) -> bool:
    use = content.use_of_number(*numbers)
    return use.is_identified and not use.is_of_concern

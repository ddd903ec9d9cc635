"""The rows of one chart as entries, parsed only as far as needed, with the time when each was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from cds_service.base.strict_json import parse
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import ChartEntry, Head
from cds_service.clinical.reading.heads import Concept, Number, Reference
from cds_service.clinical.reading.memory import Memory
from cds_service.replay.brief_rows import reference_to
from cds_service.replay.dates import DATES, ended, known, moment
from cds_service.replay.rows import Row
from cds_service.service.code_survey import LIMITS

_DatedHead = msgspec.defstruct(
    "_DatedHead", [(name, Any, None) for name in DATES if name not in Head.__struct_fields__], bases=(Head,), gc=False
)
"""A head with the elements that may show when the resource was added. Their types are not checked."""
_Dates = msgspec.defstruct("_Dates", [(name, Any, None) for name in DATES], gc=False)
"""Only these elements, for a resource whose head does not have the shape of FHIR."""
_dated_head: msgspec.json.Decoder[Head] = msgspec.json.Decoder(_DatedHead)
_dates = msgspec.json.Decoder(_Dates)


class StagedEntry(ChartEntry):
    """An entry of which only the head and the dates are parsed at first.

    Attributes:
        known: when it was recorded, else when it happened; None if it has no date.
        ended: the times at which its statement ended.
        flaw: a code for why its Bundle is incomplete; empty if the Bundle is complete.
    """

    __slots__ = ("_raw", "ended", "flaw", "known", "memory")

    known: datetime | None
    ended: tuple[datetime, ...]
    memory: Memory | None

    def __init__(self, row: Row, now: datetime) -> None:
        """``now``: its time zone is used for dates without one."""
        self.full_url = row.full_url
        self.flaw = row.flaw
        self._resource = None
        self._raw = row.resource
        self.memory = Memory()
        dates: Any
        try:
            self._head = dates = _dated_head.decode(row.resource)
        except msgspec.DecodeError:
            self._head, dates = None, _dates_of(row.resource)
        self._name()
        self.known = known(dates, now.tzinfo)
        self.ended = ended(dates, now.tzinfo)

    @property
    def resource(self) -> Any:
        """The JSON of the resource, parsed once."""
        if self._resource is None:
            self._resource = parse(self._raw, LIMITS)
        return self._resource


class BriefEntry(StagedEntry):
    """A number of no concern, of which only the codes, the date and the version are kept."""

    __slots__ = ("_updated",)

    def __init__(self, row: Row, head: Head, now: datetime, content: Content) -> None:
        """``head``: as its own, but without its id; rows with the same codes share it.

        ``content``: one of those by which it is of no concern.
        """
        self.full_url = None
        self.flaw = ""
        self._head = head
        self.kind = "Observation"
        self.identity = row.id
        self.named = self.glance = None
        self.unconcerning = content
        self.known = moment(row.known, now.tzinfo)
        self.ended = ()
        self.memory = None
        self._updated = row.updated

    @property
    def resource(self) -> Any:
        """What is kept of the resource: its name and its version."""
        return {"resourceType": self.kind, "id": self.identity, "meta": {"lastUpdated": self._updated}}


class _Codes(msgspec.Struct, gc=False):
    code: Concept
    category: list[Concept] | None = None


_codes = msgspec.json.Decoder(_Codes)
_NUMBER = Number()


def entries_of(rows: Sequence[Row], now: datetime, content: Content) -> Iterator[StagedEntry]:
    """Yield the entries of one chart.

    ``now``: its time zone is used for dates without one. ``content``: one of those that the rows were scanned with.
    """
    heads: dict[tuple[bytes, str], Head] = {}
    subjects: dict[str, Reference] = {}
    for row in rows:
        if not row.codes:
            yield StagedEntry(row, now)
            continue
        head = heads.get((row.codes, row.server))
        if head is None:
            subject = subjects.setdefault(row.server, Reference(reference_to(row.patient, row.server)))
            head = heads[row.codes, row.server] = _head_of(row.codes, subject)
        yield BriefEntry(row, head, now, content)


def _head_of(text: bytes, subject: Reference) -> Head:
    codes = _codes_of(text)
    return Head("Observation", subject=subject, code=codes.code, category=codes.category, valueQuantity=_NUMBER)


@lru_cache(maxsize=10_000)
def _codes_of(text: bytes) -> _Codes:
    return _codes.decode(text)


def _dates_of(resource: bytes) -> Any:
    """Return the dates of a resource that is not valid FHIR; none if it is not even an object."""
    try:
        return _dates.decode(resource)
    except msgspec.DecodeError:
        return _Dates()

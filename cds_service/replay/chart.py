"""The rows of one chart as entries, parsed only as far as needed, with the time when each was recorded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from cds_service.base.strict_json import parse
from cds_service.clinical.reading import ChartEntry, Head, PassedRows
from cds_service.clinical.reading.heads import Reference
from cds_service.clinical.reading.memory import Memory
from cds_service.clinical.reading.sorting import has_own_name
from cds_service.replay.brief_rows import Numbers, microseconds, moment_of, numbers_in, reference_to
from cds_service.replay.dates import DATES, ended, known
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
        known_until: the same, except for several rows.
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
    def known_until(self) -> datetime | None:
        return self.known

    @property
    def resource(self) -> Any:
        """The JSON of the resource, parsed once."""
        if self._resource is None:
            self._resource = parse(self._raw, LIMITS)
        return self._resource


class StagedNumbers(StagedEntry):
    """Numbers of no concern that name the same patient.

    Attributes:
        known: when the first of them was recorded.
    """

    __slots__ = ("_ids", "_known", "_last", "_numbers", "_subject", "count")

    def __init__(self, subject: Reference, numbers: Numbers, zone: tzinfo) -> None:
        """``subject``: the reference to the patient. ``zone``: of the site."""
        self._resource = self._head = self.full_url = self.identity = self.memory = None
        self.named = self.unconcerning = self.glance = None
        self.flaw = ""
        self.kind = "Observation"
        self.ended = ()
        self.count = len(numbers.ids)
        self._subject = subject
        self._numbers = numbers
        self._known = sorted(numbers.known)
        self._ids: frozenset[str] | None = None
        self.known = moment_of(self._known[0], zone)
        self._last = moment_of(self._known[-1], zone)

    @property
    def known_until(self) -> datetime:
        """When the last of them was recorded."""
        return self._last

    def recorded_by(self, now: datetime) -> PassedRows:
        """Return those that were recorded by ``now``."""
        until = microseconds(now)
        return _KnownNumbers(self._subject, bisect_right(self._known, until), self, until)

    def versions(self, identities: Collection[str], until: int) -> Iterator[ChartEntry]:
        """Yield those with one of these ids that were recorded by ``until``, with their ids and versions only."""
        if not identities:
            return
        if self._ids is None:
            self._ids = frozenset(self._numbers.ids)
        if self._ids.isdisjoint(identities):
            return
        for identity, at, updated in zip(*self._numbers, strict=True):
            if at <= until and identity in identities:
                yield ChartEntry({"resourceType": self.kind, "id": identity, "meta": {"lastUpdated": updated}})

    def names(self, until: int) -> Iterator[str]:
        """Yield the names of those that were recorded by ``until``."""
        for identity, at in zip(self._numbers.ids, self._numbers.known, strict=True):
            if at <= until:
                yield f"{self.kind}/{identity}"


class _KnownNumbers(PassedRows):
    """The numbers that were recorded by a moment."""

    __slots__ = ("_all", "_until")

    def __init__(self, subject: Reference, count: int, numbers: StagedNumbers, until: int) -> None:
        """``until``: the moment in microseconds since 1970."""
        super().__init__(subject, count)
        self._all = numbers
        self._until = until

    def versions(self, identities: Collection[str]) -> Iterator[ChartEntry]:
        return self._all.versions(identities, self._until)

    def names(self) -> Iterator[str]:
        return self._all.names(self._until)


def entries_of(rows: Sequence[Row], now: datetime) -> list[StagedEntry]:
    """Return the entries of one chart. ``now``: its time zone is used for dates without one.

    Numbers of no concern come last and together, unless the place of another row is its only name.
    """
    parts: list[StagedEntry | tuple[str, Numbers]] = [
        (reference_to(row.patient, row.server), numbers_in(row)) if row.numbers else StagedEntry(row, now)
        for row in rows
    ]
    zone = now.tzinfo or UTC
    entries = [part for part in parts if isinstance(part, StagedEntry)]
    if not all(map(has_own_name, entries)):
        return [entry for part in parts for entry in ([part] if isinstance(part, StagedEntry) else _each(*part, zone))]
    together: dict[str, Numbers] = {}
    for part in parts:
        if not isinstance(part, StagedEntry):
            reference, more = part
            numbers = together.setdefault(reference, Numbers([], [], []))
            numbers.ids.extend(more.ids)
            numbers.known.extend(more.known)
            numbers.updated.extend(more.updated)
    return [*entries, *(StagedNumbers(Reference(reference), numbers, zone) for reference, numbers in together.items())]


def _each(reference: str, numbers: Numbers, zone: tzinfo) -> Iterator[StagedEntry]:
    """Yield an entry for each number, so that every row has its place."""
    subject = Reference(reference)
    for identity, at, updated in zip(*numbers, strict=True):
        yield StagedNumbers(subject, Numbers([identity], [at], [updated]), zone)


def _dates_of(resource: bytes) -> Any:
    """Return the dates of a resource that is not valid FHIR; none if it is not even an object."""
    try:
        return _dates.decode(resource)
    except msgspec.DecodeError:
        return _Dates()

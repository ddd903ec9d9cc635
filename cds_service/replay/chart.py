"""The rows of one chart as entries, parsed only as far as needed, with the time when each was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from cds_service.base.clock import on_site
from cds_service.base.strict_json import parse
from cds_service.clinical.reading import ChartEntry, Head
from cds_service.replay.rows import Row
from cds_service.service.code_survey import LIMITS

_RECORDED = ("issued", "recordedDate", "authoredOn", "dateAsserted", "authored")
"""Elements that hold the time of recording."""
_HAPPENED = (
    "effectiveDateTime", "effectiveInstant", "performedDateTime", "onsetDateTime", "occurrenceDateTime",
    "whenHandedOver", "whenPrepared", "started", "created",
)  # fmt: skip
_BEGAN = ("effectivePeriod", "performedPeriod", "onsetPeriod", "period", "occurrencePeriod")
_moments = attrgetter(*_RECORDED, *_HAPPENED)
_began = attrgetter(*_BEGAN)


class Dated(Struct, gc=False):
    """The elements that may show when a resource was added to the chart. Their types are not checked."""

    issued: Any = None
    recordedDate: Any = None
    authoredOn: Any = None
    dateAsserted: Any = None
    authored: Any = None
    effectiveDateTime: Any = None
    effectiveInstant: Any = None
    performedDateTime: Any = None
    onsetDateTime: Any = None
    occurrenceDateTime: Any = None
    whenHandedOver: Any = None
    whenPrepared: Any = None
    started: Any = None
    created: Any = None
    effectivePeriod: Any = None
    performedPeriod: Any = None
    onsetPeriod: Any = None
    occurrencePeriod: Any = None
    period: Any = None
    abatementDateTime: Any = None
    deceasedDateTime: Any = None

    def moments(self) -> Iterable[Any]:
        """Yield the dates that may show when the resource was known, the most reliable first."""
        yield from (date for date in _moments(self) if date is not None)
        yield from (period.get("start") for period in _began(self) if isinstance(period, dict))

    def ends(self) -> Iterable[Any]:
        """Yield the dates on which the resource's statement ended."""
        yield from (date for date in (self.abatementDateTime, self.deceasedDateTime) if date is not None)
        for period in (self.period, self.effectivePeriod, self.performedPeriod):
            if isinstance(period, dict):
                yield period.get("end")


_head = msgspec.json.Decoder(Head)
_dated = msgspec.json.Decoder(Dated)


class StagedEntry(ChartEntry):
    """An entry of which only the head and the dates are parsed at first."""

    __slots__ = ("_raw", "dates", "ended", "flaw", "known")

    def __init__(self, row: Row, now: datetime) -> None:
        """``now``: its time zone is used for dates without one."""
        self.full_url = row.full_url
        self.flaw = row.flaw
        self._resource = None
        self._raw = row.resource
        try:
            self.head = _head.decode(row.resource)
            self.dates = _dated.decode(row.resource)
        except msgspec.DecodeError:
            self.head = None
            self.dates = _dates_of(row.resource)
        self._name()
        zone = now.tzinfo
        self.known = next((at for date in self.dates.moments() if (at := moment(date, zone)) is not None), None)
        """When it was recorded, else when it happened; None if it has no date."""
        self.ended = [at for date in self.dates.ends() if (at := moment(date, zone)) is not None]

    @property
    def resource(self) -> Any:
        """The JSON of the resource, parsed once."""
        if self._resource is None:
            self._resource = parse(self._raw, LIMITS)
        return self._resource


def _dates_of(resource: bytes) -> Dated:
    """Return the dates of a resource that is not valid FHIR, or an empty ``Dated``."""
    try:
        return _dated.decode(resource)
    except msgspec.DecodeError:
        return Dated()


def moment(text: Any, zone: Any) -> datetime | None:
    """Return the earliest moment of a FHIR date; None if ``text`` is not a date."""
    if not isinstance(text, str):
        return None
    if len(text) in (4, 7):
        text = f"{text}-01" if len(text) == 7 else f"{text}-01-01"
    try:
        return on_site(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        return None

"""The rows of one chart as entries, parsed only as far as they are asked; and when each was written down."""

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
"""When it was written down."""
_HAPPENED = (
    "effectiveDateTime", "effectiveInstant", "performedDateTime", "onsetDateTime", "occurrenceDateTime",
    "whenHandedOver", "whenPrepared", "started", "created",
)  # fmt: skip
_BEGAN = ("effectivePeriod", "performedPeriod", "onsetPeriod", "period", "occurrencePeriod")
_moments = attrgetter(*_RECORDED, *_HAPPENED)
_began = attrgetter(*_BEGAN)


class Dated(Struct, gc=False):
    """Every element that can tell when a resource came into the chart, in any shape."""

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
        """The dates that may tell when it was known, the best first."""
        yield from (one for one in _moments(self) if one is not None)
        yield from (one.get("start") for one in _began(self) if isinstance(one, dict))

    def ends(self) -> Iterable[Any]:
        """The dates at which what it says has ended."""
        yield from (one for one in (self.abatementDateTime, self.deceasedDateTime) if one is not None)
        for period in (self.period, self.effectivePeriod, self.performedPeriod):
            if isinstance(period, dict):
                yield period.get("end")


_head = msgspec.json.Decoder(Head)
_dated = msgspec.json.Decoder(Dated)


class StagedEntry(ChartEntry):
    """An entry of which only the head and the dates have been read."""

    __slots__ = ("_raw", "dates", "ended", "flaw", "known")

    def __init__(self, row: Row, now: datetime) -> None:
        """``now``: in whose time zone a date without one is."""
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
        zone = now.tzinfo
        self.known = next((at for one in self.dates.moments() if (at := moment(one, zone)) is not None), None)
        """When it was written down, else when it was so; None if it does not say."""
        self.ended = [at for one in self.dates.ends() if (at := moment(one, zone)) is not None]

    @property
    def resource(self) -> Any:
        """The JSON of the resource, parsed once."""
        if self._resource is None:
            self._resource = parse(self._raw, LIMITS)
        return self._resource


def _dates_of(resource: bytes) -> Dated:
    """The dates of what has not FHIR's shape, as far as there are some."""
    try:
        return _dated.decode(resource)
    except msgspec.DecodeError:
        return Dated()


def moment(text: Any, zone: Any) -> datetime | None:
    """A FHIR date as the first moment that it can mean; None for what is none."""
    if not isinstance(text, str):
        return None
    if len(text) in (4, 7):
        text = f"{text}-01" if len(text) == 7 else f"{text}-01-01"
    try:
        return on_site(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        return None

"""The rows of one chart as entries, parsed only as far as needed, with the time when each was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from cds_service.base.clock import on_site
from cds_service.base.strict_json import parse
from cds_service.clinical.reading import ChartEntry, Head
from cds_service.replay.rows import Row
from cds_service.service.code_survey import LIMITS

_RECORDED = ("issued", "recordedDate", "authoredOn", "dateAsserted", "authored", "date", "sent")
"""Elements that hold the time of recording."""
_HAPPENED = (
    "effectiveDateTime", "effectiveInstant", "performedDateTime", "onsetDateTime", "occurrenceDateTime",
    "whenHandedOver", "whenPrepared", "started", "created", "identifiedDateTime",
)  # fmt: skip
_BEGAN = ("effectivePeriod", "performedPeriod", "onsetPeriod", "period", "occurrencePeriod")
_ENDED = ("abatementDateTime", "deceasedDateTime")
_DATES = (*_RECORDED, *_HAPPENED, *_BEGAN, *_ENDED)
_moments = attrgetter(*_RECORDED, *_HAPPENED)
_began = attrgetter(*_BEGAN)
_ended = attrgetter(*_ENDED)

_DatedHead = msgspec.defstruct(
    "_DatedHead", [(name, Any, None) for name in _DATES if name not in Head.__struct_fields__], bases=(Head,), gc=False
)
"""A head with the elements that may show when the resource was added. Their types are not checked."""
_Dates = msgspec.defstruct("_Dates", [(name, Any, None) for name in _DATES], gc=False)
"""Only these elements, for a resource whose head does not have the shape of FHIR."""
_dated_head: msgspec.json.Decoder[Head] = msgspec.json.Decoder(_DatedHead)
_dates = msgspec.json.Decoder(_Dates)


class StagedEntry(ChartEntry):
    """An entry of which only the head and the dates are parsed at first."""

    __slots__ = ("_raw", "ended", "flaw", "known")

    def __init__(self, row: Row, now: datetime) -> None:
        """``now``: its time zone is used for dates without one."""
        self.full_url = row.full_url
        self.flaw = row.flaw
        self._resource = None
        self._raw = row.resource
        dates: Any
        try:
            self._head = dates = _dated_head.decode(row.resource)
        except msgspec.DecodeError:
            self._head, dates = None, _dates_of(row.resource)
        self._name()
        zone = now.tzinfo
        self.known = next((at for date in _moments_of(dates) if (at := moment(date, zone)) is not None), None)
        """When it was recorded, else when it happened; None if it has no date."""
        self.ended = [at for date in _ends_of(dates) if (at := moment(date, zone)) is not None]

    @property
    def resource(self) -> Any:
        """The JSON of the resource, parsed once."""
        if self._resource is None:
            self._resource = parse(self._raw, LIMITS)
        return self._resource


def _dates_of(resource: bytes) -> Any:
    """Return the dates of a resource that is not valid FHIR; none if it is not even an object."""
    try:
        return _dates.decode(resource)
    except msgspec.DecodeError:
        return _Dates()


def _moments_of(dates: Any) -> Iterable[Any]:
    """Yield the dates that may show when the resource was known, the most reliable first."""
    yield from (date for date in _moments(dates) if date is not None)
    yield from (period.get("start") for period in _began(dates) if isinstance(period, dict))


def _ends_of(dates: Any) -> Iterable[Any]:
    """Yield the dates on which the resource's statement ended."""
    yield from (date for date in _ended(dates) if date is not None)
    for period in (dates.period, dates.effectivePeriod, dates.performedPeriod):
        if isinstance(period, dict):
            yield period.get("end")


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

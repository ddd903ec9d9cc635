"""When a resource was recorded, and when its statement ended, by the elements that FHIR has for this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any

from cds_service.base.clock import on_site

_RECORDED = ("issued", "recordedDate", "authoredOn", "dateAsserted", "authored", "date", "sent")
"""Elements that hold the time of recording."""
_HAPPENED = (
    "effectiveDateTime", "effectiveInstant", "performedDateTime", "onsetDateTime", "occurrenceDateTime",
    "whenHandedOver", "whenPrepared", "started", "created", "identifiedDateTime",
)  # fmt: skip
_BEGAN = ("effectivePeriod", "performedPeriod", "onsetPeriod", "period", "occurrencePeriod")
_ENDED = ("abatementDateTime", "deceasedDateTime")
DATES = (*_RECORDED, *_HAPPENED, *_BEGAN, *_ENDED)
"""Every element that is looked at."""
_moments = attrgetter(*_RECORDED, *_HAPPENED)
_began = attrgetter(*_BEGAN)
_ended = attrgetter(*_ENDED, "period", "effectivePeriod", "performedPeriod")
_NO_ENDS: tuple[datetime, ...] = ()
_NONE_ENDED = (None,) * 5


def known(dates: Any, zone: Any) -> datetime | None:
    """Return when a resource was recorded, else when it happened; None if it has no date.

    ``dates``: has each of ``DATES`` as an attribute. ``zone``: for dates without one.
    """
    return next((at for date in _moments_of(dates) if (at := moment(date, zone)) is not None), None)


def ended(dates: Any, zone: Any) -> tuple[datetime, ...]:
    """Return the times at which the statement of a resource ended. Arguments as for ``known``."""
    if _ended(dates) == _NONE_ENDED:
        return _NO_ENDS
    return tuple(at for date in _ends_of(dates) if (at := moment(date, zone)) is not None)


def _moments_of(dates: Any) -> Iterator[Any]:
    """Yield the dates that may show when the resource was known, the most reliable first."""
    for date in _moments(dates):
        if date is not None:
            yield date
    for period in _began(dates):
        if isinstance(period, dict):
            yield period.get("start")


def _ends_of(dates: Any) -> Iterable[Any]:
    """Yield the dates on which the resource's statement ended."""
    *moments, period, effective, performed = _ended(dates)
    yield from (date for date in moments if date is not None)
    yield from (span.get("end") for span in (period, effective, performed) if isinstance(span, dict))


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

"""What became known later: a clot coded or an anticoagulant started after an opening. Labels, not the truth.

A clot that was missed is coded late, elsewhere or never, and an anticoagulant may be for something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cds_service.clinical.content.names import ANTICOAGULANT, DVT, PULMONARY_EMBOLISM
from cds_service.clinical.record import DiagnosisState, Record, Status, When

CLOT, MEDICINE = "clot", "anticoagulant"
YES, NO, KNOWN, UNKNOWN = "yes", "no", "known before", "not followed up"
_Event = tuple[str, datetime]


def events_of(record: Record, now: datetime) -> list[_Event]:
    """When a DVT or PE was first coded, and when each anticoagulant on record began."""
    found = [
        (CLOT, one.when)
        for one in record.diagnoses
        if one.cause in (DVT, PULMONARY_EMBOLISM) and one.state is not DiagnosisState.REFUTED
    ]
    found += [
        (MEDICINE, fact.when) for fact in record.facts if fact.key == ANTICOAGULANT and fact.status is Status.PRESENT
    ]
    return sorted(((kind, _start(when, now)) for kind, when in found if when is not None), key=lambda one: one[1])


def _start(when: When, now: datetime) -> datetime:
    day = datetime(when.earliest.year, when.earliest.month, when.earliest.day, tzinfo=now.tzinfo)
    return when.at if when.at is not None else day


def label(events: Sequence[_Event], at: datetime, last: datetime, days: int) -> str:
    """What followed an opening within ``days``. ``last``: the latest that is known of the patient.

    An opening for whose patient a clot or an anticoagulant was on record before tells nothing.
    """
    if any(event < at for _, event in events):
        return KNOWN
    if any(event <= at + timedelta(days=days) for _, event in events):
        return YES
    return NO if last >= at + timedelta(days=days) else UNKNOWN

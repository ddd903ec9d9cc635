"""Label openings by later records: a clot coded, or an anticoagulant started, after the opening.

Labels are not the truth: a missed clot is coded late, elsewhere or never, and an anticoagulant may have another reason.
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
    """Return the dates of coded DVT and PE and of the start of each anticoagulant, in order."""
    events = [
        (CLOT, diagnosis.when)
        for diagnosis in record.diagnoses
        if diagnosis.cause in (DVT, PULMONARY_EMBOLISM) and diagnosis.state is not DiagnosisState.REFUTED
    ]
    events += [
        (MEDICINE, fact.when) for fact in record.facts if fact.key == ANTICOAGULANT and fact.status is Status.PRESENT
    ]
    return sorted(((kind, _start(when, now)) for kind, when in events if when is not None), key=lambda event: event[1])


def _start(when: When, now: datetime) -> datetime:
    day = datetime(when.earliest.year, when.earliest.month, when.earliest.day, tzinfo=now.tzinfo)
    return when.at if when.at is not None else day


def label(events: Sequence[_Event], at: datetime, last: datetime, days: int) -> str:
    """Return the label of an opening at ``at`` for the next ``days``. ``last``: date of the patient's latest record.

    An opening after a recorded clot or anticoagulant gets no label of its own (``KNOWN``).
    """
    if any(event < at for _, event in events):
        return KNOWN
    if any(event <= at + timedelta(days=days) for _, event in events):
        return YES
    return NO if last >= at + timedelta(days=days) else UNKNOWN

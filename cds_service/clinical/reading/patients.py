"""Who the chart is about: the latest Patient resource of this patient."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cds_service.clinical.reading.dates import FutureDate, to_when
from cds_service.clinical.reading.ledger import Ledger
from cds_service.clinical.reading.resources import Unreadable, build
from cds_service.clinical.reading.sorting import Sorted
from cds_service.clinical.reading.versions import updated_at
from cds_service.clinical.record import Patient, RowState, Unread, UnreadKind

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_patient(chart: Sorted, patient_id: str, now: datetime, ledger: Ledger) -> tuple[Patient, list[Unread]]:
    """The patient, and what was not understood of the Patient resources.

    Of several copies the one updated last counts; of copies that do not say when, the first, which is the one that
    was asked for.
    """
    unread: list[Unread] = []
    found: list[tuple[datetime, int, Any]] = []
    for number, entry in enumerate(chart.patients):
        try:
            model, left_out = build(entry.resource)
        except Unreadable as error:
            unread.append(Unread("Patient", UnreadKind.INVALID, str(error)))
            ledger.add(RowState.NOT_UNDERSTOOD, "Patient", str(error))
            continue
        unread += [Unread("Patient", UnreadKind.INVALID, f"left out {name}: not valid") for name in left_out]
        ledger.add(RowState.READ, "Patient")
        found.append((updated_at(entry.resource) or _LONG_AGO, -number, model))
    if not found:
        return Patient(patient_id), unread
    model = max(found, key=lambda one: one[:2])[2]
    try:
        birth = to_when(model.birthDate, now)
    except FutureDate:
        birth = None
        unread.append(Unread("Patient", UnreadKind.DATE, "its birth date lies in the future"))
    return Patient(patient_id, birth, model.gender, deceased=_has_died(model, now, unread)), unread


def _has_died(model: Any, now: datetime, unread: list[Unread]) -> bool:
    """Whether the Patient says so; a date of death that is still to come is no death."""
    if model.deceasedDateTime is None:
        return model.deceasedBoolean is True
    try:
        when = to_when(model.deceasedDateTime, now)
        if when is not None and not when.ahead:
            return True
    except FutureDate:
        pass
    unread.append(Unread("Patient", UnreadKind.DATE, "its date of death lies in the future"))
    return False

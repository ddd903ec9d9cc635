"""Read the patient from the latest Patient resource of this patient."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cds_service.clinical.reading.dates import FutureDate, to_when
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.ledger import Ledger
from cds_service.clinical.reading.memory import Memory
from cds_service.clinical.reading.resources import Unreadable, build
from cds_service.clinical.reading.sorting import Sorted
from cds_service.clinical.reading.versions import updated_at
from cds_service.clinical.record import Patient, RowState, Unread, UnreadKind

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_patient(chart: Sorted, patient_id: str, now: datetime, ledger: Ledger) -> tuple[Patient, list[Unread]]:
    """Return the patient, and what was not understood in the Patient resources.

    Of several copies, the most recently updated one counts. Among copies without a time, the first one counts, which is
    the requested one.
    """
    unread: list[Unread] = []
    models: list[tuple[datetime, int, Any]] = []
    for number, entry in enumerate(chart.patients):
        try:
            model, left_out = _built(entry)
        except Unreadable as error:
            unread.append(Unread("Patient", UnreadKind.INVALID, str(error)))
            ledger.add(RowState.NOT_UNDERSTOOD, "Patient", str(error))
            continue
        unread += [Unread("Patient", UnreadKind.INVALID, f"left out {name}: not valid") for name in left_out]
        ledger.add(RowState.READ, "Patient")
        models.append((updated_at(entry.resource) or _LONG_AGO, -number, model))
    if not models:
        return Patient(patient_id), unread
    model = max(models, key=lambda candidate: candidate[:2])[2]
    try:
        birth = to_when(model.birthDate, now)
    except FutureDate:
        birth = None
        unread.append(Unread("Patient", UnreadKind.DATE, "its birth date lies in the future"))
    return Patient(patient_id, birth, model.gender, deceased=_has_died(model, now, unread)), unread


def _built(entry: ChartEntry) -> tuple[Any, tuple[str, ...]]:
    """Return what ``build`` returns for a Patient."""
    memory = entry.memory or Memory()
    if memory.built is None:
        memory.built = build(entry.resource)
    return memory.built


def _has_died(model: Any, now: datetime, unread: list[Unread]) -> bool:
    """Whether the Patient is recorded as dead. A date of death in the future does not count."""
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

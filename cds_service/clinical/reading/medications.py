"""Medicines, from MedicationRequest and MedicationStatement, coded inline, contained or in a Medication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, uses_of
from cds_service.clinical.reading.sorting import local_name
from cds_service.clinical.reading.statements import meant, state
from cds_service.clinical.reading.whose import Owners
from cds_service.clinical.record import Status, Stop, When

_ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})


_NOT_GIVEN: Mapping[str, frozenset[str]] = {
    "MedicationRequest": frozenset({"cancelled", "stopped", "draft"}),
    "MedicationStatement": frozenset({"not-taken", "stopped", "intended"}),
}
_STOPPED: Mapping[str, frozenset[str]] = {
    "MedicationRequest": frozenset({"stopped", "on-hold"}),
    # Of a statement "completed" says that it is taken no longer; of a request only that it was carried out.
    "MedicationStatement": frozenset({"stopped", "on-hold", "not-taken", "completed"}),
}


def referenced(
    raw: Mapping[str, Any], reference: str, medications: Mapping[str, ChartEntry], owners: Owners
) -> Mapping[str, Any] | None:
    """The Medication that ``reference`` of ``raw`` points to, if it is in the resource or in the chart."""
    if reference.startswith("#"):
        inside = raw.get("contained")
        listed = inside if isinstance(inside, list) else ()
        return next((one for one in listed if isinstance(one, dict) and one.get("id") == reference[1:]), None)
    entry = medications.get(reference)
    if entry is None and owners.is_here(reference):
        entry = medications.get(local_name(reference))
    return entry.resource if entry is not None else None


def why_not_usable(medicine: Mapping[str, Any]) -> str:
    """Why a Medication does not tell what is taken; empty if it does."""
    if medicine.get("resourceType") != "Medication":
        return "refers to something that is not a medicine"
    status = medicine.get("status")
    return "" if status is None or status == "active" else "refers to a medicine that is marked as not valid"


def is_not_taken(raw: Mapping[str, Any]) -> bool:
    """Whether FHIR's own status or intent says that nothing is taken by this request or statement."""
    kind = raw["resourceType"]
    if any(raw.get("status") == one for one in _NOT_GIVEN[kind]) or raw.get("doNotPerform") is True:
        return True
    return kind == "MedicationRequest" and raw.get("intent") in ("proposal", "option")


def read(model: Any, name: str, findings: Findings, medicine: Any) -> None:
    """Everything one validated MedicationRequest or MedicationStatement says."""
    content = findings.content
    kind = model.get_resource_type()
    concept = model.medicationCodeableConcept or (medicine.code if medicine is not None else None)
    held = meant(content, uses_of(content, concept), Place(), answered=False)
    is_request = kind == "MedicationRequest"
    taking, ended, clinical = _request(model, name, findings) if is_request else _statement(model, name, findings)
    recorded = None if is_request else findings.when(model.dateAsserted, name)
    if model.status in _STOPPED[kind] or (is_request and model.doNotPerform):
        when = clinical if model.status == "completed" and ended else recorded or clinical
        findings.stops += [Stop(use.key, use.substance, when, name) for use in held]
    if taking is Status.UNKNOWN:
        findings.leave_out(kind, model.status, *([model.intent] if is_request else ()))
        return
    drugs = {use.key: use.substance for use in held if use.substance}
    statements, troubles = state(content, held, Place(), taking)
    findings.report(name, troubles)
    for said in statements:
        running = model.status == "active" and not ended
        substance = drugs.get(said.key, "")
        findings.add([said], name, clinical, recorded, ongoing=running, substance=substance)


def _request(model: Any, name: str, findings: Findings) -> tuple[Status, bool, When | None]:
    reported = bool(model.reportedBoolean or model.reportedReference)
    meant_to_be_taken = model.intent in _ORDERED or (model.intent == "plan" and reported)
    wanted = model.status in ("active", "completed") and meant_to_be_taken and not model.doNotPerform
    written = findings.when(model.authoredOn, name)
    period = model.dispenseRequest.validityPeriod if model.dispenseRequest is not None else None
    ended = _is_over(period, name, findings) or _has_run_out(model.dosageInstruction or (), name, findings)
    return Status.PRESENT if wanted else Status.UNKNOWN, ended, written


def _has_run_out(dosages: Sequence[Any], name: str, findings: Findings) -> bool:
    """Whether every dosage is to be taken up to a day before today."""
    repeats = [dosage.timing.repeat if dosage.timing is not None else None for dosage in dosages]
    bounds = [repeat.boundsPeriod if repeat is not None else None for repeat in repeats]
    return bool(bounds) and all(_is_over(period, name, findings) for period in bounds)


def _statement(model: Any, name: str, findings: Findings) -> tuple[Status, bool, When | None]:
    period = model.effectivePeriod
    value = model.effectiveDateTime
    if value is None and period is not None:
        value = period.end if _is_over(period, name, findings) else period.start
    when = findings.when(value, name)
    status = {"active": Status.PRESENT, "completed": Status.PRESENT, "not-taken": Status.ABSENT}.get(
        model.status, Status.UNKNOWN
    )
    return status, _is_over(period, name, findings), when


def _is_over(period: Any, name: str, findings: Findings) -> bool:
    """Whether the period ended before today; an end still to come is no error."""
    if period is None or period.end is None:
        return False
    end = period.end.date() if hasattr(period.end, "date") else period.end
    if isinstance(end, str):
        known = findings.when(end, name)
        return known is not None and known.day < findings.today
    return bool(end < findings.today)

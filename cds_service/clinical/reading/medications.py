"""Medicines, from MedicationRequest and MedicationStatement, coded inline, contained or in a Medication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, uses_of
from cds_service.clinical.reading.statements import meant, state
from cds_service.clinical.record import Status, When

_ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})


def referenced(raw: Mapping[str, Any], medications: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The Medication that ``medicationReference`` of ``raw`` points to, if it is in the chart."""
    pointer = raw.get("medicationReference")
    reference = pointer.get("reference") if isinstance(pointer, dict) else None
    if not isinstance(reference, str):
        return None
    if reference.startswith("#"):
        inside = raw.get("contained") or ()
        return next((one for one in inside if isinstance(one, dict) and one.get("id") == reference[1:]), None)
    return medications.get(reference) or medications.get("/".join(reference.split("/_history/")[0].split("/")[-2:]))


def read(model: Any, name: str, findings: Findings, medicine: Any) -> None:
    """Everything one validated MedicationRequest or MedicationStatement says."""
    content = findings.content
    concept = model.medicationCodeableConcept or (medicine.code if medicine is not None else None)
    held = meant(content, uses_of(content, concept), Place(), answered=False)
    is_request = model.get_resource_type() == "MedicationRequest"
    taking, ended, clinical = _request(model, name, findings) if is_request else _statement(model, name, findings)
    if taking is Status.UNKNOWN:
        findings.leave_out(model.get_resource_type(), model.status)
        return
    recorded = None if is_request else findings.when(model.dateAsserted, name)
    statements, troubles = state(content, held, Place(), taking)
    findings.report(name, troubles)
    findings.add(statements, name, clinical, recorded, ongoing=model.status == "active" and not ended)


def _request(model: Any, name: str, findings: Findings) -> tuple[Status, bool, When | None]:
    wanted = model.status in ("active", "completed") and model.intent in _ORDERED and not model.doNotPerform
    written = findings.when(model.authoredOn, name)
    period = model.dispenseRequest.validityPeriod if model.dispenseRequest is not None else None
    return Status.PRESENT if wanted else Status.UNKNOWN, _is_over(period, name, findings), written


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

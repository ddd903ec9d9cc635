"""Conditions: symptoms, risks and diagnoses, with their clinical and verification status."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.codes import Code, is_sequela
from cds_service.clinical.reading.dates import years_after
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, codings, contained_body_structures, place_of, uses_of
from cds_service.clinical.reading.statements import Statement, meant, state
from cds_service.clinical.record import Diagnosis, DiagnosisState, Side, Status, When

_POSSIBLE = frozenset({"unconfirmed", "provisional", "differential"})
_PAST = frozenset({"inactive", "remission", "resolved"})
SUSPECTED_DVT = "suspected_dvt_coded"
PREVIOUS_DVT = "previous_dvt"
DVT = "dvt"


def read(model: Any, name: str, findings: Findings) -> None:
    """Everything one validated Condition says."""
    content = findings.content
    verification = _status_code(model.verificationStatus)
    if verification == "entered-in-error":
        findings.set_aside.append("Condition entered-in-error")
        return
    if all(is_sequela(Code.of(system, code)) for system, code in codings(model.code)):
        findings.set_aside.append("Condition is a late effect of an old injury")
        return
    sites = [*(model.bodySite or ()), *contained_body_structures(model)]
    place = place_of(content, sites).joined(place_of(content, [model.code], in_code=True))
    onset = _onset(model, name, findings)
    recorded = findings.when(model.recordedDate, name)
    past = _status_code(model.clinicalStatus) in _PAST or _has_abated(model)
    _read_findings(model, name, findings, place, onset, recorded, verification, past=past)
    _read_diagnoses(model, name, findings, place, onset, recorded, verification, past=past)


def _status_code(concept: Any) -> str | None:
    return next((code for _, code in codings(concept)), None) if concept is not None else None


def _onset(model: Any, name: str, findings: Findings) -> When | None:
    value = model.onsetDateTime
    if value is None and model.onsetPeriod is not None:
        value = model.onsetPeriod.start or model.onsetPeriod.end
    if value is None and model.onsetAge is not None and findings.birth and model.onsetAge.code == "a":
        return years_after(findings.birth, float(model.onsetAge.value or 0))
    return findings.when(value, name)


def _has_abated(model: Any) -> bool:
    return any(
        getattr(model, name) is not None
        for name in ("abatementDateTime", "abatementPeriod", "abatementAge", "abatementRange", "abatementString")
    )


def _read_findings(
    model: Any,
    name: str,
    findings: Findings,
    place: Place,
    onset: When | None,
    recorded: When | None,
    verification: str | None,
    *,
    past: bool,
) -> None:
    content = findings.content
    held = meant(content, uses_of(content, model.code), place, answered=False)
    if past:
        current = [use for use in held if content.findings[use.key].past_counts]
        findings.set_aside += ["Condition no longer active"] * (len(current) < len(held))
        held = current
    refuted = verification == "refuted"
    statements, troubles = state(content, held, place, Status.ABSENT if refuted else Status.PRESENT)
    findings.report(name, troubles)
    if verification in _POSSIBLE:
        # "Possible" is not "present": it may raise urgency, so symptoms and signs keep it for red flags only.
        statements = [said for said in statements if content.findings[said.key].kind in ("symptom", "sign", "history")]
    own_suspicion = [said for said in statements if said.key == SUSPECTED_DVT]
    others = [said for said in statements if said.key != SUSPECTED_DVT]
    findings.add(own_suspicion, name, onset, recorded, ongoing=not past)
    findings.add(others, name, onset, recorded, ongoing=not past, provisional=verification in _POSSIBLE)


def _read_diagnoses(
    model: Any,
    name: str,
    findings: Findings,
    place: Place,
    onset: When | None,
    recorded: When | None,
    verification: str | None,
    *,
    past: bool,
) -> None:
    content = findings.content
    sides: dict[str, Side] = {}
    for use in uses_of(content, model.code):
        if use.kind != "cause" or (use.relation == "broader" and place.sites.isdisjoint(use.narrowed_by)):
            continue
        side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
        if sides.get(use.key, Side.UNKNOWN) is Side.UNKNOWN:
            sides[use.key] = side
    for cause, side in sides.items():
        if cause == DVT and verification in _POSSIBLE and not past:
            findings.add([Statement(SUSPECTED_DVT, Status.PRESENT, side)], name, onset, recorded, ongoing=True)
            continue
        if verification in _POSSIBLE:
            findings.set_aside.append("Condition only possible")
            continue
        if cause == DVT and past and verification != "refuted":
            findings.add([Statement(PREVIOUS_DVT, Status.PRESENT, Side.BODY)], name, onset, recorded)
        stands = DiagnosisState.PAST if past else DiagnosisState.CURRENT
        if verification == "refuted":
            stands = DiagnosisState.REFUTED
        reasoned = bool(model.note or model.evidence)
        findings.diagnoses.append(Diagnosis(cause, stands, side, onset, recorded, name, reasoned))

"""Conditions: symptoms, risks and diagnoses, with their clinical and verification status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.clinical.codes import Code, is_sequela
from cds_service.clinical.names import DVT, POST_PARTUM, PREGNANCY, SUSPECTED_DVT
from cds_service.clinical.reading.dates import is_past
from cds_service.clinical.reading.diagnoses import diagnosed, dvt_of_unstated_place
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, codings, contained_body_structures, place_of, uses_of
from cds_service.clinical.reading.statements import Statement, Trouble, meant, state
from cds_service.clinical.record import DiagnosisState, Side, Status, UnreadKind, When

_POSSIBLE = frozenset({"unconfirmed", "provisional", "differential"})
_PAST = frozenset({"inactive", "remission", "resolved"})


@dataclass(frozen=True, slots=True)
class _Said:
    """What both readings of one Condition share."""

    model: Any
    name: str
    place: Place
    onset: When | None
    recorded: When | None
    verification: str | None
    past: bool

    @property
    def possible(self) -> bool:
        """Only possible, neither confirmed nor refuted."""
        return self.verification in _POSSIBLE

    @property
    def refuted(self) -> bool:
        """Stated not to be so."""
        return self.verification == "refuted"


def read(model: Any, name: str, findings: Findings) -> None:
    """Everything one validated Condition says."""
    content = findings.content
    verification = _status_code(model.verificationStatus, "condition-ver-status")
    if verification == "entered-in-error":
        findings.set_aside.append("Condition entered-in-error")
        return
    coded = [Code.of(system, code) for system, code in codings(model.code)]
    if coded and all(is_sequela(code) for code in coded):
        findings.set_aside.append("Condition is a late effect of an old injury")
        return
    sites = [*(model.bodySite or ()), *contained_body_structures(model)]
    said = _Said(
        model=model,
        name=name,
        place=place_of(content, sites).joined(place_of(content, [model.code], in_code=True)),
        onset=_onset(model, name, findings),
        recorded=findings.when(model.recordedDate, name),
        verification=verification,
        past=_status_code(model.clinicalStatus, "condition-clinical") in _PAST or _has_abated(model, findings.today),
    )
    _read_findings(said, findings)
    _read_diagnoses(said, findings)


def _status_code(concept: Any, system: str) -> str | None:
    """The status in HL7's own code system, wherever it stands among the codings."""
    return next((code for uri, code in codings(concept) if uri.rsplit("/", 1)[-1] == system), None)


def _onset(model: Any, name: str, findings: Findings) -> When | None:
    value = model.onsetDateTime
    if value is None and model.onsetPeriod is not None:
        value = model.onsetPeriod.start or model.onsetPeriod.end
    if value is None and model.onsetAge is not None and findings.birth and model.onsetAge.code == "a":
        return findings.at_age(model.onsetAge.value, name)
    return findings.when(value, name)


def _has_abated(model: Any, today: date) -> bool:
    """Whether the condition is over: an abatement still to come, such as a due date, is not."""
    period = model.abatementPeriod
    date_given = model.abatementDateTime or (period.end if period is not None else None)
    if date_given is not None:
        return is_past(date_given, today)
    return any(getattr(model, name) is not None for name in ("abatementAge", "abatementRange", "abatementString"))


def _read_findings(said: _Said, findings: Findings) -> None:
    content = findings.content
    held = meant(content, uses_of(content, said.model.code), said.place, answered=False)
    if said.past:
        if any(use.key == PREGNANCY for use in held):
            ended = findings.when(said.model.abatementDateTime, said.name)
            if ended is not None:
                findings.add([Statement(POST_PARTUM, Status.PRESENT, Side.BODY)], said.name, ended, None)
        current = [use for use in held if content.findings[use.key].past_counts]
        findings.set_aside += ["Condition no longer active"] * (len(current) < len(held))
        held = current
    status = Status.ABSENT if said.refuted else Status.PRESENT
    statements, troubles = state(content, held, said.place, status)
    findings.report(said.name, troubles)
    if said.possible:
        # "Possible" is not "present": it may raise urgency, so symptoms and signs keep it for red flags only.
        kept = [one for one in statements if content.findings[one.key].kind in ("symptom", "sign", "history")]
        findings.set_aside += ["Condition only possible"] * (len(kept) < len(statements))
        statements = kept
    for one in statements:
        provisional = said.possible and one.key != SUSPECTED_DVT
        findings.add([one], said.name, said.onset, said.recorded, ongoing=not said.past, provisional=provisional)


def _read_diagnoses(said: _Said, findings: Findings) -> None:
    uses = uses_of(findings.content, said.model.code)
    stands = DiagnosisState.PAST if said.past else DiagnosisState.CURRENT
    if said.refuted:
        stands = DiagnosisState.REFUTED
    possible = said.possible
    found = diagnosed(uses, said.place)
    if dvt_of_unstated_place(uses, said.place) and not any(cause == DVT for cause, _ in found):
        possible = possible or stands is DiagnosisState.CURRENT
        found.append((DVT, said.place.side_with(None) or Side.UNKNOWN))
    elif not found and any(use.kind == "cause" and use.key == DVT for use in uses):
        trouble = Trouble(UnreadKind.PLACE, "its body site is not one this service knows", (DVT,))
        findings.report(said.name, [trouble])
    for cause, side in found:
        findings.diagnose(
            cause,
            side,
            said.onset,
            said.recorded,
            said.name,
            state=stands,
            possible=possible,
            reasoned=bool(said.model.note or said.model.evidence),
        )

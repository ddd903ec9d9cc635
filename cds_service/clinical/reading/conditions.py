"""Read Conditions: symptoms, risk factors and diagnoses, with their clinical and verification status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import DVT, POST_PARTUM, PREGNANCY, SUSPECTED_DVT, SUSPICION
from cds_service.clinical.reading.certainty import Certainty, may_say_more, uses_by_certainty
from cds_service.clinical.reading.dates import DAYS_OF_A_YEAR, is_past
from cds_service.clinical.reading.diagnoses import contradicts_place, diagnosed, dvt_of_unstated_place
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, codings, uses_of
from cds_service.clinical.reading.refuted_dvt import limit_of
from cds_service.clinical.reading.statements import (
    Statement,
    Trouble,
    lost_place,
    lost_side,
    meant,
    possible_only,
    state,
)
from cds_service.clinical.reading.statuses import CLINICAL, ENTERED_IN_ERROR, PAST, VERIFICATION, words_of
from cds_service.clinical.record import DiagnosisState, Side, Status, UnreadKind, When

ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_POSSIBLE = frozenset({"unconfirmed", "provisional", "differential"})
_VERIFIED = _POSSIBLE | {"confirmed", "refuted", ENTERED_IN_ERROR}
_BACK = frozenset({"recurrence", "relapse"})
_CURRENT = _BACK | {"active"}


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the findings and the diagnoses of one Condition share. ``uses``: the meanings of its codes."""

    model: Any
    uses: tuple[CodeUse, ...]
    name: str
    place: Place
    onset: When | None
    recorded: When | None
    possible: bool
    refuted: bool
    past: bool
    reasoned: bool


def read(model: Any, name: str, findings: Findings) -> None:
    """Read one validated Condition into ``findings``."""
    content = findings.content
    verification = _verification(model, name, findings)
    if verification == ENTERED_IN_ERROR:
        findings.set_aside.append("Condition entered-in-error")
        return
    coded = list(codings(model.code))
    if coded and all(content.is_sequela(system, code) for system, code in coded):
        findings.set_aside.append("Condition is a late effect of an old injury")
        return
    shared = _Shared(
        model=model,
        uses=(),
        name=name,
        place=findings.places.of(model).joined(findings.places.of_code(model.code)),
        onset=_onset(model, name, findings),
        recorded=findings.when(model.recordedDate or _asserted(model), name),
        possible=verification in _POSSIBLE,
        refuted=verification == "refuted",
        past=_is_over(model, name, findings),
        reasoned=_is_reasoned(model),
    )
    by_certainty = uses_by_certainty(content, model.code, model)
    if Certainty.UNKNOWN in by_certainty:
        reason = "says how certain it is in a way that this service does not know"
        findings.report(name, [Trouble(UnreadKind.STATUS, reason, _about(content, model.code))])
    for certainty, uses in by_certainty.items():
        group = _as_certain(replace(shared, uses=uses), certainty)
        _read_findings(group, findings)
        _read_diagnoses(group, findings)
    if reason := may_say_more(content, model.code):
        findings.report(name, [Trouble(UnreadKind.SYSTEM, reason, _about(content, model.code))])


def _as_certain(shared: _Shared, certainty: Certainty) -> _Shared:
    """Combine the certainty of the statuses with that of the codes; the less certain one counts.

    A code marked as excluded denies the finding. That is not a clinician's reason, so it does not close a suspicion.
    """
    return replace(
        shared,
        possible=shared.possible or certainty in (Certainty.POSSIBLE, Certainty.UNKNOWN),
        refuted=shared.refuted or certainty is Certainty.ABSENT,
        past=shared.past or certainty is Certainty.PAST,
        reasoned=shared.reasoned and certainty is not Certainty.ABSENT,
    )


def _words(concept: Any, system: str) -> frozenset[str]:
    codings = (concept.coding if concept is not None else None) or ()
    return words_of(((coding.system, coding.code) for coding in codings), system)


def _verification(model: Any, name: str, findings: Findings) -> str:
    """Return the verification status; "unconfirmed" if it is not understood or contradicts itself."""
    words = _words(model.verificationStatus, VERIFICATION)
    if model.verificationStatus is None:
        return "confirmed"
    if len(words) == 1 and words <= _VERIFIED:
        return next(iter(words))
    reason = "its verification statuses contradict each other" if words else "its verification status is not known"
    findings.report(name, [Trouble(UnreadKind.STATUS, reason, _about(findings.content, model.code))])
    return "unconfirmed"


def _is_over(model: Any, name: str, findings: Findings) -> bool:
    """Whether a clinical status or a past end date shows that the Condition is over.

    A DVT that is still marked as active stays open even if an end date is given (evidence F.5).
    """
    words = _words(model.clinicalStatus, CLINICAL)
    reason = ""
    if model.clinicalStatus is not None and not (words and words <= PAST | _CURRENT):
        reason = "its clinical status is no word of FHIR's list"
    elif words & PAST and words & _CURRENT:
        reason = "its clinical statuses contradict each other"
    elif words and words <= PAST:
        return True
    elif _has_abated(model, findings):
        about = _about(findings.content, model.code)
        if not words or SUSPICION.isdisjoint(about):
            return True
        reason = "its clinical status and the date of its end contradict each other"
    elif not words and _says_it_abated(model):
        reason = "says in words only that it is over"
    if reason:
        findings.report(name, [Trouble(UnreadKind.STATUS, reason, _about(findings.content, model.code))])
    return False


def _about(content: Content, concept: Any) -> tuple[str, ...]:
    """Return the findings and causes that ``concept`` names."""
    return tuple(sorted({use.key for use in uses_of(content, concept) if use.kind in ("finding", "cause")}))


def _asserted(model: Any) -> Any:
    """Return US Core's asserted date, which may be the only date."""
    dates = (extension.valueDateTime for extension in model.extension or () if extension.url == ASSERTED)
    return next((value for value in dates if value is not None), None)


def _onset(model: Any, name: str, findings: Findings) -> When | None:
    """Return the onset date; None for a recurrence, because its onset is not known."""
    if _words(model.clinicalStatus, CLINICAL) & _BACK:
        return None
    value = model.onsetDateTime
    if value is None and model.onsetPeriod is not None:
        value = model.onsetPeriod.start or model.onsetPeriod.end
    if value is None and model.onsetAge is not None and findings.birth and model.onsetAge.code == "a":
        return findings.at_age(model.onsetAge.value, name)
    return findings.when(value, name)


def _has_abated(model: Any, findings: Findings) -> bool:
    """Whether an abatement date or age that has passed shows that it is over. A future one does not."""
    period = model.abatementPeriod
    date_given = model.abatementDateTime or (period.end if period is not None else None)
    if date_given is not None:
        return is_past(date_given, findings.now)
    age = model.abatementAge
    if age is None or age.value is None or age.code != "a" or findings.birth is None:
        return False
    lived = (findings.today - findings.birth.day).days / DAYS_OF_A_YEAR
    return 0 <= float(age.value) <= lived


def _says_it_abated(model: Any) -> bool:
    names = ("abatementAge", "abatementRange", "abatementString")
    return any(getattr(model, name) is not None for name in names)


def _read_findings(shared: _Shared, findings: Findings) -> None:
    content = findings.content
    uses = shared.uses
    held = meant(content, uses, shared.place, answered=False)
    findings.report(shared.name, lost_place(uses, held, shared.place))
    if shared.past:
        if any(use.key == PREGNANCY for use in held):
            ended = findings.when(shared.model.abatementDateTime, shared.name)
            if ended is not None:
                findings.add([Statement(POST_PARTUM, Status.PRESENT, Side.BODY)], shared.name, ended, None)
        current = [use for use in held if content.findings[use.key].past_counts]
        findings.set_aside += ["Condition no longer active"] * (len(current) < len(held))
        held = current
    status = Status.ABSENT if shared.refuted else Status.PRESENT
    statements, troubles = state(content, held, shared.place, status)
    findings.report(shared.name, troubles)
    if shared.possible:
        # "Possible" is not "present". It may raise urgency, so possible symptoms and signs count for red flags only.
        kept = [
            statement
            for statement in statements
            if content.findings[statement.key].kind in ("symptom", "sign", "history")
        ]
        dropped = [statement for statement in statements if statement not in kept]
        findings.report(
            shared.name, possible_only(statement.key for statement in dropped if statement.status is Status.PRESENT)
        )
        statements = kept
    for statement in statements:
        provisional = shared.possible and statement.key != SUSPECTED_DVT
        findings.add(
            [statement], shared.name, shared.onset, shared.recorded, ongoing=not shared.past, provisional=provisional
        )


def _read_diagnoses(shared: _Shared, findings: Findings) -> None:
    content, uses = findings.content, shared.uses
    diagnosis_state = DiagnosisState.PAST if shared.past else DiagnosisState.CURRENT
    if shared.refuted:
        diagnosis_state = DiagnosisState.REFUTED
    possible = shared.possible
    causes = diagnosed(uses, shared.place)
    if dvt_of_unstated_place(uses, shared.place) and not any(cause == DVT for cause, _ in causes):
        possible = possible or diagnosis_state is DiagnosisState.CURRENT
        causes.append((DVT, shared.place.side_with(None) or Side.UNKNOWN))
    elif not causes and not shared.place.elsewhere and any(use.kind == "cause" and use.key == DVT for use in uses):
        trouble = Trouble(UnreadKind.PLACE, "its body site is not one this service knows", (DVT,))
        findings.report(shared.name, [trouble])
    for cause, side in causes:
        findings.report(shared.name, lost_side(shared.place, side, cause))
        if contradicts_place(uses, shared.place, cause):
            reason = "its code and its body site name different legs"
            findings.report(shared.name, [Trouble(UnreadKind.SIDE, reason, (cause,))])
        findings.diagnose(
            cause,
            side,
            shared.onset,
            shared.recorded,
            shared.name,
            state=diagnosis_state,
            possible=possible,
            reasoned=shared.reasoned,
            limit=limit_of(content, shared.model, uses, side) if cause == DVT and shared.refuted else None,
        )


def _is_reasoned(model: Any) -> bool:
    """Whether a note has text or the evidence refers to something."""
    if any(_says_something(note.text) for note in model.note or ()):
        return True
    return any(_points_to_something(evidence) for evidence in model.evidence or ())


def _points_to_something(evidence: Any) -> bool:
    concepts = evidence.code or ()
    coded = any(coding.code or _says_something(coding.display) for item in concepts for coding in item.coding or ())
    worded = any(_says_something(item.text) for item in concepts)
    named = any(item.reference or (item.identifier and item.identifier.value) for item in evidence.detail or ())
    return coded or worded or named


def _says_something(text: Any) -> bool:
    """Whether the text has a letter or a digit; blanks, invisible characters and dashes do not count."""
    return any(letter.isalnum() for letter in str(text or ""))

"""Conditions: symptoms, risks and diagnoses, with their clinical and verification status."""

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
from cds_service.clinical.reading.refutations import limit_of
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
class _Said:
    """What both readings of one Condition share. ``uses``: what those of its codes mean of which all this is so."""

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
    """Everything one validated Condition says."""
    content = findings.content
    verification = _verification(model, name, findings)
    if verification == ENTERED_IN_ERROR:
        findings.set_aside.append("Condition entered-in-error")
        return
    coded = list(codings(model.code))
    if coded and all(content.is_sequela(system, code) for system, code in coded):
        findings.set_aside.append("Condition is a late effect of an old injury")
        return
    said = _Said(
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
        one = _as_certain(replace(said, uses=uses), certainty)
        _read_findings(one, findings)
        _read_diagnoses(one, findings)
    if reason := may_say_more(content, model.code):
        findings.report(name, [Trouble(UnreadKind.SYSTEM, reason, _about(content, model.code))])


def _as_certain(said: _Said, certainty: Certainty) -> _Said:
    """What its statuses say, and what the codes say themselves: of two, what is less certain counts.

    A code that is marked as excluded says that it is not there. That is no clinician's reason, so it closes nothing.
    """
    return replace(
        said,
        possible=said.possible or certainty in (Certainty.POSSIBLE, Certainty.UNKNOWN),
        refuted=said.refuted or certainty is Certainty.ABSENT,
        past=said.past or certainty is Certainty.PAST,
        reasoned=said.reasoned and certainty is not Certainty.ABSENT,
    )


def _words(concept: Any, system: str) -> frozenset[str]:
    codings = (concept.coding if concept is not None else None) or ()
    return words_of(((coding.system, coding.code) for coding in codings), system)


def _verification(model: Any, name: str, findings: Findings) -> str:
    """The one verification status. What is not understood or contradicts itself is neither refuted nor an error."""
    words = _words(model.verificationStatus, VERIFICATION)
    if model.verificationStatus is None:
        return "confirmed"
    if len(words) == 1 and words <= _VERIFIED:
        return next(iter(words))
    reason = "its verification statuses contradict each other" if words else "its verification status is not known"
    findings.report(name, [Trouble(UnreadKind.STATUS, reason, _about(findings.content, model.code))])
    return "unconfirmed"


def _is_over(model: Any, name: str, findings: Findings) -> bool:
    """Whether a status of FHIR's list or a date in the past says so.

    A DVT whose own status still calls it active stays open whatever its date of end says (evidence F.5).
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
    """The findings and causes that ``concept`` names."""
    return tuple(sorted({use.key for use in uses_of(content, concept) if use.kind in ("finding", "cause")}))


def _asserted(model: Any) -> Any:
    """US Core's date of assertion, which may be the only date."""
    dates = (one.valueDateTime for one in model.extension or () if one.url == ASSERTED)
    return next((one for one in dates if one is not None), None)


def _onset(model: Any, name: str, findings: Findings) -> When | None:
    """When it began; of what has come back that is not known."""
    if _words(model.clinicalStatus, CLINICAL) & _BACK:
        return None
    value = model.onsetDateTime
    if value is None and model.onsetPeriod is not None:
        value = model.onsetPeriod.start or model.onsetPeriod.end
    if value is None and model.onsetAge is not None and findings.birth and model.onsetAge.code == "a":
        return findings.at_age(model.onsetAge.value, name)
    return findings.when(value, name)


def _has_abated(model: Any, findings: Findings) -> bool:
    """Whether a date or an age that the patient has passed says that it is over; one still to come does not."""
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


def _read_findings(said: _Said, findings: Findings) -> None:
    content = findings.content
    uses = said.uses
    held = meant(content, uses, said.place, answered=False)
    findings.report(said.name, lost_place(uses, held, said.place))
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
        lost = [one for one in statements if one not in kept]
        findings.report(said.name, possible_only(one.key for one in lost if one.status is Status.PRESENT))
        statements = kept
    for one in statements:
        provisional = said.possible and one.key != SUSPECTED_DVT
        findings.add([one], said.name, said.onset, said.recorded, ongoing=not said.past, provisional=provisional)


def _read_diagnoses(said: _Said, findings: Findings) -> None:
    content, uses = findings.content, said.uses
    stands = DiagnosisState.PAST if said.past else DiagnosisState.CURRENT
    if said.refuted:
        stands = DiagnosisState.REFUTED
    possible = said.possible
    found = diagnosed(uses, said.place)
    if dvt_of_unstated_place(uses, said.place) and not any(cause == DVT for cause, _ in found):
        possible = possible or stands is DiagnosisState.CURRENT
        found.append((DVT, said.place.side_with(None) or Side.UNKNOWN))
    elif not found and not said.place.elsewhere and any(use.kind == "cause" and use.key == DVT for use in uses):
        trouble = Trouble(UnreadKind.PLACE, "its body site is not one this service knows", (DVT,))
        findings.report(said.name, [trouble])
    for cause, side in found:
        findings.report(said.name, lost_side(said.place, side, cause))
        if contradicts_place(uses, said.place, cause):
            reason = "its code and its body site name different legs"
            findings.report(said.name, [Trouble(UnreadKind.SIDE, reason, (cause,))])
        findings.diagnose(
            cause,
            side,
            said.onset,
            said.recorded,
            said.name,
            state=stands,
            possible=possible,
            reasoned=said.reasoned,
            limit=limit_of(content, said.model, uses, side) if cause == DVT and said.refuted else None,
        )


def _is_reasoned(model: Any) -> bool:
    """Whether a note says something, or evidence points to something."""
    if any(_says_something(note.text) for note in model.note or ()):
        return True
    return any(_points_to_something(evidence) for evidence in model.evidence or ())


def _points_to_something(evidence: Any) -> bool:
    concepts = evidence.code or ()
    coded = any(coding.code or _says_something(coding.display) for one in concepts for coding in one.coding or ())
    worded = any(_says_something(one.text) for one in concepts)
    named = any(one.reference or (one.identifier and one.identifier.value) for one in evidence.detail or ())
    return coded or worded or named


def _says_something(text: Any) -> bool:
    """Whether there is a letter or a digit in it: blanks, invisible characters and dashes say nothing."""
    return any(letter.isalnum() for letter in str(text or ""))

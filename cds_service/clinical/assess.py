"""Assess one chart: gate, red flags, DVT pathway, differential (evidence F.1).

Pure: reads no clock and no files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from cds_service.clinical import differential, red_flags
from cds_service.clinical.assessment import (
    Assessment,
    DvtVerdict,
    LegAssessment,
    RankedCause,
    RedFlagVerdict,
    urgency_key,
)
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import (
    AGE_UNDER_18,
    CARE_PLAN,
    DVT,
    DVT_RULE,
    DVT_SUSPECTED,
    NEW_LEG_PAIN,
    ONE_LEG,
    PAEDIATRIC_RULE,
    PULMONARY_EMBOLISM,
    RUPTURED_CYST,
    RUPTURED_CYST_KNOWN,
    RUPTURED_CYST_SCAN,
)
from cds_service.clinical.derive import with_derived
from cds_service.clinical.doubt import doubts_of
from cds_service.clinical.dvt import pathway as dvt
from cds_service.clinical.leg import Leg, complaints, in_window, shows_dvt, symptomatic
from cds_service.clinical.record import DiagnosisState, Fact, Record, Side, Status

_PLACES = {"posterior", "swelling", "knee", "knee_sign", "back_of_thigh", "arterial"}
"""Kinds of complaint that lead to a differential."""
_FOR_TODAY = ("now", "same_day")


def assess(content: Content, record: Record, today: date) -> Assessment:
    """Assess the chart in ``record`` as of the day ``today``.

    Without a complaint that opens the gate, a DVT on record and a scan that shows one, the result has no legs, and
    ``silent_because`` gives the reason.
    """
    age = record.patient.age_on(today)
    under_18 = age is not None and age < content.reasoning.adult_from
    facts = with_derived(content, record, today)
    doubts = doubts_of(content, record, today)
    care_plan = _care_plan(content, facts, today)
    assessment = Assessment(record.patient, today, record, (), "", under_18, care_plan, content.version, doubts)
    if record.patient.deceased:
        return replace(assessment, silent_because="the patient has died")
    opened_by = complaints(content, facts, today, content.pathway.complaint.days)
    untreated = [
        diagnosis
        for diagnosis in record.diagnoses
        if diagnosis.cause == DVT and diagnosis.state is DiagnosisState.CURRENT
    ]
    if not opened_by and not untreated and not any(shows_dvt(content, fact, today) for fact in facts):
        return replace(assessment, silent_because=_why_no_complaint(content, record, facts))
    sides = symptomatic(content, facts, record.diagnoses, opened_by, today)
    legs = [
        _assess_leg(
            Leg(content, record.patient, today, side, len(sides) == 1, facts, record.diagnoses, record.orders, doubts),
            opened_by,
            under_18=under_18,
            care_plan=care_plan is not None,
            alike=_are_alike(opened_by, content),
        )
        for side in sides
    ]
    legs.sort(key=_worst_first)
    return replace(assessment, legs=tuple(legs), silent_because=_why_silent(legs, under_18=under_18))


def _care_plan(content: Content, facts: tuple[Fact, ...], today: date) -> Fact | None:
    """Return the palliative care plan in force, or None.

    The latest dated and final entry about palliative care decides. This is the only fact that may lower the urgency of
    a card (evidence F.5).
    """
    finding = content.findings[CARE_PLAN]
    window = finding.recency.days if finding.recency else None
    statements = [f for f in facts if f.key == CARE_PLAN and f.status is not Status.UNKNOWN and _is_sure(f)]
    latest = max(statements, key=lambda f: (f.when.day if f.when else today, f.status is Status.ABSENT), default=None)
    if latest is None or latest.status is not Status.PRESENT:
        return None
    return latest if latest.ongoing or in_window(latest, window, today) else None


def _is_sure(fact: Fact) -> bool:
    """Whether the fact is dated, final, not in the future, and fully understood."""
    return fact.when is not None and not fact.ahead and not fact.provisional and not fact.doubtful


def _why_no_complaint(content: Content, record: Record, facts: tuple[Fact, ...]) -> str:
    if any(fact.key in content.complaints and fact.status is Status.PRESENT for fact in facts):
        return "the complaint of the knee, calf or leg is too old to be current"
    if any(reason == "Condition no longer active" for reason, _ in record.set_aside):
        return "the complaint of the knee, calf or leg is no longer active"
    return "no current complaint of the knee, its back, the calf or the leg is recorded"


def _assess_leg(leg: Leg, opened_by: list[Fact], *, under_18: bool, care_plan: bool, alike: bool) -> LegAssessment:
    here = [fact for fact in opened_by if leg.is_here(fact.side)]
    verdict = dvt.judge(leg, adult=not under_18)
    flags = _red_flags(leg, verdict, under_18=under_18)
    if care_plan:
        flags = [replace(flag, indicator="warning") for flag in flags]
    kinds = {leg.content.findings[fact.key].complaint for fact in here if fact.when is not None}
    places = kinds & _PLACES
    ranked: list[RankedCause] = []
    treated: list[str] = []
    general = ("knee" in places and "posterior" not in places) or places == {"knee_sign"}
    if places and not care_plan and not any(flag.rule == PAEDIATRIC_RULE for flag in flags):
        ranked, treated = differential.rank(leg, general_knee_pain=general, alike=alike)
    if places == {"arterial"}:
        ranked = [cause for cause in ranked if cause.diagnosis or _rests_on_artery(leg.content, cause)]
    unexplained: tuple[Fact, ...] = ()
    # A red flag that can wait for days does not replace the question about DVT.
    for_today = any(flag.speed in _FOR_TODAY for flag in flags)
    if not (for_today or treated or shown_of(ranked) or under_18 or care_plan):
        unexplained = _unexplained(leg, verdict, here)
    at_prior: list[RankedCause] = []
    if unexplained and not verdict.swollen_alike:
        at_prior = differential.at_prior(leg, unexplained, alike=alike)
    return LegAssessment(
        side=leg.side,
        complaints=tuple(here),
        dvt=verdict,
        dvt_explained=differential.score(leg, DVT, general_knee_pain=False),
        red_flags=tuple(flags),
        differential=tuple(ranked),
        ask_next=differential.ask_next(leg, at_prior or shown_of(ranked)[:3], ranked),
        treated_causes=tuple(treated),
        orders=tuple(order for order in leg.orders if leg.is_here(order.side)),
        unexplained=unexplained,
        at_prior=tuple(at_prior),
    )


def _rests_on_artery(content: Content, cause: RankedCause) -> bool:
    """Whether calf pain on effort or a cold foot supports this cause."""
    return any(content.findings[contribution.finding].complaint == "arterial" for contribution in cause.for_it)


def _unexplained(leg: Leg, verdict: DvtVerdict, here: list[Fact]) -> tuple[Fact, ...]:
    """Return the complaints that need an answer although nothing recorded explains them.

    These are new pain behind the knee or in the calf, and calf pain on effort.
    """
    if verdict.swollen_alike:
        return tuple(fact for fact in verdict.swollen_alike if fact.when is not None)
    if verdict.suspected or verdict.closed_by:
        return ()
    kind = {fact: leg.content.findings[fact.key] for fact in (*verdict.new_pain, *here)}
    new = [fact for fact in verdict.new_pain if kind[fact].complaint == "posterior"]
    on_effort = [fact for fact in here if kind[fact].complaint == "arterial" and kind[fact].kind == "symptom"]
    return tuple(fact for fact in dict.fromkeys((*new, *on_effort)) if fact.when is not None)


def _are_alike(opened_by: list[Fact], content: Content) -> bool:
    """Whether the same complaints are recorded for both legs."""
    felt = [fact for fact in opened_by if content.findings[fact.key].kind == "symptom"]
    legs = [{fact.key for fact in felt if fact.side in (side, Side.BOTH)} for side in (Side.RIGHT, Side.LEFT)]
    return bool(legs[0]) and legs[0] == legs[1]


def _red_flags(leg: Leg, verdict: DvtVerdict, *, under_18: bool) -> list[RedFlagVerdict]:
    flags = red_flags.fired(leg, virtual_terms(leg, verdict, under_18=under_18), under_18=under_18)
    if under_18:
        flags = _for_a_child(flags, verdict)
    # If pulmonary embolism is suspected at "now" speed, the DVT suspicion becomes part of the same emergency.
    now = verdict.emergency or any(flag.cause == PULMONARY_EMBOLISM and flag.speed == "now" for flag in flags)
    level = "critical" if now and verdict.suspected else (verdict.level or "warning")
    verdicts = [
        RedFlagVerdict(f.rule, f.cause, f.side, level, "now" if now else f.speed, f.facts) if f.rule == DVT_RULE else f
        for f in flags
    ]
    return sorted(verdicts, key=urgency_key)


def virtual_terms(leg: Leg, verdict: DvtVerdict, *, under_18: bool) -> red_flags.Terms:
    """Return the terms used in red-flag rules that are not findings, each with whether it holds and its facts."""
    cyst = leg.diagnosis(RUPTURED_CYST)
    scan = leg.present(RUPTURED_CYST_SCAN)
    return {
        DVT_SUSPECTED: (verdict.suspected, verdict.opened_by),
        AGE_UNDER_18: (under_18, ()),
        RUPTURED_CYST_KNOWN: (cyst is not None or scan is not None, (scan,) if scan else ()),
        NEW_LEG_PAIN: (bool(verdict.new_pain), verdict.new_pain),
        ONE_LEG: (leg.alone, ()),
    }


def _for_a_child(flags: list[RedFlagVerdict], verdict: DvtVerdict) -> list[RedFlagVerdict]:
    """Replace the adult DVT rule for a patient under 18.

    The adult DVT pathway does not apply. A DVT suspicion leads to a same-day paediatric discussion instead (evidence
    C.4).
    """
    others = [flag for flag in flags if flag.rule != DVT_RULE]
    if verdict.suspected and not any(flag.rule == PAEDIATRIC_RULE for flag in others):
        others.append(RedFlagVerdict(PAEDIATRIC_RULE, DVT, verdict.side, "critical", "same_day", verdict.opened_by))
    return others


def _worst_first(leg: LegAssessment) -> tuple[int, int, float, str]:
    first = leg.red_flags[0] if leg.red_flags else None
    severity = 2 if first is None else (0 if any(f.indicator == "critical" for f in leg.red_flags) else 1)
    signs = len(leg.dvt.opened_by)
    best = max((cause.posterior for cause in leg.differential), default=0.0)
    return (severity, -signs, -best, leg.side.value)


def _why_silent(legs: list[LegAssessment], *, under_18: bool) -> str:
    if any(leg.red_flags or shown(leg) or leg.unexplained for leg in legs):
        return ""
    closed = next((leg.dvt.closed_by for leg in legs if leg.dvt.closed_by), "")
    if closed:
        return closed
    if under_18:
        return "under 18 without a red flag"
    if any(leg.treated_causes for leg in legs):
        return "the cause is diagnosed and under treatment"
    return "nothing recorded points to a cause"


def shown(leg: LegAssessment) -> list[RankedCause]:
    """Return the causes to show on a card: those at least "possible"."""
    return shown_of(leg.differential)


def shown_of(ranked: Iterable[RankedCause]) -> list[RankedCause]:
    return [cause for cause in ranked if cause.band != "low"]

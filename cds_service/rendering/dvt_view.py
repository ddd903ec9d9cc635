"""What the summary, the detail and the orders of a DVT card all ask of a verdict."""

from __future__ import annotations

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Wells, WellsRead
from cds_service.clinical.content.models import RedFlagCard
from cds_service.clinical.content.names import DVT, DVT_RULE, ISCHAEMIA, PULMONARY_EMBOLISM, SCAN
from cds_service.clinical.record import Diagnosis, Fact
from cds_service.rendering.call import Call
from cds_service.rendering.layout import Item
from cds_service.rendering.wording import Wording


def is_urgent_now(call: Call, leg: LegAssessment) -> bool:
    """Whether it is for now, not for today."""
    return leg.dvt.emergency or emergency_rule(call, leg) is not None


def emergency_rule(call: Call, leg: LegAssessment) -> RedFlagCard | None:
    """The words of the rule for now that fires beside the suspicion, where one does: what to do first."""
    flags = [flag for flag in leg.red_flags if flag.speed == "now" and flag.rule != DVT_RULE]
    causes = (DVT, PULMONARY_EMBOLISM, *(ISCHAEMIA if leg.dvt.emergency else ()))
    own = [flag for flag in flags if flag.cause in causes and flag.rule not in call.switched_off]
    return call.content.red_flags[own[0].rule].card if own else None


def is_proven(verdict: DvtVerdict) -> bool:
    """Whether a scan shows it: then it is treated, and needs no other test (evidence C.2)."""
    return isinstance(verdict.recorded_dvt, Fact) and verdict.recorded_dvt.key == SCAN


def goes_to_scan(verdict: DvtVerdict) -> bool:
    """Whether no further D-dimer helps: on an anticoagulant, after a long time, or because one is raised already."""
    return verdict.scan_only or verdict.raised_d_dimer is not None


def medicines_lack(call: Call) -> bool:
    """Whether the medicines did not come whole."""
    return "medications" in call.assessment.record.not_whole


def reasons_of(call: Call, leg: LegAssessment) -> tuple[Fact, ...]:
    """The reasons, the strongest first: what was measured, then signs, then risks; the complaint itself last."""
    verdict, scored = leg.dvt, call.content.wells_findings

    def rank(fact: Fact) -> int:
        if fact.measured or fact.key in scored:
            return 0
        return 2 if fact in verdict.complaints else 1

    signs = sorted(verdict.opened_by, key=rank)
    raised = [verdict.raised_d_dimer] if verdict.raised_d_dimer else []
    return (*chest_facts(leg), *raised, *signs, *risk_facts(verdict), *verdict.complaints)


def chest_facts(leg: LegAssessment) -> list[Fact]:
    """What makes one think of an embolism besides the leg."""
    flags = [flag for flag in leg.red_flags if flag.cause == PULMONARY_EMBOLISM]
    return [fact for flag in flags for fact in flag.facts if fact not in leg.dvt.opened_by]


def risk_facts(verdict: DvtVerdict) -> list[Fact]:
    """Facts behind the score, and those that change the pathway."""
    scored = [item.fact for item in verdict.wells.scored if item.fact] if verdict.wells else []
    return [*scored, *(fact for fact in (verdict.pregnant, verdict.cancer, verdict.anticoagulant) if fact)]


def wells_words(wording: Wording, wells: Wells) -> str:
    """``Wells 4 to 6``; a single number only when every item is recorded."""
    texts = wording.texts.score
    if wells.complete:
        return texts.exact.fill(points=wells.least)
    return texts.between.fill(least=wells.least, most=wells.most)


def item_name(call: Call, item: WellsRead) -> str:
    """The name of an item in the language of the reader."""
    return next(one.name for one in call.content.pathway.items if one.number == item.number)


def diagnosis_item(call: Call, diagnosis: Diagnosis) -> Item:
    """A recorded diagnosis as a reason."""
    title = call.content.short(diagnosis.cause)
    return Item(call.content.texts.fact.diagnosis.fill(title=title), 0, call.wording.day(diagnosis.when))

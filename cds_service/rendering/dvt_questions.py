"""Questions about a DVT verdict that the summary, the detail and the orders of a DVT card share."""

from __future__ import annotations

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Wells, WellsRead
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import RedFlagCard
from cds_service.clinical.content.names import DVT, DVT_RULE, ISCHAEMIA, PULMONARY_EMBOLISM, SCAN
from cds_service.clinical.record import Diagnosis, Fact
from cds_service.rendering.call import Call
from cds_service.rendering.layout import Item
from cds_service.rendering.wording import Wording, capital


def is_urgent_now(call: Call, leg: LegAssessment) -> bool:
    """Return whether action is needed now, not only today."""
    return leg.dvt.emergency or emergency_rule(call, leg) is not None


def emergency_rule(call: Call, leg: LegAssessment) -> RedFlagCard | None:
    """Return the card of a rule with speed ``now`` that fires with the DVT suspicion; None if there is none.

    It says what to do first.
    """
    flags = [flag for flag in leg.red_flags if flag.speed == "now" and flag.rule != DVT_RULE]
    causes = (DVT, PULMONARY_EMBOLISM, *(ISCHAEMIA if leg.dvt.emergency else ()))
    own = [flag for flag in flags if flag.cause in causes and flag.rule not in call.switched_off]
    return call.content.red_flags[own[0].rule].card if own else None


def is_proven(verdict: DvtVerdict) -> bool:
    """Return whether a scan has proven the DVT. Then it is treated without further tests (evidence C.2)."""
    return isinstance(verdict.recorded_dvt, Fact) and verdict.recorded_dvt.key == SCAN


def goes_to_scan(verdict: DvtVerdict) -> bool:
    """Return whether another D-dimer cannot help: on an anticoagulant, after a long time, or if one is raised."""
    return verdict.scan_only or verdict.raised_d_dimer is not None


def medicines_lack(call: Call) -> bool:
    """Return whether the medicines of the chart are incomplete."""
    return "medications" in call.assessment.record.not_whole


def reasons_of(call: Call, leg: LegAssessment) -> tuple[Fact, ...]:
    """Return the reasons, strongest first: what was measured, then signs, then risks; the complaint itself last."""
    verdict, scored = leg.dvt, call.content.wells_findings
    complaints = frozenset(verdict.complaints)

    def rank(fact: Fact) -> int:
        if fact.measured or fact.key in scored:
            return 0
        return 2 if fact in complaints else 1

    signs = sorted(verdict.opened_by, key=rank)
    raised = [verdict.raised_d_dimer] if verdict.raised_d_dimer else []
    return (*chest_facts(leg), *raised, *signs, *risk_facts(verdict), *verdict.complaints)


def chest_facts(leg: LegAssessment) -> list[Fact]:
    """Return the facts that suggest a pulmonary embolism, except those of the leg."""
    flags = [flag for flag in leg.red_flags if flag.cause == PULMONARY_EMBOLISM]
    signs = frozenset(leg.dvt.opened_by)
    return [fact for flag in flags for fact in flag.facts if fact not in signs]


def risk_facts(verdict: DvtVerdict) -> list[Fact]:
    """Return the facts behind the score and the facts that change the pathway."""
    scored = [item.fact for item in verdict.wells.scored if item.fact] if verdict.wells else []
    return [*scored, *changing_facts(verdict)]


def changing_facts(verdict: DvtVerdict) -> list[Fact]:
    """Return the facts that change the pathway (evidence C.4)."""
    facts = (verdict.pregnant, verdict.cancer, verdict.injecting, verdict.anticoagulant)
    return [fact for fact in facts if fact]


def wells_words(wording: Wording, wells: Wells) -> str:
    """Return the score in words: ``Wells 4 to 6``, or a single number if every item is recorded."""
    texts = wording.texts.score
    if wells.complete:
        return texts.exact.fill(points=wells.least)
    return texts.between.fill(least=wells.least, most=wells.most)


def item_name(content: Content, item: WellsRead) -> str:
    """Return the name of an item in the language of the reader."""
    return next(named.name for named in content.pathway.items if named.number == item.number)


def not_counted_words(content: Content, item: WellsRead) -> str:
    """Return in words that an item is stated and yet not subtracted."""
    return content.texts.score.not_counted.fill(item=capital(item_name(content, item)))


def diagnosis_item(call: Call, diagnosis: Diagnosis) -> Item:
    """Return a recorded diagnosis as an item of a card."""
    title = call.content.short(diagnosis.cause)
    return Item(call.content.texts.fact.diagnosis.fill(title=title), 0, call.wording.day(diagnosis.when))

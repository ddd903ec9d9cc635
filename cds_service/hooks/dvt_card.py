"""The DVT card: why it shows, what is not recorded, what the guideline offers, and the referral order."""

from __future__ import annotations

from typing import Literal

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Wells
from cds_service.clinical.content import ASSERTED_ITEM, RedFlagCard
from cds_service.clinical.names import D_DIMER_ORDER, DVT, DVT_RULE, POST_PARTUM, PREGNANCY, PULMONARY_EMBOLISM
from cds_service.clinical.record import Diagnosis, Fact, PlacedOrder, Side
from cds_service.hooks.messages import Card, Suggestion
from cds_service.hooks.not_understood import counted, why
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import OrderReason, already_placed, order_link, placed_sentence, suggest
from cds_service.hooks.parts import Call, card, care_plan_line, closing_line, lacking_line, priority_for, proposed
from cds_service.hooks.prefetch import NAMES
from cds_service.hooks.wording import day_words, facts_words, listed, short_name

_MOST_FACTS = 7


def dvt_card(call: Call, leg: LegAssessment, other_legs: tuple[Side, ...]) -> Card:
    """The card for the worse leg; ``other_legs`` with an open suspicion of their own are named on it."""
    verdict = leg.dvt
    level: Literal["critical", "warning"] = "warning" if call.assessment.care_plan else (verdict.level or "warning")
    if _is_urgent_now(call, leg) and not call.assessment.care_plan:
        level = "critical"
    suggestions, placed = _orders(call, leg, level)
    return card(
        call,
        key=DVT_RULE,
        leg=Side.BOTH if other_legs else leg.side,
        topic="kneedvt1",
        summary=_summary(call, leg, other_legs),
        lines=_lines(call, leg, other_legs, placed),
        indicator=level,
        source=call.content.pathway.title,
        suggestions=suggestions,
        standing=placed_sentence(call.content, placed, call.assessment.today, active_only=True),
        links=[order_link(call.content, referral_draft(call, leg, level), call.base_url, call.order_url)],
        facts=(*_chest_facts(leg), *verdict.opened_by, *verdict.complaints, *_risk_facts(verdict)),
        verdicts=[verdict.why_level, "emergency" if verdict.emergency else "", *verdict.notes],
    )


def _is_urgent_now(call: Call, leg: LegAssessment) -> bool:
    return leg.dvt.emergency or _emergency_rule(call, leg) is not None


def wells_words(wells: Wells) -> str:
    """``Wells 4 to 6``; a single number only when every item is recorded."""
    if wells.complete:
        return f"Wells {wells.least}"
    return f"Wells {wells.least} to {wells.most}"


def _summary(call: Call, leg: LegAssessment, other_legs: tuple[Side, ...]) -> str:
    pathway, verdict = call.content.pathway, leg.dvt
    where = Side.BOTH.words if other_legs else verdict.side.words
    if call.assessment.care_plan:
        return f"Suspected DVT, {where}, palliative care only recorded: consider assessment today within the care plan."
    if verdict.emergency:
        return f"Suspected DVT{_dangers(call, leg)}, {where}: {pathway.emergency_call}."
    if asks := _emergency_rule(call, leg):
        return asks.summary.format(side=where)
    if verdict.recorded_dvt is not None:
        return f"DVT recorded without an anticoagulant in the chart, {where}: consider the DVT service today."
    if verdict.pregnant:
        state = _state(call, verdict.pregnant)
        return f"Suspected DVT {state}, {where}: consider same-day maternity triage and compression duplex."
    if verdict.only_stale and verdict.level == "warning":
        sign = verdict.unresolved[0]
        what = f"{short_name(call.content, sign.key)} from {day_words(sign.when, call.assessment.today)}"
        return f"DVT not excluded, {where}: unresolved {what}; consider re-examining today."
    wells = f"; {wells_words(verdict.wells)}{_open_items(verdict.wells)}" if verdict.wells else ""
    if verdict.level == "critical":
        return f"Suspected DVT, {where}: consider same-day assessment, {pathway.clock}{wells}."
    if verdict.soft_alone and not verdict.scan_only and verdict.wells and not verdict.wells.complete:
        return f"DVT not excluded, {where}: {pathway.score_first}{wells}."
    return f"DVT not excluded, {where}: consider {_first_test(call, verdict)} today{wells}."


def _first_test(call: Call, verdict: DvtVerdict) -> str:
    if verdict.scan_only or verdict.cancer:
        return "a leg vein scan"
    least = verdict.wells.least if verdict.wells else 0
    if least > call.content.pathway.excluded_by_d_dimer_at_most:
        return "leg vein ultrasound"
    return call.content.pathway.first_test


def _open_items(wells: Wells) -> str:
    count = len(wells.not_recorded)
    return f", {count} item{'s' if count > 1 else ''} not recorded" if count else ""


def _state(call: Call, pregnant: Fact) -> str:
    """Pregnancy or childbed, by the fact that was found."""
    states = {PREGNANCY: "in pregnancy", POST_PARTUM: "after delivery"}
    return states.get(pregnant.key) or f"with {short_name(call.content, pregnant.key)}"


def _dangers(call: Call, leg: LegAssessment) -> str:
    """What makes it an emergency, by the rules that fire for this leg; empty if no rule has words for it."""
    cards = [call.content.red_flags[rule].card for rule in sorted(flag.rule for flag in leg.red_flags)]
    dangers = list(dict.fromkeys(one.danger for one in cards if one.danger))
    return f" with {listed(dangers)}" if dangers else ""


def _emergency_rule(call: Call, leg: LegAssessment) -> RedFlagCard | None:
    """The words of the rule for now that fires beside the suspicion, where one does: what to do first."""
    flags = [flag for flag in leg.red_flags if flag.speed == "now" and flag.rule != DVT_RULE]
    own = [flag for flag in flags if flag.cause in (DVT, PULMONARY_EMBOLISM) and flag.rule not in call.switched_off]
    return call.content.red_flags[own[0].rule].card if own else None


def _lines(
    call: Call, leg: LegAssessment, other_legs: tuple[Side, ...], placed: list[PlacedOrder]
) -> list[tuple[int, str]]:
    verdict, content, today = leg.dvt, call.content, call.assessment.today
    shown = (*_chest_facts(leg), *verdict.opened_by, *verdict.complaints, *_risk_facts(verdict))
    why = facts_words(content, shown, today, leg.side, _MOST_FACTS)
    if isinstance(verdict.recorded_dvt, Diagnosis):
        why = f"DVT diagnosis {day_words(verdict.recorded_dvt.when, today)}" + (f"; {why}" if why else "")
    return [
        (0, lacking_line(call)),
        (0, care_plan_line(call)),
        (0, f"**Why this shows** - {leg.side.words}: {why}."),
        (0, _score_line(verdict)),
        (0, _not_closed(call, verdict)),
        (0, " ".join(verdict.notes)),
        (1, _second_leg(other_legs)),
        (0, _not_recorded(verdict)),
        (0, _what_to_do(call, leg)),
        (0, _caution(call, verdict)),
        (0, placed_sentence(call.content, placed, call.assessment.today)),
        (0, f"**Also consider** - {content.pathway.also_consider}. Breathless or chest pain: assess for PE now."),
        (2, _by_hand(call, verdict)),
        (0, closing_line(call, DVT_RULE)),
    ]


def _chest_facts(leg: LegAssessment) -> list[Fact]:
    """What makes one think of an embolism besides the leg."""
    flags = [flag for flag in leg.red_flags if flag.cause == PULMONARY_EMBOLISM]
    return [fact for flag in flags for fact in flag.facts if fact not in leg.dvt.opened_by]


def _risk_facts(verdict: DvtVerdict) -> list[Fact]:
    """Facts behind the score, and those that change the pathway."""
    scored = [item.fact for item in verdict.wells.scored if item.fact] if verdict.wells else []
    return [*scored, *(fact for fact in (verdict.pregnant, verdict.cancer, verdict.anticoagulant) if fact)]


def _score_line(verdict: DvtVerdict) -> str:
    if verdict.wells is None:
        when = " in pregnancy and for 6 weeks after delivery" if verdict.pregnant else ""
        return f"**Wells score does not apply**{when}."
    names = [f"{item.name} {item.points:+d}" for item in verdict.wells.scored]
    matched = listed(names) if names else "no item recorded as present"
    return f"**{wells_words(verdict.wells)}** - chart matches: {matched}."


def _not_closed(call: Call, verdict: DvtVerdict) -> str:
    """What would have closed the suspicion, and what keeps it open: something that could contradict is not known."""
    if not verdict.not_closed_by:
        return ""
    doubts = call.assessment.doubts
    missing = [f"{counted(doubts.closing)} {why(doubts.closing)}"] if doubts.closing else []
    missing += [f"{listed([NAMES[key] for key in sorted(doubts.not_whole)])} not available"] if doubts.not_whole else []
    return f"**Not closed**, although {verdict.not_closed_by}: {'; '.join(missing)}."


def anticoagulant_words(call: Call, verdict: DvtVerdict) -> str:
    """Whether an anticoagulant is taken, as far as the chart proves it. Not known is never "none"."""
    if verdict.anticoagulated:
        return "Taking an anticoagulant."
    if verdict.anticoagulant:
        return "Anticoagulant: recorded; whether it is still taken is not known."
    unknown = call.assessment.doubts.medicines
    if unknown:
        return f"Anticoagulant: not known ({counted(unknown)} could not be identified)."
    if "medications" in call.assessment.record.not_whole:
        return "Anticoagulant: not known (medicines were not available)."
    return "No anticoagulant in the chart sent."


def _second_leg(other_legs: tuple[Side, ...]) -> str:
    if not other_legs:
        return ""
    return f"The {listed([side.words for side in other_legs])} has signs of its own; the worse leg is scored."


def _not_recorded(verdict: DvtVerdict) -> str:
    if verdict.wells is None or verdict.wells.complete:
        return ""
    history = [item.name for item in verdict.wells.not_recorded if not item.examine]
    examine = [item.name for item in verdict.wells.not_recorded if item.examine]
    parts = []
    if history:
        parts.append(f"**Not recorded** - {', '.join(history)}.")
    open_one = next((one for one in verdict.wells.items if one.number == ASSERTED_ITEM and not one.fact), None)
    question = f"; is {open_one.name} ({open_one.points:+d})?" if open_one else ""
    if examine:
        parts.append(f"**Needs your examination** - {', '.join(examine)}{question}")
    return " ".join(parts)


def _what_to_do(call: Call, leg: LegAssessment) -> str:
    """Steps for now where it is an emergency, and no steps for outpatients beside them."""
    now = _emergency_rule(call, leg)
    options = now.do if now else _options(call, leg.dvt)
    return f"**{'Now' if now else 'Guideline options'}**" + "".join(f"\n- {option}" for option in options)


def _options(call: Call, verdict: DvtVerdict) -> list[str]:
    """Options of the pathway's own bands that the score can still fall in, the highest first."""
    pathway = call.content.pathway
    if verdict.wells is None:
        return list(pathway.pregnancy_options)
    if verdict.scan_only:
        return list(pathway.scan_options)
    if verdict.recorded_dvt is not None:
        return list(pathway.bands[0].options)
    least, most = verdict.wells.least, verdict.wells.most
    found: list[str] = []
    upper = 100
    for band in pathway.bands:
        if most >= band.at_least and least <= upper:
            found += band.options
        upper = band.at_least - 1
    return found


def _caution(call: Call, verdict: DvtVerdict) -> str:
    pathway = call.content.pathway
    if verdict.anticoagulant:
        return pathway.anticoagulated
    if verdict.scan_only:
        return pathway.long_standing
    return pathway.cancer if verdict.cancer else ""


def _by_hand(call: Call, verdict: DvtVerdict) -> str:
    if call.assessment.care_plan:
        return ""
    side = verdict.side.words if verdict.side in (Side.LEFT, Side.RIGHT) else "the side"
    return f"If ordering by hand, state: same day, {side}, suspected DVT; and telephone."


def _order_keys(call: Call, leg: LegAssessment) -> tuple[str, ...]:
    pathway, verdict = call.content.pathway, leg.dvt
    if _is_urgent_now(call, leg):
        return pathway.emergency_orders
    if verdict.pregnant:
        return pathway.pregnancy_orders
    if verdict.scan_only or verdict.recorded_dvt is not None:
        return tuple(key for key in pathway.orders if key != D_DIMER_ORDER)
    if verdict.level == "warning" and D_DIMER_ORDER in pathway.orders:
        return (D_DIMER_ORDER, *(key for key in pathway.orders if key != D_DIMER_ORDER))
    return pathway.orders


def _orders(
    call: Call, leg: LegAssessment, level: Literal["critical", "warning"]
) -> tuple[list[Suggestion], list[PlacedOrder]]:
    """Draft orders, and the ones that stand already."""
    verdict, content, today = leg.dvt, call.content, call.assessment.today
    reason = _reason(call, leg, level)
    newest = max((fact.when.day for fact in verdict.opened_by if fact.when), default=None)
    suggestions: list[Suggestion] = []
    placed: list[PlacedOrder] = []
    for key in _order_keys(call, leg):
        standing = already_placed(content, key, leg, DVT, today, newest)
        if standing:
            placed.append(standing)
        elif not call.assessment.care_plan:
            suggestions.append(suggest(content, key, leg.side, reason, call.context, today))
    return suggestions, placed


def _reason(call: Call, leg: LegAssessment, level: Literal["critical", "warning"]) -> OrderReason:
    verdict = leg.dvt
    return OrderReason(
        cause=DVT,
        words="suspected DVT",
        facts=(*verdict.opened_by, *verdict.complaints, *_risk_facts(verdict)),
        note=_note(call, verdict),
        priority=priority_for("now" if _is_urgent_now(call, leg) else "same_day", level),
    )


def referral_draft(call: Call, leg: LegAssessment, level: Literal["critical", "warning"]) -> OrderDraft:
    """What the card's link leads to: the referral, whatever test the card offers first."""
    verdict = leg.dvt
    keys = _order_keys(call, leg)
    referral = next(key for key in keys if key != D_DIMER_ORDER)
    items = verdict.wells.not_recorded if verdict.wells else ()
    reason = _reason(call, leg, level)
    return proposed(
        call,
        DVT_RULE,
        reason,
        (referral, *(key for key in keys if key != referral)),
        leg.side,
        note=_recorded(call, verdict),
        unknown=[item.name for item in items],
        anticoagulated=verdict.anticoagulated,
    )


def _note(call: Call, verdict: DvtVerdict) -> str:
    return f"Side: {verdict.side.words}. {_recorded(call, verdict)} {anticoagulant_words(call, verdict)}"


def _recorded(call: Call, verdict: DvtVerdict) -> str:
    """What is known and what is not, but for side and anticoagulant, which an order states for itself."""
    parts = []
    if verdict.wells:
        missing = ", ".join(item.name for item in verdict.wells.not_recorded)
        parts.append(f"{wells_words(verdict.wells)}" + (f"; not recorded: {missing}." if missing else ", all items."))
    known = (*verdict.opened_by, *verdict.complaints)
    facts = facts_words(call.content, known, call.assessment.today, verdict.side, 6)
    parts.append(f"Recorded: {facts}." if facts else "")
    if verdict.pregnant:
        parts.append("Pregnant or within 6 weeks after delivery.")
    parts.append("Renal function was not checked by this service.")
    return " ".join(part for part in parts if part)

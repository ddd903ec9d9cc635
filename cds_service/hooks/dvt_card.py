"""The DVT card: what to consider today, why, what to check now, what is not recorded, and the referral order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Note, Wells, WellsRead
from cds_service.clinical.content import ASSERTED_ITEM, Band, RedFlagCard
from cds_service.clinical.dvt import closed_words
from cds_service.clinical.names import (
    D_DIMER_ORDER,
    DVT,
    DVT_RULE,
    ISCHAEMIA,
    POST_PARTUM,
    PREGNANCY,
    PULMONARY_EMBOLISM,
    SCAN,
    TEST_ORDERS,
)
from cds_service.clinical.numbers import bands_of
from cds_service.clinical.record import Diagnosis, Fact, PlacedOrder, Side
from cds_service.clinical.texts import Message
from cds_service.hooks.frame import (
    SUMMARY_LIMIT,
    Call,
    card,
    care_plan_part,
    priority_for,
    proposed,
    speed_lead,
)
from cds_service.hooks.layout import Item, Part, part
from cds_service.hooks.messages import Card, Suggestion
from cds_service.hooks.not_understood import counted, why
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import OrderReason, already_placed, order_link, placed_sentence, suggest
from cds_service.hooks.wording import Wording, capital, in_sentence, whole

_WIDE = 8
"""A score that may still be anything is no score: from this width on it is told as not yet scorable."""
_REASONS_THAT_STAY = 4
_REASONS_IN_SUMMARY = 4


def dvt_card(call: Call, leg: LegAssessment, others: Sequence[LegAssessment] = ()) -> Card:
    """The card for the worse leg; ``others`` with an open suspicion of their own are named on it, and ordered for."""
    verdict, legs = leg.dvt, (leg, *others)
    other_legs = tuple(one.side for one in others)
    level: Literal["critical", "warning"] = "warning" if call.assessment.care_plan else (verdict.level or "warning")
    if _is_urgent_now(call, leg) and not call.assessment.care_plan:
        level = "critical"
    reason = _reason(call, leg, level)
    suggestions, placed = _orders(call, legs, reason)
    return card(
        call,
        key=DVT_RULE,
        leg=Side.BOTH if other_legs else leg.side,
        topic="kneedvt1",
        summary=_summary(call, leg, other_legs, placed),
        parts=_parts(call, leg, other_legs, placed),
        indicator=level,
        source=call.content.pathway.title,
        suggestions=suggestions,
        standing=placed_sentence(call.wording, placed, active_only=True),
        links=[order_link(call.content, _referral(call, legs, reason), call.base_url, call.order_url)],
        facts=(*_chest_facts(leg), *verdict.opened_by, *verdict.complaints, *_risk_facts(verdict)),
        verdicts=[verdict.why_level, "emergency" if verdict.emergency else "", *map(str, verdict.notes)],
    )


def _is_urgent_now(call: Call, leg: LegAssessment) -> bool:
    return leg.dvt.emergency or _emergency_rule(call, leg) is not None


def wells_words(wording: Wording, wells: Wells) -> str:
    """``Wells 4 to 6``; a single number only when every item is recorded."""
    texts = wording.texts.score
    if wells.complete:
        return texts.exact.fill(points=wells.least)
    return texts.between.fill(least=wells.least, most=wells.most)


def with_reasons(call: Call, lead: str, reasons: Sequence[str]) -> str:
    """A summary with as many of the reasons as it holds, in one sentence."""
    more, start = call.content.texts.dvt.summary_more, lead.rstrip(".")
    some = [", ".join(reasons[:count]) for count in range(len(reasons), 0, -1)]
    return whole([*(more.fill(summary=start, facts=facts) for facts in some), lead], SUMMARY_LIMIT)


def item_name(call: Call, item: WellsRead) -> str:
    """The name of an item in the language of the reader."""
    return next(one.name for one in call.content.pathway.items if one.number == item.number)


def _short_score(call: Call, wells: Wells) -> str:
    """The score for a summary: ``Wells at least 4``; a range that holds nearly every score is said to be none."""
    texts = call.content.texts.score
    if wells.complete:
        return texts.exact.fill(points=wells.least)
    if wells.least >= call.content.pathway.critical_at:
        return texts.at_least.fill(points=wells.least)
    if wells.most - wells.least >= _WIDE:
        return texts.open.fill()
    return texts.between.fill(least=wells.least, most=wells.most)


# --- the summary ---


def _summary(call: Call, leg: LegAssessment, other_legs: tuple[Side, ...], placed: Sequence[PlacedOrder]) -> str:
    """What to do, and the strongest reasons as far as there is room for whole ones."""
    if asks := _emergency_rule(call, leg):
        lead = asks.summary.format(side=_where(call, leg, other_legs))
        if not call.assessment.care_plan and not leg.dvt.emergency:
            return lead
    lead = _lead(call, leg, _where(call, leg, other_legs), placed)
    facts = [fact for one in _shown(call, leg) for fact in one.stated]
    reasons = list(dict.fromkeys(call.wording.fact(fact) for fact in facts))[:_REASONS_IN_SUMMARY]
    return with_reasons(call, lead, reasons)


def _where(call: Call, leg: LegAssessment, other_legs: tuple[Side, ...]) -> str:
    return call.wording.side(Side.BOTH if other_legs else leg.dvt.side)


def _lead(call: Call, leg: LegAssessment, where: str, placed: Sequence[PlacedOrder]) -> str:
    texts, pathway, verdict, wording = call.content.texts.dvt, call.content.pathway, leg.dvt, call.wording
    if call.assessment.care_plan:
        return texts.summary_palliative.fill(side=where)
    if verdict.emergency:
        dangers = _dangers(call, leg)
        if dangers:
            return texts.summary_danger.fill(dangers=dangers, side=where, act=pathway.emergency_call)
        return texts.summary_no_score.fill(side=where, act=pathway.emergency_call)
    if ordered := _awaited(call, placed):
        title = in_sentence(call.content.orders[ordered.order].title)
        return texts.summary_ordered.fill(side=where, order=title, day=wording.day(ordered.when))
    if verdict.recorded_dvt is not None:
        known = not (verdict.anticoagulant or call.assessment.doubts.medicines or _medicines_lack(call))
        return (texts.summary_untreated if known else texts.summary_recorded).fill(side=where)
    if verdict.pregnant:
        return texts.summary_pregnant.fill(state=_state(call, verdict.pregnant), side=where, act=pathway.act_pregnant)
    if verdict.only_stale and verdict.level == "warning":
        sign = verdict.unresolved[0]
        return texts.summary_stale.fill(side=where, sign=wording.fact(sign), day=wording.day(sign.when))
    return _scored(call, verdict, where)


def _scored(call: Call, verdict: DvtVerdict, where: str) -> str:
    texts, act = call.content.texts.dvt, _act(call, verdict)
    if verdict.wells is None:
        return texts.summary_no_score.fill(side=where, act=act)
    message = texts.summary if verdict.level == "critical" else texts.summary_low
    return message.fill(side=where, score=_short_score(call, verdict.wells), act=act)


def _is_proven(verdict: DvtVerdict) -> bool:
    """Whether a scan shows it: then it is treated, and needs no other test (evidence C.2)."""
    return isinstance(verdict.recorded_dvt, Fact) and verdict.recorded_dvt.key == SCAN


def _act(call: Call, verdict: DvtVerdict) -> str:
    """What to consider by the pathway, with the score as far as it is known."""
    pathway, wells = call.content.pathway, verdict.wells
    likely = wells is not None and wells.least >= pathway.critical_at
    if verdict.level == "critical":
        return pathway.act if likely else pathway.act_open
    if _goes_to_scan(verdict) or verdict.cancer or (wells and wells.least > pathway.excluded_by_d_dimer_at_most):
        return pathway.act_scan
    if verdict.soft_alone and wells and not wells.complete:
        return pathway.act_score
    return pathway.act_d_dimer


def _goes_to_scan(verdict: DvtVerdict) -> bool:
    """Whether no further D-dimer helps: on an anticoagulant, after a long time, or because one is raised already."""
    return verdict.scan_only or verdict.raised_d_dimer is not None


def _awaited(call: Call, placed: Sequence[PlacedOrder]) -> PlacedOrder | None:
    """An order that is being carried out, the preferred one of the pathway first."""
    return next((one for one in placed if one.active and call.content.orders[one.order].same_day), None)


def _state(call: Call, pregnant: Fact) -> str:
    """Pregnancy or childbed, by the fact that was found."""
    texts = call.content.texts.dvt
    states = {PREGNANCY: texts.in_pregnancy, POST_PARTUM: texts.after_delivery}
    return states[pregnant.key].fill()


def _dangers(call: Call, leg: LegAssessment) -> str:
    """What makes it an emergency, by the rules that fire for this leg; empty if no rule has words for it."""
    cards = [call.content.red_flags[rule].card for rule in sorted(flag.rule for flag in leg.red_flags)]
    dangers = list(dict.fromkeys(one.danger for one in cards if one.danger))
    return call.wording.listed(dangers)


def _emergency_rule(call: Call, leg: LegAssessment) -> RedFlagCard | None:
    """The words of the rule for now that fires beside the suspicion, where one does: what to do first."""
    flags = [flag for flag in leg.red_flags if flag.speed == "now" and flag.rule != DVT_RULE]
    causes = (DVT, PULMONARY_EMBOLISM, *(ISCHAEMIA if leg.dvt.emergency else ()))
    own = [flag for flag in flags if flag.cause in causes and flag.rule not in call.switched_off]
    return call.content.red_flags[own[0].rule].card if own else None


# --- the detail ---


def _parts(
    call: Call, leg: LegAssessment, other_legs: tuple[Side, ...], placed: Sequence[PlacedOrder]
) -> tuple[Part, ...]:
    texts, verdict, wording = call.content.texts, leg.dvt, call.wording
    also = call.content.pathway.also_possible
    return (
        care_plan_part(call),
        _what_to_do(call, leg),
        _because(call, leg),
        part("", *map(Item, _notes(call, verdict)), Item(_second_leg(call, other_legs))),
        part(texts.lead.not_closed.fill(), Item(_not_closed(call, verdict))),
        part("", Item(placed_sentence(wording, placed))),
        _check_now(call, leg),
        _not_recorded(call, verdict),
        part(texts.lead.avoid.fill(), *(Item(one, 4) for one in _avoid(call)), between=" "),
        part(texts.lead.also_possible.fill(), *(Item(one, 5) for one in also), between=", ", end="."),
        part("", *_by_hand(call, verdict, other_legs)),
    )


def _shown(call: Call, leg: LegAssessment) -> tuple[Fact, ...]:
    """The reasons, the strongest first: what was measured, then signs, then risks."""
    verdict = leg.dvt
    signs = sorted(verdict.opened_by, key=lambda fact: not (fact.measured or fact.key in call.content.wells_findings))
    raised = [verdict.raised_d_dimer] if verdict.raised_d_dimer else []
    return (*_chest_facts(leg), *raised, *signs, *_risk_facts(verdict), *verdict.complaints)


def _because(call: Call, leg: LegAssessment) -> Part:
    lead, verdict = call.content.texts.lead.because.fill(), leg.dvt
    changing = {fact.key for fact in (verdict.pregnant, verdict.cancer, verdict.anticoagulant) if fact}
    reasons = call.wording.reasons(lead, _shown(call, leg), leg.side, stay=_REASONS_THAT_STAY, must=changing)
    if not isinstance(verdict.recorded_dvt, Diagnosis):
        return reasons
    named = diagnosis_item(call, verdict.recorded_dvt)
    return part(lead, named, *reasons.items, between="; ", end=".", more=reasons.more, grouped=reasons.grouped)


def diagnosis_item(call: Call, diagnosis: Diagnosis) -> Item:
    """A recorded diagnosis as a reason."""
    title = call.content.short(diagnosis.cause)
    return Item(call.content.texts.fact.diagnosis.fill(title=title), 0, call.wording.day(diagnosis.when))


def _chest_facts(leg: LegAssessment) -> list[Fact]:
    """What makes one think of an embolism besides the leg."""
    flags = [flag for flag in leg.red_flags if flag.cause == PULMONARY_EMBOLISM]
    return [fact for flag in flags for fact in flag.facts if fact not in leg.dvt.opened_by]


def _risk_facts(verdict: DvtVerdict) -> list[Fact]:
    """Facts behind the score, and those that change the pathway."""
    scored = [item.fact for item in verdict.wells.scored if item.fact] if verdict.wells else []
    return [*scored, *(fact for fact in (verdict.pregnant, verdict.cancer, verdict.anticoagulant) if fact)]


def _notes(call: Call, verdict: DvtVerdict) -> Iterator[str]:
    """Where no score applies, what is known of tests, and what makes a blood test no help."""
    if verdict.wells is None:
        texts = call.content.texts.score
        yield (texts.not_for_pregnancy if verdict.pregnant else texts.does_not_apply).fill()
    yield from (_note(call, note) for note in verdict.notes)
    yield from _cautions(call, verdict)


def _note(call: Call, note: Note) -> str:
    texts, days = call.content.texts.dvt, [call.wording.date(day) for day in note.days]
    if note.kind == "repeat_scan_due":
        return texts.repeat_scan_due.fill(first=days[0], last=days[1])
    if note.kind == "one_scan":
        return texts.one_scan.fill(day=days[0])
    message: Message = getattr(texts, note.kind)
    return message.fill()


def _not_closed(call: Call, verdict: DvtVerdict) -> str:
    """What would have closed the suspicion, and what keeps it open: something that could contradict is not known."""
    if verdict.not_closed_by is None:
        return ""
    texts, doubts, wording = call.content.texts, call.assessment.doubts, call.wording
    missing = []
    if doubts.closing:
        said = {"rows": counted(wording, doubts.closing), "why": why(wording, doubts.closing)}
        missing.append(texts.chart.rows_why.fill(**said))
    if doubts.not_whole:
        names = [getattr(texts.chart.parts, key).fill() for key in sorted(doubts.not_whole)]
        missing.append(texts.chart.short_missing.fill(parts=wording.listed(names)))
    proof = closed_words(texts, verdict.not_closed_by)
    return texts.dvt.not_closed.fill(proof=proof, missing="; ".join(missing))


def anticoagulant_words(call: Call, verdict: DvtVerdict) -> str:
    """Whether an anticoagulant is taken, as far as the chart proves it. Not known is never "none"."""
    texts = call.content.texts.anticoagulant
    if verdict.anticoagulated:
        return texts.taking.fill()
    if verdict.anticoagulant:
        return texts.not_sure.fill()
    unknown = call.assessment.doubts.medicines
    if unknown:
        return texts.not_identified.fill(rows=counted(call.wording, unknown))
    if _medicines_lack(call):
        return texts.not_available.fill()
    return texts.none.fill()


def _medicines_lack(call: Call) -> bool:
    return "medications" in call.assessment.record.not_whole


def _second_leg(call: Call, other_legs: tuple[Side, ...]) -> str:
    if not other_legs:
        return ""
    return call.content.texts.dvt.second_leg.fill(side=call.wording.listed([call.wording.side(s) for s in other_legs]))


def _check_now(call: Call, leg: LegAssessment) -> Part:
    """Questions for the next minute: the chest first, then what an examination adds to the score."""
    texts, wells = call.content.texts.dvt, leg.dvt.wells
    chest = "" if _chest_facts(leg) else texts.chest.fill()
    items = [Item(capital(chest), 0)]
    if wells is not None and not wells.complete:
        items += [
            Item(texts.question.fill(item=capital(item_name(call, one))), 2)
            for one in wells.not_recorded
            if one.examine
        ]
    asserted = [one for one in wells.items if one.number == ASSERTED_ITEM and not one.fact] if wells else []
    for one in asserted:
        points = call.wording.points(one.points)
        items.append(Item(texts.question_points.fill(item=capital(item_name(call, one)), points=points), 1))
    return part(call.content.texts.lead.check_now.fill(), *items)


def _not_recorded(call: Call, verdict: DvtVerdict) -> Part:
    """How many items of the score the chart does not tell, and the history among them by name."""
    wells, texts = verdict.wells, call.content.texts
    if wells is None or wells.complete:
        return part(texts.lead.not_recorded.fill())
    count = call.wording.say(texts.dvt.items_open, count=len(wells.not_recorded))
    history = [item_name(call, one) for one in wells.not_recorded if not one.examine]
    named = [texts.dvt.items_among.fill(item=one) for one in history[:1]] + history[1:]
    names = [Item(one, 3) for one in named]
    return part(texts.lead.not_recorded.fill(), Item(count, 0), *names, between=", ", end=".")


def _what_to_do(call: Call, leg: LegAssessment) -> Part:
    """Steps for now where it is an emergency, and no steps for outpatients beside them."""
    now = _emergency_rule(call, leg)
    options = now.do if now else _options(call, leg.dvt)
    return part(speed_lead(call, "now" if now else "same_day"), *map(Item, options))


def _options(call: Call, verdict: DvtVerdict) -> Sequence[str]:
    """Options of the pathway's own bands that the score can still fall in, the highest first."""
    pathway = call.content.pathway
    if verdict.wells is None:
        return pathway.pregnancy_options
    if _is_proven(verdict):
        return pathway.proven_options
    if verdict.raised_d_dimer is not None:
        return pathway.raised_options
    if verdict.scan_only:
        return pathway.scan_options
    if verdict.recorded_dvt is not None or verdict.cancer:
        return _capitals(bands_of(call.content)[0].options)
    least, most = verdict.wells.least, verdict.wells.most
    open_bands: list[Band] = []
    upper = 100
    for band in bands_of(call.content):
        if most >= band.at_least and least <= upper:
            open_bands.append(band)
        upper = band.at_least - 1
    if len(open_bands) == 1:
        return _capitals(open_bands[0].options)
    # Where the score can still fall in several bands, each says for which scores it holds.
    texts = call.content.texts.dvt
    firsts = ((texts.band.fill(score=band.score, option=band.options[0]), *band.options[1:]) for band in open_bands)
    return _capitals([option for options in firsts for option in options])


def _capitals(options: Sequence[str]) -> list[str]:
    return [capital(option) for option in options]


def _cautions(call: Call, verdict: DvtVerdict) -> Iterator[str]:
    """What makes a blood test no help, each reason for itself."""
    pathway = call.content.pathway
    if verdict.anticoagulant:
        yield pathway.anticoagulated
    elif verdict.scan_only:
        yield pathway.long_standing
    if verdict.cancer:
        yield pathway.cancer


def _avoid(call: Call) -> Sequence[str]:
    return call.content.red_flags[DVT_RULE].card.avoid


def _by_hand(call: Call, verdict: DvtVerdict, other_legs: tuple[Side, ...]) -> list[Item]:
    """An order alone may wait, and must name the leg."""
    if call.assessment.care_plan:
        return []
    texts = call.content.texts.dvt
    side = Side.BOTH if other_legs else verdict.side
    has_leg = side is not Side.UNKNOWN
    state = texts.state_leg.fill(side=call.wording.side(side)) if has_leg else texts.state_no_leg.fill()
    phone = call.content.red_flags[DVT_RULE].card.do
    return [*(Item(step, 1) for step in phone), Item(state, 1)]


# --- orders ---


def _order_keys(call: Call, leg: LegAssessment) -> tuple[str, ...]:
    pathway, verdict = call.content.pathway, leg.dvt
    if _is_urgent_now(call, leg):
        return pathway.emergency_orders
    if verdict.pregnant:
        return pathway.pregnancy_orders
    orders = call.content.dvt_orders
    if _is_proven(verdict):
        return tuple(key for key in orders if key not in TEST_ORDERS)
    if _goes_to_scan(verdict) or verdict.recorded_dvt is not None:
        return tuple(key for key in orders if key != D_DIMER_ORDER)
    if verdict.level == "warning" and D_DIMER_ORDER in orders:
        return (D_DIMER_ORDER, *(key for key in orders if key != D_DIMER_ORDER))
    return orders


def _orders(
    call: Call, legs: Sequence[LegAssessment], reason: OrderReason
) -> tuple[list[Suggestion], list[PlacedOrder]]:
    """Draft orders, and the ones that stand already. What stands for one leg is still to be ordered for the other."""
    content, today = call.content, call.assessment.today
    suggestions: list[Suggestion] = []
    placed: list[PlacedOrder] = []
    for key in _order_keys(call, legs[0]):
        standing = {leg.side: already_placed(content, key, leg, DVT, today, _newest(leg)) for leg in legs}
        left = [side for side, order in standing.items() if order is None]
        if not left:
            placed += dict.fromkeys(order for order in standing.values() if order is not None)
        elif not call.assessment.care_plan:
            side = left[0] if len(left) == 1 else Side.BOTH
            suggestions.append(suggest(content, key, side, reason, call.context, today))
    return suggestions, placed


def _newest(leg: LegAssessment) -> date | None:
    return max((fact.when.day for fact in leg.dvt.opened_by if fact.when), default=None)


def _reason(call: Call, leg: LegAssessment, level: Literal["critical", "warning"]) -> OrderReason:
    verdict = leg.dvt
    return OrderReason(
        cause=DVT,
        words=in_sentence(call.content.red_flags[DVT_RULE].card.title),
        facts=(*verdict.opened_by, *verdict.complaints, *_risk_facts(verdict)),
        note=_note_of_order(call, verdict),
        priority=priority_for("now" if _is_urgent_now(call, leg) else "same_day", level),
    )


def referral_draft(call: Call, leg: LegAssessment, level: Literal["critical", "warning"]) -> OrderDraft:
    """What the card's link leads to: the referral, whatever test the card offers first."""
    return _referral(call, [leg], _reason(call, leg, level))


def _referral(call: Call, legs: Sequence[LegAssessment], reason: OrderReason) -> OrderDraft:
    leg = legs[0]
    verdict, side = leg.dvt, leg.side if len(legs) == 1 else Side.BOTH
    keys = _order_keys(call, leg)
    referral = next(key for key in keys if key != D_DIMER_ORDER)
    items = verdict.wells.not_recorded if verdict.wells else ()
    return proposed(
        call,
        DVT_RULE,
        reason,
        (referral, *(key for key in keys if key != referral)),
        side,
        note=_recorded(call, verdict),
        unknown=[item_name(call, item) for item in items],
        anticoagulated=verdict.anticoagulated,
    )


def _note_of_order(call: Call, verdict: DvtVerdict) -> str:
    return call.content.texts.order.note.fill(
        side=call.wording.side(verdict.side),
        recorded=_recorded(call, verdict),
        anticoagulant=anticoagulant_words(call, verdict),
    )


def _recorded(call: Call, verdict: DvtVerdict) -> str:
    """What is known and what is not, but for side and anticoagulant, which an order states for itself."""
    texts, wording, parts = call.content.texts.order, call.wording, []
    if verdict.wells:
        missing = ", ".join(item_name(call, item) for item in verdict.wells.not_recorded)
        score = wells_words(wording, verdict.wells)
        parts.append(texts.score_missing.fill(score=score, items=missing) if missing else texts.score.fill(score=score))
    facts = wording.listing((*verdict.opened_by, *verdict.complaints), verdict.side)
    parts.append(texts.recorded.fill(facts=facts) if facts else "")
    parts.append(texts.pregnant.fill() if verdict.pregnant else "")
    parts.append(texts.renal.fill())
    return " ".join(part for part in parts if part)

"""The DVT card: what to consider today, the reasons, what to check now, and what is not recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Note
from cds_service.clinical.content.loading.numbers import bands_of
from cds_service.clinical.content.models import ASSERTED_ITEM, Band
from cds_service.clinical.content.names import D_DIMER_ORDER, DVT_RULE, PREVIOUS_DVT
from cds_service.clinical.content.texts import Message
from cds_service.clinical.dvt.pathway import closed_words
from cds_service.clinical.record import Diagnosis, PlacedOrder, Side
from cds_service.rendering.assess_link import score_link
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card, Link
from cds_service.rendering.dvt_completed_score import completed_words
from cds_service.rendering.dvt_orders import order_keys, reason_of, referral_of
from cds_service.rendering.dvt_questions import (
    changing_facts,
    chest_facts,
    diagnosis_item,
    emergency_rule,
    is_proven,
    is_urgent_now,
    item_name,
    not_counted_words,
    reasons_of,
)
from cds_service.rendering.dvt_summary import lead_of
from cds_service.rendering.frame import card, care_plan_part, facts_in_short, speed_lead
from cds_service.rendering.layout import Item, Part, part
from cds_service.rendering.not_understood import counted, why
from cds_service.rendering.offers import newest_of, of_legs, offered
from cds_service.rendering.orders.requests import OrderReason, order_link, placed_sentence
from cds_service.rendering.wording import capital

_REASONS_THAT_STAY = 4
_REASONS_IN_SUMMARY = 4


def dvt_card(call: Call, leg: LegAssessment, others: Sequence[LegAssessment] = ()) -> Card:
    """Return the card for the more urgent leg.

    ``others``: legs with their own open suspicion. They are named on the card, and its orders are for them too.
    """
    # The leg that waits for a second scan comes last: its wording must not apply to a leg that does not wait.
    leg, *others = sorted((leg, *others), key=lambda each: each.dvt.awaits_repeat)
    verdict, legs = leg.dvt, (leg, *others)
    level: Literal["critical", "warning"] = "warning" if call.assessment.care_plan else (verdict.level or "warning")
    if is_urgent_now(call, leg) and not call.assessment.care_plan:
        level = "critical"
    reason = reason_of(call, leg, level)
    newest = {each.side: newest_of(each.dvt.opened_by) for each in legs}
    suggestions, placed = offered(call, order_keys(call, leg), legs, newest, reason)
    side = of_legs([each.side for each in legs])
    return card(
        call,
        key=DVT_RULE,
        leg=side,
        topic="kneedvt1",
        summary=lead_of(call, leg, call.wording.side(side), placed),
        reasons=facts_in_short(call, reasons_of(call, leg), _REASONS_IN_SUMMARY),
        parts=_parts(call, leg, [other.side for other in others], placed),
        indicator=level,
        source=call.content.pathway.title,
        suggestions=suggestions,
        standing=placed_sentence(call.wording, _answering(call, leg, placed), active_only=True),
        links=() if call.only_words else _links(call, legs, reason),
        facts=[fact for each in legs for fact in reasons_of(call, each)],
        verdicts=[text for each in legs for text in _verdicts(each)],
    )


def _links(call: Call, legs: Sequence[LegAssessment], reason: OrderReason) -> list[Link]:
    referral = referral_of(call, legs, reason)
    return [order_link(call.content, referral, call.base_url, call.order_url), *score_link(call, legs[0])]


def _answering(call: Call, leg: LegAssessment, placed: Sequence[PlacedOrder]) -> list[PlacedOrder]:
    """Return the orders after which the answered card may shrink to information: a blood test only if it comes first.

    Where a scan or a referral comes first, a D-dimer alone does not answer the suspicion (evidence C.2, C.4).
    """
    first = order_keys(call, leg)[0]
    if is_urgent_now(call, leg) or leg.dvt.recorded_dvt is not None:
        return [order for order in placed if order.order == first]
    return [order for order in placed if order.order == first or order.order != D_DIMER_ORDER]


def _verdicts(leg: LegAssessment) -> Iterator[str]:
    """Yield the conclusions about a leg. If one changes, an answered card is news again."""
    verdict = leg.dvt
    yield verdict.why_level
    yield "emergency" if verdict.emergency else ""
    yield "scan only" if verdict.scan_only else ""
    yield "awaits repeat" if verdict.awaits_repeat else ""
    if isinstance(verdict.recorded_dvt, Diagnosis):
        yield f"recorded {verdict.recorded_dvt.when.text if verdict.recorded_dvt.when else 'undated'}"
    yield from map(str, verdict.notes)


def _parts(
    call: Call, leg: LegAssessment, other_legs: Sequence[Side], placed: Sequence[PlacedOrder]
) -> tuple[Part, ...]:
    texts, verdict, wording = call.content.texts, leg.dvt, call.wording
    also = call.content.pathway.also_possible
    return (
        care_plan_part(call),
        _what_to_do(call, leg),
        _because(call, leg),
        part("", *map(Item, _notes(call, verdict)), Item(_second_leg(call, other_legs))),
        part("", Item(completed_words(call, verdict.wells), 1)),
        part("", Item(_not_counted(call, verdict), 1)),
        part(texts.lead.not_closed.fill(), Item(_not_closed(call, verdict))),
        part("", Item(placed_sentence(wording, placed))),
        _check_now(call, leg),
        _not_recorded(call, leg),
        part(texts.lead.avoid.fill(), *(Item(step, 4) for step in _avoid(call)), between=" "),
        part(texts.lead.also_possible.fill(), *(Item(cause, 5) for cause in also), between=", ", end="."),
        part("", *_by_hand(call, verdict, other_legs)),
    )


def _because(call: Call, leg: LegAssessment) -> Part:
    lead, verdict = call.content.texts.lead.because.fill(), leg.dvt
    changing = {PREVIOUS_DVT, *(fact.key for fact in changing_facts(verdict))}
    reasons = call.wording.reasons(lead, reasons_of(call, leg), leg.side, stay=_REASONS_THAT_STAY, must=changing)
    if not isinstance(verdict.recorded_dvt, Diagnosis):
        return reasons
    named = diagnosis_item(call, verdict.recorded_dvt)
    return part(lead, named, *reasons.items, between="; ", end=".", more=reasons.more, grouped=reasons.grouped)


def _notes(call: Call, verdict: DvtVerdict) -> Iterator[str]:
    """Yield notes: that no score applies, what is known about tests, and why a blood test does not help."""
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
    """Return what would have closed the suspicion, and which missing data keeps it open; empty if neither applies."""
    if verdict.not_closed_by is None:
        return ""
    texts, doubts, wording = call.content.texts, call.assessment.doubts, call.wording
    missing = []
    if doubts.closing:
        rows = counted(wording, doubts.closing)
        missing.append(texts.chart.rows_why.fill(rows=rows, why=why(wording, doubts.closing)))
    if doubts.not_whole:
        names = [getattr(texts.chart.parts, key).fill() for key in sorted(doubts.not_whole)]
        missing.append(texts.chart.short_missing.fill(parts=wording.listed(names)))
    proof = closed_words(texts, verdict.not_closed_by)
    return texts.dvt.not_closed.fill(proof=proof, missing="; ".join(missing))


def _not_counted(call: Call, verdict: DvtVerdict) -> str:
    item = verdict.wells.not_counted if verdict.wells else None
    return not_counted_words(call.content, item) if item else ""


def _second_leg(call: Call, other_legs: Sequence[Side]) -> str:
    if not other_legs:
        return ""
    names = [call.wording.side(side) for side in other_legs]
    return call.content.texts.dvt.second_leg.fill(side=call.wording.listed(names))


def _check_now(call: Call, leg: LegAssessment) -> Part:
    """Return the questions to check at once: the chest first, then what an examination adds to the score."""
    texts, wells = call.content.texts.dvt, leg.dvt.wells
    chest = "" if chest_facts(leg) else texts.chest.fill()
    items = [Item(capital(chest), 0)]
    if is_urgent_now(call, leg):
        return part(call.content.texts.lead.check_now.fill(), *items)  # An ambulance does not wait for a score.
    if wells is not None and not wells.complete:
        items += [
            Item(texts.question.fill(item=capital(item_name(call.content, item))), 2)
            for item in wells.not_recorded
            if item.examine
        ]
    asserted = [item for item in wells.items if item.number == ASSERTED_ITEM and not item.fact] if wells else []
    for item in asserted:
        points = call.wording.points(item.points)
        items.append(Item(texts.question_points.fill(item=capital(item_name(call.content, item)), points=points), 1))
    return part(call.content.texts.lead.check_now.fill(), *items)


def _not_recorded(call: Call, leg: LegAssessment) -> Part:
    """Return the score items of the history that are not recorded, as many as fit, and the number of open items."""
    wells, texts = leg.dvt.wells, call.content.texts
    lead = texts.lead.not_recorded.fill()
    if wells is None or wells.complete or is_urgent_now(call, leg):
        return part(lead)
    history = (Item(item_name(call.content, item), 3) for item in wells.not_recorded if not item.examine)
    count = call.wording.say(texts.dvt.items_open, count=len(wells.not_recorded))
    return part(lead, *history, Item(count), between=", ", end=".")


def _what_to_do(call: Call, leg: LegAssessment) -> Part:
    """Return the steps to take. In an emergency, only the emergency steps, without those for outpatients."""
    now = emergency_rule(call, leg)
    options = now.do if now else _options(call, leg.dvt)
    return part(speed_lead(call, "now" if now else "same_day"), *map(Item, options))


def _options(call: Call, verdict: DvtVerdict) -> Sequence[str]:
    """Return the options of the pathway for every band that the score can still fall in, the highest band first."""
    pathway = call.content.pathway
    if verdict.wells is None:
        return pathway.pregnancy_options
    if is_proven(verdict):
        return pathway.proven_options
    if verdict.awaits_repeat:
        return pathway.repeat_options
    if verdict.injecting:
        return pathway.injecting_options
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
    # If the score can still fall in several bands, each option says for which scores it holds.
    texts = call.content.texts.dvt
    firsts = ((texts.band.fill(score=band.score, option=band.options[0]), *band.options[1:]) for band in open_bands)
    return _capitals([option for options in firsts for option in options])


def _capitals(options: Sequence[str]) -> list[str]:
    return [capital(option) for option in options]


def _cautions(call: Call, verdict: DvtVerdict) -> Iterator[str]:
    """Yield each reason why a blood test does not help."""
    pathway = call.content.pathway
    if verdict.anticoagulant:
        yield pathway.anticoagulated
    elif verdict.scan_only:
        yield pathway.long_standing
    if verdict.cancer:
        yield pathway.cancer


def _avoid(call: Call) -> Sequence[str]:
    return call.content.red_flags[DVT_RULE].card.avoid


def _by_hand(call: Call, verdict: DvtVerdict, other_legs: Sequence[Side]) -> list[Item]:
    """Return what to do besides ordering: telephone, because an order alone may wait, and name the leg."""
    if call.assessment.care_plan:
        return []
    texts = call.content.texts.dvt
    side = Side.BOTH if other_legs else verdict.side
    has_leg = side is not Side.UNKNOWN
    state = texts.state_leg.fill(side=call.wording.side(side)) if has_leg else texts.state_no_leg.fill()
    phone = call.content.red_flags[DVT_RULE].card.do
    return [*(Item(step, 1) for step in phone), Item(state, 1)]

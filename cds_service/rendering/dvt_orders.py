"""The orders of the DVT card and their notes about the chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cds_service.clinical.assessment import DvtVerdict, LegAssessment
from cds_service.clinical.content.names import D_DIMER_ORDER, DVT, DVT_RULE, TEST_ORDERS
from cds_service.rendering.call import Call
from cds_service.rendering.dvt_questions import (
    goes_to_scan,
    is_proven,
    is_urgent_now,
    item_name,
    medicines_lack,
    risk_facts,
    wells_words,
)
from cds_service.rendering.not_understood import counted
from cds_service.rendering.offers import of_legs, priority_for, proposed
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.requests import OrderReason
from cds_service.rendering.wording import in_sentence


def order_keys(call: Call, leg: LegAssessment) -> tuple[str, ...]:
    """Return the orders that the card offers, the preferred one first."""
    pathway, verdict = call.content.pathway, leg.dvt
    if is_urgent_now(call, leg):
        return pathway.emergency_orders
    if verdict.pregnant:
        return pathway.pregnancy_orders
    orders = call.content.dvt_orders
    if is_proven(verdict) or verdict.awaits_repeat:
        return tuple(key for key in orders if key not in TEST_ORDERS)
    if goes_to_scan(verdict) or verdict.recorded_dvt is not None or verdict.injecting:
        return tuple(key for key in orders if key != D_DIMER_ORDER)
    if verdict.level == "warning" and D_DIMER_ORDER in orders:
        return (D_DIMER_ORDER, *(key for key in orders if key != D_DIMER_ORDER))
    return orders


def reason_of(call: Call, leg: LegAssessment, level: Literal["critical", "warning"]) -> OrderReason:
    """Return the reason for the draft orders."""
    verdict = leg.dvt
    return OrderReason(
        cause=DVT,
        words=in_sentence(call.content.red_flags[DVT_RULE].card.title),
        facts=(*verdict.opened_by, *verdict.complaints, *risk_facts(verdict)),
        note="" if call.only_words else f"{_recorded(call, verdict)} {anticoagulant_words(call, verdict)}",
        priority=priority_for("now" if is_urgent_now(call, leg) else "same_day", level),
    )


def referral_draft(call: Call, leg: LegAssessment, level: Literal["critical", "warning"]) -> OrderDraft:
    """Return the order behind the card's link: always the referral, even if the card offers a test first."""
    return referral_of(call, [leg], reason_of(call, leg, level))


def referral_of(call: Call, legs: Sequence[LegAssessment], reason: OrderReason) -> OrderDraft:
    """Return the referral for one leg, or for both."""
    leg = legs[0]
    verdict, side = leg.dvt, of_legs([each.side for each in legs])
    keys = order_keys(call, leg)
    referral = next(key for key in keys if key != D_DIMER_ORDER)
    items = verdict.wells.not_recorded if verdict.wells else ()
    return proposed(
        call,
        DVT_RULE,
        reason,
        (referral, *(key for key in keys if key != referral)),
        side,
        note=_recorded(call, verdict),
        unknown=[item_name(call.content, item) for item in items],
        anticoagulated=verdict.anticoagulated,
    )


def anticoagulant_words(call: Call, verdict: DvtVerdict) -> str:
    """Return in words whether an anticoagulant is taken, as far as the chart proves it. Unknown is never "none"."""
    texts = call.content.texts.anticoagulant
    if verdict.anticoagulated:
        return texts.taking.fill()
    if verdict.anticoagulant:
        return texts.not_sure.fill()
    unknown = call.assessment.doubts.medicines
    if unknown:
        return texts.not_identified.fill(rows=counted(call.wording, unknown))
    if medicines_lack(call):
        return texts.not_available.fill()
    return texts.none.fill()


def _recorded(call: Call, verdict: DvtVerdict) -> str:
    """Return the known and the missing facts as text, without side and anticoagulant, which the order states itself."""
    texts, wording, parts = call.content.texts.order, call.wording, []
    if verdict.wells:
        missing = ", ".join(item_name(call.content, item) for item in verdict.wells.not_recorded)
        score = wells_words(wording, verdict.wells)
        parts.append(texts.score_missing.fill(score=score, items=missing) if missing else texts.score.fill(score=score))
    facts = wording.listing((*verdict.opened_by, *verdict.complaints), verdict.side)
    parts.append(texts.recorded.fill(facts=facts) if facts else "")
    parts.append(texts.pregnant.fill() if verdict.pregnant else "")
    parts.append(texts.renal.fill())
    return " ".join(part for part in parts if part)

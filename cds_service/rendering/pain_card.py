"""The card for new pain that no recorded finding explains, and the question whether DVT is suspected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cds_service.clinical.assessment import LegAssessment, RedFlagVerdict
from cds_service.clinical.content.names import CALF_TENDERNESS, PULMONARY_EMBOLISM
from cds_service.clinical.record import Fact, Side, Status
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card, Link
from cds_service.rendering.dvt_orders import referral_draft
from cds_service.rendering.dvt_questions import goes_to_scan
from cds_service.rendering.frame import card, safety_net
from cds_service.rendering.layout import SUMMARY_LIMIT, Item, Part, part
from cds_service.rendering.orders.requests import order_link
from cds_service.rendering.wording import capital, whole

KEY = "new_pain"
_NO_OTHER_LEG = (Side.BOTH, Side.UNKNOWN)


def pain_card(call: Call, legs: Sequence[LegAssessment]) -> Card:
    """Return one card for all legs with unexplained pain. The causes are those of the first leg."""
    content, first = call.content, legs[0]
    texts, wording = content.texts, call.wording
    facts = [fact for leg in legs for fact in leg.unexplained]
    side = first.side if len(legs) == 1 else Side.BOTH
    causes = [cause for cause in first.at_prior if cause.cause not in call.switched_off]
    names = [content.short(cause.cause) for cause in causes]
    alike = content.pathway.swollen_alike.words if first.dvt.swollen_alike else ""
    ask_next = [first.ask_next] if first.ask_next else []
    steps = content.causes[causes[0].cause].card.next_steps[:1] if causes else ()
    return card(
        call,
        key=KEY,
        leg=side,
        topic="kneepain1",
        summary=_summary(call, first, facts[0], side, names),
        parts=[
            dvt_question(call, first),
            part(texts.lead.consider.fill(), *(Item(step, 2) for step in steps)),
            wording.reasons(texts.lead.recorded.fill(), facts, side),
            part(texts.lead.no_warning.fill(), Item(alike), end="."),
            part(texts.lead.fits.fill(), Item(_fitting(call, names), 3)),
            part(texts.lead.check_now.fill(), *(Item(content.short(key), 1) for key in ask_next), end="."),
            safety_net(call),
        ],
        indicator="info",
        source=texts.pain.source_label.fill(),
        facts=facts,
        verdicts=[cause.cause for cause in causes],
        links=dvt_links(call, first),
    )


def _summary(call: Call, leg: LegAssessment, pain: Fact, side: Side, names: Sequence[str]) -> str:
    """Return the summary with as many causes as fit."""
    texts, listed = call.content.texts.pain, call.wording.listed
    what, where = capital(call.content.short(pain.key)), call.wording.side(side)
    if leg.dvt.swollen_alike:
        return texts.summary_alike.fill(what=what, side=where)
    asking = asks_about_dvt(call, leg)
    named = texts.summary_asking if asking else texts.summary
    alone = texts.summary_asking_alone if asking else texts.summary_alone
    fewer = [named.fill(what=what, side=where, causes=listed(names[:count])) for count in range(len(names), 0, -1)]
    return whole([*fewer, alone.fill(what=what, side=where)], SUMMARY_LIMIT)


def _fitting(call: Call, names: Sequence[str]) -> str:
    return call.content.texts.pain.nothing_points.fill(causes=call.wording.listed(names)) if names else ""


def dvt_question(call: Call, leg: LegAssessment) -> Part:
    """Return what to do if DVT is suspected, for new pain without an open suspicion; empty otherwise."""
    lead = call.content.texts.lead.dvt_suspected.fill()
    if not asks_about_dvt(call, leg):
        return part(lead)
    pathway, verdict = call.content.pathway, leg.dvt
    steps = pathway.asked_with_new_pain_scan if goes_to_scan(verdict) else pathway.asked_with_new_pain
    raised = call.wording.dated(verdict.raised_d_dimer) if verdict.raised_d_dimer else ""
    tender = any(
        fact.key == CALF_TENDERNESS and fact.status is Status.PRESENT and fact.side in (leg.side, *_NO_OTHER_LEG)
        for fact in call.assessment.record.facts
    )
    return part(
        lead,
        Item(f"{capital(raised)}." if raised else ""),
        Item(capital(steps)),
        Item(pathway.asked_with_tender_calf if tender else ""),
    )


def dvt_links(call: Call, leg: LegAssessment) -> list[Link]:
    """Return the link to the referral that goes with the DVT question; none if it is not asked."""
    if call.only_words or not asks_about_dvt(call, leg):
        return []
    # Use the key of this card, not the DVT rule: asking whether DVT is suspected does not confirm a DVT card.
    draft = replace(referral_draft(call, leg, "warning"), rule=KEY)
    return [order_link(call.content, draft, call.base_url, call.order_url)]


def asks_about_dvt(call: Call, leg: LegAssessment) -> bool:
    """Return whether a pain is new, no suspicion of DVT is open, and nothing has ruled it out."""
    verdict = leg.dvt
    if (
        verdict.suspected
        or (verdict.closed_by and not verdict.swollen_alike)
        or call.assessment.under_18
        or call.assessment.care_plan
    ):
        return False
    if any(_outranks(flag) and flag.rule not in call.switched_off for flag in leg.red_flags):
        return False
    return bool(verdict.swollen_alike) or any(_is_behind(call, fact) for fact in verdict.new_pain)


def _outranks(flag: RedFlagVerdict) -> bool:
    """Whether an urgent card asks for more than the question about DVT: an emergency, or an embolism to assess."""
    return flag.speed == "now" or flag.cause == PULMONARY_EMBOLISM


def _is_behind(call: Call, fact: Fact) -> bool:
    return call.content.findings[fact.key].complaint == "posterior" and fact.when is not None

"""New pain that nothing recorded explains: one short card instead of silence, and the question of DVT with new pain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cds_service.clinical.assessment import LegAssessment
from cds_service.clinical.names import CALF_TENDERNESS, SAFETY_NET
from cds_service.clinical.record import Fact, Side, Status
from cds_service.hooks.dvt_card import referral_draft
from cds_service.hooks.messages import Card, Link
from cds_service.hooks.orders import order_link
from cds_service.hooks.parts import SUMMARY_LIMIT, Call, card, closing_line, lacking_line
from cds_service.hooks.wording import capital, facts_words, listed, sentence, short_name, whole

KEY = "new_pain"
_NO_OTHER_LEG = (Side.BOTH, Side.UNKNOWN)
_SOURCE = "Posterior knee pain service: new pain is reviewed"


def pain_card(call: Call, legs: Sequence[LegAssessment]) -> Card:
    """One card for all legs with such a pain; the first gives the causes."""
    content, first = call.content, legs[0]
    facts = [fact for leg in legs for fact in leg.unexplained]
    side = first.side if len(legs) == 1 else Side.BOTH
    causes = [one for one in first.at_prior if one.cause not in call.switched_off]
    names = [short_name(content, one.cause) for one in causes]
    what = capital(short_name(content, facts[0].key).split(",")[0])
    question = dvt_question(call, first)
    ask = "if DVT is suspected, Wells first; " if question else ""
    alike = content.pathway.swollen_alike.words if first.dvt.swollen_alike else ""
    rest = "swollen alike, explained" if alike else "new pain needs clinical review"
    fewer = [f"{what}, {side.words}: {ask}consider {listed(names[:count])}." for count in range(len(names), 0, -1)]
    next_one = f"**Ask or examine next** - {short_name(content, first.ask_next)}." if first.ask_next else ""
    return card(
        call,
        key=KEY,
        leg=side,
        topic="kneepain1",
        summary=whole([*fewer, f"{what}, {side.words}: {ask}{rest}."], SUMMARY_LIMIT),
        lines=[
            (0, lacking_line(call)),
            (0, f"**Recorded** - {facts_words(content, facts, call.assessment.today, side, 4)}."),
            (0, f"**Why no warning** - {alike}." if alike else ""),
            (0, question),
            (0, f"**Fits complaint, age and sex** - {listed(names)}; nothing recorded points to one." if names else ""),
            (0, next_one),
            (1, sentence([content.causes[causes[0].cause].card.next_steps[0].rstrip(".")]) if causes else ""),
            (0, f"**Safety net** - {content.actions[SAFETY_NET].text}"),
            (0, closing_line(call, KEY)),
        ],
        indicator="info",
        source=_SOURCE,
        facts=facts,
        verdicts=[one.cause for one in causes],
        links=dvt_links(call, first),
    )


def dvt_question(call: Call, leg: LegAssessment) -> str:
    """What to do if DVT is suspected, where a pain is new and no suspicion is open; empty otherwise."""
    if not _asks(call, leg):
        return ""
    pathway, verdict = call.content.pathway, leg.dvt
    steps = pathway.asked_with_new_pain_scan if verdict.scan_only else pathway.asked_with_new_pain
    tender = any(
        fact.key == CALF_TENDERNESS and fact.status is Status.PRESENT and fact.side in (leg.side, *_NO_OTHER_LEG)
        for fact in call.assessment.record.facts
    )
    return f"**DVT suspected?** {capital(steps)}" + (f" {pathway.asked_with_tender_calf}" if tender else "")


def dvt_links(call: Call, leg: LegAssessment) -> list[Link]:
    """The link to the referral that goes with the question."""
    if not _asks(call, leg):
        return []
    # Under a name of its own: a card that showed a suspicion is not backed by the question whether there is one.
    draft = replace(referral_draft(call, leg, "warning"), rule=KEY)
    return [order_link(call.content, draft, call.base_url, call.order_url)]


def _asks(call: Call, leg: LegAssessment) -> bool:
    verdict = leg.dvt
    if (
        verdict.suspected
        or (verdict.closed_by and not verdict.swollen_alike)
        or call.assessment.under_18
        or call.assessment.care_plan
    ):
        return False
    return bool(verdict.swollen_alike) or any(_is_behind(call, fact) for fact in verdict.new_pain)


def _is_behind(call: Call, fact: Fact) -> bool:
    return call.content.findings[fact.key].complaint == "posterior" and fact.when is not None

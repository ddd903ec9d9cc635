"""The differential card: the causes that fit, each with its band, reasons and missing findings. Never a percentage."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cds_service.clinical.assess import shown
from cds_service.clinical.assessment import Contribution, LegAssessment, RankedCause
from cds_service.clinical.content.models import Cause
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import Side, Status
from cds_service.rendering.assess_link import causes_link
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card, Suggestion
from cds_service.rendering.frame import card, safety_net
from cds_service.rendering.gaps import dvt_gap
from cds_service.rendering.layout import SUMMARY_LIMIT, Item, Part, part
from cds_service.rendering.orders.requests import OrderReason, already_placed, placed_words, suggest
from cds_service.rendering.pain_card import dvt_links, dvt_question
from cds_service.rendering.wording import capital, whole

_MAX_SUGGESTIONS = 3
_MAX_REASONS = 3
_STAYING = 2
"""Number of causes whose titles always stay. The step, the dangers and the reasons of these come before a third."""
_LATER = 3
"""The rank of the title of the third cause. Its reasons have higher ranks."""
_OF_THESE_DAYS = 7
_STAR = "*"
_KNEE = ("posterior", "swelling", "knee", "knee_sign")


def on_card(call: Call, leg: LegAssessment) -> list[RankedCause]:
    """Return the causes with their own line: one per family, at most three benign ones.

    Causes with an urgent card are left out, because they are shown there.
    """
    urgent = {flag.cause for flag in leg.red_flags}
    families: set[str] = set()
    causes: list[RankedCause] = []
    benign = 0
    for ranked in shown(leg):
        cause = call.content.causes[ranked.cause]
        if cause.family in families or ranked.cause in urgent or ranked.cause in call.switched_off:
            continue
        is_benign = cause.must_not_miss != "yes"
        if is_benign and benign >= call.content.reasoning.benign_shown:
            continue
        benign += is_benign
        families.add(cause.family)
        causes.append(ranked)
    return causes


def keep_in_mind(call: Call, leg: LegAssessment) -> list[str]:
    """Return the must-not-miss causes that have some support but fit too poorly for their own line."""
    urgent = {flag.cause for flag in leg.red_flags}
    low = [ranked.cause for ranked in leg.differential if ranked.band == "low"]
    return [cause for cause in low if call.content.causes[cause].must_not_miss == "yes" and cause not in urgent]


def differential_card(
    call: Call, leg: LegAssessment, causes: Sequence[RankedCause], side: Side, *, after_urgent: bool
) -> Card:
    """Return one card for all causes of a leg.

    ``side``: that leg, or both if the same causes fit the other leg. ``after_urgent``: there is an urgent card above,
    so this one is brief.
    """
    content = call.content
    titles = [content.short(ranked.cause) for ranked in causes]
    # Beside an urgent card, offer no routine order that would compete with the urgent one.
    urgent = any(flag.rule not in call.switched_off for flag in leg.red_flags)
    suggestions, placed = ([], []) if urgent else _orders(call, leg, causes)
    return card(
        call,
        key=causes[0].cause,
        leg=side,
        topic="kneecauses1",
        summary=_also(call, side, titles) if after_urgent else _lead(call, leg, side, titles[:2]),
        parts=_parts(call, leg, causes, placed, after_urgent=after_urgent),
        indicator="info",
        legend=content.texts.cause.legend.fill(),
        source=content.texts.cause.source_label.fill(),
        suggestions=suggestions,
        # An urgent card has its own link, and its findings come first.
        links=[*dvt_links(call, leg), *(() if after_urgent else causes_link(call, causes[0].cause, leg))],
        facts=[contribution.fact for ranked in causes for contribution in ranked.contributions],
        verdicts=[*_bands(causes), *dvt_gap(call).verdicts],
    )


def _bands(causes: Sequence[RankedCause]) -> list[str]:
    return [f"{ranked.cause} {ranked.side.value} {ranked.band}" for ranked in causes]


def _complaint(call: Call, leg: LegAssessment) -> str:
    """Return the complaint in a few words for the summary."""
    findings = call.content.findings
    elsewhere = [fact for fact in leg.complaints if findings[fact.key].complaint in ("back_of_thigh", "arterial")]
    if elsewhere and not any(findings[fact.key].complaint in _KNEE for fact in leg.complaints):
        felt = [fact for fact in elsewhere if findings[fact.key].kind == "symptom"]
        return capital(call.content.short((felt or elsewhere)[0].key))
    return call.content.texts.cause.complaint.fill()


def _lead(call: Call, leg: LegAssessment, side: Side, titles: Sequence[str]) -> str:
    """Return the summary: one sentence with as many causes as fit."""
    texts, where, gap = call.content.texts.cause, call.wording.side(side), dvt_gap(call)
    fewer = [call.wording.listed(titles[:count]) for count in range(len(titles), 0, -1)]
    if gap:
        short = gap.short(call.wording)
        with_causes = [texts.summary_gap.fill(side=where, gap=short, causes=names) for names in fewer]
        return whole([*with_causes, texts.summary_gap_alone.fill(side=where, gap=short)], SUMMARY_LIMIT)
    what = _complaint(call, leg)
    return whole([texts.summary.fill(what=what, side=where, causes=names) for names in fewer], SUMMARY_LIMIT)


def _also(call: Call, side: Side, titles: Sequence[str]) -> str:
    """Return the summary of a card after an urgent card, with as many causes as fit."""
    texts, where = call.content.texts.cause, call.wording.side(side)
    fewer = [call.wording.listed(titles[:count]) for count in range(len(titles), 0, -1)]
    return whole([texts.summary_also.fill(side=where, causes=names) for names in fewer], SUMMARY_LIMIT)


def _parts(
    call: Call, leg: LegAssessment, causes: Sequence[RankedCause], placed: list[str], *, after_urgent: bool
) -> list[Part]:
    content, texts, wording = call.content, call.content.texts, call.wording
    hidden = [content.short(key) for key in keep_in_mind(call, leg)]
    first = content.causes[causes[0].cause]
    step = "" if after_urgent else first.card.next_steps[0]
    # What may raise an alarm is asked before the advice.
    asked = leg.ask_next
    asked_rank = 1 if asked in content.alarming else 2
    risks = content.pathway.safety_net_risks if _clot_risk(call, leg) and not after_urgent else ""
    return [
        part("", Item(texts.cause.under_18.fill() if call.assessment.under_18 else "")),
        dvt_question(call, leg),
        part(texts.lead.consider.fill(), Item(step, 1 if first.must_not_miss == "yes" else 2)),
        *(cause_part(call, ranked, place, leg.ask_next) for place, ranked in enumerate(causes)),
        part("", Item(risks, 1)),
        part(
            texts.lead.keep_in_mind.fill(),
            *(Item(name, 1 if place == 0 else 3) for place, name in enumerate(hidden)),
            between=", ",
            end=".",
            more=wording.more,
        ),
        part(texts.lead.check_now.fill(), Item(content.short(asked) if asked else "", asked_rank), end="."),
        part("", Item(_sentence(placed), 1)),
        safety_net(call, after_urgent=after_urgent),
    ]


def _sentence(placed: Sequence[str]) -> str:
    return capital("; ".join(placed)) + "." if placed else ""


def cause_part(call: Call, ranked: RankedCause, place: int, asked: str | None) -> Part:
    """Return a cause: title and band, the strongest facts for it, the strongest against it, and what is not recorded.

    ``place``: its place on the card, from 0. ``asked``: the finding that the card already asks for.
    """
    texts, cause = call.content.texts, call.content.causes[ranked.cause]
    title = texts.cause.line.fill(title=capital(cause.short), band=band_words(call, ranked))
    later = 0 if place < _STAYING else _LATER
    items = [Item(f"**{title}.**", later)]
    if ranked.diagnosis:
        said = texts.fact.diagnosis.fill(title=cause.short)
        items.append(
            Item(
                capital(call.wording.of_day(said, call.wording.day(ranked.diagnosis.when))) + ".",
                later + _rank(place, 0),
            )
        )
    reasons: dict[str, Contribution] = {}
    for reason in ranked.for_it:
        if reason.counted and not _is_named_above(call, ranked, reason):
            # Two findings may come from the same fact. It is shown once, with the greater weight.
            reasons.setdefault(call.wording.fact(reason.fact), reason)
    items += [
        Item(f"{capital(_weighed(call, cause, reason))}.", later + _rank(place, number))
        for number, reason in enumerate(list(reasons.values())[:_MAX_REASONS], start=int(ranked.diagnosis is not None))
    ]
    if ranked.against_it:
        items.append(Item(texts.cause.against.fill(facts=_weighed(call, cause, ranked.against_it[0])), later + 5))
    if ranked.missing and ranked.missing[0] != asked:
        items.append(Item(texts.cause.missing.fill(finding=call.content.short(ranked.missing[0])), later + 7))
    return part("", *items)


def _is_named_above(call: Call, ranked: RankedCause, part: Contribution) -> bool:
    """Whether a finding has the same name as the cause, whose diagnosis is already shown: ``cellulitis``."""
    return ranked.diagnosis is not None and call.content.short(part.finding) == call.content.short(ranked.cause)


def _rank(place: int, number: int) -> int:
    """Return the rank of a reason. The strongest reason for the first cause comes before everything else."""
    return 1 if place == number == 0 else 2 + 2 * number


def band_words(call: Call, ranked: RankedCause) -> str:
    """Return in words how well the cause fits."""
    message: Message = getattr(call.content.texts.cause, ranked.band.replace(" ", "_"))
    return message.fill()


def _weighed(call: Call, cause: Cause, reason: Contribution) -> str:
    """Return a fact with its weight: ``crepitus (moderate*)``, and with its day if it is not recent."""
    texts, wording, fact = call.content.texts.cause, call.wording, reason.fact
    words = wording.fact(fact)
    if fact.when and (call.assessment.today - fact.when.day).days > _OF_THESE_DAYS:
        words = wording.of_day(words, wording.day(fact.when))
    if math.isinf(reason.log_lr):
        return words
    return texts.weighed.fill(facts=words, strength=f"{strength(call, reason.log_lr)}{_star(cause, reason)}")


def strength(call: Call, log_lr: float) -> str:
    """Return a likelihood ratio in words (evidence F.4). ``log_lr``: its natural logarithm."""
    size, texts, reasoning = math.exp(abs(log_lr)), call.content.texts.cause, call.content.reasoning
    if size >= reasoning.strong_words:
        return texts.strong.fill()
    return (texts.moderate if size >= reasoning.moderate_words else texts.weak).fill()


def _star(cause: Cause, reason: Contribution) -> str:
    """Return a star if the weight is not based on a study."""
    weight = next(weight for weight in cause.supports if weight.finding == reason.finding)
    status = weight.status_absent if reason.fact.status is Status.ABSENT else weight.status_present
    return _STAR if status in ("expert", "policy") else ""


def _clot_risk(call: Call, leg: LegAssessment) -> bool:
    """Return whether there is a clotting risk without suspected DVT. Then the card names the signs (evidence C.5)."""
    findings = call.content.findings
    return not leg.dvt.suspected and any(
        fact.status is Status.PRESENT and bool(findings[fact.key].dvt.risk) for fact in call.assessment.record.facts
    )


def _orders(call: Call, leg: LegAssessment, causes: Sequence[RankedCause]) -> tuple[list[Suggestion], list[str]]:
    """Return draft orders for the first two causes, each service once, and the existing orders in words."""
    content, today = call.content, call.assessment.today
    suggestions: list[Suggestion] = []
    placed: list[str] = []
    seen = {key for flag in leg.red_flags for key in content.red_flags[flag.rule].card.consider}
    # Same-day DVT orders belong to an open suspicion, which has its own card.
    seen |= {*content.dvt_orders, *content.pathway.emergency_orders, *content.pathway.pregnancy_orders}
    for ranked in causes[:2]:
        cause = content.causes[ranked.cause]
        facts = tuple(reason.fact for reason in ranked.for_it[:6])
        named = call.wording.listed([content.short(listed.cause) for listed in causes])
        note = content.texts.cause.working_list.fill(causes=named)
        for key in cause.card.consider[:2]:
            if key in seen or len(suggestions) >= _MAX_SUGGESTIONS:
                continue
            seen.add(key)
            standing = already_placed(content, key, leg, ranked.cause, today, None)
            if standing:
                placed.append(placed_words(call.wording, standing))
            else:
                urgent = cause.must_not_miss == "yes" or content.orders[key].same_day
                words = content.short(ranked.cause)
                reason = OrderReason(ranked.cause, words, facts, note, "urgent" if urgent else "routine")
                suggestions.append(suggest(call, key, leg.side, reason))
    return suggestions, placed


def cause_card(call: Call, leg: LegAssessment, ranked: RankedCause) -> Card:
    """Return one card for one cause, for sites with the layout ``per_cause``."""
    content, texts = call.content, call.content.texts
    cause = content.causes[ranked.cause]
    suggestions, placed = _orders(call, leg, [ranked])
    where, band = call.wording.side(leg.side), band_words(call, ranked)
    return card(
        call,
        key=ranked.cause,
        leg=leg.side,
        topic="kneecauses1",
        summary=texts.cause.summary_one.fill(title=capital(cause.short), side=where, band=band),
        parts=[
            part("", Item(texts.cause.under_18.fill() if call.assessment.under_18 else "")),
            dvt_question(call, leg),
            part(texts.lead.consider.fill(), Item(cause.card.next_steps[0], 2)),
            cause_part(call, ranked, 0, ""),
            part("", Item(cause.card.why, 6), Item(_sentence(placed), 1)),
            part(texts.lead.avoid.fill(), *(Item(step, 5) for step in cause.card.avoid)),
            safety_net(call),
        ],
        indicator="info",
        legend=texts.cause.legend.fill(),
        source=texts.cause.source_label.fill(),
        suggestions=suggestions,
        links=dvt_links(call, leg),
        facts=[contribution.fact for contribution in ranked.contributions],
        verdicts=[*_bands([ranked]), *dvt_gap(call).verdicts],
    )

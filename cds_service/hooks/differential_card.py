"""The differential card: causes that fit, each with its band, its reasons and what is missing. Never a percentage."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cds_service.clinical.assess import shown
from cds_service.clinical.assessment import Contribution, LegAssessment, RankedCause
from cds_service.clinical.content import Cause, Content
from cds_service.clinical.names import SAFETY_NET
from cds_service.clinical.record import Side, Status
from cds_service.hooks.messages import Card, Suggestion
from cds_service.hooks.orders import OrderReason, already_placed, placed_words, suggest
from cds_service.hooks.pain_card import dvt_links, dvt_question
from cds_service.hooks.parts import SUMMARY_LIMIT, Call, Gap, card, closing_line, dvt_gap, lacking_line
from cds_service.hooks.wording import capital, day_words, fact_words, listed, sentence, short_name, whole

SOURCE = "Posterior knee pain differential: guideline and study weights, not validated as a whole"
_MOST_SUGGESTIONS = 3
_KNEE = ("posterior", "swelling", "knee", "knee_sign")
_UNDER_18 = "**Under 18** - these tests and figures are from adults: use your judgement."


def on_card(call: Call, leg: LegAssessment) -> list[RankedCause]:
    """The causes with a line of their own: one a family, at most three benign; causes with an urgent card are there."""
    urgent = {flag.cause for flag in leg.red_flags}
    families: set[str] = set()
    found: list[RankedCause] = []
    benign = 0
    for one in shown(leg):
        cause = call.content.causes[one.cause]
        if cause.family in families or one.cause in urgent or one.cause in call.switched_off:
            continue
        is_benign = cause.must_not_miss != "yes"
        if is_benign and benign >= call.content.reasoning.benign_shown:
            continue
        benign += is_benign
        families.add(cause.family)
        found.append(one)
    return found


def keep_in_mind(call: Call, leg: LegAssessment) -> list[str]:
    """Must-not-miss causes that have support but fit too little for a line of their own."""
    urgent = {flag.cause for flag in leg.red_flags}
    return [
        one.cause
        for one in leg.differential
        if one.band == "low" and call.content.causes[one.cause].must_not_miss == "yes" and one.cause not in urgent
    ]


def differential_card(
    call: Call, leg: LegAssessment, causes: Sequence[RankedCause], side: Side, *, after_urgent: bool
) -> Card:
    """One card for all causes of a leg. ``after_urgent``: an urgent card stands above, so this one is brief.

    ``side``: that leg, or both where the same fits the other one.
    """
    content = call.content
    titles = [short_name(content, one.cause) for one in causes]
    lead = _also(side, titles) if after_urgent else _lead(_complaint(call, leg), side, titles[:2], dvt_gap(call))
    # Behind a critical card no routine order competes with the urgent one.
    critical = any(flag.indicator == "critical" for flag in leg.red_flags)
    suggestions, placed = ([], []) if critical else _orders(call, leg, causes)
    return card(
        call,
        key=causes[0].cause,
        leg=side,
        topic="kneecauses1",
        summary=lead,
        lines=_lines(call, leg, causes, placed, after_urgent=after_urgent),
        indicator="info",
        source=SOURCE,
        suggestions=suggestions,
        links=dvt_links(call, leg),
        facts=[part.fact for one in causes for part in one.contributions],
        verdicts=[*_bands(causes), *dvt_gap(call).verdicts],
    )


def _bands(causes: Sequence[RankedCause]) -> list[str]:
    return [f"{one.cause} {one.side.value} {one.band}" for one in causes]


def _complaint(call: Call, leg: LegAssessment) -> str:
    """What is complained of, in a few words for the summary."""
    findings = call.content.findings
    elsewhere = [fact for fact in leg.complaints if findings[fact.key].complaint in ("back_of_thigh", "arterial")]
    if elsewhere and not any(findings[fact.key].complaint in _KNEE for fact in leg.complaints):
        return capital(short_name(call.content, elsewhere[0].key).split(",")[0])
    return "Pain behind the knee"


def _lead(what: str, side: Side, titles: Sequence[str], gap: Gap) -> str:
    """The summary, one sentence with as many causes as it holds."""
    fewer = [listed(titles[:count]) for count in range(len(titles), 0, -1)]
    if gap:
        start = f"DVT cannot be excluded, {side.words} ({gap.short})"
        return whole([*(f"{start}; fitting: {some}." for some in fewer), f"{start}."], SUMMARY_LIMIT)
    start = f"{what}, {side.words}: consider"
    return whole([f"{start} {some}; new pain needs clinical review." for some in fewer], SUMMARY_LIMIT)


def _also(side: Side, titles: Sequence[str]) -> str:
    """The summary behind an urgent card, with as many causes as it holds."""
    start = f"Also fitting, {side.words}: "
    fewer = [f"{start}{listed(titles[:count])}." for count in range(len(titles), 0, -1)]
    return whole([*fewer, f"{start}see below."], SUMMARY_LIMIT)


def _lines(
    call: Call, leg: LegAssessment, causes: Sequence[RankedCause], placed: list[str], *, after_urgent: bool
) -> list[tuple[int, str]]:
    content = call.content
    lines: list[tuple[int, str]] = [(0, lacking_line(call))]
    lines.append((0, _UNDER_18 if call.assessment.under_18 else ""))
    lines.append((0, dvt_question(call, leg)))
    most = 2 if after_urgent else 3
    lines += [(0, cause_line(call, one, most)) for one in causes]
    hidden = [short_name(content, key) for key in keep_in_mind(call, leg)]
    lines.append((0, f"**Keep in mind** - {listed(hidden)}." if hidden else ""))
    if leg.ask_next:
        lines.append((1, f"**Ask or examine next** - {short_name(content, leg.ask_next)}."))
    if not after_urgent:
        lines += [(2, step_line(content, causes[0]))]
        lines.append((1, content.pathway.safety_net_risks if _clot_risk(call, leg) else ""))
    lines += [
        (1, sentence(placed)),
        (0, f"**Safety net** - {content.actions[SAFETY_NET].text}"),
        (3, "Weights marked * are by consensus of this tool, not a study. Causes can coexist."),
        (0, closing_line(call, f"causes/{causes[0].cause}")),
    ]
    return lines


def cause_line(call: Call, one: RankedCause, most: int) -> str:
    """Band, the strongest facts for, the strongest against, and what is missing."""
    today = call.assessment.today
    cause = call.content.causes[one.cause]
    reasons = [_weighed(call, cause, part) for part in one.for_it if part.counted][:most]
    if one.diagnosis:
        reasons.insert(0, f"diagnosis recorded {day_words(one.diagnosis.when, today)}")
    parts = [f"**{cause.title} - {one.band}.** For: {'; '.join(reasons) or 'see evidence'}."]
    if one.against_it:
        parts.append(f"Against: {_weighed(call, cause, one.against_it[0])}.")
    if one.missing:
        parts.append(f"Missing: {short_name(call.content, one.missing[0])}.")
    return " ".join(parts)


def _weighed(call: Call, cause: Cause, part: Contribution) -> str:
    content = call.content
    words = fact_words(content, part.fact, call.assessment.today)
    if part.fact.status is Status.ABSENT:
        words = f"no {words}"
    if math.isinf(part.log_lr):
        return words
    return f"{words} ({strength(content, part.log_lr)}{_star(cause, part)})"


def strength(content: Content, log_lr: float) -> str:
    """Likelihood ratio in words (evidence F.4)."""
    size = math.exp(abs(log_lr))
    if size >= content.reasoning.strong_words:
        return "strong"
    return "moderate" if size >= content.reasoning.moderate_words else "weak"


def _star(cause: Cause, part: Contribution) -> str:
    weight = next(weight for weight in cause.supports if weight.finding == part.finding)
    status = weight.status_absent if part.fact.status is Status.ABSENT else weight.status_present
    return "*" if status in ("expert", "policy") else ""


def step_line(content: Content, one: RankedCause) -> str:
    """What to consider for the leading cause, and what to avoid."""
    words = content.causes[one.cause].card
    avoid = f" {words.avoid[0]}" if words.avoid else ""
    return f"**{content.causes[one.cause].title}** - {words.next_steps[0]}{avoid}"


def _clot_risk(call: Call, leg: LegAssessment) -> bool:
    """A clotting risk without a suspicion of DVT: no DVT card, but the signs are named (evidence C.5)."""
    risks = {key for key, finding in call.content.findings.items() if finding.dvt.risk}
    return not leg.dvt.suspected and any(
        fact.key in risks and fact.status is Status.PRESENT for fact in call.assessment.record.facts
    )


def _orders(call: Call, leg: LegAssessment, causes: Sequence[RankedCause]) -> tuple[list[Suggestion], list[str]]:
    """Draft orders for the leading causes, each service once."""
    content, today = call.content, call.assessment.today
    suggestions: list[Suggestion] = []
    placed: list[str] = []
    seen = {key for flag in leg.red_flags for key in content.red_flags[flag.rule].card.consider}
    # Same-day DVT orders belong to an open suspicion, which has a card of its own.
    seen |= {*content.pathway.orders, *content.pathway.emergency_orders, *content.pathway.pregnancy_orders}
    for one in causes[:2]:
        cause = content.causes[one.cause]
        facts = tuple(part.fact for part in one.for_it[:6])
        note = f"Side: {leg.side.words}. Working list: {listed([short_name(content, c.cause) for c in causes])}."
        for key in cause.card.consider[:2]:
            if key in seen or len(suggestions) >= _MOST_SUGGESTIONS:
                continue
            seen.add(key)
            standing = already_placed(content, key, leg, one.cause, today, None)
            if standing:
                placed.append(placed_words(content, standing, today))
            else:
                urgent = cause.must_not_miss == "yes" or content.orders[key].same_day
                words = short_name(content, one.cause)
                reason = OrderReason(one.cause, words, facts, note, "urgent" if urgent else "routine")
                suggestions.append(suggest(content, key, leg.side, reason, call.context, today))
    return suggestions, placed


def cause_card(call: Call, leg: LegAssessment, one: RankedCause) -> Card:
    """One card for one cause, for sites that want it so."""
    content = call.content
    title = content.causes[one.cause].title
    suggestions, placed = _orders(call, leg, [one])
    lines = [
        (0, lacking_line(call)),
        (0, cause_line(call, one, 4)),
        (1, content.causes[one.cause].card.why),
        (1, step_line(content, one)),
        (1, sentence(placed)),
        (0, f"**Safety net** - {content.actions[SAFETY_NET].text}"),
        (0, closing_line(call, f"causes/{one.cause}")),
    ]
    return card(
        call,
        key=one.cause,
        leg=leg.side,
        topic="kneecauses1",
        summary=f"{title}, {leg.side.words}: {one.band}; new pain behind the knee needs clinical review.",
        lines=lines,
        indicator="info",
        source=SOURCE,
        suggestions=suggestions,
        facts=[part.fact for part in one.contributions],
        verdicts=[*_bands([one]), *dvt_gap(call).verdicts],
    )

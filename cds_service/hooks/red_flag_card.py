"""Cards for red flags other than DVT: one a cause, or one for several when there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cds_service.clinical.assessment import LegAssessment, RedFlagVerdict
from cds_service.clinical.content import Content, RedFlag
from cds_service.clinical.names import DVT, EXPERT
from cds_service.clinical.record import Diagnosis, PlacedOrder, Side
from cds_service.hooks.messages import Card, Suggestion
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import OrderReason, already_placed, order_link, placed_sentence, suggest
from cds_service.hooks.parts import (
    SUMMARY_LIMIT,
    Call,
    card,
    care_plan_line,
    closing_line,
    lacking_line,
    priority_for,
    proposed,
)
from cds_service.hooks.wording import day_words, facts_words, listed, whole

_MOST_FACTS = 7
_SPEED_WORDS = {"now": "now", "same_day": "today", "days": "within days", "two_weeks": "within 2 weeks"}


def red_flag_card(call: Call, leg: LegAssessment, flags: Sequence[RedFlagVerdict], sides: Sequence[Side]) -> Card:
    """One card for all rules of one cause; the first of ``flags`` is the most urgent and gives the words."""
    content, first = call.content, flags[0]
    rule = content.red_flags[first.rule]
    where = _where(sides)
    suggestions, placed = _orders(call, leg, first)
    source = content.citations[rule.source].text if rule.source != EXPERT else "Consensus of this tool, no study"
    return card(
        call,
        key=first.rule,
        leg=sides[0] if len(sides) == 1 else Side.BOTH,
        topic=f"knee{first.cause.replace('_', '')}1",
        summary=_summary(rule, first).format(side=where),
        lines=_lines(call, leg, flags, where, placed),
        standing=placed_sentence(call.content, placed, call.assessment.today, active_only=True),
        indicator=_indicator(call, first),
        source=source[:120],
        suggestions=suggestions,
        links=[order_link(content, _draft(call, leg, first), call.base_url, call.order_url)],
        facts=[fact for flag in flags for fact in flag.facts],
        verdicts=[f"{flag.rule} {flag.side.value} {flag.speed}" for flag in flags],
    )


def _summary(rule: RedFlag, flag: RedFlagVerdict) -> str:
    """The headline, or the one for the case that makes it sooner."""
    sooner = flag.speed == "same_day" and rule.speed != "same_day"
    return (rule.card.summary_sooner or rule.card.summary) if sooner else rule.card.summary


def combined_card(call: Call, groups: Sequence[tuple[LegAssessment, Sequence[RedFlagVerdict], Sequence[Side]]]) -> Card:
    """The remaining red flags on one card, so that none is lost to the limit of three."""
    content = call.content
    titles = [content.red_flags[flags[0].rule].card.title for _, flags, _ in groups]
    firsts = [flags[0] for _, flags, _ in groups]
    worst = min(firsts, key=lambda flag: (flag.indicator, list(_SPEED_WORDS).index(flag.speed)))
    worst_leg = groups[firsts.index(worst)][0]
    lines = [(0, lacking_line(call))]
    for leg, flags, sides in groups:
        rule = content.red_flags[flags[0].rule]
        why = facts_words(content, flags[0].facts, call.assessment.today, leg.side, 4)
        lines.append(
            (0, f"**{rule.card.title}, {_where(sides)}** ({_SPEED_WORDS[flags[0].speed]}) - {why}. {rule.card.do[0]}")
        )
    lines.append((0, closing_line(call, ", ".join(flag.rule for flag in firsts))))
    first_leg = groups[0][0]
    suggestions: list[Suggestion] = []
    for (leg, _, _), flag in zip(groups, firsts, strict=True):
        suggestions += _orders(call, leg, flag)[0][:1]
    return card(
        call,
        key=worst.rule,
        leg=first_leg.side if len({leg.side for leg, _, _ in groups}) == 1 else Side.BOTH,
        topic="kneeflags1",
        summary=_several(f"{len(groups)} more warning signs, consider each {_SPEED_WORDS[worst.speed]}: ", titles),
        lines=lines,
        indicator=_indicator(call, worst),
        source="Red-flag rules of this service",
        suggestions=suggestions,
        links=[order_link(content, _draft(call, worst_leg, worst), call.base_url, call.order_url)],
        facts=[fact for _, flags, _ in groups for flag in flags for fact in flag.facts],
        verdicts=[f"{flag.rule} {flag.side.value} {flag.speed}" for _, flags, _ in groups for flag in flags],
    )


def _several(start: str, titles: Sequence[str]) -> str:
    """The summary with as many titles as it holds; how many there are is said in front."""
    fewer = [f"{start}{listed([*titles[:count], 'others'])}." for count in range(len(titles) - 1, 0, -1)]
    return whole([f"{start}{listed(titles)}.", *fewer, f"{start}see below."], SUMMARY_LIMIT)


def _where(sides: Sequence[Side]) -> str:
    return sides[0].words if len(sides) == 1 else Side.BOTH.words


def _indicator(call: Call, flag: RedFlagVerdict) -> Literal["critical", "warning"]:
    return "warning" if call.assessment.care_plan else flag.indicator


def _lines(
    call: Call, leg: LegAssessment, flags: Sequence[RedFlagVerdict], where: str, placed: list[PlacedOrder]
) -> list[tuple[int, str]]:
    content, today = call.content, call.assessment.today
    rule = content.red_flags[flags[0].rule]
    facts = [fact for flag in flags for fact in flag.facts]
    others = [content.red_flags[flag.rule].card for flag in flags[1:]]
    why = facts_words(content, facts, today, leg.side, _MOST_FACTS) or _without_facts(call, leg, flags[0])
    return [
        (0, lacking_line(call)),
        (0, care_plan_line(call)),
        (0, f"**Why this shows** - {where}: {why}."),
        (0, "**Consider**" + "".join(f"\n- {step}" for step in rule.card.do)),
        *((1, f"**{other.title}** - {other.do[0]}") for other in others),
        (1, "**Avoid**" + "".join(f"\n- {step}" for step in rule.card.avoid) if rule.card.avoid else ""),
        (0, placed_sentence(content, placed, call.assessment.today)),
        (2, f"If ordering by hand, state: {where}, {rule.card.title[:1].lower()}{rule.card.title[1:]}."),
        (0, closing_line(call, flags[0].rule)),
    ]


def _without_facts(call: Call, leg: LegAssessment, flag: RedFlagVerdict) -> str:
    """What stands in the chart where a rule rests on a diagnosis and on no finding."""
    recorded = leg.dvt.recorded_dvt
    if flag.cause == DVT and isinstance(recorded, Diagnosis):
        return f"DVT diagnosis {day_words(recorded.when, call.assessment.today)}"
    return f"the conditions of rule {flag.rule} are met"


def _orders(call: Call, leg: LegAssessment, flag: RedFlagVerdict) -> tuple[list[Suggestion], list[PlacedOrder]]:
    content, today = call.content, call.assessment.today
    reason = _reason(call, leg, flag)
    newest = max((fact.when.day for fact in flag.facts if fact.when), default=None)
    suggestions: list[Suggestion] = []
    placed: list[PlacedOrder] = []
    for key in content.red_flags[flag.rule].card.consider:
        standing = already_placed(content, key, leg, flag.cause, today, newest)
        if standing:
            placed.append(standing)
        elif not call.assessment.care_plan:
            suggestions.append(suggest(content, key, leg.side, reason, call.context, today))
    return suggestions, placed


def _reason(call: Call, leg: LegAssessment, flag: RedFlagVerdict) -> OrderReason:
    return OrderReason(
        cause=flag.cause,
        words=_reason_words(call.content, flag),
        facts=flag.facts,
        note=f"Side: {leg.side.words}. {_recorded(call, leg, flag)}",
        priority=priority_for(flag.speed, flag.indicator),
    )


def _draft(call: Call, leg: LegAssessment, flag: RedFlagVerdict) -> OrderDraft:
    return proposed(
        call,
        flag.rule,
        _reason(call, leg, flag),
        call.content.red_flags[flag.rule].card.consider,
        leg.side,
        note=_recorded(call, leg, flag),
        anticoagulated=leg.dvt.anticoagulated,
    )


def _recorded(call: Call, leg: LegAssessment, flag: RedFlagVerdict) -> str:
    return f"Recorded: {facts_words(call.content, flag.facts, call.assessment.today, leg.side, 6)}."


def _reason_words(content: Content, flag: RedFlagVerdict) -> str:
    title = content.red_flags[flag.rule].card.title
    return title[:1].lower() + title[1:]

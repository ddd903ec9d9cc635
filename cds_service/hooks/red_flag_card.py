"""Cards for red flags other than DVT: one a cause, or one for several when there are too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from cds_service.clinical.assessment import LegAssessment, RedFlagVerdict
from cds_service.clinical.content import RedFlag, RedFlagCard, Speed
from cds_service.clinical.names import DVT, EXPERT
from cds_service.clinical.record import Diagnosis, PlacedOrder, Side
from cds_service.hooks.dvt_card import diagnosis_item, with_reasons
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
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import OrderReason, already_placed, order_link, placed_sentence, suggest
from cds_service.hooks.wording import capital, in_sentence, whole

_REASONS_IN_SUMMARY = 3
SIDE = "{side}"
"""Where a headline names the leg."""
_SPEEDS: tuple[Speed, ...] = ("now", "same_day", "days", "two_weeks")


def red_flag_card(call: Call, leg: LegAssessment, flags: Sequence[RedFlagVerdict], sides: Sequence[Side]) -> Card:
    """One card for all rules of one cause; the first of ``flags`` is the most urgent and gives the words."""
    content, first = call.content, flags[0]
    rule = content.red_flags[first.rule]
    where = _where(call, tuple(dict.fromkeys(flag.side for flag in flags if flag.rule == first.rule)))
    suggestions, placed = _orders(call, leg, first)
    offered = {one.order for one in suggestions}
    for flag in _one_a_rule(flags)[1:]:
        other = next(one for one in call.assessment.legs if one.side == flag.side)
        suggestions += [one for one in _orders(call, other, flag)[0][:1] if one.order not in offered]
    source = content.citations[rule.source].text if rule.source != EXPERT else content.texts.flag.consensus.fill()
    return card(
        call,
        key=first.rule,
        leg=sides[0] if len(sides) == 1 else Side.BOTH,
        topic=first.rule if rule.reasons else first.cause,
        summary=_summary(call, [flag for flag in flags if flag.rule == first.rule], where, placed),
        parts=_parts(call, leg, flags, where, placed),
        standing=placed_sentence(call.wording, placed, active_only=True),
        indicator=_indicator(call, first),
        source=source[:120],
        suggestions=suggestions,
        links=[order_link(content, _draft(call, leg, first), call.base_url, call.order_url)],
        facts=[fact for flag in flags for fact in flag.facts],
        verdicts=[f"{flag.rule} {flag.side.value} {flag.speed}" for flag in flags],
    )


def _summary(call: Call, flags: Sequence[RedFlagVerdict], where: str, placed: Sequence[PlacedOrder]) -> str:
    """The rule's headline, with the strongest reasons as far as there is room; an order that stands comes first."""
    rule, texts = call.content.red_flags[flags[0].rule], call.content.texts
    lead = _headline(rule, flags[0]).format(side=where)
    facts = [fact for flag in flags for one in flag.facts for fact in one.stated]
    reasons = list(dict.fromkeys(call.wording.fact(fact) for fact in facts))[:_REASONS_IN_SUMMARY]
    waiting = next((one for one in placed if one.active), None)
    if waiting is not None:
        order = call.content.orders[waiting.order].title
        done = texts.order.check_result.fill(title=order, day=call.wording.day(waiting.when))
        return whole([f"{rule.card.title}, {where}: {done}.", lead], SUMMARY_LIMIT)
    return with_reasons(call, lead, reasons)


def _headline(rule: RedFlag, flag: RedFlagVerdict) -> str:
    """The headline, or the one for the case that makes it sooner."""
    sooner = flag.speed == "same_day" and rule.speed != "same_day"
    return (rule.card.summary_sooner or rule.card.summary) if sooner else rule.card.summary


def combined_card(call: Call, groups: Sequence[tuple[LegAssessment, Sequence[RedFlagVerdict], Sequence[Side]]]) -> Card:
    """The remaining red flags on one card, so that none is lost to the limit of three."""
    content, texts = call.content, call.content.texts.flag
    titles = [content.red_flags[flags[0].rule].card.title for _, flags, _ in groups]
    firsts = [flags[0] for _, flags, _ in groups]
    worst = min(firsts, key=lambda flag: (flag.indicator, _SPEEDS.index(flag.speed)))
    worst_leg = groups[firsts.index(worst)][0]
    first_leg = groups[0][0]
    suggestions: list[Suggestion] = []
    placed: list[PlacedOrder] = []
    for leg, flags, _ in groups:
        for flag in _one_a_rule(flags):
            offered, standing = _orders(call, leg, flag)
            suggestions += offered[:1]
            placed += standing
    return card(
        call,
        key=worst.rule,
        leg=first_leg.side if len({leg.side for leg, _, _ in groups}) == 1 else Side.BOTH,
        topic="kneeflags1",
        summary=_several(call, worst.speed, titles),
        parts=[
            care_plan_part(call),
            *(part for leg, flags, _ in groups for part in _parts_of_several(call, leg, flags)),
            part("", Item(placed_sentence(call.wording, list(dict.fromkeys(placed))))),
        ],
        rules=list(dict.fromkeys(flag.rule for _, flags, _ in groups for flag in flags)),
        standing=placed_sentence(call.wording, placed, active_only=True) if not suggestions else "",
        indicator=_indicator(call, worst),
        source=texts.source_label.fill(),
        suggestions=suggestions,
        links=[order_link(content, _draft(call, worst_leg, worst), call.base_url, call.order_url)],
        facts=[fact for _, flags, _ in groups for flag in flags for fact in flag.facts],
        verdicts=[f"{flag.rule} {flag.side.value} {flag.speed}" for _, flags, _ in groups for flag in flags],
    )


def _parts_of_several(call: Call, leg: LegAssessment, flags: Sequence[RedFlagVerdict]) -> Iterator[Part]:
    """Each rule with its own leg and speed: its title always, its first step and its facts where there is room."""
    texts = call.content.texts.flag
    for first in _one_a_rule(flags):
        rule = call.content.red_flags[first.rule].card
        where = _where(call, tuple(dict.fromkeys(flag.side for flag in flags if flag.rule == first.rule)))
        title = texts.one_of_several.fill(title=rule.title, side=where, when=_when(call, first.speed))
        facts = capital(call.wording.listing(first.facts, leg.side))
        yield part("", Item(f"**{title}.**"), Item(rule.do[0], 1), Item(f"{facts}." if facts else "", 2))


def _one_a_rule(flags: Sequence[RedFlagVerdict]) -> list[RedFlagVerdict]:
    """The first flag of each rule."""
    found: dict[str, RedFlagVerdict] = {}
    for flag in flags:
        found.setdefault(flag.rule, flag)
    return list(found.values())


def _when(call: Call, speed: Speed) -> str:
    texts = call.content.texts.flag
    words = {"now": texts.now, "same_day": texts.same_day, "days": texts.days, "two_weeks": texts.two_weeks}
    return words[speed].fill()


def _several(call: Call, speed: Speed, titles: Sequence[str]) -> str:
    """The summary with as many titles as it holds; how many there are is said in front."""
    texts, say, when = call.content.texts.flag, call.wording.say, _when(call, speed)

    def with_titles(words: str) -> str:
        return say(texts.several, count=len(titles), when=when, titles=words)

    fewer = [
        with_titles(say(texts.several_more, titles=", ".join(titles[:kept]), count=len(titles) - kept))
        for kept in range(len(titles) - 1, 0, -1)
    ]
    return whole([with_titles(call.wording.listed(titles)), *fewer], SUMMARY_LIMIT)


def _where(call: Call, sides: Sequence[Side]) -> str:
    return call.wording.side(sides[0] if len(sides) == 1 else Side.BOTH)


def _indicator(call: Call, flag: RedFlagVerdict) -> Literal["critical", "warning"]:
    return "warning" if call.assessment.care_plan else flag.indicator


def _parts(
    call: Call, leg: LegAssessment, flags: Sequence[RedFlagVerdict], where: str, placed: list[PlacedOrder]
) -> list[Part]:
    texts, rule = call.content.texts, call.content.red_flags[flags[0].rule].card
    feared = call.content.short(flags[0].cause) if call.content.red_flags[flags[0].rule].reasons else ""
    own = [flag for flag in flags if flag.rule == flags[0].rule or flag.side is leg.side]
    return [
        care_plan_part(call),
        part(speed_lead(call, flags[0].speed), *_ranked(rule.do, first=0)),
        part(texts.lead.may_be_about.fill(), Item(feared), end="."),
        _because(call, leg, own),
        part("", Item(placed_sentence(call.wording, placed))),
        *(part("", Item(_step_of(call, other), 1)) for other in _one_a_rule(flags)[1:]),
        part(texts.lead.avoid.fill(), *_ranked(rule.avoid, first=2)),
        part("", Item(texts.dvt.state_leg.fill(side=where) if _is_sided(call, leg, rule) else "", 5)),
    ]


def _ranked(steps: Sequence[str], first: int) -> list[Item]:
    """Steps in their order of importance; the first has rank ``first``, the last goes first."""
    return [Item(step, first if place == 0 else max(first, 1) + place) for place, step in enumerate(steps)]


def _step_of(call: Call, other: RedFlagVerdict) -> str:
    """Another rule for the same cause, with its leg and its first step."""
    rule, side = call.content.red_flags[other.rule].card, call.wording.side(other.side)
    title = call.content.texts.order.with_side.fill(title=rule.title, side=side)
    return call.content.texts.flag.step_of.fill(title=title, step=rule.do[0])


def _is_sided(call: Call, leg: LegAssessment, rule: RedFlagCard) -> bool:
    """Whether an order by hand has to name the leg: the rule is about one, and the chart says which."""
    return leg.side in (Side.LEFT, Side.RIGHT) and SIDE in rule.summary and not call.assessment.care_plan


def _because(call: Call, leg: LegAssessment, flags: Sequence[RedFlagVerdict]) -> Part:
    """The facts, or what stands in the chart where a rule rests on a diagnosis and on no finding."""
    texts, lead = call.content.texts, call.content.texts.lead.because.fill()
    facts = [fact for flag in flags for fact in flag.facts]
    if facts:
        return call.wording.reasons(lead, facts, leg.side, stay=4)
    recorded = leg.dvt.recorded_dvt
    if flags[0].cause == DVT and isinstance(recorded, Diagnosis):
        return part(lead, diagnosis_item(call, recorded), end=".", grouped=call.wording.of_day)
    return part(lead, Item(texts.flag.rule_met.fill(rule=flags[0].rule)), end=".")


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
    recorded = _recorded(call, leg, flag)
    return OrderReason(
        cause=flag.cause,
        words=in_sentence(call.content.red_flags[flag.rule].card.title),
        facts=flag.facts,
        note=call.content.texts.order.side_and_note.fill(side=call.wording.side(leg.side), note=recorded),
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
    return call.content.texts.order.recorded.fill(facts=call.wording.listing(flag.facts, leg.side))

"""Cards for red flags other than DVT: one card per cause, or one card for several causes if there are too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cds_service.clinical.assessment import LegAssessment, RedFlagVerdict
from cds_service.clinical.content.models import RedFlag, RedFlagCard, Speed
from cds_service.clinical.content.names import DVT, EXPERT
from cds_service.clinical.record import Diagnosis, Fact, PlacedOrder, Side
from cds_service.rendering.assess_link import signs_link
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card, Link, Suggestion
from cds_service.rendering.dvt_questions import diagnosis_item
from cds_service.rendering.frame import card, care_plan_part, facts_in_short, speed_lead
from cds_service.rendering.layout import SUMMARY_LIMIT, Item, Part, part
from cds_service.rendering.offers import newest_of, of_legs, offered, priority_for, proposed
from cds_service.rendering.orders.requests import OrderReason, order_link, placed_sentence
from cds_service.rendering.wording import capital, in_sentence, whole

_REASONS_IN_SUMMARY = 3
_REASONS_THAT_STAY = 4
_SIDE = "{side}"
"""Placeholder for the leg in a headline."""
_SPEEDS: tuple[Speed, ...] = ("now", "same_day", "days", "two_weeks")


@dataclass(frozen=True, slots=True)
class _Fired:
    """A rule with the legs for which it fires, the more urgent leg first."""

    key: str
    rule: RedFlag
    flags: tuple[RedFlagVerdict, ...]
    legs: tuple[LegAssessment, ...]

    @property
    def first(self) -> RedFlagVerdict:
        return self.flags[0]

    @property
    def card(self) -> RedFlagCard:
        return self.rule.card

    @property
    def side(self) -> Side:
        return of_legs([leg.side for leg in self.legs])

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(fact for flag in self.flags for fact in flag.facts)


@dataclass(frozen=True, slots=True)
class _Offer:
    """The suggested and the existing orders for a rule."""

    suggestions: list[Suggestion]
    placed: list[PlacedOrder]

    @property
    def is_ordered(self) -> bool:
        """Whether an existing order is active."""
        return any(order.active for order in self.placed)


def red_flag_card(call: Call, flags: Sequence[RedFlagVerdict]) -> Card:
    """Return one card for all rules of one cause. The first of ``flags`` is the most urgent and gives the wording."""
    rules = _by_rule(call, flags)
    first, content = rules[0], call.content
    offers = [_offer(call, rule) for rule in rules]
    suggestions = list(offers[0].suggestions)
    for offer in offers[1:]:
        known = {suggestion.order for suggestion in suggestions}
        suggestions += [suggestion for suggestion in offer.suggestions[:1] if suggestion.order not in known]
    placed = list(dict.fromkeys(order for offer in offers for order in offer.placed))
    expert = first.rule.source == EXPERT
    source = content.texts.flag.consensus.fill() if expert else content.citations[first.rule.source].text
    return card(
        call,
        key=first.key,
        leg=of_legs(list(dict.fromkeys(flag.side for flag in flags))),
        topic=first.key if first.rule.reasons else first.first.cause,
        summary=_summary(call, first, placed),
        reasons=facts_in_short(call, first.facts, _REASONS_IN_SUMMARY),
        parts=_parts(call, rules, placed),
        standing=_standing(call, offers, placed),
        indicator=_indicator(call, first.first),
        source=source[:120],
        suggestions=suggestions,
        links=[*_links(call, first), *signs_link(call, first.key, first.legs[0])],
        facts=[fact for flag in flags for fact in flag.facts],
        verdicts=[f"{flag.rule} {flag.side.value} {flag.speed}" for flag in flags],
    )


def combined_card(call: Call, groups: Sequence[Sequence[RedFlagVerdict]]) -> Card:
    """Return one card for the remaining red flags, so that the limit of three cards hides none.

    ``groups``: the red flags by cause.
    """
    texts = call.content.texts.flag
    rules = [rule for flags in groups for rule in _by_rule(call, flags)]
    heads = [_by_rule(call, flags)[0] for flags in groups]
    worst = min(heads, key=lambda rule: (rule.first.indicator, _SPEEDS.index(rule.first.speed)))
    every = [flag for flags in groups for flag in flags]
    offers = [_offer(call, rule) for rule in rules]
    placed = list(dict.fromkeys(order for offer in offers for order in offer.placed))
    return card(
        call,
        key=worst.key,
        leg=of_legs(list(dict.fromkeys(flag.side for flag in every))),
        topic="kneeflags1",
        summary=_several(call, worst.first.speed, [rule.card.title for rule in heads]),
        parts=[
            care_plan_part(call),
            *(_part_of_several(call, rule) for rule in rules),
            part("", Item(placed_sentence(call.wording, placed))),
        ],
        rules=list(dict.fromkeys(rule.key for rule in rules)),
        standing=_standing(call, offers, placed),
        indicator=_indicator(call, worst.first),
        source=texts.source_label.fill(),
        suggestions=[suggestion for offer in offers for suggestion in offer.suggestions[:1]],
        links=[*_links(call, worst), *signs_link(call, worst.key, worst.legs[0])],
        facts=[fact for flag in every for fact in flag.facts],
        verdicts=[f"{flag.rule} {flag.side.value} {flag.speed}" for flag in every],
    )


def _by_rule(call: Call, flags: Sequence[RedFlagVerdict]) -> list[_Fired]:
    """Return the rules that fire, in the order of ``flags``, each with its legs."""
    legs = {leg.side: leg for leg in call.assessment.legs}
    by_rule: dict[str, list[RedFlagVerdict]] = {}
    for flag in flags:
        by_rule.setdefault(flag.rule, []).append(flag)
    return [
        _Fired(key, call.content.red_flags[key], tuple(fired), tuple(legs[flag.side] for flag in fired))
        for key, fired in by_rule.items()
    ]


def _standing(call: Call, offers: Sequence[_Offer], placed: Sequence[PlacedOrder]) -> str:
    """Return the active orders in words if every rule has one; else an empty text.

    Only then an answered card has nothing left to ask for.
    """
    if not all(offer.is_ordered for offer in offers):
        return ""
    return placed_sentence(call.wording, placed, active_only=True)


# --- texts


def _summary(call: Call, fired: _Fired, placed: Sequence[PlacedOrder]) -> str:
    """Return the rule's headline, or the headline that names an active order."""
    where, lead = call.wording.side(fired.side), _headline(fired)
    waiting = next((order for order in placed if order.active), None)
    if waiting is None:
        return lead.format(side=where)
    title = in_sentence(call.content.orders[waiting.order].title)
    ordered = call.content.texts.flag.summary_ordered.fill(
        title=fired.card.title, side=where, order=title, day=call.wording.day(waiting.when)
    )
    return whole([ordered, lead.format(side=where)], SUMMARY_LIMIT)


def _headline(fired: _Fired) -> str:
    """Return the rule's headline, or its more urgent headline if the chart makes the rule more urgent."""
    sooner = fired.first.speed == "same_day" and fired.rule.speed != "same_day"
    return (fired.card.summary_sooner or fired.card.summary) if sooner else fired.card.summary


def _several(call: Call, speed: Speed, titles: Sequence[str]) -> str:
    """Return the summary with the number of red flags and as many titles as fit."""
    texts, say, when = call.content.texts.flag, call.wording.say, _when(call, speed)

    def with_titles(words: str) -> str:
        return say(texts.several, count=len(titles), when=when, titles=words)

    fewer = [
        with_titles(say(texts.several_more, titles=", ".join(titles[:kept]), count=len(titles) - kept))
        for kept in range(len(titles) - 1, 0, -1)
    ]
    return whole([with_titles(call.wording.listed(titles)), *fewer], SUMMARY_LIMIT)


def _when(call: Call, speed: Speed) -> str:
    texts = call.content.texts.flag
    words = {"now": texts.now, "same_day": texts.same_day, "days": texts.days, "two_weeks": texts.two_weeks}
    return words[speed].fill()


def _parts(call: Call, rules: Sequence[_Fired], placed: Sequence[PlacedOrder]) -> list[Part]:
    texts, first = call.content.texts, rules[0]
    feared = call.content.short(first.first.cause) if first.rule.reasons else ""
    return [
        care_plan_part(call),
        part(speed_lead(call, first.first.speed), *_ranked(first.card.do, first=0)),
        part(texts.lead.may_be_about.fill(), Item(feared), end="."),
        _because(call, rules),
        part("", Item(placed_sentence(call.wording, placed))),
        *(part("", Item(_step_of(call, other), 1)) for other in rules[1:]),
        part(texts.lead.avoid.fill(), *_ranked(first.card.avoid, first=2)),
        part("", Item(_state_leg(call, first), 5)),
    ]


def _ranked(steps: Sequence[str], first: int) -> Iterator[Item]:
    """Yield the steps with their ranks. The first has rank ``first``; later steps are dropped first."""
    return (Item(step, first if place == 0 else max(first, 1) + place) for place, step in enumerate(steps))


def _because(call: Call, rules: Sequence[_Fired]) -> Part:
    """Return the facts of the leg, or the recorded diagnosis if the rule fired for a diagnosis without findings."""
    texts, lead, first = call.content.texts, call.content.texts.lead.because.fill(), rules[0]
    leg = first.legs[0]
    others = [flag for rule in rules[1:] for flag in rule.flags if flag.side is leg.side]
    facts = [*first.facts, *(fact for flag in others for fact in flag.facts)]
    if facts:
        return call.wording.reasons(lead, facts, leg.side, stay=_REASONS_THAT_STAY)
    recorded = leg.dvt.recorded_dvt
    if first.first.cause == DVT and isinstance(recorded, Diagnosis):
        return part(lead, diagnosis_item(call, recorded), end=".", grouped=call.wording.of_day)
    return part(lead, Item(texts.flag.rule_met.fill(rule=first.key)), end=".")


def _step_of(call: Call, other: _Fired) -> str:
    """Return the title, leg and first step of another rule for the same cause."""
    texts = call.content.texts
    title = texts.order.with_side.fill(title=other.card.title, side=call.wording.side(other.side))
    return texts.flag.step_of.fill(title=title, step=other.card.do[0])


def _part_of_several(call: Call, fired: _Fired) -> Part:
    """Return a rule with its leg and urgency: its title always, its first step and its facts if there is room."""
    title = call.content.texts.flag.one_of_several.fill(
        title=fired.card.title, side=call.wording.side(fired.side), when=_when(call, fired.first.speed)
    )
    facts = capital(call.wording.listing(fired.facts, fired.side))
    return part("", Item(f"**{title}.**"), Item(fired.card.do[0], 1), Item(f"{facts}." if facts else "", 2))


def _state_leg(call: Call, fired: _Fired) -> str:
    """Return the reminder to name the leg in a manual order, if the rule is about a leg and the chart names it."""
    if fired.side is Side.UNKNOWN or _SIDE not in fired.card.summary or call.assessment.care_plan:
        return ""
    return call.content.texts.dvt.state_leg.fill(side=call.wording.side(fired.side))


# --- orders


def _indicator(call: Call, flag: RedFlagVerdict) -> Literal["critical", "warning"]:
    return "warning" if call.assessment.care_plan else flag.indicator


def _offer(call: Call, fired: _Fired) -> _Offer:
    newest = {flag.side: newest_of(flag.facts) for flag in fired.flags}
    return _Offer(*offered(call, fired.card.consider, fired.legs, newest, _reason(call, fired)))


def _reason(call: Call, fired: _Fired) -> OrderReason:
    return OrderReason(
        cause=fired.first.cause,
        words=in_sentence(fired.card.title),
        facts=fired.facts,
        note=call.content.texts.order.recorded.fill(facts=call.wording.listing(fired.facts, fired.side)),
        priority=priority_for(fired.first.speed, fired.first.indicator),
    )


def _links(call: Call, fired: _Fired) -> Sequence[Link]:
    """Return the link to the order that the rule prefers."""
    if call.only_words:
        return ()
    reason = _reason(call, fired)
    taking = any(leg.dvt.anticoagulated for leg in fired.legs)
    draft = proposed(call, fired.key, reason, fired.card.consider, fired.side, note=reason.note, anticoagulated=taking)
    return (order_link(call.content, draft, call.base_url, call.order_url),)

"""Assessment -> cards: the DVT card first, then other red flags, then one differential. Never more than three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cds_service.clinical.assessment import LegAssessment, RedFlagVerdict
from cds_service.clinical.content.names import DVT, DVT_RULE, PULMONARY_EMBOLISM
from cds_service.clinical.record import Side, Unread
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card
from cds_service.rendering.differential_card import cause_card, differential_card, on_card
from cds_service.rendering.dvt_card import dvt_card
from cds_service.rendering.frame import card
from cds_service.rendering.gaps import MAX_NAMES, dvt_gap
from cds_service.rendering.layout import SUMMARY_LIMIT, Item, part
from cds_service.rendering.not_understood import about, counted, row_verdict, why, why_one
from cds_service.rendering.pain_card import KEY, asks_about_dvt, pain_card
from cds_service.rendering.red_flag_card import combined_card, red_flag_card
from cds_service.rendering.wording import whole

MAX_CARDS = 3
_MAX_ENTRIES = 5
_Group = tuple[LegAssessment, Sequence[RedFlagVerdict]]


def compose(call: Call) -> tuple[Card, ...]:
    """The cards of one answer, the most urgent first."""
    groups = _urgent_groups(call)
    cards = [_urgent_card(call, group) for group in groups[: MAX_CARDS - 1]]
    rest = groups[MAX_CARDS - 1 :]
    if rest:
        cards.append(
            _urgent_card(call, rest[0]) if len(rest) == 1 else combined_card(call, [flags for _, flags in rest])
        )
    cards += _differential(call, after_urgent=bool(groups))[: MAX_CARDS - len(cards)]
    if not cards and dvt_gap(call) and "gap" not in call.switched_off:
        cards.append(_gap_card(call))
    pains = _pains_without_a_card(call, cards)
    if pains and KEY not in call.switched_off and len(cards) < MAX_CARDS:
        cards.append(pain_card(call, pains))
    if not cards and (lost := _lost(call)) and "unread" not in call.switched_off:
        cards.append(_unread_card(call, lost))
    return tuple(_each_order_once(cards))


def _pains_without_a_card(call: Call, cards: Sequence[Card]) -> list[LegAssessment]:
    """Legs with a new pain of which no card speaks: what is known of the other leg answers nothing about it."""
    spoken_of = {card.leg for card in cards}
    if Side.BOTH.value in spoken_of:
        return []
    return [leg for leg in call.assessment.legs if leg.unexplained and leg.side.value not in spoken_of]


def _each_order_once(cards: Sequence[Card]) -> list[Card]:
    """An order that an earlier card offers is not offered again further down; an urgent card keeps a button."""
    offered: set[str] = set()
    kept = []
    for one in cards:
        fresh = tuple(suggestion for suggestion in one.suggestions if suggestion.label not in offered)
        if not fresh and one.indicator != "info":
            fresh = one.suggestions[:1]
        offered |= {suggestion.label for suggestion in fresh}
        kept.append(replace(one, suggestions=fresh))
    return kept


def _urgent_groups(call: Call) -> list[_Group]:
    """One group a cause, over both legs, the most urgent first. An embolism belongs to the suspected DVT: one act."""
    by_cause: dict[str, list[RedFlagVerdict]] = {}
    flags = [flag for flag in call.assessment.urgent if flag.rule not in call.switched_off]
    with_dvt = {flag.side for flag in flags if flag.rule == DVT_RULE}
    for flag in flags:
        is_part = flag.cause == PULMONARY_EMBOLISM and flag.side in with_dvt
        by_cause.setdefault(DVT if is_part else flag.cause, []).append(flag)
    groups: list[_Group] = []
    for flags in by_cause.values():
        leg = next(leg for leg in call.assessment.legs if leg.side == flags[0].side)
        groups.append((leg, flags))
    # A suspected DVT has a card of its own, whatever else there is.
    place = next((at for at, (_, flags) in enumerate(groups) if any(one.cause == DVT for one in flags)), 0)
    if place >= MAX_CARDS - 1:
        groups.insert(MAX_CARDS - 2, groups.pop(place))
    return groups


def _urgent_card(call: Call, group: _Group) -> Card:
    leg, flags = group
    if call.assessment.under_18:
        # The rule for DVT speaks of adults: any other rule for the same cause has the words.
        return red_flag_card(call, sorted(flags, key=lambda flag: flag.rule == DVT_RULE))
    if leg.dvt.suspected and any(flag.cause == DVT for flag in flags):
        sides = {flag.side for flag in flags}
        return dvt_card(call, leg, [one for one in call.assessment.legs if one.side in sides and one is not leg])
    return red_flag_card(call, flags)


def _differential(call: Call, *, after_urgent: bool) -> list[Card]:
    found: list[Card] = []
    by_leg = {leg.side: on_card(call, leg) for leg in call.assessment.legs}
    # A leg of which DVT has to be asked comes before one whose causes are known better.
    for leg in sorted(call.assessment.legs, key=lambda leg: not asks_about_dvt(call, leg)):
        causes = by_leg[leg.side]
        if not causes:
            continue
        if call.layout == "per_cause":
            found += [cause_card(call, leg, one) for one in causes]
        elif not found:
            same = [one for one in by_leg.values() if [c.cause for c in one] == [c.cause for c in causes]]
            side = Side.BOTH if len(same) > 1 else leg.side
            found.append(differential_card(call, leg, causes, side, after_urgent=after_urgent))
    return found


def _lost(call: Call) -> tuple[Unread, ...]:
    """Rows for which silence would read as "no concern".

    Without a complaint those that may be one; with a complaint also what a red flag may rest on.
    """
    assessment, doubts = call.assessment, call.assessment.doubts
    if assessment.patient.deceased:
        return ()
    if not assessment.legs:
        return doubts.complaint
    return tuple(dict.fromkeys((*doubts.complaint, *doubts.signs, *doubts.flags, *_without_age(call))))


def _without_age(call: Call) -> tuple[Unread, ...]:
    """The Patient, if it could not be read: whether a child or an adult is judged is then not known."""
    return tuple(one for one in call.assessment.record.unread if one.resource == "Patient" and not one.keys)


def _unread_card(call: Call, lost: tuple[Unread, ...]) -> Card:
    """Silence after a fault would read as "no concern"; this says what could not be judged."""
    texts, wording = call.content.texts, call.wording
    names = about(call.content, lost)
    lead = texts.lead.may_be_about.fill()
    return card(
        call,
        key="unread",
        leg=Side.UNKNOWN,
        topic="kneeunread1",
        summary=texts.chart.unread_summary.fill(rows=counted(wording, lost), why=why(wording, lost)),
        parts=[
            part(
                lead,
                *(Item(name, 0 if place < MAX_NAMES else 3) for place, name in enumerate(names)),
                between=", ",
                end=".",
                more=wording.more,
            ),
            part("", Item("" if names else texts.chart.about_unknown.fill())),
            part(
                "",
                *(Item(_entry(call, one), 1) for one in lost[:_MAX_ENTRIES]),
                between="; ",
                end=".",
                more=wording.more,
            ),
            part("", Item(texts.chart.look_yourself.fill())),
        ],
        indicator="info",
        source=texts.chart.source_label.fill(),
        verdicts=[row_verdict(one) for one in lost],
    )


def _entry(call: Call, one: Unread) -> str:
    day = call.wording.day(one.when)
    return call.content.texts.chart.unread_entry.fill(entry=f"`{one.source}`", day=day, why=why_one(call.wording, one))


def _gap_card(call: Call) -> Card:
    """A complaint without a judgement on DVT, because a part of the chart did not come."""
    texts, gap, wording = call.content.texts, dvt_gap(call), call.wording
    legs = call.assessment.legs
    complaints = [fact for leg in legs for fact in leg.complaints]
    side = legs[0].side if len(legs) == 1 else Side.BOTH
    said = [gap.words(wording), gap.short(wording)]
    where = wording.side(side)
    summaries = [texts.chart.gap_summary.fill(side=where, gap=one) for one in said]
    return card(
        call,
        key="gap",
        leg=side,
        topic="kneegap1",
        summary=whole([*summaries, texts.chart.gap_summary_alone.fill(side=where)], SUMMARY_LIMIT),
        parts=[
            wording.reasons(texts.lead.recorded.fill(), complaints, side),
            part("", Item(texts.chart.gap_advice.fill())),
        ],
        indicator="info",
        source=texts.chart.source_label.fill(),
        facts=complaints,
        verdicts=gap.verdicts,
    )

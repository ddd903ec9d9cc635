"""Composes the cards of an assessment: DVT first, then other red flags, then one differential. At most three cards."""

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
from cds_service.rendering.frame import card, safety_net
from cds_service.rendering.gaps import MAX_NAMES, dvt_gap
from cds_service.rendering.layout import SUMMARY_LIMIT, Item, part
from cds_service.rendering.not_understood import about, counted, row_verdict, why, why_one
from cds_service.rendering.pain_card import KEY, asks_about_dvt, dvt_links, dvt_question, pain_card
from cds_service.rendering.red_flag_card import combined_card, red_flag_card
from cds_service.rendering.wording import whole

MAX_CARDS = 3
_MAX_ENTRIES = 5
_Group = tuple[LegAssessment, Sequence[RedFlagVerdict]]


def compose(call: Call) -> tuple[Card, ...]:
    """Return the cards of one response, the most urgent first."""
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
    if not cards and (unread := _relevant_unread(call)) and "unread" not in call.switched_off:
        cards.append(_unread_card(call, unread))
    return tuple(_each_order_once(cards))


def _pains_without_a_card(call: Call, cards: Sequence[Card]) -> list[LegAssessment]:
    """Return the legs with unexplained new pain that no card is about. A card on the other leg does not cover them.

    Nor does a red flag of the same leg that can wait for days: the pain is then still unexplained.
    """
    later = {flag.rule for leg in call.assessment.legs if leg.unexplained for flag in leg.red_flags}
    covered = {card.leg for card in cards if card.rule not in later}
    if Side.BOTH.value in covered:
        return []
    return [leg for leg in call.assessment.legs if leg.unexplained and leg.side.value not in covered]


def _each_order_once(cards: Sequence[Card]) -> list[Card]:
    """Remove suggestions that an earlier card offers already. An urgent card keeps at least one button."""
    offered: set[str] = set()
    result = []
    for original in cards:
        fresh = tuple(suggestion for suggestion in original.suggestions if suggestion.label not in offered)
        if not fresh and original.indicator != "info":
            fresh = original.suggestions[:1]
        offered |= {suggestion.label for suggestion in fresh}
        result.append(replace(original, suggestions=fresh))
    return result


def _urgent_groups(call: Call) -> list[_Group]:
    """Return one group per cause, over both legs, the most urgent first.

    An embolism belongs to the group of the suspected DVT, because both need the same action.
    """
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
    # A suspected DVT always has its own card.
    place = next((at for at, (_, flags) in enumerate(groups) if any(flag.cause == DVT for flag in flags)), 0)
    if place >= MAX_CARDS - 1:
        groups.insert(MAX_CARDS - 2, groups.pop(place))
    return groups


def _urgent_card(call: Call, group: _Group) -> Card:
    leg, flags = group
    if call.assessment.under_18:
        # The rule for DVT is for adults, so any other rule for the same cause gives the wording.
        return red_flag_card(call, sorted(flags, key=lambda flag: flag.rule == DVT_RULE))
    if leg.dvt.suspected and any(flag.cause == DVT for flag in flags):
        sides = {flag.side for flag in flags}
        return dvt_card(
            call, leg, [other for other in call.assessment.legs if other.side in sides and other is not leg]
        )
    return red_flag_card(call, flags)


def _differential(call: Call, *, after_urgent: bool) -> list[Card]:
    """Return the differential card, or one card per cause, depending on the layout."""
    cards: list[Card] = []
    by_leg = {leg.side: on_card(call, leg) for leg in call.assessment.legs}
    # A leg with an open question about DVT comes first.
    for leg in sorted(call.assessment.legs, key=lambda leg: not asks_about_dvt(call, leg)):
        causes = by_leg[leg.side]
        if not causes:
            continue
        if call.layout == "per_cause":
            cards += [cause_card(call, leg, cause) for cause in causes]
        elif not cards:
            keys = [cause.cause for cause in causes]
            same = [others for others in by_leg.values() if [cause.cause for cause in others] == keys]
            side = Side.BOTH if len(same) > 1 else leg.side
            cards.append(differential_card(call, leg, causes, side, after_urgent=after_urgent))
    return cards


def _relevant_unread(call: Call) -> tuple[Unread, ...]:
    """Return the rows that were not understood and for which silence would look like "no concern".

    Without a complaint, these are rows that may be one. With a complaint, also rows that may support a red flag.
    """
    assessment, doubts = call.assessment, call.assessment.doubts
    if assessment.patient.deceased:
        return ()
    if not assessment.legs:
        return doubts.complaint
    return tuple(dict.fromkeys((*doubts.complaint, *doubts.signs, *doubts.flags, *_without_age(call))))


def _without_age(call: Call) -> tuple[Unread, ...]:
    """Return the Patient if it could not be read: then it is unknown whether the patient is a child or an adult."""
    return tuple(row for row in call.assessment.record.unread if row.resource == "Patient" and not row.keys)


def _unread_card(call: Call, unread: tuple[Unread, ...]) -> Card:
    """Return a card that says which rows could not be assessed, because silence would look like "no concern"."""
    texts, wording = call.content.texts, call.wording
    names = about(call.content, unread)
    lead = texts.lead.may_be_about.fill()
    return card(
        call,
        key="unread",
        leg=Side.UNKNOWN,
        topic="kneeunread1",
        summary=texts.chart.unread_summary.fill(rows=counted(wording, unread), why=why(wording, unread)),
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
                *(Item(_entry(call, row), 1) for row in unread[:_MAX_ENTRIES]),
                between="; ",
                end=".",
                more=wording.more,
            ),
            part("", Item(texts.chart.look_yourself.fill())),
        ],
        indicator="info",
        source=texts.chart.source_label.fill(),
        verdicts=[row_verdict(row) for row in unread],
    )


def _entry(call: Call, row: Unread) -> str:
    day = call.wording.day(row.when)
    return call.content.texts.chart.unread_entry.fill(entry=f"`{row.source}`", day=day, why=why_one(call.wording, row))


def _gap_card(call: Call) -> Card:
    """Return a card for a complaint for which DVT could not be assessed, because a part of the chart is missing."""
    texts, gap, wording = call.content.texts, dvt_gap(call), call.wording
    legs = call.assessment.legs
    complaints = [fact for leg in legs for fact in leg.complaints]
    side = legs[0].side if len(legs) == 1 else Side.BOTH
    where = wording.side(side)
    asking = next((leg for leg in legs if asks_about_dvt(call, leg)), None)
    gaps = [gap.words(wording), gap.short(wording)]
    summaries = [texts.chart.gap_summary.fill(side=where, gap=words) for words in gaps]
    return card(
        call,
        key="gap",
        leg=side,
        topic="kneegap1",
        summary=whole([*summaries, texts.chart.gap_summary_alone.fill(side=where)], SUMMARY_LIMIT),
        parts=[
            dvt_question(call, asking) if asking else part(""),
            wording.reasons(texts.lead.recorded.fill(), complaints, side),
            part("", Item(texts.chart.gap_advice.fill())),
            safety_net(call),
        ],
        indicator="info",
        source=texts.chart.source_label.fill(),
        facts=complaints,
        verdicts=gap.verdicts,
        links=dvt_links(call, asking) if asking else (),
    )

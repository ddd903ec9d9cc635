"""The draft orders that a card offers, the orders that exist already, and the order behind its link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

from cds_service.clinical.assessment import LegAssessment
from cds_service.clinical.content.models import Priority, Speed
from cds_service.clinical.record import Fact, PlacedOrder, Side
from cds_service.rendering.call import Call
from cds_service.rendering.card import Suggestion
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.requests import OrderReason, already_placed, references, suggest


def priority_for(speed: Speed, indicator: Literal["critical", "warning"]) -> Priority:
    """Return the FHIR priority: ``stat`` for now, ``urgent`` for within two weeks, else ``asap``.

    A critical card is always at least ``asap``.
    """
    if speed == "now":
        return "stat"
    return "urgent" if speed == "two_weeks" and indicator == "warning" else "asap"


def offered(
    call: Call,
    keys: Sequence[str],
    legs: Sequence[LegAssessment],
    newest: Mapping[Side, date | None],
    reason: OrderReason,
) -> tuple[list[Suggestion], list[PlacedOrder]]:
    """Return the draft orders to suggest and the orders that exist already.

    An order that exists for one leg is still suggested for the other leg.

    ``newest``: the day of the newest fact of each leg; an order completed before that day does not count.
    """
    content, today = call.content, call.assessment.today
    suggestions: list[Suggestion] = []
    placed: list[PlacedOrder] = []
    for key in keys:
        standing = {leg.side: already_placed(content, key, leg, reason.cause, today, newest[leg.side]) for leg in legs}
        left = [side for side, order in standing.items() if order is None]
        if not left:
            placed += dict.fromkeys(order for order in standing.values() if order is not None)
        elif not call.assessment.care_plan:
            suggestions.append(suggest(call, key, of_legs(left), reason))
    return suggestions, placed


def of_legs(sides: Sequence[Side]) -> Side:
    """Return the side if there is only one, else BOTH."""
    return sides[0] if len(sides) == 1 else Side.BOTH


def newest_of(facts: Sequence[Fact]) -> date | None:
    """Return the day of the newest fact; None if no fact has a date."""
    return max((fact.when.day for fact in facts if fact.when), default=None)


def proposed(
    call: Call,
    rule: str,
    reason: OrderReason,
    orders: Sequence[str],
    side: Side,
    *,
    note: str,
    unknown: Sequence[str] = (),
    anticoagulated: bool,
) -> OrderDraft:
    """Return the order behind the link of an urgent card.

    ``orders``: our orders, the preferred one first. ``note``: the recorded facts, without side and anticoagulant.
    ``unknown``: what is not recorded and would matter.
    """
    facts: dict[str, Fact] = {}
    for fact in reason.facts:
        facts.setdefault(fact.key, fact)
    return OrderDraft(
        rule=rule,
        cause=reason.cause,
        orders=tuple(orders),
        side=side,
        priority=reason.priority,
        words=reason.words,
        note=note,
        why=tuple(call.wording.dated(fact, side) for fact in facts.values()),
        unknown=tuple(unknown),
        anticoagulated=anticoagulated,
        references=references(reason.facts),
        language=call.content.texts.language.code,
    )

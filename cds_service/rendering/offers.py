"""Draft orders that a card offers, what stands already, and the order that its link leads to."""

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
    """``stat`` for now, ``urgent`` for within two weeks, else ``asap``; a critical card is never less than ``asap``."""
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
    """Draft orders, and the ones that stand already. What stands for one leg is still to be ordered for the other.

    ``newest``: the day of the newest fact of each leg; what was completed before it answers nothing.
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
            suggestions.append(suggest(content, key, of_legs(left), reason, call.context, today))
    return suggestions, placed


def of_legs(sides: Sequence[Side]) -> Side:
    """The one side, or both."""
    return sides[0] if len(sides) == 1 else Side.BOTH


def newest_of(facts: Sequence[Fact]) -> date | None:
    """The day of the newest of the facts; None if none has one."""
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
    """The order that the link of an urgent card leads to. ``orders``: the preferred one first.

    ``note``: what is recorded, without side and anticoagulant.
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

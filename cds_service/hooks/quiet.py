"""What a clinician has answered is not asked again (evidence F.5): until the facts change, or the window ends.

A card that is not urgent stays away for the rest of the encounter. An urgent one shrinks to a one-line reminder and
is never hidden. Only the reader's own answer counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from cds_service.clinical.content import Reasoning
from cds_service.hooks.askers import Asker, KeyedHash
from cds_service.hooks.messages import Card
from cds_service.hooks.parts import SUMMARY_LIMIT
from cds_service.hooks.register.rows import Answered
from cds_service.hooks.wording import cut


@dataclass(frozen=True, slots=True)
class Window:
    """How long an answer to a card keeps it quiet, and the fingerprint of the facts it rests on."""

    fingerprint: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Quieted:
    """The cards left to show. ``hidden``: those that stay away; ``reminders``: uuids of shrunken ones."""

    cards: tuple[Card, ...]
    hidden: tuple[Card, ...] = ()
    reminders: frozenset[str] = frozenset()


def fingerprint(card: Card, keyed: KeyedHash) -> str:
    """Changes when the facts, the rule, the leg or the urgency of a card change; not with its words or orders."""
    return keyed.of("card", card.rule, card.leg, card.indicator, *card.basis)


def window(card: Card, asker: Asker, reasoning: Reasoning, keyed: KeyedHash, now: datetime) -> Window:
    """How long ``card`` stays quiet once answered."""
    if card.indicator != "info":
        days = reasoning.quiet_urgent.days
    elif asker.encounter_key:
        days = reasoning.quiet_encounter.days
    else:
        days = reasoning.quiet_no_encounter.days
    return Window(fingerprint(card, keyed), now + timedelta(days=days))


def quieten(cards: Sequence[Card], answered: Sequence[Answered], asker: Asker, keyed: KeyedHash) -> Quieted:
    """``cards`` without what ``asker`` has answered. ``answered``: this user's answers for this patient, in window."""
    if not answered:
        return Quieted(tuple(cards))
    left: list[Card] = []
    hidden: list[Card] = []
    reminders: set[str] = set()
    for card in cards:
        mark = fingerprint(card, keyed)
        same = [one for one in answered if one.fingerprint == mark and one.topic == card.source.topic.code]
        if card.indicator != "info" and same:
            small = _reminder(card, max(one.outcome_at for one in same))
            reminders.add(small.uuid)
            left.append(small)
        elif any(one.encounter_key == asker.encounter_key for one in same):
            hidden.append(card)
        else:
            left.append(card)
    return Quieted(tuple(left), tuple(hidden), frozenset(reminders))


def _reminder(card: Card, answered_at: datetime) -> Card:
    """One line, its link kept: an urgent card may shrink, but it does not vanish."""
    closing = card.detail.rsplit("\n\n", 1)[-1]
    answered = f"Answered by you on {answered_at:%d %b at %H:%M} UTC; the facts have not changed."
    standing = f"{card.standing}\n\n" if card.standing else ""
    return card.model_copy(
        update={
            "uuid": str(uuid4()),
            "summary": cut(f"Still open: {card.summary}", SUMMARY_LIMIT),
            "detail": f"{standing}{answered} {closing}",
            "indicator": "info",
            "suggestions": None,
            "selectionBehavior": None,
            "overrideReasons": None,
        }
    )

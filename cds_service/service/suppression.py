"""What a clinician has answered is not asked again (evidence F.5): until the facts change, or the window ends.

A card that is not urgent stays away for the rest of the encounter. An urgent one shrinks to a reminder and is never
hidden; it stays a warning with its buttons until an order stands in the chart, because an accepted draft may have been
discarded. Only the reader's own answer counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from cds_service.adapters.pseudonyms import KeyedHash, Requester
from cds_service.adapters.store.rows import Answered
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Reasoning
from cds_service.rendering.card import Card
from cds_service.rendering.layout import SUMMARY_LIMIT
from cds_service.rendering.wording import Wording, cut, whole


@dataclass(frozen=True, slots=True)
class Window:
    """How long an answer to a card keeps it quiet, and the fingerprint of the facts it rests on."""

    fingerprint: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The cards left to show.

    Attributes:
        hidden: those that stay away.
        reminders: uuid of each shrunken card -> the window of the whole card, which no further answer prolongs.
    """

    cards: tuple[Card, ...]
    hidden: tuple[Card, ...] = ()
    reminders: Mapping[str, Window] = field(default_factory=dict)


def fingerprint(card: Card, keyed: KeyedHash) -> str:
    """Changes when the facts, the rule, the leg or the urgency of a card change; not with its words or orders."""
    return keyed.of("card", card.rule, card.leg, card.indicator, *card.basis)


def window(card: Card, requester: Requester, reasoning: Reasoning, keyed: KeyedHash, now: datetime) -> Window:
    """How long ``card`` stays quiet once answered."""
    if card.indicator != "info":
        days = reasoning.quiet_urgent.days
    elif requester.encounter_key:
        days = reasoning.quiet_encounter.days
    else:
        days = reasoning.quiet_no_encounter.days
    return Window(fingerprint(card, keyed), now + timedelta(days=days))


def suppress(
    cards: Sequence[Card],
    answered: Sequence[Answered],
    requester: Requester,
    keyed: KeyedHash,
    content: Content,
    now: datetime,
) -> Suppressed:
    """``cards`` without what ``requester`` has answered. ``answered``: this user's answers for this patient, in window.

    ``now``: with the site's zone, in which a reminder says when the card was answered.
    """
    if not answered:
        return Suppressed(tuple(cards))
    wording = Wording(content, now.date())
    left: list[Card] = []
    hidden: list[Card] = []
    reminders: dict[str, Window] = {}
    for card in cards:
        mark = fingerprint(card, keyed)
        same = [one for one in answered if one.fingerprint == mark and one.topic == card.source.topic.code]
        if card.indicator != "info" and same:
            small = _reminder(card, max(same, key=lambda one: one.outcome_at), wording, now)
            reminders[small.uuid] = Window(mark, max(one.quiet_until for one in same))
            left.append(small)
        elif any(one.encounter_key == requester.encounter_key for one in same):
            hidden.append(card)
        else:
            left.append(card)
    return Suppressed(tuple(left), tuple(hidden), reminders)


def _reminder(card: Card, latest: Answered, wording: Wording, now: datetime) -> Card:
    """What an urgent card shrinks to: it never vanishes, and until an order stands it can still be acted on.

    What the card says of parts of the chart that were not available or not read stays. A card about several rules
    stays whole, since nobody has answered for each of them.
    """
    texts, answer = wording.texts.reminder, _answer_words(latest, wording, now)
    shorter = [texts.summary.fill(summary=one) for one in (card.summary, card.lead)]
    summary = cut(whole(shorter, SUMMARY_LIMIT), SUMMARY_LIMIT)
    changes: dict[str, Any] = {"uuid": str(uuid4()), "summary": summary}
    if card.standing:
        said = texts.standing.fill(standing=card.standing, answer=answer)
        changes |= {"indicator": "info", "suggestions": (), "override_reasons": ()}
    else:
        said = (texts.unchanged if card.several else texts.no_order).fill(answer=answer)
        changes["indicator"] = "warning"
    *kept, closing = card.kept
    return replace(card, **changes, detail="\n\n".join([*kept, f"{said} {closing}"]))


def _answer_words(latest: Answered, wording: Wording, now: datetime) -> str:
    """``You accepted the order "D-dimer" on 6 Nov at 06:47``."""
    texts, when = wording.texts.reminder, latest.outcome_at.astimezone(now.tzinfo)
    day, time = wording.date(when.date()), wording.time(when)
    if latest.outcome != "accepted":
        return texts.overridden.fill(day=day, time=time)
    orders = wording.content.orders
    titles = [f'"{orders[one].title}"' for one in latest.orders if one in orders]
    if not titles:
        return texts.accepted_something.fill(day=day, time=time)
    return wording.say(texts.accepted, count=len(titles), orders=wording.listed(titles), day=day, time=time)

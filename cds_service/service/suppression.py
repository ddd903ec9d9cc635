"""Suppresses cards that a clinician has answered (evidence F.5), until the facts change or the window ends.

A card that is not urgent is hidden for the rest of the encounter. An urgent card is never hidden but shrinks to a
reminder. It stays a warning with its buttons until there is an active order in the chart, because an accepted draft
may have been discarded. Only the user's own answers count.
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
    """How long an answer suppresses a card, and the fingerprint of the facts behind the card."""

    fingerprint: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The result of suppressing cards.

    Attributes:
        cards: the cards to show.
        hidden: the cards that are not shown.
        reminders: uuid of each reminder -> the window of the original card. Further answers do not extend it.
    """

    cards: tuple[Card, ...]
    hidden: tuple[Card, ...] = ()
    reminders: Mapping[str, Window] = field(default_factory=dict)


def fingerprint(card: Card, keyed: KeyedHash) -> str:
    """Return a hash of the rule, leg, urgency and facts of a card. It does not depend on its wording or orders."""
    return keyed.of("card", card.rule, card.leg, card.indicator, *card.basis)


def window(card: Card, requester: Requester, reasoning: Reasoning, keyed: KeyedHash, now: datetime) -> Window:
    """Return the window for which an answer to ``card`` suppresses it."""
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
    """Hide or shrink the cards that ``requester`` has answered.

    ``answered``: this user's answers for this patient that are still in effect. ``now``: with the site's time zone, in
    which a reminder gives the time of the answer.
    """
    if not answered:
        return Suppressed(tuple(cards))
    wording = Wording(content, now.date())
    left: list[Card] = []
    hidden: list[Card] = []
    reminders: dict[str, Window] = {}
    for card in cards:
        mark = fingerprint(card, keyed)
        topic = card.source.topic.code
        same = [answer for answer in answered if answer.fingerprint == mark and answer.topic == topic]
        if card.indicator != "info" and same:
            reminder = _reminder(card, max(same, key=lambda answer: answer.outcome_at), wording, now)
            reminders[reminder.uuid] = Window(mark, max(answer.quiet_until for answer in same))
            left.append(reminder)
        elif any(answer.encounter_key == requester.encounter_key for answer in same):
            hidden.append(card)
        else:
            left.append(card)
    return Suppressed(tuple(left), tuple(hidden), reminders)


def _reminder(card: Card, latest: Answered, wording: Wording, now: datetime) -> Card:
    """Shrink an urgent card to a reminder. Until there is an active order, it keeps its buttons.

    Notes on missing or unread parts of the chart are kept. A card about several rules keeps its whole detail, because
    the answer does not show to which rules it applies.
    """
    texts, answer = wording.texts.reminder, _answer_words(latest, wording, now)
    summaries = [texts.summary.fill(summary=original) for original in (card.summary, card.lead)]
    summary = cut(whole(summaries, SUMMARY_LIMIT), SUMMARY_LIMIT)
    changes: dict[str, Any] = {"uuid": str(uuid4()), "summary": summary}
    if card.standing:
        sentence = texts.standing.fill(standing=card.standing, answer=answer)
        changes |= {"indicator": "info", "suggestions": (), "override_reasons": ()}
    else:
        sentence = (texts.unchanged if card.several else texts.no_order).fill(answer=answer)
        changes["indicator"] = "warning"
    *kept, closing = card.kept
    return replace(card, **changes, detail="\n\n".join([*kept, f"{sentence} {closing}"]))


def _answer_words(latest: Answered, wording: Wording, now: datetime) -> str:
    """Return an answer in words: ``You accepted the order "D-dimer" on 6 Nov at 06:47``."""
    texts, when = wording.texts.reminder, latest.outcome_at.astimezone(now.tzinfo)
    day, time = wording.date(when.date()), wording.time(when)
    if latest.outcome != "accepted":
        return texts.overridden.fill(day=day, time=time)
    orders = wording.content.orders
    titles = [f'"{orders[order].title}"' for order in latest.orders if order in orders]
    if not titles:
        return texts.accepted_something.fill(day=day, time=time)
    return wording.say(texts.accepted, count=len(titles), orders=wording.listed(titles), day=day, time=time)

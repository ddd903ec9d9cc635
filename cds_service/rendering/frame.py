"""What every card shares: its frame, override reasons, closing lines and the facts of the call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal
from uuid import uuid4

from cds_service.clinical.content.loading.languages import ENGLISH
from cds_service.clinical.content.models import Speed
from cds_service.clinical.content.names import SAFETY_NET
from cds_service.clinical.content.texts import Message, OverrideTexts, TopicTexts
from cds_service.clinical.leg import is_order
from cds_service.clinical.record import Fact, Side
from cds_service.protocol.messages import Coding, Source
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card, Link, Suggestion
from cds_service.rendering.gaps import gap_part, lacking_part
from cds_service.rendering.layout import (
    DETAIL_LIMIT,
    INFO_WORDS,
    SUMMARY_LIMIT,
    URGENT_WORDS,
    Item,
    Part,
    detail_of,
    fitted,
    part,
    word_count,
)
from cds_service.rendering.not_understood import row_verdict
from cds_service.rendering.wording import CUT, cut, whole

LEGEND_MARK = "*)"
"""How a weight without a study ends."""
TOPICS = "https://posterior-knee-cds.example/fhir/CodeSystem/card-topic"
_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OVERRIDE_CODES = tuple(name.replace("_", "-") for name in OverrideTexts.model_fields)
"""Six of the reasons of HL7's NonAdherenceReasonClinical value set."""


def override_reasons(texts: OverrideTexts) -> tuple[Coding, ...]:
    """The reasons for not following a card, in our words for the button."""
    displays: list[Message] = [getattr(texts, name) for name in OverrideTexts.model_fields]
    return tuple(
        Coding(system=_REASONS, code=code, display=display.fill())
        for code, display in zip(OVERRIDE_CODES, displays, strict=True)
    )


def card(
    call: Call,
    *,
    key: str,
    leg: Side,
    topic: str,
    summary: str,
    reasons: Sequence[str] = (),
    parts: Sequence[Part],
    indicator: Literal["info", "warning", "critical"],
    source: str,
    facts: Sequence[Fact] = (),
    verdicts: Sequence[str] = (),
    suggestions: Sequence[Suggestion] = (),
    links: Sequence[Link] = (),
    standing: str = "",
    rules: Sequence[str] = (),
    legend: str = "",
) -> Card:
    """A whole card. ``key``: the rule or cause of its evidence page. ``topic``: the same for every call.

    ``summary`` has as many of the ``reasons`` added as there is room for.
    ``parts``: the detail; what the chart lacks is said before it, and the closing line after it. ``rules``: all that it
    names, if more than ``key``. ``facts`` and ``verdicts`` are what it rests on: as long as they stay, it says nothing
    new. ``legend``: what a star means, shown where there is one.
    """
    texts = call.content.texts
    taken = tuple(one for one in suggestions if call.supported_orders is None or one.order in call.supported_orders)
    by_hand = [one.label for one in suggestions if one not in taken]
    gap, lacking = gap_part(call), lacking_part(call)
    closing = part("", Item(closing_line(call, rules or [key])))
    hand = part(texts.lead.by_hand.fill(), *map(Item, by_hand), between="; ", end=".")
    limit = INFO_WORDS if indicator == "info" else URGENT_WORDS
    shown = fitted((gap, *parts, hand, lacking, closing), limit)
    if legend and any(LEGEND_MARK in one.text for one in shown):
        explained = part("", Item(legend))
        shown = fitted((gap, *parts, hand, lacking, explained, closing), limit)
        if not any(LEGEND_MARK in one.text for one in shown):
            # Its own words took the room of what it explains: then neither is said.
            shown = fitted((gap, *map(_without_stars, parts), hand, lacking, closing), limit)
    kept = shown[:-1] if rules else [gap, lacking]
    return Card(
        uuid=str(uuid4()),
        rule=key,
        leg=leg.value,
        standing=standing,
        kept=tuple(text for one in (*kept, closing) if (text := one.text)),
        several=bool(rules),
        basis=tuple(sorted({*_basis_of(facts), *verdicts, *_doubtful(call)})),
        lead=cut(summary, SUMMARY_LIMIT),
        summary=cut(_with_reasons(call, summary, reasons), SUMMARY_LIMIT),
        detail=detail_of(shown),
        indicator=indicator,
        source=Source(label=source, url=_evidence(call, key), topic=_topic(call, topic)),
        suggestions=taken,
        override_reasons=override_reasons(texts.override) if indicator != "info" else (),
        links=tuple(links),
    )


def _without_stars(one: Part) -> Part:
    """The part without the items that need the legend."""
    return replace(one, items=tuple(item for item in one.items if LEGEND_MARK not in item.text))


def _with_reasons(call: Call, summary: str, reasons: Sequence[str]) -> str:
    """In one sentence."""
    more, start = call.content.texts.summary_more, summary.rstrip(".")
    some = [", ".join(reasons[:count]) for count in range(len(reasons), 0, -1)]
    return whole([*(more.fill(summary=start, facts=facts) for facts in some), summary], SUMMARY_LIMIT)


def facts_in_short(call: Call, facts: Iterable[Fact], most: int) -> list[str]:
    """The strongest facts for a summary, without their days."""
    stated = (fact for one in facts for fact in one.stated)
    return list(dict.fromkeys(call.wording.fact(fact) for fact in stated))[:most]


def _evidence(call: Call, key: str) -> str:
    """The page behind the card, in the language of the card."""
    language = call.content.texts.language.code
    return f"{call.base_url}/evidence/{key}" + ("" if language == ENGLISH else f"?language={language}")


def too_long(card: Card) -> str:
    """What is longer on a card than a reader has time for, in our words; empty if nothing is.

    Only what must be said is ever too long: see ``layout.fitted``.
    """
    count, most = word_count(card.detail), INFO_WORDS if card.indicator == "info" else URGENT_WORDS
    if count > most:
        return f"has {count} words of which none may be left out; the limit is {most}"
    if len(card.detail) > DETAIL_LIMIT:
        return f"has {len(card.detail)} characters of which none may be left out; the limit is {DETAIL_LIMIT}"
    return "has a headline that had to be cut" if card.summary.endswith(CUT) else ""


def _topic(call: Call, topic: str) -> Coding:
    """What the card is about: a message of its own, or the rule or cause that it is named after."""
    texts = call.content.texts.topic
    if topic in TopicTexts.model_fields:
        message: Message = getattr(texts, topic)
        return Coding(system=TOPICS, code=topic, display=message.fill())
    rule = call.content.red_flags.get(topic)
    title = rule.card.title if rule else call.content.causes[topic].title
    return Coding(system=TOPICS, code=f"knee{topic.replace('_', '').lower()}1", display=title)


def _doubtful(call: Call) -> Iterator[str]:
    """Rows that were not understood and may matter: another one is news, also on a card that was answered."""
    return (f"not understood: {row_verdict(one)}" for one in call.assessment.doubts.of_concern)


def _basis_of(facts: Iterable[Fact]) -> Iterator[str]:
    """The facts; that an order was placed for a suspicion is an answer to the card, and no reason to show it anew."""
    return (_basis(fact) for fact in facts if not is_order(fact))


def _basis(fact: Fact) -> str:
    """A fact by what it says, not by the resource that says it: a copy of the same statement is no news."""
    when = fact.when.text if fact.when else "undated"
    return f"{fact.key} {fact.status.value} {fact.side.value} {when}"


def closing_line(call: Call, keys: Sequence[str]) -> str:
    """Day and time of the data with their zone, the rules, and what this is not."""
    texts, moment = call.content.texts, call.wording.moment(call.now)
    rules = [key for key in keys if key in call.content.red_flags]
    return (
        texts.card_end.fill(moment=moment, rule=", ".join(rules))
        if rules
        else texts.card_end_causes.fill(moment=moment)
    )


def care_plan_part(call: Call) -> Part:
    """For palliative care only: the one thing that may lower an urgent card (evidence F.5)."""
    return part("", Item(call.content.texts.dvt.palliative.fill() if call.assessment.care_plan else ""))


def speed_lead(call: Call, speed: Speed) -> str:
    """How the part begins that says what to do: by when."""
    texts = call.content.texts.lead
    leads = {"now": texts.now, "same_day": texts.today, "days": texts.days, "two_weeks": texts.two_weeks}
    return leads[speed].fill()


def safety_net(call: Call) -> Part:
    """When to seek help sooner; never left out."""
    return part(call.content.texts.lead.safety_net.fill(), Item(call.content.actions[SAFETY_NET].text))

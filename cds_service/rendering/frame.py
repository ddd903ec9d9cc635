"""The parts that all cards share: frame, override reasons, closing line and missing data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal
from uuid import uuid4

from cds_service.clinical.content.loading.languages import ENGLISH
from cds_service.clinical.content.models import Speed
from cds_service.clinical.content.names import REVIEW_IN_WEEKS, SAFETY_NET
from cds_service.clinical.content.texts import Message, OverrideTexts, TopicTexts
from cds_service.clinical.leg import is_order
from cds_service.clinical.record import Fact, Side
from cds_service.protocol.messages import Coding, Source
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card, Link, Suggestion
from cds_service.rendering.gaps import gap_part, incomplete_part
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
"""Ending of a weight that is not based on a study."""
TOPICS = "https://posterior-knee-cds.example/fhir/CodeSystem/card-topic"
_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OVERRIDE_CODES = tuple(name.replace("_", "-") for name in OverrideTexts.model_fields)
"""Six of the reasons of HL7's NonAdherenceReasonClinical value set."""


def override_reasons(texts: OverrideTexts) -> tuple[Coding, ...]:
    """Return the reasons for not following a card, with our texts for the buttons."""
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
    """Build a card.

    Args:
        call: the call that it answers.
        key: the rule or cause of its evidence page.
        leg: the leg or legs that it is about.
        topic: topic of the card, the same in every call.
        summary: one sentence, to which as many ``reasons`` are added as fit.
        reasons: the strongest facts in short.
        parts: the detail. Missing data is named before and after it, and the closing line comes last.
        indicator: urgency.
        source: label of the source.
        facts: the facts that the card is based on.
        verdicts: conclusions that it is based on. While facts and verdicts stay the same, the card is not news.
        suggestions: draft orders. Those that the EHR does not support are named in the detail instead.
        links: links below the card.
        standing: the active orders in words; empty if something is still to be ordered.
        rules: all rules that the card names, if more than ``key``.
        legend: explanation of the star, added if the detail has one.
    """
    texts = call.content.texts
    supported = call.supported_orders
    sent = tuple(suggestion for suggestion in suggestions if supported is None or suggestion.order in supported)
    by_hand = [suggestion.label for suggestion in suggestions if suggestion not in sent]
    gap, incomplete = gap_part(call), incomplete_part(call)
    closing = part("", Item(closing_line(call, rules or [key])))
    hand = part(texts.lead.by_hand.fill(), *map(Item, by_hand), between="; ", end=".")
    limit = INFO_WORDS if indicator == "info" else URGENT_WORDS
    shown = fitted((gap, *parts, hand, incomplete, closing), limit)
    if legend and any(LEGEND_MARK in paragraph.text for paragraph in shown):
        explained = part("", Item(legend))
        shown = fitted((gap, *parts, hand, incomplete, explained, closing), limit)
        if not any(LEGEND_MARK in paragraph.text for paragraph in shown):
            # The legend takes the room of the items that it explains: leave out both.
            shown = fitted((gap, *map(_without_stars, parts), hand, incomplete, closing), limit)
    kept = shown[:-1] if rules else [gap, incomplete]
    return Card(
        uuid="" if call.only_words else str(uuid4()),
        rule=key,
        leg=leg.value,
        standing=standing,
        kept=tuple(text for paragraph in (*kept, closing) if (text := paragraph.text)),
        several=bool(rules),
        basis=tuple(sorted({*_basis_of(facts), *verdicts, *_doubtful(call)})),
        lead=cut(summary, SUMMARY_LIMIT),
        summary=cut(_with_reasons(call, summary, reasons), SUMMARY_LIMIT),
        detail=detail_of(shown),
        indicator=indicator,
        source=Source(label=source, url=_evidence(call, key), topic=_topic(call, topic)),
        suggestions=sent,
        override_reasons=() if indicator == "info" or call.only_words else override_reasons(texts.override),
        links=tuple(links),
    )


def _without_stars(paragraph: Part) -> Part:
    """Return the paragraph without the items that need the legend."""
    return replace(paragraph, items=tuple(item for item in paragraph.items if LEGEND_MARK not in item.text))


def _with_reasons(call: Call, summary: str, reasons: Sequence[str]) -> str:
    """Return the summary as one sentence with as many reasons as fit."""
    more, start = call.content.texts.summary_more, summary.rstrip(".")
    some = [", ".join(reasons[:count]) for count in range(len(reasons), 0, -1)]
    return whole([*(more.fill(summary=start, facts=facts) for facts in some), summary], SUMMARY_LIMIT)


def facts_in_short(call: Call, facts: Iterable[Fact], max_count: int) -> list[str]:
    """Return the strongest facts for a summary, without dates, at most ``max_count``."""
    stated = (stated for fact in facts for stated in fact.stated)
    return list(dict.fromkeys(call.wording.fact(fact) for fact in stated))[:max_count]


def _evidence(call: Call, key: str) -> str:
    """Return the URL of the evidence page, in the language of the card."""
    language = call.content.texts.language.code
    return f"{call.base_url}/evidence/{key}" + ("" if language == ENGLISH else f"?language={language}")


def too_long(card: Card) -> str:
    """Return what is too long on a card, in words; empty if nothing is.

    A card can only be too long because of items that must stay: see ``layout.fitted``.
    """
    count, limit = word_count(card.detail), INFO_WORDS if card.indicator == "info" else URGENT_WORDS
    if count > limit:
        return f"has {count} words of which none may be left out; the limit is {limit}"
    if len(card.detail) > DETAIL_LIMIT:
        return f"has {len(card.detail)} characters of which none may be left out; the limit is {DETAIL_LIMIT}"
    return "has a headline that had to be cut" if card.summary.endswith(CUT) else ""


def _topic(call: Call, topic: str) -> Coding:
    """Return the topic of the card: one of the topic messages, or the rule or cause that it is named after."""
    texts = call.content.texts.topic
    if topic in TopicTexts.model_fields:
        message: Message = getattr(texts, topic)
        return Coding(system=TOPICS, code=topic, display=message.fill())
    rule = call.content.red_flags.get(topic)
    title = rule.card.title if rule else call.content.causes[topic].title
    return Coding(system=TOPICS, code=f"knee{topic.replace('_', '').lower()}1", display=title)


def _doubtful(call: Call) -> Iterator[str]:
    """Return a text for each relevant row that was not understood. A new one makes an answered card news again."""
    return (f"not understood: {row_verdict(row)}" for row in call.assessment.doubts.of_concern)


def _basis_of(facts: Iterable[Fact]) -> Iterator[str]:
    """Return a text for each fact except placed orders: an order is an answer to the card, not a reason to show it."""
    return (_basis(fact) for fact in facts if not is_order(fact))


def _basis(fact: Fact) -> str:
    """Return a fact as text, without its resource: a copy of the same statement is not news."""
    when = fact.when.text if fact.when else "undated"
    return f"{fact.key} {fact.status.value} {fact.side.value} {when}"


def closing_line(call: Call, keys: Sequence[str]) -> str:
    """Return the closing line: date and time of the data with their zone, the rules, and the disclaimer."""
    texts, moment = call.content.texts, call.wording.moment(call.now)
    rules = [key for key in keys if key in call.content.red_flags]
    return (
        texts.card_end.fill(moment=moment, rule=", ".join(rules))
        if rules
        else texts.card_end_causes.fill(moment=moment)
    )


def care_plan_part(call: Call) -> Part:
    """Return the note on palliative care, the only reason to lower an urgent card (evidence F.5); else empty."""
    return part("", Item(call.content.texts.dvt.palliative.fill() if call.assessment.care_plan else ""))


def speed_lead(call: Call, speed: Speed) -> str:
    """Return the heading of the part that says what to do: how soon."""
    texts = call.content.texts.lead
    leads = {"now": texts.now, "same_day": texts.today, "days": texts.days, "two_weeks": texts.two_weeks}
    return leads[speed].fill()


def safety_net(call: Call, *, after_urgent: bool = False) -> Part:
    """Return the advice when to seek help sooner. It is never left out.

    ``after_urgent``: there is an urgent card above, beside which a review in weeks would mislead.
    """
    actions = call.content.actions
    review = "" if after_urgent else actions[REVIEW_IN_WEEKS].text
    return part(call.content.texts.lead.safety_net.fill(), Item(actions[SAFETY_NET].text), Item(review))

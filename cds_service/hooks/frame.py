"""What every card shares: its frame, override reasons, closing lines and the facts of the call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal
from uuid import uuid4

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content import Content, Priority, Speed
from cds_service.clinical.languages import ENGLISH
from cds_service.clinical.leg import is_order
from cds_service.clinical.names import MALIGNANCY, SAFETY_NET
from cds_service.clinical.record import Fact, RowState, Side, Status, Unread
from cds_service.clinical.texts import Message, OverrideTexts, TopicTexts
from cds_service.hooks.layout import (
    DETAIL_LIMIT,
    INFO_WORDS,
    URGENT_WORDS,
    Item,
    Part,
    detail_of,
    fitted,
    part,
    word_count,
)
from cds_service.hooks.messages import Card, Coding, Context, Link, Source, Suggestion
from cds_service.hooks.not_understood import about, counted, why
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import OrderReason, references
from cds_service.hooks.prefetch import DVT_NEEDS, JUDGED_BY
from cds_service.hooks.prefetch import Part as ChartPart
from cds_service.hooks.wording import CUT, Wording, cut

SUMMARY_LIMIT = 139
MOST_NAMES = 3
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


@dataclass(frozen=True)
class Call:
    """What composing needs to know besides the verdicts.

    Attributes:
        lacking: parts of the chart that did not come whole.
        switched_off: rules and causes that make no card at this site.
        takes: the orders that the EHR takes as a suggestion; None if it takes all.
    """

    content: Content
    assessment: Assessment
    context: Context
    now: datetime
    base_url: str
    order_url: str | None
    layout: Literal["differential", "per_cause"]
    lacking: tuple[ChartPart, ...] = ()
    switched_off: frozenset[str] = frozenset()
    takes: frozenset[str] | None = None

    @cached_property
    def wording(self) -> Wording:
        """The words of this answer."""
        return Wording(self.content, self.assessment.today)


def priority_for(speed: Speed, indicator: Literal["critical", "warning"]) -> Priority:
    """``stat`` for now, ``urgent`` for within two weeks, else ``asap``; a critical card is never less than ``asap``."""
    if speed == "now":
        return "stat"
    return "urgent" if speed == "two_weeks" and indicator == "warning" else "asap"


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


def card(
    call: Call,
    *,
    key: str,
    leg: Side,
    topic: str,
    summary: str,
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

    ``parts``: the detail; what the chart lacks is said before it, and the closing line after it. ``rules``: all that it
    names, if more than ``key``. ``facts`` and ``verdicts`` are what it rests on: as long as they stay, it says nothing
    new. ``legend``: what a star means, shown where there is one.
    """
    texts = call.content.texts
    taken = tuple(one for one in suggestions if call.takes is None or one.order in call.takes)
    by_hand = [one.label for one in suggestions if one not in taken]
    gap, lacking = gap_part(call), lacking_part(call)
    closing = part("", Item(closing_line(call, rules or [key])))
    hand = part(texts.lead.by_hand.fill(), *map(Item, by_hand), between="; ", end=".")
    limit = INFO_WORDS if indicator == "info" else URGENT_WORDS
    shown = fitted((gap, *parts, hand, lacking, closing), limit)
    if legend and any(LEGEND_MARK in one.text for one in shown):
        explained = part("", Item(legend))
        shown = fitted((gap, *parts, hand, lacking, explained, closing), limit)
    kept = shown[:-1] if rules else [gap, lacking]
    return Card(
        uuid=str(uuid4()),
        rule=key,
        leg=leg.value,
        standing=standing,
        kept=tuple(text for one in (*kept, closing) if (text := one.text)),
        several=bool(rules),
        basis=tuple(sorted({*_basis_of(facts), *verdicts, *_doubtful(call)})),
        summary=cut(summary, SUMMARY_LIMIT),
        detail=detail_of(shown),
        indicator=indicator,
        source=Source(label=source, url=_evidence(call, key), topic=_topic(call, topic)),
        suggestions=taken or None,
        selectionBehavior="any" if taken else None,
        overrideReasons=override_reasons(texts.override) if indicator != "info" else None,
        links=tuple(links) or None,
    )


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


def row_verdict(one: Unread) -> str:
    """A row that was not understood, for a fingerprint: which one, why, and by its digest what stood in it."""
    return f"{one.source} {one.reason} {one.digest}"


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


def gap_part(call: Call) -> Part:
    """What keeps DVT from being excluded, where it is not suspected anyway."""
    lead = call.content.texts.lead.cannot_exclude.fill()
    return part(lead, Item(dvt_gap(call).words(call.wording)), end=".")


def lacking_part(call: Call) -> Part:
    """What else the chart did not bring or what was not understood; empty when nothing is lacking."""
    texts, gap = call.content.texts.chart, dvt_gap(call)
    others = [part_words(call.wording, one) for one in call.lacking if one not in gap.parts]
    missing = texts.also_missing if gap.parts else texts.missing
    left = missing.fill(parts=call.wording.listed(others)) if others else ""
    return part("", Item(left), Item(_not_read(call, gap)), Item(_strangers(call)))


def part_words(wording: Wording, one: ChartPart) -> str:
    """``procedures``, ``observations (not all)``."""
    message: Message = getattr(wording.texts.chart.parts, one.key)
    return wording.texts.chart.parts.not_all.fill(part=message.fill()) if one.came_in_part else message.fill()


def _not_read(call: Call, gap: Gap) -> str:
    texts, record = call.content.texts.chart, call.assessment.record
    patients = [one for one in record.unread if one.resource == "Patient"]
    rest = [one for one in (*patients, *call.assessment.doubts.on_card) if one not in gap.rows]
    if not rest:
        return ""
    rows = counted(call.wording, rest)
    names = about(call.content, rest)[:MOST_NAMES]
    if not names:
        return texts.not_read.fill(rows=rows)
    return texts.not_read_about.fill(rows=rows, names=call.wording.listed(names))


def _strangers(call: Call) -> str:
    count = call.assessment.record.rows(RowState.ANOTHER_PATIENT)
    return call.wording.say(call.content.texts.chart.strangers, count=count) if count else ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Why DVT cannot be excluded: parts of the chart that did not come, and rows that were not understood."""

    parts: tuple[ChartPart, ...] = ()
    rows: tuple[Unread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.rows)

    def words(self, wording: Wording) -> str:
        """``problems not available to this service; 1 observation not understood``."""
        texts = wording.texts.chart
        said = [texts.parts_missing.fill(parts=self._missing(wording))] if self.parts else []
        if self.rows:
            said.append(texts.rows_why.fill(rows=counted(wording, self.rows), why=why(wording, self.rows)))
        return "; ".join(said)

    def short(self, wording: Wording) -> str:
        """The same for a summary."""
        texts = wording.texts.chart
        said = [texts.short_missing.fill(parts=self._missing(wording))] if self.parts else []
        said += [texts.short_rows.fill(rows=counted(wording, self.rows))] if self.rows else []
        return "; ".join(said)

    def _missing(self, wording: Wording) -> str:
        return wording.listed([part_words(wording, one) for one in self.parts])

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For the fingerprint of a card: what it says is news as soon as another row or part is missing."""
        return (*(one.words for one in self.parts), *map(row_verdict, self.rows))


def dvt_gap(call: Call) -> Gap:
    """What keeps DVT from being excluded; nothing when it is suspected anyway.

    A local sign may be an observation or a problem. A procedure is only a risk, and a risk alone opens a suspicion
    for a new pain only (evidence C.5); so is a medicine that shows a cancer on record to be under treatment.
    """
    verdicts = [leg.dvt for leg in call.assessment.legs]
    if not verdicts or any(verdict.suspected for verdict in verdicts):
        return Gap()
    needed: tuple[str, ...] = JUDGED_BY
    doubts = call.assessment.doubts
    rows = doubts.signs
    if any(verdict.new_pain for verdict in verdicts):
        facts = call.assessment.record.facts
        cancer = any(fact.key == MALIGNANCY and fact.status is Status.PRESENT for fact in facts)
        # A medicine may be a risk that opens it by itself, where the pathway's choice says so.
        any_risk = any(verdict.any_risk_opens for verdict in verdicts)
        needed = (*DVT_NEEDS, "medications") if cancer or any_risk else DVT_NEEDS
        rows = tuple(dict.fromkeys((*doubts.signs, *(doubts.risks if any_risk else doubts.major_risks))))
    return Gap(tuple(one for one in call.lacking if one.key in needed), rows)


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

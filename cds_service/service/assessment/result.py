"""The result of an assessment: the cards of the chart with the answers, the order they ask for, and the note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cds_service.adapters.clients.model import Caller
from cds_service.clinical.answers import Answers, Question, leg_of
from cds_service.clinical.assess import assess, shown
from cds_service.clinical.assessment import Assessment, LegAssessment, Wells
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import CALF_DIFFERENCE, DVT_RULE
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import Record, Side
from cds_service.protocol.messages import Context
from cds_service.rendering.card import Card, Link
from cds_service.rendering.dvt_questions import not_counted_words, wells_words
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.wording import Wording, capital, in_sentence
from cds_service.service.assessment.form import Asked, AssessForm, asked
from cds_service.service.assessment.observation import contraindication, with_treatment
from cds_service.service.evaluate import Service

_NOTED = ("score", "pathway", "warning_signs")
"""Groups of questions for which the note also lists what was not examined."""


@dataclass(frozen=True)
class Assessed:
    """The assessment of one leg with the answers so far.

    Attributes:
        content: in the language of the reader.
        leg: the leg with the answers; its ``side`` is UNKNOWN if neither chart nor clinician says which leg it is.
        order: link to the order that the card of the page's rule asks for; if that rule no longer fires, of the first
            urgent card; None if no card asks for an order.
        draft: that order, with the answers.
    """

    content: Content
    assessment: Assessment
    leg: LegAssessment
    asked: Asked
    cards: tuple[Card, ...]
    order: Link | None
    draft: OrderDraft | None
    now: datetime

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions."""
        return self.asked.questions

    @property
    def answers(self) -> Answers:
        """The answers that count."""
        return self.asked.answers

    @property
    def wording(self) -> Wording:
        """The wording for the reader."""
        return Wording(self.content, self.now.date())

    @property
    def wells(self) -> Wells | None:
        """The score; None if no score applies or no DVT is suspected."""
        return self.leg.dvt.wells if any(question.group == "score" for question in self.questions) else None

    @property
    def score(self) -> str:
        """The score in words: ``Wells 3``, or a range while items are open; empty if no score applies."""
        return wells_words(self.wording, self.wells) if self.wells is not None else ""

    @property
    def is_complete(self) -> bool:
        """Whether every item of the score is known and there are answers from this page."""
        return self.wells is not None and self.wells.settled and not self.answers.is_empty

    @property
    def own_order(self) -> str:
        """Address of the site's own order entry for this order; empty if our own order page is used."""
        return self.order.url if self.order is not None and self.order.to_site else ""

    @property
    def answered(self) -> list[str]:
        """The findings that were answered."""
        return [
            *self.answers.said,
            *([CALF_DIFFERENCE] if self.answers.calves and CALF_DIFFERENCE not in self.answers.said else []),
        ]

    @property
    def side(self) -> Side:
        """The leg according to the chart or, if it does not say, the clinician."""
        return self.leg.side if self.leg.side in (Side.LEFT, Side.RIGHT) else self.answers.side

    @property
    def differential(self) -> Sequence[str]:
        """Names of the causes that fit, or else of diagnoses that look like a DVT.

        Shown with the question whether another diagnosis is at least as likely.
        """
        names = [self.content.short(ranked.cause) for ranked in shown(self.leg)]
        return names or self.content.pathway.also_possible

    @property
    def note(self) -> str:
        """The assessment as a text for the chart: findings present, absent and not examined, and what to do next."""
        texts, wording = self.content.texts.assess, self.wording
        head = {"side": wording.side(self.side), "moment": wording.moment(self.now)}
        if self.wells is None:
            lines = [texts.note_no_score.fill(**head)]
        else:
            lines = [texts.note_head.fill(score=self.score, pathway=self.content.pathway.title, **head)]
        said = self.answers.said
        lines += self._line(texts.note_yes, (key for key, is_so in said.items() if is_so))
        lines += self._line(texts.note_no, (key for key, is_so in said.items() if not is_so))
        if self.wells is not None and (item := self.wells.not_counted):
            lines.append(not_counted_words(self.content, item))
        if self.answers.calves is not None:
            here, other = (wording.number(girth) for girth in self.answers.calves)
            lines.append(texts.girths.fill(here=here, other=other))
        recorded = [
            question.recorded for question in self.questions if question.recorded and question.finding not in said
        ]
        if recorded:
            lines.append(texts.note_recorded.fill(findings="; ".join(wording.dated(fact) for fact in recorded)))
        if against := contraindication(self.content, self.answers):
            lines.append(against)
        left = [in_sentence(self.named(key)) for key in self._open()]
        if self.asked.about_treatment and not against:
            left.append(in_sentence(texts.against.fill()))
        if left:
            lines.append(texts.note_open.fill(findings="; ".join(left)))
        lines += [card.summary for card in self.cards[:1]]
        return "\n".join(lines)

    def _open(self) -> Iterable[str]:
        for question in self.questions:
            measured = question.finding == CALF_DIFFERENCE and self.answers.calves is not None
            if (
                question.group in _NOTED
                and question.recorded is None
                and question.finding not in self.answers.said
                and not measured
            ):
                yield question.finding

    def _line(self, message: Message, keys: Iterable[str]) -> list[str]:
        names = [in_sentence(self.named(key)) for key in keys]
        return [message.fill(findings="; ".join(names))] if names else []

    def name(self, question: Question) -> str:
        """Return the text of a question."""
        return capital(self.named(question.finding))

    def named(self, key: str) -> str:
        """Return the full name of a finding; the name of the score item if the item has no other finding."""
        items = self.content.pathway.items
        return next((item.name for item in items if item.any == (key,)), self.content.findings[key].name)

    def recorded(self, question: Question) -> str:
        """Return what the chart says, with its date and its resource; empty if the chart says nothing."""
        if question.recorded is None:
            return ""
        sources = dict.fromkeys(fact.source for fact in question.recorded.stated)
        return f"{capital(self.wording.dated(question.recorded))}, {', '.join(sources)}"


def assessed(
    service: Service,
    caller: Caller,
    chart: Record,
    side: Side,
    rule: str,
    form: AssessForm,
    now: datetime,
    context: Context,
) -> Assessed | None:
    """Judge ``chart`` with the answers in ``form``, and word it as for a hook call; None if no leg was judged."""
    found = asked(service.content, chart, side, form, now)
    if found is None:
        return None
    assessment = assess(service.content, found.record, now.date())
    leg = leg_of(assessment, found.side)
    if leg is None:
        return None
    cards = service.cards(assessment, context, now, caller)
    # An information card that only asks whether DVT is suspected does not ask for an order.
    urgent = [card for card in cards if card.indicator != "info"]
    orders = [(link, link.draft) for card in urgent for link in card.links if link.draft]
    wanted = [(link, draft) for link, draft in orders if draft.rule == (rule or DVT_RULE)]
    order, draft = next(iter(wanted or orders), (None, None))
    words = service.words_for(caller)
    draft = with_treatment(words, draft, found.answers, leg) if draft else None
    return Assessed(words, assessment, leg, found, cards, order, draft, now)

"""What the assessment page shows: the cards of the chart with the answers, the order they ask for, and the note."""

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
from cds_service.rendering.dvt_view import not_counted_words, wells_words
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.wording import Wording, capital, in_sentence
from cds_service.service.assessment.form import Asked, AssessForm, asked
from cds_service.service.assessment.observation import contraindication, with_treatment
from cds_service.service.evaluate import Service

_NOTED = ("score", "pathway", "warning_signs")
"""Groups of which the note also says what was not examined."""


@dataclass(frozen=True)
class Assessed:
    """One leg, as far as it has been asked and examined.

    Attributes:
        content: in the language of the reader.
        leg: with the answers; its ``side`` is UNKNOWN where nobody has said which.
        order: the link to the order that the card of the page's rule asks for; of the first urgent card if that rule
            no longer fires; None if no card asks for one.
        draft: that order, with what was answered.
        differential: names of the causes that fit, or what else may look like a DVT.
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
        """What is asked."""
        return self.asked.questions

    @property
    def answers(self) -> Answers:
        """What was answered."""
        return self.asked.answers

    @property
    def wording(self) -> Wording:
        """Its words."""
        return Wording(self.content, self.now.date())

    @property
    def wells(self) -> Wells | None:
        """The score, where it applies and DVT is thought of."""
        return self.leg.dvt.wells if any(one.group == "score" for one in self.questions) else None

    @property
    def score(self) -> str:
        """``Wells 3``; a range as long as something is open; empty where no score applies."""
        return wells_words(self.wording, self.wells) if self.wells is not None else ""

    @property
    def is_complete(self) -> bool:
        """Whether the score has every item, and some of them from here."""
        return self.wells is not None and self.wells.settled and not self.answers.is_empty

    @property
    def own_order(self) -> str:
        """Address of the site's own order entry for this very order; empty where our own page takes it."""
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
        """The leg, as the chart or the clinician says."""
        return self.leg.side if self.leg.side in (Side.LEFT, Side.RIGHT) else self.answers.side

    @property
    def differential(self) -> Sequence[str]:
        """Beside the question whether another diagnosis is at least as likely."""
        names = [self.content.short(one.cause) for one in shown(self.leg)]
        return names or self.content.pathway.also_possible

    @property
    def note(self) -> str:
        """The assessment as a text for the chart: what was found, what not, what was not examined, what comes next."""
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
            here, other = (wording.number(one) for one in self.answers.calves)
            lines.append(texts.girths.fill(here=here, other=other))
        recorded = [one.recorded for one in self.questions if one.recorded and one.finding not in said]
        if recorded:
            lines.append(texts.note_recorded.fill(findings="; ".join(wording.dated(one) for one in recorded)))
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
        for one in self.questions:
            measured = one.finding == CALF_DIFFERENCE and self.answers.calves is not None
            if one.group in _NOTED and one.recorded is None and one.finding not in self.answers.said and not measured:
                yield one.finding

    def _line(self, message: Message, keys: Iterable[str]) -> list[str]:
        names = [in_sentence(self.named(key)) for key in keys]
        return [message.fill(findings="; ".join(names))] if names else []

    def name(self, question: Question) -> str:
        """What is asked."""
        return capital(self.named(question.finding))

    def named(self, key: str) -> str:
        """A finding in full, as to be denied in one word: as the score's own item where it is all of it."""
        items = self.content.pathway.items
        return next((item.name for item in items if item.any == (key,)), self.content.findings[key].name)

    def recorded(self, question: Question) -> str:
        """What the chart says, with its date and the resource that says it; empty if nothing."""
        if question.recorded is None:
            return ""
        sources = dict.fromkeys(one.source for one in question.recorded.stated)
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
    """``chart`` with what ``form`` adds, judged and worded as for a hook call; None if no leg was judged."""
    found = asked(service.content, chart, side, form, now)
    if found is None:
        return None
    assessment = assess(service.content, found.record, now.date())
    leg = leg_of(assessment, found.side)
    if leg is None:
        return None
    cards = service.cards(assessment, context, now, caller)
    # A differential's question whether DVT is suspected asks for no order.
    urgent = [card for card in cards if card.indicator != "info"]
    orders = [(link, link.draft) for card in urgent for link in card.links if link.draft]
    wanted = [one for one in orders if one[1].rule == (rule or DVT_RULE)]
    order, draft = next(iter(wanted or orders), (None, None))
    words = service.words_for(caller)
    draft = with_treatment(words, draft, found.answers, leg) if draft else None
    return Assessed(words, assessment, leg, found, cards, order, draft, now)

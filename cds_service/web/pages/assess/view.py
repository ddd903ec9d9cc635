"""The data of the assessment page, for its templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cds_service.clinical.answers import GROUPS, Question
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import ASSERTED_ITEM
from cds_service.clinical.content.names import CALF_DIFFERENCE
from cds_service.clinical.content.texts import Message, Notice
from cds_service.clinical.record import Side
from cds_service.rendering.gaps import IncompletePart, part_words
from cds_service.rendering.orders.form import OrderForm, sides
from cds_service.rendering.wording import in_sentence
from cds_service.service.assessment.form import ASK, AssessForm
from cds_service.service.assessment.result import Assessed


@dataclass(frozen=True)
class AssessView:
    """The data of the page.

    Attributes:
        note: key of the notice above the questions.
        action: address that the form is sent to.
        assessed: the assessment; None if nothing could be judged.
        chart: the sealed chart, so that later requests judge the same chart.
        key: proves that the form was sent from our own page.
        patient: the patient in words; empty if this page does not know the patient.
        banner: whether to show the patient at the top.
        incomplete: the incomplete parts of the chart.
        may_save: whether to show "Save to the chart".
        signer: reference of the user who saves.
        issues: error messages of the EHR.
        saved: ``id`` and ``status`` of the saved assessment in the EHR.
    """

    content: Content
    form: AssessForm
    note: str
    action: str
    assessed: Assessed | None = None
    chart: str = ""
    key: str = ""
    patient: str = ""
    banner: bool = False
    incomplete: tuple[IncompletePart, ...] = ()
    may_save: bool = False
    signer: str = ""
    mistakes: Mapping[str, str] = field(default_factory=dict)
    issues: tuple[str, ...] = ()
    saved: Mapping[str, str] | None = None

    @property
    def notice(self) -> Notice:
        """The notice above the questions."""
        found: Notice = getattr(self.content.texts.page.assess, self.note)
        return found

    @property
    def again(self) -> Mapping[str, str]:
        """The fields of a form that tries to read the chart again; empty if that cannot help."""
        return self.form.as_sent() if self.note == "unread" else {}

    @property
    def incomplete_names(self) -> list[str]:
        """Names of the incomplete parts of the chart."""
        return [part_words(self.content, part) for part in self.incomplete]

    @property
    def groups(self) -> Iterator[tuple[str, list[Question], bool]]:
        """Each group: heading, questions, and whether it also asks for a reason against an anticoagulant."""
        for group in GROUPS:
            heading: Message = getattr(self.content.texts.assess.groups, group)
            questions = [question for question in self._questions if question.group == group]
            if questions:
                yield heading.fill(), questions, group == "pathway" and self._about_treatment

    @property
    def _questions(self) -> tuple[Question, ...]:
        return self.assessed.questions if self.assessed else ()

    @property
    def _about_treatment(self) -> bool:
        return self.assessed is not None and self.assessed.asked.about_treatment

    @property
    def asks_side(self) -> bool:
        """Whether only the clinician can say which leg it is."""
        return self.assessed is not None and self.assessed.leg.side not in (Side.LEFT, Side.RIGHT)

    @property
    def sides(self) -> dict[str, str]:
        """The choices for the leg. Both legs together are not a choice, because each is assessed alone."""
        return {key: words for key, words in sides(self.content).items() if key != Side.BOTH.value}

    @property
    def replies(self) -> dict[str, str]:
        """Value -> words. The empty value means no answer."""
        texts = self.content.texts.assess.replies
        return {"yes": texts.yes.fill(), "no": texts.no.fill(), "": texts.not_examined.fill()}

    def field_of(self, question: Question) -> str:
        """Return the name of the form field of a question."""
        return f"{ASK}{question.finding}"

    def reply_to(self, question: Question) -> str:
        """Return the answer to a question; empty if none."""
        return self.form.said.get(question.finding, "")

    def measures(self, question: Question) -> bool:
        """Whether the question is asked together with the two girths."""
        return question.finding == CALF_DIFFERENCE

    def asserts(self, question: Question) -> bool:
        """Whether the question is whether another diagnosis is at least as likely."""
        items = self.content.pathway.items
        return any(item.number == ASSERTED_ITEM and question.finding in item.any for item in items)

    @property
    def no_concern(self) -> str:
        """The text if no card would be shown."""
        return self.content.texts.assess.no_concern.fill()

    @property
    def difference(self) -> str:
        """The difference of the girths in words; empty unless both are given."""
        found = self.assessed.answers.difference if self.assessed else None
        if found is None or self.assessed is None:
            return ""
        return self.content.texts.assess.difference.fill(difference=self.assessed.wording.number(found))

    @property
    def order_text(self) -> str:
        """The proposed order as text, as the order page shows it at first; empty if no order is proposed."""
        if self.assessed is None or self.assessed.draft is None:
            return ""
        return OrderForm.preset(self.content, self.assessed.draft).text(self.content, self.patient)

    @property
    def kept(self) -> str:
        """The input as text if nothing could be judged, so that it is not lost; else empty."""
        if self.assessed is not None:
            return ""
        texts, lines = self.content.texts.assess, []
        for value, message in (("yes", texts.note_yes), ("no", texts.note_no)):
            keys = [key for key, said in self.form.said.items() if said == value and key in self.content.findings]
            if keys:
                names = (in_sentence(self.content.findings[key].name) for key in keys)
                lines.append(message.fill(findings="; ".join(names)))
        if self.form.against:
            lines.append((texts.against_yes if self.form.against == "yes" else texts.against_no).fill())
        if self.form.here or self.form.other:
            lines.append(texts.girths.fill(here=self.form.here, other=self.form.other))
        return "\n".join(lines)

    @property
    def can_order(self) -> bool:
        """Whether an order is proposed that opens on a page of this service."""
        return self.assessed is not None and self.assessed.draft is not None and not self.assessed.own_order

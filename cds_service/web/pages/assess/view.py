"""What the assessment page shows, in one object that its templates read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cds_service.clinical.answers import GROUPS, Question
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import ASSERTED_ITEM
from cds_service.clinical.content.names import CALF_DIFFERENCE
from cds_service.clinical.content.texts import Message, Notice
from cds_service.clinical.record import Side
from cds_service.rendering.gaps import Lacking, part_words
from cds_service.rendering.orders.form import OrderForm, sides
from cds_service.rendering.wording import in_sentence
from cds_service.service.assessment.form import ASK, AssessForm
from cds_service.service.assessment.result import Assessed


@dataclass(frozen=True)
class AssessView:
    """The page.

    Attributes:
        note: key of what is said above the questions. assessed: None where nothing could be judged.
        chart: sealed, so that every further look is at the chart as it was read.
        action: where its form goes. key: proves that the form is ours.
        patient: who it is about; empty where this page does not know. banner: whether to say it at the top.
        lacking: parts of the chart that did not come whole.
        may_save: whether "Save to the chart" is offered. signer: who saves.
        issues: the EHR's own words. saved: what the EHR has taken.
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
    lacking: tuple[Lacking, ...] = ()
    may_save: bool = False
    signer: str = ""
    mistakes: Mapping[str, str] = field(default_factory=dict)
    issues: tuple[str, ...] = ()
    saved: Mapping[str, str] | None = None

    @property
    def notice(self) -> Notice:
        """What has become of it so far."""
        found: Notice = getattr(self.content.texts.page.assess, self.note)
        return found

    @property
    def again(self) -> Mapping[str, str]:
        """The fields of a form that tries once more to read the chart; empty where that cannot help."""
        return self.form.as_sent() if self.note == "unread" else {}

    @property
    def incomplete(self) -> list[str]:
        """Names of the parts of the chart that did not come whole."""
        return [part_words(self.content, one) for one in self.lacking]

    @property
    def groups(self) -> Iterator[tuple[str, list[Question], bool]]:
        """The heading of each group, its questions, and whether a reason against an anticoagulant is asked with it."""
        for group in GROUPS:
            heading: Message = getattr(self.content.texts.assess.groups, group)
            questions = [one for one in self._questions if one.group == group]
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
        """Whether nobody but the clinician can say which leg it is."""
        return self.assessed is not None and self.assessed.leg.side not in (Side.LEFT, Side.RIGHT)

    @property
    def sides(self) -> dict[str, str]:
        """One leg: both are not examined as one."""
        return {key: words for key, words in sides(self.content).items() if key != Side.BOTH.value}

    @property
    def replies(self) -> dict[str, str]:
        """Value -> words; the empty one is no answer."""
        texts = self.content.texts.assess.replies
        return {"yes": texts.yes.fill(), "no": texts.no.fill(), "": texts.not_examined.fill()}

    def field_of(self, question: Question) -> str:
        """The name of its field."""
        return f"{ASK}{question.finding}"

    def reply_to(self, question: Question) -> str:
        """What was answered."""
        return self.form.said.get(question.finding, "")

    def measures(self, question: Question) -> bool:
        """Whether it is asked with the two girths."""
        return question.finding == CALF_DIFFERENCE

    def asserts(self, question: Question) -> bool:
        """Whether it is the judgement that another diagnosis is at least as likely."""
        items = self.content.pathway.items
        return any(item.number == ASSERTED_ITEM and question.finding in item.any for item in items)

    @property
    def no_concern(self) -> str:
        """Where no card would be shown."""
        return self.content.texts.assess.no_concern.fill()

    @property
    def difference(self) -> str:
        """The girths compared; empty without both."""
        found = self.assessed.answers.difference if self.assessed else None
        if found is None or self.assessed is None:
            return ""
        return self.content.texts.assess.difference.fill(difference=self.assessed.wording.number(found))

    @property
    def order_text(self) -> str:
        """The order that the first card asks for, as its own page begins; empty if none is asked for."""
        if self.assessed is None or self.assessed.draft is None:
            return ""
        return OrderForm.preset(self.content, self.assessed.draft).text(self.content, self.patient)

    @property
    def kept(self) -> str:
        """What was typed, where nothing could be judged: it is not lost with the chart."""
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
        """Whether there is an order to go on to, on a page of this service."""
        return self.assessed is not None and self.assessed.draft is not None and not self.assessed.own_order

"""The assessment as a clinician fills it in: the input, the answers that count, and the mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cds_service.clinical.answers import CALVES, GROUPS, Answers, Question, leg_of, questions_of
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import CALF_DIFFERENCE
from cds_service.clinical.record import Record, Side
from cds_service.service.assessment.observation import judged, with_answers

ASK = "ask-"
"""Prefix of the name of a form field; the key of the finding follows."""
REPLIES = {"yes": True, "no": False}
_LEGS = {"left": Side.LEFT, "right": Side.RIGHT}
_MAX_NUMBER_LENGTH = 8


@dataclass(frozen=True, slots=True)
class AssessForm:
    """The fields as typed.

    Attributes:
        side: the leg that the clinician chose; empty if none.
        leg: the leg for which the page was rendered; empty if the chart did not say.
        said: finding -> ``yes`` or ``no``.
        here, other: girths of the calves.
        against: ``yes`` or ``no`` to whether something speaks against an anticoagulant.
    """

    side: str = ""
    leg: str = ""
    said: Mapping[str, str] = field(default_factory=dict)
    here: str = ""
    other: str = ""
    against: str = ""

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> AssessForm:
        """Read the form as sent by a browser. Values that are not valid answers count as no answer."""
        said = {name.removeprefix(ASK): value for name, value in sent.items() if name.startswith(ASK)}
        return cls(
            side=sent.get("side", "") if sent.get("side") in _LEGS else "",
            leg=sent.get("leg", "") if sent.get("leg") in _LEGS else "",
            said={key: value for key, value in said.items() if value in REPLIES},
            here=_typed(sent.get("here", "")),
            other=_typed(sent.get("other", "")),
            against=sent.get("against", "") if sent.get("against") in REPLIES else "",
        )

    def as_sent(self) -> dict[str, str]:
        """Return the fields in the form that ``read`` accepts."""
        return {
            "side": self.side,
            "leg": self.leg,
            "here": self.here,
            "other": self.other,
            "against": self.against,
            **{f"{ASK}{key}": value for key, value in self.said.items()},
        }

    def mistakes(self, content: Content) -> dict[str, str]:
        """Return field -> what is wrong with it."""
        if (self.here or self.other) and (_girth(self.here) is None or _girth(self.other) is None):
            min_girth, max_girth = (f"{girth:g}" for girth in CALVES)
            return {"calves": content.texts.assess.mistakes.calves.fill(least=min_girth, most=max_girth)}
        return {}

    def answers(self, leg: Side, asked: Iterable[Question]) -> Answers:
        """Return the answers to the questions about this leg. Other answers in the form do not count."""
        known = {question.finding for question in asked if not question.shown}
        side = _LEGS.get(self.side, Side.UNKNOWN) if leg not in (Side.LEFT, Side.RIGHT) else leg
        here, other = _girth(self.here), _girth(self.other)
        calves = (here, other) if here is not None and other is not None and CALF_DIFFERENCE in known else None
        said = {key: REPLIES[value] for key, value in self.said.items() if key in known}
        return Answers(side, said, calves if side in _LEGS.values() else None)


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions about one leg, with the answers that count.

    Attributes:
        side: the leg that is judged; UNKNOWN if the chart does not say which leg hurts.
        record: the chart with the answers.
        about_treatment: whether the page asks for a reason against an anticoagulant, as for every suspected DVT.
    """

    side: Side
    questions: tuple[Question, ...]
    answers: Answers
    record: Record
    about_treatment: bool

    def is_for(self, form: AssessForm) -> bool:
        """Whether the form was rendered for this leg. Answers about one leg say nothing about the other."""
        return form.leg in ("", self.side.value)


def asked(content: Content, chart: Record, side: Side, form: AssessForm, now: datetime) -> Asked | None:
    """Return the questions about ``chart``, including those that the answers add; None if no leg was judged.

    An answer never removes a question, and its meaning never depends on later questions.
    """
    before = judged(content, chart, Answers(side), now)
    leg = leg_of(before, _LEGS.get(form.leg, side))
    if leg is None:
        return None
    first = questions_of(content, before, leg)
    answers = form.answers(leg.side, first)
    after = judged(content, chart, answers, now)
    moved = leg_of(after, leg.side)
    known = {question.finding for question in first}
    more = (
        [question for question in questions_of(content, after, moved) if question.finding not in known] if moved else []
    )
    # A question that was answered stays on the page.
    questions = tuple(sorted((*first, *more), key=lambda question: GROUPS.index(question.group)))
    about_treatment = leg.dvt.suspected or (moved is not None and moved.dvt.suspected)
    against = REPLIES.get(form.against) if about_treatment else None
    answers = replace(form.answers(leg.side, questions), contraindicated=against)
    return Asked(leg.side, questions, answers, with_answers(content, chart, answers, now), about_treatment)


def _typed(text: str) -> str:
    return "".join(character for character in text[:_MAX_NUMBER_LENGTH] if character.isprintable()).strip()


def _girth(text: str) -> float | None:
    """Return a girth in cm, typed with a point or a comma; None if it is not plausible."""
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        return None
    return round(found, 1) if CALVES[0] <= found <= CALVES[1] else None

"""The assessment of one leg by its clinician: which questions are open, and the answers.

An answer becomes a fact like any other: ``service.assessment`` writes it as a FHIR Observation, the reader of charts
reads it, and the same ``assess`` judges it. A question that was not examined becomes no fact, so it stays unknown.
Questions are asked only if an answer can raise urgency, or can lower it through the score itself (evidence C.1, C.6).
Never asked: a self-test, a result, or how the pain began while DVT is suspected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from cds_service.clinical.assess import shown
from cds_service.clinical.assessment import Assessment, LegAssessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import (
    ANTICOAGULANT,
    CARE_PLAN,
    DVT,
    DVT_RULE,
    INJECTING,
    PE_SYMPTOMS,
    PHLEGMASIA,
    POST_PARTUM,
    PREGNANCY,
    SCAN,
    SELF_TEST,
    SUSPECTED_DVT,
)
from cds_service.clinical.derive import with_derived
from cds_service.clinical.leg import Leg
from cds_service.clinical.record import Fact, Side

Group = Literal["score", "pathway", "warning_signs", "causes"]
GROUPS: Final[tuple[Group, ...]] = ("score", "pathway", "warning_signs", "causes")
NEVER_ASKED: Final = frozenset({SELF_TEST, SUSPECTED_DVT, CARE_PLAN})
"""Never asked for: an answer could close or lower a suspicion, or our question alone could open one."""
OF_PATHWAY: Final = (PE_SYMPTOMS, PHLEGMASIA, INJECTING, PREGNANCY, POST_PARTUM, ANTICOAGULANT)
"""Findings that make a suspected DVT an emergency or change the pathway (evidence C.4, C.5)."""
_BEDSIDE: Final = frozenset({"symptom", "sign", "test", "history", "risk"})
_CAUSES_ASKED = 3
_MISSING_OF_EACH = 2
CALVES: Final = (10.0, 100.0)
"""Plausible girths of a calf in cm, the same as for girths in a chart."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one finding of one leg.

    Attributes:
        recorded: what the chart says about it today; None if it says nothing.
        shown: the chart shows it as present. Then it is not asked, because a later "no" would not count (evidence C.8).
        points: points of its item of the score; 0 if it belongs to none.
    """

    finding: str
    group: Group
    recorded: Fact | None
    shown: bool
    points: int = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers about one leg.

    Attributes:
        side: the leg; UNKNOWN as long as neither the chart nor the clinician says which.
        said: finding -> yes (True) or no (False). Findings that were not examined are left out.
        calves: girths in cm of this leg and of the other one, 10 cm below the tibial tuberosity; None unless both are
            given.
        contraindicated: whether something speaks against an anticoagulant; None if not answered. The pathways say
            "unless contraindicated, clinician decides" (evidence C.2). So this is only text for the note and the order:
            it has no code in the content, becomes no fact, and changes neither urgency nor score.
    """

    side: Side
    said: Mapping[str, bool] = field(default_factory=dict)
    calves: tuple[float, float] | None = None
    contraindicated: bool | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no answer that is judged and saved."""
        return not self.said and self.calves is None

    @property
    def difference(self) -> float | None:
        """How much larger the calf of this leg is, in cm, rounded to a millimetre."""
        return None if self.calves is None else round(self.calves[0] - self.calves[1], 1)


def leg_of(assessment: Assessment, side: Side) -> LegAssessment | None:
    """Return the leg of ``side``; if there is none, the most urgent leg; None if no leg was judged."""
    return next((leg for leg in assessment.legs if leg.side is side), next(iter(assessment.legs), None))


def questions_of(content: Content, assessment: Assessment, leg: LegAssessment) -> tuple[Question, ...]:
    """Return the questions about ``leg``, each finding once, in the order in which they are asked."""
    facts = with_derived(content, assessment.record, assessment.today)
    view = Leg(
        content,
        assessment.patient,
        assessment.today,
        leg.side,
        len(assessment.legs) == 1,
        facts,
        assessment.record.diagnoses,
        assessment.record.orders,
        assessment.doubts,
    )
    found: dict[str, Question] = {}
    for key, group, points in (*_of_dvt(content, view, leg), *_of_rules(content, leg), *_of_causes(leg)):
        if key not in found and _is_askable(content, leg, key):
            present = view.present(key)
            found[key] = Question(key, group, present or view.absent(key), present is not None, points)
    return tuple(sorted(found.values(), key=lambda question: GROUPS.index(question.group)))


def _is_askable(content: Content, leg: LegAssessment, key: str) -> bool:
    finding = content.findings.get(key)
    if finding is None or finding.general or finding.kind not in _BEDSIDE or key in NEVER_ASKED:
        return False
    # An injury would explain a new pain that is suspicious only because of a risk, so it is never asked here.
    return not (leg.dvt.suspected and key in content.pathway.risk_outside_wells.unless)


def dvt_questions(content: Content) -> Iterator[tuple[str, Group, int]]:
    """Yield every finding that the assessment of a suspected DVT may ask for: first the items of the score."""
    for item in content.pathway.items:
        yield from ((key, "score", item.points) for key in item.any)
    yield from ((key, "pathway", 0) for key in OF_PATHWAY)


def _of_dvt(content: Content, view: Leg, leg: LegAssessment) -> Iterator[tuple[str, Group, int]]:
    """Yield the items of the score, then the findings that make it an emergency or change the pathway."""
    if not leg.dvt.suspected:
        return
    if leg.dvt.wells is not None:
        for item in content.pathway.items:
            # Any of its findings scores the item, so a finding that the chart shows answers the whole item.
            known = [key for key in item.any if view.present(key)]
            yield from ((key, "score", item.points) for key in known or item.any)
    not_now = {PREGNANCY, POST_PARTUM} if view.patient.sex == "male" else set()
    # Only the chart can prove that a recorded DVT is treated; an answer on this page cannot.
    if view.diagnosis(DVT) is not None or view.present(SCAN) is not None:
        not_now.add(ANTICOAGULANT)
    yield from ((key, "pathway", 0) for key in OF_PATHWAY if key not in not_now)


def _of_rules(content: Content, leg: LegAssessment) -> Iterator[tuple[str, Group, int]]:
    """Yield the other findings that the rules that fire ask for."""
    for flag in leg.red_flags:
        if flag.rule != DVT_RULE:
            yield from ((key, "warning_signs", 0) for key in content.red_flags[flag.rule].when.terms())


def _of_causes(leg: LegAssessment) -> Iterator[tuple[str, Group, int]]:
    """Yield the finding to ask for next, then the missing findings of the first causes."""
    if leg.ask_next:
        yield leg.ask_next, "causes", 0
    for cause in (shown(leg) or leg.at_prior)[:_CAUSES_ASKED]:
        yield from ((key, "causes", 0) for key in cause.missing[:_MISSING_OF_EACH])

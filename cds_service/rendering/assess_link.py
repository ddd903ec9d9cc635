"""The last link of a card: to the assessment page, where the clinician answers what is not recorded yet.

The link to the order of an urgent card comes first, because the order must not wait for a score. Links do not count in
the words of a card.
"""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.clinical.answers import Group, questions_of
from cds_service.clinical.assessment import LegAssessment
from cds_service.clinical.content.names import DVT_RULE
from cds_service.clinical.content.texts import Message
from cds_service.rendering.assess_draft import AssessDraft
from cds_service.rendering.call import Call
from cds_service.rendering.card import Link

PATH = "/assess"


def score_link(call: Call, leg: LegAssessment) -> Sequence[Link]:
    """Return the link to complete the score of ``leg``; none if there is no open score, or in palliative care."""
    wells = leg.dvt.wells
    if wells is None or wells.complete or call.assessment.care_plan or call.only_words:
        return ()
    label = call.wording.say(call.content.texts.assess.link, count=len(wells.not_recorded))
    return (_link(call, DVT_RULE, leg, label),)


def signs_link(call: Call, rule: str, leg: LegAssessment) -> Sequence[Link]:
    """Return the link to examine the other findings of a rule that fires for ``leg``; none if all are recorded."""
    return _to_open(call, rule, leg, "warning_signs", call.content.texts.assess.link_signs)


def causes_link(call: Call, cause: str, leg: LegAssessment) -> Sequence[Link]:
    """Return the link to examine what tells the causes of ``leg`` apart. ``cause``: the first cause on the card."""
    return _to_open(call, cause, leg, "causes", call.content.texts.assess.link_causes)


def _to_open(call: Call, rule: str, leg: LegAssessment, group: Group, label: Message) -> Sequence[Link]:
    if call.assessment.care_plan or call.only_words:
        return ()
    asked = questions_of(call.content, call.assessment, leg)
    count = sum(question.group == group and question.recorded is None for question in asked)
    return (_link(call, rule, leg, call.wording.say(label, count=count)),) if count else ()


def _link(call: Call, rule: str, leg: LegAssessment, label: str) -> Link:
    draft = AssessDraft.of(rule, leg.side, call.assessment)
    return Link(label=label, url=f"{call.base_url}{PATH}", assess=draft)

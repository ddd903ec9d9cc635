"""A completed assessment as a FHIR Observation, and the chart judged with it.

It is one resource with a component for each answer, like FHIR's own example of an Apgar score. It is written whole or
not at all, so that a chart never contains half a score. The page judges the same resource that it writes, read by the
reader of charts. So the page shows what the next opening of the chart will show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cds_service.clinical.answers import Answers, leg_of
from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment, LegAssessment, Wells
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import (
    ASSESSMENT_CODE,
    ASSESSMENT_NAME,
    ASSESSMENT_SYSTEM,
    FINDING_SYSTEM,
    UCUM,
    URI,
)
from cds_service.clinical.content.names import ANTICOAGULANT, CALF_DIFFERENCE
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import Record, Side
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.requests import SITE_OF_LEG, references
from cds_service.rendering.questionnaire import NO, YES, standard_codings

_EXAM: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "exam",
    "display": "Exam",
}
"""The prefetch searches Observations by category: one without a category would be missing in the next chart."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who completed an assessment for whom.

    Attributes:
        performer: ``Practitioner/id``.
        uuid: identifies the assessment, so that sending it twice does not create two.
        name: name of the performer; empty if the EHR does not give it.
    """

    patient: str
    encounter: str
    performer: str
    uuid: str
    name: str = ""


def observation(
    content: Content, answers: Answers, wells: Wells | None, now: datetime, signed: Signed | None = None
) -> dict[str, Any]:
    """Return the assessment of one leg. It contains the answers except the one about a reason against an anticoagulant.

    Its value is the total, only if every item is known.

    Args:
        content: with the codes of the answers.
        answers: the answers.
        wells: the score with these answers.
        now: the time of the assessment.
        signed: patient and performer; None for an assessment that is only judged.
    """
    moment = now.isoformat(timespec="seconds")
    title = content.pathway.title
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [_EXAM]}],
        "code": {"coding": [{"system": ASSESSMENT_SYSTEM, "code": ASSESSMENT_CODE, "display": ASSESSMENT_NAME}]},
        "effectiveDateTime": moment,
        "issued": moment,
        "method": {"text": title},
        "component": list(_components(content, answers)),
    }
    if answers.side in SITE_OF_LEG:
        code, display = SITE_OF_LEG[answers.side]
        resource["bodySite"] = {"coding": [{"system": URI["snomed"], "code": code, "display": display}]}
    if answers.calves is not None:
        resource["note"] = [{"text": content.texts.assess.girths.fill(here=answers.calves[0], other=answers.calves[1])}]
    if wells is not None and wells.settled:
        resource["valueInteger"] = wells.least
    if signed is not None:
        resource |= _signed(signed, wells)
    return resource


def _signed(signed: Signed, wells: Wells | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{signed.uuid}"}],
        "subject": {"reference": f"Patient/{signed.patient}"},
        "performer": [{"reference": signed.performer, **({"display": signed.name} if signed.name else {})}],
    }
    if signed.encounter:
        found["encounter"] = {"reference": f"Encounter/{signed.encounter}"}
    scored = [item.fact for item in wells.items if item.fact is not None] if wells else []
    derived = [name for name in references(scored) if name.startswith("Observation/")]
    if derived:
        found["derivedFrom"] = [{"reference": name} for name in derived]
    return found


def _components(content: Content, answers: Answers) -> Iterator[dict[str, Any]]:
    for key, is_so in sorted(answers.said.items()):
        code, display = YES if is_so else NO
        value = {"coding": [{"system": URI["snomed"], "code": code, "display": display}]}
        yield {"code": _own(content, key), "valueCodeableConcept": value}
    if answers.difference is not None:
        quantity = {"value": answers.difference, "unit": "cm", "system": UCUM, "code": "cm"}
        yield {"code": _own(content, CALF_DIFFERENCE), "valueQuantity": quantity}


def _own(content: Content, key: str) -> dict[str, Any]:
    own = {"system": FINDING_SYSTEM, "code": key, "display": content.findings[key].name}
    return {"coding": [own, *standard_codings(content, key)]}


def entry_of(content: Content, answers: Answers, patient: str, now: datetime) -> ChartEntry:
    """Return the answers as a row of the chart of ``patient``. It has no id, because it is not in the chart."""
    resource = observation(content, answers, None, now)
    return ChartEntry({**resource, "subject": {"reference": f"Patient/{patient}"}})


def with_answers(content: Content, record: Record, answers: Answers, now: datetime) -> Record:
    """Return ``record`` with the facts of the answers."""
    if answers.is_empty:
        return record
    patient = record.patient.id or "nobody"
    said = read_record(content, patient, (entry_of(content, answers, patient, now),), now)
    return replace(record, facts=(*record.facts, *said.facts))


def judged(content: Content, record: Record, answers: Answers, now: datetime) -> Assessment:
    """Assess the chart with the answers, by the same ``assess`` as for cards."""
    return assess(content, with_answers(content, record, answers, now), now.date())


def with_treatment(content: Content, draft: OrderDraft, answers: Answers, leg: LegAssessment | None) -> OrderDraft:
    """Return ``draft`` with the answers about anticoagulants.

    These are: that none is taken, unless the chart names one; and in words, whether something speaks against one.
    """
    against = contraindication(content, answers)
    draft = replace(draft, note=f"{draft.note} {against}".strip()) if against else draft
    if answers.said.get(ANTICOAGULANT) is not False or leg is None or leg.dvt.anticoagulant is not None:
        return draft
    return replace(draft, asked_and_none=True)


def contraindication(content: Content, answers: Answers) -> str:
    """Return the answer to whether something speaks against an anticoagulant, as a sentence; empty if not answered."""
    if answers.contraindicated is None:
        return ""
    texts = content.texts.assess
    return (texts.against_yes if answers.contraindicated else texts.against_no).fill()


def wells_of(assessment: Assessment, side: Side) -> Wells | None:
    """Return the score of one leg; None if it does not apply."""
    leg = leg_of(assessment, side)
    return leg.dvt.wells if leg else None

"""Rows of medicines in odd states: no fault, no course that is not running, no stop that goes unheard."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import RowState
from tests.charts import LEFT_CALF, RXNORM, concept, condition, days_ago, judged, named, observation, read, rules

APIXABAN = concept((RXNORM, "1364430"))
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
DVT = condition(concept((ICD10CM, "I82.402")), ago=6, recordedDate=days_ago(6))
SIGNS = (observation("pain_calf", ago=7, site=LEFT_CALF), observation("calf_swelling", ago=7, site=LEFT_CALF))


def request(**fields: Any) -> dict[str, Any]:
    base = {"status": "active", "intent": "order", "authoredOn": days_ago(5), "medicationCodeableConcept": APIXABAN}
    return named("MedicationRequest", **base | fields)


def statement(**fields: Any) -> dict[str, Any]:
    return named("MedicationStatement", **{"dateAsserted": days_ago(1)} | fields)


def test_a_running_course_treats(content: Content) -> None:
    assert rules(judged(content, *SIGNS, DVT)) == ["RF01"]
    assert rules(judged(content, *SIGNS, DVT, request())) == []


@pytest.mark.parametrize(
    "medicine",
    [
        {"text": "Apixaban 5 mg"},
        {"coding": [{"system": "https://local.example/drugs", "code": "A1"}], "text": "Eliquis"},
        {"coding": [{"system": "https://local.example/drugs", "code": "A1"}]},
        {"text": "blood thinner"},
    ],
)
@pytest.mark.parametrize("status", ["not-taken", "stopped", "on-hold", "completed"])
def test_a_stop_of_a_medicine_that_is_not_identified_may_be_of_the_anticoagulant(
    content: Content, medicine: dict[str, Any], status: str
) -> None:
    stop = statement(status=status, medicationCodeableConcept=medicine)
    assessment = judged(content, *SIGNS, DVT, request(), stop)
    assert rules(assessment) == ["RF01"]
    assert assessment.record.rows(RowState.NOT_UNDERSTOOD) == 1


@pytest.mark.parametrize("status", ["intended", "entered-in-error"])
def test_what_was_never_taken_ends_nothing(content: Content, status: str) -> None:
    never = statement(status=status, medicationCodeableConcept={"text": "blood thinner"})
    assessment = judged(content, *SIGNS, DVT, request(), never)
    assert rules(assessment) == []
    assert assessment.record.rows(RowState.ENDED) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"dispenseRequest": {"validityPeriod": {"start": days_ago(-20)}}},
        {"dispenseRequest": {"validityPeriod": {"start": days_ago(-1)}}},
        {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": days_ago(100)}}}}]},
    ],
)
def test_a_course_that_has_run_out_or_is_still_to_come_treats_nothing(content: Content, fields: dict[str, Any]) -> None:
    assert rules(judged(content, *SIGNS, DVT, request(**fields))) == ["RF01"]


@pytest.mark.parametrize("odd", [["active"], {"value": "active"}, 7, True, None])
@pytest.mark.parametrize("code", [APIXABAN, concept(("https://local.example/drugs", "A1"))])
def test_a_status_of_any_shape_is_no_fault(content: Content, odd: Any, code: dict[str, Any]) -> None:
    contained = {"resourceType": "Medication", "id": "m", "status": odd, "code": code}
    by_reference = {"medicationCodeableConcept": None, "medicationReference": {"reference": "#m"}}
    for row in (
        request(status=odd, medicationCodeableConcept=code),
        request(intent=odd, medicationCodeableConcept=code),
        statement(status=odd, medicationCodeableConcept=code),
        request(contained=[contained], **by_reference),
    ):
        row = {key: value for key, value in row.items() if value is not None}
        record = read(content, row)
        assert record.entries == sum(line.count for line in record.ledger)

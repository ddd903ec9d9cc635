"""One coding in a known system does not make a row understood: its code, value, answer and words have to be as well."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.record import Record, RowState
from tests.charts import (
    CALF,
    ICD10CM,
    LEFT_CALF,
    LOINC,
    RXNORM,
    SIDE_LEFT,
    SIDE_RIGHT,
    SNOMED,
    Resource,
    concept,
    condition,
    facts,
    observation,
    read,
)

LOCAL = "https://hospital.example/codes"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
DVT, HYPERTENSION, CLINICAL_FINDING, DISEASE = "404223003", "38341003", "404684003", "64572001"
CHIEF_COMPLAINT, REASON_FOR_VISIT, SMOKING = "10154-3", "8661-1", "72166-2"
WITHHELD = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}


def state_of(record: Record) -> RowState:
    (line,) = (line for line in record.ledger if line.resource != "Patient")
    return line.state


def doubts(record: Record) -> set[str]:
    return {key for one in record.unread for key in one.keys}


def is_silent(record: Record) -> bool:
    return not record.unread and not record.facts and state_of(record) is RowState.NO_CONCERN


# --- a measure without a number ---

NOT_A_NUMBER: tuple[Resource, ...] = (
    {"valueString": "see the comment"},
    {"valueString": "raised ++"},
    {"valueInteger": 5000},
    {"valueTime": "10:00:00"},
    {"valueRange": {"low": {"value": 5}}},
    {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 40}}},
    {"valueDateTime": "2026-03-15"},
    {"valueCodeableConcept": concept((LOCAL, "POS"))},
    {"valueCodeableConcept": {"text": "Positive"}},
    {"interpretation": [{"text": "ABNORMAL"}]},
    {"interpretation": [concept((LOCAL, "high"))]},
)
STATES_NOTHING: tuple[Resource, ...] = (
    {},
    {"dataAbsentReason": concept((ABSENT_REASON, "masked"))},
    {"_valueString": WITHHELD},
    {"_valueQuantity": WITHHELD},
)


def coded_measures(content: Content) -> list[tuple[str, Resource]]:
    """Every code of every measure, with the finding it shows."""
    address = {key: system.uri for key, system in content.systems.by_key.items()}
    return [
        (measure.finding, concept((address[code.system], code.code)))
        for measure in content.measures.values()
        for code in measure.codes
    ]


@pytest.mark.parametrize("value", NOT_A_NUMBER)
@pytest.mark.parametrize("site", [CALF, None])
def test_a_measure_answered_by_no_number_is_never_of_no_concern(
    content: Content, value: Resource, site: str | None
) -> None:
    for finding, code in coded_measures(content):
        record = read(content, observation(code, site=site, **value))
        assert state_of(record) is RowState.NOT_UNDERSTOOD, (code, value)
        assert finding in doubts(record)


@pytest.mark.parametrize("value", STATES_NOTHING)
def test_a_measure_that_gives_no_value_is_read_as_unknown(content: Content, value: Resource) -> None:
    for finding, code in coded_measures(content):
        if not value and code["coding"][0]["system"] == FINDING_SYSTEM:
            continue  # our own code of a finding, without a value, says that it is there
        record = read(content, observation(code, site=LEFT_CALF, **value))
        assert state_of(record) is RowState.READ, (code, value)
        assert {(key, status) for key, status, _ in facts(record)} == {(finding, "unknown")}


# --- a cause as the code of an Observation ---


@pytest.mark.parametrize(
    "value",
    [
        *NOT_A_NUMBER,
        {"valueQuantity": {"value": 3, "unit": "cm"}},
        {"valueCodeableConcept": concept((SNOMED, "415684004"))},
        {"valueCodeableConcept": concept((SNOMED, SIDE_LEFT))},
        {"interpretation": [concept((INTERPRETATION, "IND"))]},
        {"valueBoolean": False, "interpretation": [concept((INTERPRETATION, "A"))]},
    ],
)
@pytest.mark.parametrize(("code", "cause"), [(DVT, "dvt"), ("128053003", "dvt"), ("59282003", "pulmonary_embolism")])
def test_a_cause_with_an_answer_that_is_not_understood_is_told(
    content: Content, code: str, cause: str, value: Resource
) -> None:
    record = read(content, observation(concept((SNOMED, code)), **value))
    assert not record.diagnoses
    assert cause in doubts(record)


@pytest.mark.parametrize("value", [{"valueBoolean": False}, {"valueCodeableConcept": concept((SNOMED, "2667000"))}])
def test_a_cause_that_is_denied_raises_no_doubt(content: Content, value: Resource) -> None:
    record = read(content, observation(concept((SNOMED, DVT)), **value))
    assert not record.diagnoses
    assert not record.unread


# --- a code that cannot be one ---


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (SNOMED, "404223004"),
        (SNOMED, "4042230"),
        (SNOMED, "40422300 3"),
        (SNOMED, "0404223003"),
        (SNOMED, "DVT"),
        (SNOMED, "SCT404223003"),
        (SNOMED, "404223003\u200b"),
        (SNOMED, "<<< 404223003"),
        (SNOMED, "404223004 |Deep venous thrombosis|"),
        (SNOMED, "363698007=72001000"),
        (LOINC, "48065-8"),
        (LOINC, "48065"),
        (LOINC, "D-dimer"),
        (ICD10CM, "I82,402"),
        (ICD10CM, "ICD-10: I82.402"),
        (ICD10CM, "1I82402"),
        (ICD10CM, "DVT"),
        ("http://hl7.org/fhir/sid/icd-10", "I80_2"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "453;40"),
        (RXNORM, "apixaban"),
        (RXNORM, "RX1364430"),
        (FINDING_SYSTEM, "calf_swollen"),
        (FINDING_SYSTEM, "CALF_SWELLING"),
        (FINDING_SYSTEM, "us_proximal_dvt_left"),
    ],
)
def test_a_code_that_its_system_cannot_hold_is_not_understood(content: Content, system: str, code: str) -> None:
    assert not content.identifies(system, code)
    for row in (observation(concept((system, code)), valueBoolean=True), condition(concept((system, code)))):
        assert state_of(read(content, row)) is RowState.NOT_UNDERSTOOD


@pytest.mark.parametrize("code", ["=== 404223003", "===404223003 |Deep venous thrombosis|", "404223003 + 38341003"])
def test_an_expression_that_is_not_read_names_what_it_holds(content: Content, code: str) -> None:
    assert doubts(read(content, condition(concept((SNOMED, code))))) == {"dvt"}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (SNOMED, HYPERTENSION),
        (SNOMED, f" {HYPERTENSION}"),
        (SNOMED, f"{HYPERTENSION} |Hypertensive disorder|"),
        (SNOMED, f"=== {HYPERTENSION}"),
        (SNOMED, "999000011000001104"),
        (LOINC, "8867-4"),
        (LOINC, "LA137-2"),
        (LOINC, "LP7839-6"),
        (ICD10CM, "I10"),
        (ICD10CM, "i10"),
        (ICD10CM, "E1165"),
        (ICD10CM, "S06.0X0A"),
        (ICD10CM, "M54.-"),
        ("http://hl7.org/fhir/sid/icd-10", "E11.9+"),
        ("http://hl7.org/fhir/sid/icd-10", "S06.0X0A"),
        ("http://hl7.org/fhir/sid/icd-10-gm", "G63.2*"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "4019"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "03.31"),
        ("http://hl7.org/fhir/sid/icpc-2", "K94.01"),
        ("http://www.ama-assn.org/go/cpt", "99213"),
        ("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory"),
    ],
)
def test_a_code_as_records_write_it_still_tells_what_it_is(content: Content, system: str, code: str) -> None:
    assert content.identifies(system, code)


# --- answers ---

NAMING = ("Calf swelling, for two days", "acute deep vein thrombosis?", "?Pulmonary embolism")


@pytest.mark.parametrize("words", NAMING)
@pytest.mark.parametrize(
    "code", [concept((LOINC, CHIEF_COMPLAINT)), concept((LOINC, REASON_FOR_VISIT)), concept((SNOMED, CLINICAL_FINDING))]
)
def test_a_known_question_answered_by_words_of_ours_is_not_understood(
    content: Content, code: Resource, words: str
) -> None:
    values: tuple[Resource, ...] = (
        {"valueString": words},
        {"valueCodeableConcept": {"text": words}},
        {"valueCodeableConcept": {"coding": [{"system": LOCAL, "code": "7", "display": words}]}},
        {"valueCodeableConcept": {"text": words, **concept((SNOMED, CLINICAL_FINDING))}},
        {"component": [{"code": concept((LOINC, CHIEF_COMPLAINT)), "valueString": words}]},
    )
    for value in values:
        record = read(content, observation(code, **value))
        assert state_of(record) is RowState.NOT_UNDERSTOOD, value
        assert doubts(record), value


@pytest.mark.parametrize("words", NAMING)
@pytest.mark.parametrize("value", [{}, {"valueBoolean": True}])
def test_words_beside_a_general_code_are_not_passed_over(content: Content, words: str, value: Resource) -> None:
    finding = {"text": words, **concept((SNOMED, CLINICAL_FINDING))}
    disease = {"text": words, **concept((SNOMED, DISEASE))}
    for row in (observation(finding, **value), condition(disease)):
        assert doubts(read(content, row)), row


@pytest.mark.parametrize(
    "row",
    [
        observation(concept((LOINC, "8867-4")), valueQuantity={"value": 72, "unit": "/min"}),
        observation(concept((LOINC, CHIEF_COMPLAINT)), valueString="Right shoulder pain"),
        observation(concept((LOINC, CHIEF_COMPLAINT)), valueString="453.40"),
        observation(concept((LOINC, "5802-4")), valueString="A+"),
        observation(concept((LOINC, SMOKING)), valueCodeableConcept=concept((SNOMED, "266919005"))),
        observation(concept((LOINC, SMOKING)), valueCodeableConcept={"text": "Never smoked"}),
        observation(concept((LOINC, CHIEF_COMPLAINT)), valueString="Deep vein thrombosis", status="entered-in-error"),
        condition({"text": "Hypertension", **concept((SNOMED, HYPERTENSION))}),
    ],
)
def test_what_names_nothing_of_ours_stays_silent(content: Content, row: Resource) -> None:
    assert is_silent(read(content, row)) or state_of(read(content, row)) is RowState.ENDED
    assert not read(content, row).unread


@pytest.mark.parametrize(
    "answer",
    [
        concept((SNOMED, SIDE_LEFT)),
        concept((SNOMED, SIDE_RIGHT)),
        concept((SNOMED, LEFT_CALF)),
        concept((SNOMED, "373066001")),
        concept((SNOMED, "6736007")),
        concept((LOINC, "LA33-6")),
        concept((LOINC, "LA137-2")),
        concept((SNOMED, HYPERTENSION), (SNOMED, SIDE_LEFT)),
        concept((SNOMED, "404223004")),
    ],
)
def test_a_local_question_answered_by_a_side_or_a_mere_answer_is_not_understood(
    content: Content, answer: Resource
) -> None:
    record = read(content, observation(concept((LOCAL, "1234")), valueCodeableConcept=answer))
    assert state_of(record) is RowState.NOT_UNDERSTOOD


def test_a_local_question_answered_by_a_complaint_that_is_known_is_of_no_concern(content: Content) -> None:
    answer = concept((SNOMED, HYPERTENSION))
    assert is_silent(read(content, observation(concept((LOCAL, "1234")), valueCodeableConcept=answer)))


# --- a clear no ---

NO: tuple[Resource, ...] = (
    {"valueBoolean": False},
    {"valueCodeableConcept": concept((SNOMED, "2667000"))},
    {"interpretation": [concept((INTERPRETATION, "NEG"))]},
)
NOT_NORMAL = (
    concept((INTERPRETATION, "IND")),
    concept((INTERPRETATION, "E")),
    concept((INTERPRETATION, "A")),
    concept((INTERPRETATION, "HX")),
    concept((LOCAL, "ABN")),
    {"text": "ABNORMAL"},
)


@pytest.mark.parametrize("flag", NOT_NORMAL)
@pytest.mark.parametrize("key", ["us_proximal_dvt", "calf_swelling", "deep_vein_tenderness"])
def test_a_no_with_a_flag_that_is_not_clearly_normal_is_no_no(content: Content, key: str, flag: Resource) -> None:
    for answer in NO:
        fields: dict[str, Any] = {**answer, "interpretation": [*answer.get("interpretation", ()), flag]}
        record = read(content, observation(key, site=LEFT_CALF, **fields))
        assert (key, "absent", "left") not in facts(record)
        assert key in doubts(record)


def test_a_no_with_a_normal_flag_stays_one(content: Content) -> None:
    for answer in NO:
        flags = [*answer.get("interpretation", ()), concept((INTERPRETATION, "N"))]
        record = read(content, observation("calf_swelling", site=LEFT_CALF, **{**answer, "interpretation": flags}))
        assert facts(record) == {("calf_swelling", "absent", "left")}
        assert not record.unread


# --- an element that FHIR does not know ---


@pytest.mark.parametrize(
    "stranger",
    [
        {"ValueBoolean": False},
        {"VALUEBOOLEAN": False},
        {"Value": False},
        {"boolean": False},
        {"answer": "no"},
        {"result": concept((SNOMED, "2667000"))},
    ],
)
@pytest.mark.parametrize("key", ["us_proximal_dvt", "calf_swelling", "leg_blue_massive"])
def test_a_code_beside_a_lost_element_states_nothing_alone(content: Content, key: str, stranger: Resource) -> None:
    bare = observation(concept((FINDING_SYSTEM, key)), site=LEFT_CALF)
    assert {status for _, status, _ in facts(read(content, bare))} == {"present"}
    record = read(content, {**bare, **stranger})
    assert {status for _, status, _ in facts(record)} <= {"unknown"}
    assert key in doubts(record)


def test_a_cause_beside_a_lost_element_is_not_stated(content: Content) -> None:
    record = read(content, observation(concept((SNOMED, DVT)), ValueBoolean=False))
    assert not record.diagnoses
    assert "dvt" in doubts(record)


def test_a_value_beside_a_lost_element_still_counts(content: Content) -> None:
    record = read(content, observation("calf_swelling", site=LEFT_CALF, valueBoolean=True, sex="f"))
    assert facts(record) == {("calf_swelling", "present", "left")}

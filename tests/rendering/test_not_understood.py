"""What the cards say of rows that were not understood, and of what is plainly no concern: nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.card import Card
from cds_service.service.examples import as_request
from tests.charts import (
    ICD10CM,
    LOINC,
    SNOMED,
    UCUM,
    Resource,
    concept,
    condition,
    days_ago,
    named,
    observation,
    patient,
)
from tests.clinical.dvt.signs import APIXABAN, SIGNS, negative_tests, on
from tests.conftest import NOW, bundle, shipped_service

UNKNOWN = {"coding": [{"system": "https://local.example/codes", "code": "K-1"}]}
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
HIGH = [concept((INTERPRETATION, "H"))]
VITAL = [concept((CATEGORY, "vital-signs"))]
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def cards(*rows: Any, **values: Any) -> tuple[Card, ...]:
    """The cards of a chart; ``values`` replace whole prefetch keys."""
    entries = [{"resource": row} for row in (patient(), *rows)]
    body = as_request({"resourceType": "Bundle", "type": "collection", "entry": entries}, str(uuid4()))
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    for key in ("observations", "conditions", "procedures", "medications", "orders"):
        body["prefetch"].setdefault(key, empty)
    body["prefetch"] |= values
    request = HookRequest.model_validate(body)
    return shipped_service().answer(request, gather(request.prefetch), NOW).cards


# --- what could not be read may be a sign of DVT

TEAR = [
    on("pain_calf"),
    on("onset_sudden"),
    on("popping_sensation"),
    on("worse_tiptoe"),
    on("calf_focal_muscle_tender"),
    on("mech_push_off_dorsiflexion"),
]


def test_the_chart_of_a_calf_tear() -> None:
    (card,) = cards(*TEAR)
    assert "calf" in card.summary.lower()
    assert "cannot be excluded" not in card.summary


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "Final"},
        {"status": None},
        {"subject": None},
        {"subject": {"reference": "https://elsewhere.example/fhir/Patient/p"}},
        {"valueBoolean": "yes"},
        {"valueBoolean": None, "valueString": "++"},
        {"valueBoolean": None, "valueCodeableConcept": UNKNOWN},
        {"modifierExtension": [{"url": "https://x.example/not"}]},
        {"component": [{"code": {"text": "x"}, "modifierExtension": [{"url": "https://x.example/not"}]}]},
        {"focus": [{"display": "left calf"}]},
        {"code": {"text": "calf swelling"}},
        {"code": UNKNOWN},
        {"code": [concept((SNOMED, "281792000"))]},
    ],
    ids=str,
)
@pytest.mark.parametrize("key", ["calf_swelling", "pitting_oedema_one_leg"])
@pytest.mark.parametrize("pain_ago", [1, 20])
def test_an_unreadable_sign_is_named_first(pain_ago: int, key: str, wrong: dict[str, Any]) -> None:
    if "text" in wrong.get("code", {}) and key != "calf_swelling":
        return
    sign = {name: value for name, value in {**on(key), **wrong}.items() if value is not None}
    first = cards(on("pain_calf", pain_ago), *TEAR[1:], sign)[0]
    if first.rule == "RF01":  # the row was read as far as it could raise the urgency
        return
    assert first.summary.startswith("DVT cannot be excluded")
    assert first.detail.startswith("**DVT cannot be excluded:** 1 observation")


# --- silence would read as "no concern"


@pytest.mark.parametrize(
    ("rows", "summary"),
    [
        (
            [condition(UNKNOWN), condition(UNKNOWN)],
            "Not judged: 2 problems, in a coding system that this service does not know.",
        ),
        (
            [condition(UNKNOWN)],
            "Not judged: 1 problem, in a coding system that this service does not know.",
        ),
        (
            [observation(UNKNOWN, valueBoolean=True), observation(UNKNOWN, valueBoolean=True)],
            "Not judged: 2 observations, in a coding system that this service does not know.",
        ),
        (
            [condition(concept(("https://local.example/icd", "M79.662"))), {**on("pain_calf"), "status": "Final"}],
            "Not judged: 1 problem and 1 observation, not understood.",
        ),
        (
            [{**on("pain_calf"), "subject": None}],
            "Not judged: 1 observation, not clearly about this patient.",
        ),
    ],
)
def test_a_chart_that_says_nothing_we_know_is_not_silent(rows: list[Resource], summary: str) -> None:
    (card,) = cards(*rows)
    assert (card.indicator, card.summary) == ("info", summary)
    assert "does not mean no concern" in card.detail


def temperature(value: float, ago: float | None, **fields: Any) -> Resource:
    quantity = {"value": value, "unit": "°C", "system": UCUM, "code": "Cel"}
    base = {"category": VITAL, "interpretation": HIGH, "valueQuantity": quantity}
    return observation(concept((LOINC, "8310-5")), ago=ago, **{**base, **fields})


def pulse(value: Any, ago: float, **fields: Any) -> Resource:
    quantity = {"value": value, "unit": "beats/minute", "system": UCUM, "code": "/min"}
    return observation(concept((LOINC, "8867-4")), ago=ago, **{"category": VITAL, "valueQuantity": quantity, **fields})


@pytest.mark.parametrize("value", [37.6, 37.7, 37.8, 37.85, 37.9])
@pytest.mark.parametrize("ago", [9, 30, 400, 2000])
def test_an_old_temperature_flagged_high_is_no_concern(value: float, ago: float) -> None:
    history = [temperature(value, ago), temperature(value, ago + 300), condition(concept((ICD10CM, "J06.9")), ago=ago)]
    assert cards(*history) == ()
    assert cards(*(temperature(value, ago, category=None) for _ in range(3))) == ()


@pytest.mark.parametrize("value", ["88", 88.5, None, 900])
@pytest.mark.parametrize("ago", [1, 20, 900])
def test_a_history_of_heart_rates_is_no_concern(value: Any, ago: float) -> None:
    assert cards(*(pulse(value, ago + day) for day in range(5))) == ()
    assert cards(*({**pulse(88, ago + day), "code": UNKNOWN} for day in range(9, 14))) == ()
    assert cards(*(pulse(88, ago, interpretation=HIGH, status="Final") for _ in range(3))) == ()


@pytest.mark.parametrize(
    "row",
    [
        condition({"text": "Seasonal allergy"}),
        condition(UNKNOWN, ago=400, clinical="resolved"),
        named("Encounter", status="finished", **{"class": {"code": "AMB"}}, reasonCode=[{"text": "Annual check"}]),
        named("DiagnosticReport", status="final", code=concept((LOINC, "24627-2")), conclusion="Normal chest."),
        named("MedicationRequest", status="active", intent="order", medicationCodeableConcept=UNKNOWN),
        observation(UNKNOWN, category=[concept((CATEGORY, "social-history"))], valueBoolean=True),
        observation(UNKNOWN, category=[concept((CATEGORY, "laboratory"))], valueQuantity={"value": 4}),
        observation(UNKNOWN, ago=4000, valueBoolean=True),
    ],
)
def test_what_plainly_is_no_complaint_raises_no_card(row: Resource) -> None:
    assert cards(row) == ()


# --- a draft never denies what is not known


def notes(*rows: Any, **values: Any) -> str:
    """The notes of the orders that the first card drafts."""
    (card, *_) = cards(*SIGNS, *rows, **values)
    drafts = [suggestion.resource for suggestion in card.suggestions]
    assert drafts
    return " ".join(note["text"] for draft in drafts for note in draft.get("note", ()))


def drug(code: Resource, **fields: Any) -> Resource:
    base = {"status": "active", "intent": "order", "authoredOn": days_ago(9), "medicationCodeableConcept": code}
    return named("MedicationRequest", **{**base, **fields})


# Of an unlisted code the words tell which medicine it is.
PARACETAMOL = {**concept(("http://www.nlm.nih.gov/research/umls/rxnorm", "161")), "text": "acetaminophen"}
NONE_SENT = "No anticoagulant in the chart sent."


def test_none_is_said_when_every_medicine_is_identified() -> None:
    assert NONE_SENT in notes()
    assert NONE_SENT in notes(drug(PARACETAMOL), drug(PARACETAMOL))


@pytest.mark.parametrize(
    "unknown",
    [
        drug(UNKNOWN),
        drug({"text": "Tablet A"}),
        drug({"coding": [{"code": "161"}]}),
        drug({}, medicationReference={"reference": "Medication/gone"}, medicationCodeableConcept=None),
        drug({}, medicationReference={"display": "Tablet A"}, medicationCodeableConcept=None),
        {**drug(UNKNOWN), "resourceType": "MedicationStatement"},
        {**APIXABAN, "status": "Active"},
        {**APIXABAN, "subject": None},
    ],
    ids=str,
)
def test_a_medicine_that_is_not_identified_is_not_none(unknown: Resource) -> None:
    said = notes(drug(PARACETAMOL), unknown)
    assert NONE_SENT not in said
    assert "Anticoagulant: not known (1 medicine could not be identified)." in said
    assert "(2 medicines could not be identified)" in notes(drug(UNKNOWN), {**unknown, "id": "another"})


@pytest.mark.parametrize("value", [FAILED, {"resourceType": "Bundle", "type": "searchset", "total": 9}])
def test_medicines_that_did_not_come_whole_are_not_none(value: Any) -> None:
    said = notes(medications=value)
    assert NONE_SENT not in said
    assert "Anticoagulant: not known" in said


@pytest.mark.parametrize("name", ["worked-case-2", "worked-case-3"])
def test_the_shipped_cases_say_the_same(name: str) -> None:
    body = as_request(bundle(name), str(uuid4()))
    body["prefetch"]["medications"] = FAILED
    request = HookRequest.model_validate(body)
    shown = shipped_service().answer(request, gather(request.prefetch), NOW).cards
    assert shown
    assert NONE_SENT not in "".join(str(card) for card in shown)


# --- the same row with another content is news

ODD = named("Observation", id="odd", status="final", code=UNKNOWN, effectiveDateTime=days_ago(2), valueString="tight")
NEWS: list[dict[str, Any]] = [
    {"valueString": "tight and swollen"},
    {"effectiveDateTime": days_ago(1)},
    {"code": {"coding": [{"system": "https://local.example/codes", "code": "K-2"}]}},
    {"bodySite": concept((SNOMED, "53840002"))},
]
NO_NEWS: list[dict[str, Any]] = [
    {"meta": {"versionId": "7", "lastUpdated": "2026-03-16T10:00:00Z"}},
    {"text": {"status": "generated", "div": "<div>tight</div>"}},
    {"performer": [{"reference": "Practitioner/2"}]},
    {"status": "amended"},
]


def basis(row: Resource, *others: Any) -> tuple[str, ...]:
    return cards(row, *others)[0].basis


@pytest.mark.parametrize("change", NEWS, ids=str)
def test_a_row_that_says_something_else_is_news(change: dict[str, Any]) -> None:
    assert basis({**ODD, **change}) != basis(ODD)
    assert basis({**ODD, **change}, *SIGNS) != basis(ODD, *SIGNS)


@pytest.mark.parametrize("change", NO_NEWS, ids=str)
def test_what_a_server_changes_on_its_own_is_none(change: dict[str, Any]) -> None:
    assert basis({**ODD, **change}) == basis(ODD)
    assert basis({**ODD, **change}, *SIGNS) == basis(ODD, *SIGNS)
    assert basis(dict(reversed(ODD.items()))) == basis(ODD)


def test_the_card_says_of_which_day_each_row_is() -> None:
    (card,) = cards(ODD)
    assert "`Observation/odd` (14 Mar): its coding system is not known" in card.detail
    (undated,) = cards({**ODD, "effectiveDateTime": None})
    assert "`Observation/odd` (date unknown):" in undated.detail


# --- what is said in the short words that people use for what is none of ours


@pytest.mark.parametrize("words", ["HTN", "T2DM", "UTI", "AF", "CKD 3", "BPH", "KHK", "HTA", "MS", "hypertension"])
def test_a_problem_in_short_words_is_none_of_ours(words: str) -> None:
    assert cards(named("Condition", code={"text": words}, recordedDate=days_ago(1))) == ()


@pytest.mark.parametrize("words", ["DVT", "TVT", "x", "7", "?"])
def test_a_problem_that_may_be_one_of_ours_or_says_nothing_is_told(words: str) -> None:
    assert cards(named("Condition", code={"text": words}, recordedDate=days_ago(1)))


# --- the tender calf of the question is one that is there


@pytest.mark.parametrize(("present", "asked"), [(True, True), (False, False)])
def test_a_denied_tenderness_is_not_asked_about(present: bool, asked: bool) -> None:
    question = shipped_service().content.pathway.asked_with_tender_calf
    tender = observation(concept((SNOMED, "247348008")), site="722115008", valueBoolean=present)
    (card,) = cards(on("pain_calf"), tender)
    assert (question in card.detail) is asked


@pytest.mark.parametrize("text", ["Calf swelling", "Wadenschmerz", "mollet gonflé", "DVT?"])
def test_what_is_in_words_only_is_in_no_unknown_coding_system(text: str) -> None:
    for row in (condition({"text": text}), observation({"text": text}, valueBoolean=True)):
        (card,) = cards(row)
        said = card.summary + (card.detail or "")
        assert "in words only" in said
        assert "coding system" not in said
    (card,) = cards(condition({**UNKNOWN, "text": text}))
    assert "in a coding system that this service does not know" in card.summary + (card.detail or "")


# --- a hospital's own codes of plain laboratory values

LOCAL = "https://lab.example/codes"


def local(name: str, *, category: str | None = "laboratory", **fields: Any) -> Resource:
    """An Observation under a local code with this display."""
    listed: dict[str, Any] = {} if category is None else {"category": [concept((CATEGORY, category))]}
    return observation({"coding": [{"system": LOCAL, "code": "4711", "display": name}]}, **listed, **fields)


def quantity(value: float, unit: str, **fields: Any) -> dict[str, Any]:
    return {"valueQuantity": {"value": value, "unit": unit, **fields}}


PLAIN = [
    local("Creatinine", **quantity(80, "µmol/L")),
    local("Creatinine", category=None, **quantity(80, "umol/L", code="umol/L", system=UCUM)),
    local("Hämoglobin", **quantity(14, "g/dL")),
    local("Erythrocytes", **quantity(4.5, "10*12/L")),
    local("Natrium", category="exam", **quantity(140, "mmol/l")),
    local("BP", category="vital-signs", component=[
        {"code": {"text": "systolic"}, **quantity(120, "mmHg")},
        {"code": {"text": "diastolic"}, **quantity(80, "mmHg")},
    ]),
    local("HbA1c", **quantity(48, "mmol/mol"), interpretation=HIGH),
    {**local("", category=None, **quantity(4, "mmol/L")), "code": {"text": "Potassium"}},
]  # fmt: skip
"""Each would be no concern under a LOINC code of the same."""


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: str(row["code"]))
def test_a_plain_laboratory_value_under_a_local_code_says_nothing(row: Resource) -> None:
    for chart in (TEAR, [*SIGNS, *negative_tests(2, 2)]):
        said = [(card.summary, card.detail) for card in cards(*chart, row)]
        assert said == [(card.summary, card.detail) for card in cards(*chart)]


NOT_PLAIN = [
    local("D-dimer", **quantity(0.9, "mg/L")),
    local("Analyte 7", **quantity(900, "ug/L")),
    local("Analyte 7", **quantity(80, "U/L")),
    local("Analyte 7", **quantity(80, "10*9/L")),
    local("Analyte 7", **quantity(80, "")),
    local("Analyte 7", valueString="80 umol/L"),
    local("Analyte 7", valueString="positive"),
    local("Analyte 7", **quantity(80, "umol/L", code="mg/L")),
    local("Analyte 7", **quantity(80, "umol/L"), note=[{"text": "DVT on scan"}]),
    local("Pressure, left calf", **quantity(80, "mmHg")),
    local("Analyte 7", **quantity(80, "umol/L"), bodySite={"text": "Wade"}),
    local("Panel", component=[
        {"code": {"text": "a"}, **quantity(1, "mmol/L")}, {"code": {"text": "b"}, **quantity(1, "mg/L")},
    ]),
    local("Swollen leg", **quantity(1, "mmol/L")),
]  # fmt: skip


@pytest.mark.parametrize("row", NOT_PLAIN, ids=lambda row: str(row["code"]) + str(row)[-60:])
def test_what_may_be_something_of_ours_keeps_a_suspicion_open(row: Resource) -> None:
    assert "critical" not in {card.indicator for card in cards(*SIGNS, *negative_tests(2, 2))}
    assert cards(*SIGNS, *negative_tests(2, 2), row)[0].indicator == "critical"

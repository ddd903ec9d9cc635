"""The shapes in which records hold a finding, and what is made of each."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.reading.resources import build
from cds_service.clinical.record import RowState, UnreadKind
from tests.charts import (
    CALF,
    ICD10CM,
    LEFT,
    LEFT_CALF,
    LOINC,
    POPLITEAL,
    RIGHT,
    RIGHT_CALF,
    RXNORM,
    SIDE_LEFT,
    SIDE_RIGHT,
    SNOMED,
    UCUM,
    Resource,
    concept,
    condition,
    days_ago,
    facts,
    named,
    observation,
    patient,
    read,
)
from tests.conftest import NOW

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


def status_of(content: Content, **value: Any) -> str | None:
    found = facts(read(content, observation("knee_effusion", **value)))
    return next((status for key, status, _ in found if key == "knee_effusion"), None)


PRESENT = [
    *((SNOMED, code) for code in ("52101004", "10828004", "373066001", "260373001")),
    *((LOINC, code) for code in ("LA9633-4", "LA6576-8", "LA33-6", "LA11882-0")),
    ("http://terminology.hl7.org/CodeSystem/v2-0136", "Y"),
    (INTERPRETATION, "POS"),
]
ABSENT = [
    *((SNOMED, code) for code in ("2667000", "260385009", "373067005", "260415000", "410516002")),
    *((LOINC, code) for code in ("LA9634-2", "LA6577-6", "LA32-8", "LA11883-8")),
    ("http://terminology.hl7.org/CodeSystem/v2-0136", "N"),
    (INTERPRETATION, "NEG"),
]
UNKNOWN = [
    (SNOMED, "261665006"),
    (SNOMED, "385660001"),
    (LOINC, "LA4489-6"),
    (INTERPRETATION, "IND"),
    (ABSENT_REASON, "unknown"),
]


@pytest.mark.parametrize(("codes", "status"), [(PRESENT, "present"), (ABSENT, "absent"), (UNKNOWN, "unknown")])
def test_coded_answers(content: Content, codes: list[tuple[str, str]], status: str) -> None:
    for code in codes:
        assert status_of(content, valueCodeableConcept=concept(code)) == status, code


def test_other_ways_to_answer(content: Content) -> None:
    assert status_of(content, valueBoolean=False) == "absent"
    assert status_of(content, interpretation=[concept((INTERPRETATION, "POS"))]) == "present"
    assert status_of(content, interpretation=[concept((INTERPRETATION, "N"))]) == "absent"
    assert status_of(content, dataAbsentReason=concept((ABSENT_REASON, "not-performed"))) == "unknown"
    both = concept((SNOMED, "52101004"), (SNOMED, "2667000"))
    assert status_of(content, valueCodeableConcept=both) is None  # told as not understood, see test_strangers_charts
    alone = observation(concept((FINDING_SYSTEM, "knee_effusion")))
    assert facts(read(content, alone)) == {("knee_effusion", "present", "unknown")}


def test_a_value_that_is_not_understood_is_reported_not_guessed(content: Content) -> None:
    for value in ({"valueString": "positive"}, {"valueInteger": 1}, {"valueCodeableConcept": {"text": "yes"}}):
        record = read(content, observation("knee_effusion", **value))
        assert not record.facts
        assert [one.kind for one in record.unread] == [UnreadKind.VALUE]
        assert record.unread[0].keys == ("knee_effusion",)


def test_components_and_a_finding_as_value(content: Content) -> None:
    parts = [
        {"code": concept((FINDING_SYSTEM, "pain_calf")), "valueBoolean": True},
        {"code": concept((SNOMED, "281792000")), "valueCodeableConcept": concept((SNOMED, "2667000"))},
        {"code": {"text": "other"}, "valueCodeableConcept": concept((FINDING_SYSTEM, "redness"))},
    ]
    record = read(content, observation({"text": "Leg examination"}, site=RIGHT, component=parts))
    assert facts(record) == {
        ("pain_calf", "present", "right"),
        ("calf_swelling", "absent", "right"),
        ("redness", "present", "right"),
    }
    asked = observation({"text": "Symptom"}, valueCodeableConcept=concept((SNOMED, "300954003")), site=LEFT)
    assert facts(read(content, asked)) == {("pain_calf", "present", "left")}


def test_panel_members_take_side_and_date_from_the_panel(content: Content) -> None:
    member = observation("knee_effusion", ago=None)
    panel = observation({"text": "Knee"}, ago=3, site=LEFT, hasMember=[{"reference": f"Observation/{member['id']}"}])
    (fact,) = read(content, panel, member).facts
    assert fact.side == "left"
    assert fact.when is not None
    assert fact.when.text == days_ago(3)


@pytest.mark.parametrize(
    ("quantity", "status"),
    [
        ({"value": 38.0, "code": "Cel", "system": UCUM}, "present"),
        ({"value": 37.9, "code": "Cel", "system": UCUM}, "absent"),
        ({"value": 100.4, "code": "[degF]", "system": UCUM}, "present"),
        ({"value": 100.2, "code": "[degF]", "system": UCUM}, "absent"),
        ({"value": 38.5, "unit": "Cel"}, "present"),
        ({"value": 38.5, "code": "K", "system": UCUM}, None),
        ({"value": 385, "code": "Cel", "system": UCUM}, None),
        ({"value": 38.5}, None),
        ({"value": 38.5, "code": "Cel", "system": "http://example.org/units"}, None),
        ({"value": 38.0, "comparator": "<", "code": "Cel", "system": UCUM}, "absent"),
        ({"value": 39.0, "comparator": ">", "code": "Cel", "system": UCUM}, "present"),
    ],
)
def test_temperature(content: Content, quantity: dict[str, Any], status: str | None) -> None:
    record = read(content, observation(concept((LOINC, "8310-5")), valueQuantity=quantity))
    assert facts(record) == ({("fever", status, "body")} if status else set())
    assert len(record.unread) == (status is None)


@pytest.mark.parametrize(
    ("code", "value", "unit", "birth", "status"),
    [
        ("48065-7", 500, "ng/mL{FEU}", "1990-01-01", "present"),
        ("48065-7", 499, "ng/mL{FEU}", "1990-01-01", "absent"),
        ("48065-7", 0.72, "mg/L{FEU}", "1953-06-01", "present"),  # 72 years: 720 ng/mL, evidence C.2
        ("48065-7", 0.71, "mg/L{FEU}", "1953-06-01", "absent"),
        ("48065-7", 720, "ug/L", "1954-01-01", "present"),
        ("48066-5", 250, "ng/mL{DDU}", "1990-01-01", "present"),
        ("48066-5", 249, "ng/mL", "1990-01-01", "absent"),
        ("48065-7", 600, "ng/mL{DDU}", "1990-01-01", None),  # unit and code disagree
        ("48065-7", 600, "mmol/L", "1990-01-01", None),
    ],
)
def test_d_dimer_units_and_age(
    content: Content, code: str, value: float, unit: str, birth: str, status: str | None
) -> None:
    quantity = {"value": value, "code": unit, "system": UCUM}
    record = read(content, observation(concept((LOINC, code)), valueQuantity=quantity), who=patient(birth=birth))
    assert facts(record) == ({("ddimer_positive", status, "body")} if status else set())


def test_a_high_flag_counts_when_the_unit_does_not_a_normal_one_never(content: Content) -> None:
    quantity = {"value": 3, "code": "mmol/L", "system": UCUM}
    for flag, expected in (("H", {("ddimer_positive", "present", "body")}), ("N", set())):
        shown = observation(
            concept((LOINC, "48065-7")), valueQuantity=quantity, interpretation=[concept((INTERPRETATION, flag))]
        )
        assert facts(read(content, shown)) == expected


def calves(right: float, left: float, unit: str = "cm", left_ago: float = 1) -> list[dict[str, Any]]:
    code = concept((LOINC, "9844-2"))
    return [
        observation(code, site=RIGHT_CALF, valueQuantity={"value": right, "code": unit, "system": UCUM}),
        observation(code, site=LEFT_CALF, ago=left_ago, valueQuantity={"value": left, "code": unit, "system": UCUM}),
    ]


@pytest.mark.parametrize(
    ("right", "left", "unit", "expected"),
    [
        (38.1, 35.1, "cm", {"right"}),
        (38.0, 35.1, "cm", set()),
        (351, 381, "mm", {"left"}),
        (15.0, 13.8, "[in_i]", {"right"}),
        (15.0, 13.9, "[in_i]", set()),
    ],
)
def test_calf_circumference_needs_both_sides(
    content: Content, right: float, left: float, unit: str, expected: set[str]
) -> None:
    found = facts(read(content, *calves(right, left, unit)))
    assert {side for key, status, side in found if status == "present"} == expected
    assert {key for key, _, _ in found} == {"calf_circumference_diff_3cm"}


def test_calves_of_different_days_are_not_compared(content: Content) -> None:
    record = read(content, *calves(40, 35, left_ago=2))
    assert not record.facts
    assert len(record.unread) == 2


def test_condition_statuses(content: Content) -> None:
    pain = concept((SNOMED, "300954003"))
    assert facts(read(content, condition(pain))) == {("pain_calf", "present", "unknown")}
    assert facts(read(content, condition(pain, verification="refuted"))) == {("pain_calf", "absent", "unknown")}
    for gone in (
        condition(pain, verification="entered-in-error"),
        condition(pain, clinical="resolved"),
        condition(pain, abatementDateTime=days_ago(2)),
    ):
        record = read(content, gone)
        assert not record.facts
        assert record.set_aside
    (maybe,) = read(content, condition(pain, verification="provisional")).facts
    assert maybe.provisional


def test_a_refuted_narrower_diagnosis_denies_nothing_wider(content: Content) -> None:
    tear = concept((ICD10CM, "S83.211A"))
    assert ("trauma_recent", "present", "right") in facts(read(content, condition(tear)))
    assert not facts(read(content, condition(tear, verification="refuted")))


def test_late_effects_are_not_the_injury(content: Content) -> None:
    assert not facts(read(content, condition(concept((ICD10CM, "S83.211S")))))


def test_dvt_as_diagnosis(content: Content) -> None:
    clot = concept((ICD10CM, "I82.431"))
    assert facts(read(content, condition(clot, verification="provisional"))) == {
        ("suspected_dvt_coded", "present", "right")
    }
    record = read(content, condition(clot))
    assert [(one.cause, one.state, one.side) for one in record.diagnoses] == [("dvt", "current", "right")]
    assert ("previous_dvt", "present", "body") in facts(read(content, condition(clot, clinical="resolved", ago=900)))


@pytest.mark.parametrize(
    ("code", "sites", "expected"),
    [
        ((ICD10CM, "M25.561"), [], ("knee_pain", "right")),
        ((ICD10CM, "M25562"), [], ("knee_pain", "left")),
        ((ICD10CM, "M25.569"), [], ("knee_pain", "unknown")),
        ((ICD10CM, "M25.561"), [POPLITEAL], ("pain_behind_knee", "right")),
        ((SNOMED, "30989003"), [POPLITEAL, SIDE_LEFT], ("pain_behind_knee", "left")),
        ((SNOMED, "30989003"), ["82169009"], ("knee_pain", "left")),
        ((ICD10CM, "M79.661"), [RIGHT_CALF], ("pain_calf", "right")),
        ((ICD10CM, "M79.662"), [], ("lower_leg_pain", "left")),
        ((ICD10CM, "R22.41"), [CALF], ("calf_swelling", "right")),
        ((ICD10CM, "R22.42"), [], ("leg_swelling", "left")),
        ((ICD10CM, "R22.43"), [], ("leg_swelling", "both")),
        ((SNOMED, "301423002"), ["56849005"], ("deep_vein_tenderness", "unknown")),
    ],
)
def test_place_narrows_and_side_is_found(
    content: Content, code: tuple[str, str], sites: list[str], expected: tuple[str, str]
) -> None:
    body_site = [concept(*((SNOMED, site) for site in sites))] if sites else None
    record = read(content, condition(concept(code), bodySite=body_site))
    assert {(key, side) for key, _, side in facts(record)} == {expected}


def test_generic_tenderness_is_not_deep_venous(content: Content) -> None:
    tender = observation(concept((SNOMED, "301423002")), site=RIGHT_CALF, valueBoolean=True)
    assert {key for key, _, _ in facts(read(content, tender))} == {"calf_tenderness"}


def test_second_coding_narrows(content: Content) -> None:
    pain = observation(concept((SNOMED, "30989003"), (SNOMED, POPLITEAL)), valueBoolean=True)
    assert facts(read(content, pain)) == {("pain_behind_knee", "present", "unknown")}


def test_contained_body_structure(content: Content) -> None:
    structure = {
        "resourceType": "BodyStructure",
        "id": "leg",
        "patient": {"reference": "Patient/p"},
        "location": concept((SNOMED, CALF)),
        "locationQualifier": [concept((SNOMED, SIDE_RIGHT))],
    }
    pointer = {"url": "http://hl7.org/fhir/StructureDefinition/bodySite", "valueReference": {"reference": "#leg"}}
    swollen = observation(concept((SNOMED, "449615005")), contained=[structure], extension=[pointer], valueBoolean=True)
    assert facts(read(content, swollen)) == {("calf_swelling", "present", "right")}


def test_contradictory_sides_are_reported_not_guessed(content: Content) -> None:
    record = read(content, condition(concept((ICD10CM, "M79.661")), bodySite=[concept((SNOMED, LEFT_CALF))]))
    assert {side for _, _, side in facts(record)} == {"unknown"}
    assert [one.kind for one in record.unread] == [UnreadKind.SIDE]


@pytest.mark.parametrize(
    ("text", "told"),
    [("pain &lt; 2 days", False), ("pain &gt; 2 days", False), ("pain, Lt", True), ("pain &amp; swelling, R", True)],
)
def test_a_side_in_words_is_told_and_escaped_characters_are_no_side(content: Content, text: str, told: bool) -> None:
    painful = {**concept((SNOMED, "10601006")), "text": text}
    record = read(content, observation(painful, valueBoolean=True))
    assert [one.kind for one in record.unread] == [UnreadKind.SIDE] * told


def test_redness_somewhere_else_is_not_of_the_leg(content: Content) -> None:
    red = observation(concept((SNOMED, "247441003")), site={"text": "left arm"}, valueBoolean=True)
    record = read(content, red)
    assert not record.facts
    assert [one.kind for one in record.unread] == [UnreadKind.PLACE]
    assert facts(read(content, observation(concept((SNOMED, "247441003")), valueBoolean=True)))


def medicine(kind: str = "MedicationRequest", **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"status": "active", "medicationCodeableConcept": concept((RXNORM, "1364430"))}
    if kind == "MedicationRequest":
        base |= {"intent": "order", "authoredOn": days_ago(200)}
    return named(kind, **{**base, **fields})


def test_medicines(content: Content) -> None:
    taking = {("on_anticoagulant", "present", "body")}
    assert facts(read(content, medicine())) == taking
    assert facts(read(content, medicine("MedicationStatement"))) == taking
    # Not taking this one does not mean taking none.
    assert not facts(read(content, medicine("MedicationStatement", status="not-taken")))
    none_at_all = concept((FINDING_SYSTEM, "on_anticoagulant"))
    refused = medicine("MedicationStatement", status="not-taken", medicationCodeableConcept=none_at_all)
    assert facts(read(content, refused)) == {("on_anticoagulant", "absent", "body")}
    for not_taken in (
        medicine(status="stopped"),
        medicine(intent="plan"),
        medicine(doNotPerform=True),
        medicine(status="entered-in-error"),
    ):
        assert not facts(read(content, not_taken))
    inside = {"resourceType": "Medication", "id": "m", "code": concept((RXNORM, "11289"))}
    pointer = {"reference": "#m"}
    contained = medicine(medicationCodeableConcept=None, medicationReference=pointer, contained=[inside])
    assert facts(read(content, contained)) == taking
    for odd in (["Medication"], "Banana", None):
        strange = medicine(medicationCodeableConcept=None, medicationReference=pointer)
        strange["contained"] = [{**inside, "resourceType": odd}]
        assert read(content, strange).unread
    outside = {"resourceType": "Medication", "id": "x", "code": concept((RXNORM, "11289"))}
    pointing = medicine(medicationCodeableConcept=None, medicationReference={"reference": "Medication/x"})
    assert facts(read(content, pointing, outside)) == taking
    ended = medicine("MedicationStatement", effectivePeriod={"start": days_ago(300), "end": days_ago(100)})
    (fact,) = read(content, ended).facts
    assert not fact.ongoing


def test_procedures(content: Content) -> None:
    surgical = concept((SNOMED, "387713003"))
    done = {"code": {"text": "an operation"}, "category": surgical, "status": "completed"}
    assert facts(read(content, named("Procedure", **done, performedDateTime=days_ago(9)))) == {
        ("recent_surgery", "present", "body")
    }
    undated = read(content, named("Procedure", **done))
    assert not undated.facts
    assert [one.kind for one in undated.unread] == [UnreadKind.DATE]
    assert not facts(read(content, named("Procedure", **{**done, "status": "not-done"}, performedDateTime=days_ago(9))))


def test_only_this_patient_counts(content: Content) -> None:
    for reference in ("Patient/p", "Patient/p/_history/3", "urn:uuid:p"):
        assert facts(read(content, observation("knee_effusion", subject={"reference": reference})))
    for reference in ("Patient/pp", "Patient/q", "https://ehr.example/fhir/Patient/q", "Group/p"):
        record = read(content, observation("knee_effusion", subject={"reference": reference}))
        assert not record.facts
        assert not record.unread
        assert record.rows(RowState.ANOTHER_PATIENT) == 1
    # Neither surely this patient's nor surely another's: an unknown server, no type, nothing at all.
    for subject in ({"reference": "https://ehr.example/fhir/Patient/p"}, {"reference": "p"}, {}, None):
        record = read(content, observation("knee_effusion", subject=subject))
        assert not record.facts
        assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.SUBJECT, ("knee_effusion",))]


def test_dates(content: Content) -> None:
    def when(**fields: Any) -> str | None:
        (fact,) = read(content, observation("knee_effusion", ago=None, **fields)).facts
        return fact.when.text if fact.when else None

    assert when(effectivePeriod={"start": "2026-03-01", "end": "2026-03-05"}) == "2026-03-05"
    assert when(effectiveDateTime="2026-03") == "2026-03"
    assert when(issued="2026-03-10T10:00:00Z") == "2026-03-10"
    assert when() is None
    record = read(content, observation("knee_effusion", ago=-5))
    assert [one.kind for one in record.unread] == [UnreadKind.DATE]
    assert record.facts[0].when is None
    malformed = read(content, observation("knee_effusion", ago=None, effectiveDateTime="12/03/2026"))
    assert malformed.facts[0].when is None
    assert malformed.unread[0].reason == "left out effectiveDateTime: not valid"


def test_what_is_broken_is_named_and_nothing_else_is_lost(content: Content) -> None:
    broken = observation("pain_calf")
    broken["code"] = "pain"
    stray = observation("knee_effusion", favouriteColour="blue")
    extended = observation("redness", modifierExtension=[{"url": "https://x.example", "valueBoolean": True}])
    record = read(content, broken, stray, extended, "text", None, {"id": 7})
    assert {key for key, _, _ in facts(record)} == {"knee_effusion"}
    kinds = [one.kind for one in record.unread]
    assert kinds.count(UnreadKind.NOT_A_RESOURCE) == 3
    assert kinds.count(UnreadKind.INVALID) == 3
    assert not any("Colour" in one.reason for one in record.unread)


@pytest.mark.parametrize("wrong", ["", 5, [], {}, "\x0b"], ids=repr)
def test_a_wrong_wording_costs_no_finding(content: Content, wrong: Any) -> None:
    """Nobody reads the wording of a code, so nothing is lost with it."""
    said = observation({"coding": [{"system": SNOMED, "code": "300954003", "display": wrong}], "text": wrong})
    record = read(content, said)
    assert {key for key, _, _ in facts(record)} == {"pain_calf"}
    assert not record.unread
    said["code"]["coding"][0]["code"] = wrong
    assert not facts(read(content, said))


def test_a_wrong_unit_is_no_unit(content: Content) -> None:
    def fever(**unit: Any) -> Resource:
        quantity = {"value": 39, "system": UCUM, **unit}
        return observation(concept((LOINC, "8310-5")), valueQuantity=quantity)

    assert facts(read(content, fever(code="Cel", unit=""))) == {("fever", "present", "body")}
    record = read(content, fever(unit=""))
    assert not record.facts
    assert {one.reason for one in record.unread} == {"it has no unit"}


@pytest.mark.parametrize(
    ("identity", "full_url", "name"),
    [
        ("a.B-9", None, "Observation/a.B-9"),
        ("x" * 65, None, "Observation/(entry 2, no id)"),
        ("a b", None, "Observation/(entry 2, no id)"),
        ("\u0661\u0662", None, "Observation/(entry 2, no id)"),  # Arabic digits
        ("\u00e9", None, "Observation/(entry 2, no id)"),
        (None, "urn:uuid:0A0a0a0a-0000-4000-8000-000000000000", "Observation/0A0a0a0a-0000-4000-8000-000000000000"),
        (None, "urn:uuid:<b>0a0a0a-0000-4000-8000-0000000000", "Observation/(entry 2, no id)"),
        (None, "urn:uuid:0a0a0a0a-0000-4000-8000-000000000000<b>", "Observation/(entry 2, no id)"),
    ],
)
def test_only_ids_name_a_resource(content: Content, identity: Any, full_url: str | None, name: str) -> None:
    entries = [ChartEntry(patient()), ChartEntry({**observation("pain_calf"), "id": identity}, full_url)]
    record = read_record(content, "p", entries, NOW)
    assert [*(one.source for one in record.facts), *(one.source for one in record.unread)] == [name]


@pytest.mark.parametrize("kind", ["Procedure", "ServiceRequest", "MedicationRequest", "MedicationStatement"])
def test_a_status_that_is_none_is_not_repeated(content: Content, kind: str) -> None:
    code = concept((SNOMED, "387713003")) if kind == "Procedure" else None
    medicine = concept((RXNORM, "1364430")) if kind.startswith("Medication") else None
    order = concept((LOINC, "39432-0")) if kind == "ServiceRequest" else None
    for status, told in (
        ("unknown", "its status is not known"),
        ("<b>\x1b[31m", "its status is no word of FHIR's list"),
    ):
        said = named(kind, status=status, intent="order", code=code or order, medicationCodeableConcept=medicine)
        said = {key: value for key, value in said.items() if value is not None}
        if kind in ("Procedure", "MedicationStatement"):
            del said["intent"]
        (unread,) = read(content, said).unread
        assert unread.kind is UnreadKind.STATUS
        assert unread.reason == told


def test_irrelevant_resources_are_not_even_built(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def counting(raw: Any) -> Any:
        built.append(raw["resourceType"])
        return build(raw)

    for module in ("rows", "patients"):
        monkeypatch.setattr(f"cds_service.clinical.reading.{module}.build", counting)
    others = [observation(concept((LOINC, "718-7")), valueQuantity={"value": 13}) for _ in range(50)]
    read(content, observation("pain_calf"), *others)
    assert built == ["Patient", "Observation"]


def test_a_contained_stranger_does_not_stop_the_reading(content: Content) -> None:
    for stranger in ({"resourceType": "SubstanceProtein", "id": "x"}, {"resourceType": True}, 7):
        record = read(content, observation("knee_effusion", contained=[stranger]))
        assert {key for key, _, _ in facts(record)} == {"knee_effusion"}


def test_panels_by_full_url_and_panels_that_disagree(content: Content) -> None:
    member = observation("knee_effusion", ago=None)
    pointer = [{"reference": f"Observation/{member['id']}"}]
    left = observation({"text": "Knee"}, site=LEFT, hasMember=pointer)
    right = observation({"text": "Knee"}, site=RIGHT, hasMember=pointer)
    for panels in ((left, right), (right, left)):
        record = read(content, *panels, member)
        assert {side for _, _, side in facts(record)} == {"unknown"}
        assert UnreadKind.SIDE in [one.kind for one in record.unread]
    wrong = {**left, "status": "entered-in-error"}
    assert {side for _, _, side in facts(read(content, wrong, member))} == {"unknown"}


def test_statuses_are_read_from_their_own_system(content: Content) -> None:
    pain = condition(concept((SNOMED, "300954003")))
    base = "http://terminology.hl7.org/CodeSystem/condition-"
    pain["verificationStatus"] = concept(("https://site.example", "confirmed"), (f"{base}ver-status", "refuted"))
    assert facts(read(content, pain)) == {("pain_calf", "absent", "unknown")}
    pain["verificationStatus"] = concept((f"{base}ver-status", "confirmed"))
    pain["clinicalStatus"] = concept(("https://site.example", "inactive"), (f"{base}clinical", "active"))
    assert facts(read(content, pain)) == {("pain_calf", "present", "unknown")}


def test_side_from_any_coding(content: Content) -> None:
    both_codes = condition(concept((SNOMED, "300954003"), (ICD10CM, "M79.662")))
    assert {side for _, _, side in facts(read(content, both_codes))} == {"left"}
    against = condition(concept((SNOMED, "300954003"), (ICD10CM, "M79.662")), bodySite=[concept((SNOMED, RIGHT))])
    record = read(content, against)
    assert {side for _, _, side in facts(record)} == {"unknown"}
    assert [one.kind for one in record.unread] == [UnreadKind.SIDE]
    listed = condition(
        concept((SNOMED, "300954003")), bodySite=[concept((SNOMED, LEFT_CALF)), concept((SNOMED, RIGHT_CALF))]
    )
    assert {side for _, _, side in facts(read(content, listed))} == {"both"}


def test_what_was_asked_and_not_answered_is_unknown(content: Content) -> None:
    assert (
        status_of(content, valueBoolean=False, dataAbsentReason=concept((ABSENT_REASON, "not-performed"))) == "unknown"
    )
    known_beside = [concept((INTERPRETATION, "POS")), concept(("https://lab.example", "!"))]
    assert status_of(content, interpretation=known_beside) == "present"
    at_odds = [concept((INTERPRETATION, "POS")), concept((INTERPRETATION, "NEG"))]
    record = read(content, observation("knee_effusion", interpretation=at_odds))
    assert not record.facts
    assert record.unread


def test_an_open_period_reaches_to_today(content: Content) -> None:
    (fact,) = read(content, observation("calf_swelling", ago=None, effectivePeriod={"start": days_ago(60)})).facts
    assert fact.when is not None
    assert fact.when.day.isoformat() == days_ago(0)
    assert fact.when.earliest.isoformat() == days_ago(60)


def test_the_same_id_of_another_patient_replaces_nothing(content: Content) -> None:
    mine = observation("knee_effusion", meta={"lastUpdated": "2026-03-01T00:00:00Z"})
    other = {**mine, "subject": {"reference": "Patient/q"}, "meta": {"lastUpdated": "2026-03-10T00:00:00Z"}}
    for chart in ((mine, other), (other, mine)):
        record = read(content, *chart)
        assert {key for key, _, _ in facts(record)} == {"knee_effusion"}
        assert record.rows(RowState.ANOTHER_PATIENT) == 1


def test_a_value_of_the_wrong_json_type_is_never_a_no_and_never_an_old_date(content: Content) -> None:
    for wrong in (0, 1, "no", "false", "true"):
        record = read(content, observation("pain_calf", valueBoolean=wrong))
        assert not record.facts
        assert [one.kind for one in record.unread] == [UnreadKind.INVALID]
    for number in (0, 20528, 1.5):
        record = read(content, observation("pain_calf", effectiveDateTime=number))
        assert [fact.when for fact in record.facts] == [None]
        assert [one.reason for one in record.unread] == ["left out effectiveDateTime: not valid"]


def test_what_is_no_array_is_not_an_empty_one(content: Content) -> None:
    wrongs: tuple[Any, ...] = (0, "", False, {})
    for wrong in wrongs:
        for broken in (
            observation({"coding": wrong}),
            observation({"text": "x"}, component=wrong),
            observation({"text": "x"}, category=wrong),
            observation({"coding": [{"system": 5, "code": "pain_calf"}]}),
        ):
            assert [one.kind for one in read(content, broken).unread] == [UnreadKind.INVALID]


def test_a_leap_second_is_a_date(content: Content) -> None:
    (fact,) = read(content, observation("pain_calf", effectiveDateTime="2026-03-14T23:59:60Z")).facts
    assert fact.when is not None
    assert fact.when.text == "2026-03-14"


def test_an_onset_told_as_an_age(content: Content) -> None:
    def onset(years: Any) -> tuple[Any, list[UnreadKind]]:
        age = {"value": years, "system": UCUM, "code": "a"}
        one = condition(concept((ICD10CM, "M25.561")), ago=None, onsetAge=age)
        record = read(content, one, who=patient(birth="1970-05-05"))
        return record.facts[0].clinical, [unread.kind for unread in record.unread]

    when, unread = onset(55)
    assert when.text == "2025"
    assert not unread
    for impossible in (-1, 900, 3e6, 1e308):
        assert onset(impossible) == (None, [UnreadKind.DATE])
    assert onset(None) == (None, [])


def test_somebody_elses_resource_of_the_same_id_takes_no_name(content: Content) -> None:
    own = observation("pain_calf", site=LEFT_CALF)
    strangers = [{**own, "subject": {"reference": f"Patient/{who}"}} for who in ("q", "r", "s")]
    for chart in ([own, *strangers], [*strangers, own], [strangers[0], own, *strangers[1:]]):
        record = read(content, *chart)
        assert [fact.source for fact in record.facts] == [f"Observation/{own['id']}"]
        assert record.rows(RowState.ANOTHER_PATIENT) == len(strangers)


def test_of_many_versions_the_latest_and_the_undated_count(content: Content) -> None:
    own = observation("pain_calf", site=LEFT_CALF)
    dated = [
        {**own, "meta": {"lastUpdated": f"2026-03-{day:02}T10:00:00Z"}, "valueBoolean": day == 12}
        for day in (10, 12, 11)
    ]
    for chart in (dated, dated[::-1]):
        assert facts(read(content, *chart)) == {("pain_calf", "present", "left")}
    undated = {**own, "valueBoolean": False}
    assert len(read(content, *dated, undated, undated).facts) == 2


def test_a_thousand_panels_are_read_once_each(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def counting(raw: Any) -> Any:
        built.append(raw["id"])
        return build(raw)

    monkeypatch.setattr("cds_service.clinical.reading.observations.build", counting)
    members = [observation("pain_calf", ago=None) for _ in range(20)]
    pointers = [{"reference": f"Observation/{one['id']}"} for one in members] * 5
    panels = [observation({"text": "Knee"}, site=LEFT, hasMember=pointers) for _ in range(10)]
    record = read(content, *members, *panels)
    assert len(built) == len(panels)
    assert facts(record) == {("pain_calf", "present", "left")}


def test_a_panel_that_cannot_be_read_is_told(content: Content) -> None:
    member = observation("pain_calf", ago=None)
    pointer = {"reference": f"Observation/{member['id']}"}
    broken = observation({"text": "Knee"}, site=LEFT, hasMember=[pointer], status=7)
    assert [one.source for one in read(content, member, broken).unread] == [f"Observation/{member['id']}"]
    for wrong in (5, [5], [{"reference": 5}]):
        panel = observation({"text": "Knee"}, site=LEFT, hasMember=wrong)
        assert [one.source for one in read(content, member, panel).unread] == [f"Observation/{panel['id']}"]


def test_what_is_hidden_in_odd_places_is_told(content: Content) -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": observation("pain_calf")}]}
    assert [one.kind for one in read(content, bundle).unread] == [UnreadKind.NOT_A_RESOURCE]
    assert [one.kind for one in read(content, {"resourceType": "Medication"}).unread] == [UnreadKind.INVALID]
    for inside in (7, {"resourceType": True}, {"id": "x"}):
        record = read(content, observation("pain_calf", contained=[inside]))
        assert [one.reason for one in record.unread] == ["left out contained: not valid"]


WHO, GM = "http://hl7.org/fhir/sid/icd-10", "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ANY_PAIN = [(SNOMED, "22253000"), (WHO, "R52"), (WHO, "R52.9"), (GM, "R52.0"), (ICD10CM, "R52"), (ICD10CM, "M79.609")]
MUSCLE_PAIN = [(SNOMED, "68962001"), (WHO, "M79.1"), (GM, "M79.16"), (ICD10CM, "M79.10")]
LEG_SITE, LOWER_LIMB, KNEE = "30021000", "61685007", "72696002"


@pytest.mark.parametrize("code", [*ANY_PAIN, *MUSCLE_PAIN], ids=str)
def test_pain_of_any_kind_is_the_complaint_of_its_place(content: Content, code: tuple[str, str]) -> None:
    """A general code says where it hurts by the body site only; without one it is not about the leg."""
    for row_of in (condition, observation):
        for site, expected in (
            (CALF, {"pain_calf"}),
            (LEFT_CALF, {"pain_calf"}),
            (POPLITEAL, {"pain_behind_knee"}),
            (LEG_SITE, {"lower_leg_pain", "leg_pain"}),
            (LOWER_LIMB, {"leg_pain"}),
        ):
            row = row_of(concept(code), bodySite=concept((SNOMED, site)))
            if row_of is condition:
                row["bodySite"] = [row["bodySite"]]
            found = read(content, row)
            assert {key for key, _, _ in facts(found)} == expected
            assert not found.unread
    assert not read(content, condition(concept(code))).unread
    assert not read(content, condition(concept(code))).facts


@pytest.mark.parametrize("code", [*ANY_PAIN, (SNOMED, "90834002"), (SNOMED, "10601006"), (WHO, "M79.6")], ids=str)
def test_pain_at_the_knee_is_knee_pain(content: Content, code: tuple[str, str]) -> None:
    record = read(content, condition(concept(code), bodySite=[concept((SNOMED, KNEE))]))
    assert {key for key, _, _ in facts(record)} == {"knee_pain"}


@pytest.mark.parametrize("words", ["Arm", "Thoracic structure", "Abdomen", "Kopf", "Upper limb structure", "Rücken"])
def test_a_place_off_the_leg_is_of_no_concern_and_an_unknown_one_is_told(content: Content, words: str) -> None:
    for code in ((SNOMED, "22253000"), (SNOMED, "128053003")):
        unknown = [concept((SNOMED, "999001"))]
        elsewhere = [{"coding": [{"system": SNOMED, "code": "999001", "display": words}]}]
        assert read(content, condition(concept(code), bodySite=unknown)).unread
        assert not read(content, condition(concept(code), bodySite=elsewhere)).unread
        assert not read(content, condition(concept(code), bodySite=[{"text": words}])).facts
        both = [*elsewhere, *unknown]
        assert read(content, condition(concept(code), bodySite=both)).unread
        mixed = [{"text": f"{words} and back of knee"}]
        assert read(content, condition(concept(code), bodySite=mixed)).unread


@pytest.mark.parametrize("words", ["left calf", "Wade", "leg", "back of knee", "somewhere"])
def test_words_of_the_leg_are_no_place_elsewhere(content: Content, words: str) -> None:
    for code in ((SNOMED, "22253000"), (SNOMED, "128053003")):
        assert read(content, condition(concept(code), bodySite=[{"text": words}])).unread


@pytest.mark.parametrize("code", [(SNOMED, "22253000"), (SNOMED, "90834002"), (WHO, "M79.6"), (WHO, "R52")], ids=str)
@pytest.mark.parametrize(("words", "key"), [("pain in the left calf", "pain_calf"), ("Wadenschmerz", "pain_calf")])
def test_words_beside_a_code_that_is_too_general_are_heard(
    content: Content, code: tuple[str, str], words: str, key: str
) -> None:
    (unread,) = read(content, condition({**concept(code), "text": words})).unread
    assert (unread.kind, key in unread.keys) == (UnreadKind.WORDS, True)
    (unread,) = read(content, observation({**concept(code), "text": words})).unread
    assert (unread.kind, key in unread.keys) == (UnreadKind.WORDS, True)
    assert not read(content, condition({**concept(code), "text": words}, clinical="resolved")).unread


def test_pain_as_the_answer_to_a_question(content: Content) -> None:
    def answered(question: Resource, **fields: Any) -> Any:
        return read(content, observation(question, valueCodeableConcept=concept((SNOMED, "22253000")), **fields))

    symptom = concept((LOINC, "75325-1"))
    assert facts(answered(symptom, site=LEFT_CALF)) == {("pain_calf", "present", "left")}
    assert not answered(symptom).unread
    assert not answered(symptom, bodySite={"text": "Thorax"}).unread
    assert answered(symptom, bodySite={"text": "unclear"}).unread
    assert answered(symptom, bodySite={"text": "left calf"}).unread
    assert answered({**symptom, "text": "Pain in the calf"}).unread
    assert answered(concept(("https://site.example", "calf-question"))).unread


@pytest.mark.parametrize("birth", ["0001-01-01", "0001", "0001-03"])
def test_a_birth_in_the_first_year_of_all_is_no_fault(content: Content, birth: str) -> None:
    pain = condition(concept((SNOMED, "300954003")))
    assert facts(read(content, pain, who=patient(birth=birth))) == {("pain_calf", "present", "unknown")}

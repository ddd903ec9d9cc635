"""Closing needs proof (evidence C.2, C.4, C.6): final, of this patient and leg, understood, newer than the signs."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.record import RowState
from tests.charts import (
    ICD10CM,
    LEFT,
    LEFT_CALF,
    LOINC,
    SNOMED,
    UCUM,
    Resource,
    concept,
    condition,
    days_ago,
    judged,
    observation,
    patient,
    read,
)
from tests.clinical.dvt.signs import ALL_BUT_ONE, APIXABAN, SIGNS, clot, level, negative_tests, on
from tests.conftest import NOW

TODAY, YESTERDAY = days_ago(0), days_ago(1)


def scan(**fields: Any) -> Resource:
    """A negative scan of the left leg, two days ago unless said otherwise."""
    return {**negative_tests(2, 2)[0], **fields}


def d_dimer(**fields: Any) -> Resource:
    """A negative D-dimer, two days ago unless said otherwise."""
    return {**negative_tests(2, 2)[1], **fields}


def timed(key: str, when: str, *, present: bool = True) -> Resource:
    return {**on(key, present=present), "effectiveDateTime": when}


def negative_at(when: str) -> list[Resource]:
    """Scan and D-dimer, both negative."""
    return [timed("us_proximal_dvt", when, present=False), timed("ddimer_positive", when, present=False)]


def test_what_is_proved_closes(content: Content) -> None:
    """All the others of this file vary this chart; without this one they would prove nothing."""
    assert level(content, *SIGNS) == "critical"
    assert level(content, *SIGNS, scan(), d_dimer()) is None


# --- of this patient

IDENTIFIED = patient(identifier=[{"system": "https://hospital.example/mrn", "value": "77"}])


@pytest.mark.parametrize(
    "focus",
    [
        {"reference": "RelatedPerson/mother"},
        {"reference": "Group/contacts"},
        {"reference": "Device/pump"},
        {"reference": "Patient/fetus"},
        {"reference": "https://elsewhere.example/fhir/Patient/p"},
        {"reference": "#donor"},
        {"reference": "urn:uuid:0b6f4a9e-8f0c-4b43-9f0c-0a3f7f6d0001"},
        {"identifier": {"system": "https://hospital.example/mrn", "value": "78"}},
        {"identifier": {"value": "77"}},
        {"display": "the mother"},
        {"type": "Patient"},
        {},
    ],
)
@pytest.mark.parametrize("with_the_patient", [False, True])
def test_a_result_with_another_focus_closes_nothing(
    content: Content, focus: dict[str, Any], with_the_patient: bool
) -> None:
    """FHIR: the focus is who or what the observation is about when that is not the subject."""
    every = [focus, {"reference": "Patient/p"}] if with_the_patient else [focus]
    for chart in ([scan(focus=every), d_dimer()], [scan(), d_dimer(focus=every)]):
        found = judged(content, *SIGNS, *chart, who=IDENTIFIED)
        assert found.legs[0].dvt.suspected


@pytest.mark.parametrize(
    "focus",
    [
        {"reference": "Patient/p"},
        {"reference": "Patient/p/_history/4"},
        {"reference": "Patient/p", "type": "Patient", "display": "the patient"},
        {"identifier": {"system": "https://hospital.example/mrn", "value": "77"}},
    ],
)
def test_a_focus_that_is_the_patient_changes_nothing(content: Content, focus: dict[str, Any]) -> None:
    found = judged(content, *SIGNS, scan(focus=[focus]), d_dimer(focus=[focus]), who=IDENTIFIED)
    assert not found.legs[0].dvt.suspected


@pytest.mark.parametrize("who", ["RelatedPerson/mother", "Patient/twin", "Group/household", "Practitioner/x"])
def test_signs_of_somebody_else_open_nothing(content: Content, who: str) -> None:
    signs = [{**sign, "focus": [{"reference": who}]} for sign in SIGNS]
    record = read(content, *signs)
    assert not record.facts
    assert record.rows(RowState.ANOTHER_PATIENT) == record.others_of_concern == len(SIGNS)


@pytest.mark.parametrize("what", ["BodyStructure/leg", "Condition/swelling", "Specimen/s", "Observation/o"])
def test_a_sign_whose_focus_is_a_thing_is_not_somebody_elses(content: Content, what: str) -> None:
    """FHIR lets the focus be a body structure, a problem or an implant of the patient: it is named, not dropped."""
    record = read(content, on("pain_calf"), {**on("calf_swelling"), "focus": [{"reference": what}]})
    assert record.others_of_concern == 0
    assert ["calf_swelling" in one.keys for one in record.unread] == [True]


def test_a_focus_told_by_a_code_is_not_the_patient(content: Content) -> None:
    """FHIR's extension for a focus that is no resource: "when the focus is not the patient of record"."""
    mother = {
        "url": "http://hl7.org/fhir/StructureDefinition/observation-focusCode",
        "valueCodeableConcept": {"text": "mother"},
    }
    assert level(content, *SIGNS, scan(extension=[mother]), d_dimer()) == "critical"
    record = read(content, on("pain_calf"), {**on("calf_swelling"), "extension": [mother]})
    assert {fact.key for fact in record.facts} == {"pain_calf"}
    assert ["calf_swelling" in one.keys for one in record.unread] == [True]


# --- later than the newest sign, and not later than now

SCAN_AT_EIGHT = negative_at(f"{TODAY}T08:00:00Z")


@pytest.mark.parametrize(
    ("sign", "opens"),
    [
        (f"{TODAY}T12:00:00Z", True),
        (f"{TODAY}T08:00:01Z", True),
        (f"{TODAY}T08:00:00.250Z", True),
        (f"{TODAY}T09:30:00+01:00", True),
        (f"{TODAY}T04:30:00-05:00", True),
        (f"{TODAY}T21:00:00+12:00", True),
        (f"{TODAY}T12:59:60Z", True),
        (f"{TODAY}T03:59:60-05:00", True),
        (f"{TODAY}T07:00:00Z", False),
        (f"{TODAY}T08:30:00+01:00", False),
        (f"{YESTERDAY}T23:00:00-08:00", False),
        (f"{TODAY}T07:59:60Z", False),
        (f"{TODAY}T20:59:60+14:00", False),
        (YESTERDAY, False),
    ],
)
def test_the_time_of_day_says_what_came_first(content: Content, sign: str, opens: bool) -> None:
    found = judged(content, *SIGNS, *SCAN_AT_EIGHT, timed("calf_swelling", sign))
    assert found.legs[0].dvt.suspected is opens


@pytest.mark.parametrize("key", ["warmth", "pain_calf", "deep_vein_tenderness", "homans_or_selftest_positive"])
def test_any_sign_of_the_afternoon_reopens(content: Content, key: str) -> None:
    assert level(content, *SIGNS, *SCAN_AT_EIGHT, timed(key, f"{TODAY}T12:00:00Z")) is not None


def test_a_test_of_the_day_answers_the_signs_of_the_day_only_by_its_time(content: Content) -> None:
    """A scan that has a day only may have been before a sign that has a time; both by day are one visit."""
    by_day = negative_at(TODAY)
    assert level(content, *SIGNS, *by_day, timed("calf_swelling", TODAY)) is None
    assert level(content, *SIGNS, *by_day, timed("calf_swelling", f"{TODAY}T06:00:00Z")) is not None
    assert level(content, *SIGNS, *negative_at(YESTERDAY), timed("calf_swelling", TODAY)) is not None


def test_a_period_ends_at_its_own_time(content: Content) -> None:
    until = {**on("calf_swelling"), "effectivePeriod": {"start": days_ago(3), "end": f"{TODAY}T11:00:00Z"}}
    del until["effectiveDateTime"]
    assert level(content, *SIGNS, *SCAN_AT_EIGHT, until) is not None
    assert level(content, *SIGNS, *negative_at(f"{TODAY}T11:30:00Z"), until) is None


@pytest.mark.parametrize(
    "when",
    [
        days_ago(-1),
        f"{TODAY}T14:03:00Z",
        f"{TODAY}T23:00:00Z",
        f"{days_ago(-1)}T00:30:00+02:00",
        f"{days_ago(-1)}T09:00:00Z",
        days_ago(-20),
        "2027",
        "2026-04",
    ],
)
def test_what_is_dated_after_now_closes_nothing(content: Content, when: str) -> None:
    assert NOW.hour == 14
    assert level(content, *SIGNS, *negative_at(when)) == "critical"
    assert level(content, *SIGNS, scan(), *negative_at(when)[1:]) == "critical"
    no_date = {"effectiveDateTime": None, "recordedDate": when}
    refuted = {**clot(verification="refuted", note=[{"text": "scan seen"}]), "onsetDateTime": None, **no_date}
    refuted = {key: value for key, value in refuted.items() if value is not None}
    assert level(content, *SIGNS, refuted) == "critical"


@pytest.mark.parametrize("when", [f"{TODAY}T14:01:59Z", f"{days_ago(-1)}T03:00:00+14:00", f"{TODAY}T02:00:00-12:00"])
def test_what_is_just_before_now_closes(content: Content, when: str) -> None:
    assert level(content, *SIGNS, *negative_at(when)) is None


@pytest.mark.parametrize("issued", [f"{TODAY}T15:00:00Z", f"{days_ago(-1)}T08:00:00Z", f"{days_ago(-9)}T08:00:00Z"])
def test_a_result_that_is_not_issued_yet_closes_nothing(content: Content, issued: str) -> None:
    assert level(content, *SIGNS, scan(issued=issued), d_dimer()) == "critical"


# --- with a meaning that is certain

MODIFIER = {"modifierExtension": [{"url": "https://x.example/negated", "valueBoolean": True}]}
CODED_SCAN = concept((FINDING_SYSTEM, "us_proximal_dvt"))
NO = {"valueBoolean": False}


@pytest.mark.parametrize(
    "fields",
    [
        MODIFIER,
        {"component": [{"code": {"text": "note"}, "valueString": "x", **MODIFIER}]},
        {"referenceRange": [{"text": "none", **MODIFIER}]},
        {"contained": [{"resourceType": "Specimen", "id": "s", **MODIFIER}]},
        {"contained": [{"resourceType": "Device", "id": "s", "udiCarrier": [{"issuer": "x", **MODIFIER}]}]},
        {"code": {**CODED_SCAN, **MODIFIER}},
        {"bodySite": {**concept((SNOMED, LEFT)), **MODIFIER}},
        {"performer": [{"reference": "Practitioner/x", **MODIFIER}]},
        {"implicitRules": "https://x.example/rules"},
        {"meta": {"tag": [{"code": "SUBSETTED"}]}},
    ],
)
def test_a_modifier_at_any_depth_closes_nothing(content: Content, fields: dict[str, Any]) -> None:
    assert level(content, *SIGNS, scan(**fields), d_dimer()) == "critical"


def test_a_modifier_in_a_component_or_quantity_closes_nothing(content: Content) -> None:
    number = {"value": 120, "unit": "ng/mL", "system": UCUM, "code": "ng/mL{FEU}"}
    code = concept((LOINC, "48065-7"))
    measured = observation(code, ago=2, valueQuantity=number)
    assert level(content, *SIGNS, scan(), measured) is None
    assert level(content, *SIGNS, scan(), {**measured, "valueQuantity": {**number, **MODIFIER}}) == "critical"
    part = {"code": code, "valueQuantity": number}
    panel = observation({"text": "Clotting"}, ago=2, component=[part])
    assert level(content, *SIGNS, scan(), panel) is None
    assert level(content, *SIGNS, scan(), {**panel, "component": [{**part, **MODIFIER}]}) == "critical"


@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [
        (120, "ng/mL DDU", "ng/mL{FEU}"),
        (0.3, "ng/mL", "mg/L"),
        (0.2, "µg/L", "ug/mL"),
        (120, "ug/mL", "ng/mL"),
        (0.2, "mg/L D-DU (DDU)", "mg/L{FEU}"),
    ],
)
def test_a_number_whose_unit_contradicts_itself_closes_nothing(
    content: Content, value: float, unit: str, code: str
) -> None:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": code}
    measured = observation(concept((LOINC, "48065-7")), ago=2, valueQuantity=quantity)
    assert level(content, *SIGNS, scan(), measured) == "critical"
    agreeing = observation(concept((LOINC, "48065-7")), ago=2, valueQuantity={**quantity, "unit": code})
    assert level(content, *SIGNS, scan(), agreeing) is None


@pytest.mark.parametrize("words", ["in", "inch", "inches", "Inches", "mm", "millimetres"])
def test_a_length_whose_unit_words_are_another_unit_denies_nothing(content: Content, words: str) -> None:
    """15 and 13.5 inches are 3.8 cm apart; as centimetres they would be "no difference"."""
    code = concept((LOINC, "9844-2"))
    calves = [
        observation(code, site=site, valueQuantity={"value": value, "unit": words, "system": UCUM, "code": "cm"})
        for site, value in (("722115008", 15), ("722116009", 13.5))
    ]
    assert not [fact for fact in read(content, on("pain_calf"), *calves).facts if fact.key.startswith("calf_circ")]
    for cm in ("cm", "centimetres", "centimeter", "CM"):
        plain = [{**one, "valueQuantity": {**one["valueQuantity"], "unit": cm}} for one in calves]
        assert [fact for fact in read(content, on("pain_calf"), *plain).facts if fact.key.startswith("calf_circ")]


@pytest.mark.parametrize(
    "status",
    ["Final", "FINAL", " final", "Entered in error", "CANCELLED", "pending", "complete", "", 7, None, ["final"]],
)
@pytest.mark.parametrize("extended", [False, True])
def test_a_status_that_is_no_word_of_the_list_is_not_final(content: Content, status: Any, extended: bool) -> None:
    changed = {**scan(), "status": status}
    if status is None:
        del changed["status"]
    if extended:
        changed["_status"] = {"extension": [{"url": "https://x.example/status", "valueString": "final"}]}
    assert level(content, *SIGNS, changed, d_dimer()) == "critical"


@pytest.mark.parametrize("status", ["registered", "preliminary", "unknown", "cancelled", "entered-in-error"])
def test_a_status_of_the_list_that_is_not_final_closes_nothing(content: Content, status: str) -> None:
    assert level(content, *SIGNS, scan(status=status), d_dimer()) == "critical"
    assert level(content, *SIGNS, scan(), d_dimer(status=status)) == "critical"


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_the_final_statuses_of_the_list_close(content: Content, status: str) -> None:
    assert level(content, *SIGNS, scan(status=status), d_dimer(status=status)) is None


# --- a clinician's dismissal has its reason


def dismissed(**fields: Any) -> Resource:
    fields.setdefault("recordedDate", days_ago(1))
    code = fields.pop("code", None)
    row = clot(ago=None, verification="refuted", **fields)
    return {**row, "code": code} if code else row


@pytest.mark.parametrize(
    "reason",
    [
        {},
        {"note": [{"text": " "}]},
        {"note": [{"text": "\u00a0\t"}]},
        {"note": [{"text": "\u200b"}]},
        {"note": [{"text": "-"}, {"text": "..."}]},
        {"evidence": [{}]},
        {"evidence": [{"code": [{}]}]},
        {"evidence": [{"code": [{"coding": [{}]}]}]},
        {"evidence": [{"code": [{"coding": [{"system": SNOMED}]}]}]},
        {"evidence": [{"code": [{"text": "-"}]}]},
        {"evidence": [{"detail": [{}]}]},
        {"evidence": [{"detail": [{"identifier": {}}]}]},
        {"evidence": [{"detail": [{"type": "Observation"}]}]},
        {"evidence": [{"id": "e1"}]},
    ],
)
def test_an_empty_reason_is_none(content: Content, reason: dict[str, Any]) -> None:
    assert level(content, *SIGNS, dismissed(**reason)) == "critical"


@pytest.mark.parametrize(
    "reason",
    [
        {"note": [{"text": "scan seen"}]},
        {"note": [{"text": " "}, {"text": "Scan and D-dimer negative"}]},
        {"evidence": [{"detail": [{"reference": "DiagnosticReport/d"}]}]},
        {"evidence": [{"detail": [{"identifier": {"system": "https://x.example", "value": "9"}}]}]},
        {"evidence": [{"code": [{"text": "negative duplex"}]}]},
        {"evidence": [{"code": [concept((SNOMED, "17621005"))]}]},
    ],
)
def test_a_reason_closes(content: Content, reason: dict[str, Any]) -> None:
    assert level(content, *SIGNS, dismissed(**reason)) is None


def test_a_dismissal_is_of_this_leg_and_older_than_no_sign(content: Content) -> None:
    why = [{"text": "scan seen"}]
    other = {**dismissed(note=why), "bodySite": [concept((SNOMED, "62175007"))]}
    assert level(content, *SIGNS, other) == "critical"
    early = dismissed(note=why, recordedDate=f"{days_ago(4)}T08:00:00Z")
    assert level(content, *SIGNS, early, timed("warmth", f"{days_ago(4)}T09:00:00Z")) is not None
    assert level(content, *SIGNS, dismissed(note=why), timed("warmth", f"{TODAY}T09:00:00Z")) is not None


# --- nothing that could contradict is unknown

UNKNOWN_CODE = {"coding": [{"system": "https://local.example/codes", "code": "Q-9"}]}


@pytest.mark.parametrize(
    "row",
    [
        {**APIXABAN, "medicationCodeableConcept": UNKNOWN_CODE, "authoredOn": days_ago(3)},
        {**APIXABAN, "medicationCodeableConcept": {"text": "blood thinner"}},
        {**clot(), "code": UNKNOWN_CODE},
        {**on("pain_calf"), "code": UNKNOWN_CODE},
        {**on("pain_calf"), "code": [UNKNOWN_CODE]},
        {**on("pain_calf"), "subject": None},
        "not a resource",
    ],
)
def test_an_unknown_row_of_a_kind_that_could_contradict_keeps_it_open(content: Content, row: Any) -> None:
    for proof in ([scan(), d_dimer()], [dismissed(note=[{"text": "scan seen"}])]):
        found = judged(content, *SIGNS, *proof, row).legs[0].dvt
        assert found.suspected
        assert found.not_closed_by


@pytest.mark.parametrize("row", [{"status": "unknown"}, {"code": UNKNOWN_CODE}, {"clinicalStatus": UNKNOWN_CODE}])
def test_an_unknown_problem_does_not_let_a_clinician_take_points_away(content: Content, row: dict[str, Any]) -> None:
    chart = [on("pain_calf"), on("calf_swelling"), on("redness"), *ALL_BUT_ONE, on("previous_dvt")]
    other = on("alternative_diagnosis_asserted")
    assert judged(content, *chart, other).legs[0].dvt.wells.least == -1  # type: ignore[union-attr]
    problem = {**clot(), **row} if "status" not in row else {**on("pain_calf"), "code": UNKNOWN_CODE}
    assert judged(content, *chart, other, problem).legs[0].dvt.wells.least > -1  # type: ignore[union-attr]


# --- a value that is known to be absent is no value


@pytest.mark.parametrize(
    "fields",
    [
        {"_valueBoolean": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}},
        {"_valueString": {"extension": [{"url": "https://x.example/why", "valueCode": "masked"}]}},
        {"dataAbsentReason": {"text": "patient declined"}},
        {"_dataAbsentReason": {"extension": [{"url": "https://x.example/why", "valueCode": "error"}]}},
        {"meta": {"tag": [{"system": "https://x.example", "code": "SUBSETTED"}]}},
        {"status": "registered"},
        {"hasMember": [{"reference": "Observation/part"}]},
    ],
)
@pytest.mark.parametrize("key", ["calf_swelling", "us_proximal_dvt", "ddimer_positive"])
def test_a_code_without_its_value_states_nothing(content: Content, fields: dict[str, Any], key: str) -> None:
    row = {name: value for name, value in {**on(key), **fields}.items() if name != "valueBoolean"}
    assert not {fact.key for fact in read(content, row).facts if fact.status.value != "unknown"}


# --- a dismissal is of this leg and of its deep veins

NOTED = [{"text": "duplex without thrombus"}]
OF_SOME_VEINS = [
    (ICD10CM, "I82.422"),
    (ICD10CM, "I82.442"),
    (ICD10CM, "I82.412"),
    (ICD10CM, "I82.4Z2"),
    (ICD10CM, "I80.212"),
    ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "I80.20"),
    (SNOMED, "438785004"),
    (SNOMED, "46557031000119105"),
    (SNOMED, "132301000119107"),
]
OF_ALL_VEINS = [
    (ICD10CM, "I82.402"),
    (ICD10CM, "I80.202"),
    ("http://hl7.org/fhir/sid/icd-10", "I80.2"),
    ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "I80.28"),
    (SNOMED, "404223003"),
    (SNOMED, "651000119108"),
    (SNOMED, "128053003"),
]


@pytest.mark.parametrize("code", OF_SOME_VEINS)
def test_that_some_veins_are_free_dismisses_no_clot(content: Content, code: tuple[str, str]) -> None:
    for codes in ([code], [code, (SNOMED, "404223003")]):
        row = dismissed(note=NOTED, code=concept(*codes))
        found = judged(content, *SIGNS, row).legs[0].dvt
        assert found.suspected
        assert "refuted_narrow" in [note.kind for note in found.notes]
        assert not judged(content, row).urgent


@pytest.mark.parametrize("code", OF_ALL_VEINS)
def test_a_dismissal_of_all_deep_veins_closes(content: Content, code: tuple[str, str]) -> None:
    assert level(content, *SIGNS, dismissed(note=NOTED, code=concept(code))) is None


PLAIN: dict[str, Any] = concept((SNOMED, "404223003"))


def plain(**fields: Any) -> dict[str, Any]:
    """The code for every deep vein of the leg, with words beside it."""
    return {**PLAIN, **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"note": [{"text": "Iliac veins patent"}]},
        {"note": [{"text": "V. femoralis frei"}]},
        {"note": [{"text": "no clot in the calf veins"}]},
        {"note": NOTED, "code": plain(text="DVT of the posterior tibial vein")},
        {"note": NOTED, "code": {"coding": [{**PLAIN["coding"][0], "display": "Tiefe Beckenvenenthrombose"}]}},
        {"evidence": [{"code": [{"text": "Peroneal veins compressible"}]}]},
        {"note": [{"text": "Duplex right leg: no thrombus"}]},
        {"note": [{"text": "Kein Thrombus im rechten Bein"}]},
        {"evidence": [{"detail": [{"reference": "Observation/1", "display": "Scan of the right leg"}]}]},
        {"note": NOTED, "code": plain(text="Thrombose veineuse profonde, jambe droite")},
        {"note": NOTED, "code": {"coding": [{**PLAIN["coding"][0], "display": "DVT of right leg"}]}},
    ],
    ids=str,
)
def test_words_of_some_veins_or_of_the_other_leg_dismiss_no_clot(content: Content, fields: dict[str, Any]) -> None:
    assert level(content, *SIGNS, dismissed(**fields)) == "critical"
    assert not judged(content, dismissed(**fields)).urgent


@pytest.mark.parametrize(
    "words",
    [
        "Femoral and popliteal veins compressible",
        "V. poplitea und V. femoralis frei",
        "femoropopliteal veins normal",
        "Duplex left leg: no thrombus",
        "both legs: no thrombus",
        "left leg free, right leg for comparison",
        "Linkes Bein ohne Thrombus",
    ],
)
def test_words_of_the_hollow_and_of_this_leg_leave_a_dismissal_as_it_is(content: Content, words: str) -> None:
    assert level(content, *SIGNS, dismissed(note=[{"text": words}])) is None


@pytest.mark.parametrize("words", ["left leg free", "rechtes Bein frei"])
def test_a_dismissal_whose_leg_only_words_name_dismisses_no_clot(content: Content, words: str) -> None:
    assert level(content, *SIGNS, {**dismissed(note=[{"text": words}]), "bodySite": []}) == "critical"
    assert level(content, *SIGNS, {**dismissed(note=NOTED), "bodySite": []}) is None


# --- a tender calf that is newer than the tests may be tender along the deep veins

TENDER_CALVES: list[Resource] = [
    observation({"text": "Calf tender"}, ago=0, valueBoolean=True),
    observation({"text": "Examination"}, ago=0, valueString="left calf is tender"),
    observation({"coding": [{"system": "https://x.example", "code": "7", "display": "Calf tenderness"}]}, ago=0),
    condition({"text": "Wade druckdolent"}, ago=0),
    condition({"text": "Wadendruckschmerz links"}, ago=0),
    condition({"text": "mollet sensible"}, ago=0),
    condition({"text": "ömhet i vaden"}, ago=0),
    condition({"text": "kuit drukpijnlijk"}, ago=0),
    condition({"coding": [{"system": SNOMED, "code": "38341003", "display": "tender calf"}]}, ago=0),
    observation(concept((SNOMED, "247348008")), ago=0, site=LEFT_CALF),
    observation(concept((SNOMED, "301399007")), ago=0, site=LEFT_CALF),
]


@pytest.mark.parametrize("row", TENDER_CALVES, ids=lambda row: str(row["code"]))
def test_a_tender_calf_after_the_tests_keeps_a_suspicion_open(content: Content, row: Resource) -> None:
    assert level(content, *SIGNS, scan(), d_dimer(), row) is not None

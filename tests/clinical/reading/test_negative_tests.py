"""A negative test is proof only if nothing in its own row speaks against it (evidence C.2, C.4; FHIR R4 obs-6)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.content.names import SCAN
from tests.charts import (
    LEFT,
    LEFT_CALF,
    LOINC,
    SNOMED,
    UCUM,
    Resource,
    concept,
    condition,
    judged,
    observation,
    patient,
    read,
    rules,
)

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
YOUNG = patient(birth="1986-05-01")
SCAN_CODE = concept((FINDING_SYSTEM, SCAN))
NORMAL = {"value": 200, "unit": "ng/mL FEU", "code": "ng/mL{FEU}", "system": UCUM}
_ITEMS = (
    "active_cancer", "leg_plaster_or_paralysis", "bedrest_3d", "recent_surgery", "deep_vein_tenderness",
    "entire_leg_swollen", "calf_circumference_diff_3cm", "collateral_veins", "previous_dvt",
    "alternative_diagnosis_asserted",
)  # fmt: skip


def scan(**fields: Any) -> Resource:
    """A negative scan of the left leg."""
    return {**observation(SCAN_CODE, site=LEFT, valueBoolean=False), **fields}


def d_dimer(**fields: Any) -> Resource:
    return observation(concept((LOINC, "48065-7")), valueQuantity=NORMAL, **fields)


def scan_closes(content: Content, row: Resource) -> bool:
    """Whether the scan closes a likely DVT whose D-dimer is negative as well."""
    pain = condition(concept((SNOMED, "300954003")), bodySite=[concept((SNOMED, LEFT_CALF))], ago=3)
    signs = [observation(key, site=LEFT, ago=3) for key in ("pitting_oedema_one_leg", "entire_leg_swollen")]
    return not rules(judged(content, pain, *signs, d_dimer(), row, who=YOUNG))


def d_dimer_closes(content: Content, row: Resource) -> bool:
    """Whether the D-dimer closes an unlikely DVT, with a whole score."""
    pain = condition(concept((SNOMED, "300954003")), bodySite=[concept((SNOMED, LEFT_CALF))], ago=2)
    pitting = observation("pitting_oedema_one_leg", site=LEFT, ago=2)
    absent = [observation(key, site=LEFT, ago=2, valueBoolean=False) for key in _ITEMS]
    return not rules(judged(content, pain, pitting, *absent, row, who=YOUNG))


def note(text: str) -> Resource:
    return {"note": [{"text": text}]}


def test_what_is_proved_closes(content: Content) -> None:
    assert scan_closes(content, scan())
    assert d_dimer_closes(content, d_dimer())


SPEAKS_AGAINST: dict[str, Resource] = {
    "a clot in a note": note("Thrombus in the popliteal vein."),
    "a DVT in a note": note("Patient known for DVT"),
    "in German": note("Thrombose der V. poplitea"),
    "in French": note("TVP poplitée gauche"),
    "not ruled out": note("DVT cannot be excluded"),
    "not ruled out, in German": note("TVT nicht sicher ausgeschlossen"),
    "not compressible": note("popliteal and femoral veins: the popliteal vein is not compressible"),
    "limited": note("Limited study, patient in pain"),
    "one place only": note("Popliteal vein compressible"),
    "to be repeated": note("suggest repeat in 1 week"),
    "by its method": {"method": {"text": "calf veins only"}},
    "by its code": {"code": {**SCAN_CODE, "text": "US calf veins"}},
    "the other leg": {"bodySite": {**concept((SNOMED, LEFT)), "text": "right leg"}},
    "a part in words": {"component": [{"code": {"text": "popliteal vein"}, "valueString": "see report"}]},
    "a part under a local code": {
        "component": [{"code": concept(("https://lab.example", "PV")), "valueString": "positive"}]
    },
    "a part that was not seen": {
        "component": [{"code": SCAN_CODE, "dataAbsentReason": {"text": "not seen"}}]
    },
    "no value after all": {"dataAbsentReason": concept((ABSENT_REASON, "not-performed"))},
}  # fmt: skip


@pytest.mark.parametrize("fields", SPEAKS_AGAINST.values(), ids=SPEAKS_AGAINST)
def test_a_scan_with_something_against_it_closes_nothing(content: Content, fields: Resource) -> None:
    assert not scan_closes(content, scan(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        note("No DVT."),
        note("No evidence of deep vein thrombosis in femoral or popliteal veins"),
        note("Keine Thrombose"),
        note("Pas de TVP"),
        note("geen trombose"),
        note("both femoral and popliteal veins compress fully"),
        note("Left leg. Seen by Dr. Y, results given to the patient."),
        {"method": {"text": "Compression ultrasound"}},
        {"interpretation": [concept((INTERPRETATION, "NEG"))]},
    ],
    ids=str,
)
def test_what_goes_with_a_negative_scan_leaves_it_as_it_is(content: Content, fields: Resource) -> None:
    assert scan_closes(content, scan(**fields))


UNFIT: dict[str, Resource] = {
    "a haemolysed sample": note("Specimen haemolysed, result unreliable"),
    "a clotted sample": note("Sample clotted"),
    "in German": note("Probe hämolytisch"),
    "in French": note("échantillon coagulé"),
    "in Swedish": note("Provet hemolyserat"),
    "too little of it": note("insufficient sample"),
    "another patient's": note("wrong patient, please disregard"),
    "an error beside the value": {"dataAbsentReason": concept((ABSENT_REASON, "error"))},
    "a reason in words beside it": {"dataAbsentReason": {"text": "quantity not sufficient"}},
    "insufficient evidence": {"interpretation": [concept((INTERPRETATION, "IE"))]},
    "equivocal": {"interpretation": [concept((INTERPRETATION, "E"))]},
    "a flag in words": {"interpretation": [{"text": "above reference"}]},
    "a local flag": {"interpretation": [concept(("https://lab.example/flags", "++"))]},
}


@pytest.mark.parametrize("fields", UNFIT.values(), ids=UNFIT)
def test_a_d_dimer_with_something_against_it_closes_nothing_and_is_told(content: Content, fields: Resource) -> None:
    row = d_dimer(**fields)
    assert not d_dimer_closes(content, row)
    assert [one.keys for one in read(content, row).unread] == [("ddimer_positive",)]


@pytest.mark.parametrize(
    "fields",
    [
        note("Reference range changed on 1 March"),
        note("A negative result does not exclude DVT in patients with a high clinical probability"),
        {"interpretation": [concept((INTERPRETATION, "N"))]},
        {"interpretation": [concept((INTERPRETATION, "<"))]},
        {"interpretation": [concept((INTERPRETATION, "L"))]},
    ],
    ids=str,
)
def test_what_laboratories_write_beside_a_normal_d_dimer(content: Content, fields: Resource) -> None:
    assert d_dimer_closes(content, d_dimer(**fields))


@pytest.mark.parametrize(
    "value",
    [
        {"valueBoolean": True},
        {"valueCodeableConcept": concept((SNOMED, "52101004"))},
        {"valueString": "yes"},
        {"valueInteger": 2},
    ],
    ids=str,
)
def test_a_sign_with_a_value_and_a_reason_for_its_absence_is_not_lost(content: Content, value: Resource) -> None:
    """It contradicts itself: no fact, and not "none" either."""
    row = observation("calf_swelling", site=LEFT, dataAbsentReason=concept((ABSENT_REASON, "error")), **value)
    record = read(content, row)
    assert not record.facts
    assert [one.keys for one in record.unread] == [("calf_swelling",)]

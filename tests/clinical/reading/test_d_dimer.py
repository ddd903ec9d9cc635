"""D-dimer as laboratories send it: which results may close a suspicion of DVT, which raise it, which are not read."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import RowState, UnreadKind
from tests.charts import (
    LEFT,
    LOINC,
    SNOMED,
    UCUM,
    Resource,
    concept,
    condition,
    facts,
    judged,
    observation,
    patient,
    read,
    rules,
)

FEU, FEU_IMMUNOASSAY, FEU_BLOOD = "48065-7", "48067-3", "71427-9"
DDU, DDU_IMMUNOASSAY, DDU_BLOOD = "48066-5", "48058-2", "91556-1"
UNSTATED = ("7799-0", "3246-6", "30240-6", "15129-0", "55449-3")
UK_UNSTATED = ("1019221000000107", "1010961000000102", "103826007", "223071000000100", "940711000000100")
UK_FEU = ("977991000000107", "978001000000103")
QUALITATIVE = ((LOINC, "15179-5"), (LOINC, "29280-5"), (LOINC, "3247-4"), (SNOMED, "103825006"))
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
YOUNG = patient(birth="1986-05-01")
_ITEMS = (
    "active_cancer", "leg_plaster_or_paralysis", "bedrest_3d", "recent_surgery", "deep_vein_tenderness",
    "entire_leg_swollen", "calf_circumference_diff_3cm", "collateral_veins", "previous_dvt",
    "alternative_diagnosis_asserted",
)  # fmt: skip


FEU_CODE: Resource = concept((LOINC, "48065-7"))


def d_dimer(code: Resource | str = FEU, **fields: Any) -> Resource:
    return observation(concept((LOINC, code)) if isinstance(code, str) else code, **fields)


def ucum(value: float, code: str, **fields: Any) -> Resource:
    return {"value": value, "code": code, "system": UCUM, **fields}


def in_words(value: float, unit: str, **fields: Any) -> Resource:
    return {"value": value, "unit": unit, **fields}


def closes(content: Content, result: Resource) -> bool:
    """Whether ``result`` closes the suspicion of a patient with one Wells point."""
    pain = condition(concept((SNOMED, "300954003")), bodySite=[concept((SNOMED, LEFT))])
    pitting = observation("pitting_oedema_one_leg", site=LEFT, ago=2)
    absent = [observation(key, site=LEFT, ago=2, valueBoolean=False) for key in _ITEMS]
    pain["onsetDateTime"] = pitting["effectiveDateTime"]
    assessment = judged(content, pain, pitting, *absent, result, who=YOUNG)
    assert assessment.differential
    return rules(assessment) == []


def said(content: Content, result: Resource) -> set[tuple[str, str]]:
    return {(key, status) for key, status, _ in facts(read(content, result, who=YOUNG))}


RAISED = {("ddimer_positive", "present")}
NORMAL = {("ddimer_positive", "absent")}


@pytest.mark.parametrize(
    ("code", "quantity", "normal"),
    [
        *((FEU, ucum(0.2, unit), True) for unit in ("mg/L{FEU}", "mg{FEU}/L", "{FEU}mg/L", "mg/l{FEU}", "mg/L")),
        (FEU, ucum(0.2, "mg/L FEU"), True),
        *((FEU, ucum(600, unit), False) for unit in ("ng{FEU}/mL", "ng/mL{feu}", "ug{FEU}/L", "ug/L", "ng/ml")),
        *((FEU_IMMUNOASSAY, ucum(200, unit), True) for unit in ("ng/mL{FEU}", "ng/mL", "ug/L{FEU}")),
        *((DDU, ucum(0.1, unit), True) for unit in ("mg/L{DDU}", "mg{DDU}/L", "ug/mL", "ug{DDU}/mL")),
        (DDU_IMMUNOASSAY, ucum(260, "ng{DDU}/mL"), False),
        *(
            (FEU, in_words(0.2, unit), True)
            for unit in (
                "mg/L FEU", "mg/l FEU", "MG/L FEU", "mg FEU/L", "mgFEU/L", "mg/L (FEU)", "mcg/mL", "mcg/mL FEU",
                "\u00b5g/mL", "\u03bcg/ml FEU", "ug/mL", "UG/ML", "mcg FEU / mL", "micrograms per millilitre",
                "mg per liter FEU", "mg/L fibrinogen equivalent units",
            )
        ),
        (FEU, in_words(600, "ng/mL FEU"), False),
        (DDU, in_words(200, "ng/mL D-DU"), True),
        (DDU, in_words(200, "ng/mL D-dimer units"), True),
        (FEU, ucum(0.2, "mg/L", unit="mg/L FEU"), True),
        (FEU, ucum(0.2, "mg/L", unit="mg/l"), True),
        (FEU, ucum(0.2, "ug/mL", unit="mcg/mL FEU"), True),
        (FEU, ucum(0.2, "mg/L", unit="mcg/mL"), True),
        (FEU, {**ucum(0.2, "mg/L"), "system": "https://unitsofmeasure.org/"}, True),
    ],
)  # fmt: skip
def test_units_in_every_spelling(content: Content, code: str, quantity: Resource, normal: bool) -> None:
    result = d_dimer(code, valueQuantity=quantity)
    assert said(content, result) == (NORMAL if normal else RAISED)
    assert closes(content, result) is normal


@pytest.mark.parametrize(
    ("code", "quantity"),
    [
        *((FEU, ucum(100, "ng/mL", unit=unit)) for unit in ("ng/mL DDU", "ng/mL (D-DU)", "ng DDU/mL")),
        (FEU, ucum(100, "ng/mL", unit="ng/mL D-dimer units")),
        (FEU, ucum(100, "ng/mL{DDU}")),
        (FEU, in_words(100, "ng/mL DDU")),
        (DDU, ucum(100, "ng/mL", unit="ng/mL FEU")),
        (DDU, ucum(100, "ng{FEU}/mL")),
        (FEU, ucum(0.1, "mg/L{FEU}", unit="mg/L DDU")),
        (FEU, ucum(0.1, "mg/L", unit="ng/mL")),
        (FEU, ucum(0.1, "mg/L", unit="g/L")),
        (FEU, ucum(0.1, "mg/L", unit="U/mL")),
        (FEU, ucum(100, "ng/mL", unit="FEU/DDU")),
        (FEU, ucum(0.1, "MG/L")),  # megagauss, by UCUM
        (FEU, ucum(0.1, "mg/L{XYZ}")),
        (FEU, ucum(0.1, "U/mL")),
        (FEU, in_words(0.1, "U/mL")),
        (FEU, in_words(0.1, "FEU")),
        (FEU, {"value": 0.1}),
        (FEU, {"code": "mg/L", "system": UCUM}),
        (FEU, {"value": 0.1, "code": "mg/L", "system": "http://snomed.info/sct"}),
    ],
)  # fmt: skip
def test_a_unit_that_contradicts_or_is_not_known_is_not_read(content: Content, code: str, quantity: Resource) -> None:
    result = d_dimer(code, valueQuantity=quantity)
    record = read(content, result)
    assert not record.facts
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.VALUE, ("ddimer_positive",))]
    assert not closes(content, result)


@pytest.mark.parametrize("code", [*((LOINC, one) for one in UNSTATED), *((SNOMED, one) for one in UK_UNSTATED)])
def test_where_the_code_names_no_unit_the_unit_has_to(content: Content, code: tuple[str, str]) -> None:
    for quantity, normal in (
        (ucum(200, "ng/mL{FEU}"), True),
        (ucum(200, "ng/mL", unit="ng/mL FEU"), True),
        (in_words(0.6, "mg/L FEU"), False),
        (ucum(200, "ng{DDU}/mL"), True),
        (ucum(260, "ng/mL{DDU}"), False),
    ):
        assert said(content, d_dimer(concept(code), valueQuantity=quantity)) == (NORMAL if normal else RAISED)
    for quantity in (ucum(200, "ng/mL"), in_words(0.1, "mg/L"), ucum(1, "U/mL"), ucum(1, "[arb'U]/mL")):
        record = read(content, d_dimer(concept(code), valueQuantity=quantity))
        assert not record.facts
        assert record.unread
        assert not closes(content, d_dimer(concept(code), valueQuantity=quantity))


def test_results_of_uk_laboratories(content: Content) -> None:
    for code in UK_FEU:
        assert closes(content, d_dimer(concept((SNOMED, code)), valueQuantity=ucum(200, "ng/mL")))
    for code in UK_UNSTATED:
        assert closes(content, d_dimer(concept((SNOMED, code)), valueQuantity=in_words(0.2, "mg/L FEU")))
    assert said(content, observation(concept((SNOMED, "504781000000102")))) == RAISED
    assert said(content, observation(concept((SNOMED, "504811000000104")))) == set()


@pytest.mark.parametrize("code", ["42499-4", "42727-8"])
def test_cerebrospinal_fluid_says_nothing_of_the_leg(content: Content, code: str) -> None:
    record = read(content, d_dimer(code, valueQuantity=ucum(100, "ng/mL")))
    assert not record.facts
    assert not record.unread
    assert record.rows(RowState.NO_CONCERN) == 1
    assert not closes(content, d_dimer(code, valueQuantity=ucum(100, "ng/mL")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.35 mg/L FEU", NORMAL),
        ("0,35 mg/L", NORMAL),
        (" <0.27 ug/mL FEU ", NORMAL),
        ("< 200 ng/mL", NORMAL),
        ("\u2264 0.5 mg/L", set()),
        (">20 mg/L", RAISED),
        (">= 500 ng/mL FEU", RAISED),
        ("\u2265500 ng/mL", RAISED),
        ("> 300 ng/mL", set()),
        ("640 \u00b5g/L FEU", RAISED),
    ],
)
def test_a_number_in_a_text(content: Content, text: str, expected: set[tuple[str, str]]) -> None:
    result = d_dimer(valueString=text)
    assert said(content, result) == expected
    assert closes(content, result) is (expected == NORMAL)
    assert not read(content, result).unread


@pytest.mark.parametrize(
    "text",
    [
        "0.35", "1,200 ng/mL", "1.234 mg/L", "0.35 mg/L DDU", "0.35 U/mL", "0.35 mg/L (normal < 0.5)", "1 200 ng/mL",
        "about 0.3 mg/L", "negative", "see report", "-0.3 mg/L", "0.3-0.4 mg/L", "<", "0.35 mg/L FEU!",
    ],
)  # fmt: skip
def test_a_text_that_is_not_wholly_a_number_with_a_unit_is_not_read(content: Content, text: str) -> None:
    record = read(content, d_dimer(valueString=text))
    assert not record.facts
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.VALUE, ("ddimer_positive",))]
    assert not closes(content, d_dimer(valueString=text))


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (ucum(0.5, "mg/L", comparator="<"), NORMAL),
        (ucum(0.49, "mg/L", comparator="<="), NORMAL),
        (ucum(0.5, "mg/L", comparator=">="), RAISED),
        (ucum(0.5, "mg/L", comparator=">"), RAISED),
        (ucum(0.6, "mg/L", comparator="<"), set()),
        (ucum(0.3, "mg/L", comparator=">"), set()),
    ],
)
def test_comparators(content: Content, quantity: Resource, expected: set[tuple[str, str]]) -> None:
    assert said(content, d_dimer(valueQuantity=quantity)) == expected


@pytest.mark.parametrize("code", QUALITATIVE)
def test_a_qualitative_negative_closes_nothing_and_a_positive_counts(content: Content, code: tuple[str, str]) -> None:
    for answer in ((SNOMED, "260385009"), (LOINC, "LA6577-6"), (SNOMED, "260415000")):
        result = d_dimer(concept(code), valueCodeableConcept=concept(answer))
        assert ("ddimer_positive", "absent") not in said(content, result)
        assert not closes(content, result)
        assert not read(content, result).unread
    for answer in ((SNOMED, "10828004"), (LOINC, "LA6576-8")):
        assert said(content, d_dimer(concept(code), valueCodeableConcept=concept(answer))) == RAISED
    assert not closes(content, d_dimer(concept(code), valueQuantity=ucum(100, "ng/mL{FEU}")))
    assert said(content, d_dimer(concept(code), valueQuantity=ucum(600, "ng/mL{FEU}"))) == RAISED


@pytest.mark.parametrize("code", [FEU, FEU_IMMUNOASSAY, DDU, "7799-0"])
def test_a_negative_without_a_number_closes_nothing(content: Content, code: str) -> None:
    for value in (
        {"valueCodeableConcept": concept((SNOMED, "260385009"))},
        {"interpretation": [concept((INTERPRETATION, "N"))]},
        {"interpretation": [concept((INTERPRETATION, "NEG"))]},
    ):
        assert not closes(content, d_dimer(code, **value))
    assert said(content, d_dimer(code, interpretation=[concept((INTERPRETATION, "H"))])) == RAISED
    assert said(content, d_dimer(code, valueCodeableConcept=concept((SNOMED, "10828004")))) == RAISED


def specimen(kind: Resource) -> Resource:
    return {"resourceType": "Specimen", "id": "s", "type": kind}


def device(**fields: Any) -> Resource:
    return {"resourceType": "Device", "id": "d", **fields}


@pytest.mark.parametrize(
    "kind",
    [
        {"method": {"text": "Latex agglutination"}},
        {"method": {"coding": [{"system": "https://lab.example", "code": "P", "display": "Point-of-care test"}]}},
        {"method": {"text": "POCT"}},
        {"device": {"display": "Rapid D-dimer cassette"}},
        {"method": {"text": "Patientennahe Sofortdiagnostik"}},
        {"method": {"text": "Schnelltest"}},
        {"device": {"display": "D-Dimer Schnelltest am Krankenbett"}},
        {"device": {"display": "Biologie délocalisée"}},
        {"method": {"text": "au lit du patient"}},
        {"method": {"text": "prueba rápida"}},
        {"method": {"text": "análisis en el punto de atención"}},
        {"method": {"text": "semi-quantitatif"}},
        {"note": [{"text": "measured by POCT in the emergency department"}]},
        {
            "device": {"reference": "#d"},
            "contained": [device(deviceName=[{"name": "Bedside analyser", "type": "other"}])],
        },
        {"code": {**concept((SNOMED, "1019221000000107")), "text": "D-dimer, CSF"}},
        {"specimen": {"display": "CSF"}},
        {"specimen": {"display": "Urine, mid-stream"}},
        {"specimen": {"display": "Aszites"}},
        {"specimen": {"display": "Líquido pleural"}},
        {"specimen": {"reference": "#s"}, "contained": [specimen({"text": "Urin"})]},
        {"specimen": {"reference": "#s"}, "contained": [specimen({"coding": [{"code": "CSF"}]})]},
        {"code": {**concept((LOINC, FEU)), "text": "D-Dimer, bedside"}},
        {"code": {**concept((SNOMED, "1019221000000107")), "text": "Near patient D-dimer"}},
        {"code": concept((LOINC, FEU_BLOOD))},
        {"code": concept((LOINC, DDU_BLOOD))},
        {"code": concept((SNOMED, "1111331000000106"))},
    ],
)
def test_a_test_of_a_weak_kind_closes_nothing(content: Content, kind: Resource) -> None:
    fields = {"code": concept((LOINC, FEU)), **kind}
    in_ddu = fields["code"] == concept((LOINC, DDU_BLOOD))
    unit = "ng/mL{DDU}" if in_ddu else "ng/mL{FEU}"
    assert not closes(content, d_dimer(valueQuantity=ucum(100, unit), **fields))
    assert ("ddimer_positive", "absent") not in said(content, d_dimer(valueQuantity=ucum(100, unit), **fields))
    assert said(content, d_dimer(valueQuantity=ucum(900, unit), **fields)) == RAISED


def test_a_laboratory_method_closes(content: Content) -> None:
    result = d_dimer(valueQuantity=ucum(100, "ng/mL{FEU}"), method={"text": "Quantitative immunoturbidimetric assay"})
    assert closes(content, result)


@pytest.mark.parametrize(
    "fields",
    [
        {"specimen": {"display": "Citrated plasma"}},
        {"specimen": {"display": "Venöses Blut"}},
        {"specimen": {"display": "sang veineux"}},
        {"specimen": {"reference": "Specimen/1"}},
        {"specimen": {"display": "26:H0042"}},
        {"specimen": {"reference": "#s"}, "contained": [specimen({"text": "Plasma"})]},
        {"specimen": {"reference": "#s"}, "contained": [specimen({"coding": [{"code": "119361006"}]})]},
        {"device": {"display": "Coagulation analyser"}},
        {"note": [{"text": "taken during the night"}]},
    ],
    ids=str,
)
def test_a_laboratory_test_of_blood_closes(content: Content, fields: Resource) -> None:
    assert closes(content, d_dimer(valueQuantity=ucum(100, "ng/mL{FEU}"), **fields))


def test_a_specimen_and_a_device_that_come_beside_it_count(content: Content) -> None:
    def closed(field: str, other: Resource, reference: str) -> bool:
        result = d_dimer(valueQuantity=ucum(100, "ng/mL{FEU}"), **{field: {"reference": reference}})
        pain = condition(concept((SNOMED, "300954003")), bodySite=[concept((SNOMED, LEFT))])
        absent = [observation(key, site=LEFT, ago=2, valueBoolean=False) for key in _ITEMS]
        pain["onsetDateTime"] = absent[0]["effectiveDateTime"]
        pitting = observation("pitting_oedema_one_leg", site=LEFT, ago=2)
        return rules(judged(content, pain, pitting, *absent, result, other, who=YOUNG)) == []

    assert closed("specimen", specimen({"text": "Plasma"}), "Specimen/s")
    assert not closed("specimen", specimen({"text": "Liquor"}), "Specimen/s")
    assert not closed("specimen", specimen({"text": "urine"}), "Specimen/s/_history/2")
    assert closed("device", device(type={"text": "Coagulation analyser"}), "Device/d")
    assert not closed("device", device(type={"text": "Point of care analyser"}), "Device/d")


def limits(high: Resource | None = None, **fields: Any) -> list[Resource]:
    return [{key: value for key, value in {"high": high, **fields}.items() if value is not None}]


def test_the_laboratorys_own_limits(content: Content) -> None:
    """They can raise and forbid closing; they never prove that a result is normal."""
    ddu_range = limits(ucum(230, "ng/mL"))
    result = d_dimer(valueQuantity=ucum(300, "ng/mL"), referenceRange=ddu_range)
    assert said(content, result) == RAISED
    assert not closes(content, result)
    assert {one.reason for one in read(content, result).unread} == {"the laboratory's own limit is lower than ours"}
    assert closes(content, d_dimer(valueQuantity=ucum(200, "ng/mL"), referenceRange=ddu_range))
    assert closes(content, d_dimer(valueQuantity=ucum(300, "ng/mL"), referenceRange=limits(ucum(500, "ng/mL"))))
    for contradicting in (limits(ucum(500, "ng/mL", unit="ng/mL DDU")), limits(text="< 250 ng/mL DDU")):
        assert not closes(content, d_dimer(valueQuantity=ucum(100, "ng/mL"), referenceRange=contradicting))
    above = d_dimer("7799-0", valueQuantity=ucum(900, "ng/mL"), referenceRange=limits(in_words(500, "ng/mL")))
    assert said(content, above) == RAISED
    assert read(content, above).unread
    below = d_dimer("7799-0", valueQuantity=ucum(100, "ng/mL"), referenceRange=limits(in_words(500, "ng/mL")))
    assert said(content, below) == set()
    assert not closes(content, below)
    other_unit = d_dimer("7799-0", valueQuantity=ucum(900, "ng/mL"), referenceRange=limits(in_words(0.5, "mg/L")))
    assert said(content, other_unit) == set()
    of_others = limits(ucum(230, "ng/mL"), appliesTo=[{"text": "pregnancy"}])
    assert closes(content, d_dimer(valueQuantity=ucum(300, "ng/mL"), referenceRange=of_others))


@pytest.mark.parametrize(
    ("quantity", "limit"),
    [
        (ucum(0.3, "mg/L{FEU}"), {"high": ucum(500, "ng/mL{FEU}")}),
        (ucum(100, "ng/mL{FEU}"), {"high": ucum(0.5, "mg/L{FEU}")}),
        (ucum(100, "ug/L{FEU}"), {"high": in_words(0.5, "µg/mL")}),
        (ucum(100, "ng/mL{FEU}"), {"low": ucum(0, "mg/L{FEU}")}),
        (ucum(0.3, "mg/L{FEU}"), {"text": "< 500 ng/mL"}),
        (ucum(0.3, "mg/L{FEU}"), {"text": "0 - 500 µg/L FEU"}),
    ],
    ids=str,
)
def test_a_limit_in_another_unit_closes_nothing(content: Content, quantity: Resource, limit: Resource) -> None:
    result = d_dimer(valueQuantity=quantity, referenceRange=[limit])
    assert not closes(content, result)
    assert {one.reason for one in read(content, result).unread} == {"its reference range is in another unit"}
    assert closes(content, d_dimer(valueQuantity=quantity))


@pytest.mark.parametrize(
    ("quantity", "limit"),
    [
        (ucum(100, "ng/mL{FEU}"), {"high": in_words(500, "ng/mL FEU")}),
        (ucum(0.3, "mg/L{FEU}"), {"high": ucum(0.5, "mg/l{FEU}")}),
        (ucum(0.3, "ug/mL{FEU}"), {"high": in_words(0.5, "mcg/mL")}),
        (ucum(100, "ng/mL{FEU}"), {"high": {"value": 500}}),
        (ucum(100, "ng/mL{FEU}"), {"text": "< 500 ng/mL"}),
        (ucum(100, "ng/mL{FEU}"), {"text": "less than 500"}),
    ],
    ids=str,
)
def test_a_limit_in_the_same_unit_closes(content: Content, quantity: Resource, limit: Resource) -> None:
    assert closes(content, d_dimer(valueQuantity=quantity, referenceRange=[limit]))


def test_a_panel_of_both_units_is_read_by_its_parts(content: Content) -> None:
    parts = [
        {"code": concept((LOINC, FEU)), "valueQuantity": ucum(200, "ng/mL{FEU}")},
        {"code": concept((LOINC, DDU)), "valueQuantity": ucum(100, "ng/mL{DDU}")},
    ]
    assert closes(content, d_dimer("55398-2", component=parts))
    parts[1]["valueQuantity"] = ucum(400, "ng/mL{DDU}")
    assert not closes(content, d_dimer("55398-2", component=parts))


def test_a_result_that_is_still_to_come_says_nothing(content: Content) -> None:
    for result in (
        d_dimer(status="registered"),
        d_dimer(status="final"),
        d_dimer(dataAbsentReason=concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "error"))),
    ):
        assert not {status for _, status in said(content, result)} - {"unknown"}
        assert not closes(content, result)
    for value in ({"valueInteger": 300}, {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 8}}}):
        assert [one.kind for one in read(content, d_dimer(**value)).unread] == [UnreadKind.VALUE]


def test_other_measures_are_heard_without_a_number_too(content: Content) -> None:
    warm = observation(concept((LOINC, "8310-5")), valueString="38.6 Cel")
    assert {(key, status) for key, status, _ in facts(read(content, warm))} == {("fever", "present")}
    high = concept((INTERPRETATION, "H"))
    oxygen = observation(concept((LOINC, "59408-5")), interpretation=[high])
    assert not facts(read(content, oxygen)), "a high oxygen saturation is no hypoxia"
    girth = observation(concept((LOINC, "9844-2")), site="722115008", interpretation=[high])
    assert [one.kind for one in read(content, girth).unread] == [UnreadKind.VALUE]
    pulse = observation(
        concept((LOINC, "8867-4")), valueQuantity={"value": 120, "code": "/min", "system": UCUM, "unit": "slag/min"}
    )
    assert {key for key, _, _ in facts(read(content, pulse))} == {"tachycardia_or_hypoxia"}


@pytest.mark.parametrize(
    "words",
    [
        {"code": {**FEU_CODE, "text": "D-Dimer (DDU)"}},
        {"code": {"coding": [{**FEU_CODE["coding"][0], "display": "Fibrin D-dimer DDU"}]}},
        {"note": [{"text": "Result in DDU"}]},
    ],
    ids=str,
)
def test_words_beside_the_number_that_name_another_unit_contradict_it(content: Content, words: Resource) -> None:
    assert closes(content, d_dimer(FEU_CODE, valueQuantity=ucum(100, "ng/mL")))
    assert not closes(content, d_dimer(**{"code": FEU_CODE, **words}, valueQuantity=ucum(100, "ng/mL")))
    same = {"note": [{"text": "Result in FEU"}]}
    assert closes(content, d_dimer(FEU_CODE, valueQuantity=ucum(100, "ng/mL"), **same))

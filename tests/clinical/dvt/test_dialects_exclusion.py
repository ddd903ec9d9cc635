"""What the world's codes do to the pathway: a negative D-dimer closes nothing in pregnancy, after birth or in cancer.

One chart, with a low and complete Wells score and a negative D-dimer, closes the suspicion. To it comes one entry.
"""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.assess import assess
from cds_service.clinical.content.catalogue import Content
from tests.clinical.reading.test_dialects import (
    AM,
    CM,
    GM,
    ICD9,
    ICD11,
    ICPC,
    LOINC,
    NOW,
    SNOMED,
    WHO,
    condition,
    due,
    german,
    observation,
    read,
    rules,
)

OPCS, CPT = "https://fhir.hl7.org.uk/Id/opcs-4", "http://www.ama-assn.org/go/cpt"
PCS, OPS = "http://www.cms.gov/Medicare/Coding/ICD10", "http://fhir.de/CodeSystem/bfarm/ops"
FINDING = "https://posterior-knee-cds.example/fhir/CodeSystem/finding"
LEFT_LEG, LEFT_CALF = (
    {"coding": [{"system": SNOMED, "code": "32153003"}]},
    {"coding": [{"system": SNOMED, "code": "722115008"}]},
)
RECENT, OLD = "2026-11-20", "2025-01-10"
_NO = (
    "active_cancer", "leg_plaster_or_paralysis", "bedrest_3d", "recent_surgery", "deep_vein_tenderness",
    "entire_leg_swollen", "calf_circumference_diff_3cm", "collateral_veins", "previous_dvt",
    "alternative_diagnosis_asserted",
)  # fmt: skip


def signed(key: str, *, there: bool) -> dict[str, Any]:
    one = observation({"system": FINDING, "code": key}, valueBoolean=there, bodySite=LEFT_LEG)
    return {**one, "id": key.replace("_", "-"), "effectiveDateTime": "2026-11-27"}


def chart() -> list[dict[str, Any]]:
    """Pain in the left calf, one Wells point, everything else recorded as absent, D-dimer negative."""
    pain = condition({"system": SNOMED, "code": "300954003"}, bodySite=[LEFT_CALF], onsetDateTime="2026-11-26")
    quantity = {"value": 200, "unit": "ng/mL FEU", "system": "http://unitsofmeasure.org", "code": "ng/mL{FEU}"}
    test = observation({"system": LOINC, "code": "48065-7"}, valueQuantity=quantity, effectiveDateTime="2026-11-27")
    return [
        {**pain, "id": "pain"},
        {**test, "id": "dd"},
        signed("pitting_oedema_one_leg", there=True),
        *(signed(key, there=False) for key in _NO),
    ]


def problem(system: str, code: str, onset: str = RECENT) -> dict[str, Any]:
    return {**condition({"system": system, "code": code}, onsetDateTime=onset, recordedDate=onset), "id": "added"}


def done(system: str, code: str, day: str = RECENT) -> dict[str, Any]:
    return {
        "resourceType": "Procedure", "id": "added", "status": "completed", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": system, "code": code}]}, "performedDateTime": day,
    }  # fmt: skip


def test_the_chart_alone_closes(content: Content) -> None:
    assert not rules(content, read(content, *chart()))


@pytest.mark.parametrize(
    "added",
    [
        # pregnancy
        problem(CM, "Z3A.24"),
        problem(CM, "O26.892"),
        problem(CM, "O99.891"),
        problem(WHO, "O21.0"),
        problem(WHO, "Z35.9"),
        problem(GM, "O09.4"),
        problem(GM, "Z34"),
        problem(AM, "O09.2"),
        problem(ICD9, "V22.1"),
        problem(ICD9, "643.03"),
        problem(ICPC, "W78"),
        problem(ICPC, "W84"),
        problem(ICD11, "QA42"),
        problem(SNOMED, "72892002"),
        problem(SNOMED, "47200007"),
        {**due("2027-01-27"), "id": "added"},
        {**due("2027-01-27", "161714006", SNOMED), "id": "added"},
        {**observation({"system": LOINC, "code": "82810-3"}, {"system": LOINC, "code": "LA15173-0"}), "id": "added"},
        # after birth
        problem(CM, "O80"),
        problem(CM, "Z37.0"),
        problem(WHO, "O85"),
        problem(GM, "O82"),
        problem(ICD9, "650"),
        problem(ICPC, "W90"),
        problem(SNOMED, "86569001"),
        done(SNOMED, "11466000"),
        done(CPT, "59510"),
        done(PCS, "10E0XZZ"),
        done(OPCS, "R17.2"),
        {**due("2026-10-20"), "id": "added"},
        # cancer
        problem(SNOMED, "254837009"),
        problem(SNOMED, "363406005"),
        problem(SNOMED, "94222008"),
        problem(CM, "C18.7"),
        problem(CM, "C79.51"),
        problem(WHO, "C34.1"),
        problem(GM, "C50.4"),
        problem(AM, "C61"),
        problem(ICD9, "162.9"),
        problem(ICPC, "X76"),
        problem(ICD11, "2C25"),
        # may be one
        problem(WHO, "D48.7"),
        problem(CM, "D47.1"),
        {**condition({"system": SNOMED, "code": "22253000", "display": "Metastasis to rib"}), "id": "added"},
        # surgery
        done(OPCS, "W40.1"),
        done(CPT, "27447"),
        done(PCS, "0SRC0J9"),
        done(OPS, "5-822.g1"),
        done(SNOMED, "19063003"),
        # clots
        problem(CM, "Z86.718"),
        problem(AM, "Z86.72"),
        problem(ICD9, "V12.51"),
        {**condition(german("Z")), "id": "added"},
    ],
    ids=lambda one: str((one["code"]["coding"][0]["system"].rsplit("/", 1)[-1], one["code"]["coding"][0]["code"])),
)
def test_what_keeps_it_open(content: Content, added: dict[str, Any]) -> None:
    record = read(content, *chart(), added)
    assert "RF01" in rules(content, record), [record.facts, record.unread]


@pytest.mark.parametrize(
    "added",
    [
        problem(CM, "Z85.3"),
        problem(CM, "C44.311"),
        problem(CM, "D05.12"),
        problem(SNOMED, "429087003"),
        problem(SNOMED, "427141003"),
        problem(SNOMED, "60001007"),
        problem(ICPC, "A26"),
        problem(ICPC, "W02"),
        problem(ICD9, "V10.3"),
        problem(CM, "O80", OLD),
        problem(WHO, "O85", OLD),
        done(SNOMED, "711580002"),
        done(CPT, "27447", OLD),
        done(OPCS, "R17.2", OLD),
        problem(GM, "I80.80"),
        problem(AM, "I80.42"),
        problem(AM, "Z86.71"),
        {**due("2026-01-10"), "id": "added"},
    ],
    ids=lambda one: str((one["code"]["coding"][0]["system"].rsplit("/", 1)[-1], one["code"]["coding"][0]["code"])),
)
def test_what_does_not(content: Content, added: dict[str, Any]) -> None:
    record = read(content, *chart(), added)
    assert not rules(content, record), [record.facts, record.unread]


@pytest.mark.parametrize(
    ("codes", "side"),
    [
        ([(CM, "M79.661"), (CM, "M79.89")], "right"),
        ([(CM, "M79.662"), (CM, "M79.89")], "left"),
        ([(CM, "M79.669"), (CM, "M79.89")], "unknown"),
        ([(CM, "M79.661"), (CM, "R60.0")], "right"),
        ([(CM, "M79.662"), (CM, "R22.42")], "left"),
        ([(WHO, "M79.66"), (WHO, "R60.0")], "unknown"),
        ([(GM, "M79.66"), (GM, "R60.0")], "unknown"),
        ([(AM, "M79.66"), (AM, "R22.4")], "unknown"),
        ([(ICPC, "K94")], "unknown"),
        ([(WHO, "I80.3")], "unknown"),
        ([(ICD9, "453.40")], "unknown"),
    ],
)
def test_a_painful_swollen_leg_in_other_dialects(content: Content, codes: list[tuple[str, str]], side: str) -> None:
    entries = [{**problem(*code, "2026-11-26"), "id": f"c{place}"} for place, code in enumerate(codes)]
    record = read(content, *entries)
    assert "RF01" in rules(content, record)
    sides = {urgent.side for urgent in assess(content, record, NOW.date()).urgent if urgent.rule == "RF01"}
    assert sides == {side}

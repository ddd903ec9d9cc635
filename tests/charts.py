"""Small invented charts in a line or two, for tests that vary one thing."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import Record
from tests.conftest import NOW

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
LEFT, RIGHT = "32153003", "62175007"
LEFT_CALF, RIGHT_CALF, CALF = "722115008", "722116009", "53840002"
POPLITEAL = "32361000"
SIDE_LEFT, SIDE_RIGHT = "7771000", "24028007"

_numbers = count(1)
Resource = dict[str, Any]


def days_ago(days: float) -> str:
    """An ISO date so many days before the reference day."""
    return (NOW.date() - timedelta(days=days)).isoformat()


def concept(*codes: tuple[str, str]) -> Resource:
    return {"coding": [{"system": system, "code": code} for system, code in codes]}


def _named(kind: str, fields: Resource) -> Resource:
    found = {"resourceType": kind, "id": f"r{next(_numbers)}", "subject": {"reference": "Patient/p"}, **fields}
    return {key: value for key, value in found.items() if value is not None}


def observation(
    code: Resource | str, *, ago: float | None = 1, site: Resource | str | None = None, **fields: Any
) -> Resource:
    """An Observation; a plain string is one of our own finding codes, present unless a value is given."""
    own = isinstance(code, str)
    if own and not any(key.startswith(("value", "interpretation", "dataAbsent", "component")) for key in fields):
        fields["valueBoolean"] = True
    return _named(
        "Observation",
        {
            "status": "final",
            "code": concept((FINDING_SYSTEM, code)) if isinstance(code, str) else code,
            "effectiveDateTime": None if ago is None else days_ago(ago),
            "bodySite": concept((SNOMED, site)) if isinstance(site, str) else site,
            **fields,
        },
    )


def condition(
    code: Resource,
    *,
    ago: float | None = 1,
    clinical: str | None = "active",
    verification: str = "confirmed",
    **fields: Any,
) -> Resource:
    """A Condition with its two statuses."""
    base = "http://terminology.hl7.org/CodeSystem/condition-"
    return _named(
        "Condition",
        {
            "code": code,
            "onsetDateTime": None if ago is None else days_ago(ago),
            "clinicalStatus": concept((f"{base}clinical", clinical)) if clinical else None,
            "verificationStatus": concept((f"{base}ver-status", verification)),
            **fields,
        },
    )


def named(kind: str, **fields: Any) -> Resource:
    """Any other resource."""
    return _named(kind, fields)


def patient(*, birth: str = "1970-05-05", gender: str = "female", **fields: Any) -> Resource:
    return {"resourceType": "Patient", "id": "p", "birthDate": birth, "gender": gender, **fields}


def read(content: Content, *resources: Any, who: Resource | None = None) -> Record:
    """The record of a chart."""
    entries = [ChartEntry(resource) for resource in (who or patient(), *resources)]
    return read_record(content, "p", entries, NOW)


def judged(content: Content, *resources: Any, who: Resource | None = None) -> Assessment:
    """The assessment of a chart."""
    return assess(content, read(content, *resources, who=who), NOW.date())


def facts(record: Record) -> set[tuple[str, str, str]]:
    """(finding, status, side) of every fact."""
    return {(fact.key, fact.status.value, fact.side.value) for fact in record.facts}


def rules(assessment: Assessment) -> list[str]:
    """The red flags that fire, sorted."""
    return sorted({flag.rule for flag in assessment.urgent})

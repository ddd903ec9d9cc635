"""Bodies of patient-view calls as large as real charts: invented vitals and laboratory results, a few of them relevant.

Each Observation has what EHRs send with it (meta, identifier, encounter, performer, reference range), about a
kilobyte; most of it is nothing that a judgement needs. Patients differ, so that nothing can be remembered from one
call to the next.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

import orjson

from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.service.evaluate import load_content
from cds_service.service.examples import moved
from tests.conftest import NOW

_LOINC, _UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_TODAY = NOW.date()
_TERMS = "http://terminology.hl7.org/CodeSystem"
_SNOMED = "http://snomed.info/sct"
_LEGS = {"left": "32153003", "right": "62175007"}

# Codes and displays as in the content's own terminology sources; none of them is a finding here.
_VITALS = (
    ("29463-7", "Body weight", "kg", 70),
    ("8302-2", "Body height", "cm", 165),
    ("9279-1", "Respiratory rate", "/min", 14),
)
_LABS = (
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 13),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", 240),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 7),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 1),
    ("6301-6", "INR in Platelet poor plasma by Coagulation assay", "{INR}", 1),
)
# As in cards/vocabulary/measures.toml and above: three of them show a finding when they are high, low and new.
_SIGNS = (
    ("8867-4", "Heart rate", "/min", 72, "us-core-heart-rate"),
    ("8310-5", "Body temperature", "Cel", 36.6, "us-core-body-temperature"),
    ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "%", 97, "us-core-pulse-oximetry"),
    ("9279-1", "Respiratory rate", "/min", 14, "us-core-respiratory-rate"),
    ("29463-7", "Body weight", "kg", 70, "us-core-body-weight"),
    ("8302-2", "Body height", "cm", 165, "us-core-body-height"),
)
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
Vitals = Literal["years", "recent"]
DVT_PICTURE = ("pain_calf", "calf_swelling", "redness", "warmth", "knee_effusion", "previous_dvt", "bedrest_3d")
"""Findings of the relevant Observations; the first two alone make an urgent card."""
FEWEST_RELEVANT = 3


def relevant_of(observations: int) -> int:
    """One in a hundred, but enough for a DVT card."""
    return max(FEWEST_RELEVANT, observations // 100)


def is_relevant(code: str) -> bool:
    """Whether ``code`` is one of those that the relevant Observations carry."""
    return code in _codes()


@cache
def _content() -> Content:
    return load_content(Settings(auth="open"))


@cache
def _codings() -> dict[str, dict[str, str]]:
    """The code of each finding of the DVT picture: in SNOMED CT where the content has an exact one."""
    found = {}
    for key in DVT_PICTURE:
        codes = _content().findings[key].codes
        exact = next((one for one in codes if one.system == "snomed" and one.relation == "exact"), None)
        own = {"system": "https://posterior-knee-cds.example/fhir/CodeSystem/finding", "code": key, "display": key}
        found[key] = {"system": _SNOMED, "code": exact.code, "display": exact.display} if exact else own
    return found


@cache
def _codes() -> frozenset[str]:
    return frozenset(coding["code"] for coding in _codings().values())


def body(
    observations: int, relevant: int, patient: int = 0, vitals: Vitals | None = None, today: date | None = None
) -> bytes:
    """One call. ``patient``: another number, another chart of the same size.

    ``vitals``: as EHRs send charts, with US Core's profiles, a narrative in each row, and a third of the rows vital
    signs, over 900 days or of the last five; None: without all that. ``today``: else the tests' own day.
    """
    call = _call(observations, relevant, patient)
    if vitals is not None:
        _as_ehrs_send(call["prefetch"], vitals)
    return orjson.dumps(call if today is None else moved(call, (today - NOW.date()).days))


def _as_ehrs_send(prefetch: dict[str, Any], vitals: Vitals) -> None:
    patient = prefetch["patient"]
    patient["meta"] = {"profile": [f"{_US_CORE}us-core-patient"]}
    patient["text"] = _narrative("Invented Patient")
    for number, entry in enumerate(prefetch["observations"]["entry"]):
        row = entry["resource"]
        is_vital = "valueQuantity" in row and number % 3 == 0
        if is_vital:
            code, display, unit, value, profile = _SIGNS[number // 3 % len(_SIGNS)]
            day = _day(number % 5 if vitals == "recent" else 1 + number * 7 % 900)
            row["category"] = _category("vital-signs", "Vital Signs")
            row["code"] = {"coding": [{"system": _LOINC, "code": code, "display": display}], "text": display}
            row["valueQuantity"] = {"value": value, "unit": unit, "system": _UCUM, "code": unit}
            row["effectiveDateTime"] = f"{day}T08:{number % 60:02d}:00+00:00"
            row.pop("interpretation", None)
            row.pop("referenceRange", None)
        named = profile if is_vital else "us-core-observation-lab"
        row["meta"]["profile"] = [f"{_US_CORE}{named}"]
        row["text"] = _narrative(row["code"]["text"])


def _narrative(words: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{words}</p></div>'}


def _call(observations: int, relevant: int, patient: int) -> dict[str, Any]:
    who = f"invented-{patient}"
    entries = []
    step = observations // relevant if relevant else 0
    for number in range(observations):
        seat, rest = divmod(number, step) if step else (0, 1)
        is_finding = rest == 0 and seat < relevant
        resource = _frame(number, patient, who)
        resource |= _finding(seat, patient) if is_finding else _result(number + patient)
        url = f"https://ehr.example/fhir/Observation/{resource['id']}"
        entries.append({"fullUrl": url, "resource": resource, "search": {"mode": "match"}})
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    prefetch: dict[str, Any] = {
        "patient": {
            "resourceType": "Patient",
            "id": who,
            "active": True,
            "name": [{"family": "Invented", "given": ["Patient"]}],
            "gender": ("female", "male")[patient % 2],
            "birthDate": f"{1950 + patient % 30}-0{1 + patient % 9}-11",
        },
        "observations": {**empty, "total": observations, "entry": entries},
        "conditions": empty,
        "procedures": empty,
        "medications": empty,
        "orders": empty,
    }
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid5(NAMESPACE_URL, who)),
        "context": {"userId": "Practitioner/d1", "patientId": who},
        "prefetch": prefetch,
    }


def chart_rows(observations: int, patient: int, who: str, today: date = _TODAY) -> list[dict[str, Any]]:
    """Observations of one patient of which none is relevant, one on each day before ``today``."""
    return [{**_frame(number, patient, who, today), **_result(number + patient)} for number in range(observations)]


def _day(days: int) -> date:
    return _TODAY - timedelta(days=days)


def _frame(number: int, patient: int, who: str, today: date = _TODAY) -> dict[str, Any]:
    identity = f"obs-{patient}-{number}"
    day = today - timedelta(days=1 + number % 900)
    return {
        "resourceType": "Observation",
        "id": identity,
        "meta": {"versionId": "1", "lastUpdated": f"{day}T09:30:00.000+00:00"},
        "identifier": [{"system": "https://ehr.example/observation", "value": identity}],
        "status": "final",
        "subject": {"reference": f"Patient/{who}", "display": "Invented Patient"},
        "encounter": {"reference": f"Encounter/e{number // 20}"},
        "effectiveDateTime": f"{day}T08:{number % 60:02d}:00+00:00",
        "issued": f"{day}T09:30:00.000+00:00",
        "performer": [{"reference": "Practitioner/d1", "display": "Invented Nurse"}],
    }


def _category(code: str, display: str) -> list[dict[str, Any]]:
    return [{"coding": [{"system": f"{_TERMS}/observation-category", "code": code, "display": display}]}]


def _result(number: int) -> dict[str, Any]:
    """A vital sign or a laboratory value."""
    if number % 3 == 0:
        code, display, unit, value = _VITALS[number // 3 % len(_VITALS)]
        more: dict[str, Any] = {"category": _category("vital-signs", "Vital Signs")}
    else:
        code, display, unit, value = _LABS[number % len(_LABS)]
        low, high = ({"value": value * part, "unit": unit, "system": _UCUM, "code": unit} for part in (0.8, 1.2))
        flag = {"system": f"{_TERMS}/v3-ObservationInterpretation", "code": "N", "display": "Normal"}
        more = {
            "category": _category("laboratory", "Laboratory"),
            "interpretation": [{"coding": [flag]}],
            "referenceRange": [{"low": low, "high": high, "text": f"{value * 0.8} - {value * 1.2} {unit}"}],
        }
    local = {"system": "https://ehr.example/codes", "code": f"L{number % 40}", "display": display}
    return {
        "code": {"coding": [{"system": _LOINC, "code": code, "display": display}, local], "text": display},
        "valueQuantity": {"value": value + number % 7 / 10, "unit": unit, "system": _UCUM, "code": unit},
        **more,
    }


def _finding(seat: int, patient: int) -> dict[str, Any]:
    """A coded finding of the leg, some days old."""
    key = DVT_PICTURE[seat % len(DVT_PICTURE)]
    coding = _codings()[key]
    day = _day(1 + seat // len(DVT_PICTURE) % 5)
    return {
        "category": _category("exam", "Exam"),
        "effectiveDateTime": f"{day}T08:{seat % 60:02d}:00+00:00",
        "code": {"coding": [coding], "text": coding["display"]},
        "valueBoolean": True,
        "bodySite": {"coding": [{"system": _SNOMED, "code": _LEGS[("left", "right")[patient % 2]]}]},
    }

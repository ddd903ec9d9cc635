"""Classes of encounters, as the code of ``Encounter.class`` names them, and HL7's words for them."""

from __future__ import annotations

from typing import Any

_ACT_CODE = ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "http://hl7.org/fhir/v3/ActCode")
"""HL7's code system, as FHIR R4 and STU3 spell it."""
_DISPLAYS = {
    "ACUTE": "inpatient acute",
    "AMB": "ambulatory",
    "EMER": "emergency",
    "FLD": "field",
    "HH": "home health",
    "IMP": "inpatient encounter",
    "NONAC": "inpatient non-acute",
    "OBSENC": "observation encounter",
    "PRENC": "pre-admission",
    "SS": "short stay",
    "VR": "virtual",
}
"""Displays of the value set ActEncounterCode."""


def class_of(encounter: dict[str, Any]) -> str:
    """Return the code of the class; with its system if that is not HL7's. Empty if there is none."""
    coding = encounter.get("class")
    code, system = (coding.get("code"), coding.get("system")) if isinstance(coding, dict) else (None, None)
    if not isinstance(code, str):
        return ""
    return f"{code} ({system})" if isinstance(system, str) and system not in _ACT_CODE else code


def in_words(encounter_class: str) -> str:
    """Return what ``class_of`` returned in words: ``ambulatory (AMB)``. Unchanged if it is no code of HL7's."""
    display = _DISPLAYS.get(encounter_class)
    return f"{display} ({encounter_class})" if display else encounter_class

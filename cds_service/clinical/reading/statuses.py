"""FHIR's own lists of statuses. A status outside these lists is not understood, because it may mean anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ENTERED_IN_ERROR = "entered-in-error"
_REQUEST_INTENTS = frozenset(
    {"proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", "option"}
)
_STATUSES: Mapping[str, frozenset[str]] = {
    "Observation": frozenset(
        {"registered", "preliminary", "final", "amended", "corrected", "cancelled", ENTERED_IN_ERROR, "unknown"}
    ),
    "Procedure": frozenset(
        {"preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", ENTERED_IN_ERROR, "unknown"}
    ),
    "MedicationRequest": frozenset(
        {"active", "on-hold", "cancelled", "completed", ENTERED_IN_ERROR, "stopped", "draft", "unknown"}
    ),
    "MedicationStatement": frozenset(
        {"active", "completed", ENTERED_IN_ERROR, "intended", "stopped", "on-hold", "unknown", "not-taken"}
    ),
    "MedicationAdministration": frozenset(
        {"in-progress", "not-done", "on-hold", "completed", ENTERED_IN_ERROR, "stopped", "unknown"}
    ),
    "MedicationDispense": frozenset(
        {"preparation", "in-progress", "cancelled", "on-hold", "completed", ENTERED_IN_ERROR, "stopped", "declined",
         "unknown"}
    ),
    "ServiceRequest": frozenset(
        {"draft", "active", "on-hold", "revoked", "completed", ENTERED_IN_ERROR, "unknown"}
    ),
    "DiagnosticReport": frozenset(
        {"registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
         ENTERED_IN_ERROR, "unknown"}
    ),
    "Encounter": frozenset(
        {"planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", ENTERED_IN_ERROR,
         "unknown"}
    ),
}  # fmt: skip
_INTENTS: Mapping[str, frozenset[str]] = {
    "MedicationRequest": _REQUEST_INTENTS,
    "ServiceRequest": _REQUEST_INTENTS | {"directive"},
}
VERIFICATION, CLINICAL = "condition-ver-status", "condition-clinical"
"""The endings of the addresses of HL7's code systems for a Condition."""
PAST = frozenset({"inactive", "remission", "resolved"})
"""Clinical statuses of a Condition that is over."""
NEVER_HAPPENED = frozenset({ENTERED_IN_ERROR, "cancelled"})
_NEVER_MADE = frozenset({"Observation", "DiagnosticReport", "Encounter", "MedicationRequest", "MedicationDispense"})
_NOT_SAID = frozenset(
    {"Procedure", "MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense",
     "ServiceRequest"}
)  # fmt: skip
"""Types for which the status ``unknown`` leaves open whether the resource counts at all."""


def word_of(raw: Mapping[str, Any], name: str) -> str:
    """Return the status or intent ``name`` of ``raw``; empty if it is not a string."""
    word = raw.get(name)
    return word if isinstance(word, str) else ""


def why_unknown(raw: Mapping[str, Any]) -> str:
    """Return why the status or intent of ``raw`` is not understood; empty if it is."""
    kind = raw["resourceType"]
    known = _STATUSES.get(kind)
    status = raw.get("status")
    if known is not None and not (isinstance(status, str) and status in known):
        return "has no status" if status is None else "its status is no word of FHIR's list"
    if status == "unknown" and kind in _NOT_SAID:
        return "its status is not known"
    intents = _INTENTS.get(kind)
    intent = raw.get("intent")
    if intents is not None and not (isinstance(intent, str) and intent in intents):
        return "has no intent" if intent is None else "its intent is no word of FHIR's list"
    return ""


def words_of(codings: Iterable[tuple[Any, Any]], system: str) -> frozenset[str]:
    """Return every code of HL7's status ``system`` among the (system, code) pairs, in any order.

    A coding without a system counts as belonging to it.
    """
    return frozenset(
        str(code) for uri, code in codings if code and (not uri or str(uri).rstrip("/").rsplit("/", 1)[-1] == system)
    )


def has_ended(raw: Mapping[str, Any]) -> bool:
    """Whether every clinical status of a Condition shows that it is over."""
    statuses = _words_in(raw.get("clinicalStatus"), CLINICAL)
    return bool(statuses) and statuses <= PAST


def is_over(raw: Mapping[str, Any]) -> bool:
    """Whether the statuses show that a Condition is over, was refuted, or was entered in error."""
    verified = _words_in(raw.get("verificationStatus"), VERIFICATION)
    return has_ended(raw) or (bool(verified) and verified <= {"refuted", ENTERED_IN_ERROR})


def _words_in(concept: Any, system: str) -> frozenset[str]:
    """Return the codes of ``system`` in a CodeableConcept in JSON; empty if it does not have that shape."""
    listed = concept.get("coding") if isinstance(concept, Mapping) else None
    codings = listed if isinstance(listed, list) else ()
    return words_of(
        ((coding.get("system"), coding.get("code")) for coding in codings if isinstance(coding, Mapping)), system
    )


def is_void(raw: Mapping[str, Any]) -> bool:
    """Whether FHIR's own status shows that the resource was entered in error or never made."""
    if raw["resourceType"] == "Condition":
        return _words_in(raw.get("verificationStatus"), VERIFICATION) == {ENTERED_IN_ERROR}
    status = raw.get("status")
    return status == ENTERED_IN_ERROR or (status == "cancelled" and raw["resourceType"] in _NEVER_MADE)

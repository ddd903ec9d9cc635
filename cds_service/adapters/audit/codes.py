"""The codes of an ``AuditEvent``. Code and display of each were read together in a source.

Sources: [A] github.com/IHE/ITI.BasicAudit, input/fsh: PatientQuery, PatientRead, PatientCreate and their examples.
[B] hl7.org/fhir/R4B: codesystem-audit-event-outcome, codesystem-audit-event-action.
[C] the package oops_fhir, FHIRRestfulInteractions 4.0.1.
The profiles and their rules are from BALP 1.1.4, github.com/IHE/publications, ITI/BALP/1.1.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cds_service.rendering.terminology import BASE

OWN = f"{BASE}/CodeSystem/audit-event"
KEYED_HASH = f"{BASE}/NamingSystem/keyed-hash"
"""System of identifiers that are keyed hashes."""
URIS = "urn:ietf:rfc:3986"

_PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
PATIENT_QUERY = f"{_PROFILES}PatientQuery"
PATIENT_READ = f"{_PROFILES}PatientRead"

Coding = Mapping[str, str]


def _coding(system: str, code: str, display: str) -> Coding:
    return {"system": system, "code": code, "display": display}


_TERMS = "http://terminology.hl7.org/CodeSystem"
_INTERACTIONS = "http://hl7.org/fhir/restful-interaction"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"

REST: Final = _coding(f"{_TERMS}/audit-event-type", "rest", "Restful Operation")  # A
READ: Final = _coding(_INTERACTIONS, "read", "read")  # A
CREATE: Final = _coding(_INTERACTIONS, "create", "create")  # A
SEARCH_TYPE: Final = _coding(_INTERACTIONS, "search-type", "search-type")  # A
OPERATION: Final = _coding(_INTERACTIONS, "operation", "operation")  # C
SOURCE_ROLE: Final = _coding(_DICOM, "110153", "Source Role ID")  # A
DESTINATION_ROLE: Final = _coding(_DICOM, "110152", "Destination Role ID")  # A
RECIPIENT: Final = _coding(f"{_TERMS}/v3-ParticipationType", "IRCP", "information recipient")  # A
APPLICATION_SERVER: Final = _coding(f"{_TERMS}/security-source-type", "4", "Application Server")  # A
PERSON: Final = _coding(f"{_TERMS}/audit-entity-type", "1", "Person")  # A
SYSTEM_OBJECT: Final = _coding(f"{_TERMS}/audit-entity-type", "2", "System Object")  # A
PATIENT: Final = _coding(f"{_TERMS}/object-role", "1", "Patient")  # A
REPORT: Final = _coding(f"{_TERMS}/object-role", "3", "Report")  # A
DOMAIN_RESOURCE: Final = _coding(f"{_TERMS}/object-role", "4", "Domain Resource")  # A
QUERY: Final = _coding(f"{_TERMS}/object-role", "24", "Query")  # A

# Plain codes in R4. A: network-type 2 "IP Address", 5 "URI". B: outcome 0 "Success", 4 "Minor failure",
# 8 "Serious failure"; action C "Create", R "Read/View/Print", E "Execute".
IP_ADDRESS, URI_ADDRESS = "2", "5"
SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
CREATE_ACTION, READ_ACTION, EXECUTE = "C", "R", "E"

# Our own codes, for events without a standard code.
HOOK_CALL: Final = _coding(OWN, "hook-call", "CDS Hooks call")
DRAFT_ORDER: Final = _coding(OWN, "draft-order", "Draft order proposed, not placed")
SIGNED_ORDER: Final = _coding(OWN, "signed-order", "Order signed on the order page")
SAVED_ASSESSMENT: Final = _coding(OWN, "saved-assessment", "Assessment saved on the assessment page")
FEEDBACK: Final = _coding(OWN, "feedback", "Feedback on a card")
JOURNAL: Final = _coding(OWN, "journal", "The audit journal itself")
LOST: Final = _coding(OWN, "lost", "Events were lost")
TORN: Final = _coding(OWN, "torn", "A torn end of the file was moved aside")
INSTANCE: Final = _coding(OWN, "hook-instance", "Hook instance")
"""Type of the entity that links the events of one call. It has its own type, because BALP slices entities by type."""

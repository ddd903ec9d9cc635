"""Split a document into rows, each with its patient or with the reason why it belongs to no chart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import orjson

from cds_service.base.errors import TooLarge, UnusableInput
from cds_service.base.strict_json import parse
from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.reading.resource_types import ALL, MAY_SAY_SOMETHING, READ
from cds_service.protocol.bundles import patients_of
from cds_service.protocol.prefetch import patient_name
from cds_service.protocol.searchset import read_searchset
from cds_service.replay.coded_elements import Elements, glance
from cds_service.service.code_survey import LIMITS

NOT_JSON = "is not JSON"
NO_RESOURCE = "is not a FHIR resource"
NO_PATIENT = "names no patient"
ODD_IDENTIFIER = "names its patient only by an identifier without a system or a value"
IDENTIFIER = "(identifier)"
"""The kind of a row that only says which patient or which Medication has an identifier."""
_UUID = "urn:uuid:"
_OF_A_PATIENT = READ | MAY_SAY_SOMETHING | {"BodyStructure"}
"""Types whose resources always belong to a patient. Others may not: organisations, medications, devices."""


class Row(NamedTuple):
    """A resource of the input.

    Attributes:
        patient: id of the patient; empty if it belongs to no patient.
        medication: id of the Medication that it refers to, in another row; or its identifier, as JSON.
        flaw: a code for why its Bundle is incomplete; empty if the Bundle is complete.
        server: FHIR server in the patient reference of an export's row; empty for rows of Bundles.
        numbers: what counts of the numbers of no concern for which it stands (``brief_rows.Numbers``), whose
            ``resource`` may then be empty; empty for any other row.
        times: the number of rows for which it stands.
        identifier: for a row that names its patient only by an identifier, and for one that says who has it: its
            system and value, as JSON.
    """

    patient: str
    kind: str
    id: str
    resource: bytes
    full_url: str | None = None
    medication: str = ""
    flaw: str = ""
    server: str = ""
    numbers: bytes = b""
    times: int = 1
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class NotGrouped:
    """A row that belongs to no chart, with the reason."""

    reason: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Patients:
    """The patients of a Bundle: their ids by ``fullUrl``, and by system and value of an identifier."""

    by_url: dict[str, str] = field(default_factory=dict)
    by_identifier: dict[tuple[str, str], str] = field(default_factory=dict)


_NONE_KNOWN = _Patients()


Found = tuple[Row | NotGrouped, Elements | None]
"""A row with its elements; None if there is no resource."""


def rows_of(text: bytes) -> Iterable[Found]:
    """Return the rows of one document: a resource, or a Bundle of resources."""
    try:
        if not text.isascii():
            text.decode()
        head = glance(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ((NotGrouped(NOT_JSON), None),)
    if head.resource_type == "Bundle":
        return _of_bundle(text)
    if not isinstance(head.resource_type, str) or head.resource_type not in ALL:
        return ((NotGrouped("is a hook request" if head.hook is not None else NO_RESOURCE), None),)
    return ((_row(head, text.strip(), server=_server(head)), head),)


def _row(
    head: Elements,
    text: bytes,
    full_url: str | None = None,
    flaw: str = "",
    server: str = "",
    patients: _Patients = _NONE_KNOWN,
) -> Row | NotGrouped:
    kind = str(head.resource_type)
    identity = head.id if isinstance(head.id, str) else ""
    if kind == "Medication" and full_url is not None and full_url.startswith(_UUID):
        identity = full_url.removeprefix(_UUID)  # the rows of its Bundle refer to it by this
    patient = identity if kind == "Patient" else _patient(head, patients)
    if not patient and kind == "Patient":
        patient = (full_url or "").removeprefix(_UUID)
    given = _identifiers(head) if not patient and kind != "Patient" else []
    keys = {key for identifier in given if (key := _identifier(identifier)) is not None}
    if len(keys) == 1:
        named = as_text(*keys.pop())
        return Row("", kind, identity, text, full_url, _medication(head), flaw, server, identifier=named)
    if not patient and (kind in _OF_A_PATIENT or kind == "Patient"):
        return NotGrouped(ODD_IDENTIFIER if given else NO_PATIENT, kind)
    return Row(patient, kind, identity, text, full_url, _medication(head), flaw, server)


def who_has(row: Row, elements: Elements) -> Iterator[Row]:
    """Yield a row for each identifier of a Patient or of a Medication of nobody. ``row``: the resource's own row."""
    if row.kind != "Patient" and (row.kind != "Medication" or row.patient or not row.id):
        return
    given = elements.identifier
    for key in dict.fromkeys(map(_identifier, given if isinstance(given, list) else ())):
        if key is not None:
            yield Row(row.patient, IDENTIFIER, "" if row.patient else row.id, b"", identifier=as_text(*key))


def as_text(system: str, value: str) -> str:
    """Return an identifier as one text."""
    return orjson.dumps([system, value]).decode()


def _of_bundle(text: bytes) -> Iterator[Found]:
    """Yield the rows of a Bundle. If it names one patient, all rows are that patient's; else each row names its own."""
    try:
        bundle = parse(text, LIMITS)
    except (UnusableInput, TooLarge) as error:
        yield NotGrouped(str(error)), None
        return
    searchset = read_searchset(bundle)
    if not searchset.entries:
        yield NotGrouped("is a Bundle without entries"), None
        return
    names = patients_of(searchset.entries)
    flaw = searchset.failed or searchset.flaw
    patient = names.pop() if len(names) == 1 else None
    patients = _patients_in(searchset.entries) if patient is None else _NONE_KNOWN
    for entry in searchset.entries:
        resource = entry.resource
        row = orjson.dumps(resource)
        head = glance(row) if isinstance(resource, dict) else None
        if patient is not None:
            medication = _medication(head) if head is not None else ""
            yield Row(patient, entry.kind or "", entry.identity or "", row, entry.full_url, medication, flaw), head
        elif head is None or entry.kind is None:
            yield NotGrouped(NO_RESOURCE), None
        else:
            yield _row(head, row, entry.full_url, flaw, patients=patients), head


def _patients_in(entries: Sequence[ChartEntry]) -> _Patients:
    """Return the Patients of a Bundle. An identifier that two of them have identifies nobody."""
    patients = _Patients()
    for entry in entries:
        name = patient_name(entry) if entry.kind == "Patient" else ""
        if not name:
            continue
        if entry.full_url:
            patients.by_url[entry.full_url] = name
        given = entry.resource.get("identifier")
        for key in map(_identifier, given if isinstance(given, list) else ()):
            if key is not None:
                patients.by_identifier[key] = name if patients.by_identifier.get(key, name) == name else ""
    return patients


def _identifier(identifier: Any) -> tuple[str, str] | None:
    """Return system and value of an Identifier; None if it has no value or no system."""
    system, value = (
        (identifier.get("system"), identifier.get("value")) if isinstance(identifier, dict) else (None, None)
    )
    return (system, value) if system and value and isinstance(system, str) and isinstance(value, str) else None


def _patient(head: Elements, patients: _Patients) -> str:
    """Return the patient that a resource names in its subject, patient, for or participant; empty if none."""
    for reference in (head.subject, head.patient, head.for_):
        if name := _patient_id(reference, patients):
            return name
    participants = head.participant if isinstance(head.participant, list) else ()
    actors = [participant.get("actor") for participant in participants if isinstance(participant, dict)]
    names = {_patient_id(actor, patients) for actor in actors} - {""}
    return names.pop() if len(names) == 1 else ""


def _identifiers(head: Elements) -> list[Any]:
    """Return the identifiers by which a resource names its patient, where it does not by a reference."""
    references = (head.subject, head.patient, head.for_)
    named = (element for element in references if isinstance(element, dict) and "reference" not in element)
    return [element["identifier"] for element in named if element.get("identifier")]


def _server(head: Elements) -> str:
    """Return ``https://ehr/fhir`` of a reference ``https://ehr/fhir/Patient/1``; empty for a relative reference."""
    for reference in (head.subject, head.patient, head.for_):
        text = reference.get("reference") if isinstance(reference, dict) else None
        if isinstance(text, str) and "://" in text:
            return text.rpartition("/Patient/")[0]
    return ""


def _patient_id(reference: Any, patients: _Patients) -> str:
    """Return ``1`` for ``Patient/1``, ``https://ehr/fhir/Patient/1/_history/2`` and ``urn:uuid:1``.

    In a Bundle, a ``fullUrl`` and an identifier lead to the id of the Patient that has it.
    """
    if not isinstance(reference, dict):
        return ""
    text = reference.get("reference")
    if text is None:
        key = _identifier(reference.get("identifier"))
        return patients.by_identifier.get(key, "") if key is not None else ""
    if not isinstance(text, str):
        return ""
    if known := patients.by_url.get(text):
        return known
    if text.startswith(_UUID):
        return text.removeprefix(_UUID)
    before, patient, rest = text.rpartition("Patient/")
    if not patient or (before and not before.endswith("/")):
        return ""
    return rest.split("/")[0].split("|")[0]


def _medication(head: Elements) -> str:
    text = head.medication.get("reference") if isinstance(head.medication, dict) else None
    if text is None and isinstance(head.medication, dict):
        key = _identifier(head.medication.get("identifier"))
        return as_text(*key) if key is not None else ""
    if not isinstance(text, str) or text.startswith("#"):
        return ""
    plain = text.split("/_history/")[0].removeprefix(_UUID)
    return plain.rpartition("/")[2]

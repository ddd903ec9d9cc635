"""What ``evaluate`` reads: one Bundle, one CDS Hooks request, or an NDJSON stream of either, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import orjson

from cds_service.clinical.reading import ChartEntry
from cds_service.ground.errors import UnusableInput
from cds_service.hooks.messages import HOOK, Context, HookRequest
from cds_service.hooks.prefetch import bundle_entries

_NOBODY = "Practitioner/command-line"


@dataclass(frozen=True, slots=True)
class BundleInput:
    """A chart as one Bundle."""

    context: Context
    entries: tuple[ChartEntry, ...]


def documents(stream: IO[bytes]) -> Iterator[bytes]:
    """The JSON documents of ``stream``: its lines if the first line is a whole document, else all of it as one."""
    first = next((line for line in stream if line.strip()), b"")
    if not first:
        return
    try:
        orjson.loads(first)
        is_ndjson = True
    except orjson.JSONDecodeError:
        is_ndjson = first.strip().endswith(b"}")
    if not is_ndjson:
        yield first + stream.read()
        return
    yield first
    for line in stream:
        if line.strip():
            yield line


def understand(document: bytes) -> BundleInput | HookRequest:
    """One document as an input.

    Raises:
        UnusableInput: not JSON, not one patient's Bundle, not a hook request.
        pydantic.ValidationError: a hook request with wrong fields.
    """
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise UnusableInput(f"not JSON: line {error.lineno}, column {error.colno}") from error
    if isinstance(value, dict) and "hook" in value:
        return HookRequest.model_validate({"hook": HOOK, **value})
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        return _bundle(value)
    raise UnusableInput("neither a FHIR Bundle nor a CDS Hooks request")


def _bundle(bundle: Mapping[str, Any]) -> BundleInput:
    entries = tuple(bundle_entries(bundle))
    patients = [entry for entry in entries if _kind(entry) == "Patient"]
    names = {_identity(entry) for entry in patients} - {""} or _subjects(entries)
    if len(names) != 1:
        found = "no patient" if not names else "several patients"
        raise UnusableInput(f"the Bundle holds {found}; one Bundle is one patient's chart")
    encounters = [entry.resource.get("id") for entry in entries if _kind(entry) == "Encounter"]
    encounter = encounters[0] if len(encounters) == 1 and isinstance(encounters[0], str) else None
    try:
        context = Context(userId=_NOBODY, patientId=names.pop(), encounterId=encounter)
    except ValueError as error:
        raise UnusableInput("the id of the patient or encounter is not a FHIR id") from error
    return BundleInput(context, entries)


def _kind(entry: ChartEntry) -> str | None:
    kind = entry.resource.get("resourceType") if isinstance(entry.resource, dict) else None
    return kind if isinstance(kind, str) else None


def _identity(entry: ChartEntry) -> str:
    identity = entry.resource.get("id")
    if isinstance(identity, str):
        return identity
    return (entry.full_url or "").removeprefix("urn:uuid:")


def _subjects(entries: tuple[ChartEntry, ...]) -> set[str]:
    """Patient ids that resources point to, for a Bundle that lacks the Patient itself."""
    found = set()
    for entry in entries:
        subject = entry.resource.get("subject") if isinstance(entry.resource, dict) else None
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if isinstance(reference, str) and "Patient/" in reference:
            found.add(reference.split("Patient/")[1].split("/")[0])
    return found

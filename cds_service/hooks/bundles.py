"""A Bundle as one patient's chart: whose it is and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.reading import ChartEntry
from cds_service.ground.errors import UnusableInput
from cds_service.hooks.messages import Context
from cds_service.hooks.prefetch import bundle_entries


@dataclass(frozen=True, slots=True)
class OneChart:
    """A chart as one Bundle."""

    context: Context
    entries: tuple[ChartEntry, ...]


def one_chart(bundle: Mapping[str, Any], user: str) -> OneChart:
    """The chart of the one patient that ``bundle`` is about, opened by ``user``.

    Raises:
        UnusableInput: it is nobody's, or that of several patients.
    """
    entries = tuple(bundle_entries(bundle))
    patients = [entry for entry in entries if _kind(entry) == "Patient"]
    names = {_identity(entry) for entry in patients} - {""} or _subjects(entries)
    if len(names) != 1:
        found = "no patient" if not names else "several patients"
        raise UnusableInput(f"the Bundle holds {found}; one Bundle is one patient's chart")
    encounters = [entry.resource.get("id") for entry in entries if _kind(entry) == "Encounter"]
    encounter = encounters[0] if len(encounters) == 1 and isinstance(encounters[0], str) else None
    try:
        context = Context(userId=user, patientId=names.pop(), encounterId=encounter)
    except ValueError as error:
        raise UnusableInput("the id of the patient or encounter is not a FHIR id") from error
    return OneChart(context, entries)


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

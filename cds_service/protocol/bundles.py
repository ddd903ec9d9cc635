"""Reads a Bundle as the chart of one patient: the patient, the entries, and whether the chart is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import uuid4

from cds_service.base.errors import UnusableInput
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import Context, HookRequest
from cds_service.protocol.prefetch import KEYS, KINDS, KeyState, Part, Prefetched, patient_name
from cds_service.protocol.queries import PATIENT
from cds_service.protocol.searchset import read_searchset
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN


@dataclass(frozen=True, slots=True)
class OneChart:
    """The chart of one patient: a hook call for it, and its parts."""

    request: HookRequest
    prefetched: Prefetched

    @property
    def context(self) -> Context:
        """The context of the call: user, patient and encounter."""
        return self.request.context

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        """The entries of all rows, in the order of the Bundle."""
        return self.prefetched.entries


def one_chart(bundle: Mapping[str, Any], user: str) -> OneChart:
    """Return ``bundle`` as the chart of one patient, opened by ``user``.

    Raises:
        UnusableInput: the Bundle has no patient or several patients, or an id is not a FHIR id.
    """
    searchset = read_searchset(bundle)
    entries = searchset.entries
    names = patients_of(entries)
    if len(names) != 1:
        patients = "no patient" if not names else "several patients"
        raise UnusableInput(f"the Bundle holds {patients}; send the chart of exactly one patient in a Bundle")
    encounters = [entry.identity for entry in entries if entry.kind == "Encounter"]
    encounter = encounters[0] if len(encounters) == 1 else None
    try:
        request = opening(user, names.pop(), encounter)
    except ValueError as error:
        raise UnusableInput("the id of the patient or encounter is not a FHIR id") from error
    return OneChart(request, whole_chart(entries, searchset.failed or searchset.flaw))


def opening(user: str, patient: str, encounter: str | None, fhir_server: str | None = None) -> HookRequest:
    """Return the call that an EHR makes when ``user`` opens the chart of ``patient``.

    Raises:
        pydantic.ValidationError: ``user``, ``patient`` or ``encounter`` is not a valid id or reference.
    """
    context = Context(userId=user, patientId=patient, encounterId=encounter)
    return HookRequest(hook=POSTERIOR_KNEE_PAIN.hook, hookInstance=uuid4(), context=context, fhirServer=fhir_server)


def opened_again(request: HookRequest, encounter: str | None) -> HookRequest:
    """Return the call of ``opening`` for the same user and patient and another encounter.

    Raises:
        pydantic.ValidationError: ``encounter`` is not a valid id.
    """
    context = Context(userId=request.context.userId, patientId=request.context.patientId, encounterId=encounter)
    return request.model_copy(update={"context": context})


def patients_of(entries: Sequence[ChartEntry]) -> set[str]:
    """Return the ids of the Patients in a chart, or of the patients that its resources refer to if it has none."""
    patients = [entry for entry in entries if entry.kind == "Patient"]
    return {patient_name(entry) for entry in patients} - {""} or _subjects(entries)


def whole_chart(entries: tuple[ChartEntry, ...], why: str = "") -> Prefetched:
    """Return a chart that was sent as one Bundle: the state of each key, and all rows as one part in their order.

    ``why``: a code for why the Bundle is incomplete; it applies to every key. Empty if the Bundle is complete: then a
    missing resource type means that there are no such resources.
    """
    parts = _parts(frozenset(entry.kind for entry in entries), why)
    return Prefetched(parts, (Part("", KeyState.PRESENT, entries),))


@lru_cache(maxsize=1_000)
def _parts(kinds: frozenset[str | None], why: str) -> tuple[Part, ...]:
    """Return the state of each key of a chart with these resource types."""
    return tuple(_part(key, why, is_there=not kinds.isdisjoint(KINDS[key])) for key in KEYS)


def _part(key: str, why: str, *, is_there: bool) -> Part:
    if not why or (is_there and key == PATIENT):
        return Part(key, KeyState.PRESENT if is_there else KeyState.EMPTY)
    return Part(key, KeyState.TRUNCATED if is_there else KeyState.FAILED, why=why)


def _subjects(entries: Sequence[ChartEntry]) -> set[str]:
    """Return the patient ids that resources refer to, for a Bundle without a Patient."""
    ids = set()
    for entry in entries:
        subject = entry.resource.get("subject") if isinstance(entry.resource, dict) else None
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if isinstance(reference, str) and "Patient/" in reference:
            ids.add(reference.split("Patient/")[1].split("/")[0])
    return ids

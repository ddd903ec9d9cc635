"""A Bundle as one patient's chart: whose it is, what it holds, and whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """A chart to be judged: the call that it came as or stands for, and its parts."""

    request: HookRequest
    prefetched: Prefetched

    @property
    def context(self) -> Context:
        """The patient of the chart, and the user who opened it."""
        return self.request.context

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        """Every row, in the order of the Bundle."""
        return self.prefetched.entries


def one_chart(bundle: Mapping[str, Any], user: str) -> OneChart:
    """The chart of the one patient that ``bundle`` is about, opened by ``user``.

    Raises:
        UnusableInput: it is nobody's, or that of several patients.
    """
    found = read_searchset(bundle)
    entries = found.entries
    names = patients_of(entries)
    if len(names) != 1:
        said = "no patient" if not names else "several patients"
        raise UnusableInput(f"the Bundle holds {said}; one Bundle is one patient's chart")
    encounters = [entry.identity for entry in entries if entry.kind == "Encounter"]
    encounter = encounters[0] if len(encounters) == 1 else None
    try:
        request = opening(user, names.pop(), encounter)
    except ValueError as error:
        raise UnusableInput("the id of the patient or encounter is not a FHIR id") from error
    return OneChart(request, whole_chart(entries, found.failed or found.flaw))


def opening(user: str, patient: str, encounter: str | None, fhir_server: str | None = None) -> HookRequest:
    """The call that an EHR makes when ``user`` opens the chart.

    Raises:
        pydantic.ValidationError: one of them is no FHIR id.
    """
    context = Context(userId=user, patientId=patient, encounterId=encounter)
    return HookRequest(hook=POSTERIOR_KNEE_PAIN.hook, hookInstance=uuid4(), context=context, fhirServer=fhir_server)


def patients_of(entries: Sequence[ChartEntry]) -> set[str]:
    """Return the ids of the chart's Patients, or of the patients that its resources reference."""
    patients = [entry for entry in entries if entry.kind == "Patient"]
    return {patient_name(entry) for entry in patients} - {""} or _subjects(entries)


def whole_chart(entries: tuple[ChartEntry, ...], why: str = "") -> Prefetched:
    """The state of each key, and the rows as one part of their own, so that they keep their order.

    ``why``: what keeps them from being whole does so for every key. In a whole chart a kind that is not there is none.
    """
    kinds = {entry.kind for entry in entries}
    parts = tuple(_part(key, why, is_there=not kinds.isdisjoint(KINDS[key])) for key in KEYS)
    return Prefetched(parts, (Part("", KeyState.PRESENT, entries),))


def _part(key: str, why: str, *, is_there: bool) -> Part:
    if not why or (is_there and key == PATIENT):
        return Part(key, KeyState.PRESENT if is_there else KeyState.EMPTY)
    return Part(key, KeyState.TRUNCATED if is_there else KeyState.FAILED, why=why)


def _subjects(entries: Sequence[ChartEntry]) -> set[str]:
    """Patient ids that resources point to, for a Bundle that lacks the Patient itself."""
    found = set()
    for entry in entries:
        subject = entry.resource.get("subject") if isinstance(entry.resource, dict) else None
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if isinstance(reference, str) and "Patient/" in reference:
            found.add(reference.split("Patient/")[1].split("/")[0])
    return found

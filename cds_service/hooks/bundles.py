"""A Bundle as one patient's chart: whose it is, what it holds, and whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cds_service.clinical.reading import ChartEntry
from cds_service.ground.errors import UnusableInput
from cds_service.hooks.messages import HOOK, Context, HookRequest
from cds_service.hooks.prefetch import KEYS, KINDS, KeyState, Part, Prefetched, patient_name
from cds_service.hooks.queries import PATIENT
from cds_service.hooks.searchset import Searchset, read_searchset


@dataclass(frozen=True, slots=True)
class OneChart:
    """A chart to be judged: the call that it came as or stands for, and its parts."""

    request: HookRequest
    prefetched: Prefetched

    @property
    def context(self) -> Context:
        """Whose chart it is, and who has opened it."""
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
    patients = [entry for entry in entries if entry.kind == "Patient"]
    names = {patient_name(entry) for entry in patients} - {""} or _subjects(entries)
    if len(names) != 1:
        said = "no patient" if not names else "several patients"
        raise UnusableInput(f"the Bundle holds {said}; one Bundle is one patient's chart")
    encounters = [entry.identity for entry in entries if entry.kind == "Encounter"]
    encounter = encounters[0] if len(encounters) == 1 else None
    try:
        context = Context(userId=user, patientId=names.pop(), encounterId=encounter)
    except ValueError as error:
        raise UnusableInput("the id of the patient or encounter is not a FHIR id") from error
    return OneChart(HookRequest(hook=HOOK, hookInstance=uuid4(), context=context), _by_key(found))


def _by_key(found: Searchset) -> Prefetched:
    """The state of each key, and the rows as one part of their own, so that they keep the order of the Bundle.

    What keeps the Bundle from being whole does so for every key. In a whole one a kind that is not there is none.
    """
    kinds = {entry.kind for entry in found.entries}
    why = found.failed or found.flaw
    parts = tuple(_part(key, why, is_there=not kinds.isdisjoint(KINDS[key])) for key in KEYS)
    return Prefetched(parts, (Part("", KeyState.PRESENT, found.entries),))


def _part(key: str, why: str, *, is_there: bool) -> Part:
    if not why or (is_there and key == PATIENT):
        return Part(key, KeyState.PRESENT if is_there else KeyState.EMPTY)
    return Part(key, KeyState.TRUNCATED if is_there else KeyState.FAILED, why=why)


def _subjects(entries: tuple[ChartEntry, ...]) -> set[str]:
    """Patient ids that resources point to, for a Bundle that lacks the Patient itself."""
    found = set()
    for entry in entries:
        subject = entry.resource.get("subject") if isinstance(entry.resource, dict) else None
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if isinstance(reference, str) and "Patient/" in reference:
            found.add(reference.split("Patient/")[1].split("/")[0])
    return found

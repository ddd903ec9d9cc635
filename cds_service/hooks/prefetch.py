"""The parts of a chart by prefetch key: what each one's state is, and the chart entries it brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cds_service.clinical.content import Content
from cds_service.clinical.reading import ChartEntry
from cds_service.ground.errors import NothingToJudgeBy, UnusableInput
from cds_service.hooks.outcomes import OUTCOME, says_none
from cds_service.hooks.searchset import BUNDLE, WRONG_TYPE, Matches, Searchset, brings_resource, read_searchset

PATIENT = "patient"
_SEARCHES = {
    "observations": ("Observation", "&_sort=-date"),
    "conditions": ("Condition", ""),
    "procedures": ("Procedure", "&_sort=-date"),
    "medications": ("MedicationRequest", "&status=active,completed"),
    "orders": ("ServiceRequest", "&status=active,on-hold,completed"),
}
KEYS = (PATIENT, *_SEARCHES)
JUDGED_BY = ("observations", "conditions")
"""Keys that can hold a complaint; without any of them there is nothing to judge by."""
DVT_NEEDS = ("observations", "conditions", "procedures")
"""Keys that can hold a local sign or a major risk (evidence C.5): without them DVT cannot be excluded."""

NAMES = {
    PATIENT: "patient details",
    "observations": "observations",
    "conditions": "problems",
    "procedures": "procedures",
    "medications": "medicines",
    "orders": "orders",
}

KINDS: dict[str, tuple[str, ...]] = {
    "": (),
    PATIENT: ("Patient",),
    **{key: (kind,) for key, (kind, _) in _SEARCHES.items()},
    "medications": ("MedicationRequest", "MedicationStatement"),
}
"""The resource types that each key asks for; none for a key of the site's own, which may ask for anything."""


class KeyState(StrEnum):
    """How a prefetch key came, from the EHR or from its FHIR server."""

    PRESENT = "present"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"
    TRUNCATED = "truncated"


LACKING = (KeyState.MISSING, KeyState.FAILED, KeyState.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Part:
    """One prefetch key.

    Attributes:
        key: one of ``KEYS``; empty for a key of the site's own, whose name is never kept.
        entries: every row that came, also those that bring no resource.
        next_page: where the rest of a truncated search is, if the sender said so.
        matches: the resources that the search itself found.
        total: how many it found in all, if the sender said so.
        why: a code for what keeps it from being whole; empty if it is.
        was_read: it came from the FHIR server, at least in part.
    """

    key: str
    state: KeyState
    entries: tuple[ChartEntry, ...] = ()
    next_page: str | None = None
    matches: Matches = Matches()  # noqa: RUF009 - frozen
    total: int | None = None
    why: str = ""
    was_read: bool = False

    @property
    def words(self) -> str:
        """For a clinician: ``procedures``, ``observations (not all)``."""
        is_part = self.state is KeyState.TRUNCATED or self.has_some
        return NAMES[self.key] + (" (not all)" if is_part and self.key != PATIENT else "")

    @property
    def has_some(self) -> bool:
        """Whether resources of the kind asked for came."""
        return any(entry.kind in KINDS[self.key] for entry in self.entries)

    @property
    def has_resources(self) -> bool:
        """Whether any resources of a chart came."""
        return any(map(brings_resource, self.entries))


@dataclass(frozen=True, slots=True)
class Prefetched:
    """The chart as it came, one part a key, in the order of ``KEYS``. ``others``: keys of the site's own."""

    parts: tuple[Part, ...]
    others: tuple[Part, ...] = ()

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        """The entries of all parts; those of ``patient`` come first."""
        return tuple(entry for part in (*self.parts, *self.others) for entry in part.entries)

    @property
    def lacking(self) -> tuple[Part, ...]:
        """Parts that did not come whole."""
        return tuple(part for part in self.parts if part.state in LACKING)

    @property
    def unused(self) -> int:
        """How many keys of the site's own could not be used, or not wholly."""
        return sum(part.state in LACKING for part in self.others)

    @property
    def to_read(self) -> tuple[Part, ...]:
        """Parts that the FHIR server may still have; what failed is not tried again."""
        return tuple(part for part in self.parts if part.state in (KeyState.MISSING, KeyState.TRUNCATED))

    def with_parts(self, read: Sequence[Part]) -> Prefetched:
        """The same with some parts replaced."""
        newer = {part.key: part for part in read}
        return replace(self, parts=tuple(newer.get(part.key, part) for part in self.parts))

    def check_patient(self, patient_id: str) -> None:
        """Whether the chart that was sent is the right one; to be asked before anything more is read.

        Raises:
            UnusableInput: the Patient is not the one of the context.
        """
        sent = [part for part in self.parts if part.key == PATIENT and not part.was_read]
        if any(is_anothers(part, patient_id) for part in sent):
            raise UnusableInput("prefetch.patient is not the patient of context.patientId")

    def check(self, patient_id: str) -> None:
        """Whether there is anything to judge by.

        Raises:
            UnusableInput: the Patient is not the one of the context.
            NothingToJudgeBy: no key that can hold a complaint could be had.
        """
        self.check_patient(patient_id)
        judged_by = [part for part in self.parts if part.key in JUDGED_BY]
        is_any_whole = any(part.state not in LACKING for part in judged_by)
        if not is_any_whole and not any(part.has_resources for part in (*judged_by, *self.others)):
            raise NothingToJudgeBy({part.key: part.why for part in judged_by})


def is_anothers(part: Part, patient_id: str) -> bool:
    """Whether ``part`` brings Patients and none of them is the one of this id."""
    patients = [entry for entry in part.entries if entry.kind == "Patient"]
    return bool(patients) and patient_id not in map(patient_name, patients)


def patient_name(patient: ChartEntry) -> str:
    """The id of a Patient, or the UUID that it goes by in a Bundle; empty if it has neither."""
    return patient.identity or (patient.full_url or "").removeprefix("urn:uuid:")


def templates(content: Content) -> dict[str, str]:
    """Prefetch templates for discovery: the resource types that the content reads, in the recommended FHIR subset."""
    kinds = {finding.kind for finding in content.findings.values()}
    found = {PATIENT: "Patient/{{context.patientId}}"}
    for key, (resource, rest) in _SEARCHES.items():
        needed = {
            "procedures": "risk" in kinds or "history" in kinds,
            "medications": any(e.system == "rxnorm" for _, _, e in content.entries()),
            "orders": bool(content.orders),
        }.get(key, True)
        if needed:
            found[key] = f"{resource}?patient={{{{context.patientId}}}}{rest}"
    return found


def query(key: str, patient_id: str) -> str:
    """The template of ``key`` with its token filled in, relative to the FHIR base; in large pages: time is short."""
    if key == PATIENT:
        return f"Patient/{patient_id}"
    resource, rest = _SEARCHES[key]
    return f"{resource}?patient={patient_id}{rest}&_count=500"


def gather(prefetch: Mapping[str, Any] | None) -> Prefetched:
    """Every key of ``prefetch``, by what it holds. Those that are not ours are read too: charts come in many cuts."""
    sent = prefetch or {}
    parts = [read_part(key, sent[key]) if key in sent else Part(key, KeyState.MISSING, why="not_sent") for key in KEYS]
    return Prefetched(tuple(parts), tuple(_read_other(value) for key, value in sent.items() if key not in KEYS))


def read_part(key: str, value: Any) -> Part:
    """One key's value, as prefetched or as the FHIR server answered. ``key``: empty for one of the site's own."""
    if value is None:
        return Part(key, KeyState.EMPTY)
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if kind == OUTCOME:
        is_none = key != PATIENT and says_none(value)
        return Part(key, KeyState.EMPTY) if is_none else Part(key, KeyState.FAILED, why="operation_outcome")
    if kind == BUNDLE:
        return part_of(key, read_searchset(value))
    entry = ChartEntry(value)
    if entry.kind is None:
        return Part(key, KeyState.FAILED, why=WRONG_TYPE)
    if KINDS[key] and entry.kind not in KINDS[key]:
        return Part(key, KeyState.FAILED, (entry,), why=WRONG_TYPE)
    return Part(key, KeyState.PRESENT, (entry,), matches=Matches(nameless=1))


def part_of(key: str, found: Searchset) -> Part:
    """What came as a Bundle for ``key``."""
    state, why = _state(key, found)
    return Part(key, state, found.entries, found.next_page, found.matches, found.total, why)


def _state(key: str, found: Searchset) -> tuple[KeyState, str]:
    kinds = KINDS[key]
    if found.failed:
        return KeyState.FAILED, found.failed
    if kinds and found.matches and found.kinds.isdisjoint((*kinds, None)):
        return KeyState.FAILED, WRONG_TYPE
    if found.flaw:
        return KeyState.TRUNCATED, found.flaw
    if any(map(brings_resource, found.entries)):
        return KeyState.PRESENT, ""
    is_none = key != PATIENT and found.says_none
    return (KeyState.EMPTY, "") if is_none else (KeyState.FAILED, WRONG_TYPE)


def _read_other(value: Any) -> Part:
    """A key of the site's own. What brings nothing of a chart is not ours to complain of on a card."""
    part = read_part("", value)
    return part if part.has_resources else replace(part, entries=())

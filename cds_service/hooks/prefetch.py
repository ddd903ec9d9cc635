"""The parts of a chart by prefetch key: what each one's state is, and the chart entries it brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cds_service.clinical.content import Content
from cds_service.clinical.reading import ChartEntry
from cds_service.ground.errors import NothingToJudgeBy, UnusableInput
from cds_service.hooks.rows import Rows, read_row

PATIENT = "patient"
_SEARCHES = {
    "observations": ("Observation", "&_sort=-date"),
    "conditions": ("Condition", ""),
    "procedures": ("Procedure", "&_sort=-date"),
    "medications": ("MedicationRequest", "&status=active,completed"),
    "orders": ("ServiceRequest", "&status=active,on-hold,completed"),
}
OUTCOME = "OperationOutcome"
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
        next_page: where the rest of a truncated search is, if the sender said so.
        matches: how many resources the search itself found on this page.
        total: how many it found in all, if the sender said so.
        why: a code for what keeps it from being whole; empty if it is.
        was_read: it came from the FHIR server, at least in part.
    """

    key: str
    state: KeyState
    entries: tuple[ChartEntry, ...] = ()
    next_page: str | None = None
    matches: int = 0
    total: int | None = None
    why: str = ""
    was_read: bool = False

    @property
    def words(self) -> str:
        """For a clinician: ``procedures``, ``observations (not all)``."""
        return NAMES[self.key] + (" (not all)" if self.entries or self.state is KeyState.TRUNCATED else "")


@dataclass(frozen=True, slots=True)
class Prefetched:
    """The chart as it came, one part a key, in the order of ``KEYS``."""

    parts: tuple[Part, ...]

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        """The entries of all parts."""
        return tuple(entry for part in self.parts for entry in part.entries)

    @property
    def lacking(self) -> tuple[Part, ...]:
        """Parts that did not come whole."""
        return tuple(part for part in self.parts if part.state in LACKING)

    @property
    def to_read(self) -> tuple[Part, ...]:
        """Parts that the FHIR server may still have; what failed is not tried again."""
        return tuple(part for part in self.parts if part.state in (KeyState.MISSING, KeyState.TRUNCATED))

    def with_parts(self, read: Sequence[Part]) -> Prefetched:
        """The same with some parts replaced."""
        newer = {part.key: part for part in read}
        return Prefetched(tuple(newer.get(part.key, part) for part in self.parts))

    def check_patient(self, patient_id: str) -> None:
        """Whether the chart is the right one; to be asked before anything more is read.

        Raises:
            UnusableInput: the Patient is not the one of the context.
        """
        for part in self.parts:
            if part.key == PATIENT and any(entry.identity != patient_id for entry in part.entries):
                raise UnusableInput("prefetch.patient is not the patient of context.patientId")

    def check(self, patient_id: str) -> None:
        """Whether there is anything to judge by.

        Raises:
            UnusableInput: the Patient is not the one of the context.
            NothingToJudgeBy: no key that can hold a complaint could be had.
        """
        self.check_patient(patient_id)
        judged_by = [part for part in self.parts if part.key in JUDGED_BY]
        if not any(part.entries or part.state not in LACKING for part in judged_by):
            raise NothingToJudgeBy({part.key: part.why for part in judged_by})


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
    """Every known key of ``prefetch``; others are ignored."""
    sent = prefetch or {}
    return Prefetched(
        tuple(read_part(key, sent[key]) if key in sent else Part(key, KeyState.MISSING, why="not_sent") for key in KEYS)
    )


def read_part(key: str, value: Any) -> Part:
    """One key's value, as prefetched or as the FHIR server answered."""
    if value is None:
        return Part(key, KeyState.EMPTY)
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if kind == OUTCOME:
        return Part(key, KeyState.FAILED, why="operation_outcome")
    if kind == "Bundle" and key != PATIENT:
        return _read_bundle(key, value)
    if kind in _kinds(key):
        return Part(key, KeyState.PRESENT, (ChartEntry(value),))
    return Part(key, KeyState.FAILED, why="wrong_type")


def _kinds(key: str) -> tuple[str, ...]:
    if key == PATIENT:
        return ("Patient",)
    kind = _SEARCHES[key][0]
    return (kind, "MedicationStatement") if key == "medications" else (kind,)


def _read_bundle(key: str, bundle: Mapping[str, Any]) -> Part:
    rows = bundle.get("entry")
    if not isinstance(rows, list | Rows | None):
        return Part(key, KeyState.FAILED, why="wrong_type")
    found = _rows(bundle)
    entries = [entry for entry, _ in found if entry is not None]
    matches, kinds = _matches(found)
    outcomes = [entry for entry in entries if entry.kind == OUTCOME]
    resources = tuple(entry for entry in entries if entry.kind != OUTCOME) if outcomes else tuple(entries)
    if any(_is_failure(entry.resource) for entry in outcomes):
        return Part(key, KeyState.FAILED, resources, why="operation_outcome")
    if matches and kinds.isdisjoint((*_kinds(key), None)):
        return Part(key, KeyState.FAILED, why="wrong_type")
    next_page, total = _next_page(bundle), _total(bundle)
    if next_page is not None or (total or 0) > matches:
        return Part(key, KeyState.TRUNCATED, resources, next_page, matches, total, "page")
    state = KeyState.PRESENT if resources else KeyState.EMPTY
    return Part(key, state, resources, matches=matches, total=total)


def _rows(bundle: Mapping[str, Any]) -> list[tuple[ChartEntry | None, str | None]]:
    """Each row of a Bundle as its entry, if it brings one, and its search mode."""
    rows = bundle.get("entry")
    if isinstance(rows, Rows):
        return rows.entries()
    rows = [] if rows is None else rows
    return [read_row(row) for row in (rows if isinstance(rows, list) else [rows])]


def bundle_entries(bundle: Mapping[str, Any]) -> Iterator[ChartEntry]:
    """The entries of a Bundle; what is no entry is passed on as it is, so that it is counted as unread."""
    return (entry for entry, _ in _rows(bundle) if entry is not None)


def _matches(rows: Iterable[tuple[ChartEntry | None, str | None]]) -> tuple[int, set[str | None]]:
    """How many resources the search itself found, each counted once, and their kinds.

    Included ones and outcomes are none of them.
    """
    named: set[tuple[str | None, str]] = set()
    kinds: set[str | None] = set()
    nameless = 0
    for entry, mode in rows:
        head = entry.head if entry is not None else None
        kind, identity = (head.resourceType, head.id) if head is not None else _named(entry)
        if mode == "include" or mode == "outcome" or kind == OUTCOME:
            continue
        if identity is None:
            nameless += 1
        else:
            named.add((kind, identity))
        kinds.add(kind)
    return len(named) + nameless, kinds


def _named(entry: ChartEntry | None) -> tuple[str | None, str | None]:
    return (None, None) if entry is None else (entry.kind, entry.identity)


def _is_failure(outcome: Mapping[str, Any]) -> bool:
    """Whether an OperationOutcome reports an error, and not the warning that goes with an empty result."""
    issues = outcome.get("issue")
    return not isinstance(issues, list) or any(
        isinstance(issue, dict) and issue.get("severity") in ("error", "fatal") for issue in issues
    )


def _total(bundle: Mapping[str, Any]) -> int | None:
    total = bundle.get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def _next_page(bundle: Mapping[str, Any]) -> str | None:
    """The address of the next page; empty if one is announced without an address, None if there is none."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            return url if isinstance(url, str) else ""
    return None

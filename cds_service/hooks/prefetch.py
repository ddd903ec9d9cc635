"""What the EHR sent along: each prefetch key with its state, and the chart entries in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cds_service.clinical.content import Content
from cds_service.clinical.reading import ChartEntry
from cds_service.ground.errors import NothingToJudgeBy, UnusableInput

PATIENT = "patient"
_SEARCHES = {
    "observations": ("Observation", "&_sort=-date"),
    "conditions": ("Condition", ""),
    "procedures": ("Procedure", "&_sort=-date"),
    "medications": ("MedicationRequest", "&status=active,completed"),
    "orders": ("ServiceRequest", "&status=active,on-hold,completed"),
}
JUDGED_BY = ("observations", "conditions")
"""Keys that can hold a complaint; without any of them there is nothing to judge by."""

_NAMES = {
    PATIENT: "patient details",
    "observations": "observations",
    "conditions": "problems",
    "procedures": "procedures",
    "medications": "medicines",
    "orders": "orders",
}


class KeyState(StrEnum):
    """How a prefetch key came."""

    PRESENT = "present"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Prefetched:
    """The chart as it came: entries of all keys, and the state of each key."""

    entries: tuple[ChartEntry, ...]
    states: Mapping[str, KeyState]

    @property
    def not_available(self) -> tuple[str, ...]:
        """In our words, the parts of the chart that did not come whole."""
        lacking = (KeyState.MISSING, KeyState.FAILED, KeyState.TRUNCATED)
        return tuple(
            _NAMES[key] + (" (not all)" if state is KeyState.TRUNCATED else "")
            for key, state in self.states.items()
            if state in lacking
        )


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


def gather(prefetch: Mapping[str, Any] | None, patient_id: str) -> Prefetched:
    """Every known key of ``prefetch``; others are ignored.

    Raises:
        UnusableInput: the Patient is not the one of the context.
        NothingToJudgeBy: no key that can hold a complaint was sent.
    """
    sent = prefetch or {}
    entries: list[ChartEntry] = []
    states: dict[str, KeyState] = {}
    for key in (PATIENT, *_SEARCHES):
        if key not in sent:
            states[key] = KeyState.MISSING
            continue
        state, found = _read_key(key, sent[key])
        states[key] = state
        entries += found
    _check_patient(sent.get(PATIENT), patient_id)
    if not any(states[key] in (KeyState.PRESENT, KeyState.EMPTY, KeyState.TRUNCATED) for key in JUDGED_BY):
        raise NothingToJudgeBy(tuple(key for key in JUDGED_BY))
    return Prefetched(tuple(entries), states)


def _read_key(key: str, value: Any) -> tuple[KeyState, list[ChartEntry]]:
    if value is None:
        return KeyState.EMPTY, []
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if key == PATIENT:
        return (KeyState.PRESENT, [ChartEntry(value)]) if kind == "Patient" else (KeyState.FAILED, [])
    if kind == "Bundle":
        return _read_bundle(value)
    expected = _SEARCHES[key][0]
    alternatives = (expected, "MedicationStatement") if key == "medications" else (expected,)
    return (KeyState.PRESENT, [ChartEntry(value)]) if kind in alternatives else (KeyState.FAILED, [])


def _read_bundle(bundle: Mapping[str, Any]) -> tuple[KeyState, list[ChartEntry]]:
    rows = bundle.get("entry") or []
    if not isinstance(rows, list):
        return KeyState.FAILED, []
    found = list(bundle_entries(bundle))
    resources = [entry for entry in found if not _is_outcome(entry.resource)]
    if not resources and any(_is_failure(entry.resource) for entry in found):
        return KeyState.FAILED, []
    if _has_more(bundle, len(resources)):
        return KeyState.TRUNCATED, resources
    return (KeyState.PRESENT if resources else KeyState.EMPTY), resources


def bundle_entries(bundle: Mapping[str, Any]) -> Iterator[ChartEntry]:
    """The entries of a Bundle; what is no entry is passed on as it is, so that it is counted as unread."""
    rows = bundle.get("entry") or []
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, dict) and "resource" in row:
            url = row.get("fullUrl")
            yield ChartEntry(row["resource"], url if isinstance(url, str) else None)
        elif not isinstance(row, dict) or row.get("response") is None:
            yield ChartEntry(None)


def _is_outcome(resource: Any) -> bool:
    return isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome"


def _is_failure(resource: Any) -> bool:
    """An OperationOutcome that reports an error, not the warning that goes with an empty result."""
    if not _is_outcome(resource):
        return False
    issues = resource.get("issue")
    return not isinstance(issues, list) or any(
        isinstance(issue, dict) and issue.get("severity") in ("error", "fatal") for issue in issues
    )


def _has_more(bundle: Mapping[str, Any], came: int) -> bool:
    links = bundle.get("link")
    if isinstance(links, list) and any(isinstance(link, dict) and link.get("relation") == "next" for link in links):
        return True
    total = bundle.get("total")
    return isinstance(total, int) and not isinstance(total, bool) and total > came


def _check_patient(value: Any, patient_id: str) -> None:
    if isinstance(value, dict) and value.get("resourceType") == "Patient" and value.get("id") != patient_id:
        raise UnusableInput("prefetch.patient is not the patient of context.patientId")

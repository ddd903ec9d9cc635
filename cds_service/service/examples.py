"""The invented patients, moved in time: files carry dates around one stated day, readers want them around today."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

EXAMPLES = "fhir_examples"
"""Beside the folder of the content, where the project ships it. A site's copy of the content may come without."""
STORIES = "stories.toml"
_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(T.*)?$")


def reference_day(folder: Path) -> date:
    """The day around which the dates of the examples lie."""
    day = _told(folder)["reference_day"]
    return day if isinstance(day, date) else date.fromisoformat(str(day))


def stories(folder: Path) -> dict[str, dict[str, Any]]:
    """What each example is about and what it must and must not show, by its name."""
    return {name: story for name, story in _told(folder).items() if isinstance(story, dict)}


def _told(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / STORIES).read_text(encoding="utf-8"))


def moved(value: Any, days: int) -> Any:
    """``value`` with every full date moved by ``days``; partial dates stay."""
    if isinstance(value, dict):
        return {key: moved(inner, days) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner, days) for inner in value]
    match = _DATE.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    return (date.fromisoformat(match[1]) + timedelta(days=days)).isoformat() + (match[2] or "")


def bundles(folder: Path, today: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every example, moved so that its reference day is ``today``: (name, Bundle)."""
    days = (today - reference_day(folder)).days
    for path in sorted(folder.glob("*.json")):
        yield path.stem, moved(orjson.loads(path.read_bytes()), days)


def as_request(bundle: dict[str, Any], now_id: str) -> dict[str, Any]:
    """A patient-view call that prefetches the resources of an example Bundle. ``now_id``: the hookInstance."""
    keys = {
        "Observation": "observations",
        "Condition": "conditions",
        "Procedure": "procedures",
        "MedicationRequest": "medications",
        "MedicationStatement": "medications",
        "Medication": "medications",
        "ServiceRequest": "orders",
    }
    prefetch: dict[str, Any] = dict.fromkeys(dict.fromkeys(keys.values()))
    context: dict[str, str] = {"userId": "Practitioner/example"}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        if kind == "Patient":
            prefetch["patient"] = resource
            context["patientId"] = resource["id"]
        elif kind == "Encounter":
            context["encounterId"] = resource["id"]
        elif kind in keys:
            found = prefetch[keys[kind]] or {"resourceType": "Bundle", "type": "searchset", "entry": []}
            found["entry"].append({"resource": resource, "search": {"mode": "match"}})
            prefetch[keys[kind]] = found
    return {"hook": "patient-view", "hookInstance": now_id, "context": context, "prefetch": prefetch}

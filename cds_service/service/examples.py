"""The example patients. Their files have dates around one stated day, which are moved to any other day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import tomli

from cds_service.protocol.services import POSTERIOR_KNEE_PAIN

EXAMPLES = "fhir_examples"
"""Name of the folder, which is beside the shipped content. A site's copy of the content may not have it."""
STORIES = "stories.toml"
_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(T.*)?$")


def reference_day(folder: Path) -> date:
    """Return the day that the dates of the examples are relative to."""
    day = _read_stories(folder)["reference_day"]
    return day if isinstance(day, date) else date.fromisoformat(str(day))


def stories(folder: Path) -> dict[str, dict[str, Any]]:
    """Return, by name, what each example is about and what its cards must and must not show."""
    return {name: story for name, story in _read_stories(folder).items() if isinstance(story, dict)}


def _read_stories(folder: Path) -> dict[str, Any]:
    return tomli.loads((folder / STORIES).read_text(encoding="utf-8"))


def moved(value: Any, days: int) -> Any:
    """Return ``value`` with every full date moved by ``days``. Partial dates are not changed."""
    if isinstance(value, dict):
        return {key: moved(inner, days) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner, days) for inner in value]
    match = _DATE.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    return (date.fromisoformat(match[1]) + timedelta(days=days)).isoformat() + (match[2] or "")


def bundles(folder: Path, today: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every example as (name, Bundle), moved so that its reference day is ``today``."""
    days = (today - reference_day(folder)).days
    for path in sorted(folder.glob("*.json")):
        yield path.stem, moved(orjson.loads(path.read_bytes()), days)


def one_bundle(folder: Path, name: str, today: date) -> dict[str, Any]:
    """Return one example, moved like those of ``bundles``.

    Raises:
        FileNotFoundError: there is no such example.
    """
    raw = orjson.loads((folder / f"{name}.json").read_bytes())
    bundle: dict[str, Any] = moved(raw, (today - reference_day(folder)).days)
    return bundle


def as_request(bundle: dict[str, Any], now_id: str) -> dict[str, Any]:
    """Return a hook call with the resources of an example Bundle as prefetch. ``now_id``: the hookInstance."""
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
            searchset = prefetch[keys[kind]] or {"resourceType": "Bundle", "type": "searchset", "entry": []}
            searchset["entry"].append({"resource": resource, "search": {"mode": "match"}})
            prefetch[keys[kind]] = searchset
    return {"hook": POSTERIOR_KNEE_PAIN.hook, "hookInstance": now_id, "context": context, "prefetch": prefetch}

"""Ways in which one row of a chart becomes unintelligible: what it says is lost, and nothing says that it was nothing.

Each takes the row of a Bundle and gives another one; it leaves the row that it was given as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Way = Callable[[Row], Any]
UNKNOWN_SYSTEM = "https://local.example/codes"


def _with(**changes: Any) -> Way:
    """The resource with some elements changed; None takes one away."""

    def change(row: Row) -> Row:
        resource = {**row["resource"], **changes}
        return {**row, "resource": {key: value for key, value in resource.items() if value is not None}}

    return change


def _on_concepts(change: Callable[[Any], Any]) -> Way:
    """Every concept that says what the resource is about, changed."""

    def apply(row: Row) -> Row:
        resource = copy.deepcopy(row["resource"])
        for name in ("code", "medicationCodeableConcept"):
            if name in resource:
                resource[name] = change(resource[name])
        for part in resource.get("component", ()):
            part["code"] = change(part["code"])
        return {**row, "resource": resource}

    return apply


def _on_codings(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Way:
    """Every coding anywhere in the resource but for those of its statuses, changed."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            if isinstance(node.get("code"), str) and "system" in node:
                return change(node)
            kept = ("clinicalStatus", "verificationStatus", "category", "subject")
            return {key: inner if key in kept else walk(inner) for key, inner in node.items()}
        return [walk(inner) for inner in node] if isinstance(node, list) else node

    return lambda row: {**row, "resource": walk(row["resource"])}


def _renamed(row: Row) -> Row:
    resource = {("Code" if key == "code" else key): value for key, value in row["resource"].items()}
    return {**row, "resource": resource}


def _first_coding(concept: Any) -> Any:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return {**concept, "coding": codings[0]} if codings else 7


def _elsewhere(row: Row) -> Row:
    reference = row["resource"].get("subject", {}).get("reference", "Patient/x")
    changed: Row = _with(subject={"reference": f"https://elsewhere.example/fhir/{reference}"})(row)
    return changed


def _nested_modifier(row: Row) -> Row:
    subject = {**row["resource"].get("subject", {}), "modifierExtension": [{"url": "https://x.example/not"}]}
    changed: Row = _with(subject=subject)(row)
    return changed


WAYS: dict[str, Way] = {
    "the row is null": lambda _: None,
    "the resource is null": lambda row: {**row, "resource": None},
    "the resource is text": lambda row: {**row, "resource": "x"},
    "the resource is a list": lambda row: {**row, "resource": [row["resource"]]},
    "an empty husk": lambda row: {**row, "resource": {}},
    "only a type and an id": lambda row: {
        **row,
        "resource": {key: value for key, value in row["resource"].items() if key in ("resourceType", "id", "subject")},
    },
    "a type of no standard": lambda row: _with(resourceType=f"X{row['resource']['resourceType']}")(row),
    "a type in small letters": lambda row: _with(resourceType=row["resource"]["resourceType"].lower())(row),
    "a type that is a number": _with(resourceType=5),
    "a Bundle around it": lambda row: {
        **row,
        "resource": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": row["resource"]}]},
    },
    "coding as an object": _on_concepts(_first_coding),
    "code as a list": _on_concepts(lambda concept: [concept]),
    "code as a number": _on_concepts(lambda _: 404223003),
    "code as text": _on_concepts(str),
    "code under another name": _renamed,
    "codes of an unknown system": _on_codings(lambda coding: {**coding, "system": UNKNOWN_SYSTEM}),
    "other codes of an unknown system": _on_codings(lambda _: {"system": UNKNOWN_SYSTEM, "code": "X-17"}),
    "codes without a system": _on_codings(lambda coding: {"code": coding["code"]}),
    "codings without a code": _on_codings(lambda coding: {"system": coding["system"]}),
    "a category that is an object": _with(category={"coding": [{"code": "x"}]}),
    "a status of no list": _with(status="Definitely", verificationStatus={"coding": [{"code": "sure"}]}),
    "a status that is a number": _with(status=7, verificationStatus=7),
    "a modifier extension": _with(modifierExtension=[{"url": "https://x.example/not", "valueBoolean": True}]),
    "a modifier extension deep inside": _nested_modifier,
    "implicit rules": _with(implicitRules="https://x.example/rules"),
    "a part of the resource": _with(
        meta={"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]}
    ),
    "nobody's": _with(subject=None),
    "whose, in words only": _with(subject={"display": "the patient"}),
    "of the same patient on another server": _elsewhere,
    "of a contained patient": _with(subject={"reference": "#p"}, contained=[{"resourceType": "Patient", "id": "p"}]),
    "a second value": _with(valueString="x", valueInteger=5),
}  # fmt: skip
"""Name -> way. More than twenty, of different kinds."""

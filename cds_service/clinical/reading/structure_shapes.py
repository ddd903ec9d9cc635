"""Convert a BodyStructure of FHIR R5, which has a list of structures, to the shape of R4, which has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = ("resourceType", "id", "meta", "implicitRules", "modifierExtension", "patient", "active")


def in_shape_of_r4(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``raw`` with R4's ``location`` and ``locationQualifier`` instead of R5's ``includedStructure``.

    R4 cannot express several structures or an excluded one. ``raw`` is then returned unchanged, and it is not a valid
    BodyStructure.
    """
    included = raw.get("includedStructure")
    if raw.get("resourceType") != "BodyStructure" or not isinstance(included, list) or len(included) != 1:
        return raw
    (structure,) = included
    if (
        not isinstance(structure, Mapping)
        or raw.get("excludedStructure")
        or "location" in raw
        or structure.get("modifierExtension")
    ):
        return raw
    qualifiers = structure.get("qualifier") or []
    converted = {key: raw[key] for key in _KEPT if key in raw}
    converted["location"] = structure.get("structure")
    if isinstance(qualifiers, list):
        converted["locationQualifier"] = [
            side for side in (structure.get("laterality"), *qualifiers) if side is not None
        ]
    return {key: value for key, value in converted.items() if value not in (None, [])}

"""A BodyStructure of FHIR R5 in the shape of R4, which names its place in one element where R5 has a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = ("resourceType", "id", "meta", "implicitRules", "modifierExtension", "patient", "active")


def in_shape_of_r4(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """``raw`` with ``location`` and ``locationQualifier`` where it has R5's one ``includedStructure``.

    Of several structures, or where one is excluded, R4 cannot tell what is meant: then ``raw`` stays as it is, and is
    no valid BodyStructure.
    """
    included = raw.get("includedStructure")
    if raw.get("resourceType") != "BodyStructure" or not isinstance(included, list) or len(included) != 1:
        return raw
    (one,) = included
    if (
        not isinstance(one, Mapping)
        or raw.get("excludedStructure")
        or "location" in raw
        or one.get("modifierExtension")
    ):
        return raw
    qualifiers = one.get("qualifier") or []
    found = {key: raw[key] for key in _KEPT if key in raw}
    found["location"] = one.get("structure")
    if isinstance(qualifiers, list):
        found["locationQualifier"] = [side for side in (one.get("laterality"), *qualifiers) if side is not None]
    return {key: value for key, value in found.items() if value not in (None, [])}

"""The project's own code system of findings as FHIR resources, for findings without a verified standard code."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.codes import FINDING_SYSTEM, URI
from cds_service.clinical.content import Content

BASE = "https://posterior-knee-cds.example/fhir"


def _own_keys(content: Content) -> list[str]:
    return sorted(key for key, finding in content.findings.items() if not finding.general)


def code_system(content: Content) -> dict[str, Any]:
    """All findings as one FHIR CodeSystem."""
    keys = _own_keys(content)
    return {
        "resourceType": "CodeSystem",
        "id": "finding",
        "url": FINDING_SYSTEM,
        "name": "PosteriorKneeFinding",
        "title": "Findings in pain behind the knee",
        "status": "active",
        "experimental": True,
        "caseSensitive": True,
        "content": "complete",
        "count": len(keys),
        "concept": [{"code": key, "display": content.findings[key].name} for key in keys],
    }


def value_set(content: Content, key: str) -> dict[str, Any] | None:
    """Every code that means finding ``key``: our own and the standard ones that mean it exactly or more narrowly."""
    finding = content.findings.get(key)
    if finding is None or finding.general:
        return None
    include: dict[str, list[dict[str, str]]] = {FINDING_SYSTEM: [{"code": key, "display": finding.name}]}
    for entry in finding.codes:
        if entry.relation in ("exact", "narrower"):
            include.setdefault(URI[entry.system], []).append({"code": entry.code, "display": entry.display})
    return {
        "resourceType": "ValueSet",
        "id": key.replace("_", "-"),
        "url": f"{BASE}/ValueSet/{key.replace('_', '-')}",
        "name": "PosteriorKnee" + "".join(part.capitalize() for part in key.split("_")),
        "title": finding.name,
        "status": "active",
        "experimental": True,
        "compose": {"include": [{"system": system, "concept": codes} for system, codes in include.items()]},
    }


def resources(content: Content) -> list[dict[str, Any]]:
    """The code system and every value set."""
    sets = [value_set(content, key) for key in _own_keys(content)]
    return [code_system(content), *(one for one in sets if one is not None)]

"""The project's code system of findings and its value sets, as FHIR resources."""

from __future__ import annotations

import re
import string
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_tables import Row
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM, URI
from cds_service.clinical.content.coding.systems import System

_LETTERS = string.digits + string.ascii_uppercase
_MEANS_IT = ("exact", "narrower")
BASE = "https://posterior-knee-cds.example/fhir"


def _own_keys(content: Content) -> list[str]:
    return sorted(key for key, finding in content.findings.items() if not finding.general)


def code_system(content: Content) -> dict[str, Any]:
    """Return all findings as one FHIR CodeSystem."""
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
    """Return the ValueSet of finding ``key``: our own code and the standard codes with the same or a narrower meaning.

    None if there is no such finding, or it is a general one.
    """
    finding = content.findings.get(key)
    if finding is None or finding.general:
        return None
    include: dict[str, list[dict[str, str]]] = {FINDING_SYSTEM: [{"code": key, "display": finding.name}]}
    for entry in finding.codes:
        if entry.relation in _MEANS_IT and not entry.status:
            include.setdefault(URI[entry.system], []).append({"code": entry.code, "display": entry.display})
    below: dict[str, list[str]] = {}
    without: dict[str, list[str]] = {}
    for table in content.tables.values():
        for row in table.rows:
            if row.use.key == key:
                _add_row(content.systems.by_key[row.system], row, include, below, without)
    compose: dict[str, Any] = {
        "include": [
            *({"system": system, "concept": codes} for system, codes in include.items()),
            *(_by_pattern(system, patterns) for system, patterns in below.items()),
        ]
    }
    if without:
        compose["exclude"] = [_by_pattern(system, patterns) for system, patterns in without.items()]
    return {
        "resourceType": "ValueSet",
        "id": key.replace("_", "-"),
        "url": f"{BASE}/ValueSet/{key.replace('_', '-')}",
        "name": "PosteriorKnee" + "".join(part.capitalize() for part in key.split("_")),
        "title": finding.name,
        "status": "active",
        "experimental": True,
        "compose": compose,
    }


def _add_row(
    system: System,
    row: Row,
    include: dict[str, list[dict[str, str]]],
    below: dict[str, list[str]],
    without: dict[str, list[str]],
) -> None:
    """Add a row of a code table. In a hierarchy it becomes a pattern for the code and all codes that begin with it."""
    pattern = code_range(row.code, row.to) if row.to else re.escape(row.code)
    if row.use.relation == "not":
        without.setdefault(system.uri, []).append(f"{pattern}.*" if system.is_tree else pattern)
    elif row.use.relation not in _MEANS_IT or row.use.status:
        return
    elif system.is_tree:
        below.setdefault(system.uri, []).append(f"{pattern}.*")
    else:
        include.setdefault(system.uri, []).append({"code": row.code, "display": row.display})


def _by_pattern(system: str, patterns: list[str]) -> dict[str, Any]:
    return {"system": system, "filter": [{"property": "code", "op": "regex", "value": "|".join(patterns)}]}


def code_range(first: str, last: str) -> str:
    """Return a regular expression for every code of the same length from ``first`` to ``last``."""
    if first == last:
        return re.escape(first)
    if first[0] == last[0]:
        return re.escape(first[0]) + code_range(first[1:], last[1:])
    parts = [re.escape(first[0]) + _from(first[1:])]
    if between := _class(chr(ord(first[0]) + 1), chr(ord(last[0]) - 1)):
        parts.append(between + "." * (len(first) - 1))
    return f"({'|'.join([*parts, re.escape(last[0]) + _to(last[1:])])})"


def _from(first: str) -> str:
    """Return a regular expression for every code of this length from ``first`` on."""
    if not first:
        return ""
    above = _class(chr(ord(first[0]) + 1), "Z")
    same = re.escape(first[0]) + _from(first[1:])
    return f"({same}|{above}{'.' * (len(first) - 1)})" if above else same


def _to(last: str) -> str:
    """Return a regular expression for every code of this length up to ``last``."""
    if not last:
        return ""
    under = _class("0", chr(ord(last[0]) - 1))
    same = re.escape(last[0]) + _to(last[1:])
    return f"({under}{'.' * (len(last) - 1)}|{same})" if under else same


def _class(first: str, last: str) -> str:
    """Return a character class for the digits and capital letters from ``first`` to ``last``; empty if none."""
    letters = [letter for letter in _LETTERS if first <= letter <= last]
    return f"[{''.join(letters)}]" if letters else ""


def resources(content: Content) -> list[dict[str, Any]]:
    """Return the code system and every value set."""
    sets = [value_set(content, key) for key in _own_keys(content)]
    return [code_system(content), *(values for values in sets if values is not None)]

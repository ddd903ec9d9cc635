"""Find places in the parsed content files: ``supports.fever.lr_present``, as a clinician sees them."""

from __future__ import annotations

from typing import Any

_NAMING = ("finding", "number", "ucum", "code", "of", "about", "source")


def named(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return each row with its naming key, so that an inserted row does not rename the others; else with its number."""
    for key in _NAMING:
        names = [str(row.get(key)) for row in rows]
        if all(key in row for row in rows) and len(set(names)) == len(rows):
            return list(zip(names, rows, strict=True))
    return [(str(number), row) for number, row in enumerate(rows)]


def value_at(data: Any, place: str) -> Any:
    """Return the value at ``place``.

    Raises:
        KeyError: there is no such place.
    """
    for part in place.split("."):
        data = _inside(data)[part]
    return data


def set_at(data: dict[str, Any], place: str, value: Any) -> None:
    """Replace the existing value at ``place``.

    Raises:
        KeyError: there is no such place.
    """
    around, _, last = place.rpartition(".")
    table = value_at(data, around) if around else data
    if not isinstance(table, dict) or last not in table:
        raise KeyError(place)
    table[last] = value


def _inside(data: Any) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return dict(named(data))
    return {}

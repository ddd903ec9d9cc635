"""Places in the parsed files of the content: ``supports.fever.lr_present``, as a clinician finds them."""

from __future__ import annotations

from typing import Any

_NAMING = ("finding", "number", "ucum", "code", "of", "about", "source")


def named(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Each row with what names it, so that a row put in between moves no other; else with its number."""
    for key in _NAMING:
        names = [str(row.get(key)) for row in rows]
        if all(key in row for row in rows) and len(set(names)) == len(rows):
            return list(zip(names, rows, strict=True))
    return [(str(number), row) for number, row in enumerate(rows)]


def value_at(data: Any, place: str) -> Any:
    """What stands at ``place``.

    Raises:
        KeyError: nothing does.
    """
    for part in place.split("."):
        data = _inside(data)[part]
    return data


def set_at(data: dict[str, Any], place: str, value: Any) -> None:
    """Put ``value`` at ``place``, where something must stand already.

    Raises:
        KeyError: nothing does.
    """
    around, _, last = place.rpartition(".")
    table = value_at(data, around) if around else data
    if not isinstance(table, dict) or last not in table:
        raise KeyError(place)
    table[last] = value


def _inside(data: Any) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    if isinstance(data, list) and all(isinstance(one, dict) for one in data):
        return dict(named(data))
    return {}

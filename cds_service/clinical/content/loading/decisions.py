"""Check the open decisions: each names existing values, and alternatives that differ from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.base.errors import Problem
from cds_service.clinical.content.decisions import Change, Decision, Place
from cds_service.clinical.content.loading.places import value_at
from cds_service.clinical.content.loading.signed import OPEN, Files

_ABSENT = object()


def problems(files: Files, points: Mapping[str, Decision], *, trying: bool) -> Iterator[Problem]:
    """Yield places without a value, missing pathways, and alternatives that change nothing.

    ``trying``: an alternative is being tried, so it is the current value.
    """
    for key, point in points.items():
        pathways = [alternative.pathway for alternative in point.alternatives if alternative.pathway]
        for pathway in pathways:
            if f"dvt/{pathway}.toml" not in files:
                yield Problem(OPEN, f"{key}.alternatives", f"no DVT pathway is called `{pathway}`")
        for where in (*point.at, *(change for alternative in point.alternatives for change in alternative.changes)):
            current = _current_value(files, where)
            if current is _ABSENT:
                yield Problem(OPEN, key, f"{where.file} has nothing at `{where.place}`", "name it as `--against` does")
            elif isinstance(where, Change) and current == where.value and not trying:
                yield Problem(OPEN, key, f"`{where.place}` of an alternative is already the current value", "delete it")


def _current_value(files: Files, where: Place) -> object:
    try:
        return value_at(files[where.file], where.place)
    except KeyError:
        return _ABSENT

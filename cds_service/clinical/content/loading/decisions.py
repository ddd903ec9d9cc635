"""The open decisions: each names values that are there, and alternatives that differ from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.base.errors import Problem
from cds_service.clinical.content.decisions import Change, Decision, Place
from cds_service.clinical.content.loading.places import value_at
from cds_service.clinical.content.loading.signed import OPEN, Files

_ABSENT = object()


def problems(files: Files, points: Mapping[str, Decision], *, trying: bool) -> Iterator[Problem]:
    """Places of ``files`` that hold nothing, pathways that are not there, and alternatives that are none.

    ``trying``: the content is judged by an alternative, which then is what stands.
    """
    for key, point in points.items():
        pathways = [one.pathway for one in point.alternatives if one.pathway]
        for pathway in pathways:
            if f"dvt/{pathway}.toml" not in files:
                yield Problem(OPEN, f"{key}.alternatives", f"no DVT pathway is called `{pathway}`")
        for where in (*point.at, *(change for one in point.alternatives for change in one.changes)):
            value = _standing(files, where)
            if value is _ABSENT:
                yield Problem(
                    OPEN, key, f"{where.file} holds nothing at `{where.place}`", "name it as `--against` does"
                )
            elif isinstance(where, Change) and value == where.value and not trying:
                yield Problem(OPEN, key, f"`{where.place}` of an alternative is what stands now", "leave it out")


def _standing(files: Files, where: Place) -> object:
    try:
        return value_at(files[where.file], where.place)
    except KeyError:
        return _ABSENT

"""Find the causes that a set of codes names, and the leg of each."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import DVT
from cds_service.clinical.reading.places import Place
from cds_service.clinical.record import Side


def diagnosed(uses: Iterable[CodeUse], place: Place) -> list[tuple[str, Side]]:
    """Return (cause, side) for each cause that ``uses`` name; a broader code counts only at a place that narrows it."""
    sides: dict[str, Side] = {}
    for use in uses:
        if use.kind != "cause" or use.status or use.relation == "question":
            continue
        if use.relation == "broader" and place.sites.isdisjoint(use.narrowed_by):
            continue
        side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
        if sides.get(use.key, Side.UNKNOWN) is Side.UNKNOWN:
            sides[use.key] = side
    return list(sides.items())


def contradicts_place(uses: Iterable[CodeUse], place: Place, cause: str) -> bool:
    """Whether a code of ``cause`` names another leg than the place."""
    sides = [Side(use.side) for use in uses if use.kind == "cause" and use.key == cause and use.side]
    return any(place.side_with(side) is None for side in sides)


def dvt_of_unstated_place(uses: Iterable[CodeUse], place: Place) -> bool:
    """Whether a DVT is coded without a vein or limb. It is then at least a suspicion of DVT of the leg.

    An unstated place counts towards DVT (evidence F.3, "Site").
    """
    named = [use for use in uses if use.kind == "cause" and use.key == DVT]
    return bool(named) and all(use.relation == "broader" for use in named) and not place.stated

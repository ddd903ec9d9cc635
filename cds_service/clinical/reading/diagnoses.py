"""Which causes a set of codes names, and for which leg."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import DVT
from cds_service.clinical.reading.places import Place
from cds_service.clinical.record import Side


def diagnosed(uses: Iterable[CodeUse], place: Place) -> list[tuple[str, Side]]:
    """(cause, side) for every cause that ``uses`` name at ``place``: a broader code only where a place narrows it."""
    found: dict[str, Side] = {}
    for use in uses:
        if use.kind != "cause" or use.status or use.relation == "question":
            continue
        if use.relation == "broader" and place.sites.isdisjoint(use.narrowed_by):
            continue
        side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
        if found.get(use.key, Side.UNKNOWN) is Side.UNKNOWN:
            found[use.key] = side
    return list(found.items())


def contradicts_place(uses: Iterable[CodeUse], place: Place, cause: str) -> bool:
    """Whether a code of ``cause`` names another leg than its place does."""
    sides = [Side(use.side) for use in uses if use.kind == "cause" and use.key == cause and use.side]
    return any(place.side_with(side) is None for side in sides)


def dvt_of_unstated_place(uses: Iterable[CodeUse], place: Place) -> bool:
    """Whether a DVT is coded without saying of which vein or limb: at least a suspicion of DVT of the leg.

    An unstated place counts towards DVT (evidence F.3, "Site").
    """
    named = [use for use in uses if use.kind == "cause" and use.key == DVT]
    return bool(named) and all(use.relation == "broader" for use in named) and not place.stated

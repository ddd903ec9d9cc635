"""The two-level Wells score of one leg, as a range (evidence C.1)."""

from __future__ import annotations

from cds_service.clinical.assessment import Wells, WellsRead
from cds_service.clinical.content.models import WellsItem
from cds_service.clinical.leg import Leg
from cds_service.clinical.record import Fact, Status


def wells_of(leg: Leg) -> Wells:
    """Return the Wells score as a range.

    Item 10 counts only when a clinician states it; it is never inferred (evidence C.1).
    """
    items = tuple(_read_item(leg, item) for item in leg.content.pathway.items)
    least = sum(item.points for item in items if item.status is Status.PRESENT)
    most = least + sum(item.points for item in items if item.status is Status.UNKNOWN and item.points > 0)
    return Wells(items, least, most)


def _read_item(leg: Leg, item: WellsItem) -> WellsRead:
    present = next((fact for key in item.any if (fact := leg.present(key))), None)
    if present and item.points < 0:
        # Points are subtracted only for an explicit, dated, final statement about this leg.
        stated, present = present, next((f for key in item.any for f in leg.all_of(key) if _asserts(leg, f)), None)
        if present is None:
            return WellsRead(item.number, item.name, item.points, Status.UNKNOWN, stated, item.any, item.examine)
    unknown = tuple(key for key in item.any if leg.status(key) is Status.UNKNOWN)
    if present:
        return WellsRead(item.number, item.name, item.points, Status.PRESENT, present, (), item.examine)
    if unknown:
        return WellsRead(item.number, item.name, item.points, Status.UNKNOWN, None, unknown, item.examine)
    denied = leg.absent(item.any[0])
    return WellsRead(item.number, item.name, item.points, Status.ABSENT, denied, (), item.examine)


def _asserts(leg: Leg, fact: Fact) -> bool:
    return fact.status is Status.PRESENT and leg.is_sure(fact) and not leg.doubts.forbid_closing

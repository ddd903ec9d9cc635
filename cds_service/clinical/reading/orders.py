"""ServiceRequests: what has already been ordered."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import place_of, uses_of
from cds_service.clinical.record import PlacedOrder, Side

_PLACED = frozenset({"active", "on-hold", "completed"})
_ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})


def read(model: Any, name: str, findings: Findings) -> None:
    """An order that stands. Drafts, proposals, plans and revoked orders have not been placed."""
    content = findings.content
    if model.status not in _PLACED or model.intent not in _ORDERED or model.doNotPerform:
        findings.leave_out("ServiceRequest", model.status, model.intent)
        return
    concepts = [model.code, *(model.orderDetail or ())]
    place = place_of(content, model.bodySite or ())
    when = findings.when(model.authoredOn, name)
    if when is None and model.occurrenceDateTime is not None:
        when = findings.when(model.occurrenceDateTime, name)
    reasons = frozenset(
        use.key
        for concept in model.reasonCode or ()
        for use in uses_of(content, concept)
        if use.kind in ("cause", "finding")
    )
    found: dict[str, Side] = {}
    for concept in concepts:
        for use in uses_of(content, concept):
            if use.kind == "order":
                side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
                if found.get(use.key, Side.UNKNOWN) is Side.UNKNOWN:
                    found[use.key] = side
    for order, side in found.items():
        findings.orders.append(PlacedOrder(order, side, model.status == "completed", when, name, reasons))

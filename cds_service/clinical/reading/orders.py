"""ServiceRequests: what has already been ordered, and the suspicion of DVT that is its reason."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.content.names import DVT, SUSPECTED_DVT, SUSPICION
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, codings, uses_of
from cds_service.clinical.reading.statements import Statement, Trouble, lost_side
from cds_service.clinical.record import PlacedOrder, Side, Status, UnreadKind, When

_PLACED = frozenset({"active", "on-hold", "completed"})
_STANDING = frozenset({"active", "on-hold"})
_PLANNED = frozenset({"plan", "directive"})
"""Intents of what nobody has ordered yet, and whose reason stands all the same. A proposal may be a card's own."""
_ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})


def read(model: Any, name: str, findings: Findings) -> None:
    """An order that stands. Drafts, proposals, plans and revoked orders have not been placed."""
    content = findings.content
    if model.status in _STANDING and model.intent in _PLANNED and not model.doNotPerform:
        _read_suspicion(model, name, findings.places.of(model), findings.when(model.authoredOn, name), findings)
    if model.status not in _PLACED or model.intent not in _ORDERED or model.doNotPerform:
        findings.leave_out("ServiceRequest", model.status, model.intent)
        return
    concepts = [model.code, *(model.orderDetail or ())]
    place = findings.places.of(model)
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
        findings.orders.append(
            PlacedOrder(order, side, model.status == "active", model.status == "completed", when, name, reasons)
        )
    _read_suspicion(model, name, place, when, findings)
    if not found.keys().isdisjoint(content.dvt_orders) and not reasons:
        _tell_unknown_reason(model, name, findings)


def _tell_unknown_reason(model: Any, name: str, findings: Findings) -> None:
    """A test for DVT whose reason is in a system that is not known: it may be the suspicion of one."""
    content = findings.content
    listed = [list(codings(concept)) for concept in model.reasonCode or ()]
    if any(one and not any(content.identifies(system, code) for system, code in one) for one in listed):
        reason = "has a reason in a coding system that this service does not know"
        findings.report(name, [Trouble(UnreadKind.SYSTEM, reason, (DVT,))])


def _read_suspicion(model: Any, name: str, place: Place, when: When | None, findings: Findings) -> None:
    """An order whose reason is DVT states that somebody suspected it that day; that it still stands says no more."""
    content = findings.content
    uses = [use for concept in model.reasonCode or () for use in uses_of(content, concept)]
    for use in uses:
        if use.key in SUSPICION and use.kind in ("cause", "finding"):
            side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
            stated = [Statement(SUSPECTED_DVT, Status.PRESENT, side)]
            findings.report(name, lost_side(place, side, SUSPECTED_DVT))
            findings.add(stated, name, when, None)
            return

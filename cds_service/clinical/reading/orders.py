"""Read ServiceRequests: what was already ordered, and a suspicion of DVT given as the reason."""

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
"""Intents of something not yet ordered whose reason still counts. A proposal may come from one of our own cards."""
_ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})


def read(model: Any, name: str, findings: Findings) -> None:
    """Read a placed order into ``findings``. Drafts, proposals, plans and revoked orders were not placed."""
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
    sides: dict[str, Side] = {}
    for concept in concepts:
        for use in uses_of(content, concept):
            if use.kind == "order":
                side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
                if sides.get(use.key, Side.UNKNOWN) is Side.UNKNOWN:
                    sides[use.key] = side
    for order, side in sides.items():
        findings.orders.append(
            PlacedOrder(order, side, model.status == "active", model.status == "completed", when, name, reasons)
        )
    _read_suspicion(model, name, place, when, findings)
    if not sides.keys().isdisjoint(content.dvt_orders) and not reasons:
        _report_unknown_reason(model, name, findings)


def _report_unknown_reason(model: Any, name: str, findings: Findings) -> None:
    """Report a test for DVT whose reason is in an unknown coding system; the reason may be a suspicion of DVT."""
    content = findings.content
    listed = [list(codings(concept)) for concept in model.reasonCode or ()]
    if any(
        reason_codings and not any(content.identifies(system, code) for system, code in reason_codings)
        for reason_codings in listed
    ):
        reason = "has a reason in a coding system that this service does not know"
        findings.report(name, [Trouble(UnreadKind.SYSTEM, reason, (DVT,))])


def _read_suspicion(model: Any, name: str, place: Place, when: When | None, findings: Findings) -> None:
    """Read a suspicion from an order whose reason is DVT. It counts for that day only, even if the order is open."""
    content = findings.content
    uses = [use for concept in model.reasonCode or () for use in uses_of(content, concept)]
    for use in uses:
        if use.key in SUSPICION and use.kind in ("cause", "finding"):
            side = place.side_with(Side(use.side) if use.side else None) or Side.UNKNOWN
            stated = [Statement(SUSPECTED_DVT, Status.PRESENT, side)]
            findings.report(name, lost_side(place, side, SUSPECTED_DVT))
            findings.add(stated, name, when, None)
            return

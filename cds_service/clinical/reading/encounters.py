"""Read Encounters: the reason for the visit, where many records state the complaint."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.content.names import DVT
from cds_service.clinical.reading.dates import FutureDate
from cds_service.clinical.reading.diagnoses import diagnosed, dvt_of_unstated_place
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import uses_of
from cds_service.clinical.reading.statements import meant, state
from cds_service.clinical.reading.statuses import NEVER_HAPPENED
from cds_service.clinical.record import Side, Status, When

_STATED = frozenset({"symptom", "sign", "history"})
"""Kinds of findings that a reason can state; a reason is never a result."""
_BEGUN = frozenset({"arrived", "triaged", "in-progress", "onleave", "finished"})
"""Statuses of a visit that has begun. Before that, a birth or operation given as the reason is in the future."""


def read(model: Any, name: str, findings: Findings) -> None:
    """Read the coded reasons of one validated Encounter. A diagnosis as a reason is a suspicion, not a finding."""
    if model.status in NEVER_HAPPENED:
        findings.leave_out("Encounter", model.status)
        return
    content = findings.content
    began = _began(model, findings)
    for concept in model.reasonCode or ():
        uses = uses_of(content, concept)
        place = findings.places.of_code(concept)
        held = meant(content, uses, place, answered=False)
        kinds = _STATED | {"risk"} if model.status in _BEGUN else _STATED
        stated = [use for use in held if content.findings[use.key].kind in kinds]
        if len(stated) < len(held):
            findings.set_aside.append("Encounter reason that states no finding")
        statements, troubles = state(content, stated, place, Status.PRESENT)
        findings.report(name, troubles)
        findings.add(statements, name, began, None)
        causes = diagnosed([use for use in uses if use.kind == "cause"], place)
        if dvt_of_unstated_place(uses, place) and not any(cause == DVT for cause, _ in causes):
            causes.append((DVT, place.side_with(None) or Side.UNKNOWN))
        for cause, side in causes:
            findings.diagnose(cause, side or Side.UNKNOWN, began, None, name, possible=True)


def _began(model: Any, findings: Findings) -> When | None:
    """Return when the visit began; None if it is in the future. Its reason still counts."""
    start = model.period.start if model.period is not None else None
    try:
        return findings.dated(start)
    except FutureDate:
        return None

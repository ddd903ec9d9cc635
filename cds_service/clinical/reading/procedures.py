"""Read Procedures: operations, joint replacements, chemotherapy."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import uses_of
from cds_service.clinical.reading.statements import Trouble, lost_place, meant, state
from cds_service.clinical.record import Status, UnreadKind, When


def read(model: Any, name: str, findings: Findings) -> None:
    """Read one validated Procedure into ``findings``. One that was not done does not exclude another."""
    if model.status not in ("completed", "in-progress"):
        findings.leave_out("Procedure", model.status)
        return
    content = findings.content
    place = findings.places.of(model).joined(findings.places.of_code(model.code))
    uses = [*uses_of(content, model.code), *uses_of(content, model.category)]
    held = meant(content, uses, place, answered=False)
    findings.report(name, lost_place(uses, held, place))
    performed = _performed(model, name, findings)
    if performed is None:
        dated = [use for use in held if content.findings[use.key].recency is not None]
        if dated:
            keys = tuple(sorted({use.key for use in dated}))
            findings.report(name, [Trouble(UnreadKind.DATE, "has no date, so it cannot count as recent", keys)])
        held = [use for use in held if use not in dated]
    statements, troubles = state(content, held, place, Status.PRESENT)
    findings.report(name, troubles)
    findings.add(statements, name, performed, None)


def _performed(model: Any, name: str, findings: Findings) -> When | None:
    value = model.performedDateTime
    if value is None and model.performedPeriod is not None:
        value = model.performedPeriod.end or model.performedPeriod.start
    return findings.when(value, name)

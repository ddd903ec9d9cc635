"""Read DiagnosticReports: coded conclusions, for example of a scan. Listed results are separate rows."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.content.names import DVT
from cds_service.clinical.reading.diagnoses import diagnosed, dvt_of_unstated_place
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import uses_of
from cds_service.clinical.reading.statements import Trouble, lost_place, lost_side, meant, state
from cds_service.clinical.reading.statuses import NEVER_HAPPENED
from cds_service.clinical.record import Side, Status, UnreadKind, When

_EARLY = frozenset({"registered", "partial", "preliminary", "unknown"})


def read(model: Any, name: str, findings: Findings) -> None:
    """Read the coded conclusions of one validated DiagnosticReport into ``findings``."""
    if model.status in NEVER_HAPPENED:
        findings.leave_out("DiagnosticReport", model.status)
        return
    content = findings.content
    when = _effective(model, name, findings)
    recorded = findings.when(model.issued, name)
    early = model.status in _EARLY
    about = findings.places.of(model).joined(findings.places.of_code(model.code))
    understood = False
    for concept in model.conclusionCode or ():
        place = about.joined(findings.places.of_code(concept))
        uses = uses_of(content, concept)
        held = meant(content, uses, place, answered=True)
        statements, troubles = state(content, held, place, Status.PRESENT)
        findings.report(name, [*troubles, *lost_place(uses, held, place)])
        findings.add(statements, name, when, recorded, provisional=early)
        causes = diagnosed([use for use in uses if use.kind == "cause"], place)
        # A DVT without a stated vein or limb is at least a suspicion (evidence F.3, "Site").
        unstated = dvt_of_unstated_place(uses, place) and not any(cause == DVT for cause, _ in causes)
        causes += [(DVT, place.side_with(None) or Side.UNKNOWN)] if unstated else []
        for cause, side in causes:
            findings.diagnose(cause, side, when, recorded, name, possible=early or (unstated and cause == DVT))
            findings.report(name, lost_side(place, side, cause))
            if side is Side.UNKNOWN and not place.why_lost(side):
                findings.report(name, [Trouble(UnreadKind.SIDE, "does not say which leg it is about", (cause,))])
        understood = understood or bool(statements or causes)
    if not understood and (model.conclusionCode or model.conclusion or model.presentedForm):
        reason = "its conclusion is not coded in a way that this service knows"
        findings.report(name, [Trouble(UnreadKind.VALUE, reason, _subject_matter(model, findings))])


def _subject_matter(model: Any, findings: Findings) -> tuple[str, ...]:
    """Return what the report is about: the keys of its code, or DVT if it is an order of the DVT pathway."""
    content = findings.content
    uses = uses_of(content, model.code)
    named = {use.key for use in uses if use.kind in ("finding", "cause")}
    named |= {content.measures[use.key].finding for use in uses if use.kind == "measure"}
    if any(use.kind == "order" and use.key in content.dvt_orders for use in uses):
        named.add(DVT)
    return tuple(sorted(named))


def _effective(model: Any, name: str, findings: Findings) -> When | None:
    period = model.effectivePeriod
    value = model.effectiveDateTime or (period.end or period.start if period is not None else None)
    return findings.when(value, name)

"""How urgent an open suspicion of DVT is (evidence C.6; C.8 for old signs only)."""

from __future__ import annotations

from typing import Literal

from cds_service.clinical.assessment import Wells
from cds_service.clinical.dvt.suspicion import Opening
from cds_service.clinical.leg import Leg
from cds_service.clinical.record import Fact


def level_of(
    leg: Leg,
    opening: Opening,
    wells: Wells | None,
    *,
    pregnant: Fact | None,
    cancer: Fact | None,
    injecting: Fact | None,
) -> tuple[Literal["critical", "warning"], str]:
    """Return the level of an open suspicion and the reason in plain words."""
    critical_at = leg.content.pathway.critical_at
    fresh_keys = {fact.key for fact in opening.fresh}
    if opening.untreated:
        return "critical", "a DVT is recorded and not certainly treated"
    if pregnant:
        return "critical", "pregnant or within 6 weeks after delivery"
    if injecting:
        return "critical", "injecting drug use"
    if cancer and fresh_keys:
        return "critical", "active cancer and a local sign"
    if wells is None:
        return "critical", "the Wells score does not apply"
    if wells.least >= critical_at:
        return "critical", "Wells score is in the likely range on recorded items alone"
    if opening.only_stale:
        return "warning", "an unresolved sign that is more than two weeks old"
    if not wells.complete and wells.most >= critical_at:
        signs = _signs(leg, opening.fresh)
        scored = any(item.points > 0 and not is_soft(leg, item.fact) for item in wells.scored)
        if scored or signs >= 2 or (fresh_keys and _any_risk(leg)):
            return "critical", "Wells score is incomplete and can still reach the likely range"
    if opening.by_minor_risk and not fresh_keys:
        return "warning", "new pain and a risk that the Wells score does not ask for"
    return "warning", "Wells score is low, or one soft sign stands alone"


def _signs(leg: Leg, fresh: tuple[Fact, ...]) -> int:
    """Count the signs. Signs from one entry or of one process count once."""
    entries: set[str] = set()
    kinds: set[str] = set()
    for fact in fresh:
        kind = leg.content.findings[fact.key].dvt.process or fact.key
        if fact.source not in entries and kind not in kinds:
            entries.add(fact.source)
            kinds.add(kind)
    return len(kinds)


def is_soft(leg: Leg, fact: Fact | None) -> bool:
    """Whether this is a sign that alone does not make a card critical."""
    return fact is not None and leg.content.findings[fact.key].dvt.soft


def _any_risk(leg: Leg) -> bool:
    return any(leg.content.findings[key].dvt.risk and leg.present(key) for key in leg.recorded())

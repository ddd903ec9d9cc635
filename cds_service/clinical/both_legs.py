"""Detect swelling of both legs that heart failure or a medicine explains: information, not a warning.

This lowers urgency, so it needs proof. The explanation must be dated, final and understood; every entry that could
contradict it must have been read; neither leg may be worse than the other; and no clotting risk or other urgent finding
may be recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.clinical.content.names import PE_SYMPTOMS, PHLEGMASIA
from cds_service.clinical.leg import Leg, counts_on, in_window
from cds_service.clinical.record import Fact, Side, Status

_LEGS = (Side.RIGHT, Side.LEFT)


def swollen_alike(leg: Leg, signs: Sequence[Fact]) -> bool:
    """Whether ``signs`` are only a swelling of both legs that a recorded finding explains.

    ``signs``: all signs that open the suspicion of DVT.
    """
    findings, doubts = leg.content.findings, leg.doubts
    if not signs or doubts.forbid_closing or doubts.risks or doubts.signs:
        return False
    keys = {fact.key for fact in signs}
    if not all(findings[key].dvt.may_be_of_both and _is_of_both(leg, key) for key in keys):
        return False
    if _has_risk(leg) or leg.present(PE_SYMPTOMS) or leg.present(PHLEGMASIA) or _one_leg_hurts(leg):
        return False
    explained_by = leg.content.pathway.swollen_alike.explained_by
    return any(_is_proof(leg, fact) for key in explained_by for fact in leg.all_of(key))


def _is_proof(leg: Leg, fact: Fact) -> bool:
    """Whether the fact is present, dated, final, fully understood and current. Only such a fact may lower urgency."""
    if fact.status is not Status.PRESENT or fact.when is None or fact.ahead or fact.provisional or fact.doubtful:
        return False
    return counts_on(leg.content, fact, None, leg.today)


def _has_risk(leg: Leg) -> bool:
    return any(leg.content.findings[key].dvt.risk and leg.present(key) for key in leg.recorded())


def _one_leg_hurts(leg: Leg) -> bool:
    """Whether a complaint is recorded that does not certainly concern both legs."""
    findings = leg.content.findings
    felt = {fact.key for fact in leg.facts if findings[fact.key].complaint and _is_current(leg, fact)}
    return any(not _is_of_both(leg, key) for key in felt)


def _is_of_both(leg: Leg, key: str) -> bool:
    sides = {fact.side for fact in leg.facts if fact.key == key and _is_current(leg, fact)}
    return sides == {Side.BOTH} or (sides.issuperset(_LEGS) and sides <= {*_LEGS, Side.BOTH})


def _is_current(leg: Leg, fact: Fact) -> bool:
    return fact.status is Status.PRESENT and in_window(fact, leg.content.pathway.stale_sign.days, leg.today)

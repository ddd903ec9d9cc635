"""The DVT pathway: whether DVT is suspected, how urgent it is, and what is not recorded (evidence section C).

The suspicion is decided first and does not use the Wells score; the score does not use our own differential. While a
suspicion is open, only what evidence C.6 names may lower its level (the floor rule).
"""

from __future__ import annotations

from datetime import timedelta

from cds_service.clinical.assessment import ClosingKind, DvtVerdict, Wells
from cds_service.clinical.both_legs import swollen_alike
from cds_service.clinical.content.names import (
    ANTICOAGULANT,
    CANCER,
    D_DIMER,
    INJECTING,
    ISCHAEMIA,
    PE_SYMPTOMS,
    PHLEGMASIA,
)
from cds_service.clinical.content.texts import Message, Texts
from cds_service.clinical.dvt.exclusion import (
    closing_of,
    notes_on_tests,
    scan_to_repeat,
    taking_anticoagulant,
)
from cds_service.clinical.dvt.suspicion import Opening, opening_of, pains_for_any_risk, pregnancy_of
from cds_service.clinical.dvt.urgency import is_soft, level_of
from cds_service.clinical.dvt.wells import wells_of
from cds_service.clinical.leg import Leg
from cds_service.clinical.red_flags import holds


def judge(leg: Leg, *, adult: bool) -> DvtVerdict:
    """Return the DVT verdict for one leg."""
    pathway = leg.content.pathway
    pregnant = pregnancy_of(leg)
    wells = wells_of(leg) if adult and pregnant is None else None
    proof = closing_of(leg, wells, pregnant=pregnant is not None)
    closing = None if leg.doubts.forbid_closing else proof
    opening = opening_of(leg, closing)
    unanswered = opening_of(leg, None) if closing else opening
    alike = opening.rests_on_signs_only and swollen_alike(leg, (*opening.fresh, *opening.stale))
    opened = opening.is_open and not alike
    would_close = proof is not None and closing is None and opened and not opening_of(leg, proof).is_open
    cancer, injecting = leg.present(CANCER), leg.present(INJECTING)
    level, why = None, ""
    if opened:
        level, why = level_of(leg, opening, wells, pregnant=pregnant, cancer=cancer, injecting=injecting)
    closed_by = pathway.swollen_alike.words if alike else ""
    if closing and unanswered.is_open and not opened and not alike:
        closed_by = closed_words(leg.content.texts, closing.kind)
    notes = notes_on_tests(leg, pathway.repeat_scan_after.days, pathway.repeat_scan_before.days) if opened else ()
    emergency = opened and bool(leg.present(PE_SYMPTOMS) or leg.present(PHLEGMASIA) or _ischaemic(leg))
    return DvtVerdict(
        side=leg.side,
        suspected=opened,
        level="critical" if emergency else level,
        emergency=emergency,
        opened_by=opening.facts,
        complaints=opening.complaints,
        new_pain=opening.new_pain,
        any_risk_opens=bool(pains_for_any_risk(leg, opening.new_pain)),
        unresolved=opening.stale,
        wells=wells,
        pregnant=pregnant,
        anticoagulant=leg.present(ANTICOAGULANT),
        anticoagulated=taking_anticoagulant(leg, None),
        cancer=cancer,
        injecting=injecting,
        raised_d_dimer=leg.present(D_DIMER, pathway.test_valid.days),
        recorded_dvt=opening.untreated,
        only_stale=opening.only_stale,
        closed_by=closed_by,
        swollen_alike=tuple(dict.fromkeys((*opening.fresh, *opening.stale))) if alike else (),
        not_closed_by=proof.kind if would_close and proof else None,
        scan_only=leg.present(ANTICOAGULANT) is not None or _is_long_standing(leg, opening),
        soft_alone=level == "warning" and bool(opening.fresh) and all(is_soft(leg, fact) for fact in opening.fresh),
        awaits_repeat=not emergency and _awaits_repeat(leg, opening, wells),
        notes=notes,
        why_level=why,
    )


def closed_words(texts: Texts, kind: ClosingKind) -> str:
    """Return the reason for closing a suspicion, in words for a clinician."""
    message: Message = getattr(texts.dvt.closed, kind)
    return message.fill()


def _is_long_standing(leg: Leg, opening: Opening) -> bool:
    """Whether all pain certainly began too long ago for a D-dimer to help."""
    limit = leg.content.pathway.no_d_dimer_after.days
    pains = [fact for fact in opening.complaints if leg.content.findings[fact.key].kind == "symptom"]
    return bool(pains) and all(fact.when is not None and (leg.today - fact.when.day).days > limit for fact in pains)


def _awaits_repeat(leg: Leg, opening: Opening, wells: Wells | None) -> bool:
    """Whether the scan is to be repeated, but not yet: it was negative, the D-dimer is raised, the score is likely.

    NICE stops interim anticoagulation then and repeats the scan after 6 to 8 days (evidence C.2). Everything that opens
    the suspicion must be surely older than the scan, as for a closing.
    """
    scan = scan_to_repeat(leg)
    if scan is None or wells is None or wells.least < leg.content.pathway.critical_at or opening.untreated:
        return False
    due = scan.when.earliest + timedelta(days=leg.content.pathway.repeat_scan_after.days)
    return leg.today < due and not leg.doubts.forbid_closing and not opening_of(leg, scan).is_open


def _ischaemic(leg: Leg) -> bool:
    """Whether the red-flag rules for an ischaemic foot hold."""
    rules = [flag for flag in leg.content.red_flags.values() if flag.cause in ISCHAEMIA and flag.speed == "now"]
    return any(holds(flag.when, leg, {})[0] for flag in rules)

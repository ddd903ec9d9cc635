"""What closes a suspicion of DVT, and what re-opens it (evidence C.2, C.4, C.6).

Everything here could lower urgency, so it reads only what is dated, final and surely about this leg.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.clinical.assessment import Wells
from cds_service.clinical.leg import Leg, in_window
from cds_service.clinical.names import ANTICOAGULANT, CANCER, D_DIMER, DVT, INJECTING, PE_SYMPTOMS, SCAN
from cds_service.clinical.record import DiagnosisState, Side, Status

PAIN = ("posterior", "leg")
"""Complaints of pain behind the knee, in the calf, or in the leg without a place: an unstated place counts (F.3)."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What answers the signs recorded up to ``day``, in our words."""

    day: date
    words: str


def closing_of(leg: Leg, wells: Wells | None, *, pregnant: bool) -> Closing | None:
    """The latest thing that closes a suspicion, unless a risk that is newer re-opens it (C.6)."""
    candidates = [one for one in (_treated(leg), _dismissed(leg), _tests(leg, wells, pregnant=pregnant)) if one]
    if not candidates:
        return None
    latest = max(candidates, key=lambda one: one.day)
    for key in leg.recorded():
        finding = leg.content.findings[key]
        if finding.dvt.risk or finding.complaint in PAIN or key == PE_SYMPTOMS:
            fact = leg.present(key)
            if fact and fact.clinical and fact.clinical.day > latest.day:
                return None  # new or worse symptoms, or a new risk, re-open it
    return latest


def _treated(leg: Leg) -> Closing | None:
    """DVT confirmed and on an anticoagulant: quiet until symptoms are new or worse."""
    diagnosis = leg.diagnosis(DVT)
    scan = leg.present(SCAN)
    days = [one.when.earliest for one in (diagnosis, scan) if one and one.when]
    if not days or not taking_anticoagulant(leg, max(days)):
        return None
    return Closing(max(days), "DVT is recorded and treated; nothing new since")


def _dismissed(leg: Leg) -> Closing | None:
    """A clinician's refutation with its reason; without one it does not close (C.6)."""
    refuted = leg.diagnosis(DVT, DiagnosisState.REFUTED)
    day = refuted.recorded or refuted.clinical if refuted else None
    if refuted is None or not refuted.reasoned or day is None:
        return None
    return Closing(day.earliest, "a clinician has ruled DVT out and recorded why")


def _tests(leg: Leg, wells: Wells | None, *, pregnant: bool) -> Closing | None:
    """Scan and D-dimer negative; unlikely score and D-dimer negative; repeat scan negative (C.2, C.4, C.6)."""
    pathway = leg.content.pathway
    scans = _negative_days(leg, SCAN)
    d_dimers = _negative_days(leg, D_DIMER)
    if leg.present(SCAN, pathway.stale_sign.days):
        return None
    if leg.present(D_DIMER, pathway.test_valid.days):
        d_dimers = []  # a raised one beside it
    if _repeated(leg, scans):
        return Closing(scans[0], "the repeat scan was negative")
    if pregnant or leg.present(ANTICOAGULANT):
        return None
    if scans and d_dimers and abs((scans[0] - d_dimers[0]).days) <= pathway.test_valid.days:
        # Signs must be older than both; the day between taking the one and having the other is allowed.
        return Closing(min(scans[0], d_dimers[0] + timedelta(days=1)), "scan and D-dimer were negative")
    unlikely = wells is not None and wells.complete and wells.most <= pathway.excluded_by_d_dimer_at_most
    if d_dimers and unlikely and not leg.present(CANCER) and not leg.present(INJECTING):
        return Closing(d_dimers[0], "the Wells score is low and D-dimer was negative")
    return None


def _repeated(leg: Leg, scans: list[date]) -> bool:
    """Two negative scans about a week apart, the first of them after the episode had begun (C.2)."""
    if len(scans) < 2:
        return False
    pathway = leg.content.pathway
    begun = [
        fact.when.day
        for key in leg.recorded()
        for fact in leg.all_of(key)
        if fact.status is Status.PRESENT
        and fact.when
        and (leg.content.findings[key].dvt.local_sign or leg.content.findings[key].complaint in PAIN)
        and in_window(fact, pathway.stale_sign.days, leg.today)
    ]
    latest = scans[0]
    return any(
        pathway.repeat_scan_after.days <= (latest - first).days <= 2 * pathway.test_valid.days
        and (not begun or first >= min(begun))
        for first in scans[1:]
    )


def _negative_days(leg: Leg, key: str) -> list[date]:
    """Days of negative, final, dated results within the episode, the latest first."""
    limit = leg.content.pathway.stale_sign.days
    return sorted(
        {
            fact.when.earliest
            for fact in leg.all_of(key)
            if fact.status is Status.ABSENT
            and not fact.provisional
            and fact.when is not None
            and (leg.today - fact.when.earliest).days <= limit
            and leg.is_here(fact.side, unknown_counts=leg.side is Side.UNKNOWN)
        },
        reverse=True,
    )


def notes_on_tests(leg: Leg, after: int, before: int) -> tuple[str, ...]:
    notes = []
    scans = _negative_days(leg, SCAN)
    d_dimer = leg.present(D_DIMER)
    if scans and d_dimer:
        first, last = scans[0] + timedelta(days=after), scans[0] + timedelta(days=before)
        notes.append(
            f"Scan negative and D-dimer raised: repeat proximal scan due {first.isoformat()} to {last.isoformat()}."
        )
    elif scans:
        notes.append(f"A negative proximal scan of {scans[0].isoformat()} alone does not exclude DVT.")
    refuted = leg.diagnosis(DVT, DiagnosisState.REFUTED)
    if refuted and not refuted.reasoned:
        notes.append("DVT is recorded as refuted, without a reason.")
    return tuple(notes)


def taking_anticoagulant(leg: Leg, since: date | None) -> bool:
    """Whether an anticoagulant is being taken for a DVT of day ``since``: running, or stated after that day.

    A course that has ended, or that a later entry denies, treats nothing.
    """
    said = [fact for fact in leg.all_of(ANTICOAGULANT) if not fact.provisional]
    denied = max((f.when.day for f in said if f.when and f.status is Status.ABSENT), default=date.min)
    for fact in said:
        if fact.status is not Status.PRESENT:
            continue
        day = fact.when.day if fact.when else (leg.today if fact.ongoing and denied == date.min else date.min)
        is_medicine = fact.source.startswith("Medication")
        stated_since = fact.when is not None and not is_medicine and (since is None or fact.when.earliest >= since)
        if (fact.ongoing or stated_since) and day >= denied and day > date.min:
            return True
    return False

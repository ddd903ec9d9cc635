"""What closes a suspicion of DVT, and what re-opens it (evidence C.2, C.4, C.6). The one place that lists it.

Everything here could lower urgency, so it reads only proof: final by FHIR's own status list, wholly understood, of
this patient and surely of this leg, dated not later than now and later than the newest sign. And it may only be used
when every row that could contradict it was understood (``doubt``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.clinical.assessment import ClosingKind, Note, Wells
from cds_service.clinical.content.names import (
    ANTICOAGULANT,
    CALF_TENDERNESS,
    CANCER,
    D_DIMER,
    DVT,
    INJECTING,
    PE_SYMPTOMS,
    SCAN,
)
from cds_service.clinical.doubt import PAIN
from cds_service.clinical.leg import Leg, in_window
from cds_service.clinical.record import Diagnosis, DiagnosisState, Fact, Side, Status, When


@dataclass(frozen=True, slots=True)
class Closing:
    """What answers the signs recorded up to ``when``."""

    when: When
    kind: ClosingKind


def closing_of(leg: Leg, wells: Wells | None, *, pregnant: bool) -> Closing | None:
    """The latest thing that closes a suspicion, unless a risk that is newer re-opens it (C.6).

    Whether it may be used is another question: see ``Doubts.forbid_closing``.
    """
    candidates = [one for one in (_treated(leg), _dismissed(leg), _tests(leg, wells, pregnant=pregnant)) if one]
    if not candidates:
        return None
    latest = max(candidates, key=lambda one: one.when.earliest)
    for key in leg.recorded():
        finding = leg.content.findings[key]
        if finding.dvt.risk or finding.complaint in PAIN or key in (PE_SYMPTOMS, CALF_TENDERNESS):
            fact = leg.present(key)
            if fact and fact.clinical and fact.clinical.may_be_after(latest.when):
                return None  # new or worse symptoms, or a new risk, re-open it; a tender calf may be tender veins
    return latest


def _treated(leg: Leg) -> Closing | None:
    """DVT confirmed and on an anticoagulant: quiet until symptoms are new or worse."""
    known = [one for one in (leg.diagnosis(DVT), leg.present(SCAN)) if one and _is_proof(one)]
    latest = max((one.when for one in known if one.when), key=lambda when: when.earliest, default=None)
    if latest is None or not taking_anticoagulant(leg, latest.earliest):
        return None
    return Closing(latest, "treated")


def _is_proof(one: Fact | Diagnosis) -> bool:
    """Dated, not later than now, and with nothing in its entry that was not understood."""
    return one.when is not None and not one.ahead and not one.doubtful


def _dismissed(leg: Leg) -> Closing | None:
    """A clinician's refutation with its reason; without one it does not close (C.6)."""
    refuted = leg.diagnosis(DVT, DiagnosisState.REFUTED)
    when = refuted.recorded or refuted.clinical if refuted else None
    if refuted is None or not refuted.reasoned or refuted.limit or refuted.doubtful or when is None or refuted.ahead:
        return None
    return Closing(when, "dismissed")


def _tests(leg: Leg, wells: Wells | None, *, pregnant: bool) -> Closing | None:
    """Scan and D-dimer negative; unlikely score and D-dimer negative; repeat scan negative (C.2, C.4, C.6)."""
    pathway = leg.content.pathway
    scans = _negatives(leg, SCAN)
    d_dimers = _negatives(leg, D_DIMER)
    if leg.present(SCAN, pathway.stale_sign.days):
        return None
    if leg.present(D_DIMER, pathway.test_valid.days):
        d_dimers = []  # a raised one beside it
    if _repeated(leg, scans):
        return Closing(scans[0], "repeat_scan")
    if pregnant or leg.present(ANTICOAGULANT):
        return None
    if scans and d_dimers and _days_between(scans[0], d_dimers[0]) <= pathway.test_valid.days:
        return Closing(_both(scans[0], d_dimers[0]), "scan_and_d_dimer")
    unlikely = wells is not None and wells.complete and wells.most <= pathway.excluded_by_d_dimer_at_most
    if d_dimers and unlikely and not leg.present(CANCER) and not leg.present(INJECTING):
        return Closing(d_dimers[0], "score_and_d_dimer")
    return None


def _days_between(one: When, other: When) -> int:
    return abs((one.earliest - other.earliest).days)


def _both(scan: When, d_dimer: When) -> When:
    """Signs must be older than both; the day between taking the one and having the other is allowed."""
    day_after = d_dimer.earliest + timedelta(days=1)
    return scan if scan.earliest <= day_after else When(day_after, day_after.isoformat(), day_after)


def _repeated(leg: Leg, scans: list[When]) -> bool:
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
        pathway.repeat_scan_after.days <= (latest.earliest - first.earliest).days <= 2 * pathway.test_valid.days
        and (not begun or first.earliest >= min(begun))
        for first in scans[1:]
    )


def _negatives(leg: Leg, key: str) -> list[When]:
    """When negative, final, dated results within the episode were had, the latest first, each day once."""
    limit = leg.content.pathway.stale_sign.days
    found: dict[date, When] = {}
    for fact in leg.all_of(key):
        if (
            fact.status is Status.ABSENT
            and not fact.provisional
            and not fact.doubtful
            and fact.when is not None
            and not fact.ahead
            and (leg.today - fact.when.earliest).days <= limit
            and leg.is_here(fact.side, unknown_counts=leg.side is Side.UNKNOWN)
        ):
            earlier = found.get(fact.when.earliest)
            if earlier is None or fact.when.is_surely_after(earlier):
                found[fact.when.earliest] = fact.when
    return [found[day] for day in sorted(found, reverse=True)]


def notes_on_tests(leg: Leg, after: int, before: int) -> tuple[Note, ...]:
    """What the reader must know of tests and refutations that close nothing."""
    notes = []
    scans = [when.earliest for when in _negatives(leg, SCAN)]
    if scans and leg.present(D_DIMER):
        days = (scans[0] + timedelta(days=after), scans[0] + timedelta(days=before))
        notes.append(Note("repeat_scan_due", days))
    elif scans:
        notes.append(Note("one_scan", (scans[0],)))
    refuted = leg.diagnosis(DVT, DiagnosisState.REFUTED)
    if refuted and not refuted.reasoned:
        notes.append(Note("refuted"))
    elif refuted and refuted.limit:
        notes.append(Note(refuted.limit))
    return tuple(notes)


def taking_anticoagulant(leg: Leg, since: date | None) -> bool:
    """Whether an anticoagulant is surely being taken for a DVT of day ``since``: running, or stated after that day.

    A course that has ended, or that a later entry denies or stops, treats nothing (see ``reading.courses``).
    """
    said = [fact for fact in leg.all_of(ANTICOAGULANT) if not fact.provisional]
    denials = [fact for fact in said if fact.status is Status.ABSENT]
    return any(_treats(fact, since) and not any(_may_deny(denial, fact) for denial in denials) for fact in said)


def _treats(fact: Fact, since: date | None) -> bool:
    if fact.status is not Status.PRESENT or fact.doubtful or fact.ahead:
        return False
    if fact.ongoing:
        return True
    is_medicine = fact.source.startswith("Medication")
    return fact.when is not None and not is_medicine and (since is None or fact.when.earliest >= since)


def _may_deny(denial: Fact, fact: Fact) -> bool:
    """Whether ``denial`` may be newer; on one day without times, what was stated and denied is not sure."""
    if denial.when is None or fact.when is None:
        return True
    return not fact.when.is_surely_after(denial.when) and denial.when.day >= fact.when.earliest

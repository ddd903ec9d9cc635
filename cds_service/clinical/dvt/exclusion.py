"""What closes a suspicion of DVT, and what re-opens it (evidence C.2, C.4, C.6).

All closing rules are in this module. They could lower urgency, so they accept only proof: a final status, fully
understood, certainly about this patient and this leg, dated, not in the future, and later than the newest sign. A
closing may be used only if every row that could contradict it was understood (see ``doubt``).
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
    """A result that answers the signs recorded up to ``when``."""

    when: When
    kind: ClosingKind


def closing_of(leg: Leg, wells: Wells | None, *, pregnant: bool) -> Closing | None:
    """Return the latest result that closes a suspicion, or None if there is none or a newer risk re-opens it (C.6).

    The caller must also check ``Doubts.forbid_closing``.
    """
    candidates = [
        closing for closing in (_treated(leg), _dismissed(leg), _tests(leg, wells, pregnant=pregnant)) if closing
    ]
    if not candidates:
        return None
    latest = max(candidates, key=lambda closing: closing.when.earliest)
    return None if _is_reopened(leg, latest.when) else latest


def _is_reopened(leg: Leg, when: When) -> bool:
    """Whether symptoms or a risk may be newer than ``when``; a tender calf may be tender veins (C.6)."""
    for key in leg.recorded():
        finding = leg.content.findings[key]
        if finding.dvt.risk or finding.complaint in PAIN or key in (PE_SYMPTOMS, CALF_TENDERNESS):
            fact = leg.present(key)
            if fact and fact.clinical and fact.clinical.may_be_after(when):
                return True
    return False


def scan_to_repeat(leg: Leg) -> Closing | None:
    """Return the latest negative scan, if a raised D-dimer asks for another one and nothing is newer (evidence C.2).

    It closes nothing. But what is to be done waits for the second scan, so it needs the same proof as a closing.
    """
    raised, scans = leg.present(D_DIMER, leg.content.pathway.test_valid.days), _negatives(leg, SCAN)
    if not scans or raised is None or raised.provisional or not _is_proof(raised):
        return None
    if leg.present(ANTICOAGULANT) or leg.present(INJECTING) or leg.present(SCAN) or _is_reopened(leg, scans[0]):
        return None
    return Closing(scans[0], "repeat_scan")


def _treated(leg: Leg) -> Closing | None:
    """Return a closing if DVT is confirmed and treated. Only new or worse symptoms re-open it."""
    known = [proof for proof in (leg.diagnosis(DVT), leg.present(SCAN)) if proof and _is_proof(proof)]
    latest = max((proof.when for proof in known if proof.when), key=lambda when: when.earliest, default=None)
    if latest is None or not taking_anticoagulant(leg, latest.earliest):
        return None
    return Closing(latest, "treated")


def _is_proof(entry: Fact | Diagnosis) -> bool:
    """Whether the entry is dated, not in the future, and fully understood."""
    return entry.when is not None and not entry.ahead and not entry.doubtful


def _dismissed(leg: Leg) -> Closing | None:
    """Return a closing if a clinician refuted DVT and gave a reason. Without a reason it does not close (C.6)."""
    refuted = leg.diagnosis(DVT, DiagnosisState.REFUTED)
    when = refuted.recorded or refuted.clinical if refuted else None
    if refuted is None or not refuted.reasoned or refuted.limit or refuted.doubtful or when is None or refuted.ahead:
        return None
    return Closing(when, "dismissed")


def _tests(leg: Leg, wells: Wells | None, *, pregnant: bool) -> Closing | None:
    """Return a closing based on tests (evidence C.2, C.4, C.6).

    Either scan and D-dimer are negative, or the score is "unlikely" and the D-dimer is negative, or a repeat scan is
    negative.
    """
    pathway = leg.content.pathway
    scans = _negatives(leg, SCAN)
    d_dimers = _negatives(leg, D_DIMER)
    if leg.present(SCAN, pathway.stale_sign.days):
        return None
    if leg.present(D_DIMER, pathway.test_valid.days):
        d_dimers = []  # there is also a raised one
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


def _days_between(first: When, second: When) -> int:
    return abs((first.earliest - second.earliest).days)


def _both(scan: When, d_dimer: When) -> When:
    """Return the day up to which both tests answer the signs.

    Signs must be older than both tests. The D-dimer may be one day older than the scan.
    """
    day_after = d_dimer.earliest + timedelta(days=1)
    return scan if scan.earliest <= day_after else When(day_after, day_after.isoformat(), day_after)


def _repeated(leg: Leg, scans: list[When]) -> bool:
    """Whether there are two negative scans about a week apart, the first after the episode began (C.2)."""
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
    """Return the dates of negative, final results within the episode, the latest first, one per day.

    A result of one leg does not answer signs without a leg, because they may be in the other leg.
    """
    limit = leg.content.pathway.stale_sign.days
    by_day: dict[date, When] = {}
    for fact in leg.all_of(key):
        if (
            fact.status is Status.ABSENT
            and not fact.provisional
            and not fact.doubtful
            and fact.when is not None
            and not fact.ahead
            and (leg.today - fact.when.earliest).days <= limit
            and fact.side in (leg.side, Side.BOTH, Side.BODY)
        ):
            earlier = by_day.get(fact.when.earliest)
            if earlier is None or fact.when.is_surely_after(earlier):
                by_day[fact.when.earliest] = fact.when
    return [by_day[day] for day in sorted(by_day, reverse=True)]


def notes_on_tests(leg: Leg, after: int, before: int) -> tuple[Note, ...]:
    """Return what the clinician should know about tests and refutations that do not close the suspicion."""
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
    """Whether the patient certainly takes an anticoagulant for a DVT dated ``since``.

    It must be ongoing, or be stated on or after that day. A course that has ended, or that a later entry denies or
    stops, does not count (see ``reading.courses``).
    """
    statements = [fact for fact in leg.all_of(ANTICOAGULANT) if not fact.provisional]
    denials = [fact for fact in statements if fact.status is Status.ABSENT]
    episode = leg.content.pathway.stale_sign.days
    taken = [fact for fact in statements if _treats(fact, since, episode)]
    return any(not any(_may_deny(denial, fact) for denial in denials) for fact in taken)


def _treats(fact: Fact, since: date | None, episode: int) -> bool:
    """Whether the fact may be the treatment of a DVT dated ``since``.

    A course that began more than ``episode`` days before the DVT is for something else: the clot came in spite of it
    (evidence C.4).
    """
    if fact.status is not Status.PRESENT or fact.doubtful or fact.ahead:
        return False
    if fact.assessed_by is not None:
        return False  # an answer on our own page is about a suspicion; it does not say that a DVT is treated
    if fact.ongoing:
        began = fact.when.earliest if fact.when else None
        return since is None or began is None or (since - began).days <= episode
    is_medicine = fact.source.startswith("Medication")
    return fact.when is not None and not is_medicine and (since is None or fact.when.earliest >= since)


def _may_deny(denial: Fact, fact: Fact) -> bool:
    """Whether ``denial`` may be newer than ``fact``.

    If both are on the same day without times, the order is unknown and the answer is yes.
    """
    if denial.when is None or fact.when is None:
        return True
    return not fact.when.is_surely_after(denial.when) and denial.when.day >= fact.when.earliest

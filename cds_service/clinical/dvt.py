"""The DVT pathway: is DVT suspected, how urgent is it, what is not recorded (evidence section C).

Suspicion comes first and never reads the Wells score; the score never reads our own differential. While a
suspicion is open the level may go up, never down, on anything but what C.6 names (the floor rule).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from cds_service.clinical.assessment import DvtVerdict, Wells, WellsRead
from cds_service.clinical.content import WellsItem
from cds_service.clinical.leg import Leg, age_in_days, complaints, in_window
from cds_service.clinical.record import Diagnosis, DiagnosisState, Fact, Side, Status
from cds_service.clinical.red_flags import holds

PE_SYMPTOMS = "chest_pain_dyspnoea"
PHLEGMASIA = "leg_blue_massive"
SCAN = "us_proximal_dvt"
D_DIMER = "ddimer_positive"
ANTICOAGULANT = "on_anticoagulant"
SUSPECTED = "suspected_dvt_coded"
SELF_TEST = "homans_or_selftest_positive"
PREGNANT = ("pregnancy", "postpartum_6w")
CANCER = "active_cancer"
INJECTING = "iv_drug_use"
PAIN = ("posterior", "leg")
"""Complaints of pain behind the knee, in the calf, or in the leg without a place: an unstated place counts (F.3)."""
ISCHAEMIA = ("acute_limb_ischaemia", "popliteal_aneurysm")


@dataclass(frozen=True, slots=True)
class _Closing:
    """What answers the signs recorded up to ``day``."""

    day: date
    words: str


@dataclass(frozen=True, slots=True)
class _Opening:
    """The roads by which a suspicion is open."""

    complaints: tuple[Fact, ...]
    fresh: tuple[Fact, ...]
    stale: tuple[Fact, ...]
    risk_road: tuple[Fact, ...]
    self_test: Fact | None
    coded: Fact | None
    chest: Fact | None
    untreated: Diagnosis | Fact | None

    @property
    def is_open(self) -> bool:
        return bool(self.stale) or self._otherwise

    @property
    def only_stale(self) -> bool:
        return bool(self.stale) and not self._otherwise

    @property
    def _otherwise(self) -> bool:
        others = (self.self_test, self.coded, self.chest, self.untreated)
        return bool(self.fresh or self.risk_road or any(others))

    @property
    def facts(self) -> tuple[Fact, ...]:
        found = [*self.fresh, *self.stale, *self.risk_road]
        found += [one for one in (self.self_test, self.coded, self.chest) if one]
        if isinstance(self.untreated, Fact):
            found.append(self.untreated)
        return tuple(dict.fromkeys(found))


def judge(leg: Leg, *, adult: bool) -> DvtVerdict:
    """The verdict on DVT for one leg."""
    pathway = leg.content.pathway
    pregnant = next((fact for key in PREGNANT if (fact := leg.present(key))), None)
    wells = wells_of(leg) if adult and pregnant is None else None
    closing = _closing(leg, wells, pregnant=pregnant is not None)
    opening = _opening(leg, closing)
    unanswered = _opening(leg, None)
    opened = opening.is_open
    cancer, injecting = leg.present(CANCER), leg.present(INJECTING)
    level, why = None, ""
    if opened:
        level, why = _level(leg, opening, wells, pregnant=pregnant, cancer=cancer, injecting=injecting)
    closed_by = closing.words if closing and unanswered.is_open and not opened else ""
    emergency = opened and bool(leg.present(PE_SYMPTOMS) or leg.present(PHLEGMASIA) or _ischaemic(leg))
    return DvtVerdict(
        side=leg.side,
        suspected=opened,
        level="critical" if emergency else level,
        emergency=emergency,
        opened_by=opening.facts,
        complaints=opening.complaints,
        unresolved=opening.stale,
        wells=wells,
        pregnant=pregnant,
        anticoagulant=leg.present(ANTICOAGULANT),
        cancer=cancer,
        recorded_dvt=opening.untreated,
        only_stale=opening.only_stale,
        closed_by=closed_by,
        notes=_notes(leg, pathway.repeat_scan_after.days, pathway.repeat_scan_before.days) if opened else (),
        why_level=why,
    )


def wells_of(leg: Leg) -> Wells:
    """The score as a range. Item 10 counts only when a clinician asserts it; it is never inferred (C.1)."""
    items = tuple(_read_item(leg, item) for item in leg.content.pathway.items)
    least = sum(item.points for item in items if item.status is Status.PRESENT)
    most = least + sum(item.points for item in items if item.status is Status.UNKNOWN and item.points > 0)
    return Wells(items, least, most)


def _read_item(leg: Leg, item: WellsItem) -> WellsRead:
    present = next((fact for key in item.any if (fact := leg.present(key))), None)
    if present and item.points < 0:
        # Only an explicit, dated, final assertion about this leg may take points away.
        present = next((fact for key in item.any for fact in leg.all_of(key) if _asserts(leg, fact)), None)
        if present is None:
            return WellsRead(item.number, item.name, item.points, Status.UNKNOWN, None, item.any, item.examine)
    unknown = tuple(key for key in item.any if leg.status(key) is Status.UNKNOWN)
    if present:
        return WellsRead(item.number, item.name, item.points, Status.PRESENT, present, (), item.examine)
    if unknown:
        return WellsRead(item.number, item.name, item.points, Status.UNKNOWN, None, unknown, item.examine)
    denied = leg.absent(item.any[0])
    return WellsRead(item.number, item.name, item.points, Status.ABSENT, denied, (), item.examine)


def _asserts(leg: Leg, fact: Fact) -> bool:
    return fact.status is Status.PRESENT and leg.is_sure(fact)


def _opening(leg: Leg, closing: _Closing | None) -> _Opening:
    """C.5, leaving out what ``closing`` answers."""
    pathway, content = leg.content.pathway, leg.content

    def unanswered(fact: Fact) -> bool:
        return closing is None or fact.when is None or fact.when.day > closing.day

    here = [fact for key in leg.recorded() for fact in leg.all_of(key)]
    pains = complaints(content, here, leg.today, pathway.complaint.days)
    pains = [fact for fact in pains if content.findings[fact.key].complaint not in ("by_itself", "red_flags")]
    signs = [
        fact
        for fact in here
        if content.findings[fact.key].dvt.local_sign
        and fact.status is Status.PRESENT
        and in_window(fact, pathway.stale_sign.days, leg.today)
        and unanswered(fact)
    ]
    fresh = tuple(fact for fact in signs if in_window(fact, pathway.fresh_sign.days, leg.today))
    stale = tuple(fact for fact in signs if fact not in fresh and fact.key not in {sign.key for sign in fresh})
    new_pain = [
        fact
        for fact in pains
        if content.findings[fact.key].complaint in PAIN
        and in_window(fact, pathway.new_pain.days, leg.today)
        and unanswered(fact)
    ]
    risks = [
        fact
        for key in leg.recorded()
        if content.findings[key].dvt.risk == "major" and (fact := leg.present(key)) is not None
    ]
    self_test = leg.present(SELF_TEST)
    coded = _coded_suspicion(leg)
    chest = leg.present(PE_SYMPTOMS) if leg.diagnosis("dvt") or leg.present(SCAN) else None
    untreated = _untreated(leg)
    if untreated and closing and untreated.when and untreated.when.earliest <= closing.day:
        untreated = None
    return _Opening(
        complaints=tuple(pains),
        fresh=fresh if pains else (),
        stale=stale if pains else (),
        # A DVT on record, treated or not, is no smaller risk than a previous one.
        risk_road=(*new_pain, *risks) if new_pain and (risks or leg.diagnosis("dvt")) else (),
        self_test=self_test if self_test and pains and unanswered(self_test) else None,
        coded=coded if coded and unanswered(coded) else None,
        chest=chest if chest and unanswered(chest) else None,
        untreated=untreated,
    )


def _coded_suspicion(leg: Leg) -> Fact | None:
    """A clinician's own suspicion: recent, or still open on the problem list (F.5, C.8)."""
    recent = leg.present(SUSPECTED)
    older = leg.present(SUSPECTED, leg.content.pathway.stale_sign.days)
    return recent or (older if older and older.ongoing else None)


def _taking_anticoagulant(leg: Leg, since: date | None) -> bool:
    """Whether an anticoagulant is being taken for a DVT of day ``since``: running, or stated after that day.

    A course that has ended, or that a later entry denies, treats nothing.
    """
    said = [f for f in leg.all_of(ANTICOAGULANT) if f.status is not Status.UNKNOWN and f.when and not f.provisional]
    denied = max((f.when.day for f in said if f.when and f.status is Status.ABSENT), default=date.min)
    for fact in said:
        if fact.status is not Status.PRESENT or fact.when is None or not leg.present(ANTICOAGULANT):
            continue
        is_medicine = fact.source.startswith("Medication")
        stated_since = not is_medicine and (since is None or fact.when.earliest >= since)
        if (fact.ongoing or stated_since) and fact.when.day >= denied:
            return True
    return False


def _untreated(leg: Leg) -> Diagnosis | Fact | None:
    """A DVT of this episode on record and no anticoagulant: not less than a suspected one."""
    diagnosis = leg.diagnosis("dvt")
    scan = leg.present(SCAN)
    age = age_in_days(diagnosis, leg.today) if diagnosis else None
    found = diagnosis if diagnosis and (age is None or age <= leg.content.pathway.stale_sign.days) else scan
    if found is None or _taking_anticoagulant(leg, found.when.day if found.when else None):
        return None
    return found


def _level(
    leg: Leg,
    opening: _Opening,
    wells: Wells | None,
    *,
    pregnant: Fact | None,
    cancer: Fact | None,
    injecting: Fact | None,
) -> tuple[Literal["critical", "warning"], str]:
    """C.6, and C.8 for signs that are only old. The second value says in our words what decided."""
    critical_at = leg.content.pathway.critical_at
    fresh_keys = {fact.key for fact in opening.fresh}
    if opening.untreated:
        return "critical", "a DVT is recorded and no anticoagulant is"
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
        scored = any(item.points > 0 for item in wells.scored)
        if scored or len(fresh_keys) >= 2 or (fresh_keys and _any_risk(leg)):
            return "critical", "Wells score is incomplete and can still reach the likely range"
    return "warning", "Wells score is low, or one soft sign stands alone"


def _any_risk(leg: Leg) -> bool:
    return any(leg.content.findings[key].dvt.risk and leg.present(key) for key in leg.recorded())


def _ischaemic(leg: Leg) -> bool:
    """An ischaemic foot by the red-flag rules for it."""
    rules = [flag for flag in leg.content.red_flags.values() if flag.cause in ISCHAEMIA and flag.speed == "now"]
    return any(holds(flag.when, leg, {})[0] for flag in rules)


def _closing(leg: Leg, wells: Wells | None, *, pregnant: bool) -> _Closing | None:
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


def _treated(leg: Leg) -> _Closing | None:
    """DVT confirmed and on an anticoagulant: quiet until symptoms are new or worse."""
    diagnosis = leg.diagnosis("dvt")
    scan = leg.present(SCAN)
    days = [one.when.earliest for one in (diagnosis, scan) if one and one.when]
    if not days or not _taking_anticoagulant(leg, max(days)):
        return None
    return _Closing(max(days), "DVT is recorded and treated; nothing new since")


def _dismissed(leg: Leg) -> _Closing | None:
    """A clinician's refutation with its reason; without one it does not close (C.6)."""
    refuted = leg.diagnosis("dvt", DiagnosisState.REFUTED)
    day = refuted.recorded or refuted.clinical if refuted else None
    if refuted is None or not refuted.reasoned or day is None:
        return None
    return _Closing(day.earliest, "a clinician has ruled DVT out and recorded why")


def _tests(leg: Leg, wells: Wells | None, *, pregnant: bool) -> _Closing | None:
    """Scan and D-dimer negative; unlikely score and D-dimer negative; repeat scan negative (C.2, C.4, C.6)."""
    pathway = leg.content.pathway
    scans = _negative_days(leg, SCAN)
    d_dimers = _negative_days(leg, D_DIMER)
    if leg.present(SCAN, pathway.stale_sign.days):
        return None
    if leg.present(D_DIMER, pathway.test_valid.days):
        d_dimers = []  # a raised one beside it
    if _repeated(leg, scans):
        return _Closing(scans[0], "the repeat scan was negative")
    if pregnant or leg.present(ANTICOAGULANT):
        return None
    if scans and d_dimers and abs((scans[0] - d_dimers[0]).days) <= pathway.test_valid.days:
        # Signs must be older than both; the day between taking the one and having the other is allowed.
        return _Closing(min(scans[0], d_dimers[0] + timedelta(days=1)), "scan and D-dimer were negative")
    unlikely = wells is not None and wells.complete and wells.most <= pathway.excluded_by_d_dimer_at_most
    if d_dimers and unlikely and not leg.present(CANCER) and not leg.present(INJECTING):
        return _Closing(d_dimers[0], "the Wells score is low and D-dimer was negative")
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


def _notes(leg: Leg, after: int, before: int) -> tuple[str, ...]:
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
    refuted = leg.diagnosis("dvt", DiagnosisState.REFUTED)
    if refuted and not refuted.reasoned:
        notes.append("DVT is recorded as refuted, without a reason.")
    return tuple(notes)

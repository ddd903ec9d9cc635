"""The result of assessing one chart. Cards, the command-line report and the tests all use these objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from cds_service.clinical.content.models import ASSERTED_ITEM, Indicator, Speed
from cds_service.clinical.content.names import DVT
from cds_service.clinical.doubt import Doubts
from cds_service.clinical.record import Diagnosis, Fact, Patient, PlacedOrder, Record, RefutationLimit, Side, Status

BandName = Literal["confirmed", "strong fit", "fits", "possible", "low"]
ClosingKind = Literal["treated", "dismissed", "repeat_scan", "scan_and_d_dimer", "score_and_d_dimer"]
"""The reason that closes a suspicion of DVT (evidence C.2, C.4, C.6)."""


@dataclass(frozen=True, slots=True)
class WellsRead:
    """One Wells item with its status in the chart.

    ``fact`` shows or denies it; None if not recorded. An item that is stated but may not be subtracted is UNKNOWN.
    """

    number: int
    name: str
    points: int
    status: Status
    fact: Fact | None
    not_recorded: tuple[str, ...]
    examine: bool


@dataclass(frozen=True, slots=True)
class Wells:
    """Two-level Wells score as a range. Unrecorded items count 0 in ``least`` and their points in ``most``."""

    items: tuple[WellsRead, ...]
    least: int
    most: int

    @property
    def complete(self) -> bool:
        """Whether items 1 to 9 are all recorded (item 10 counts only when asserted)."""
        return not self.not_recorded

    @property
    def not_recorded(self) -> tuple[WellsRead, ...]:
        """Items 1 to 9 that are not recorded in the chart."""
        return tuple(item for item in self.items if item.number != ASSERTED_ITEM and item.status is Status.UNKNOWN)

    @property
    def not_counted(self) -> WellsRead | None:
        """Item 10 if it is stated but may not be subtracted, because something may contradict it; else None."""
        return next((item for item in self.items if item.status is Status.UNKNOWN and item.fact is not None), None)

    @property
    def settled(self) -> bool:
        """Whether the score can no longer change: all items are recorded, and every stated item is counted."""
        return self.complete and self.not_counted is None

    @property
    def scored(self) -> tuple[WellsRead, ...]:
        """Items that are present in the chart."""
        return tuple(item for item in self.items if item.status is Status.PRESENT)


@dataclass(frozen=True, slots=True)
class Note:
    """Extra information for the clinician: a repeat scan is due, there is only one scan, or a refutation has limits."""

    kind: Literal["repeat_scan_due", "one_scan", "refuted"] | RefutationLimit
    days: tuple[date, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.kind, *(day.isoformat() for day in self.days)])


@dataclass(frozen=True, slots=True)
class DvtVerdict:
    """Suspicion of DVT in one leg, its level and the facts behind it (evidence C.5 to C.8).

    Attributes:
        opened_by: facts that open the suspicion; empty if none is open.
        new_pain: pains recent enough to open the suspicion together with a major risk factor.
        any_risk_opens: a risk factor outside the Wells score would also open it.
        wells: None where the score does not apply (pregnant, post partum, under 18).
        closed_by: in plain words, why the suspicion is closed although there are signs; empty otherwise.
        not_closed_by: the reason that would have closed it if everything that could contradict it had been understood.
        anticoagulant: a record of an anticoagulant that counts.
        anticoagulated: an anticoagulant is certainly being taken now.
        swollen_alike: signs in both legs explained by, for example, heart failure, so that no suspicion is open.
        raised_d_dimer: a raised D-dimer recent enough to go straight to the scan (evidence C.2).
        scan_only: a D-dimer does not help, because of an anticoagulant or because the pain began long ago.
        soft_alone: only soft signs open it.
        awaits_repeat: a negative scan and a raised D-dimer: the scan is to be repeated, but not yet (evidence C.2).
        notes: extra information for the clinician.
    """

    side: Side
    suspected: bool
    level: Literal["critical", "warning"] | None
    emergency: bool
    opened_by: tuple[Fact, ...]
    complaints: tuple[Fact, ...]
    new_pain: tuple[Fact, ...]
    any_risk_opens: bool
    unresolved: tuple[Fact, ...]
    wells: Wells | None
    pregnant: Fact | None
    anticoagulant: Fact | None
    anticoagulated: bool
    cancer: Fact | None
    injecting: Fact | None
    raised_d_dimer: Fact | None
    recorded_dvt: Diagnosis | Fact | None
    only_stale: bool
    closed_by: str
    not_closed_by: ClosingKind | None
    swollen_alike: tuple[Fact, ...]
    scan_only: bool
    soft_alone: bool
    awaits_repeat: bool
    notes: tuple[Note, ...]
    why_level: str


@dataclass(frozen=True, slots=True)
class RedFlagVerdict:
    """A red-flag rule that fires for one leg, with the facts that satisfy it."""

    rule: str
    cause: str
    side: Side
    indicator: Literal["critical", "warning"]
    speed: Speed
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Contribution:
    """The change of a cause's log-odds by one finding (natural logarithm of its likelihood ratio).

    ``counted``: it is the contribution of its group that enters the sum; related findings count once (F.1 step 5).
    """

    finding: str
    log_lr: float
    fact: Fact
    counted: bool = True


@dataclass(frozen=True, slots=True)
class RankedCause:
    """One cause of the differential. ``posterior`` is used for order and band and is never shown as a percentage."""

    cause: str
    side: Side
    band: BandName
    prior: float
    sum_log_lr: float
    posterior: float
    contributions: tuple[Contribution, ...]
    diagnosis: Diagnosis | None
    missing: tuple[str, ...]

    @property
    def for_it(self) -> tuple[Contribution, ...]:
        """Facts that support the cause, the counted ones first, then the strongest first."""
        return tuple(
            sorted(
                (contribution for contribution in self.contributions if contribution.log_lr > 0),
                key=lambda contribution: not contribution.counted,
            )
        )

    @property
    def against_it(self) -> tuple[Contribution, ...]:
        """Facts that speak against the cause, the counted ones first, then the strongest first."""
        return tuple(
            sorted(
                (contribution for contribution in self.contributions if contribution.log_lr < 0),
                key=lambda contribution: not contribution.counted,
            )
        )


@dataclass(frozen=True, slots=True)
class LegAssessment:
    """The result for one leg.

    Attributes:
        unexplained: complaints that nothing recorded explains and that still need an answer.
        at_prior: for these complaints, the causes that best fit complaint, age and sex.
    """

    side: Side
    complaints: tuple[Fact, ...]
    dvt: DvtVerdict
    dvt_explained: RankedCause
    red_flags: tuple[RedFlagVerdict, ...]
    differential: tuple[RankedCause, ...]
    ask_next: str | None
    treated_causes: tuple[str, ...]
    orders: tuple[PlacedOrder, ...]
    unexplained: tuple[Fact, ...] = ()
    at_prior: tuple[RankedCause, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """The result for one chart on one day.

    ``silent_because``: in our words, why there is nothing to show; empty when there is.
    ``doubts``: the rows that were not understood, by what they may hide.
    """

    patient: Patient
    today: date
    record: Record
    legs: tuple[LegAssessment, ...]
    silent_because: str
    under_18: bool
    care_plan: Fact | None
    content_version: str
    doubts: Doubts = Doubts()

    @property
    def urgent(self) -> tuple[RedFlagVerdict, ...]:
        """Every red flag of every leg, the most urgent first."""
        flags = [flag for leg in self.legs for flag in leg.red_flags]
        return tuple(sorted(flags, key=urgency_key))

    @property
    def differential(self) -> tuple[RankedCause, ...]:
        """The ranked causes of every leg, the worse leg first."""
        return tuple(cause for leg in self.legs for cause in leg.differential)


_SPEEDS: tuple[Speed, ...] = ("now", "same_day", "days", "two_weeks")
_INDICATORS: tuple[Indicator, ...] = ("critical", "warning", "info")


def urgency_key(flag: RedFlagVerdict) -> tuple[int, int, bool, str, str]:
    """Return the sort key for urgent verdicts: indicator, then speed; among equals, DVT first."""
    return (
        _INDICATORS.index(flag.indicator),
        _SPEEDS.index(flag.speed),
        flag.cause != DVT,
        flag.rule,
        flag.side.value,
    )

"""Collects the results of all resource readers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import DVT, PREVIOUS_DVT, SCAN, SUSPECTED_DVT
from cds_service.clinical.reading.dates import DAYS_OF_A_YEAR, FutureDate, is_settled, to_when, years_after
from cds_service.clinical.reading.measurements import SidedReading, UnitsOfChart
from cds_service.clinical.reading.memory import Varying
from cds_service.clinical.reading.places import Places
from cds_service.clinical.reading.statements import Statement, Trouble
from cds_service.clinical.record import (
    Diagnosis,
    DiagnosisState,
    Fact,
    Patient,
    PlacedOrder,
    RefutationLimit,
    RowState,
    Side,
    Status,
    Stop,
    Unread,
    UnreadKind,
    When,
)

STATUSES = frozenset(
    {
        "active", "cancelled", "completed", "draft", "entered-in-error", "in-progress", "intended", "not-done",
        "not-taken", "on-hold", "preparation", "revoked", "stopped", "unknown",
        "directive", "filler-order", "instance-order", "option", "order", "original-order", "plan", "proposal",
        "reflex-order",
    }
)  # fmt: skip
"""Every FHIR R4 status and intent of the resources that may be set aside for it."""


_BEFORE_BIRTH = timedelta(days=300)
"""A chart may contain findings from before birth."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How much had been collected before a resource was read."""

    facts: int
    diagnoses: int
    orders: int
    sided: int
    stops: int
    unread: int
    set_aside: int


class Findings:
    """The facts, diagnoses and orders, and everything that could not be read or does not count."""

    def __init__(self, content: Content, now: datetime, patient: Patient, places: Places, varying: Varying) -> None:
        """``varying``: notes when somebody looks at the moment, the day or the age."""
        self.content = content
        self.places = places
        self._varying = varying
        self._now = now
        self._today = now.date()
        self._age = patient.age_on(self._today)
        self.birth = patient.birth
        self.sex = patient.sex
        self.facts: list[Fact] = []
        self.diagnoses: list[Diagnosis] = []
        self.orders: list[PlacedOrder] = []
        self.sided: list[SidedReading] = []
        self.stops: list[Stop] = []
        self.unread: list[Unread] = []
        self.set_aside: list[str] = []
        self.units = UnitsOfChart()

    @property
    def now(self) -> datetime:
        """The moment as of which the chart is read."""
        self._varying.found = True
        return self._now

    @property
    def today(self) -> date:
        """The day of ``now``."""
        self._varying.found = True
        return self._today

    @property
    def age(self) -> int | None:
        """The patient's completed years today; None if unknown."""
        self._varying.found = True
        return self._age

    def mark(self) -> Mark:
        """Return the current position of every list."""
        return Mark(
            len(self.facts),
            len(self.diagnoses),
            len(self.orders),
            len(self.sided),
            len(self.stops),
            len(self.unread),
            len(self.set_aside),
        )

    def since(self, mark: Mark) -> tuple[list[Any], ...]:
        """Return what every list has got since ``mark``."""
        return (
            self.facts[mark.facts :],
            self.diagnoses[mark.diagnoses :],
            self.orders[mark.orders :],
            self.sided[mark.sided :],
            self.stops[mark.stops :],
            self.unread[mark.unread :],
            self.set_aside[mark.set_aside :],
        )

    def add_again(self, collected: tuple[list[Any], ...]) -> None:
        """Add what ``since`` returned for the same row at an earlier moment."""
        facts, diagnoses, orders, sided, stops, unread, set_aside = collected
        self.facts += facts
        self.diagnoses += diagnoses
        self.orders += orders
        self.sided += sided
        self.stops += stops
        self.unread += unread
        self.set_aside += set_aside

    def state_since(self, mark: Mark) -> tuple[RowState, str]:
        """Return the state of the resource read since ``mark``, and the reason."""
        if len(self.unread) > mark.unread or self._contradicts_itself(mark):
            self._doubt_since(mark)
        if len(self.facts) > mark.facts or len(self.diagnoses) > mark.diagnoses or len(self.orders) > mark.orders:
            return RowState.READ, ""
        if len(self.sided) > mark.sided or len(self.stops) > mark.stops:
            return RowState.READ, ""
        if unread := self.unread[mark.unread :]:
            return RowState.NOT_UNDERSTOOD, unread[0].reason
        if aside := self.set_aside[mark.set_aside :]:
            return RowState.ENDED, aside[0]
        return RowState.NO_CONCERN, "a general code, at no place that would make it one of ours"

    def _contradicts_itself(self, mark: Mark) -> bool:
        """Whether one resource denies a DVT and also states one or leaves one open."""
        facts = self.facts[mark.facts :]
        if not facts:
            return False
        denies = any(fact.key == SCAN and fact.status is Status.ABSENT for fact in facts)
        names = any(fact.key in (SCAN, SUSPECTED_DVT) and fact.status is not Status.ABSENT for fact in facts)
        return denies and (names or any(diagnosis.cause == DVT for diagnosis in self.diagnoses[mark.diagnoses :]))

    def _doubt_since(self, mark: Mark) -> None:
        """Mark results of a resource that was not fully understood; they may raise urgency but never lower it."""
        self.facts[mark.facts :] = [replace(fact, doubtful=True) for fact in self.facts[mark.facts :]]
        self.diagnoses[mark.diagnoses :] = [
            replace(diagnosis, doubtful=True) for diagnosis in self.diagnoses[mark.diagnoses :]
        ]
        self.sided[mark.sided :] = [replace(reading, doubtful=True) for reading in self.sided[mark.sided :]]

    def when(self, value: Any, source: str) -> When | None:
        """Return ``value`` as a date. A date in the future or long before birth is reported, and None is returned."""
        try:
            when = self.dated(value)
        except FutureDate:
            self.unread.append(Unread(source, UnreadKind.DATE, "its date lies in the future"))
            return None
        if when and self.birth and self.birth.earliest - when.day > _BEFORE_BIRTH:
            self.unread.append(Unread(source, UnreadKind.DATE, "its date lies long before the birth of the patient"))
            return None
        return when

    def dated(self, value: Any) -> When | None:
        """Return ``value`` as a date. The row is read again later if that may change it.

        Raises:
            FutureDate: it is more than one day after today.
        """
        try:
            when = to_when(value, self._now)
        except FutureDate:
            self._varying.found = True
            raise
        if when is not None and not is_settled(when, self._today):
            self._varying.found = True
        return when

    def at_age(self, years: Any, source: str) -> When | None:
        """Return when the patient was ``years`` old. An age not yet reached is reported, and None is returned."""
        if years is None or self.birth is None:
            return None
        lived = (self.today - self.birth.earliest).days / DAYS_OF_A_YEAR
        if 0 <= float(years) <= lived + 1:
            return years_after(self.birth, float(years), self.today)
        self.unread.append(Unread(source, UnreadKind.DATE, "its age is not one that the patient has had"))
        return None

    def add(
        self,
        statements: Iterable[Statement],
        source: str,
        clinical: When | None,
        recorded: When | None,
        *,
        ongoing: bool = False,
        provisional: bool = False,
        substance: str = "",
        doubtful: bool = False,
    ) -> None:
        """Add the facts of one source."""
        self.facts += [
            Fact(
                statement.key,
                statement.status,
                statement.side,
                clinical,
                recorded,
                source,
                ongoing=ongoing,
                provisional=provisional,
                substance=substance,
                measured=statement.measured,
                part=statement.part,
                doubtful=doubtful,
            )
            for statement in statements
        ]

    def diagnose(
        self,
        cause: str,
        side: Side,
        clinical: When | None,
        recorded: When | None,
        source: str,
        *,
        state: DiagnosisState = DiagnosisState.CURRENT,
        possible: bool = False,
        reasoned: bool = False,
        limit: RefutationLimit | None = None,
    ) -> None:
        """Add a coded diagnosis. A possible DVT is a suspicion of DVT; other possible diagnoses do not count."""
        if possible and cause != DVT:
            self.set_aside.append("Diagnosis only possible")
        elif possible:
            if state is DiagnosisState.CURRENT:
                suspicion = [Statement(SUSPECTED_DVT, Status.PRESENT, side)]
                self.add(suspicion, source, clinical, recorded, ongoing=True)
        else:
            if cause == DVT and state is DiagnosisState.PAST:
                self.add([Statement(PREVIOUS_DVT, Status.PRESENT, Side.BODY)], source, clinical, recorded)
            self.diagnoses.append(Diagnosis(cause, state, side, clinical, recorded, source, reasoned, limit=limit))

    def leave_out(self, kind: str, *statuses: str | None) -> None:
        """Set aside a resource whose FHIR status shows that it does not count. Unknown statuses are not repeated."""
        known = [
            status if status in STATUSES else "of a status that FHIR does not know" for status in statuses if status
        ]
        self.set_aside.append(" ".join([kind, *known]))

    def report(self, source: str, troubles: Iterable[Trouble]) -> None:
        """Report what went wrong in one source, each reason once with all its keys."""
        for trouble in troubles:
            last = self.unread[-1] if self.unread else None
            if last is not None and (last.source, last.kind, last.reason) == (source, trouble.kind, trouble.reason):
                keys = tuple(sorted({*last.keys, *trouble.keys}))
                self.unread[-1] = replace(last, keys=keys)
            else:
                self.unread.append(Unread(source, trouble.kind, trouble.reason, trouble.keys))

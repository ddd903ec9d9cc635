"""One leg's view of the record: which facts count for it today, three-valued (evidence F.1, F.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import DVT
from cds_service.clinical.doubt import Doubts
from cds_service.clinical.record import Diagnosis, DiagnosisState, Fact, Patient, PlacedOrder, Side, Status


def age_in_days(fact: Fact | Diagnosis | PlacedOrder, today: date) -> int | None:
    """Days since the clinical (else recorded) date; None if undated."""
    return (today - fact.when.day).days if fact.when else None


def is_order(fact: Fact) -> bool:
    """Whether it rests on an order: what was ordered, not what was found."""
    return fact.source.startswith("ServiceRequest/")


def in_window(fact: Fact, days: int | None, today: date) -> bool:
    """Whether ``fact`` is at most ``days`` old. Undated facts are: they may be of today."""
    age = age_in_days(fact, today)
    return days is None or age is None or age <= days


def counts_on(content: Content, fact: Fact, days: int | None, today: date) -> bool:
    """Whether ``fact`` is within ``days``, or without them within the window of its finding."""
    finding = content.findings[fact.key]
    if finding.persists and fact.ongoing:
        return True
    window = days if days is not None else (finding.recency.days if finding.recency else None)
    return in_window(fact, window, today)


@dataclass(frozen=True)
class Leg:
    """The facts that bear on one leg.

    Attributes:
        side: RIGHT, LEFT, or UNKNOWN when the chart never says which leg hurts.
        alone: this is the only symptomatic leg, so that what has no side and would close a suspicion is about it.
        facts: all facts of the record, derived ones included.
        doubts: the rows that were not understood.
    """

    content: Content
    patient: Patient
    today: date
    side: Side
    alone: bool
    facts: tuple[Fact, ...]
    diagnoses: tuple[Diagnosis, ...]
    orders: tuple[PlacedOrder, ...]
    doubts: Doubts = Doubts()

    def is_here(self, side: Side, *, unknown_counts: bool = True) -> bool:
        """Whether something on ``side`` is about this leg. The explicitly other leg never is."""
        if side is Side.UNKNOWN or self.side is Side.UNKNOWN:
            return unknown_counts or side in (Side.BODY, Side.BOTH)
        return side in (self.side, Side.BOTH, Side.BODY)

    @cached_property
    def _by_key(self) -> dict[str, list[Fact]]:
        grouped: dict[str, list[Fact]] = {}
        for fact in self.facts:
            if self.is_here(fact.side):
                grouped.setdefault(fact.key, []).append(fact)
        for facts in grouped.values():
            facts.sort(key=_freshest_first)
        return grouped

    def recorded(self) -> Iterator[str]:
        """Findings with any fact for this leg, in a fixed order."""
        return iter(sorted(self._by_key))

    def all_of(self, key: str) -> list[Fact]:
        """Every fact about ``key`` for this leg, whatever its age, the freshest first."""
        return self._by_key.get(key, [])

    @cached_property
    def _own_window(self) -> dict[str, Fact | None]:
        return {}

    def present(self, key: str, days: int | None = None) -> Fact | None:
        """The freshest fact that shows ``key`` within its own window, or within ``days`` when given.

        Undated and provisional facts count, and so do those without a side: this is the safe reading, for red
        flags and the DVT pathway. A later "absent" does not cancel it (evidence C.8: a sign counts in full).
        """
        if key not in self._by_key:
            return None
        if days is None:
            if key not in self._own_window:
                self._own_window[key] = self._first_present(key, None)
            return self._own_window[key]
        return self._first_present(key, days)

    @cached_property
    def shown(self) -> frozenset[str]:
        """Every finding that is ``present``."""
        return frozenset(key for key in self._by_key if self.present(key))

    def _first_present(self, key: str, days: int | None) -> Fact | None:
        counting = (f for f in self.all_of(key) if f.status is Status.PRESENT and self._counts(f, days))
        return next(counting, None)

    def absent(self, key: str) -> Fact | None:
        """The freshest fact that surely denies ``key``, unless another shows it.

        Dated, final, and about this leg: what could lower urgency is not read from anything less (evidence F.5).
        """
        if key not in self._by_key or self.present(key):
            return None
        return next((f for f in self.all_of(key) if f.status is Status.ABSENT and self.is_sure(f)), None)

    def is_sure(self, fact: Fact) -> bool:
        """Whether ``fact`` is dated, final, wholly understood, surely within its window and surely about this leg."""
        finding = self.content.findings[fact.key]
        if fact.when is None or fact.ahead or fact.provisional or fact.doubtful:
            return False
        if not self.is_here(fact.side, unknown_counts=self.alone):
            return False
        return finding.recency is None or (self.today - fact.when.earliest).days <= finding.recency.days

    def status(self, key: str) -> Status:
        """The safe reading of ``key`` (see ``present``)."""
        if key not in self._by_key:
            return Status.UNKNOWN
        if self.present(key):
            return Status.PRESENT
        return Status.ABSENT if self.absent(key) else Status.UNKNOWN

    def _counts(self, fact: Fact, days: int | None) -> bool:
        return counts_on(self.content, fact, days, self.today)

    @cached_property
    def ranked(self) -> dict[str, Fact]:
        """The fact that ranking reads for each finding: dated, final, the latest; on the same day presence wins."""
        found = {}
        for key, facts in self._by_key.items():
            if self.content.findings[key].presence_stands:
                facts = sorted(facts, key=lambda fact: fact.status is not Status.PRESENT)
            undated_counts = self.content.findings[key].recency is None
            for fact in facts:
                if (
                    fact.status is not Status.UNKNOWN
                    and not fact.provisional
                    and not (fact.doubtful and fact.status is Status.ABSENT)
                    and (fact.when is not None or undated_counts)
                    and self._counts(fact, None)
                ):
                    found[key] = fact
                    break
        return found

    def diagnosis(self, cause: str, state: DiagnosisState = DiagnosisState.CURRENT) -> Diagnosis | None:
        """The latest coded diagnosis of ``cause`` for this leg in ``state``."""
        found = [
            one
            for one in self.diagnoses
            if one.cause == cause and one.state is state and self.is_here(one.side, unknown_counts=self.alone)
        ]
        return max(found, key=lambda one: (one.when.day if one.when else date.min, one.source), default=None)


def _freshest_first(fact: Fact) -> tuple[int, int, str]:
    day = fact.when.day.toordinal() if fact.when else 0
    return (-day, 0 if fact.status is Status.PRESENT else 1, fact.source)


def complaints(content: Content, facts: Iterable[Fact], today: date, days: int) -> list[Fact]:
    """Facts that open the gate: an active complaint of the knee, its back, the calf or the leg (evidence F.5).

    Pain counts ``days``; a finding with a longer window of its own counts that long, but for a test of the knee. An
    active problem counts from when it was last written down: that it began weeks ago does not make it old. Pain of the
    thigh, groin or buttock is a complaint of the leg only beside what makes a clot there likely.
    """
    every = list(facts)
    proximal = any(
        content.findings[fact.key].dvt.proximal
        and fact.status is Status.PRESENT
        and counts_on(content, fact, None, today)
        for fact in every
    )
    found = []
    for fact in every:
        finding = content.findings[fact.key]
        if finding.complaint is None or fact.status is not Status.PRESENT:
            continue
        if finding.complaint == "proximal" and not proximal:
            continue
        own = finding.recency.days if finding.recency and finding.kind != "test" else days
        # A suspicion that a clinician has left open counts as long as an unresolved sign does.
        limit = own if finding.complaint == "by_itself" and not fact.ongoing else max(own, days)
        if in_window(fact, limit, today) or (finding.complaint != "by_itself" and _recorded_within(fact, limit, today)):
            found.append(fact)
    return found


def _recorded_within(fact: Fact, days: int, today: date) -> bool:
    """Whether it is an active problem that was written down within ``days``."""
    return fact.ongoing and fact.recorded is not None and (today - fact.recorded.day).days <= days


def symptomatic(
    content: Content, facts: Iterable[Fact], diagnoses: Iterable[Diagnosis], opened_by: Iterable[Fact], today: date
) -> list[Side]:
    """The legs to judge: those complained of, and those with a DVT on record or a positive scan.

    A complaint without a side is about every leg that has a current sign; without any, about an UNKNOWN leg.
    """
    opened = list(opened_by)
    named: set[Side] = set()
    for fact in opened:
        named |= _legs(fact.side)
    for one in diagnoses:
        if one.cause == DVT and one.state is DiagnosisState.CURRENT:
            named |= _legs(one.side)
    if not named or any(not _legs(fact.side) for fact in opened):
        for fact in facts:
            if _is_current_sign(content, fact, today):
                named |= _legs(fact.side)
    return sorted(named, reverse=True) or [Side.UNKNOWN]


def _is_current_sign(content: Content, fact: Fact, today: date) -> bool:
    """A finding of the present episode: what is long past does not say which leg hurts today."""
    finding = content.findings[fact.key]
    if finding.side != "leg" or fact.status is not Status.PRESENT or finding.recency is None:
        return False
    return finding.kind in ("symptom", "sign", "test", "imaging") and in_window(fact, finding.recency.days, today)


def _legs(side: Side) -> set[Side]:
    if side is Side.BOTH:
        return {Side.RIGHT, Side.LEFT}
    return {side} if side in (Side.RIGHT, Side.LEFT) else set()

"""The facts about one leg that count today, with three-valued status (evidence F.1, F.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import DVT, SCAN
from cds_service.clinical.doubt import Doubts
from cds_service.clinical.record import Diagnosis, DiagnosisState, Fact, Patient, PlacedOrder, Side, Status


def age_in_days(fact: Fact | Diagnosis | PlacedOrder, today: date) -> int | None:
    """Return the days since the clinical date (or the recorded date if there is none); None if undated."""
    return (today - fact.when.day).days if fact.when else None


def is_order(fact: Fact) -> bool:
    """Whether the fact comes from an order: it shows what was requested, not what was found."""
    return fact.source.startswith("ServiceRequest/")


def in_window(fact: Fact, days: int | None, today: date) -> bool:
    """Whether ``fact`` is at most ``days`` old. Undated facts are, because they may be from today."""
    age = age_in_days(fact, today)
    return days is None or age is None or age <= days


def counts_on(content: Content, fact: Fact, days: int | None, today: date) -> bool:
    """Whether ``fact`` is recent enough to count.

    The limit is ``days``, or the finding's own window if ``days`` is None. A persisting finding that is ongoing always
    counts.
    """
    finding = content.findings[fact.key]
    if finding.persists and fact.ongoing:
        return True
    window = days if days is not None else (finding.recency.days if finding.recency else None)
    return in_window(fact, window, today)


@dataclass(frozen=True)
class Leg:
    """The facts that concern one leg.

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
        """Whether something on ``side`` concerns this leg. Something on the other leg never does.

        ``unknown_counts`` is the answer when a side is unknown.
        """
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
        """The findings with at least one fact for this leg, sorted by key."""
        return iter(sorted(self._by_key))

    def all_of(self, key: str) -> list[Fact]:
        """Return every fact about ``key`` for this leg, of any age, the latest first."""
        return self._by_key.get(key, [])

    @cached_property
    def _own_window(self) -> dict[str, Fact | None]:
        return {}

    def present(self, key: str, days: int | None = None) -> Fact | None:
        """Return the latest fact that shows ``key`` within its own window, or within ``days`` if given.

        This is the safe reading for red flags and the DVT pathway: undated and provisional facts count, and so do facts
        without a side. A later "absent" does not cancel it (evidence C.8: a sign counts in full).
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
        """Return the latest fact that certainly denies ``key``, unless another fact shows it.

        The fact must be dated, final and about this leg, because it could lower urgency (evidence F.5).
        """
        if key not in self._by_key or self.present(key):
            return None
        return next((f for f in self.all_of(key) if f.status is Status.ABSENT and self.is_sure(f)), None)

    def is_sure(self, fact: Fact) -> bool:
        """Whether ``fact`` is dated, final, fully understood, certainly recent enough and certainly about this leg."""
        finding = self.content.findings[fact.key]
        if fact.when is None or fact.ahead or fact.provisional or fact.doubtful:
            return False
        if not self.is_here(fact.side, unknown_counts=self.alone):
            return False
        return finding.recency is None or (self.today - fact.when.earliest).days <= finding.recency.days

    def status(self, key: str) -> Status:
        """Return the status of ``key`` by the safe reading (see ``present``)."""
        if key not in self._by_key:
            return Status.UNKNOWN
        if self.present(key):
            return Status.PRESENT
        return Status.ABSENT if self.absent(key) else Status.UNKNOWN

    def _counts(self, fact: Fact, days: int | None) -> bool:
        return counts_on(self.content, fact, days, self.today)

    @cached_property
    def ranked(self) -> dict[str, Fact]:
        """The fact that the ranking uses for each finding: dated, final, the latest.

        On the same day, "present" wins over "absent".
        """
        latest = {}
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
                    latest[key] = fact
                    break
        return latest

    def diagnosis(
        self, cause: str, state: DiagnosisState = DiagnosisState.CURRENT, *, any_side: bool = False
    ) -> Diagnosis | None:
        """Return the latest coded diagnosis of ``cause`` for this leg in ``state``, or None.

        ``any_side``: one without a side counts for each of several legs too. That is the safe reading for what raises
        urgency.
        """
        matching = [
            diagnosis
            for diagnosis in self.diagnoses
            if diagnosis.cause == cause
            and diagnosis.state is state
            and self.is_here(diagnosis.side, unknown_counts=self.alone or any_side)
        ]
        return max(
            matching,
            key=lambda diagnosis: (diagnosis.when.day if diagnosis.when else date.min, diagnosis.source),
            default=None,
        )


def _freshest_first(fact: Fact) -> tuple[int, int, str]:
    day = fact.when.day.toordinal() if fact.when else 0
    return (-day, 0 if fact.status is Status.PRESENT else 1, fact.source)


def complaints(content: Content, facts: Iterable[Fact], today: date, days: int) -> list[Fact]:
    """Return the facts that open the gate: active complaints of the knee, calf or leg (evidence F.5).

    A complaint counts for ``days``, or for the finding's own window if that is longer (this does not apply to a test of
    the knee). An active problem counts from the day it was last written down, so that an early onset does not make it
    too old. Pain in the thigh, groin or buttock counts as a leg complaint only together with a finding that makes a
    proximal clot likely.
    """
    all_facts = list(facts)
    proximal = any(
        content.findings[fact.key].dvt.proximal
        and fact.status is Status.PRESENT
        and counts_on(content, fact, None, today)
        for fact in all_facts
    )
    opening = []
    for fact in all_facts:
        finding = content.findings[fact.key]
        if finding.complaint is None or fact.status is not Status.PRESENT:
            continue
        if finding.complaint == "proximal" and not proximal:
            continue
        own = finding.recency.days if finding.recency and finding.kind != "test" else days
        # A DVT suspicion that a clinician left open counts for as long as an unresolved sign does.
        limit = own if finding.complaint == "by_itself" and not fact.ongoing else max(own, days)
        if in_window(fact, limit, today) or (finding.complaint != "by_itself" and _recorded_within(fact, limit, today)):
            opening.append(fact)
    return opening


def _recorded_within(fact: Fact, days: int, today: date) -> bool:
    """Whether this is an active problem that was written down within the last ``days``."""
    return fact.ongoing and fact.recorded is not None and (today - fact.recorded.day).days <= days


def symptomatic(
    content: Content, facts: Iterable[Fact], diagnoses: Iterable[Diagnosis], opened_by: Iterable[Fact], today: date
) -> list[Side]:
    """Return the legs to assess: those with a complaint, a current DVT diagnosis or a positive scan.

    A complaint without a side concerns every leg with a current sign. If no leg has one, the result is one UNKNOWN leg.
    """
    opened = list(opened_by)
    named: set[Side] = set()
    for fact in opened:
        named |= _legs(fact.side)
    for diagnosis in diagnoses:
        if diagnosis.cause == DVT and diagnosis.state is DiagnosisState.CURRENT:
            named |= _legs(diagnosis.side)
    for fact in facts:
        if shows_dvt(content, fact, today):
            named |= _legs(fact.side)
    if not named or any(not _legs(fact.side) for fact in opened):
        for fact in facts:
            if _is_current_sign(content, fact, today):
                named |= _legs(fact.side)
    return sorted(named, reverse=True) or [Side.UNKNOWN]


def shows_dvt(content: Content, fact: Fact, today: date) -> bool:
    """Whether this is a scan of this episode that shows a DVT. It is judged even if nobody recorded a complaint."""
    is_positive = fact.key == SCAN and fact.status is Status.PRESENT
    return is_positive and in_window(fact, content.pathway.stale_sign.days, today)


def _is_current_sign(content: Content, fact: Fact, today: date) -> bool:
    """Whether this is a finding of the present episode. An old finding does not show which leg hurts today."""
    finding = content.findings[fact.key]
    if finding.side != "leg" or fact.status is not Status.PRESENT or finding.recency is None:
        return False
    return finding.kind in ("symptom", "sign", "test", "imaging") and in_window(fact, finding.recency.days, today)


def _legs(side: Side) -> set[Side]:
    if side is Side.BOTH:
        return {Side.RIGHT, Side.LEFT}
    return {side} if side in (Side.RIGHT, Side.LEFT) else set()

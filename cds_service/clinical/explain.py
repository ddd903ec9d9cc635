"""Explain term by term why the rules for one leg fired or not; for reviewing the reasoning, not for cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.clinical.assess import virtual_terms
from cds_service.clinical.assessment import Assessment, LegAssessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Condition
from cds_service.clinical.content.names import (
    AGE_UNDER_18,
    DVT_SUSPECTED,
    NEW_LEG_PAIN,
    ONE_LEG,
    RUPTURED_CYST_KNOWN,
)
from cds_service.clinical.derive import with_derived
from cds_service.clinical.leg import Leg
from cds_service.clinical.record import Fact, Status
from cds_service.clinical.red_flags import Terms

VIRTUAL_WORDS: Mapping[str, str] = {
    DVT_SUSPECTED: "DVT suspected on the pathway",
    AGE_UNDER_18: "under 18",
    RUPTURED_CYST_KNOWN: "ruptured popliteal cyst known",
    NEW_LEG_PAIN: "new pain behind the knee, in the calf or leg",
    ONE_LEG: "one leg only, as far as is recorded",
}


@dataclass(frozen=True, slots=True)
class TermRead:
    """One term of a rule and its status for this leg. ``fact`` shows or denies it."""

    name: str
    status: Status
    fact: Fact | None

    @property
    def holds(self) -> bool:
        """Whether the term is satisfied."""
        return self.status is Status.PRESENT


@dataclass(frozen=True, slots=True)
class GroupRead:
    """Terms of which all, or at least one, must hold."""

    needs_all: bool
    parts: tuple[TermRead | GroupRead, ...]

    @property
    def holds(self) -> bool:
        """Whether the group is satisfied."""
        each = [part.holds for part in self.parts]
        return all(each) if self.needs_all else any(each)


@dataclass(frozen=True, slots=True)
class RuleRead:
    """A red-flag rule with its terms. ``fired``: it led to a verdict for this leg."""

    rule: str
    title: str
    fired: bool
    when: GroupRead


def derived_facts(content: Content, assessment: Assessment) -> tuple[Fact, ...]:
    """Return the facts that no entry states: they follow from age, sex and other facts."""
    read = set(assessment.record.facts)
    return tuple(fact for fact in with_derived(content, assessment.record, assessment.today) if fact not in read)


def rules_read(content: Content, assessment: Assessment, judged: LegAssessment) -> tuple[RuleRead, ...]:
    """Return every red-flag rule for one leg, sorted by name."""
    record = assessment.record
    facts = with_derived(content, record, assessment.today)
    alone = len(assessment.legs) == 1
    leg = Leg(content, record.patient, assessment.today, judged.side, alone, facts, record.diagnoses, record.orders)
    virtual = virtual_terms(leg, judged.dvt, under_18=assessment.under_18)
    fired = {flag.rule for flag in judged.red_flags}
    return tuple(
        RuleRead(rule, flag.card.title, rule in fired, _group(leg, flag.when, virtual))
        for rule, flag in sorted(content.red_flags.items())
    )


def _group(leg: Leg, condition: Condition, virtual: Terms) -> GroupRead:
    parts = condition.all or condition.any
    return GroupRead(bool(condition.all), tuple(_part(leg, part, virtual) for part in parts))


def _part(leg: Leg, part: str | Condition, virtual: Terms) -> TermRead | GroupRead:
    if isinstance(part, Condition):
        return _group(leg, part, virtual)
    if part in virtual:
        holds, shown = virtual[part]
        status = Status.PRESENT if holds else Status.ABSENT
        return TermRead(VIRTUAL_WORDS[part], status, next(iter(shown), None))
    return TermRead(leg.content.name(part), leg.status(part), leg.present(part) or leg.absent(part))

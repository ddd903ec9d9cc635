"""Derive findings from other findings: age and sex, treated cancer, one-sided oedema, an old DVT."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import AgeFinding
from cds_service.clinical.content.names import DVT, PREVIOUS_DVT
from cds_service.clinical.implied import with_implied
from cds_service.clinical.leg import age_in_days, in_window
from cds_service.clinical.record import Diagnosis, DiagnosisState, Fact, Record, Side, Status

_PATIENT = "Patient"


def with_derived(content: Content, record: Record, today: date) -> tuple[Fact, ...]:
    """Return the facts of ``record`` together with the facts that follow from them on ``today``."""
    by_age = _age_keys(content)
    facts = [fact for fact in record.facts if fact.key not in by_age]
    facts += _from_age(content, record, today)
    facts += _active_cancer(content, record, today)
    facts += _previous_dvt(content, record, today)
    return with_implied(content, _one_leg_only(content, facts, today), today)


def _age_keys(content: Content) -> set[str]:
    return {age.finding for age in content.reasoning.ages}


def _from_age(content: Content, record: Record, today: date) -> list[Fact]:
    """Return the findings that follow from age and sex.

    Only presence is derived: the age findings overlap, and an absence would count the age twice. Coded age findings are
    used only if the age is unknown.
    """
    age = record.patient.age_on(today)
    facts = [
        Fact(rule.finding, Status.PRESENT, Side.BODY, None, None, _PATIENT, ongoing=True)
        for rule in content.reasoning.ages
        if age is not None and _fits(rule, age, record)
    ]
    derived = {fact.key for fact in facts}
    coded = [
        fact for fact in record.facts if fact.key in _age_keys(content) and age is None and fact.key not in derived
    ]
    return facts + [fact for fact in coded if fact.status is Status.PRESENT]


def _fits(rule: AgeFinding, age: int, record: Record) -> bool:
    if rule.older_than is not None and age <= rule.older_than:
        return False
    if rule.at_least is not None and age < rule.at_least:
        return False
    if rule.younger_than is not None and age >= rule.younger_than:
        return False
    if rule.sex is not None and record.patient.sex != rule.sex:
        return False
    present = {fact.key for fact in record.facts if fact.status is Status.PRESENT}
    return not rule.with_any or not present.isdisjoint(rule.with_any)


def _active_cancer(content: Content, record: Record, today: date) -> list[Fact]:
    """Return active cancer for each malignancy that is dated or treated within six months (evidence C.1 item 1)."""
    window = content.reasoning.cancer_current.days
    facts: list[Fact] = []
    for derived in content.reasoning.derived:
        if not derived.all:
            continue
        first, *others = derived.all
        treated = all(_current(content, record, key, today) for key in others)
        for disease in _current(content, record, first, today):
            dates = [when for when in (disease.clinical, disease.recorded) if when]
            dated = [when for when in dates if (today - when.day).days <= window]
            if dated or treated:
                # Use the date on which it was last recorded, so that the finding's own window does not exclude it
                # again.
                latest = max(dated, key=lambda when: when.day, default=None)
                facts.append(replace(disease, key=derived.finding, clinical=latest, recorded=None))
    return facts


def _current(content: Content, record: Record, key: str, today: date) -> list[Fact]:
    """Return the facts that show ``key`` today."""
    finding = content.findings[key]
    window = finding.recency.days if finding.recency else None
    return [
        fact
        for fact in record.facts
        if fact.key == key
        and fact.status is Status.PRESENT
        and ((finding.persists and fact.ongoing) or in_window(fact, window, today))
    ]


def _previous_dvt(content: Content, record: Record, today: date) -> list[Fact]:
    """Return a previous DVT for each DVT coded before the present episode can have begun (evidence C.1 item 9)."""
    return [
        Fact(PREVIOUS_DVT, Status.PRESENT, Side.BODY, diagnosis.clinical, diagnosis.recorded, diagnosis.source)
        for diagnosis in record.diagnoses
        if diagnosis.cause == DVT and diagnosis.state is DiagnosisState.CURRENT and _is_old(content, diagnosis, today)
    ]


def _is_old(content: Content, diagnosis: Diagnosis, today: date) -> bool:
    age = age_in_days(diagnosis, today)
    return age is not None and age > content.pathway.stale_sign.days


def _one_leg_only(content: Content, facts: list[Fact], today: date) -> list[Fact]:
    for derived in content.reasoning.derived:
        if derived.one_leg_only is None:
            continue
        finding = content.findings[derived.finding]
        window = finding.recency.days if finding.recency else None
        whole, single = derived.one_leg_only, derived.finding
        shown = [
            fact
            for fact in facts
            if fact.key in (whole, single) and fact.status is Status.PRESENT and in_window(fact, window, today)
        ]
        legs = {fact.side for fact in shown}
        if Side.BOTH in legs or {Side.RIGHT, Side.LEFT} <= legs:
            # If both legs are swollen, keep the swelling but mark "one leg only" as absent.
            facts = [
                replace(fact, key=whole) if fact.key == single and fact.status is Status.PRESENT else fact
                for fact in facts
            ]
            facts += [replace(fact, key=single, status=Status.ABSENT) for fact in shown]
        else:
            facts = facts + [
                replace(fact, key=single)
                for fact in shown
                if fact.key == whole and fact.side in (Side.RIGHT, Side.LEFT)
            ]
    return facts

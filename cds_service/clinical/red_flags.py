"""Red-flag rules: explicit findings that need urgent action regardless of the ranking (evidence section D)."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.clinical.assessment import RedFlagVerdict
from cds_service.clinical.content.models import Condition, RedFlag, Speed
from cds_service.clinical.leg import Leg
from cds_service.clinical.record import Fact

Terms = Mapping[str, tuple[bool, tuple[Fact, ...]]]
"""Terms that are not findings: for each, whether it holds and the facts that show it."""


def fired(leg: Leg, virtual: Terms, *, under_18: bool) -> list[RedFlagVerdict]:
    """Return the rules that ``leg`` satisfies. An unknown finding satisfies nothing.

    ``virtual`` holds the terms that are not findings. A rule is left out if a rule it yields to also fires.
    """
    verdicts = []
    shown = leg.shown.union(term for term, (true, _) in virtual.items() if true)
    for rule, flag, terms in leg.content.red_flag_terms:
        if terms.isdisjoint(shown):
            continue  # every condition needs at least one term that holds
        fires, facts = holds(flag.when, leg, virtual)
        if fires:
            speed = _speed(flag, leg, virtual, under_18=under_18)
            verdicts.append(
                RedFlagVerdict(rule, _cause(flag, leg, virtual), leg.side, flag.indicator, speed, _facts(facts))
            )
    rules = {verdict.rule for verdict in verdicts}
    return [verdict for verdict in verdicts if rules.isdisjoint(leg.content.red_flags[verdict.rule].yields_to)]


def _facts(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Return the facts stated in the chart, each once. A derived fact is replaced by the facts it follows from."""
    return tuple(dict.fromkeys(stated for fact in facts for stated in fact.stated))


def _cause(flag: RedFlag, leg: Leg, virtual: Terms) -> str:
    """Return the feared cause: that of the first reason that holds, otherwise the rule's own cause."""
    return next((reason.cause for reason in flag.reasons if holds(reason.when, leg, virtual)[0]), flag.cause)


def _speed(flag: RedFlag, leg: Leg, virtual: Terms, *, under_18: bool) -> Speed:
    if under_18 and flag.speed_under_18:
        return flag.speed_under_18
    if any(_part(part, leg, virtual)[0] for part in flag.sooner_if):
        return "same_day"
    return flag.speed


def holds(condition: Condition, leg: Leg, virtual: Terms) -> tuple[bool, tuple[Fact, ...]]:
    parts = condition.all or condition.any
    results = [_part(part, leg, virtual) for part in parts]
    satisfied = all(result for result, _ in results) if condition.all else any(result for result, _ in results)
    if not satisfied:
        return False, ()
    facts = {fact: None for result, shown in results if result for fact in shown}
    return True, tuple(facts)


def _part(part: str | Condition, leg: Leg, virtual: Terms) -> tuple[bool, tuple[Fact, ...]]:
    if isinstance(part, Condition):
        return holds(part, leg, virtual)
    if part in virtual:
        return virtual[part]
    fact = leg.present(part)
    return fact is not None, (fact,) if fact else ()

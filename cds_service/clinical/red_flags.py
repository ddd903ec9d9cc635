"""Red-flag rules: explicit findings that ask for urgent action before and regardless of any ranking (section D)."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.clinical.assessment import RedFlagVerdict
from cds_service.clinical.content import Condition, RedFlag, Speed
from cds_service.clinical.leg import Leg
from cds_service.clinical.record import Fact

Terms = Mapping[str, tuple[bool, tuple[Fact, ...]]]
"""Virtual terms: whether each holds, and the facts it rests on."""


def fired(leg: Leg, virtual: Terms, *, under_18: bool) -> list[RedFlagVerdict]:
    """The rules whose condition ``leg`` satisfies. An unknown finding satisfies nothing.

    ``virtual`` gives the terms that are not findings.
    """
    verdicts = []
    shown = leg.shown.union(term for term, (true, _) in virtual.items() if true)
    for rule, flag, terms in leg.content.red_flag_terms:
        if terms.isdisjoint(shown):
            continue  # every condition needs at least one term that holds
        fires, facts = holds(flag.when, leg, virtual)
        if fires:
            verdicts.append(
                RedFlagVerdict(rule, flag.cause, leg.side, flag.indicator, _speed(flag, leg, under_18=under_18), facts)
            )
    return verdicts


def _speed(flag: RedFlag, leg: Leg, *, under_18: bool) -> Speed:
    if under_18 and flag.speed_under_18:
        return flag.speed_under_18
    if flag.sooner_if and any(leg.present(key) for key in flag.sooner_if):
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

"""Courses of medicines: a course that a later record stops or denies is no longer ongoing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cds_service.clinical.record import Fact, Stop


def without_ended(facts: Iterable[Fact], stops: Sequence[Stop]) -> set[Fact]:
    """Return ``facts`` with the courses that a stop ended marked as not ongoing.

    A stop ends what was recorded up to its own time: courses of its drug, of any drug if it names only the class, and
    of the class if the drug taken is not named. An ongoing course must be proved; its end need not be.
    """
    return {replace(fact, ongoing=False) if _has_ended(fact, stops) else fact for fact in facts}


def _has_ended(fact: Fact, stops: Sequence[Stop]) -> bool:
    return fact.ongoing and any(
        stop.key == fact.key
        and (not stop.substance or not fact.substance or stop.substance == fact.substance)
        and not (stop.when is not None and fact.when is not None and fact.when.is_surely_after(stop.when))
        for stop in stops
    )

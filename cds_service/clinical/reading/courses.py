"""Courses of a medicine: what a later record says was stopped, or is not taken, is not being taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cds_service.clinical.record import Fact, Stop


def without_ended(facts: Iterable[Fact], stops: Sequence[Stop]) -> set[Fact]:
    """``facts``, in which the courses that a stop has ended no longer run.

    A stop ends what was recorded up to its own time: of its own drug, of any drug where it names only the class, and
    of a class where the drug that is taken is not named. That a course runs has to be proved, that it has ended not.
    """
    return {replace(fact, ongoing=False) if _has_ended(fact, stops) else fact for fact in facts}


def _has_ended(fact: Fact, stops: Sequence[Stop]) -> bool:
    return fact.ongoing and any(
        stop.key == fact.key
        and (not stop.substance or not fact.substance or stop.substance == fact.substance)
        and not (stop.when is not None and fact.when is not None and fact.when.is_surely_after(stop.when))
        for stop in stops
    )

"""How far back the rules look at what was measured: an older number says nothing to any of them.

Derived from the content, never written by hand. A finding has a limit only where nothing reads it but by its own
window or one of the pathway's: what code names, what the pathway or a derived finding names, complaints, signs and
risks of DVT and what persists have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cds_service.clinical.content import names
from cds_service.clinical.content.figures import Figure
from cds_service.clinical.content.models import Finding, Measure, Pathway, Reasoning


def limits_of(
    findings: Mapping[str, Finding],
    measures: Iterable[Measure],
    pathway: Pathway,
    reasoning: Reasoning,
    implies: Mapping[str, frozenset[str]],
) -> Mapping[str, int]:
    """Days after which a fact about a finding is read by no rule; a finding without a limit is not in it.

    ``implies``: finding -> all that may follow from it.
    """
    measures = tuple(measures)
    named = {*_named_in_code(), *_keys_in(pathway.model_dump()), *_derived(reasoning)}
    longest = max(_days_of(pathway))
    of_two_sides = {measure.finding for measure in measures if measure.compare_sides}
    found = {}
    for key in {measure.finding for measure in measures} - named - of_two_sides:
        finding, followers = findings[key], implies.get(key, frozenset())
        read_alike = [finding, *(findings[follower] for follower in followers)]
        if finding.recency is None or any(map(_has_a_role, read_alike)):
            continue
        if named.isdisjoint(followers):
            within = [days for follower in followers for days in _within(findings[follower])]
            found[key] = max(finding.recency.days, longest, *within)
    return found


def _has_a_role(finding: Finding) -> bool:
    """Whether more is asked of it than whether it is present now."""
    return (
        finding.complaint is not None or finding.persists or finding.past_counts or finding.dvt != type(finding.dvt)()
    )


def _named_in_code() -> set[str]:
    return {one for one in vars(names).values() if isinstance(one, str)}


def _derived(reasoning: Reasoning) -> Iterator[str]:
    for derived in reasoning.derived:
        yield from (derived.finding, *derived.all, derived.one_leg_only or "")
    for age in reasoning.ages:
        yield from (age.finding, *age.with_any)


def _within(finding: Finding) -> Iterator[int]:
    for implication in finding.implied_by:
        if implication.within is not None:
            yield implication.within.days
    if finding.recency is not None:
        yield finding.recency.days


def _days_of(pathway: Pathway) -> Iterator[int]:
    return (one.days for _, one in pathway if isinstance(one, Figure))


def _keys_in(node: Any) -> Iterator[str]:
    """Every text in it that may be a name."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for inner in node.values():
            yield from _keys_in(inner)
    elif isinstance(node, list | tuple):
        for inner in node:
            yield from _keys_in(inner)

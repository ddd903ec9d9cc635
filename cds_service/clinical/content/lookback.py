"""Compute how far back any rule uses a measurement; older numbers can be skipped.

The limits are derived from the content. A finding has a limit only if it is used solely within its own window or one of
the pathway's. There is no limit for findings that are named in code, in the pathway or in a derived finding, for
complaints, for signs and risks of DVT, and for findings that persist.
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
    """Return for each finding the days after which no rule uses it; findings without a limit are left out.

    ``implies``: finding -> everything that may follow from it.
    """
    measures = tuple(measures)
    named = {*_named_in_code(), *_keys_in(pathway.model_dump()), *_derived(reasoning)}
    longest = max(_days_of(pathway))
    of_two_sides = {measure.finding for measure in measures if measure.compare_sides}
    limits = {}
    for key in {measure.finding for measure in measures} - named - of_two_sides:
        finding, followers = findings[key], implies.get(key, frozenset())
        read_alike = [finding, *(findings[follower] for follower in followers)]
        if finding.recency is None or any(map(_has_a_role, read_alike)):
            continue
        if named.isdisjoint(followers):
            within = [days for follower in followers for days in _within(findings[follower])]
            limits[key] = max(finding.recency.days, longest, *within)
    return limits


def _has_a_role(finding: Finding) -> bool:
    """Whether the finding is used for more than being present now."""
    return (
        finding.complaint is not None or finding.persists or finding.past_counts or finding.dvt != type(finding.dvt)()
    )


def _named_in_code() -> set[str]:
    return {value for value in vars(names).values() if isinstance(value, str)}


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
    return (figure.days for _, figure in pathway if isinstance(figure, Figure))


def _keys_in(node: Any) -> Iterator[str]:
    """Yield every string in ``node``; any of them may be a key."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for inner in node.values():
            yield from _keys_in(inner)
    elif isinstance(node, list | tuple):
        for inner in node:
            yield from _keys_in(inner)

"""Derive findings that follow from other findings by the content's ``implied_by``. Only presence is derived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Figure
from cds_service.clinical.content.models import Condition
from cds_service.clinical.leg import counts_on
from cds_service.clinical.record import Fact, Side, Status

_Proof = tuple[Fact, ...]
_NO_LEG = (Side.BODY, Side.UNKNOWN)
_POOLS = ((Side.RIGHT, Side.BOTH, *_NO_LEG), (Side.LEFT, Side.BOTH, *_NO_LEG), _NO_LEG)
"""Sides whose facts may be combined: the facts of one leg, and facts that name no leg."""


def with_implied(content: Content, facts: Iterable[Fact], today: date) -> tuple[Fact, ...]:
    """Return ``facts`` and the facts that follow from them.

    A recorded denial of a derived finding does not remove it; both stay in the result.
    """
    result = tuple(facts)
    shown = {fact.key for fact in result if fact.status is Status.PRESENT}
    for key in content.implied:
        if shown.isdisjoint(content.implied_terms[key]):
            continue
        following = tuple(_following(content, key, result, today))
        result += following
        shown.update(fact.key for fact in following if fact.status is Status.PRESENT)
    return result


def _following(content: Content, key: str, facts: tuple[Fact, ...], today: date) -> Iterator[Fact]:
    """Return each fact about ``key`` that follows, once."""
    finding = content.findings[key]
    shown = [fact for fact in facts if fact.status is Status.PRESENT]
    pools = [shown] if finding.side == "body" else [[fact for fact in shown if fact.side in sides] for sides in _POOLS]
    denials = [fact for fact in facts if fact.key == key and _is_plain_denial(fact)]
    proofs = {
        proof: None
        for implication in finding.implied_by
        for pool in pools
        for proof in _proofs(content, implication, implication.within, pool, today)
        if not (implication.unless_denied and any(_answers(denial, proof) for denial in denials))
    }
    for proof in proofs:
        yield _fact(key, proof, on_leg=finding.side != "body")


def _is_plain_denial(fact: Fact) -> bool:
    """Whether this is a dated, final, fully understood denial that is not in the future. Only such a denial counts."""
    if fact.status is not Status.ABSENT or fact.when is None:
        return False
    return not (fact.ahead or fact.provisional or fact.doubtful)


def _answers(denial: Fact, proof: _Proof) -> bool:
    """Whether ``denial`` is about the same leg and is not older than any part of ``proof``."""
    side = _side(proof)
    if side not in (denial.side, Side.UNKNOWN) and denial.side is not Side.BOTH:
        return False
    return all(fact.when is not None and denial.when is not None and denial.when.day >= fact.when.day for fact in proof)


def _proofs(
    content: Content, condition: Condition, within: Figure | None, pool: list[Fact], today: date
) -> list[_Proof]:
    """Return the ways ``pool`` satisfies ``condition``.

    ``any`` gives one proof for each alternative, ``all`` one proof from the latest facts.
    """
    if condition.any:
        return [proof for part in condition.any for proof in _of_part(content, part, within, pool, today)]
    first: list[Fact] = []
    for part in condition.all:
        proofs = _of_part(content, part, within, pool, today)
        if not proofs:
            return []
        first += proofs[0]
    return [tuple(dict.fromkeys(first))]


def _of_part(
    content: Content, part: str | Condition, within: Figure | None, pool: list[Fact], today: date
) -> list[_Proof]:
    if isinstance(part, Condition):
        return _proofs(content, part, within, pool, today)
    days = within.days if within else None
    counting = [fact for fact in pool if fact.key == part and counts_on(content, fact, days, today)]
    return [(fact,) for fact in sorted(counting, key=_best_first)]


def _best_first(fact: Fact) -> tuple[bool, int, str]:
    """Sort facts that name a leg first, then the latest first."""
    return (fact.side in _NO_LEG, -(fact.when.day.toordinal() if fact.when else 0), fact.source)


def _fact(key: str, proof: _Proof, *, on_leg: bool) -> Fact:
    """Build the derived fact. It has the date of its newest part and the certainty of its least certain part."""
    newest = max(proof, key=lambda fact: fact.when.day.toordinal() if fact.when else 0)
    return replace(
        newest,
        key=key,
        side=_side(proof) if on_leg else Side.BODY,
        ongoing=all(fact.ongoing for fact in proof),
        provisional=any(fact.provisional for fact in proof),
        doubtful=any(fact.doubtful for fact in proof),
        substance="",
        follows_from=tuple(dict.fromkeys(stated for fact in proof for stated in fact.stated)),
    )


def _side(proof: _Proof) -> Side:
    named = {fact.side for fact in proof} - set(_NO_LEG)
    single = named - {Side.BOTH}
    if single:
        return single.pop()
    return Side.BOTH if named else Side.UNKNOWN

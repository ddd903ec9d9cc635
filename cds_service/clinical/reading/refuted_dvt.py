"""Find what a refutation of DVT covers. It closes a suspicion only if it covers the deep veins of the whole leg.

The refutation of a clot in one vein says nothing about the others. Words prove nothing here; they can only limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.coding.vocabulary import (
    BOTH,
    EXAMINED_IN_PART,
    HOLLOW,
    LEAVES_OPEN,
    LEFT,
    RIGHT,
    SOME_VEINS,
    UNFIT,
)
from cds_service.clinical.content.names import DVT
from cds_service.clinical.record import RefutationLimit, Side


def limit_of(content: Content, model: Any, uses: Iterable[CodeUse], side: Side) -> RefutationLimit | None:
    """Return why the Condition ``model``, which refutes a DVT at ``side``, may leave one open; None if it does not."""
    if any(use.kind == "cause" and use.key == DVT and use.relation == "narrower" for use in uses):
        return "refuted_narrow"
    said = frozenset[str]().union(*map(content.word_net.groups_in, _texts(model)))
    return limit_in_words(said, side)


def limit_in_words(said: frozenset[str], side: Side) -> RefutationLimit | None:
    """Return the limit that words set on a denial at ``side``. ``said``: the groups of the words beside it."""
    if said & {EXAMINED_IN_PART, LEAVES_OPEN, UNFIT}:
        return "refuted_in_part"
    # A proximal scan examines thigh and hollow of the knee. One without the other is only a part.
    if (SOME_VEINS in said) != (HOLLOW in said):
        return "refuted_some_veins"
    legs = {LEFT: Side.LEFT, RIGHT: Side.RIGHT}
    named = {legs[group] for group in said & legs.keys()}
    if named and side is not Side.BOTH and side not in named and BOTH not in said:
        return "refuted_other_leg"
    return "refuted_other_leg" if side is Side.BOTH and len(named) == 1 else None


def _texts(model: Any) -> Iterator[str]:
    """Yield the words of code, place, evidence and notes."""
    evidence = [concept for item in model.evidence or () for concept in item.code or ()]
    for concept in (model.code, *(model.bodySite or ()), *evidence):
        if concept is not None:
            yield str(concept.text or "")
            yield from (str(coding.display or "") for coding in concept.coding or ())
    yield from (str(detail.display or "") for item in model.evidence or () for detail in item.detail or ())
    yield from (str(note.text or "") for note in model.note or ())

"""Find doubts about a negative test for DVT in its own row. A test with a doubt closes nothing (see ``dvt.exclusion``).

Words prove nothing here; they can only add a doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.vocabulary import EXAMINED_IN_PART, UNFIT
from cds_service.clinical.content.names import D_DIMER, DVT, SCAN
from cds_service.clinical.reading.places import codings
from cds_service.clinical.reading.refuted_dvt import limit_in_words
from cds_service.clinical.reading.statements import Trouble, answer_in
from cds_service.clinical.record import Side, Status, UnreadKind

TESTS = frozenset({SCAN, D_DIMER})
"""Tests that deny a DVT when they are negative."""
_WORDS = "its own words leave open what it shows"
_PART = "a part of it is not understood"
_CLOT = frozenset({DVT})


def against(content: Content, model: Any, denied: Mapping[str, Side]) -> Iterator[Trouble]:
    """Yield why the Observation ``model`` proves nothing. ``denied``: the ``TESTS`` that it denies, with the leg."""
    if not denied:
        return
    keys = tuple(sorted(denied))
    texts = list(_texts(content, model))
    said = frozenset[str]().union(*map(content.word_net.groups_in, texts))
    # Only a scan can be limited to some veins; a laboratory may mention veins in a general remark.
    limited = SCAN in denied and (
        limit_in_words(said, denied[SCAN]) is not None
        or any(content.word_net.names_undenied(text, _CLOT) for text in texts)
    )
    if limited or said & {UNFIT, EXAMINED_IN_PART}:
        yield Trouble(UnreadKind.VALUE, _WORDS, keys)
    if any(not _is_understood(content, part.code) for part in model.component or ()):
        yield Trouble(UnreadKind.VALUE, _PART, keys)


def is_doubtful_flag(content: Content, concept: Any) -> bool:
    """Whether an interpretation beside a normal number says "equivocal", or is not understood.

    FHIR's own flags with other meanings ("low") are not a doubt; "high" is reported as a contradiction.
    """
    answer = answer_in(content, concept)
    if answer is not None:
        return answer is Status.UNKNOWN
    return not any(content.identifies(system, code) for system, code in codings(concept))


def _is_understood(content: Content, concept: Any) -> bool:
    return any(content.uses(system, code) or content.identifies(system, code) for system, code in codings(concept))


def _texts(content: Content, model: Any) -> Iterator[str]:
    """Yield the words of notes, method, place, flags and parts, and of the code unless a known code says them."""
    parts = model.component or ()
    for concept in (
        model.method, model.bodySite, *(model.interpretation or ()), *(part.valueCodeableConcept for part in parts),
    ):  # fmt: skip
        if concept is not None:
            yield str(concept.text or "")
            yield from (str(coding.display or "") for coding in concept.coding or ())
    for element in (model, *parts):
        yield str(element.code.text or "")
        known = set(codings(element.code)) if _is_understood(content, element.code) else set()
        yield from (
            str(c.display or "") for c in element.code.coding or () if (str(c.system), str(c.code)) not in known
        )
        yield str(element.valueString or "")
    yield from (str(note.text or "") for note in model.note or ())

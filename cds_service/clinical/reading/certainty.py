"""How certain each code of a Condition is: by its meaning, and by the marks in German records.

In ICD-10-GM a diagnosis has a "Diagnosesicherheit" mark on the coding: excluded, suspected, state after, or confirmed.
The codings beside it translate the same statement, so one mark applies to all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse, UseStatus
from cds_service.clinical.reading.icd10_gm_letters import certainty_behind
from cds_service.clinical.reading.places import codings, uses_of

_NAME = "diagnosesicherheit"
"""Part of the extension's address, whoever publishes it."""


class Certainty(StrEnum):
    """How certain a code is about the finding it names."""

    PRESENT = "present"
    POSSIBLE = "possible"
    PAST = "past"
    ABSENT = "absent"
    UNKNOWN = "unknown"


_MARKS: Mapping[str, Certainty] = {
    "G": Certainty.PRESENT,
    "V": Certainty.POSSIBLE,
    "Z": Certainty.PAST,
    "A": Certainty.ABSENT,
}
_BY_STATUS: Mapping[UseStatus, Certainty] = {
    "possible": Certainty.POSSIBLE,
    "past": Certainty.PAST,
    "absent": Certainty.ABSENT,
}


def uses_by_certainty(content: Content, concept: Any, whole: Any = None) -> dict[Certainty, tuple[CodeUse, ...]]:
    """Group the meanings of the codes of ``concept`` by certainty. There is at least one group, possibly empty.

    ``whole``: the resource that contains it; some records put the mark there.
    """
    marked = _marked(content, concept, whole)
    groups: dict[Certainty, list[CodeUse]] = {}
    for use in uses_of(content, concept):
        own = _BY_STATUS.get(use.status, Certainty.PRESENT)
        # "Excluded" on a history code says nothing about today, so the code's own status applies.
        certainty = marked if own is Certainty.PRESENT else own
        groups.setdefault(certainty, []).append(replace(use, status=""))
    return {certainty: tuple(uses) for certainty, uses in groups.items()} or {marked: ()}


def _marked(content: Content, concept: Any, whole: Any) -> Certainty:
    """Return the mark on ``concept``, its codings or ``whole``; PRESENT without a mark, UNKNOWN if it is unclear.

    In many records the letters follow the code itself: "I80.28 V", "I80.28GL".
    """
    codings_in = (concept.coding if concept is not None else None) or ()
    letters = (certainty_behind(content, system, code) for system, code in codings(concept))
    marks = {_MARKS[letter] for letter in letters if letter}
    for element in (*codings_in, concept, whole):
        for extension in getattr(element, "extension", None) or ():
            if _NAME in str(extension.url or "").lower().replace("-", ""):
                marks.add(_MARKS.get(_letter(extension), Certainty.UNKNOWN))
    if not marks:
        return Certainty.PRESENT
    return marks.pop() if len(marks) == 1 else Certainty.UNKNOWN


def _letter(extension: Any) -> str:
    value = extension.valueCoding
    listed = extension.valueCodeableConcept.coding if extension.valueCodeableConcept is not None else None
    if value is None and listed and len(listed) == 1:
        value = listed[0]
    code = value.code if value is not None else extension.valueCode
    return str(code or "").strip().upper()


def may_say_more(content: Content, concept: Any) -> str:
    """Return why a concept with known codes may not be fully understood; empty if it is."""
    ours = [(system, code) for system, code in codings(concept) if content.uses(system, code)]
    if not ours or any(content.is_whole(system, code) for system, code in ours):
        return ""
    if not any(system.strip() for system, _ in ours):
        return "has a code without its system"
    return "is coded in a system that this service knows in part only"

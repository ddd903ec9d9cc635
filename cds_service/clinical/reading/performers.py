"""Find who completed an assessment of this service, from its Observation."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from cds_service.clinical.content.coding.codes import ASSESSMENT_CODE, ASSESSMENT_SYSTEM

_MAX_LENGTH = 50
_MAX_WORDS = 6
_MARKS = frozenset(" ,'\u2019-")
_TITLES = re.compile(r"^(?:\w{1,4}\. )+")
_INITIAL = re.compile(r"\b(\w)\.(?=[ ,-]|$|\w\.)")
"""Full stops are allowed only after titles at the start and after initials; elsewhere they would end a sentence."""
_BLANK = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters that are invisible."""
_STACKED = re.compile(r"\w[\u0300-\u036f]{3}")
"""A letter with more accents than any name has."""


def assessed_by(model: Any) -> str | None:
    """Return the name of the performer of an assessment; empty if the entry names nobody; None if it is not ours.

    ``model``: an Observation. Only our own code makes it an assessment, because any panel may have components.
    """
    codings = (model.code.coding if model.code is not None else None) or ()
    if not any((coding.system, coding.code) == (ASSESSMENT_SYSTEM, ASSESSMENT_CODE) for coding in codings):
        return None
    return next((name for performer in model.performer or () if (name := clinician_name(performer.display))), "")


def clinician_name(text: Any) -> str:
    """Return ``text`` on one line if it has the form of a name: a few words of letters only; else an empty text.

    It is the only text of a chart that a card repeats, so any other text is left out completely.
    """
    if not isinstance(text, str):
        return ""
    name = " ".join(unicodedata.normalize("NFC", text[: 4 * _MAX_LENGTH]).split())
    fits = 0 < len(name) <= _MAX_LENGTH and len(name.split()) <= _MAX_WORDS
    letters = _INITIAL.sub(r"\1", _TITLES.sub(lambda titles: titles[0].replace(".", ""), name))
    is_name = all(char in _MARKS or unicodedata.category(char)[0] in "LM" for char in letters)
    is_name = is_name and _BLANK.isdisjoint(name) and not _STACKED.search(unicodedata.normalize("NFD", name))
    return name if fits and is_name and name[0].isalpha() else ""

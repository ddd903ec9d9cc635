"""Who completed an assessment of this service, from its Observation."""

from __future__ import annotations

import unicodedata
from typing import Any

from cds_service.clinical.content.coding.codes import ASSESSMENT_CODE, ASSESSMENT_SYSTEM

_LONGEST = 50
_MOST_WORDS = 6
_MARKS = frozenset(" .,'\u2019-")


def assessed_by(model: Any) -> str | None:
    """The name of who performed the assessment; empty if the entry names nobody; None if it is no assessment of ours.

    ``model``: an Observation. Our own code makes it an assessment: any panel may have components.
    """
    codings = (model.code.coding if model.code is not None else None) or ()
    if not any((one.system, one.code) == (ASSESSMENT_SYSTEM, ASSESSMENT_CODE) for one in codings):
        return None
    return next((name for one in model.performer or () if (name := clinician_name(one.display))), "")


def clinician_name(text: Any) -> str:
    """``text`` on one line if it has the form of a name: few words of letters only; else empty.

    It is the only text of a chart that a card repeats, so whatever else it may be is left out as a whole.
    """
    if not isinstance(text, str):
        return ""
    name = " ".join(unicodedata.normalize("NFC", text[: 4 * _LONGEST]).split())
    fits = 0 < len(name) <= _LONGEST and len(name.split()) <= _MOST_WORDS
    is_name = all(char in _MARKS or unicodedata.category(char)[0] in "LM" for char in name)
    return name if fits and is_name and name[0].isalpha() else ""

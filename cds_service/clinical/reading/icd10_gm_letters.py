"""The letters that German records append to an ICD-10 code, for certainty and side.

"I80.28 V", "I80.28GL": A excluded, G confirmed, V suspected, Z state after; R right, L left, B both sides (KBV, keys of
Diagnosesicherheit and Seitenlokalisation).
"""

from __future__ import annotations

import re

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import Side

_SYSTEMS = frozenset({"icd10gm", "icd10"})
_BEHIND = re.compile(
    r"[A-Z][0-9]{2}(?:\.?[0-9]{1,2})?[-+*!\u2020#\s]*+(?P<certainty>[AGVZ])?\s*+(?P<side>[RLB])?", re.IGNORECASE
)
_SIDES = {"R": Side.RIGHT, "L": Side.LEFT, "B": Side.BOTH}


def certainty_behind(content: Content, system: str, code: str) -> str:
    """Return the letter of certainty after a code of ICD-10-GM or of WHO's ICD-10; empty if there is none."""
    return _behind(content, system, code, "certainty")


def side_behind(content: Content, system: str, code: str) -> Side | None:
    """Return the side whose letter follows such a code; None if there is none."""
    return _SIDES.get(_behind(content, system, code, "side"))


def _behind(content: Content, system: str, code: str, which: str) -> str:
    found = content.systems.of(system)
    if found is None or found.key not in _SYSTEMS:
        return ""
    letters = _BEHIND.fullmatch(code.strip())
    return (letters[which] or "").upper() if letters else ""

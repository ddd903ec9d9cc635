"""The letters that German records write behind a code of ICD-10: how certain it is, and of which side.

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
    """The letter of certainty behind a code of ICD-10-GM, or of WHO, whose codes end in a digit; empty if none is."""
    return _behind(content, system, code, "certainty")


def side_behind(content: Content, system: str, code: str) -> Side | None:
    """The side whose letter stands behind such a code; None if none does."""
    return _SIDES.get(_behind(content, system, code, "side"))


def _behind(content: Content, system: str, code: str, which: str) -> str:
    found = content.systems.of(system)
    if found is None or found.key not in _SYSTEMS:
        return ""
    letters = _BEHIND.fullmatch(code.strip())
    return (letters[which] or "").upper() if letters else ""

"""Recognise numbers under an unknown code whose unit shows that they measure none of our findings.

A hospital's own codes for creatinine or haemoglobin need no mapping: no D-dimer is in mmol/L.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading.units import is_one_of


def is_of_something_else(content: Content, raw: Mapping[str, Any]) -> bool:
    """Whether ``raw`` is an Observation with only such numbers, and nothing in it names a finding."""
    if raw.get("resourceType") != "Observation":
        return False
    parts = raw.get("component") or [raw]
    if parts[0] is not raw and _values(raw):
        return False
    if not all(_values(part) == ["valueQuantity"] and _is_other(content, part["valueQuantity"]) for part in parts):
        return False
    recognised = content.recogniser.recognise(raw)
    texts = [text for part in (raw, *parts) for concept in (part.get("code"), raw.get("bodySite"), raw.get("method"))
             for text in _texts(concept)]  # fmt: skip
    if any(_is_called(content, text) for text in texts):
        return False
    return not (recognised.keys or recognised.at_our_place or any(map(content.word_net.names_the_leg, texts)))


def _is_called(content: Content, text: str) -> bool:
    """Whether the words name one of our measurements, in any unit."""
    words = f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "
    return any(f" {name} " in words for measure in content.measures.values() for name in measure.called)


def _values(part: Mapping[str, Any]) -> list[str]:
    return [name for name in part if name.startswith(("value", "_value"))]


def _is_other(content: Content, quantity: Any) -> bool:
    return isinstance(quantity, Mapping) and is_one_of(quantity, content.answers.other_units)


def _texts(concept: Any) -> list[str]:
    if not isinstance(concept, Mapping):
        return []
    displays = [coding.get("display") for coding in concept.get("coding") or () if isinstance(coding, Mapping)]
    return [str(text) for text in (concept.get("text"), *displays) if text]

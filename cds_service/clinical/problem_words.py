"""What a problem may be by its words, where its code is in no hierarchy and none of ours. A net, never a proof."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

_REMEMBERED = 8_192
_LONGEST = 300


class ProblemNet:
    """One for a content."""

    def __init__(self, words: Iterable[tuple[str, Iterable[str], Iterable[str]]]) -> None:
        """``words``: key of a finding or cause, parts of words that name it, and those with which they do not."""
        self._by_key = tuple((key, _any_of(named), _any_of(unless)) for key, named, unless in words)
        self._keys_in = lru_cache(maxsize=_REMEMBERED)(self._find)

    def keys_in(self, concept: Any) -> tuple[str, ...]:
        """What the text and the displays of a CodeableConcept in JSON may mean."""
        keys: set[str] = set()
        for text in _texts(concept):
            keys.update(self._keys_in(text[:_LONGEST]))
        return tuple(sorted(keys))

    def _find(self, text: str) -> tuple[str, ...]:
        plain = text.lower()
        return tuple(
            key for key, named, unless in self._by_key if named and named.search(plain) and not _is_in(unless, plain)
        )


def _is_in(words: re.Pattern[str] | None, text: str) -> bool:
    return words is not None and words.search(text) is not None


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    parts = [re.escape(word) for word in words]
    return re.compile("|".join(parts)) if parts else None


def _texts(concept: Any) -> Iterable[str]:
    if not isinstance(concept, Mapping):
        return
    codings = concept.get("coding")
    for one in (concept, *(codings if isinstance(codings, list) else ())):
        for name in ("text", "display"):
            text = one.get(name) if isinstance(one, Mapping) else None
            if isinstance(text, str):
                yield text

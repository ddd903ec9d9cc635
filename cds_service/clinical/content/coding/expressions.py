"""Parse post-coordinated SNOMED CT expressions into focus concepts and refinements."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TERM = re.compile(r"\|[^|]*\|")
_CONCEPT = re.compile(r"[0-9]{6,18}")
_REFINEMENT = re.compile(r"([0-9]{6,18})\s*=\s*[({\s]*([0-9]{6,18})")
_MAX_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class Expression:
    """The parts of an expression.

    Attributes:
        focus: concepts before the colon.
        refinements: attribute and value of every refinement at any depth.
        is_whole: it contains nothing else, such as a number or text as a value, or a definition.
    """

    focus: tuple[str, ...]
    refinements: tuple[tuple[str, str], ...]
    is_whole: bool

    @classmethod
    def is_simple(cls, code: str) -> bool:
        """Whether ``code`` is a single code, not an expression."""
        return not any(mark in code for mark in ":=|+")

    @classmethod
    def parse(cls, code: str) -> Expression:
        """Return the parts of ``code``. Terms between bars are left out."""
        plain = _TERM.sub(" ", code[:_MAX_LENGTH])
        front, _, refinements = plain.partition(":")
        pairs = tuple(_REFINEMENT.findall(refinements))
        is_whole = plain.count("=") == len(pairs)
        return cls(tuple(_CONCEPT.findall(front)), pairs, is_whole)

    @property
    def concepts(self) -> tuple[str, ...]:
        """Every concept named, except the attributes."""
        return (*self.focus, *(value for _, value in self.refinements))

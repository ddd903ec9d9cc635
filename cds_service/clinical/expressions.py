"""Post-coordinated SNOMED CT expressions: the concepts in front, and what refines them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TERM = re.compile(r"\|[^|]*\|")
_CONCEPT = re.compile(r"[0-9]{6,18}")
_VALUE = re.compile(r"=\s*[({\s]*([0-9]{6,18})")
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Expression:
    """The parts of an expression.

    Attributes:
        focus: concepts before the colon.
        values: concepts that refinements name, wherever they stand.
        is_whole: nothing else stands in it: no number or text as a value, no definition.
    """

    focus: tuple[str, ...]
    values: tuple[str, ...]
    is_whole: bool

    @classmethod
    def is_simple(cls, code: str) -> bool:
        """Whether ``code`` is one code and no expression."""
        return not any(mark in code for mark in ":=|+")

    @classmethod
    def parse(cls, code: str) -> Expression:
        """The parts of ``code``. Terms between bars are left out."""
        plain = _TERM.sub(" ", code[:_LONGEST])
        front, _, refinements = plain.partition(":")
        values = tuple(_VALUE.findall(refinements))
        is_whole = plain.count("=") == len(values)
        return cls(tuple(_CONCEPT.findall(front)), values, is_whole)

    @property
    def concepts(self) -> tuple[str, ...]:
        """Every concept named, except the attributes."""
        return self.focus + self.values

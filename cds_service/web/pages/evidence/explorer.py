"""The table of all causes and findings with their weights, readable without its colours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Weight

_STEPS = (10.0, 5.0, 2.0)
"""Lower limits of a likelihood ratio (or its inverse) for very strong, strong and moderate; less is slight."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One weight. Shades: ``f4`` (very strong for) to ``f1``, ``a1`` to ``a4`` (very strong against), ``n`` (none)."""

    present: str
    absent: str
    present_shade: str
    absent_shade: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding and its cell for each cause, in the order of the columns; None if the cause does not weigh it."""

    key: str
    name: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class KindRows:
    """The rows of one kind of finding."""

    key: str
    words: str
    rows: tuple[FindingRow, ...]


@dataclass(frozen=True, slots=True)
class Explorer:
    """The whole table. ``causes``: key and title of each column."""

    causes: tuple[tuple[str, str], ...]
    kinds: tuple[KindRows, ...]


def explorer_of(content: Content) -> Explorer:
    """Return the table: causes by title, findings by kind and name. Findings that no cause weighs are left out."""
    causes = tuple(
        sorted(((key, cause.title) for key, cause in content.causes.items()), key=lambda column: column[1].lower())
    )
    weights = {(key, weight.finding): weight for key, cause in content.causes.items() for weight in cause.supports}
    kinds = tuple(
        KindRows(kind, words, tuple(_rows(content, kind, [key for key, _ in causes], weights)))
        for kind, words in content.pages.explorer.kinds
    )
    return Explorer(causes, kinds)


def _rows(
    content: Content, kind: str, causes: list[str], weights: dict[tuple[str, str], Weight]
) -> Iterator[FindingRow]:
    named = sorted(content.findings.items(), key=lambda item: item[1].name.lower())
    for key, finding in named:
        cells = tuple(_cell(content, weights.get((cause, key))) for cause in causes)
        if finding.kind == kind and any(cells):
            yield FindingRow(key, finding.name, cells)


def _cell(content: Content, weight: Weight | None) -> Cell | None:
    if weight is None:
        return None
    present = content.pages.explorer.settles if weight.confirms else f"{weight.lr_present:g}"
    shade = "f4" if weight.confirms else shade_of(weight.lr_present or 1.0)
    return Cell(present, f"{weight.lr_absent:g}", shade, shade_of(weight.lr_absent))


def shade_of(ratio: float) -> str:
    """Return the shade of a likelihood ratio."""
    strength = max(ratio, 1 / ratio)
    if math.isclose(strength, 1.0):
        return "n"
    step = next((4 - place for place, limit in enumerate(_STEPS) if strength >= limit), 1)
    return f"{'f' if ratio > 1 else 'a'}{step}"

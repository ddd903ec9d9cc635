"""Reads tables with tab-separated cells, the format of spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence

Line = tuple[int, list[str]]
Mistake = tuple[int, str]


def filled_lines(text: str, columns: Sequence[str]) -> tuple[list[Line], list[Mistake]]:
    """Return (line number, cells) of every line below the header, and (line number, mistake) of every invalid line.

    The header must name ``columns``, and no cell may be empty.
    """
    lines = text.splitlines()
    if not lines or lines[0].split("\t") != list(columns):
        return [], [(1, f"the first line must name the columns: {', '.join(columns)}")]
    filled: list[Line] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(columns) or not all(cell.strip() for cell in cells):
            mistakes.append((number, f"needs {len(columns)} filled cells"))
        else:
            filled.append((number, cells))
    return filled, mistakes

"""Tables with a tab between cells, as a spreadsheet reads and writes them."""

from __future__ import annotations

from collections.abc import Sequence

Line = tuple[int, list[str]]
Mistake = tuple[int, str]


def filled_lines(text: str, columns: Sequence[str]) -> tuple[list[Line], list[Mistake]]:
    """(line, cells) of every line below the one that names ``columns``; (line, mistake) where a cell is empty."""
    lines = text.splitlines()
    if not lines or lines[0].split("\t") != list(columns):
        return [], [(1, f"the first line names the columns: {', '.join(columns)}")]
    found: list[Line] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(columns) or not all(cell.strip() for cell in cells):
            mistakes.append((number, f"needs {len(columns)} filled cells"))
        else:
            found.append((number, cells))
    return found, mistakes

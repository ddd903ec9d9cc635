"""Which test shows which row: read from the marks in the test files, written as a table.

``python -m tests.conformance.table`` writes ``TABLE.md`` anew.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
TABLE = HERE / "TABLE.md"

_HEAD = """# Conformance: row by row

Made by `python -m tests.conformance.table` from the marks in the tests; a test fails if it is not up to date.
Levels: **(c)** is laid on the client and says what will come in, **(i)** is our own choice where the standard is
silent, *ballot* is a safe addition of 3.0.0-ballot.

| Row | Level | What | Tests |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One requirement. ``seen``: outside or no; ``why`` for no."""

    id: str
    level: str
    seen: str
    what: str
    why: str = ""


def rows() -> list[Row]:
    """Every row, in order."""
    return [Row(**row) for row in tomllib.loads((HERE / "rows.toml").read_text(encoding="utf-8"))["row"]]


def marks() -> dict[str, list[str]]:
    """Row -> the tests that carry its number, as ``file::name``."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for test, row in _marks_in(path):
            found.setdefault(row, []).append(f"{path.relative_to(TESTS).as_posix()}::{test}")
    return found


def _marks_in(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.row":
                yield from ((node.name, ast.literal_eval(argument)) for argument in mark.args)


def table() -> str:
    """The whole of ``TABLE.md``."""
    shown = marks()
    lines = []
    for row in rows():
        tests = "<br>".join(f"`{name}`" for name in shown.get(row.id, ()))
        if not tests:
            tests = row.why
        lines.append(f"| {row.id} | {row.level} | {row.what} | {tests} |")
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")

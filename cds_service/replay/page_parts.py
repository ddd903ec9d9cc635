"""Parts of the report page: sections, tables and shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def percent(rate: dict[str, Any]) -> str:
    """Return a share such as ``6.71 %``; a dash if it has no value."""
    return "-" if rate["value"] is None else f"{rate['value'] * 100:.2f} %"


def interval(rate: dict[str, Any], times: float = 100, unit: str = " %") -> str:
    """Return an interval such as ``6.21 to 7.24 %``; a dash if there is none."""
    return "-" if rate["value"] is None else f"{rate['low'] * times:.2f} to {rate['high'] * times:.2f}{unit}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table. Columns of numbers are aligned to the right."""
    rows = list(rows)
    is_number = [all(row[i][:1].isdigit() or row[i] == "-" for row in rows) and i > 0 for i in range(len(heads))]
    side = [' class="n"' if numeric else "" for numeric in is_number]
    first = "".join(f'<th scope="col"{side[i]}>{escape(head)}</th>' for i, head in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(cell)}</th>' if i == 0 else f"<td{side[i]}>{escape(cell)}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    opening = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(heads[0])}">'
    return f"{opening}<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>"


def folded(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"<details><summary>{escape(title)}</summary>{table(heads, rows)}</details>"

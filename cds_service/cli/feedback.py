"""``knee-cds feedback``: export feedback as NDJSON or CSV, and report the outcome of cards by rule."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cds_service.adapters.store.assessments import Use
from cds_service.adapters.store.reports import Report, exported, report
from cds_service.adapters.store.store import Store
from cds_service.cli.feedback_page import page

COLUMNS = (
    "intervention.service", "intervention.rule", "intervention.topic", "intervention.pathway",
    "intervention.contentVersion", "intervention.indicator", "intervention.leg", "intervention.card",
    "intervention.shown", "intervention.known", "action.outcome", "action.acceptedSuggestions",
    "action.acceptedOrders", "feedback.reasonSystem", "feedback.reasonCode", "feedback.reasonDisplay",
    "feedback.comment", "user", "date", "received", "location",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(store: Store, out: IO[bytes], kind: Literal["ndjson", "csv"]) -> int:
    """Write every feedback item to ``out``. Returns their number."""
    count = 0
    lines = _csv if kind == "csv" else _ndjson
    for text in lines(exported(store)):
        out.write(text)
        count += 1
    return count - 1 if kind == "csv" else count


def _ndjson(items: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    for item in items:
        yield orjson.dumps(item) + b"\n"


def _csv(items: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    yield _row(COLUMNS)
    for item in items:
        yield _row([_cell(item, column) for column in COLUMNS])


def _row(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _cell(item: Mapping[str, Any], column: str) -> str:
    """Return the text of a cell, with a leading apostrophe if a spreadsheet would read it as a formula."""
    value: Any = item
    for part in column.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    text = " ".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def show(store: Store, html: Path | None, titles: Mapping[str, str]) -> None:
    """Print the report, and write it as a page to ``html`` if given. ``titles``: rule or cause -> title."""
    found = report(store)
    console = Console()
    if found.lines:
        console.print(_table(found))
        for line in _reasons(found):
            console.print(Text(line), soft_wrap=True)
    else:
        console.print("No card has been recorded yet.")
    if found.unknown_cards:
        console.print(Text(f"Feedback on {found.unknown_cards} card(s) that are not in this database."))
    for use in found.assessments:
        console.print(Text(_use(use, titles)), soft_wrap=True)
    if html is not None:
        html.write_text(page(found, titles), encoding="utf-8")
        console.print(Text(f"Written to {html}."), soft_wrap=True)


def _reasons(found: Report) -> Iterator[str]:
    """Yield the override reasons, one line for each table row that has some."""
    for line in found.lines:
        if line.overridden:
            reasons = ", ".join(f"{why}: {count}" for why, count in sorted(line.overridden.items()))
            yield f"Overridden, {line.rule} {line.indicator} ({line.content_version}): {reasons}"


def _use(use: Use, titles: Mapping[str, str]) -> str:
    """Yield one line for each rule from whose cards the assessment page was used."""
    items = ", ".join(f"{titles.get(key, key)} {count}" for key, count in use.most)
    return f"Assessments, {use.rule or 'without a card'}: {use.used}, score completed {use.completed}; {items}"


def _table(found: Report) -> Table:
    """Return the table, for a terminal of 80 columns. The reasons are printed below it."""
    table = Table(title="Outcome of the cards", box=SIMPLE, pad_edge=False)
    table.add_column("rule", overflow="fold")
    table.add_column("indicator")
    for heading in ("shown", "accepted", "overridden", "unanswered", "silent"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in found.lines:
        counts = (line.shown, line.accepted, sum(line.overridden.values()), line.unanswered, line.silent)
        table.add_row(*map(Text, (f"{line.rule}\n  {line.content_version}", line.indicator, *map(str, counts))))
    return table

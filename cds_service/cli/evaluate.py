"""``knee-cds evaluate``: judge charts one at a time and print cards or JSON lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import ValidationError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from cds_service.base.collector import collect_rarely
from cds_service.base.errors import NothingToJudgeBy, TooLarge, UnusableInput
from cds_service.base.field_errors import in_words
from cds_service.base.settings import Settings
from cds_service.cli.inputs import STANDARD_INPUT, chart_files, documents, understand
from cds_service.cli.report import as_json as report
from cds_service.cli.report import explained
from cds_service.cli.show import explain, show_cards
from cds_service.clinical.assessment import Assessment
from cds_service.rendering.card import Card
from cds_service.rendering.sanitize import sanitized
from cds_service.rendering.terminology import resources
from cds_service.service.evaluate import Service, load_content


@dataclass
class Tally:
    """Counts of inputs that were judged, were unusable, or led to an urgent card."""

    judged: int = 0
    unusable: int = 0
    urgent: int = 0


@dataclass(frozen=True, slots=True)
class How:
    """How to judge and print. ``now``: time of the judgement. ``with_links``: print the links of cards."""

    now: datetime
    as_json: bool
    with_reasons: bool
    with_links: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a document. ``file``: empty if there is only one file."""

    number: int
    file: str = ""

    @property
    def words(self) -> str:
        return f"Input {self.number}{f' of {self.file}' if self.file else ''}"

    @property
    def keys(self) -> dict[str, str]:
        # A file system may hold names that are no text, which JSON cannot.
        return {"file": os.fsencode(self.file).decode(errors="backslashreplace")} if self.file else {}


def run(names: Sequence[str], settings: Settings, how: How) -> Tally:
    """Judge every document in ``names``: files, folders of them, or ``-`` for standard input.

    Raises:
        UnusableInput, OSError: the only file is empty or cannot be read. If there are several files, such a file is
            counted as unusable.
    """
    files = list(chart_files(names))
    service = Service.from_settings(settings)
    collect_rarely()
    tally = Tally()
    if len(files) == 1:
        _file(service, files[0], how, tally, of_several=False)
        return tally
    for name in files:
        try:
            _file(service, name, how, tally, of_several=True)
        except (UnusableInput, OSError) as error:
            _report_unusable(error, _Place(0, name), f"{name} cannot be judged", how, tally)
    return tally


def _file(service: Service, name: str, how: How, tally: Tally, *, of_several: bool) -> None:
    before = tally.judged + tally.unusable
    if of_several and not how.as_json:
        Console().print(Text(name, style="bold"), soft_wrap=True)
    with _opened(name) as stream, _progress(name, as_json=how.as_json) as progress:
        task = progress.add_task("charts", total=None) if progress else None
        for number, document in enumerate(documents(stream), start=1):
            _document(service, document, _Place(number, name if of_several else ""), how, tally)
            if progress and task is not None:
                progress.advance(task)
    if tally.judged + tally.unusable == before:
        raise UnusableInput("the input is empty")


def _opened(name: str) -> Any:
    return nullcontext(sys.stdin.buffer) if name == STANDARD_INPUT else Path(name).open("rb")


def _progress(name: str, *, as_json: bool) -> Any:
    """Return a progress bar, only on a terminal and for streams of JSON lines."""
    if not (as_json and sys.stderr.isatty()) or name.endswith(".json"):
        return nullcontext(None)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _document(service: Service, document: bytes, place: _Place, how: How, tally: Tally) -> None:
    try:
        cards, assessment = judge(service, document, how.now)
    except (UnusableInput, TooLarge, NothingToJudgeBy, ValidationError) as error:
        _report_unusable(error, place, f"{place.words} cannot be judged", how, tally)
        return
    tally.judged += 1
    tally.urgent += bool(assessment.urgent)
    if how.as_json:
        line = {**place.keys, **report(assessment, cards)}
        if how.with_reasons:
            line["explain"] = explained(assessment)
        _write(line)
        return
    console = Console()
    show_cards(console, assessment, cards, with_links=how.with_links)
    if how.with_reasons:
        explain(console, service.content, assessment)


def _report_unusable(error: Exception, place: _Place, lead: str, how: How, tally: Tally) -> None:
    tally.unusable += 1
    reason = in_words(error)
    if how.as_json:
        _write({**place.keys, "error": reason, "input": place.number})
    else:
        Console(stderr=True).print(Text(f"{lead}: {reason}"), style="red", soft_wrap=True)


def judge(service: Service, document: bytes, now: datetime) -> tuple[tuple[Card, ...], Assessment]:
    """Return the cards of one document, sanitized as for a client, and its assessment.

    Raises:
        UnusableInput, TooLarge, NothingToJudgeBy, pydantic.ValidationError: the document cannot be judged.
    """
    given = understand(document)
    answer = service.answer(given.request, given.prefetched, now)
    return sanitized(answer.cards, service.own_urls)[0], answer.assessment


def _write(line: dict[str, Any]) -> None:
    out: IO[bytes] = sys.stdout.buffer
    out.write(orjson.dumps(line) + b"\n")
    out.flush()


def write_terminology(settings: Settings, folder: Path) -> int:
    """Write the code system and value sets as files. Returns the number of files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = resources(load_content(settings))
    for resource in written:
        name = f"{resource['resourceType']}-{resource['id']}.json"
        (folder / name).write_bytes(orjson.dumps(resource, option=orjson.OPT_INDENT_2) + b"\n")
    return len(written)

"""``knee-cds evaluate``: charts in, cards or JSON lines out, one at a time."""

from __future__ import annotations

import sys
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

from cds_service.cli.inputs import documents, understand
from cds_service.cli.report import as_json as report
from cds_service.cli.report import explained
from cds_service.cli.show import explain, show_cards
from cds_service.clinical.assessment import Assessment
from cds_service.ground.errors import NothingToJudgeBy, TooLarge, UnusableInput
from cds_service.ground.settings import Settings
from cds_service.hooks.messages import Card
from cds_service.hooks.service import Service, load_content
from cds_service.hooks.showing import checked
from cds_service.hooks.terminology import resources


@dataclass
class Tally:
    """How many inputs were judged, unusable, or led to an urgent card."""

    judged: int = 0
    unusable: int = 0
    urgent: int = 0


def run(name: str, settings: Settings, now: datetime, *, as_json: bool, with_reasons: bool) -> Tally:
    """Judge every document of file ``name`` (``-``: standard input) as of ``now``."""
    service = Service.of(settings)
    with _opened(name) as stream, _progress(name, as_json=as_json) as progress:
        task = progress.add_task("charts", total=None) if progress else None
        tally = Tally()
        for number, document in enumerate(documents(stream), start=1):
            _one(service, document, number, now, tally, as_json=as_json, with_reasons=with_reasons)
            if progress and task is not None:
                progress.advance(task)
    if not tally.judged and not tally.unusable:
        raise UnusableInput("the input is empty")
    return tally


def _opened(name: str) -> Any:
    return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")


def _progress(name: str, *, as_json: bool) -> Any:
    """A progress bar on a terminal, for streams of JSON lines only."""
    if not (as_json and sys.stderr.isatty()) or name.endswith(".json"):
        return nullcontext(None)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _one(
    service: Service, document: bytes, number: int, now: datetime, tally: Tally, *, as_json: bool, with_reasons: bool
) -> None:
    try:
        cards, assessment = judge(service, document, now)
    except (UnusableInput, TooLarge, NothingToJudgeBy, ValidationError) as error:
        tally.unusable += 1
        words = _words(error)
        if as_json:
            _write({"error": words, "input": number})
        else:
            Console(stderr=True).print(Text(f"Input {number} cannot be judged: {words}"), style="red")
        return
    tally.judged += 1
    tally.urgent += bool(assessment.urgent)
    if as_json:
        line = report(assessment, cards)
        if with_reasons:
            line["explain"] = explained(assessment)
        _write(line)
        return
    console = Console()
    show_cards(console, assessment, cards)
    if with_reasons:
        explain(console, service.content, assessment)


def judge(service: Service, document: bytes, now: datetime) -> tuple[tuple[Card, ...], Assessment]:
    """Cards, checked as those that a client gets, and assessment of one document.

    Raises:
        UnusableInput, TooLarge, NothingToJudgeBy, pydantic.ValidationError: the document cannot be judged.
    """
    given = understand(document)
    answer = service.answer(given.request, given.prefetched, now)
    return checked(answer.cards, service.own_urls)[0], answer.assessment


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        wrong = error.errors(include_url=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong[:5])
    return str(error)


def _write(line: dict[str, Any]) -> None:
    out: IO[bytes] = sys.stdout.buffer
    out.write(orjson.dumps(line) + b"\n")
    out.flush()


def write_terminology(settings: Settings, folder: Path) -> int:
    """The code system and value sets as files; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    found = resources(load_content(settings))
    for resource in found:
        name = f"{resource['resourceType']}-{resource['id']}.json"
        (folder / name).write_bytes(orjson.dumps(resource, option=orjson.OPT_INDENT_2) + b"\n")
    return len(found)

"""``knee-cds evaluate``: charts in, cards or JSON lines out, one at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
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

from cds_service.base.errors import NothingToJudgeBy, TooLarge, UnusableInput
from cds_service.base.field_errors import in_words
from cds_service.base.settings import Settings
from cds_service.cli.inputs import documents, understand
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
    """How many inputs were judged, unusable, or led to an urgent card."""

    judged: int = 0
    unusable: int = 0
    urgent: int = 0


@dataclass(frozen=True, slots=True)
class How:
    """How to judge and show: as of ``now``, as JSON lines, with all reasons, with links that lead somewhere."""

    now: datetime
    as_json: bool
    with_reasons: bool
    with_links: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a document stands. ``file``: empty if there is only one."""

    number: int
    file: str = ""

    @property
    def words(self) -> str:
        return f"Input {self.number}{f' of {self.file}' if self.file else ''}"

    @property
    def keys(self) -> dict[str, str]:
        return {"file": self.file} if self.file else {}


def run(names: Sequence[str], settings: Settings, how: How) -> Tally:
    """Judge every document of all files ``names``: files, folders of ``.json`` and ``.ndjson``, ``-``: standard input.

    Raises:
        UnusableInput, OSError: the only file is empty or cannot be read. One of several is counted as unusable.
    """
    files = list(_files(names))
    service = Service.from_settings(settings)
    tally = Tally()
    if len(files) == 1:
        _file(service, files[0], how, tally, of_several=False)
        return tally
    for name in files:
        try:
            _file(service, name, how, tally, of_several=True)
        except (UnusableInput, OSError) as error:
            _say_unusable(error, _Place(0, name), f"{name} cannot be judged", how, tally)
    return tally


def _files(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name == "-" or not Path(name).is_dir():
            yield name
            continue
        found = sorted(one for one in Path(name).rglob("*") if one.suffix in (".json", ".ndjson") and one.is_file())
        if not found:
            raise UnusableInput(f"there is no .json or .ndjson file in {name}")
        yield from map(str, found)


def _file(service: Service, name: str, how: How, tally: Tally, *, of_several: bool) -> None:
    before = tally.judged + tally.unusable
    if of_several and not how.as_json:
        Console().print(Text(name, style="bold"), soft_wrap=True)
    with _opened(name) as stream, _progress(name, as_json=how.as_json) as progress:
        task = progress.add_task("charts", total=None) if progress else None
        for number, document in enumerate(documents(stream), start=1):
            _one(service, document, _Place(number, name if of_several else ""), how, tally)
            if progress and task is not None:
                progress.advance(task)
    if tally.judged + tally.unusable == before:
        raise UnusableInput("the input is empty")


def _opened(name: str) -> Any:
    return nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")


def _progress(name: str, *, as_json: bool) -> Any:
    """A progress bar on a terminal, for streams of JSON lines only."""
    if not (as_json and sys.stderr.isatty()) or name.endswith(".json"):
        return nullcontext(None)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _one(service: Service, document: bytes, place: _Place, how: How, tally: Tally) -> None:
    try:
        cards, assessment = judge(service, document, how.now)
    except (UnusableInput, TooLarge, NothingToJudgeBy, ValidationError) as error:
        _say_unusable(error, place, f"{place.words} cannot be judged", how, tally)
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


def _say_unusable(error: Exception, place: _Place, lead: str, how: How, tally: Tally) -> None:
    tally.unusable += 1
    said = in_words(error)
    if how.as_json:
        _write({**place.keys, "error": said, "input": place.number})
    else:
        Console(stderr=True).print(Text(f"{lead}: {said}"), style="red", soft_wrap=True)


def judge(service: Service, document: bytes, now: datetime) -> tuple[tuple[Card, ...], Assessment]:
    """Cards, checked as those that a client gets, and assessment of one document.

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
    """The code system and value sets as files; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    found = resources(load_content(settings))
    for resource in found:
        name = f"{resource['resourceType']}-{resource['id']}.json"
        (folder / name).write_bytes(orjson.dumps(resource, option=orjson.OPT_INDENT_2) + b"\n")
    return len(found)

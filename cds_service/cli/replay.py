"""``knee-cds replay``: what would the cards have been for a whole population?"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cds_service.ground.clock import on_site
from cds_service.ground.errors import WrongSetting
from cds_service.ground.settings import Settings
from cds_service.replay.options import Options

_DAYS = re.compile(r"(\d{1,4})d")
_WORDS = {"scan": "reading the input", "judge_bucket": "judging charts"}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """The command with its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "replay",
        help="what would it have shown? Every chart of an export, at each opening",
        description=(
            "Judge a FHIR Bulk Data export (NDJSON, also gzip), a folder of Bundles, or charts that an earlier run has "
            "kept. Writes Parquet of verdicts, report.json and report.html. A run that was stopped is continued by the "
            "same command."
        ),
    )
    parser.add_argument("input", metavar="INPUT", help="a file or folder, or an address such as s3://bucket/export")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for verdicts and report")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--at", type=datetime.fromisoformat, metavar="DATE", help="judge each chart once, as of this day")
    when.add_argument(
        "--each",
        metavar="MOMENT",
        choices=("encounter", "encounter-end"),
        default="encounter",
        help="encounter or encounter-end: judge when each visit begins, or ends (encounter)",
    )
    when.add_argument("--every", type=_days, metavar="DAYS", help="judge every so many days, such as 90d")
    parser.add_argument("--since", type=datetime.fromisoformat, metavar="DATE", help="leave out earlier openings")
    parser.add_argument(
        "--against", type=Path, metavar="FOLDER", help="compare with other content, or with an earlier run's folder"
    )
    parser.add_argument(
        "--chart",
        choices=("whole", "asked"),
        default="whole",
        help="asked: leave out what the service does not ask an EHR for (whole)",
    )
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    parser.add_argument("--workers", type=int, default=1, metavar="NUMBER", help="processes (1)")
    parser.add_argument(
        "--keep-charts", action="store_true", help="keep the charts, grouped, as input for later runs: patient data"
    )
    return parser


def run(given: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Run and say in a few words what was found.

    Raises:
        WrongSetting: an option cannot be used, or the extra ``replay`` is not installed.
        UnusableInput, ContentError, ReplayStopped, OSError: as ``replay.run`` says.
    """
    options = _options(given, settings)
    try:
        from cds_service.replay import whole
    except ModuleNotFoundError as error:
        raise WrongSetting(f"{error.name} is not installed: pip install 'posterior-knee-cds[replay]'") from error
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, Any] = {}

        def progress(kind: str, done: int, total: int, _: int) -> None:
            if kind not in tasks:
                tasks[kind] = bar.add_task(_WORDS.get(kind, kind), total=total)
            bar.update(tasks[kind], completed=done, total=total)

        found = whole.replay(options, settings, progress)
    _say(found, options)
    return found


def _options(given: argparse.Namespace, settings: Settings) -> Options:
    if given.workers < 1:
        raise WrongSetting("--workers takes 1 or more")
    zone = settings.zone
    return Options(
        source=given.input,
        out=given.out,
        at=on_site(given.at, zone) if given.at else None,
        each=given.each,
        every=given.every,
        since=on_site(given.since, zone) if given.since else None,
        against=given.against,
        chart=given.chart,
        engine=given.engine,
        workers=given.workers,
        keep_charts=given.keep_charts,
    )


def _days(text: str) -> int:
    match = _DAYS.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise argparse.ArgumentTypeError("takes days, such as 90d")
    return int(match[1])


def _say(found: dict[str, Any], options: Options) -> None:
    console = Console()
    rate = found["trigger_rate"]
    share = "none" if rate["value"] is None else f"{rate['value']:.2%} ({rate['low']:.2%} to {rate['high']:.2%})"
    lines = [
        f"{found['patients']:,} patients, {found['openings']:,} openings; with a card: {share}.",
        f"{found['run']['charts_per_second']:,} charts/s. Report: {options.out / 'report.html'}",
    ]
    unused = found["input"]["not_grouped_rows"]
    if unused:
        lines.append(f"{unused:,} row(s) belong to no chart: see {options.out / 'not_grouped.ndjson'}")
    failed = sum(one["patients"] for one in found["patients_not_judged"])
    if failed:
        lines.append(f"{failed:,} patient(s) could not be judged: see the report for why")
    if "changes" in found:
        lines.append(found["changes"]["verdict"])
    for line in lines:
        console.print(Text(line), soft_wrap=True)

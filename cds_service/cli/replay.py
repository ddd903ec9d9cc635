"""``knee-cds replay``: judge the past charts of a whole population."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cds_service.base.clock import on_site
from cds_service.base.errors import WrongSetting
from cds_service.base.settings import Settings
from cds_service.replay.against import against
from cds_service.replay.options import Options

_WORDS = {"scan": "reading the input", "resolve": "finding patients by identifier", "judge_bucket": "judging charts"}


def run(given: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Run the replay, print a summary, and return the report.

    Raises:
        WrongSetting: an option cannot be used, or the extra ``replay`` is not installed.
        UnusableInput, ContentError, ReplayStopped, OSError: as ``replay.run`` says.
    """
    options = _options(given, settings)
    try:
        from cds_service.replay import replay
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

        report = replay.replay(options, settings, progress)
    _print_summary(report, options)
    return report


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
        against=against(given.against, given.out, settings) if given.against else None,
        chart=given.chart,
        engine=given.engine,
        workers=given.workers,
        keep_charts=given.keep_charts,
    )


def _print_summary(report: dict[str, Any], options: Options) -> None:
    console = Console()
    rate = report["trigger_rate"]
    share = "none" if rate["value"] is None else f"{rate['value']:.2%} ({rate['low']:.2%} to {rate['high']:.2%})"
    lines = [
        f"{report['patients']:,} patients, {report['openings']:,} openings; with a card: {share}.",
        f"{report['run']['charts_per_second']:,} charts/s. Report: {options.out / 'report.html'}",
    ]
    unused = report["input"]["not_grouped_rows"]
    if unused:
        lines.append(f"{unused:,} row(s) belong to no chart: see {options.out / 'not_grouped.ndjson'}")
    failed = sum(row["patients"] for row in report["patients_not_judged"])
    if failed:
        lines.append(f"{failed:,} patient(s) could not be judged: see the report for why")
    if "changes" in report:
        lines.append(report["changes"]["verdict"])
    for line in lines:
        console.print(Text(line), soft_wrap=True)

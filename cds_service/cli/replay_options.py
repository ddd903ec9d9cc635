"""The options of ``knee-cds replay``. This module imports little, because every command loads it."""

from __future__ import annotations

import argparse
import re
from datetime import datetime
from pathlib import Path
from typing import Any

_DAYS = re.compile(r"(\d{1,4})d")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command with its options and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "replay",
        help="show which cards past charts would have had, at each opening",
        description=(
            "Judge a FHIR Bulk Data export (NDJSON, also gzip), a folder of Bundles, or charts that an earlier run has "
            "kept. Writes verdicts as Parquet, report.json and report.html. To continue a stopped run, use the same "
            "command."
        ),
    )
    parser.add_argument("input", metavar="INPUT", help="a file or folder, or an address such as s3://bucket/export")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for verdicts and report")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--at", type=datetime.fromisoformat, metavar="DATE", help="judge each chart once, as of this day")
    when.add_argument(
        "--each",
        metavar="MOMENT",
        choices=("encounter", "encounter-end"),
        default="encounter",
        help="encounter or encounter-end: judge when each visit begins, or ends (encounter)",
    )
    when.add_argument("--every", type=_days, metavar="DAYS", help="judge at intervals of this many days, such as 90d")
    parser.add_argument("--since", type=datetime.fromisoformat, metavar="DATE", help="leave out earlier openings")
    parser.add_argument(
        "--against",
        metavar="CONTENT",
        help="compare with other content (folder, wheel or version), or with an earlier run's folder",
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


def _days(text: str) -> int:
    match = _DAYS.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise argparse.ArgumentTypeError("give a number of days, such as 90d")
    return int(match[1])

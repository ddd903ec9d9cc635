"""The options of a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

Chart = Literal["whole", "asked"]
Moment = Literal["encounter", "encounter-end"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run.

    Attributes:
        source: a file or folder, or an address that fsspec supports.
        out: folder for the verdicts and the report.
        at: judge every chart once, as of this moment.
        each: judge at the start, or the end, of each encounter.
        every: judge at intervals of this many days, from the first to the last dated row of a chart.
        since: leave out openings before this moment.
        against: another content, in a folder or a wheel, or the folder of an earlier run, to compare with.
        chart: ``asked`` leaves out what the service does not ask an EHR for.
        keep_charts: leave the grouped charts in ``out`` as input for later runs. They hold patient data.
    """

    source: str
    out: Path
    at: datetime | None = None
    each: Moment = "encounter"
    every: int | None = None
    since: datetime | None = None
    against: Path | None = None
    chart: Chart = "whole"
    engine: Literal["duckdb", "spark"] = "duckdb"
    workers: int = 1
    keep_charts: bool = False

    @property
    def openings(self) -> str:
        """The moments that are judged, in words."""
        since = f", since {self.since.date().isoformat()}" if self.since else ""
        if self.at is not None:
            return f"each chart once, at {self.at.isoformat(timespec='minutes')}"
        if self.every is not None:
            return f"each chart every {self.every} days{since}"
        return f"at the {'start' if self.each == 'encounter' else 'end'} of each encounter{since}"

    def mark(self, *more: str) -> str:
        """Return a hash of everything that the verdicts depend on. Only a run with the same hash is continued."""
        parts = [self.source, str(self.at), self.each, str(self.every), str(self.since), str(self.against), self.chart]
        return hashlib.sha256("\n".join([*parts, *more]).encode()).hexdigest()

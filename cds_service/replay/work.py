"""The two kinds of work, each of which is there whole or not at all: a piece of the input, and a bucket of patients."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from cds_service.ground.settings import Settings
from cds_service.hooks.askers import KeyedHash
from cds_service.hooks.service import Service
from cds_service.replay.coverage import Coverage
from cds_service.replay.grouping import charts
from cds_service.replay.input import Batch, Piece
from cds_service.replay.judge import Judge
from cds_service.replay.lines import Reading
from cds_service.replay.options import Options
from cds_service.replay.rows import NotGrouped, Row, rows_of
from cds_service.replay.staging import Staging, earlier_charts, unstage
from cds_service.replay.tally import Tally
from cds_service.replay.verdicts import CARDS, OPENINGS, VerdictFiles

BEFORE = {"openings_before": OPENINGS, "cards_before": CARDS}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a run keeps what. ``work`` holds patient data until the run has ended."""

    out: Path

    @property
    def work(self) -> Path:
        return self.out / "work"

    @property
    def staged(self) -> Path:
        return self.work / "rows"

    @property
    def verdicts(self) -> Path:
        return self.out / "verdicts"

    def scanned(self, batch: int) -> Path:
        """What a batch of the input held; there once all of it is staged."""
        return self.work / "scanned" / f"{batch:05d}.json"

    def judged(self, bucket: int) -> Path:
        """What the charts of a bucket held; there once all of them are judged."""
        return self.work / "judged" / f"{bucket:05d}.json"


class Worker:
    """What one process needs; made once in each."""

    def __init__(
        self, settings: Settings, options: Options, key: str, now: datetime, buckets: int, megabytes: int
    ) -> None:
        """``megabytes``: that DuckDB may use here."""
        self._folders = Folders(options.out)
        self._buckets = buckets
        self._megabytes = megabytes
        service = Service.of(settings)
        before = other_content(settings, options)
        self._content = service.content
        self.judge = Judge(service, options, KeyedHash(key), now, before)
        self._schemas = {"openings": OPENINGS, "cards": CARDS, **(BEFORE if before is not None else {})}

    def scan(self, batch: Batch) -> int:
        """Stage the rows of a batch of the input; how many there were."""
        began = perf_counter()
        unstage(self._folders.staged, batch)
        scan = _Scan(Staging(self._folders.staged, batch, self._buckets), Coverage(self._content))
        for piece in batch.pieces:
            scan.take(piece)
        scan.staging.finish()
        _write(
            self._folders.scanned(batch.number),
            {
                "lines": scan.lines,
                "tally": scan.tally.as_json(),
                "survey": scan.coverage.survey().as_json(),
                "places": scan.places,
                "seconds": perf_counter() - began,
                "peak_megabytes": peak_megabytes(),
            },
        )
        return scan.tally.total("types")

    def judge_bucket(self, bucket: int) -> int:
        """Judge every chart of a bucket; how many openings there were."""
        began = perf_counter()
        files = VerdictFiles(self._folders.verdicts, f"{bucket:05d}", self._schemas)
        tally, openings = Tally(), 0
        scratch = self._folders.work / f"scratch-{os.getpid()}"
        for patient, rows in charts(self._folders.staged, bucket, scratch, self._megabytes):
            found = self.judge.chart(patient, rows)
            tally.merge(found.tally)
            openings += len(found.openings)
            for kind in self._schemas:
                files.add(kind, getattr(found, kind))
        files.finish()
        _write(
            self._folders.judged(bucket),
            {
                "openings": openings,
                "tally": tally.as_json(),
                "seconds": perf_counter() - began,
                "peak_megabytes": peak_megabytes(),
            },
        )
        return openings


def other_content(settings: Settings, options: Options) -> Service | None:
    """The service with the content to compare with, unless it is the folder of an earlier run.

    Raises:
        ContentError: the folder holds neither.
    """
    folder = options.against
    if folder is None or (folder / "report.json").is_file():
        return None
    return Service.of(settings.model_copy(update={"cards": folder}))


def peak_megabytes() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _Scan:
    """What is found in some pieces. ``lines``: by the number of the piece. ``places``: of what belongs to no chart."""

    def __init__(self, staging: Staging, coverage: Coverage) -> None:
        self.staging = staging
        self.coverage = coverage
        self.tally = Tally()
        self.lines: dict[str, int] = {}
        self.places: list[dict[str, Any]] = []

    def take(self, piece: Piece) -> None:
        """Every document of a piece."""
        if piece.kind == "charts":
            for row in earlier_charts(piece):
                self._row(row, piece)
            return
        reading = Reading(piece)
        for document in reading:
            for one in [NotGrouped(document.flaw)] if document.flaw else rows_of(document.text):
                if isinstance(one, NotGrouped):
                    self.tally.add("not_grouped", f"{one.kind}\t{one.reason}")
                    place = {"piece": piece.number, "line": document.line, "type": one.kind, "reason": one.reason}
                    self.places.append(place)
                else:
                    self._row(one, piece)
        self.lines[str(piece.number)] = reading.lines

    def _row(self, row: Row, piece: Piece) -> None:
        self.tally.add("types", row.kind)
        self.coverage.take(row.resource)
        if row.flaw:
            self.tally.add("rows_of_bundles_not_whole", row.flaw)
        if not self.staging.take(row, piece):
            self.tally.add("of_nobody", row.kind)


def _write(path: Path, value: Any) -> None:
    """A file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(orjson.dumps(value))
    os.replace(unfinished, path)

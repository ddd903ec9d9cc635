"""The two kinds of work: scan a batch of the input, judge a bucket of patients. Results appear only when complete."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import process_time
from typing import Any

import orjson

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.base.collector import collect_rarely
from cds_service.base.errors import ContentError
from cds_service.base.settings import Settings
from cds_service.replay.against import is_run
from cds_service.replay.grouping import charts
from cds_service.replay.identifiers import Resolving
from cds_service.replay.input import Batch
from cds_service.replay.judge import Judge
from cds_service.replay.options import Options
from cds_service.replay.rows import IDENTIFIER, Row
from cds_service.replay.scan import Scan
from cds_service.replay.staging import NAMED, PEOPLE, Staging, bucket_folder, unstage
from cds_service.replay.tally import Tally
from cds_service.replay.verdicts import CARDS, OPENINGS, VerdictFiles
from cds_service.replay.wheel_content import content_folder
from cds_service.service.evaluate import Service

Services = tuple[Service, Service | None]
BEFORE = {"openings_before": OPENINGS, "cards_before": CARDS}


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of a run. ``work`` holds patient data until the run has ended."""

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
        """The results of a batch of the input. The file exists once the batch is staged."""
        return self.work / "scanned" / f"{batch:05d}.json"

    @property
    def resolved(self) -> Path:
        """The results for rows that name their patient only by an identifier. Exists once these are staged too."""
        return self.work / "resolved.json"

    @property
    def resolved_rows(self) -> Path:
        """The rows whose patient was found so, on Spark; otherwise they are in the buckets."""
        return self.work / "resolved"

    def judged(self, bucket: int) -> Path:
        """The results of a bucket's charts. The file exists once all of them are judged."""
        return self.work / "judged" / f"{bucket:05d}.json"


@dataclass(frozen=True, slots=True)
class Parts:
    """The values from which a worker is made in any process. ``megabytes``: DuckDB's memory limit there."""

    settings: Settings
    options: Options
    key: str
    now: datetime
    buckets: int
    megabytes: int


class Worker:
    """Does the work of one process. One instance per process."""

    def __init__(self, parts: Parts, services: Services | None = None) -> None:
        """``services``: if already made."""
        collect_rarely()
        self._folders = Folders(parts.options.out)
        self._buckets = parts.buckets
        self._megabytes = parts.megabytes
        service, before = services or services_of(parts.settings, parts.options)
        self._contents = [made.content for made in (service, before) if made is not None]
        self._keep_charts = parts.options.keep_charts
        self._zone = parts.settings.zone
        self.judge = Judge(
            service, parts.options, KeyedHash(parts.key), parts.now, parts.settings.judging_ms / 1000, before
        )
        # The content lives as long as the process, so the garbage collector can skip it.
        gc.collect()
        gc.freeze()
        self._schemas = {"openings": OPENINGS, "cards": CARDS, **(BEFORE if before is not None else {})}

    def scan(self, batch: Batch) -> int:
        """Stage the rows of a batch of the input. Returns their number."""
        unstage(self._folders.staged, batch)
        staging = Staging(self._folders.staged, batch, self._buckets)
        rows = 0
        for row, place in self.rows(batch, staging.finish):
            staging.take(row, place)
            rows += row.times if row.kind != IDENTIFIER else 0
        return rows

    def resolve(self, batch: Batch) -> int:
        """Stage the rows that name their patient only by an identifier, as far as one patient has it.

        ``batch``: without pieces; its number is that of no other. Returns the number of staged rows.
        """
        unstage(self._folders.staged, batch)
        staging = Staging(self._folders.staged, batch, self._buckets)
        rows = 0
        folders = [bucket_folder(self._folders.staged, name) for name in (NAMED, PEOPLE)]
        files = [path for folder in folders for path in sorted(folder.glob("*.parquet"))]
        for row, place in self.resolved(files, staging.finish):
            staging.take(row, place)
            rows += 1
        return rows

    def resolved(self, files: Sequence[Path], at_end: Callable[[], None]) -> Iterator[tuple[Row, int]]:
        """Yield the rows of ``files`` whose patient is found by an identifier, then write the results.

        ``at_end``: called before the results are written.
        """
        began = process_time()
        scanned = sorted(self._folders.scanned(0).parent.glob("*.json"))
        lines = {place: line for path in scanned for place, line in orjson.loads(path.read_bytes())["named"].items()}
        resolving = Resolving(self._contents[0], lines)
        if lines:
            yield from resolving.rows(files, self._folders.work / f"scratch-{os.getpid()}", self._megabytes)
        at_end()
        _write(self._folders.resolved, {**resolving.as_json(), **_cost(began)})

    def rows(self, batch: Batch, at_end: Callable[[], None] = lambda: None) -> Iterator[tuple[Row, int]]:
        """Yield the patients' rows and Medications of a batch, with their places, then write the batch's results.

        ``at_end``: called before the results are written.
        """
        began = process_time()
        scan = Scan(self._contents, self._zone, keep_charts=self._keep_charts)
        for piece in batch.pieces:
            yield from scan.rows(piece)
        at_end()
        _write(self._folders.scanned(batch.number), {**scan.as_json(), **_cost(began)})

    def judge_bucket(self, bucket: int) -> int:
        """Judge every chart of a bucket. Returns the number of openings."""
        scratch = self._folders.work / f"scratch-{os.getpid()}"
        return self.judge_charts(bucket, charts(self._folders.staged, bucket, scratch, self._megabytes))

    def judge_charts(self, bucket: int, patient_rows: Iterable[tuple[str, list[Row]]]) -> int:
        """Judge charts and store the verdicts as those of this bucket. Returns the number of openings."""
        began = process_time()
        files = VerdictFiles(self._folders.verdicts, f"{bucket:05d}", self._schemas)
        tally, openings = Tally(), 0
        for patient, rows in patient_rows:
            judged = self.judge.chart(patient, rows)
            tally.merge(judged.tally)
            openings += len(judged.openings)
            for kind in self._schemas:
                files.add(kind, getattr(judged, kind))
        files.finish()
        _write(self._folders.judged(bucket), {"openings": openings, "tally": tally.as_json(), **_cost(began)})
        return openings


def services_of(settings: Settings, options: Options) -> Services:
    """Return the service, and a second one if another content is to be compared (None for an earlier run).

    Raises:
        ContentError: the content has errors, or what to compare with is neither content nor an earlier run.
    """
    place = options.against
    if place is None or is_run(place):
        return Service.from_settings(settings), None
    try:
        with content_folder(place) as folder:
            other = Service.from_settings(settings.model_copy(update={"cards": folder}))
    except ContentError as error:
        raise ContentError(error.problems, f"content in {place}") from error
    return Service.from_settings(settings), other


def peak_megabytes() -> float:
    """Return the peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cost(began: float) -> dict[str, float]:
    """Return the cost so far. ``seconds``: CPU time, so that other load on the machine does not count."""
    return {"seconds": process_time() - began, "peak_megabytes": peak_megabytes()}


def _write(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(orjson.dumps(value))
    os.replace(unfinished, path)

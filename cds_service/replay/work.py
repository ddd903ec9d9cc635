"""The two kinds of work, each of which is there whole or not at all: a piece of the input, and a bucket of patients."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import process_time
from typing import Any

import orjson

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.base.errors import ContentError
from cds_service.base.settings import Settings
from cds_service.replay.grouping import charts
from cds_service.replay.input import Batch
from cds_service.replay.judge import Judge
from cds_service.replay.options import Options
from cds_service.replay.rows import Row
from cds_service.replay.scan import Scan
from cds_service.replay.staging import Staging, unstage
from cds_service.replay.tally import Tally
from cds_service.replay.verdicts import CARDS, OPENINGS, VerdictFiles
from cds_service.service.evaluate import Service

Services = tuple[Service, Service | None]
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


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is made of, in whichever process. ``megabytes``: that DuckDB may use there."""

    settings: Settings
    options: Options
    key: str
    now: datetime
    buckets: int
    megabytes: int


class Worker:
    """What one process needs; made once in each."""

    def __init__(self, parts: Parts, services: Services | None = None) -> None:
        """``services``: if they are there already."""
        self._folders = Folders(parts.options.out)
        self._buckets = parts.buckets
        self._megabytes = parts.megabytes
        service, before = services or services_of(parts.settings, parts.options)
        self._content = service.content
        self.judge = Judge(
            service, parts.options, KeyedHash(parts.key), parts.now, parts.settings.judging_ms / 1000, before
        )
        # The content stays for as long as the process: the collector need not walk it again for every few charts.
        gc.collect()
        gc.freeze()
        self._schemas = {"openings": OPENINGS, "cards": CARDS, **(BEFORE if before is not None else {})}

    def scan(self, batch: Batch) -> int:
        """Stage the rows of a batch of the input; how many there were."""
        unstage(self._folders.staged, batch)
        staging = Staging(self._folders.staged, batch, self._buckets)
        rows = 0
        for row, place in self.rows(batch, staging.finish):
            staging.take(row, place)
            rows += 1
        return rows

    def rows(self, batch: Batch, at_end: Callable[[], None] = lambda: None) -> Iterator[tuple[Row, int]]:
        """The rows of a batch that are somebody's, or a drug, with their places; at the end, what it held is kept.

        ``at_end``: called before that.
        """
        began = process_time()
        scan = Scan(self._content)
        for piece in batch.pieces:
            yield from scan.rows(piece)
        at_end()
        _write(self._folders.scanned(batch.number), {**scan.as_json(), **_cost(began)})

    def judge_bucket(self, bucket: int) -> int:
        """Judge every chart of a bucket; how many openings there were."""
        scratch = self._folders.work / f"scratch-{os.getpid()}"
        return self.judge_charts(bucket, charts(self._folders.staged, bucket, scratch, self._megabytes))

    def judge_charts(self, bucket: int, some: Iterable[tuple[str, list[Row]]]) -> int:
        """Judge charts and keep the verdicts as those of this bucket; how many openings there were."""
        began = process_time()
        files = VerdictFiles(self._folders.verdicts, f"{bucket:05d}", self._schemas)
        tally, openings = Tally(), 0
        for patient, rows in some:
            found = self.judge.chart(patient, rows)
            tally.merge(found.tally)
            openings += len(found.openings)
            for kind in self._schemas:
                files.add(kind, getattr(found, kind))
        files.finish()
        _write(self._folders.judged(bucket), {"openings": openings, "tally": tally.as_json(), **_cost(began)})
        return openings


def services_of(settings: Settings, options: Options) -> Services:
    """The service, and the one with the content to compare with, unless that is the folder of an earlier run.

    Raises:
        ContentError: the content is wrong, or the folder to compare with holds neither.
    """
    folder = options.against
    if folder is None or (folder / "report.json").is_file():
        return Service.from_settings(settings), None
    try:
        other = Service.from_settings(settings.model_copy(update={"cards": folder}))
    except ContentError as error:
        raise ContentError(error.problems, f"content in {folder}") from error
    return Service.from_settings(settings), other


def peak_megabytes() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cost(began: float) -> dict[str, float]:
    """In seconds of computing: how busy the machine is otherwise does not count."""
    return {"seconds": process_time() - began, "peak_megabytes": peak_megabytes()}


def _write(path: Path, value: Any) -> None:
    """A file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(orjson.dumps(value))
    os.replace(unfinished, path)

"""Run a replay: stage the input, then judge each bucket of patients. A continued run skips finished parts."""

from __future__ import annotations

import multiprocessing
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from cds_service import __version__
from cds_service.base.clock import site_clock
from cds_service.base.errors import KneeCdsError, WrongSetting
from cds_service.base.settings import Settings
from cds_service.replay.against import is_run
from cds_service.replay.input import Batch, Found, find, is_packed
from cds_service.replay.jobs import Folders, Parts, Services, Worker, services_of
from cds_service.replay.options import Options
from cds_service.replay.staging import forget
from cds_service.service.evaluate import Service

Progress = Callable[[str, int, int, int], None]
"""Called with the kind of work, parts done, parts in total, and the number of new rows or openings."""
_BUCKET = 48 * 1024 * 1024
"""Bytes of input per bucket."""
_MAX_BUCKETS = 256
_PACKED = 10
"""Estimated size of JSON relative to its gzip file."""
_MEGABYTES = 384
"""DuckDB's memory in all workers together, so that a run needs about one gigabyte including Python."""


class ReplayStopped(KneeCdsError):
    """A worker process died; the run can be continued."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The values that are fixed at the start of a run, so that it can be continued."""

    mark: str
    buckets: int
    now: datetime
    key: str
    content: str
    content_before: str


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has judged all openings."""

    options: Options
    plan: Plan
    found: Found
    folders: Folders
    service: Service
    seconds: float

    def scanned(self) -> list[dict[str, Any]]:
        """Return the results of all batches, and of the rows that name their patient only by an identifier."""
        paths = [self.folders.scanned(batch.number) for batch in self.found.batches]
        return [read_json(path) for path in (*paths, self.folders.resolved)]


def judge_all(options: Options, settings: Settings, progress: Progress, services: Services | None = None) -> Done:
    """Stage and judge everything. ``services``: the result of ``services_of``, if already made.

    Raises:
        UnusableInput: the input has no readable file.
        WrongSetting: the output folder holds another run.
        ContentError: the content, or the content to compare with, has errors.
        ReplayStopped: a worker process died.
    """
    began = perf_counter()
    found = find(options.source)
    services = services or services_of(settings, options)
    folders = Folders(options.out)
    plan = _plan(options, settings, found, services, folders)
    megabytes = max(64, _MEGABYTES // options.workers)
    parts = Parts(settings, options, plan.key, plan.now, plan.buckets, megabytes)
    if options.engine == "spark":
        _on_spark(found, folders, parts)
        return Done(options, plan, found, folders, services[0], perf_counter() - began)
    with _workers(options.workers, parts, services) as each:
        to_scan = [batch for batch in found.batches if not folders.scanned(batch.number).exists()]
        _all(each, "scan", to_scan, len(found.batches), progress)
        to_resolve = [] if folders.resolved.exists() else [Batch(len(found.batches), ())]
        _all(each, "resolve", to_resolve, 1, progress)
        to_judge = [bucket for bucket in range(plan.buckets) if not folders.judged(bucket).exists()]
        _all(each, "judge_bucket", to_judge, plan.buckets, progress)
    return Done(options, plan, found, folders, services[0], perf_counter() - began)


def _on_spark(found: Found, folders: Folders, parts: Parts) -> None:
    try:
        from cds_service.replay import spark  # imported late: needs the extra `spark`
    except ModuleNotFoundError as error:
        raise WrongSetting(f"{error.name} is not installed: pip install 'posterior-knee-cds[spark]'") from error
    try:
        spark.judge_all(found, folders, parts)
    except spark.SparkFailed as error:
        raise ReplayStopped(str(error)) from error


def finish(done: Done) -> None:
    """Delete the files with patient data, but keep the grouped charts if the options ask for them."""
    if done.options.keep_charts:
        if done.folders.resolved_rows.exists():
            done.folders.resolved_rows.replace(done.folders.staged / "resolved")
        charts = done.folders.staged.replace(done.options.out / "charts")
        charts.chmod(0o700)
    forget(done.folders.work)


def _plan(options: Options, settings: Settings, found: Found, services: Services, folders: Folders) -> Plan:
    service, before = services
    content_before = before.content.version if before is not None else ""
    mark = options.mark(found.mark, service.content.version, content_before, settings.pathway, __version__)
    path = folders.work / "plan.json"
    if path.exists():
        kept = orjson.loads(path.read_bytes())
        if kept["mark"] != mark:
            raise WrongSetting(
                f"{options.out} holds an unfinished replay with other input, options or content; "
                "delete it or choose another folder"
            )
        now = datetime.fromisoformat(kept["now"]).astimezone(settings.zone)
        return Plan(mark, kept["buckets"], now, kept["key"], service.content.version, content_before)
    if is_run(options.out) or (folders.verdicts).exists():
        raise WrongSetting(f"{options.out} holds a finished replay; choose another folder")
    size = sum(
        size * (_PACKED if is_packed(name) or name.lower().endswith(".parquet") else 1)
        for name, size in zip(found.names, found.sizes, strict=True)
    )
    buckets = min(_MAX_BUCKETS, max(options.workers, 1 + size // _BUCKET))
    key = settings.hash_key.get_secret_value() if settings.hash_key else secrets.token_hex(16)
    now = site_clock(settings.zone)()
    folders.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(orjson.dumps({"mark": mark, "buckets": buckets, "now": now.isoformat(), "key": key}))
    unfinished.replace(path)
    return Plan(mark, buckets, now, key, service.content.version, content_before)


_Each = Callable[[str, Sequence[Any]], Iterable[int]]

_DIED = "a worker process died, perhaps from lack of memory; repeat the command to continue the run"
_worker: list[Worker] = []
"""The worker of this process; empty in the main process of several."""


@contextmanager
def _workers(count: int, parts: Parts, services: Services) -> Iterator[_Each]:
    """Yield a function that does one kind of work on several things and yields the results as they are ready."""
    if count == 1:
        worker = Worker(parts, services)
        yield lambda kind, things: (getattr(worker, kind)(thing) for thing in things)
        return
    # Do not fork: the threads of DuckDB and Arrow would not survive.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (parts,)) as pool:

        def each(kind: str, things: Sequence[Any]) -> Iterator[int]:
            waiting: list[Future[int]] = [pool.submit(_do, kind, thing) for thing in things]
            try:
                yield from (future.result() for future in as_completed(waiting))
            except BrokenProcessPool as error:
                raise ReplayStopped(_DIED) from error
            finally:
                for future in waiting:
                    future.cancel()

        yield each


def _begin(parts: Parts) -> None:
    _worker.append(Worker(parts))


def _do(kind: str, thing: Batch | int) -> int:
    done: int = getattr(_worker[0], kind)(thing)
    return done


def _all(each: _Each, kind: str, things: Sequence[Any], total: int, progress: Progress) -> None:
    done = total - len(things)
    progress(kind, done, total, 0)
    for new in each(kind, things):
        done += 1
        progress(kind, done, total, new)


def read_json(path: Path) -> Any:
    """Read a JSON file that a worker has written."""
    return orjson.loads(path.read_bytes())

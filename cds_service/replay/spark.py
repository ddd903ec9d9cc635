"""Run a replay on Apache Spark: Spark groups the rows, and the same workers read and judge them.

Every executor needs this package and must reach the input and the output folder at the same addresses.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.errors import PySparkException, PySparkImportError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from cds_service.replay.input import Found
from cds_service.replay.jobs import Folders, Parts, Worker
from cds_service.replay.rows import IDENTIFIER, Row
from cds_service.replay.staging import ROWS, table_of

_ROWS = (
    "patient string, kind string, id string, resource binary, full_url string, medication string, flaw string, "
    "server string, numbers binary, times int, identifier string, place bigint"
)
_AT_ONCE = 2_000
"""Number of rows passed to Spark at a time."""
_workers: dict[tuple[str, datetime], Worker] = {}
"""The worker of this process, by run."""


class SparkFailed(Exception):
    """The Spark job failed."""


def judge_all(found: Found, folders: Folders, parts: Parts) -> None:
    """Scan, group and judge, on this machine with one core per worker, or on the cluster of ``spark-submit``.

    Raises:
        SparkFailed: the job failed. Running it again continues with the remaining charts.
    """
    builder = SparkSession.builder.appName("knee-cds replay").config("spark.sql.shuffle.partitions", parts.buckets)
    for name, value in _OURS.items():
        builder = builder.config(name, value)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # spark-submit has not set where to run
        builder = builder.config("spark.master", f"local[{parts.options.workers}]")
    try:
        session = builder.getOrCreate()
    except PySparkException as error:
        raise SparkFailed("Spark cannot be started; it needs Java 17 or newer (JAVA_HOME)") from error
    staged = folders.staged.resolve().as_uri()
    try:
        if not (folders.staged / "_SUCCESS").exists():
            _scan(session, found, parts).write.mode("overwrite").parquet(staged)
        if not folders.resolved.exists():
            _resolve(folders, _worker(parts))
        rows = session.read.parquet(staged, folders.resolved_rows.resolve().as_uri())
        _judge(rows, parts)
    except PySparkImportError as error:
        raise SparkFailed(f"Spark lacks a package: {error}") from error
    except PySparkException as error:
        raise SparkFailed(f"Spark: {type(error).__name__}; repeat the command to continue the run") from error
    finally:
        session.stop()
    worker = _worker(parts)
    for bucket in range(parts.buckets):
        if not folders.judged(bucket).exists():  # Spark runs no task for a bucket without patients
            worker.judge_charts(bucket, ())


_OURS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(_AT_ONCE),
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
}


def _scan(session: SparkSession, found: Found, parts: Parts) -> DataFrame:
    """Return the rows of all batches; each batch is one task."""
    batches = found.batches

    def rows(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        worker = _worker(parts)
        for number in (value for batch in numbers for value in batch.column(0).to_pylist()):
            waiting: list[tuple[Row, int]] = []
            for row in worker.rows(batches[number]):
                waiting.append(row)
                if len(waiting) >= _AT_ONCE:
                    yield from table_of(waiting).to_batches()
                    waiting.clear()
            if waiting:
                yield from table_of(waiting).to_batches()

    numbers = session.createDataFrame([(batch.number,) for batch in batches], "number int")
    return numbers.repartition(len(batches), "number").mapInArrow(rows, _ROWS)


def _resolve(folders: Folders, worker: Worker) -> None:
    """Write the rows whose patient is found by an identifier. These are few, so the driver looks for all of them."""
    folders.resolved_rows.mkdir(exist_ok=True)
    path = folders.resolved_rows / "rows.parquet"
    unfinished = path.with_suffix(".unfinished")
    writer = pq.ParquetWriter(unfinished, ROWS)
    waiting: list[tuple[Row, int]] = []

    def write() -> None:
        if waiting:
            writer.write_table(table_of(waiting))
            waiting.clear()

    def finish() -> None:
        write()
        writer.close()
        unfinished.replace(path)

    for row in worker.resolved(sorted(folders.staged.glob("*.parquet")), finish):
        waiting.append(row)
        if len(waiting) >= _AT_ONCE:
            write()


def _judge(rows: DataFrame, parts: Parts) -> None:
    """Judge every chart. Each bucket is one partition, sorted so that a patient's rows are adjacent."""
    resources = rows.where("identifier = ''")
    own = resources.where("patient <> ''")
    named = (
        rows.where(f"patient = '' AND kind = '{IDENTIFIER}'")
        .groupBy(f.col("identifier").alias("medication"))
        .agg(f.min("id").alias("only"), f.count_distinct("id").alias("several"))
        .where("several = 1")
    )
    referring = own.where("medication <> ''").select("patient", "medication").join(named, "medication", "left")
    wanted = referring.select("patient", f.coalesce("only", "medication").alias("wanted")).distinct()
    drugs = resources.where("patient = ''").drop("patient").join(wanted, f.col("id") == f.col("wanted"))
    charts = own.unionByName(drugs.withColumn("medication", f.lit("")).select(*ROWS.names))

    def judged(record_batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        bucket = context.partitionId() if context is not None else 0
        openings = _worker(parts).judge_charts(bucket, _charts(record_batches))
        yield pa.RecordBatch.from_pydict({"openings": pa.array([openings], pa.int64())})

    by_patient = charts.repartition(parts.buckets, "patient").sortWithinPartitions("patient", "place")
    by_patient.mapInArrow(judged, "openings bigint").collect()


def _charts(record_batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, list[Row]]]:
    rows = (
        row for batch in record_batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    for patient, own in groupby(rows, key=itemgetter(0)):
        yield patient, [Row(*values[:-1]) for values in own]


def _worker(parts: Parts) -> Worker:
    """Return this process's worker. It is kept, because loading the content takes longer than judging many charts."""
    run = (parts.key, parts.now)
    if run not in _workers:
        _workers[run] = Worker(parts)
    return _workers[run]

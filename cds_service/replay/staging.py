"""Store the rows of the input on disk in buckets of patients, so that the memory does not grow with the input."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from cds_service.replay.input import Batch, Piece, opened
from cds_service.replay.rows import IDENTIFIER, Row

ROWS = pa.schema(
    [
        ("patient", pa.string()),
        ("kind", pa.string()),
        ("id", pa.string()),
        ("resource", pa.binary()),
        ("full_url", pa.string()),
        ("medication", pa.string()),
        ("flaw", pa.string()),
        ("server", pa.string()),
        ("numbers", pa.binary()),
        ("times", pa.int32()),
        ("identifier", pa.string()),
        ("place", pa.int64()),
    ]
)
_AS_THEY_CAME = ROWS.names[: ROWS.names.index("numbers")]
DRUGS = "drugs"
"""The folder of Medications, which belong to no patient and may be used by any chart."""
NAMED = "named"
"""The folder of rows that name their patient only by an identifier."""
PEOPLE = "people"
"""The folder of rows that say which patient has an identifier."""
_HELD = 32 * 1024 * 1024
"""Most bytes that wait to be written."""
_MAX_GROUPS = 64
"""Most row groups of a file, because Parquet's memory for an open file grows with them."""


def bucket_of(patient: str, buckets: int) -> int:
    """Return the bucket of a patient, which is the same in every run."""
    return crc32(patient.encode("utf-8", "surrogatepass")) % buckets


def bucket_folder(staged: Path, bucket: int | str) -> Path:
    """Return the folder of a bucket's rows."""
    return staged / f"bucket-{bucket:05d}" if isinstance(bucket, int) else staged / bucket


class Staging:
    """Writes the rows of one batch."""

    def __init__(self, staged: Path, batch: Batch, buckets: int) -> None:
        self._staged = staged
        self._batch = batch
        self._buckets = buckets
        self._waiting: dict[int | str, list[tuple[Row, int]]] = {}
        self._held = 0
        self._writers: dict[int | str, pq.ParquetWriter] = {}
        self._files = 0
        self._groups = 0

    def take(self, row: Row, place: int) -> None:
        """Store a row. One without a patient that names none is a Medication, or says which one has an identifier."""
        bucket: int | str
        if row.identifier and (row.patient or row.kind != IDENTIFIER):
            bucket = PEOPLE if row.patient else NAMED
        else:
            bucket = bucket_of(row.patient, self._buckets) if row.patient else DRUGS
        self._waiting.setdefault(bucket, []).append((row, place))
        self._held += len(row.resource) + len(row.numbers) + 600
        if self._held > _HELD:
            self._write()

    def finish(self) -> None:
        """Write the rows that are still in memory."""
        self._write()
        self._close()

    def _write(self) -> None:
        for bucket, rows in sorted(self._waiting.items(), key=lambda item: str(item[0])):
            self._writer(bucket).write_table(table_of(rows))
        self._waiting.clear()
        self._held = 0
        self._groups += 1
        if self._groups >= _MAX_GROUPS:
            self._close()

    def _writer(self, bucket: int | str) -> pq.ParquetWriter:
        if bucket not in self._writers:
            folder = bucket_folder(self._staged, bucket)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{self._batch.number:05d}-{self._files:03d}.parquet"
            self._writers[bucket] = pq.ParquetWriter(path, ROWS, compression="zstd", compression_level=1)
        return self._writers[bucket]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        self._files += 1
        self._groups = 0


def table_of(rows: Iterable[tuple[Row, int]]) -> pa.Table:
    """Return rows with their places in the input as an Arrow table."""
    columns = [(*row, place) for row, place in rows]
    arrays = [_array(values, kind) for values, kind in zip(zip(*columns, strict=True), ROWS.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    """Return a column. Most columns have one value in every row (no flaw, no server), which is faster to store."""
    if values.count(values[0]) == len(values):
        return pa.repeat(pa.scalar(values[0], kind), len(values))
    return pa.array(values, kind)


def unstage(staged: Path, batch: Batch) -> None:
    """Delete the files that an earlier attempt has left for a batch."""
    for path in staged.glob(f"*/{batch.number:05d}-*.parquet"):
        path.unlink()


def forget(staged: Path) -> None:
    """Delete all rows, which hold patient data."""
    shutil.rmtree(staged, ignore_errors=True)


class NoChartsError(ValueError):
    """A Parquet file holds no charts that a replay has kept."""


def earlier_charts(piece: Piece) -> Iterator[Row]:
    """Yield the rows that an earlier run has kept, as they came.

    Raises:
        NoChartsError: the file is damaged, or is another one of a replay, or of another program.
        OSError: the file cannot be opened or read.
    """
    with opened(piece) as stream:
        try:
            file = pq.ParquetFile(stream)
            there = file.schema_arrow
            if any(ROWS.field(name) not in [there.field(at) for at in range(len(there))] for name in _AS_THEY_CAME):
                raise NoChartsError("is no Parquet file of charts that a replay has kept")
            columns = [*_AS_THEY_CAME, *({"identifier"} & set(there.names))]
            groups = range(file.num_row_groups)  # one by one, so that those before a damaged one are read
            batches = (file.iter_batches(batch_size=1000, row_groups=[group], columns=columns) for group in groups)
            for batch in chain.from_iterable(batches):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    if not any(values[len(_AS_THEY_CAME) :]):
                        yield Row(*values[: len(_AS_THEY_CAME)])
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the system: Arrow's own errors about the content have no number
            raise NoChartsError("is a damaged Parquet file") from error

"""Rows grouped by patient with DuckDB, which sorts on disk what does not fit into the memory that it is given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import duckdb

from cds_service.replay.rows import Row
from cds_service.replay.staging import DRUGS, bucket_folder

_COLUMNS = "patient, kind, id, resource, full_url, medication, flaw, server"
_OWN = f"SELECT {_COLUMNS}, place FROM read_parquet($rows)"  # nosec B608 - our own words only
# A drug is part of the chart of everybody whose rows refer to it; one that is there already is not brought twice.
_WITH_DRUGS = f"""
    WITH own AS MATERIALIZED ({_OWN}),
         wanted AS (SELECT DISTINCT patient, medication FROM own WHERE medication <> ''),
         drugs AS (SELECT * FROM read_parquet($drugs) WHERE id IN (SELECT medication FROM wanted))
    SELECT {_COLUMNS}, place FROM own
    UNION ALL
    SELECT wanted.patient, drugs.kind, drugs.id, drugs.resource, drugs.full_url, '', drugs.flaw, drugs.server,
           drugs.place
    FROM wanted JOIN drugs ON drugs.id = wanted.medication
"""  # nosec B608 - our own words only
_AT_ONCE = 500
"""Rows that are fetched together."""


def charts(staged: Path, bucket: int, scratch: Path, megabytes: int) -> Iterator[tuple[str, list[Row]]]:
    """The charts of one bucket, one patient after the other. ``megabytes``: that DuckDB may use before it spills."""
    rows = str(bucket_folder(staged, bucket) / "*.parquet")
    drugs = str(bucket_folder(staged, DRUGS) / "*.parquet")
    if not any(bucket_folder(staged, bucket).glob("*.parquet")):
        return
    has_drugs = any(bucket_folder(staged, DRUGS).glob("*.parquet"))
    with _connection(scratch, megabytes) as connection:
        query, values = (_WITH_DRUGS, {"rows": rows, "drugs": drugs}) if has_drugs else (_OWN, {"rows": rows})
        found = connection.execute(f"{query} ORDER BY patient, place", values)
        for patient, some in groupby(_fetched(found), key=itemgetter(0)):
            yield patient, [Row(*one[:-1]) for one in some]


def _connection(scratch: Path, megabytes: int) -> duckdb.DuckDBPyConnection:
    scratch.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{megabytes}MB",
            "threads": 1,
            "temp_directory": str(scratch),
            "preserve_insertion_order": False,
        },
    )


def _fetched(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str, bytes, str | None, str, str, str, int]]:
    while some := found.fetchmany(_AT_ONCE):
        yield from some

"""Group rows by patient with DuckDB, which sorts on disk if the rows do not fit into its memory limit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import duckdb

from cds_service.replay.rows import IDENTIFIER, Row
from cds_service.replay.staging import DRUGS, bucket_folder

_COLUMNS = "patient, kind, id, resource, full_url, medication, flaw, server, numbers, times, identifier"
_OWN = f"SELECT {_COLUMNS}, place FROM read_parquet($rows)"  # nosec B608 - our own words only
# A Medication is added once to the chart of each patient whose rows refer to it: by its id, or by an identifier that no
# other has.
_WITH_DRUGS = f"""
    WITH own AS MATERIALIZED ({_OWN}),
         every_drug AS (SELECT * FROM read_parquet($drugs)),
         named AS (SELECT identifier, min(id) AS id FROM every_drug WHERE kind = '{IDENTIFIER}'
                   GROUP BY identifier HAVING count(DISTINCT id) = 1),
         wanted AS (SELECT DISTINCT own.patient, coalesce(named.id, own.medication) AS medication
                    FROM own LEFT JOIN named ON named.identifier = own.medication WHERE own.medication <> ''),
         drugs AS (SELECT * FROM every_drug
                   WHERE kind <> '{IDENTIFIER}' AND id IN (SELECT medication FROM wanted))
    SELECT {_COLUMNS}, place FROM own
    UNION ALL
    SELECT wanted.patient, drugs.kind, drugs.id, drugs.resource, drugs.full_url, '', drugs.flaw, drugs.server,
           drugs.numbers, drugs.times, drugs.identifier,
           drugs.place
    FROM wanted JOIN drugs ON drugs.id = wanted.medication
"""  # nosec B608 - our own words only
_AT_ONCE = 500
"""Number of rows fetched at a time."""


def charts(staged: Path, bucket: int, scratch: Path, megabytes: int) -> Iterator[tuple[str, list[Row]]]:
    """Yield the charts of one bucket, one patient at a time. ``megabytes``: memory limit of DuckDB."""
    rows = str(bucket_folder(staged, bucket) / "*.parquet")
    drugs = str(bucket_folder(staged, DRUGS) / "*.parquet")
    if not any(bucket_folder(staged, bucket).glob("*.parquet")):
        return
    has_drugs = any(bucket_folder(staged, DRUGS).glob("*.parquet"))
    with connection(scratch, megabytes) as database:
        query, values = (_WITH_DRUGS, {"rows": rows, "drugs": drugs}) if has_drugs else (_OWN, {"rows": rows})
        result = database.execute(f"{query} ORDER BY patient, place", values)
        for patient, rows_of_patient in groupby(_fetched(result), key=itemgetter(0)):
            yield patient, [Row(*values[:-1]) for values in rows_of_patient]


def connection(scratch: Path, megabytes: int) -> duckdb.DuckDBPyConnection:
    """Return a connection that uses at most ``megabytes`` of memory, and the folder ``scratch`` for the rest."""
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


def _fetched(
    result: duckdb.DuckDBPyConnection,
) -> Iterator[tuple[str, str, str, bytes, str | None, str, str, str, bytes, int, str, int]]:
    while batch := result.fetchmany(_AT_ONCE):
        yield from batch

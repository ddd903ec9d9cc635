"""Find the patient of rows that name one only by an identifier, among the Patients of the whole input.

A patient is found only if exactly one has the identifier. Nothing is guessed: every other row is named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import DecodeError

from cds_service.clinical.content.catalogue import Content
from cds_service.replay.coded_elements import glance
from cds_service.replay.coverage import Coverage
from cds_service.replay.grouping import connection
from cds_service.replay.rows import IDENTIFIER, Row
from cds_service.replay.tally import Tally

NOBODYS = "names its patient only by an identifier that no Patient of the input has"
SEVERAL = "names its patient only by an identifier that several Patients of the input have"
_ROWS = f"""
    WITH named AS (
             SELECT * FROM read_parquet($rows) WHERE identifier <> '' AND patient = '' AND kind <> '{IDENTIFIER}'
         ),
         wanted AS (SELECT DISTINCT identifier FROM named),
         owners AS (
             SELECT identifier, min(patient) AS patient, count(DISTINCT patient) AS patients
             FROM read_parquet($rows)
             WHERE kind = '{IDENTIFIER}' AND patient <> '' AND identifier IN (SELECT identifier FROM wanted)
             GROUP BY identifier
         )
    SELECT owners.patients, owners.patient, named.kind, named.id, named.resource, named.full_url, named.medication,
           named.flaw, named.place
    FROM named LEFT JOIN owners USING (identifier)
    ORDER BY named.place
"""  # nosec B608 - our own words only
_AT_ONCE = 500


class Resolving:
    """Resolves rows, and counts them as the scan counts the others."""

    def __init__(self, content: Content, lines: Mapping[str, int]) -> None:
        """``lines``: the line of a row in its piece, by the place of the row."""
        self._lines = lines
        self._coverage = Coverage(content)
        self._tally = Tally()
        self._places: list[dict[str, Any]] = []

    def rows(self, files: Sequence[Path], scratch: Path, megabytes: int) -> Iterator[tuple[Row, int]]:
        """Yield each row of ``files`` whose patient is found, with its place. ``megabytes``: memory limit of DuckDB."""
        with connection(scratch, megabytes) as database:
            found = database.execute(_ROWS, {"rows": [str(path) for path in files]})
            while batch := found.fetchmany(_AT_ONCE):
                for patients, patient, kind, identity, resource, full_url, medication, flaw, place in batch:
                    if patients == 1:
                        row = Row(patient, kind, identity, resource, full_url, medication, flaw)
                        self._count(row)
                        yield row, place
                    else:
                        self._name(kind, place, SEVERAL if patients else NOBODYS)

    def as_json(self) -> dict[str, Any]:
        """Return everything counted, in the form of ``Scan.as_json``."""
        return {
            "lines": {},
            "named": {},
            "tally": self._tally.as_json(),
            "survey": self._coverage.survey().as_json(),
            "places": self._places,
        }

    def _count(self, row: Row) -> None:
        self._tally.add("types", row.kind)
        if row.flaw:
            self._tally.add("rows_of_bundles_not_whole", row.flaw)
        try:
            self._coverage.take(glance(row.resource), row.resource)
        except DecodeError:
            self._coverage.take(None, row.resource)

    def _name(self, kind: str, place: int, reason: str) -> None:
        self._tally.add("not_grouped", f"{kind}\t{reason}")
        line = self._lines.get(str(place))
        if line is None:
            self._tally.add("not_named")
        else:
            self._places.append({"piece": place >> 32, "line": line, "type": kind, "reason": reason})

"""Scan pieces of the input: count their rows, and list the places of rows that belong to no chart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.replay.coverage import Coverage
from cds_service.replay.input import Piece
from cds_service.replay.lines import Reading
from cds_service.replay.rows import NotGrouped, Row, rows_of
from cds_service.replay.staging import earlier_charts
from cds_service.replay.tally import Tally

_MAX_NAMED = 50_000
"""Most places listed per batch, to limit the memory for a file without any FHIR. Further ones are only counted."""


class Scan:
    """Reads pieces and counts what they hold."""

    def __init__(self, content: Content) -> None:
        self._coverage = Coverage(content)
        self._tally = Tally()
        self._lines: dict[str, int] = {}
        self._places: list[dict[str, Any]] = []

    def rows(self, piece: Piece) -> Iterator[tuple[Row, int]]:
        """Yield the rows that belong to a patient, and Medications, each with its place in the whole input."""
        number = 0
        for row in earlier_charts(piece) if piece.kind == "charts" else self._read(piece):
            self._tally.add("types", row.kind)
            self._coverage.take(row.resource)
            if row.flaw:
                self._tally.add("rows_of_bundles_not_whole", row.flaw)
            if row.patient or row.kind == "Medication":
                number += 1
                yield row, piece.number << 32 | number
            else:
                self._tally.add("of_nobody", row.kind)

    def as_json(self) -> dict[str, Any]:
        """Return everything counted so far. ``lines``: number of lines by number of the piece."""
        return {
            "lines": self._lines,
            "tally": self._tally.as_json(),
            "survey": self._coverage.survey().as_json(),
            "places": self._places,
        }

    def _note_place(self, piece: Piece, line: int, row: NotGrouped) -> None:
        if len(self._places) < _MAX_NAMED:
            self._places.append({"piece": piece.number, "line": line, "type": row.kind, "reason": row.reason})
        else:
            self._tally.add("not_named")

    def _read(self, piece: Piece) -> Iterator[Row]:
        reading = Reading(piece)
        for document in reading:
            for row in [NotGrouped(document.flaw)] if document.flaw else rows_of(document.text):
                if isinstance(row, Row):
                    yield row
                else:
                    self._tally.add("not_grouped", f"{row.kind}\t{row.reason}")
                    self._note_place(piece, document.line, row)
        self._lines[str(piece.number)] = reading.lines

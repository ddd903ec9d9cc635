"""What pieces of the input hold: their rows, counted, and what belongs to no chart, named by its place."""

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
"""Of one batch; a file that holds no FHIR at all must not fill the memory with its lines. All are counted."""


class Scan:
    """Reads pieces one after the other."""

    def __init__(self, content: Content) -> None:
        self._coverage = Coverage(content)
        self._tally = Tally()
        self._lines: dict[str, int] = {}
        self._places: list[dict[str, Any]] = []

    def rows(self, piece: Piece) -> Iterator[tuple[Row, int]]:
        """The rows that are somebody's, or a drug, each with its place in the whole input."""
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
        """Everything counted so far. ``lines``: by the number of the piece."""
        return {
            "lines": self._lines,
            "tally": self._tally.as_json(),
            "survey": self._coverage.survey().as_json(),
            "places": self._places,
        }

    def _name(self, piece: Piece, line: int, one: NotGrouped) -> None:
        if len(self._places) < _MAX_NAMED:
            self._places.append({"piece": piece.number, "line": line, "type": one.kind, "reason": one.reason})
        else:
            self._tally.add("not_named")

    def _read(self, piece: Piece) -> Iterator[Row]:
        reading = Reading(piece)
        for document in reading:
            for one in [NotGrouped(document.flaw)] if document.flaw else rows_of(document.text):
                if isinstance(one, Row):
                    yield one
                else:
                    self._tally.add("not_grouped", f"{one.kind}\t{one.reason}")
                    self._name(piece, document.line, one)
        self._lines[str(piece.number)] = reading.lines

"""Scan pieces of the input: count their rows, and list the places of rows that belong to no chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any

from msgspec import DecodeError

from cds_service.clinical.content.catalogue import Content
from cds_service.replay.brief_rows import Brief, Briefs, Pack
from cds_service.replay.coded_elements import Elements, glance
from cds_service.replay.coverage import Coverage
from cds_service.replay.input import Piece
from cds_service.replay.lines import Reading
from cds_service.replay.rows import IDENTIFIER, NotGrouped, Row, rows_of, who_has
from cds_service.replay.staging import NoChartsError, earlier_charts
from cds_service.replay.tally import Tally

_MAX_NAMED = 50_000
"""Most places listed per batch, to limit the memory for a file without any FHIR. Further ones are only counted."""


class Scan:
    """Reads pieces and counts what they hold."""

    def __init__(self, contents: Sequence[Content], zone: tzinfo, *, keep_charts: bool = False) -> None:
        """``contents``: those to judge by, the present one first. ``zone``: for dates without one.

        ``keep_charts``: keep every row completely.
        """
        self._coverage = Coverage(contents[0])
        self._briefs = Briefs(contents, zone)
        self._pack = Pack()
        self._keeps_all = keep_charts
        self._tally = Tally()
        self._lines: dict[str, int] = {}
        self._places: list[dict[str, Any]] = []
        self._line = 0
        self._named: dict[str, int] = {}

    def rows(self, piece: Piece) -> Iterator[tuple[Row, int]]:
        """Yield the rows of the patients, and Medications, each with its place in the whole input.

        A row that names its patient only by an identifier has no patient yet, and is not yet counted.
        """
        first = piece.number << 32
        for number, row in enumerate(self._kept(piece) if piece.kind == "charts" else self._read(piece), start=1):
            if row.identifier and not row.patient and row.kind != IDENTIFIER and len(self._named) < _MAX_NAMED:
                self._named[str(first | number)] = self._line
            yield row, first | number

    def _is_of_a_chart(self, row: Row, elements: Elements | None) -> bool:
        """Count a row, and return whether it belongs to a patient or is a Medication."""
        self._tally.add("types", row.kind)
        self._coverage.take(elements, row.resource)
        if row.flaw:
            self._tally.add("rows_of_bundles_not_whole", row.flaw)
        if row.patient or row.kind == "Medication":
            return True
        self._tally.add("of_nobody", row.kind)
        return False

    def _kept(self, piece: Piece) -> Iterator[Row]:
        try:
            yield from self._earlier(piece)
        except NoChartsError as error:
            yield from self._pack.rows()
            self._tally.add("not_grouped", f"\t{error}")
            self._note_place(piece, 0, NotGrouped(str(error)))

    def _earlier(self, piece: Piece) -> Iterator[Row]:
        for row in earlier_charts(piece):
            brief = self._briefs.of(row.resource) if row.full_url is None and not row.flaw else None
            if brief is not None and (brief.patient, brief.server) == (row.patient, row.server):
                yield from self._packed(brief, row.resource)
                continue
            yield from self._pack.rows()
            try:
                elements = glance(row.resource)
            except DecodeError:
                elements = None
            if self._is_of_a_chart(row, elements):
                yield row
                if elements is not None and row.kind == "Medication":
                    yield from who_has(row, elements)
        yield from self._pack.rows()

    def _read(self, piece: Piece) -> Iterator[Row]:
        reading = Reading(piece)
        for document in reading:
            text = document.text
            if (text.isascii() or _is_utf8(text)) and (brief := self._briefs.of(text)) is not None:
                yield from self._packed(brief, text.strip())
                continue
            yield from self._pack.rows()
            for row, elements in ((NotGrouped(document.flaw), None),) if document.flaw else rows_of(text):
                if isinstance(row, NotGrouped):
                    self._tally.add("not_grouped", f"{row.kind}\t{row.reason}")
                    self._note_place(piece, document.line, row)
                elif row.identifier:
                    self._line = document.line
                    yield row
                elif self._is_of_a_chart(row, elements):
                    yield row
                    if elements is not None:
                        yield from who_has(row, elements)
        yield from self._pack.rows()
        self._lines[str(piece.number)] = reading.lines

    def _packed(self, brief: Brief, resource: bytes) -> Iterator[Row]:
        """Pack a number of no concern, and yield the rows before it if it does not belong to them."""
        if not self._pack.takes(brief):
            yield from self._pack.rows()
            self._pack.takes(brief)
        if self._keeps_all:
            yield from self._pack.rows(resource)

    def as_json(self) -> dict[str, Any]:
        """Return everything counted so far.

        ``lines``: number of lines by number of the piece. ``named``: the line of each row that names its patient only
        by an identifier, by its place.
        """
        survey, tally = self._coverage.survey(), Tally()
        tally.merge(self._tally)
        for resource, times in self._briefs.seen():
            survey.look_at(resource, times)
            tally.add("types", "Observation", times)
        return {
            "lines": self._lines,
            "named": self._named,
            "tally": tally.as_json(),
            "survey": survey.as_json(),
            "places": self._places,
        }

    def _note_place(self, piece: Piece, line: int, row: NotGrouped) -> None:
        if len(self._places) < _MAX_NAMED:
            self._places.append({"piece": piece.number, "line": line, "type": row.kind, "reason": row.reason})
        else:
            self._tally.add("not_named")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True

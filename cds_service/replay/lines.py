"""The documents of a piece of work, each with its place; what breaks off is told as such."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from cds_service.replay.input import BROKEN, Piece, opened


@dataclass(frozen=True, slots=True)
class Document:
    """Some bytes that should be JSON. ``line``: within its piece, from 1. ``flaw``: why there are no more."""

    line: int
    text: bytes
    flaw: str = ""


@dataclass(slots=True)
class Reading:
    """The documents of a piece. ``lines``: how many lines there were, empty ones too; known when all are read."""

    piece: Piece
    lines: int = 0

    def __iter__(self) -> Iterator[Document]:
        try:
            yield from self._lines() if self.piece.kind == "lines" else self._document()
        except BROKEN as error:
            flaw = "the file cannot be read further" if self.lines else "the file cannot be read"
            yield Document(self.lines + 1, b"", f"{flaw} ({type(error).__name__})")

    def _lines(self) -> Iterator[Document]:
        start, end = self.piece.start, self.piece.end
        with opened(self.piece) as stream:
            at = 0
            if start:
                # The line that the piece begins within belongs to the piece before.
                stream.seek(start - 1)
                at = start - 1 + len(stream.readline())
            while end < 0 or at < end:
                line = stream.readline()
                if not line:
                    return
                at += len(line)
                self.lines += 1
                if not line.isspace():
                    yield Document(self.lines, line)

    def _document(self) -> Iterator[Document]:
        """All of it as one, unless its first line is a whole document: then it is a file of lines by another name."""
        with opened(self.piece) as stream:
            first = stream.readline()
            if not _is_whole(first):
                rest = first + stream.read()
                self.lines += 1
                yield Document(1, rest, "" if rest.strip() else "the file is empty")
                return
            line = first
            while line:
                self.lines += 1
                if not line.isspace():
                    yield Document(self.lines, line)
                line = stream.readline()


def _is_whole(line: bytes) -> bool:
    if not line.strip().endswith(b"}"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True

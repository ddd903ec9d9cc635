"""The documents of a piece of work, each with its place; what breaks off is told as such."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import orjson

from cds_service.replay.input import BROKEN, Piece, opened

LONGEST = 64 * 2**20
"""Bytes of one line or one Bundle. A larger one is no patient's, and would take many times that in memory."""


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
                at = start - 1 + _next(stream)[1]
            while end < 0 or at < end:
                line, size = _next(stream)
                if not size:
                    return
                at += size
                yield from self._told(line)

    def _document(self) -> Iterator[Document]:
        """All of it as one, unless its first line is a whole document: then it is a file of lines by another name."""
        with opened(self.piece) as stream:
            line, size = _next(stream)
            if line is not None and _is_whole(line):
                while size:
                    yield from self._told(line)
                    line, size = _next(stream)
                return
            whole = None if line is None else line + stream.read(LONGEST + 1)
            if whole is not None and not whole.strip():
                self.lines += 1
                yield Document(1, b"", "the file is empty")
            else:
                yield from self._told(whole if whole is not None and len(whole) <= LONGEST else None)

    def _told(self, text: bytes | None) -> Iterator[Document]:
        self.lines += 1
        if text is None:
            yield Document(self.lines, b"", f"is larger than {LONGEST // 2**20} MB")
        elif not text.isspace():
            yield Document(self.lines, text)


def _next(stream: IO[bytes]) -> tuple[bytes | None, int]:
    """The next line and its size; None for one that is too long to be held."""
    line = stream.readline(LONGEST + 1)
    size = len(line)
    if size <= LONGEST:
        return line, size
    while line and not line.endswith(b"\n"):
        line = stream.readline(2**20)
        size += len(line)
    return None, size


def _is_whole(line: bytes) -> bool:
    if not line.strip().endswith(b"}"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True

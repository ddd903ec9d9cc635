"""Read the documents of a piece of work, each with its line. A damaged file gives a document with a ``flaw``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

import orjson

from cds_service.replay.input import BROKEN, Piece, opened

MAX_LINE_BYTES = 64 * 2**20
"""Most bytes of one line or one Bundle. A larger one is not one patient's, and would need many times that in memory."""


class Document(NamedTuple):
    """Bytes that should be JSON. ``line``: number in its piece, from 1. ``flaw``: why the text is missing."""

    line: int
    text: bytes
    flaw: str = ""


@dataclass(slots=True)
class Reading:
    """The documents of a piece. ``lines``: number of lines read so far, including empty ones."""

    piece: Piece
    lines: int = 0

    def __iter__(self) -> Iterator[Document]:
        try:
            yield from self._lines() if self.piece.kind == "lines" else self._whole_file()
        except BROKEN as error:
            flaw = "the file cannot be read further" if self.lines else "the file cannot be read"
            yield Document(self.lines + 1, b"", f"{flaw} ({type(error).__name__})")

    def _lines(self) -> Iterator[Document]:
        start, end = self.piece.start, self.piece.end
        with opened(self.piece) as stream:
            at = 0
            if start:
                # The first, partial line belongs to the piece before.
                stream.seek(start - 1)
                at = start - 1 + _next(stream)[1]
            while end < 0 or at < end:
                line, size = _next(stream)
                if not size:
                    return
                at += size
                if (document := self._document_of(line)) is not None:
                    yield document

    def _whole_file(self) -> Iterator[Document]:
        """Read the file as one document; or as lines, if its first line is a whole document."""
        with opened(self.piece) as stream:
            line, size = _next(stream)
            if line is not None and _is_whole(line):
                while size:
                    if (document := self._document_of(line)) is not None:
                        yield document
                    line, size = _next(stream)
                return
            whole = None if line is None else line + stream.read(MAX_LINE_BYTES + 1)
            if whole is not None and not whole.strip():
                self.lines += 1
                yield Document(1, b"", "the file is empty")
                return
            document = self._document_of(whole if whole is not None and len(whole) <= MAX_LINE_BYTES else None)
            if document is not None:
                yield document

    def _document_of(self, text: bytes | None) -> Document | None:
        """Return the next line as a document; None for an empty line. ``text``: None if it is too long."""
        self.lines += 1
        if text is None:
            return Document(self.lines, b"", f"is larger than {MAX_LINE_BYTES // 2**20} MB")
        return None if text.isspace() else Document(self.lines, text)


def _next(stream: IO[bytes]) -> tuple[bytes | None, int]:
    """Return the next line and its size; None instead of a line longer than ``MAX_LINE_BYTES``."""
    line = stream.readline(MAX_LINE_BYTES + 1)
    size = len(line)
    if size <= MAX_LINE_BYTES:
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

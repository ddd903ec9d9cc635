"""The input: files on disk or in an object store, cut into pieces of work."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import fsspec

from cds_service.base.errors import UnusableInput

PIECE = 128 * 1024 * 1024
"""Size in bytes of one piece of a file of lines."""
_SMALL = PIECE // 4
"""Total size in bytes of small files that are read together."""
_LINES, _WHOLE, _CHARTS = (".ndjson", ".jsonl"), (".json",), (".parquet",)
BROKEN = (EOFError, zlib.error, OSError)
"""Exceptions raised by reading a damaged file."""


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A file, or a part of one.

    Attributes:
        number: number of the piece in the run.
        file: number of the file in the run.
        kind: by the file's name: ``lines``, ``document`` or ``charts`` (Parquet of an earlier run).
        start, end: the part in bytes; 0 and -1 for a whole file.
    """

    number: int
    file: int
    address: str
    name: str
    kind: str
    start: int = 0
    end: int = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces that are read together: one large piece, or many small files."""

    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The input of a run. ``names``: file names relative to its folder. ``sizes``: in bytes."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    pieces: tuple[Piece, ...]

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All pieces in order, grouped into batches."""
        together: list[list[Piece]] = []
        held = 0
        for piece in self.pieces:
            size = self.sizes[piece.file] if piece.end < 0 else piece.end - piece.start
            if not together or held + size > _SMALL:
                together.append([])
                held = 0
            together[-1].append(piece)
            held += size
        return tuple(Batch(number, tuple(pieces)) for number, pieces in enumerate(together))

    @property
    def mark(self) -> str:
        """A text that changes if the files change."""
        return "\n".join(f"{name} {size}" for name, size in zip(self.names, self.sizes, strict=True))


def find(source: str, piece: int = PIECE) -> Found:
    """Find every file of ``source`` that can hold charts, in the order of their names.

    Raises:
        UnusableInput: there is no such file.
    """
    files = sorted(_remote(source) if _is_remote(source) else _local(Path(source)))
    if not files:
        raise UnusableInput(f"there is no .ndjson, .jsonl, .json or .parquet file in {source}")
    pieces: list[Piece] = []
    for number, (name, address, size) in enumerate(files):
        kind = _kind(name) or "document"
        can_be_cut = kind == "lines" and not is_packed(name)
        cuts = range(0, size, piece) if can_be_cut and size > piece else range(1)
        for start in cuts:
            end = min(start + piece, size) if len(cuts) > 1 else -1
            pieces.append(Piece(len(pieces), number, address, name, kind, start, end))
    return Found(tuple(name for name, _, _ in files), tuple(size for _, _, size in files), tuple(pieces))


@contextmanager
def opened(piece: Piece) -> Iterator[IO[bytes]]:
    """Open the file of ``piece`` at its beginning, and decompress it if needed."""
    remote = _is_remote(piece.address)
    with fsspec.open(piece.address, "rb") if remote else Path(piece.address).open("rb") as raw:
        if is_packed(piece.name):
            with gzip.open(raw) as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield cast("IO[bytes]", raw)


def is_packed(name: str) -> bool:
    """Whether the file is compressed, by its name."""
    return name.lower().endswith(".gz")


def _is_remote(address: str) -> bool:
    return "://" in address


def _kind(name: str) -> str | None:
    plain = name.lower().removesuffix(".gz")
    kinds: dict[str, tuple[str, ...]] = {"lines": _LINES, "document": _WHOLE, "charts": _CHARTS}
    return next((kind for kind, endings in kinds.items() if plain.endswith(endings)), None)


def _local(path: Path) -> Iterator[tuple[str, str, int]]:
    if path.is_file():
        yield path.name, str(path), path.stat().st_size
        return
    if not path.is_dir():
        raise UnusableInput(f"there is no file or folder {path}")
    for file in path.rglob("*"):
        if _kind(file.name) and file.is_file():
            yield file.relative_to(path).as_posix(), str(file), file.stat().st_size


def _remote(source: str) -> Iterator[tuple[str, str, int]]:
    system, folder = cast("tuple[Any, str]", fsspec.core.url_to_fs(source))
    for address, about in system.find(folder, detail=True).items():
        if _kind(address):
            name = address.removeprefix(folder).strip("/") or address.rpartition("/")[2]
            yield name, system.unstrip_protocol(address), int(about["size"] or 0)

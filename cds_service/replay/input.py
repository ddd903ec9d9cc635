"""Where the rows come from: files on disk or in an object store, cut into pieces of work."""

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
"""Bytes of a file of lines that one piece of work holds."""
_SMALL = PIECE // 4
"""Bytes of small files that are read together."""
_LINES, _WHOLE, _CHARTS = (".ndjson", ".jsonl"), (".json",), (".parquet",)
BROKEN = (EOFError, zlib.error, OSError)
"""What reading a damaged file raises."""


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A file, or a part of one.

    Attributes:
        number: of the piece in the run.
        file: number of the file.
        kind: what its name says it holds: ``lines``, ``document`` or ``charts`` (Parquet of an earlier run).
        start, end: the part, in bytes; of what cannot be cut, all of it.
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
    """Pieces that are read together: one large one, or many small files."""

    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The input of a run. ``names``: of the files, below its folder. ``sizes``: in bytes."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    pieces: tuple[Piece, ...]

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All pieces, in their order."""
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
        """Changes when the files do."""
        return "\n".join(f"{name} {size}" for name, size in zip(self.names, self.sizes, strict=True))


def find(source: str, piece: int = PIECE) -> Found:
    """Every file of ``source`` that can hold charts, in the order of their names.

    Raises:
        UnusableInput: there is none.
    """
    files = sorted(_remote(source) if _is_remote(source) else _local(Path(source)))
    if not files:
        raise UnusableInput(f"there is no .ndjson, .jsonl, .json or .parquet file in {source}")
    pieces: list[Piece] = []
    for number, (name, address, size) in enumerate(files):
        kind = _kind(name) or "document"
        can_be_cut = kind == "lines" and not name.endswith(".gz")
        cuts = range(0, size, piece) if can_be_cut and size > piece else range(1)
        for start in cuts:
            end = min(start + piece, size) if len(cuts) > 1 else -1
            pieces.append(Piece(len(pieces), number, address, name, kind, start, end))
    return Found(tuple(name for name, _, _ in files), tuple(size for _, _, size in files), tuple(pieces))


@contextmanager
def opened(piece: Piece) -> Iterator[IO[bytes]]:
    """The file of ``piece``, unpacked, at its beginning."""
    remote = _is_remote(piece.address)
    with fsspec.open(piece.address, "rb") if remote else Path(piece.address).open("rb") as raw:
        if piece.name.endswith(".gz"):
            with gzip.open(raw) as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield cast("IO[bytes]", raw)


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
    for one in path.rglob("*"):
        if _kind(one.name) and one.is_file():
            yield one.relative_to(path).as_posix(), str(one), one.stat().st_size


def _remote(source: str) -> Iterator[tuple[str, str, int]]:
    system, folder = cast("tuple[Any, str]", fsspec.core.url_to_fs(source))
    for address, about in system.find(folder, detail=True).items():
        if _kind(address):
            name = address.removeprefix(folder).strip("/") or address.rpartition("/")[2]
            yield name, system.unstrip_protocol(address), int(about["size"] or 0)

"""The file of one chain, used by one process: claims it, repairs it after a crash, and writes groups of events."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import orjson

from cds_service.adapters.audit import events
from cds_service.adapters.audit.chain import MAX_LINE_BYTES, Hasher, Head, Link, genesis, head_of
from cds_service.base.logs import get_log

log = get_log()

MAX_FILES = 1000
_NO_FILE = frozenset({errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM})
"""Errors for a path that is not our file: a folder, a link, or a file of another user."""
_UNREPORTED = ".new"
_ENVELOPE_BYTES = 300
MAX_EVENT_BYTES = MAX_LINE_BYTES - _ENVELOPE_BYTES


class ChainFile:
    """A file that is locked for this process, with the known end of its chain. Not safe for several threads."""

    def __init__(self, path: Path, file: IO[bytes], hasher: Hasher, last: Link | None, size: int) -> None:
        """Use ``claim`` instead."""
        self.path = path
        self._file = file
        self._hasher = hasher
        self._last = last
        self._size = size

    @classmethod
    def claim(cls, folder: Path, hasher: Hasher) -> ChainFile:
        """Claim the first ``audit-<n>.ndjson`` in ``folder`` that is free and can be continued, or create one.

        A file that is damaged or has another key is left unchanged: continuing it would hide what happened.

        Raises:
            OSError: no file can be claimed or written.
        """
        folder.mkdir(exist_ok=True)
        denied: OSError | None = None
        for number in range(1, MAX_FILES + 1):
            path = folder / f"audit-{number}.ndjson"
            try:
                file = _locked(path)
            except OSError as error:
                if error.errno not in _NO_FILE:
                    raise
                denied = error
                continue
            if file is None:
                continue
            try:
                claimed = cls._continued(path, file, hasher)
            except BaseException:
                file.close()
                raise
            if claimed is not None:
                return claimed
            file.close()
        raise denied or OSError(f"none of {MAX_FILES} audit files can be used")

    @property
    def last(self) -> Link:
        """The chain's last line."""
        if self._last is None:
            raise RuntimeError("a claimed file must have a first line")
        return self._last

    def append(self, group: Sequence[bytes]) -> None:
        """Write events and wait until they are on disk.

        Raises:
            OSError: the events were not written and the chain is unchanged, or the file in the folder was replaced.
        """
        self.look()
        links: list[Link] = []
        last = self._last
        for event in group:
            last = Link.after(last, event, self._hasher)
            links.append(last)
        self._write(links)

    def look(self) -> None:
        """Check that the file is still in its folder. Events written to a removed file would be lost.

        Raises:
            OSError: the file was removed or replaced.
        """
        in_folder, ours = os.stat(self.path), os.fstat(self._file.fileno())
        if (in_folder.st_dev, in_folder.st_ino) != (ours.st_dev, ours.st_ino):
            raise FileNotFoundError(f"{self.path.name} was replaced")

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()

    def _write(self, links: Sequence[Link]) -> None:
        data = memoryview(b"".join(bytes(link) for link in links))
        size = self._size + len(data)
        number = self._file.fileno()
        try:
            while data:
                data = data[os.write(number, data) :]
            os.fsync(number)
            _put(head_of(self.path), bytes(Head.at(links[-1], size, self._hasher)))
        except OSError:
            self._remove_partial_write()
            raise
        self._last, self._size = links[-1], size

    def _remove_partial_write(self) -> None:
        """Remove a partly written group. The whole group is written again later."""
        with suppress(OSError):  # if even that fails, the next claim finds a torn end
            if os.fstat(self._file.fileno()).st_size > self._size:
                os.ftruncate(self._file.fileno(), self._size)

    @classmethod
    def _continued(cls, path: Path, file: IO[bytes], hasher: Hasher) -> ChainFile | None:
        """Begin or continue the chain; None if it is damaged or has another key."""
        head = Head.read(head_of(path))
        size = os.fstat(file.fileno()).st_size
        if size == 0 and not head_of(path).exists():
            begun = cls(path, file, hasher, None, 0)
            begun._write([genesis(hasher, datetime.now(UTC))])
            _sync_folder(path.parent)
            return begun
        last = None if head is None or not head.is_sealed(hasher) else _line_of(file, head, hasher)
        if head is None or last is None:
            log.error("audit_file_not_whole", file=path.name)
            return None
        chain = cls(path, file, hasher, last, head.size)
        chain._go_to_the_end()
        chain._repair(size)
        return chain

    def _go_to_the_end(self) -> None:
        """Read the valid lines after the head, which a crash can leave behind."""
        self._file.seek(self._size)
        while line := self._file.readline(MAX_LINE_BYTES):
            link = Link.parse(line)
            if link is None or not link.is_whole(self._hasher) or not link.follows(self._last):
                return
            self._last, self._size = link, self._size + len(line)

    def _repair(self, size: int) -> None:
        """Move an incomplete end to its own file and record this in the chain.

        The new file keeps ``.new`` in its name until the record is written, so that nothing is hidden if the disk
        fails in between.
        """
        if size > self._size:
            self._copy_aside()
            os.ftruncate(self._file.fileno(), self._size)
        for waiting in sorted(self.path.parent.glob(f"{self.path.name}.torn-*{_UNREPORTED}")):
            aside = waiting.with_suffix("")
            with waiting.open("rb") as copy:
                digest = hashlib.file_digest(copy, "sha256").hexdigest()
            event = events.torn(datetime.now(UTC), file=aside.name, size=waiting.stat().st_size, digest=digest)
            self._write([Link.after(self._last, orjson.dumps(event), self._hasher)])
            os.replace(waiting, aside)
            log.warning("audit_torn_end", file=self.path.name, place=aside.name)

    def _copy_aside(self) -> None:
        number = 1
        while list(self.path.parent.glob(f"{self.path.name}.torn-{number}*")):
            number += 1
        self._file.seek(self._size)
        with self.path.with_name(f"{self.path.name}.torn-{number}{_UNREPORTED}").open("xb") as copy:
            shutil.copyfileobj(self._file, copy)
            copy.flush()
            os.fsync(copy.fileno())
        _sync_folder(self.path.parent)


def _locked(path: Path) -> IO[bytes] | None:
    """Open a file for appending and lock it; None if another process holds the lock."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    number = os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR)
    file = os.fdopen(number, "r+b")
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _line_of(file: IO[bytes], head: Head, hasher: Hasher) -> Link | None:
    """Return the line that the head names; None if it is not in the file."""
    start = max(0, head.size - MAX_LINE_BYTES)
    text = os.pread(file.fileno(), head.size - start, start)
    if len(text) != head.size - start:
        return None
    link = Link.parse(text[text.rfind(b"\n", 0, -1) + 1 :])
    if link is None or (link.seq, link.hash) != (head.seq, head.hash) or not link.is_whole(hasher):
        return None
    return link


def _put(path: Path, text: bytes) -> None:
    """Replace a small file atomically."""
    new = path.with_name(f"{path.name}.new")
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    try:
        os.write(number, text)
        os.fsync(number)
    finally:
        os.close(number)
    os.replace(new, path)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

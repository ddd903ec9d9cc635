"""Verifies an audit chain. It is read line by line, so that large files need little memory."""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from cds_service.adapters.audit.chain import KEYED, MAX_LINE_BYTES, Hasher, Head, Link, genesis_content, head_of

MAX_FINDINGS = 100

Kind = Literal["changed", "missing", "order", "unreadable", "torn", "truncated", "head", "genesis", "key"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a chain. ``line``: line number from 1; None if it is about the whole file."""

    kind: Kind
    line: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying a file.

    Attributes:
        lines: number of lines.
        seq, hash: of the last readable line; -1 and empty if there is none.
        keyed: the chain can only be made with the key.
        findings: the first ``MAX_FINDINGS`` problems.
        count: number of all problems.
        seen: the expected hashes that are in the chain.
    """

    lines: int
    seq: int
    hash: str
    keyed: bool
    findings: tuple[Finding, ...]
    count: int
    seen: frozenset[str]

    @property
    def whole(self) -> bool:
        """Whether there are no problems."""
        return not self.count


def verify(path: Path, hasher: Hasher, expected: Collection[str] = ()) -> Verdict:
    """Verify the chain in ``path`` and the head file beside it.

    Args:
        path: the file of the chain.
        hasher: with the site's key, if it has one.
        expected: hashes noted earlier. Those that are in this chain are returned in ``seen``.

    Raises:
        OSError: the file cannot be read.
    """
    # Read the head first: a chain that is being written may grow in the meantime, but never shrink.
    head = Head.read(head_of(path))
    with path.open("rb") as file:
        return _Reading(hasher, head, frozenset(expected)).read(file)


class _Reading:
    """One pass over a chain."""

    def __init__(self, hasher: Hasher, head: Head | None, expected: frozenset[str]) -> None:
        self._given = hasher
        self._hasher = hasher
        self._head = head
        self._expected = expected
        self._findings: list[Finding] = []
        self._count = 0
        self._lines = 0
        self._size = 0
        self._last: Link | None = None
        self._seen: set[str] = set()
        self._met_head = False

    def read(self, file: IO[bytes]) -> Verdict:
        for line in _lines(file):
            self._lines += 1
            if self._lines == 1 and not self._begin(line):
                break  # with the wrong key every line would look changed
            self._look(line, file)
        else:
            self._end()
        last = self._last
        seq, hashed = (-1, "") if last is None else (last.seq, last.hash)
        findings = tuple(self._findings)
        return Verdict(self._lines, seq, hashed, self._hasher.keyed, findings, self._count, frozenset(self._seen))

    def _begin(self, line: bytes) -> bool:
        """Use the hash algorithm that the genesis names; false if the lines cannot be verified with this key."""
        link = Link.parse(line)
        content = None if link is None else genesis_content(link)
        if content is None:
            self._find("genesis", "the first line is not the beginning of an audit file")
            return True
        keyed = content.get("hash") == KEYED
        if keyed and not self._given.keyed:
            self._find("key", "this file was made with a key; set KNEE_CDS_HASH_KEY to the site's key")
            return False
        if keyed and content.get("keyCheck") != self._given.key_check:
            self._find("key", "this file was made with another key, or its first line was changed")
            return False
        if not keyed and self._given.keyed:
            # Otherwise an attacker could replace a keyed file by one without a key.
            self._find("key", "a key is set, but this file was made without one: anybody could have made it")
            self._hasher = Hasher(None)
        return True

    def _look(self, line: bytes, file: IO[bytes]) -> None:
        self._size += len(line)
        if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
            if not _is_being_written(file):
                self._find("torn", f"the last line is cut off after {len(line)} bytes")
            return
        link = Link.parse(line)
        if link is None:
            self._find("unreadable", "this is not a valid line of an audit file")
            return
        if not link.is_whole(self._hasher):
            self._find("changed", f"event {link.seq} does not match its hash: the line was changed")
        elif not link.follows(self._last):
            self._misplaced(link)
        self._last = link
        if link.hash in self._expected:
            self._seen.add(link.hash)
        head = self._head
        if head is not None and (link.seq, link.hash, self._size) == (head.seq, head.hash, head.size):
            self._met_head = True

    def _misplaced(self, link: Link) -> None:
        due = 0 if self._last is None else self._last.seq + 1
        if link.seq > due:
            which = f"event {due} is" if link.seq == due + 1 else f"events {due} to {link.seq - 1} are"
            self._find("missing", f"{which} missing before this line")
        elif link.seq < due:
            self._find("order", f"event {link.seq} is in the place of event {due}: it was inserted, repeated or moved")
        else:
            self._find("order", f"event {link.seq} does not follow the line before it")

    def _end(self) -> None:
        head, last = self._head, self._last
        if head is None:
            words = "the head file is missing or was changed, so it is unknown whether the end was cut off"
            self._find_in_file("head", words)
        elif not head.is_sealed(self._hasher):
            self._find_in_file("head", "the head file was changed, or made with another key")
        elif last is None or last.seq < head.seq:
            end = "is empty" if last is None else f"ends with event {last.seq}"
            self._find_in_file("truncated", f"the end is missing: the head names event {head.seq}, but the file {end}")
        elif not self._met_head:
            self._find_in_file("head", f"event {head.seq} does not match the head file")

    def _find(self, kind: Kind, words: str) -> None:
        """Add a problem of the current line."""
        self._note(Finding(kind, self._lines, words))

    def _find_in_file(self, kind: Kind, words: str) -> None:
        """Add a problem of the whole file."""
        self._note(Finding(kind, None, words))

    def _note(self, finding: Finding) -> None:
        self._count += 1
        if self._count <= MAX_FINDINGS:
            self._findings.append(finding)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield every line with its line break. A line that is too long is cut and has no line break."""
    while line := file.readline(MAX_LINE_BYTES):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES)


def _is_being_written(file: IO[bytes]) -> bool:
    """Return whether a running service holds the lock. Then an incomplete last line is still being written."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False

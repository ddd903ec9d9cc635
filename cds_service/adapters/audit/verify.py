"""Is a chain whole? Read line by line, so that size does not matter; every finding in plain words."""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from cds_service.adapters.audit.chain import KEYED, MAX_LINE_BYTES, Hasher, Head, Link, head_of, said_by

MAX_FINDINGS = 100

Kind = Literal["changed", "missing", "order", "unreadable", "torn", "truncated", "head", "genesis", "key"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. ``line``: counted from 1; None where it is about the whole file."""

    kind: Kind
    line: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file is worth.

    Attributes:
        findings: the first ``MAX_FINDINGS`` of them. count: of all of them.
        seq, hash: of the last line that could be read; -1 and empty if none could.
        keyed: whether only who has the key could have made it.
        seen: those of the expected heads that are in the chain.
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
        """Nothing is wrong."""
        return not self.count


def verify(path: Path, hasher: Hasher, expected: Collection[str] = ()) -> Verdict:
    """Read the chain in ``path`` with its head beside it.

    Args:
        path: the file.
        hasher: with the site's key, if it has one.
        expected: hashes noted earlier; one that is in this chain is ``seen``.

    Raises:
        OSError: the file cannot be read.
    """
    # The head first: a chain that is being written may go on meanwhile, but never go back.
    head = Head.read(head_of(path))
    with path.open("rb") as file:
        return _Reading(hasher, head, frozenset(expected)).read(file)


class _Reading:
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
        """Take the hash that the genesis names; false if no line can be judged."""
        link = Link.parse(line)
        said = None if link is None else said_by(link)
        if said is None:
            self._find("genesis", "the first line is not the beginning of an audit file")
            return True
        keyed = said.get("hash") == KEYED
        if keyed and not self._given.keyed:
            self._find("key", "this file was made with a key; set KNEE_CDS_HASH_KEY to the site's key")
            return False
        if keyed and said.get("keyCheck") != self._given.key_check:
            self._find("key", "this file was made with another key, or its first line was changed")
            return False
        if not keyed and self._given.keyed:
            # Else whoever changes a file could write it anew without the key.
            self._find("key", "a key is set, but this file was made without one: anybody could have made it")
            self._hasher = Hasher(None)
        return True

    def _look(self, line: bytes, file: IO[bytes]) -> None:
        self._size += len(line)
        if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
            if not _is_being_written(file):
                self._find("torn", f"the last line breaks off after {len(line)} bytes")
            return
        link = Link.parse(line)
        if link is None:
            self._find("unreadable", "not a line of an audit file, or changed so that it is none any more")
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
            self._find("order", f"event {link.seq} stands where event {due} should: inserted, repeated or moved")
        else:
            self._find("order", f"event {link.seq} does not belong to the line before it")

    def _end(self) -> None:
        head, last = self._head, self._last
        if head is None:
            words = "the head file is missing or changed: whether the end was cut off cannot be told"
            self._find_at_large("head", words)
        elif not head.is_sealed(self._hasher):
            self._find_at_large("head", "the head file was changed, or made with another key")
        elif last is None or last.seq < head.seq:
            there = "holds nothing" if last is None else f"ends with event {last.seq}"
            self._find_at_large("truncated", f"the end is missing: the head names event {head.seq}, the file {there}")
        elif not self._met_head:
            self._find_at_large("head", f"event {head.seq} is not where and what the head file says")

    def _find(self, kind: Kind, words: str) -> None:
        """About the line being read."""
        self._note(Finding(kind, self._lines, words))

    def _find_at_large(self, kind: Kind, words: str) -> None:
        """About the whole file."""
        self._note(Finding(kind, None, words))

    def _note(self, finding: Finding) -> None:
        self._count += 1
        if self._count <= MAX_FINDINGS:
            self._findings.append(finding)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Every line with its break; one that is longer than any of ours comes cut, without it."""
    while line := file.readline(MAX_LINE_BYTES):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES)


def _is_being_written(file: IO[bytes]) -> bool:
    """A service that runs holds the lock; what it has begun to write is nothing torn yet."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False

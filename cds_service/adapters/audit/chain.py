"""The hash chain of an audit file. Each line holds the hash of the line before, so that changes are noticed.

A file is NDJSON, with one line for each event::

    {"seq":1,"previous":"<64 hex>","hash":"<64 hex>","event":{...}}

``hash`` covers ``seq``, ``previous`` and the exact bytes of the event. The first line, with seq 0, is the genesis: a
random chain id, the time of creation and the hash algorithm. The head file beside it, ``<file>.head``, holds the end
of the chain at the last write. It shows whether the end was cut off.

With a key the hash is HMAC-SHA-256, and a chain can only be made with the key. Without a key it is SHA-256: accidental
and manual changes are noticed, but not a complete rewrite of the file, unless a hash was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

START = "0" * 64
KEYED, PLAIN = "HMAC-SHA-256", "SHA-256"
MAX_LINE_BYTES = 1_000_000
FORMAT = "knee-cds audit 1"

_LINE = re.compile(
    rb'\{"seq":(0|[1-9][0-9]{0,15}),"previous":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","event":(\{[^\n]*\})\}\n'
)
_HEAD = re.compile(
    rb'\{"seq":(0|[1-9][0-9]{0,15}),"hash":"([0-9a-f]{64})","size":([1-9][0-9]{0,15}),"seal":"([0-9a-f]{64})"\}\n'
)


class Hasher:
    """The hash of one site's chains. ``key``: None for plain SHA-256."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    @classmethod
    def of(cls, hash_key: str | None) -> Hasher:
        """Build with a key derived from the site's key, so that neither key reveals the other."""
        return cls(None if hash_key is None else hmac.digest(hash_key.encode(), b"knee-cds audit chain", "sha256"))

    @property
    def algorithm(self) -> str:
        """Name of the algorithm, as written in the genesis."""
        return PLAIN if self._key is None else KEYED

    @property
    def keyed(self) -> bool:
        """Whether a chain can only be made with the key."""
        return self._key is not None

    @property
    def key_check(self) -> str:
        """A hash that shows whether a file was made with this key; empty without a key."""
        return self._of(b"key check")[:16] if self.keyed else ""

    def line(self, seq: int, previous: str, event: bytes) -> str:
        """Return the hash of a line."""
        return self._of(b"line:%d:%s:%s" % (seq, previous.encode(), event))

    def seal(self, seq: int, head: str, size: int) -> str:
        """Return the hash of a head file. Without the key it cannot be made for a shorter chain."""
        return self._of(b"head:%d:%s:%d" % (seq, head.encode(), size))

    def _of(self, text: bytes) -> str:
        if self._key is None:
            return hashlib.sha256(text).hexdigest()
        return hmac.digest(self._key, text, "sha256").hex()


@dataclass(frozen=True, slots=True)
class Link:
    """One parsed line of a chain. ``event``: its exact bytes in the file."""

    seq: int
    previous: str
    hash: str
    event: bytes

    @classmethod
    def parse(cls, line: bytes) -> Link | None:
        """Parse ``line``, including its line break. None if it is not a line of a chain."""
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        seq, previous, hashed, event = match.groups()
        return cls(int(seq), previous.decode(), hashed.decode(), event)

    @classmethod
    def after(cls, previous: Link | None, event: bytes, hasher: Hasher) -> Link:
        """Return the next link. ``previous``: None for the genesis."""
        seq, before = (0, START) if previous is None else (previous.seq + 1, previous.hash)
        return cls(seq, before, hasher.line(seq, before, event), event)

    def is_whole(self, hasher: Hasher) -> bool:
        """Return whether the hash matches the content."""
        return hmac.compare_digest(self.hash, hasher.line(self.seq, self.previous, self.event))

    def follows(self, previous: Link | None) -> bool:
        """Return whether this is the link after ``previous``, or a genesis if ``previous`` is None."""
        if previous is None:
            return self.seq == 0 and self.previous == START
        return self.seq == previous.seq + 1 and self.previous == previous.hash

    def __bytes__(self) -> bytes:
        parts = (self.seq, self.previous.encode(), self.hash.encode(), self.event)
        return b'{"seq":%d,"previous":"%s","hash":"%s","event":%s}\n' % parts


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: seq and hash of the last line, and the size up to its end in bytes."""

    seq: int
    hash: str
    size: int
    seal: str

    @classmethod
    def at(cls, link: Link, size: int, hasher: Hasher) -> Head:
        """Return the head of a chain that ends with ``link``."""
        return cls(link.seq, link.hash, size, hasher.seal(link.seq, link.hash, size))

    @classmethod
    def read(cls, path: Path) -> Head | None:
        """Read a head file. None if it does not exist or is not valid.

        Raises:
            OSError: the file exists but cannot be read.
        """
        try:
            match = _HEAD.fullmatch(path.read_bytes())
        except FileNotFoundError:
            return None
        if match is None:
            return None
        seq, hashed, size, seal = match.groups()
        return cls(int(seq), hashed.decode(), int(size), seal.decode())

    def is_sealed(self, hasher: Hasher) -> bool:
        """Return whether the head was made with this key."""
        return hmac.compare_digest(self.seal, hasher.seal(self.seq, self.hash, self.size))

    def __bytes__(self) -> bytes:
        parts = (self.seq, self.hash.encode(), self.size, self.seal.encode())
        return b'{"seq":%d,"hash":"%s","size":%d,"seal":"%s"}\n' % parts


def head_of(path: Path) -> Path:
    """Return the path of the head file beside a chain's file."""
    return path.with_name(f"{path.name}.head")


def genesis(hasher: Hasher, now: datetime) -> Link:
    """Return the first line of a new chain."""
    content = {
        "format": FORMAT,
        "chain": secrets.token_hex(16),
        "begun": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "hash": hasher.algorithm,
        "keyCheck": hasher.key_check,
    }
    return Link.after(None, orjson.dumps(content), hasher)


def genesis_content(first: Link) -> Mapping[str, Any] | None:
    """Return the content of a genesis; None if ``first`` is not a genesis."""
    try:
        content = orjson.loads(first.event)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) and content.get("format") == FORMAT else None

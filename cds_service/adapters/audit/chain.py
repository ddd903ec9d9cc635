"""The chain: each line holds the hash of the line before it, so that no line can change or go unnoticed.

A file is NDJSON, one line for each event::

    {"seq":1,"previous":"<64 hex>","hash":"<64 hex>","event":{...}}

``hash`` goes over ``seq``, ``previous`` and the bytes of the event exactly as they stand there. The first line, seq 0,
is the file's genesis: a random chain id, when it was begun, and which hash. Beside the file stands its head,
``<file>.head``: how far the chain had come when it was last written, which shows when the end was cut off.

With a key the hash is HMAC-SHA-256, and only who has the key can make a chain. Without one it is SHA-256: changes by
accident or by hand show, but somebody who writes the whole file anew goes unnoticed, unless a head was noted elsewhere.
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
        """Under a key of its own, derived from the site's, so that neither tells anything about the other."""
        return cls(None if hash_key is None else hmac.digest(hash_key.encode(), b"knee-cds audit chain", "sha256"))

    @property
    def algorithm(self) -> str:
        """As the genesis says it."""
        return PLAIN if self._key is None else KEYED

    @property
    def keyed(self) -> bool:
        """Whether only who has the key can make a chain."""
        return self._key is not None

    @property
    def key_check(self) -> str:
        """Tells a wrong key from a changed file; empty without a key."""
        return self._of(b"key check")[:16] if self.keyed else ""

    def line(self, seq: int, previous: str, event: bytes) -> str:
        """Hash of a line."""
        return self._of(b"line:%d:%s:%s" % (seq, previous.encode(), event))

    def seal(self, seq: int, head: str, size: int) -> str:
        """Hash of a head file: without the key nobody can make one for a shorter chain."""
        return self._of(b"head:%d:%s:%d" % (seq, head.encode(), size))

    def _of(self, text: bytes) -> str:
        if self._key is None:
            return hashlib.sha256(text).hexdigest()
        return hmac.digest(self._key, text, "sha256").hex()


@dataclass(frozen=True, slots=True)
class Link:
    """One line, taken apart. ``event``: its bytes as they stand in the file."""

    seq: int
    previous: str
    hash: str
    event: bytes

    @classmethod
    def parse(cls, line: bytes) -> Link | None:
        """None if ``line`` (with its line break) is none of ours."""
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        seq, previous, hashed, event = found.groups()
        return cls(int(seq), previous.decode(), hashed.decode(), event)

    @classmethod
    def after(cls, previous: Link | None, event: bytes, hasher: Hasher) -> Link:
        """The next link; ``previous`` is None for the genesis."""
        seq, before = (0, START) if previous is None else (previous.seq + 1, previous.hash)
        return cls(seq, before, hasher.line(seq, before, event), event)

    def is_whole(self, hasher: Hasher) -> bool:
        """Whether its hash is the one of what it holds."""
        return hmac.compare_digest(self.hash, hasher.line(self.seq, self.previous, self.event))

    def follows(self, previous: Link | None) -> bool:
        """Whether it is the one after ``previous``, or a genesis after None."""
        if previous is None:
            return self.seq == 0 and self.previous == START
        return self.seq == previous.seq + 1 and self.previous == previous.hash

    def __bytes__(self) -> bytes:
        parts = (self.seq, self.previous.encode(), self.hash.encode(), self.event)
        return b'{"seq":%d,"previous":"%s","hash":"%s","event":%s}\n' % parts


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain has come: the last line's seq and hash, and the bytes up to its end."""

    seq: int
    hash: str
    size: int
    seal: str

    @classmethod
    def at(cls, link: Link, size: int, hasher: Hasher) -> Head:
        """The head of a chain that ends with ``link``."""
        return cls(link.seq, link.hash, size, hasher.seal(link.seq, link.hash, size))

    @classmethod
    def read(cls, path: Path) -> Head | None:
        """None if there is none, or what is there is no head.

        Raises:
            OSError: it is there and cannot be read.
        """
        try:
            found = _HEAD.fullmatch(path.read_bytes())
        except FileNotFoundError:
            return None
        if found is None:
            return None
        seq, hashed, size, seal = found.groups()
        return cls(int(seq), hashed.decode(), int(size), seal.decode())

    def is_sealed(self, hasher: Hasher) -> bool:
        """Whether it was made with this key."""
        return hmac.compare_digest(self.seal, hasher.seal(self.seq, self.hash, self.size))

    def __bytes__(self) -> bytes:
        parts = (self.seq, self.hash.encode(), self.size, self.seal.encode())
        return b'{"seq":%d,"hash":"%s","size":%d,"seal":"%s"}\n' % parts


def head_of(path: Path) -> Path:
    """The head beside a chain's file."""
    return path.with_name(f"{path.name}.head")


def genesis(hasher: Hasher, now: datetime) -> Link:
    """The first line of a new chain."""
    said = {
        "format": FORMAT,
        "chain": secrets.token_hex(16),
        "begun": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "hash": hasher.algorithm,
        "keyCheck": hasher.key_check,
    }
    return Link.after(None, orjson.dumps(said), hasher)


def said_by(first: Link) -> Mapping[str, Any] | None:
    """What a genesis says; None if ``first`` is none."""
    try:
        said = orjson.loads(first.event)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) and said.get("format") == FORMAT else None

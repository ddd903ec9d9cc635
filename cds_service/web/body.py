"""Reading a request body: type, size and shape first, then strict JSON."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from starlette.requests import ClientDisconnect

from cds_service.ground.errors import KneeCdsError, TooMuch, UnusableInput
from cds_service.ground.settings import Settings


class WrongMediaType(KneeCdsError):  # noqa: N818
    """The body is not application/json (HTTP 415)."""


class TooLarge(KneeCdsError):  # noqa: N818
    """The body is larger than this site accepts (HTTP 413)."""


class TooSlow(KneeCdsError):  # noqa: N818
    """The body did not arrive in time (HTTP 408)."""


LONGEST_STRING = 1_048_576
"""As FHIR R4 limits a string; a run without a quotation mark is never longer in a lawful body."""
SHAPES_PER_ENTRY = 64
"""Objects and arrays for each entry that is allowed: what Python needs for them is many times their bytes."""
LARGE_BYTES = 256_000
"""What takes apart and judges in a few milliseconds is done at once; a thread would cost more than it spares."""
_FREE_BYTES = 1_000_000
_BUFFERED_BODIES = 10


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """``bytes``: of one body. ``depth``: of nesting. ``entries``: resources. ``seconds``: until all of it is there."""

    bytes: int
    depth: int
    entries: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Body:
    """``value``: the JSON. ``is_large``: work on it belongs into a thread, so that other calls go on meanwhile."""

    value: Any
    is_large: bool


class Bodies:
    """Reads bodies within limits; one for the whole process, which it keeps from holding too many large ones."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._buffered = 0

    @classmethod
    def of(cls, settings: Settings) -> Bodies:
        """With the limits of a site."""
        return cls(
            BodyLimits(settings.max_body_bytes, settings.max_json_depth, settings.max_entries, settings.read_seconds)
        )

    async def read(self, request: Request, most_bytes: int | None = None) -> Body:
        """The body as JSON. ``most_bytes``: instead of the site's limit.

        Raises:
            WrongMediaType: the content type is not JSON in UTF-8, or it is compressed.
            TooLarge: more bytes or entries than allowed, however they are announced.
            TooSlow: it is not all there in time.
            TooMuch: other bodies fill the memory that is set aside for them.
            UnusableInput: not RFC 8259 JSON, nested too deep, or with a key twice.
        """
        limit = most_bytes or self._limits.bytes
        _check_headers(request, limit)
        held = 0
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise TooLarge(f"the body may have at most {limit} bytes")
                    held = self._hold(held, len(body))
            if len(body) > LARGE_BYTES:
                return Body(await asyncio.to_thread(_taken_apart, body, self._limits), is_large=True)
            return Body(_taken_apart(body, self._limits), is_large=False)
        except TimeoutError:
            raise TooSlow(f"the body did not arrive within {self._limits.seconds:g} s") from None
        except ClientDisconnect:
            raise UnusableInput("the body broke off") from None
        finally:
            self._buffered -= held

    def _hold(self, held: int, size: int) -> int:
        """Count what is in memory; small bodies always find room, however many large ones are on their way."""
        needed = max(0, size - _FREE_BYTES)
        if self._buffered + needed - held > _BUFFERED_BODIES * self._limits.bytes:
            raise TooMuch(503, "buffers", 1)
        self._buffered += needed - held
        return needed


def _taken_apart(body: bytearray, limits: BodyLimits) -> Any:
    _check_shape(body, limits)
    return _parsed(body)


def _check_headers(request: Request, limit: int) -> None:
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise WrongMediaType("send application/json in UTF-8")
    if request.headers.get("content-encoding", ""):
        raise WrongMediaType("send the body as it is, without a content encoding")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(f"the body may have at most {limit} bytes")


def _check_shape(body: bytearray, limits: BodyLimits) -> None:
    """What would cost much to take apart, seen before it is; all in C, since charts are large."""
    if body.count(b'"resourceType"') > limits.entries:
        raise TooLarge(f"the body may hold at most {limits.entries} resources")
    if body.count(b"{") + body.count(b"[") > limits.entries * SHAPES_PER_ENTRY:
        raise TooLarge(f"the body may hold at most {limits.entries * SHAPES_PER_ENTRY} objects and arrays")
    bare = without_escapes(body)
    if has_longer_run(bare, LONGEST_STRING):
        raise TooLarge(f"a string may have at most {LONGEST_STRING} bytes")
    if is_deeper(bare, limits.depth):
        raise UnusableInput(f"the body is nested deeper than {limits.depth} levels, or its brackets do not match")


def _parsed(body: bytearray) -> Any:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnusableInput(f"the body is not JSON: {_where(error)}") from error
    if has_key_twice(body, found):
        raise UnusableInput("the body holds an object with a key twice, so its meaning is not certain")
    return found


def without_escapes(document: bytes | bytearray) -> bytes | bytearray:
    """The same without escaped backslashes and quotation marks, so that every mark left ends or begins a string."""
    return document.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in document else document


def has_longer_run(bare: bytes | bytearray, longest: int) -> bool:
    """Whether there is a stretch longer than ``longest`` without a quotation mark, in steps of that length."""
    start = 0
    while len(bare) - start > longest:
        mark = bare.rfind(b'"', start, start + longest + 1)
        if mark < 0:
            return True
        start = mark + 1
    return False


_ALIKE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b'{}[]"')
_NOT_COLONS = bytes(byte for byte in range(256) if byte not in b':"')


def is_deeper(bare: bytes | bytearray, deepest: int) -> bool:
    """Whether JSON without escapes is nested deeper than ``deepest``, level by level."""
    # Strings without brackets are now empty: away with them, then with the few that hold some.
    shape = b"".join(bare.translate(_ALIKE, _NOT_BRACKETS).replace(b'""', b"").split(b'"')[::2])
    for _ in range(deepest):
        if not shape:
            return False
        shape = shape.replace(b"[]", b"")
    return bool(shape)


def has_key_twice(document: bytes | bytearray, parsed: Any) -> bool:
    """Whether taking ``document`` apart lost a key: two readers could each believe another of its values."""
    written = orjson.dumps(parsed)
    return _pairs(without_escapes(document)) != _pairs(without_escapes(written))


def _pairs(bare: bytes | bytearray) -> int:
    """How many keys JSON without escapes holds."""
    return b"".join(bare.translate(None, _NOT_COLONS).replace(b'""', b"").split(b'"')[::2]).count(b":")


def _where(error: orjson.JSONDecodeError) -> str:
    """Position only: the message itself may quote the body."""
    return f"line {error.lineno}, column {error.colno}"

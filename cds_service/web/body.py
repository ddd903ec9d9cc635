"""Reading a request body: type and size limits first, then strict JSON."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request

from cds_service.ground.errors import KneeCdsError, UnusableInput


class WrongMediaType(KneeCdsError):  # noqa: N818
    """The body is not application/json (HTTP 415)."""


class TooLarge(KneeCdsError):  # noqa: N818
    """The body is larger than this site accepts (HTTP 413)."""


async def read_json(request: Request, limit: int, deepest: int) -> Any:
    """The body as JSON.

    Raises:
        WrongMediaType: the content type is not JSON in UTF-8.
        TooLarge: more than ``limit`` bytes, however they are announced.
        UnusableInput: not RFC 8259 JSON, or nested deeper than ``deepest``.
    """
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise WrongMediaType("send application/json in UTF-8")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(f"the body may have at most {limit} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"the body may have at most {limit} bytes")
    if encoding := request.headers.get("content-encoding", ""):
        raise WrongMediaType(f"send the body as it is, not {encoding[:20]!r}-encoded")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnusableInput(f"the body is not JSON: {_where(error)}") from error
    if is_deeper(body, deepest):
        raise UnusableInput(f"the body is nested deeper than {deepest} levels")
    return found


_ALIKE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b'{}[]"')


def is_deeper(document: bytes | bytearray, deepest: int) -> bool:
    """Whether valid JSON is nested deeper than ``deepest``; in C, level by level, since charts are large."""
    if b"\\" in document:
        document = document.replace(rb"\\", b"").replace(rb"\"", b"")
    # Strings without brackets are now empty: away with them, then with the few that hold some.
    bare = document.translate(_ALIKE, _NOT_BRACKETS).replace(b'""', b"")
    shape = b"".join(bare.split(b'"')[::2])
    for _ in range(deepest):
        if not shape:
            return False
        shape = shape.replace(b"[]", b"")
    return bool(shape)


def _where(error: orjson.JSONDecodeError) -> str:
    """Position only: the message itself may quote the body."""
    return f"line {error.lineno}, column {error.colno}"

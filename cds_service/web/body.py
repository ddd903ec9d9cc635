"""Read a request body: check its type, size and encoding first, then parse it as strict JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from cds_service.base.errors import KneeCdsError, TooLarge, TooMuch, UnusableInput
from cds_service.base.settings import Settings
from cds_service.base.strict_json import JsonLimits, parse

Parse = Callable[[bytearray, JsonLimits], Any]


class WrongMediaType(KneeCdsError):
    """The body is not application/json (HTTP 415)."""


class TooSlow(KneeCdsError):
    """The body did not arrive in time (HTTP 408)."""


LARGE_BYTES = 256_000
"""Bodies up to this size are parsed and judged on the event loop, which takes a few milliseconds. A thread would
cost more time than it saves."""
_FREE_BYTES = 1_000_000
_BUFFERED_BODIES = 10


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """``bytes``: size of one body. ``json``: its depth and entries. ``seconds``: time until it has arrived."""

    bytes: int
    json: JsonLimits
    seconds: float


@dataclass(frozen=True, slots=True)
class Body:
    """``value``: the parsed JSON. ``is_large``: process it in a thread, so that it does not block other calls."""

    value: Any
    is_large: bool


class Bodies:
    """Reads bodies within limits and bounds the memory of all large bodies together. One instance per process."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._buffered = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> Bodies:
        """Return a reader with the limits of the site's settings."""
        return cls(
            BodyLimits(
                settings.max_body_bytes,
                JsonLimits(settings.max_json_depth, settings.max_entries),
                settings.read_seconds,
            )
        )

    async def read(self, request: Request, max_bytes: int | None = None, parse: Parse = parse) -> Body:
        """Return the body as JSON. ``max_bytes`` replaces the site's limit; ``parse`` replaces the JSON parser.

        Raises:
            WrongMediaType: the content type is not JSON in UTF-8, or it is compressed.
            TooLarge: more bytes or entries than allowed, with or without a Content-Length.
            TooSlow: it did not arrive in time.
            TooMuch: other large bodies fill the memory that is set aside for bodies.
            UnusableInput: not RFC 8259 JSON, nested too deep, or with a key twice.
        """
        limit = max_bytes or self._limits.bytes
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
                return Body(await asyncio.to_thread(parse, body, self._limits.json), is_large=True)
            return Body(parse(body, self._limits.json), is_large=False)
        except TimeoutError:
            raise TooSlow(f"the body did not arrive within {self._limits.seconds:g} s") from None
        except ClientDisconnect:
            raise UnusableInput("the connection closed before the whole body was sent") from None
        finally:
            self._buffered -= held

    def _hold(self, held: int, size: int) -> int:
        """Count the bytes of a body in memory. The first ``_FREE_BYTES`` are free, so small bodies always fit.

        Returns the bytes counted for this body so far.

        Raises:
            TooMuch: the large bodies in memory together exceed the limit.
        """
        needed = max(0, size - _FREE_BYTES)
        if self._buffered + needed - held > _BUFFERED_BODIES * self._limits.bytes:
            raise TooMuch(503, "buffers", 1)
        self._buffered += needed - held
        return needed


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

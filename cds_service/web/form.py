"""Read HTML forms of our own pages: urlencoded, within limits of size and time."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from cds_service.base.errors import TooLarge, UnusableInput
from cds_service.web.body import TooSlow, WrongMediaType

MAX_BYTES = 32_768
MAX_FIELDS = 60
_SECONDS = 10


async def read_form(request: Request) -> dict[str, str]:
    """Return field -> value.

    Raises:
        WrongMediaType, TooLarge, TooSlow, UnusableInput: as for JSON bodies; a repeated field is unusable.
    """
    pairs = await read_form_pairs(request)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise UnusableInput("the form has a field twice")
    return fields


async def read_form_pairs(request: Request) -> list[tuple[str, str]]:
    """Return fields and values in their order. Raises as ``read_form`` does, but accepts a repeated field."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise WrongMediaType("send a form of this service")
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise TooLarge(f"the form may have at most {MAX_BYTES} bytes")
    except TimeoutError:
        raise TooSlow("the form did not arrive in time") from None
    except ClientDisconnect:
        raise UnusableInput("the connection closed before the whole form was sent") from None
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=MAX_FIELDS,
        )  # fmt: skip
    except ValueError as error:
        raise UnusableInput("the form cannot be read") from error


def is_from_here(request: Request) -> bool:
    """Whether the request was sent from one of our own pages, by its headers. Programs, which send none, are accepted.

    Only the host is compared, because the scheme differs behind a proxy.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def check_same_origin(request: Request) -> None:
    """Refuse a request that a browser marks as sent from another site.

    Raises:
        HTTPException: 403.
    """
    if not is_from_here(request):
        raise HTTPException(403, "this address accepts forms of this service's own pages only")

"""Reading what an HTML form of our own pages sends: urlencoded, small, and all there in time."""

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
    """Field -> value.

    Raises:
        WrongMediaType, TooLarge, TooSlow, UnusableInput: as for JSON bodies; a field that comes twice is unusable.
    """
    pairs = await read_form_pairs(request)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnusableInput("the form holds a field twice")
    return found


async def read_form_pairs(request: Request) -> list[tuple[str, str]]:
    """Fields and values in their order; raises as ``read_form`` does, but takes a field that comes twice."""
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
        raise UnusableInput("the form broke off") from None
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=MAX_FIELDS,
        )  # fmt: skip
    except ValueError as error:
        raise UnusableInput("the form cannot be read") from error


def is_from_here(request: Request) -> bool:
    """Whether a browser sent this from one of our own pages, as far as it says; programs say nothing.

    Behind a proxy the scheme is another one than here, so only the host is compared.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def check_same_origin(request: Request) -> None:
    """Refuse what a browser says another site has sent.

    Raises:
        HTTPException: 403.
    """
    if not is_from_here(request):
        raise HTTPException(403, "this is taken from our own pages only")

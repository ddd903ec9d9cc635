"""Whether a request comes from a page of this service: what changes something here is refused to all others."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException


def check_same_origin(request: Request) -> None:
    """Refuse what a browser says another site has sent. Programs, which send neither header, are let through.

    Raises:
        HTTPException: 403.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        # Surer than Origin, which is "null" for the forms of pages that tell nobody where they come from, as ours.
        allowed = site in ("same-origin", "none")
    else:
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise HTTPException(403, "the sandbox takes this from its own pages only")

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
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if site not in ("same-origin", "none") or elsewhere:
        raise HTTPException(403, "the sandbox takes this from its own pages only")

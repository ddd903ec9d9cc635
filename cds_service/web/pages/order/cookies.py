"""The cookie that binds a SMART launch to the browser that started it. It also works in an EHR's frame."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from cds_service.service.smart.launches import LaunchFailed, Ticket

SECONDS = 4_000


def cookie_name(launch: str, *, https: bool) -> str:
    """Return the cookie's name, one per launch, so that two open patients stay apart.

    With the ``__Host-`` prefix no other host can set the cookie.
    """
    return f"{'__Host-' if https else ''}order-{launch}"


def give(answer: Response, ticket: Ticket, *, https: bool) -> None:
    """Set the cookie of ``ticket``. ``Partitioned``: browsers accept it in a frame, for this EHR's pages only."""
    answer.headers.append(
        "Set-Cookie",
        f"{cookie_name(ticket.id, https=https)}={ticket.secret}; Max-Age={SECONDS}; Path=/; Secure; HttpOnly; "
        "SameSite=None; Partitioned",
    )


def ticket_of(request: Request, launch: str, *, https: bool) -> Ticket:
    """Return the ticket in a request's cookie.

    Raises:
        LaunchFailed: the request has no cookie for that launch.
    """
    secret = request.cookies.get(cookie_name(launch, https=https), "")
    if not secret or len(launch) > 64:
        raise LaunchFailed("other_browser")
    return Ticket(launch, secret)

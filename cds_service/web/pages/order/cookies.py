"""The cookie that ties a launch to the browser that began it; it works inside an EHR's frame and nowhere else."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from cds_service.service.smart.launches import LaunchFailed, Ticket

SECONDS = 4_000


def cookie_name(launch: str, *, https: bool) -> str:
    """One for each launch, so that two patients open at once do not meet. ``__Host-``: nobody else can set it."""
    return f"{'__Host-' if https else ''}order-{launch}"


def give(answer: Response, ticket: Ticket, *, https: bool) -> None:
    """``Partitioned``: within one EHR's pages only, where browsers refuse other cookies of a frame."""
    answer.headers.append(
        "Set-Cookie",
        f"{cookie_name(ticket.id, https=https)}={ticket.secret}; Max-Age={SECONDS}; Path=/; Secure; HttpOnly; "
        "SameSite=None; Partitioned",
    )


def ticket_of(request: Request, launch: str, *, https: bool) -> Ticket:
    """The ticket of a request.

    Raises:
        LaunchFailed: this browser has none for that launch.
    """
    secret = request.cookies.get(cookie_name(launch, https=https), "")
    if not secret or len(launch) > 64:
        raise LaunchFailed("other_browser")
    return Ticket(launch, secret)

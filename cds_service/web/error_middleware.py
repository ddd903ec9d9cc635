"""Turn an unexpected exception into a 500 with an OperationOutcome, and keep chart data out of the log.

It wraps the framework's own handler, which would log the exception's text."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cds_service.base.logs import get_log, place_of
from cds_service.web.operation_outcomes import outcome

log = get_log()
WORDS = "The service failed on this request; no judgement was made. This is not an all-clear."


class ErrorMiddleware:
    """ASGI middleware that answers unexpected exceptions and counts every answer."""

    def __init__(self, app: ASGIApp, count: Callable[[str, int], None]) -> None:
        """``count(route, status)`` is called for every answer; ``route`` is the path template, without ids."""
        self.app = app
        self.count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on. On an exception, answer 500 unless the answer has already started."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                route = getattr(scope.get("route"), "path", "none")
                self.count(route, message["status"])
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - every exception must become a visible failure
            log.error("unforeseen", error=type(error).__name__, place=place_of(error))
            if not begun:
                await outcome(500, WORDS)(scope, receive, watched)

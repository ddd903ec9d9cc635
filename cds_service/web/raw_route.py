"""Routes that FastAPI documents but does not wrap. Their arguments are the request and the names in their path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """Calls its endpoint directly. FastAPI's handling of dependencies and models takes as long as judging a chart."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = cast("Callable[..., Awaitable[Response]]", self.endpoint)

        async def handle(request: Request) -> Response:
            return await endpoint(request=request, **request.path_params)

        return handle

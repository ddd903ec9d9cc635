"""The routes of the SMART order page, and its error page."""

from __future__ import annotations

from collections.abc import Awaitable

from fastapi import FastAPI, Request
from fastapi.responses import Response

from cds_service.base.errors import StoreDown
from cds_service.base.logs import get_log
from cds_service.service.smart.launches import LaunchFailed
from cds_service.web.json_response import json_response
from cds_service.web.openapi import errors
from cds_service.web.pages.order.dependencies import Dependencies
from cds_service.web.pages.order.page import OrderPage
from cds_service.web.pages.order.signing_in import callback, launch

log = get_log()

_STATUS = {"unknown_ehr": 403, "other_patient": 403, "other_browser": 403, "no_answer": 502, "busy": 503, "down": 503}
_MAX_PARAMETER = 2_000
"""Most characters kept of a parameter from the EHR."""


def add_launched_pages(app: FastAPI, given: Dependencies) -> None:
    """Add ``/orders/launch``, ``/orders/callback``, ``/orders/launched/{id}`` and ``/.well-known/jwks.json``."""

    @app.get("/.well-known/jwks.json", summary="Our public keys", responses=errors())
    async def keys() -> Response:
        # By key id, because clients may share a key.
        signing = {key.kid: key.public() for key in given.running.service.clients.signing.values()}
        return json_response({"keys": list(signing.values())})

    @app.get("/orders/launch", include_in_schema=False)
    async def begin(iss: str = "", launch: str = "") -> Response:
        return await answered(_launch(iss, launch))

    @app.get("/orders/callback", include_in_schema=False)
    async def back(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        return await answered(callback(given, request, state, code, error[:_MAX_PARAMETER]))

    @app.get("/orders/launched/{launch_id}", include_in_schema=False)
    async def show(launch_id: str, request: Request) -> Response:
        return await answered(_show(launch_id, request))

    @app.post("/orders/launched/{launch_id}", include_in_schema=False)
    async def act(launch_id: str, request: Request) -> Response:
        return await answered(_act(launch_id, request))

    async def _launch(iss: str, handle: str) -> Response:
        return await launch(given, iss[:_MAX_PARAMETER], handle)

    async def _show(launch_id: str, request: Request) -> Response:
        return await (await OrderPage.of(given, request, launch_id)).show()

    async def _act(launch_id: str, request: Request) -> Response:
        return await (await OrderPage.of(given, request, launch_id)).act(request)

    async def answered(work: Awaitable[Response]) -> Response:
        """Answer a failure with a page too, so that the reader knows that nothing was ordered."""
        said = cause = ""
        try:
            return await work
        except LaunchFailed as error:
            why, said = error.why, error.said
            cause = said
        except StoreDown as error:
            why, cause = "down", type(error.__cause__).__name__
        log.warning("order_page_failed", reason=why, **({"error": cause} if cause else {}))
        framed_by = given.running.service.clients.frame_ancestors
        status, words = _STATUS.get(why, 400), getattr(given.running.service.content.texts.page.launch, why)
        return given.pages.page("order_failed.html", status=status, words=words, said=said, framed_by=framed_by)

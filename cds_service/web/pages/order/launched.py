"""The routes of the order page as a SMART app, and the page that explains a failed launch."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import Response

from cds_service.adapters.order_links import Page
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
_ONCE = 2_000
"""Most characters of a parameter from the EHR that are read."""


def add_launched_pages(app: FastAPI, deps: Dependencies) -> None:
    """Add ``/orders/launch``, ``/orders/callback``, ``/orders/launched/{id}`` and our public keys."""

    @app.get("/.well-known/jwks.json", summary="Our public keys", responses=errors())
    async def keys() -> Response:
        # Clients may share a key.
        signing = {key.kid: key.public() for key in deps.current.service.clients.signing.values()}
        return json_response({"keys": list(signing.values())})

    @app.get("/orders/launch", include_in_schema=False)
    async def begin(iss: str = "", launch: str = "") -> Response:
        return await answered(deps, _launch(iss, launch), "either")

    @app.get("/orders/callback", include_in_schema=False)
    async def back(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        return await answered(deps, callback(deps, request, state, code, error[:_ONCE]), "either")

    @app.get("/orders/launched/{launch_id}", include_in_schema=False)
    async def show(launch_id: str, request: Request) -> Response:
        return await answered(deps, _shown(launch_id, request), "order")

    @app.post("/orders/launched/{launch_id}", include_in_schema=False)
    async def act(launch_id: str, request: Request) -> Response:
        return await answered(deps, _acted(launch_id, request), "order")

    async def _launch(iss: str, handle: str) -> Response:
        return await launch(deps, iss[:_ONCE], handle)

    async def _shown(launch_id: str, request: Request) -> Response:
        return await (await OrderPage.of(deps, request, launch_id)).show()

    async def _acted(launch_id: str, request: Request) -> Response:
        return await (await OrderPage.of(deps, request, launch_id)).act(request)


async def answered(deps: Dependencies, work: Awaitable[Response], page: Page | Literal["either"]) -> Response:
    """Return the result of ``work``; if the launch failed, a page that says that nothing was ordered or saved.

    ``page``: the page that was to open; ``either`` before the sign-in, when it is not known yet.

    Raises:
        Any other error that ``work`` raises.
    """
    said = cause = ""
    try:
        return await work
    except LaunchFailed as error:
        why, said = error.why, error.said
        cause = said
    except StoreDown as error:
        why, cause = "down", type(error.__cause__).__name__
    log.warning("order_page_failed", reason=why, **({"error": cause} if cause else {}))
    service, status = deps.current.service, _STATUS.get(why, 400)
    content = service.words_in("")  # the client of the launch is not always known
    words = getattr(content.texts.page.launch, why)
    return deps.pages.page(
        "order_failed.html",
        status=status,
        framed_by=service.clients.frame_ancestors,
        content=content,
        words=words,
        closing=getattr(content.texts.page.launch_closing, page).fill(),
        said=said,
    )

"""The routes of the assessment page as a SMART app."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from cds_service.web.pages.assess.page import AssessPage
from cds_service.web.pages.order.dependencies import Dependencies
from cds_service.web.pages.order.launched import answered
from cds_service.web.pages.order.signing_in import launch as begin_launch

_ONCE = 2_000


def add_launched_assessment(app: FastAPI, deps: Dependencies) -> None:
    """Add ``/assess/launch`` and ``/assess/launched/{id}``. The EHR answers at ``/orders/callback``, as for orders."""

    @app.get("/assess/launch", include_in_schema=False)
    async def begin(iss: str = "", launch: str = "") -> Response:
        return await answered(deps, begin_launch(deps, iss[:_ONCE], launch, "assess"), "assess")

    @app.get("/assess/launched/{launch_id}", include_in_schema=False)
    async def show(launch_id: str, request: Request) -> Response:
        async def shown() -> Response:
            return await (await AssessPage.of(deps, request, launch_id)).show()

        return await answered(deps, shown(), "assess")

    @app.post("/assess/launched/{launch_id}", include_in_schema=False)
    async def act(launch_id: str, request: Request) -> Response:
        async def acted() -> Response:
            return await (await AssessPage.of(deps, request, launch_id)).act(request)

        return await answered(deps, acted(), "assess")

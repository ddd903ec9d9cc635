"""The first page: what this is and where its parts are."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from cds_service.ground.settings import Settings
from cds_service.hooks.messages import SERVICE_ID
from cds_service.web.openapi import errors
from cds_service.web.pages.layout import Pages
from cds_service.web.running import Running


def add_home_page(app: FastAPI, settings: Settings, running: Running, pages: Pages) -> None:
    """``GET /``."""

    @app.get("/", response_class=HTMLResponse, responses=errors())
    async def home() -> Response:
        return pages.page(
            "home.html",
            content=running.service.content,
            base_url=settings.base_url,
            service_id=SERVICE_ID,
            sandbox=settings.sandbox,
        )

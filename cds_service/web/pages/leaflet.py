"""``/leaflets/{cause}``: a page to print for the patient, with the content's words for patients."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from cds_service.clinical.content.catalogue import Content
from cds_service.web.current_service import CurrentService
from cds_service.web.openapi import errors
from cds_service.web.pages.layout import Pages


def leaflet_of(content: Content, cause: str) -> str:
    """Return the path of a cause's leaflet; empty if the content has no words for patients."""
    known = content.causes.get(cause)
    return f"/leaflets/{cause}" if known and known.card.tell_patient else ""


def add_leaflets(app: FastAPI, current: CurrentService, pages: Pages) -> None:
    """Add a page for each cause that has words for patients."""

    @app.get(
        "/leaflets/{cause}",
        summary="A leaflet for the patient, to print",
        response_class=HTMLResponse,
        responses=errors(404),
    )
    async def leaflet(cause: str, language: str = "") -> Response:
        content = current.service.words_in(language)
        if not leaflet_of(content, cause):
            raise HTTPException(404, "no leaflet for this cause")
        return pages.page(
            "leaflet.html", content=content, key=cause, cause=content.causes[cause], words=content.leaflet
        )

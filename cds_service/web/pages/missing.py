"""Answers for HTTP errors, with a page for an unknown address."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from cds_service.web.current_service import CurrentService
from cds_service.web.operation_outcomes import outcome
from cds_service.web.pages.browsers import is_browser
from cds_service.web.pages.layout import Pages

_ACCEPT = {"Vary": "Accept"}


def add_missing_page(app: FastAPI, current: CurrentService, pages: Pages, *, sandbox: bool) -> None:
    """Answer HTTP errors with an OperationOutcome; for an unknown address, a browser gets a page."""

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code != 404:
            return outcome(error.status_code, str(error.detail), headers)
        if is_browser(request):
            page = pages.page("missing.html", status=404, content=current.service.content, sandbox=sandbox)
            page.headers.update(_ACCEPT)
            return page
        return outcome(404, str(error.detail), headers | _ACCEPT)

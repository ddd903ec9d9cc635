"""The assessment page behind a plain link. It is computed from the data in the link, and nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.sealed_text import NotSealed
from cds_service.adapters.store.assessments import Assessments
from cds_service.protocol.messages import Context
from cds_service.rendering.assess_draft import AssessDraft
from cds_service.rendering.assess_link import PATH
from cds_service.rendering.gaps import incomplete_parts
from cds_service.service.assessment.form import AssessForm
from cds_service.service.assessment.result import Assessed, assessed
from cds_service.web.current_service import CurrentService
from cds_service.web.form import read_form
from cds_service.web.openapi import errors
from cds_service.web.pages.assess.view import AssessView
from cds_service.web.pages.layout import Pages

_NOBODY = Context(userId="Practitioner/unknown", patientId="unknown")


def add_assess_pages(
    app: FastAPI,
    current: CurrentService,
    pages: Pages,
    links: OrderLinks,
    counts: Assessments,
    clock: Callable[[], datetime],
) -> None:
    """Add ``GET`` and ``POST /assess``. The POST computes the result of the answers and stores none of them."""

    @app.get(PATH, summary="The assessment behind a card", response_class=HTMLResponse, responses=errors())
    async def show(draft: str = "") -> Response:
        return _page(draft, AssessForm())

    @app.post(PATH, response_class=HTMLResponse, include_in_schema=False)
    async def work_out(request: Request, draft: str = "") -> Response:
        sent = await read_form(request)
        form, action = AssessForm.read(sent), sent.get("action", "")
        view = _view(draft, form)
        found = view.assessed
        if action == "order" and view.can_order and not view.mistakes and found and found.draft:
            if not found.answers.is_empty:
                await _count(draft, found)
            return RedirectResponse(links.order_address(found.draft, clock()), 303)
        return _drawn(view, part=action == "part")

    async def _count(draft: str, found: Assessed) -> None:
        opened, version = links.assessed(draft, clock()), current.service.content.version
        await asyncio.to_thread(
            lambda: counts.count(
                clock(), opened.client, opened.rule, version, found.answered, complete=found.is_complete
            )
        )

    def _page(draft: str, form: AssessForm) -> Response:
        return _drawn(_view(draft, form))

    def _view(draft: str, form: AssessForm) -> AssessView:
        service = current.service
        try:
            opened = links.assessed(draft, clock())
        except NotSealed:
            return AssessView(service.content, form, "expired_link", PATH)
        caller = _caller(opened)
        content = service.words_for(caller)
        found = assessed(service, caller, opened.record, opened.side, opened.rule, form, clock(), _NOBODY)
        mistakes = form.mistakes(content)
        return AssessView(
            content=content,
            form=form,
            note="mistakes" if mistakes else "text_only" if found else "nothing",
            action=f"{PATH}?{urlencode({'draft': draft})}",
            assessed=found,
            incomplete=incomplete_parts(opened.record),
            mistakes=mistakes,
        )

    def _caller(opened: AssessDraft) -> Caller:
        clients = current.service.clients
        return clients.named(opened.client) or clients.default

    def _drawn(view: AssessView, *, part: bool = False) -> Response:
        template = "assess_result.html" if part else "assess.html"
        status = 422 if view.mistakes and not part else 200
        framed_by = current.service.clients.frame_ancestors
        return pages.page(template, status=status, view=view, content=view.content, framed_by=framed_by, forms=True)

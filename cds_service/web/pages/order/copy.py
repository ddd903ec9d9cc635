"""The order as a text to copy, behind a plain link. It places no order and names no patient."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.sealed_text import NotSealed
from cds_service.clinical.content.catalogue import Content
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.form import OrderForm
from cds_service.web.current_service import CurrentService
from cds_service.web.form import read_form
from cds_service.web.openapi import errors
from cds_service.web.pages.layout import Pages
from cds_service.web.pages.order.view import OrderView

_PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def plain_text(text: str) -> Response:
    """Return only the text of the order, for the page's own script."""
    return PlainTextResponse(text, headers=_PLAIN)


def add_copy_pages(
    app: FastAPI, current: CurrentService, pages: Pages, links: OrderLinks, clock: Callable[[], datetime]
) -> None:
    """Add ``GET`` and ``POST /orders/{order}``. The POST returns the text and stores nothing."""

    @app.get(
        "/orders/{order}",
        summary="A referral order as a text to copy",
        response_class=HTMLResponse,
        responses=errors(404),
    )
    async def show(order: str, draft: str = "") -> Response:
        _known(order)
        proposed = _opened(draft)
        note = "expired_link" if draft and proposed is None else "text_only"
        proposed = proposed or OrderDraft.bare(current.service.words_in(""), order)
        return _page(order, proposed, OrderForm.preset(_words(proposed), proposed), note, draft)

    @app.post("/orders/{order}", response_class=HTMLResponse, include_in_schema=False)
    async def work_out(order: str, request: Request, draft: str = "") -> Response:
        _known(order)
        sent = await read_form(request)
        form = OrderForm.read(sent)
        # If the link has expired, its facts are lost but the input is kept.
        proposed = _opened(draft) or OrderDraft.bare(current.service.words_in(""), order)
        if sent.get("action") == "text":
            return plain_text(form.text(_words(proposed), ""))
        return _page(order, proposed, form, "text_only", draft)

    def _known(order: str) -> None:
        if order not in current.service.content.orders:
            raise HTTPException(404, "no such order")

    def _opened(sealed: str) -> OrderDraft | None:
        try:
            found = links.text(sealed, clock())
        except NotSealed:
            return None
        # The content may have changed since the card was shown.
        return found if all(key in current.service.content.orders for key in found.orders) else None

    def _words(proposed: OrderDraft) -> Content:
        """Return the content in the language of the card with the link."""
        return current.service.languages.get(proposed.language, current.service.content)

    def _page(order: str, proposed: OrderDraft, form: OrderForm, note: str, draft: str) -> Response:
        service = current.service
        action = f"/orders/{order}" + (f"?{urlencode({'draft': draft})}" if draft else "")
        content = _words(proposed)
        view = OrderView(content, proposed, form, getattr(content.texts.page.order, note), action)
        return pages.page(
            "order.html", content=content, view=view, framed_by=service.clients.frame_ancestors, forms=True
        )

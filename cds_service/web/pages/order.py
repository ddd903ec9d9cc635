"""The text of an order, to copy into the site's own order entry."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from cds_service.clinical.content import Content
from cds_service.clinical.record import Side
from cds_service.web.openapi import errors
from cds_service.web.pages.layout import Pages
from cds_service.web.running import Running


def add_order_pages(app: FastAPI, running: Running, pages: Pages) -> None:
    """``GET /orders/{order}``."""

    @app.get("/orders/{order}", response_class=HTMLResponse, responses=errors(404))
    async def order(order: str, side: str = "unknown") -> Response:
        if order not in running.service.content.orders:
            raise HTTPException(404, "no such order")
        content = running.service.content
        return pages.page("order_text.html", title=content.orders[order].title, text=_text(content, order, side))


def _text(content: Content, key: str, side: str) -> str:
    template = content.orders[key]
    leg = Side(side) if side in ("left", "right") else Side.UNKNOWN
    lines = [template.title]
    if template.sided:
        lines.append(f"Side: {leg.words if leg is not Side.UNKNOWN else 'NOT RECORDED - state left or right'}")
    lines += [f"Question: {template.question}", f"State: {template.tells}"]
    if template.same_day:
        lines.append("Today. Telephone as well: a same-day assessment must not wait for the order to be processed.")
    return "\n".join(lines)

"""Render and send pages: templates that escape everything, our own style and scripts, and a strict security policy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH

if TYPE_CHECKING:
    from jinja2 import Environment

_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_A_YEAR = "public, max-age=31536000, immutable"


def policy(framed_by: Iterable[str] = (), *, forms: bool = False) -> dict[str, str]:
    """Return the security headers of a page.

    ``framed_by``: origins that may show the page in a frame; none by default. ``forms``: the page may send forms here.
    """
    targets = "'self'" if forms else "'none'"
    ancestors = " ".join(sorted(set(framed_by))) or "'none'"
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action {targets}; base-uri 'none'; frame-ancestors {ancestors}"
        ),
        "X-Content-Type-Options": "nosniff",
        # With no referrer at all, browsers would not send the Origin header with our forms either.
        "Referrer-Policy": "same-origin" if forms else "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of ``static/``. Its ``url`` holds a hash of the content, so browsers may cache it for a year."""

    name: str
    body: bytes
    kind: str

    @property
    def url(self) -> str:
        return f"/static/{self.name}?v={hashlib.sha256(self.body).hexdigest()[:12]}"


def ratio_width(ratio: str) -> float:
    """Return the length of the bar of a likelihood ratio, -50 to 50.

    A ratio and its inverse have bars of equal length; a ratio of 10 has the full length.
    """
    return round(max(-50.0, min(50.0, 50 * math.log(float(ratio)) / math.log(10))), 1)


class Pages:
    """Renders templates and holds the static files, which are read once. One instance per process."""

    def __init__(self) -> None:
        folder = resources.files("cds_service.web.pages") / "static"
        self.files = {
            path.name: StaticFile(path.name, path.read_bytes(), _KINDS[path.name.rpartition(".")[2]])
            for path in folder.iterdir()
            if path.name.rpartition(".")[2] in _KINDS
        }

    @cached_property
    def _templates(self) -> Environment:
        """Jinja and the reader of Markdown are loaded for the first page: many a worker never shows one."""
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

        from cds_service.web.pages.markdown import as_html

        templates = Environment(
            loader=PackageLoader("cds_service.web.pages"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        templates.globals |= {
            "static": lambda name: self.files[name].url,
            "version": __version__,
        }
        templates.filters |= {"markdown": as_html, "ratio_width": ratio_width}
        return templates

    def text(self, template: str, **values: Any) -> str:
        """Return the HTML of a template or of a part of a page. Its links ask for the language of its ``content``."""
        content = values.get("content")
        language = content.texts.language.code if isinstance(content, Content) else ENGLISH
        values["asked"] = "" if language == ENGLISH else f"?language={language}"
        return self._templates.get_template(template).render(values)

    def page(
        self, template: str, *, status: int = 200, framed_by: Iterable[str] = (), forms: bool = False, **values: Any
    ) -> HTMLResponse:
        """Return a whole page, or a part of one, as an answer. Other arguments are as for ``policy``.

        A whole page has ``content`` among its values: the frame around it is in that language.
        """
        return HTMLResponse(self.text(template, **values), status, policy(framed_by, forms=forms))


def add_static_route(app: FastAPI, pages: Pages) -> None:
    """Add ``GET /static/{name}``."""

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        file = pages.files.get(name)
        if file is None:
            raise HTTPException(404, "no such file")
        headers = {"Cache-Control": _A_YEAR, "X-Content-Type-Options": "nosniff"}
        return Response(file.body, 200, headers, file.kind)

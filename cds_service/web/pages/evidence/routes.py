"""``/evidence``: for people as HTML, for programs as JSON at the same address with ``.json``."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.web.current_service import CurrentService
from cds_service.web.json_response import json_response
from cds_service.web.openapi import errors
from cds_service.web.pages.evidence.explorer import explorer_of
from cds_service.web.pages.evidence.model import OTHERS, Evidence, evidence_of, use_json
from cds_service.web.pages.evidence.sources import code_lists, source_view, status_words
from cds_service.web.pages.layout import Pages


def add_evidence_pages(app: FastAPI, current: CurrentService, pages: Pages) -> None:
    """Add the index, the explorer, the open decisions, and a page for each rule and cause."""

    @app.get("/evidence", summary="Every rule and cause", response_class=HTMLResponse, responses=errors())
    async def index(language: str = "") -> Response:
        content = current.service.words_in(language)
        causes = sorted(content.causes.items(), key=lambda item: item[1].title.lower())
        return pages.page(
            "evidence_index.html",
            content=content,
            causes=causes,
            rules=sorted(content.red_flags.items()),
            others=[_known(content, key) for key in OTHERS],
            indicator=lambda name: getattr(content.pages.evidence, name),
            code_lists=code_lists(content),
        )

    @app.get("/evidence.json", summary="Every rule and cause, as JSON", responses=errors())
    async def index_json() -> Response:
        content = current.service.content
        keys = {"rules": content.red_flags, "causes": content.causes}
        addresses = {name: {key: f"/evidence/{key}.json" for key in sorted(found)} for name, found in keys.items()}
        version = {"service": __version__, "content": content.version}
        lists = [asdict(codes) for codes in code_lists(content)]
        return json_response({"use": use_json(content.about), "version": version, **addresses, "code_lists": lists})

    @app.get(
        "/evidence/explorer", summary="All causes against all findings", response_class=HTMLResponse, responses=errors()
    )
    async def explorer(language: str = "") -> Response:
        content = current.service.words_in(language)
        return pages.page("explorer.html", content=content, explorer=explorer_of(content))

    @app.get(
        "/evidence/open", summary="What a clinician has to decide", response_class=HTMLResponse, responses=errors()
    )
    async def still_open(language: str = "") -> Response:
        content, text = current.service.words_in(language), current.open_points
        # The page says for which content it was written; a site may have changed its copy since.
        return pages.page("open.html", text=text, content=content, current=f"content {content.version} " in text)

    @app.get("/evidence/{key}.json", summary="The evidence behind a rule or cause, as JSON", responses=errors(404))
    async def one_json(key: str) -> Response:
        content = current.service.content
        return json_response(_known(content, key).as_json(content))

    @app.get(
        "/evidence/{key}",
        summary="The evidence behind a rule or cause",
        response_class=HTMLResponse,
        responses=errors(404),
    )
    async def one(key: str, language: str = "") -> Response:
        content = current.service.words_in(language)
        found = _known(content, key)
        return pages.page(
            "evidence.html",
            evidence=found,
            content=content,
            indicator=lambda name: getattr(content.pages.evidence, name),
            source=lambda name: source_view(content, name),
            trust=lambda name: status_words(content, name),
        )


def _known(content: Content, key: str) -> Evidence:
    found = evidence_of(content, key)
    if found is None:
        raise HTTPException(404, "no such rule or cause")
    return found

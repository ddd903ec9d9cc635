"""``/evidence``: HTML pages, and JSON at the same paths with ``.json``."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH
from cds_service.web.current_service import CurrentService
from cds_service.web.json_response import json_response
from cds_service.web.openapi import errors
from cds_service.web.pages.evidence.explorer import explorer_of
from cds_service.web.pages.evidence.model import INDICATOR_WORDS, OTHERS, Evidence, evidence_of, use_json
from cds_service.web.pages.evidence.sources import code_lists, source_view
from cds_service.web.pages.layout import Pages


def add_evidence_pages(app: FastAPI, running: CurrentService, pages: Pages) -> None:
    """Add the index, the explorer, the open questions, and a page for each rule and cause."""

    @app.get("/evidence", summary="Every rule and cause", response_class=HTMLResponse, responses=errors())
    async def index() -> Response:
        content = running.service.content
        causes = sorted(content.causes.items(), key=lambda item: item[1].title.lower())
        return pages.page(
            "evidence_index.html",
            content=content,
            causes=causes,
            rules=sorted(content.red_flags.items()),
            others=[_evidence(content, key) for key in OTHERS],
            words=INDICATOR_WORDS,
            code_lists=code_lists(content),
        )

    @app.get("/evidence.json", summary="Every rule and cause, as JSON", responses=errors())
    async def index_json() -> Response:
        content = running.service.content
        keys = {"rules": content.red_flags, "causes": content.causes}
        addresses = {name: {key: f"/evidence/{key}.json" for key in sorted(names)} for name, names in keys.items()}
        version = {"service": __version__, "content": content.version}
        lists = [asdict(table) for table in code_lists(content)]
        return json_response({"use": use_json(content.about), "version": version, **addresses, "code_lists": lists})

    @app.get(
        "/evidence/explorer", summary="All causes against all findings", response_class=HTMLResponse, responses=errors()
    )
    async def explorer() -> Response:
        return pages.page("explorer.html", explorer=explorer_of(running.service.content))

    @app.get(
        "/evidence/open", summary="What a clinician has to decide", response_class=HTMLResponse, responses=errors()
    )
    async def still_open() -> Response:
        content, text = running.service.content, running.open_points
        # The text names the content that it was written for; a site may have changed its content since.
        return pages.page("open.html", text=text, content=content, current=f"content {content.version} " in text)

    @app.get("/evidence/{key}.json", summary="The evidence behind a rule or cause, as JSON", responses=errors(404))
    async def one_json(key: str) -> Response:
        content = running.service.content
        return json_response(_evidence(content, key).as_json(content))

    @app.get(
        "/evidence/{key}",
        summary="The evidence behind a rule or cause",
        response_class=HTMLResponse,
        responses=errors(404),
    )
    async def one(key: str, language: str = ENGLISH) -> Response:
        content = running.service.languages.get(language, running.service.content)
        return pages.page(
            "evidence.html",
            one=_evidence(content, key),
            content=content,
            words=INDICATOR_WORDS,
            source=lambda name: source_view(content, name),
        )


def _evidence(content: Content, key: str) -> Evidence:
    evidence = evidence_of(content, key)
    if evidence is None:
        raise HTTPException(404, "no such rule or cause")
    return evidence

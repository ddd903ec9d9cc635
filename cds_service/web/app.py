"""The routes: the table of contents of the service."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from cds_service import __version__
from cds_service.clinical.content import Content
from cds_service.ground.errors import NothingToJudgeBy, UnusableInput
from cds_service.ground.settings import Settings
from cds_service.hooks.askers import KeyedHash
from cds_service.hooks.fhir_server.reader import FhirReader
from cds_service.hooks.register.store import Store
from cds_service.hooks.register.writer import Register
from cds_service.hooks.service import Service
from cds_service.hooks.showing import Showing
from cds_service.hooks.terminology import code_system, value_set
from cds_service.web.body import TooLarge, WrongMediaType
from cds_service.web.faults import Faults
from cds_service.web.feedback import add_feedback_routes
from cds_service.web.hook import add_hook_routes
from cds_service.web.json_response import json_response
from cds_service.web.metrics import Metrics, add_metrics_route
from cds_service.web.pages import evidence_page, home_page, order_page
from cds_service.web.problems import outcome


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings, *, clock: Callable[[], datetime] = _utc_now) -> FastAPI:
    """The application. ``clock`` gives the moment a call is judged at; only tests pass another."""
    service = Service.of(settings)
    content = service.content
    reader = FhirReader.of(settings)
    register = Register(Store.open(settings.database_url.get_secret_value()))
    metrics = Metrics(register)
    hash_key = settings.hash_key.get_secret_value() if settings.hash_key else None
    showing = Showing(content, settings.pathway, register, KeyedHash(hash_key), quiet=settings.quiet)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        register.start()
        yield
        register.close()
        reader.close()

    app = FastAPI(
        title="Posterior knee CDS",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    add_hook_routes(app, settings, service, reader, showing, metrics, clock)
    add_feedback_routes(app, settings, register, metrics, clock)
    add_metrics_route(app, metrics)
    _add_health(app, content, register)
    _add_pages(app, settings, content)
    _add_error_answers(app)
    app.add_middleware(Faults, count=metrics.count_answer)
    if settings.cors_origins:
        # Outermost, so that a browser-based client can read failures too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            max_age=3600,
        )
    # The content and the FHIR models live as long as the process: the collector need not walk them at every pass.
    gc.collect()
    gc.freeze()
    return app


def _add_health(app: FastAPI, content: Content, register: Register) -> None:
    @app.get("/health/live")
    async def live() -> Response:
        return json_response({"status": "live"})

    @app.get("/health/ready")
    async def ready() -> Response:
        state = register.state
        database: dict[str, Any] = {"status": state.status, "waiting": state.waiting, "lost": state.lost}
        if state.since:
            database |= {"since": state.since.isoformat(timespec="seconds"), "error": state.error}
        # Ready even while the database is down: cards do not need it.
        return json_response(
            {"status": "ready", "version": __version__, "content": content.version, "database": database}
        )


def _add_pages(app: FastAPI, settings: Settings, content: Content) -> None:
    @app.get("/")
    async def home() -> Response:
        return home_page(content, settings.base_url)

    @app.get("/orders/{order}")
    async def order(order: str, side: str = "unknown") -> Response:
        if order not in content.orders:
            raise HTTPException(404, "no such order")
        return order_page(content, order, side)

    @app.get("/evidence/{key}")
    async def evidence(key: str) -> Response:
        page = evidence_page(content, key)
        if page is None:
            raise HTTPException(404, "no such rule or cause")
        return page

    @app.get("/fhir/CodeSystem/finding")
    async def findings() -> Response:
        return json_response(code_system(content))

    @app.get("/fhir/ValueSet/{key}")
    async def one_finding(key: str) -> Response:
        found = value_set(content, key)
        if found is None:
            raise HTTPException(404, "no such finding")
        return json_response(found)


def _add_error_answers(app: FastAPI) -> None:
    """Every foreseen failure is an OperationOutcome; the unforeseen ones are answered by ``Faults``."""

    @app.exception_handler(HTTPException)
    async def known(_: Request, error: HTTPException) -> Response:
        return outcome(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(UnusableInput)
    async def unusable(_: Request, error: UnusableInput) -> Response:
        return outcome(400, str(error))

    @app.exception_handler(NothingToJudgeBy)
    async def nothing(_: Request, error: NothingToJudgeBy) -> Response:
        return outcome(412, str(error))

    @app.exception_handler(WrongMediaType)
    async def media(_: Request, error: WrongMediaType) -> Response:
        return outcome(415, str(error))

    @app.exception_handler(TooLarge)
    async def large(_: Request, error: TooLarge) -> Response:
        return outcome(413, str(error))

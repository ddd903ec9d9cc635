"""Build the FastAPI application from the settings: its parts, its routes and its error answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from cds_service import __version__
from cds_service.base.clock import Clock
from cds_service.base.errors import NothingToJudgeBy, TooCostly, TooLarge, TooMuch, Unauthorized, UnusableInput
from cds_service.base.settings import Settings
from cds_service.rendering.questionnaire import QUESTIONNAIRE, assessment_code_system, questionnaire
from cds_service.rendering.terminology import code_system, value_set
from cds_service.web.body import TooSlow, WrongMediaType
from cds_service.web.components import Components
from cds_service.web.current_service import CurrentService
from cds_service.web.error_middleware import ErrorMiddleware
from cds_service.web.feedback import add_feedback_routes
from cds_service.web.health import add_health_routes
from cds_service.web.hook import add_hook_routes
from cds_service.web.json_response import json_response
from cds_service.web.metrics import Metrics, add_metrics_route
from cds_service.web.openapi import Documented, errors
from cds_service.web.operation_outcomes import outcome
from cds_service.web.pages.api import add_api_page
from cds_service.web.pages.assess.copy import add_assess_pages
from cds_service.web.pages.assess.launched import add_launched_assessment
from cds_service.web.pages.evidence.routes import add_evidence_pages
from cds_service.web.pages.home import add_home_page
from cds_service.web.pages.layout import add_static_route
from cds_service.web.pages.leaflet import add_leaflets
from cds_service.web.pages.missing import add_missing_page
from cds_service.web.pages.order.copy import add_copy_pages
from cds_service.web.pages.order.launched import add_launched_pages

if TYPE_CHECKING:
    from cds_service.web.pages.sandbox.routes import Sandbox


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """Build the application. ``clock`` returns the time at which a call is judged; only tests pass one."""
    components = Components.from_settings(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if sandbox is not None:
            await asyncio.to_thread(sandbox.load)
        await components.start()
        yield
        components.close()

    app = Documented(title="Posterior knee CDS", version=__version__, redirect_slashes=False, lifespan=lifespan)
    add_hook_routes(app, components)
    add_feedback_routes(app, components)
    add_metrics_route(app, components.metrics)
    add_health_routes(app, components)
    _add_pages(app, components)
    sandbox = _sandbox(app, components)
    _add_terminology(app, components.current)
    _add_error_answers(app, components.metrics)
    _add_middleware(app, components)
    return app


def _add_pages(app: FastAPI, components: Components) -> None:
    """Add the pages for people, except those of the sandbox."""
    current, pages, order_page = components.current, components.pages, components.order_page
    add_static_route(app, pages)
    add_home_page(app, components.settings, current, pages)
    add_evidence_pages(app, current, pages)
    add_leaflets(app, current, pages)
    add_launched_pages(app, order_page)
    add_copy_pages(app, current, pages, order_page.links, components.clock)
    add_launched_assessment(app, order_page)
    add_assess_pages(app, current, pages, order_page.links, order_page.counts, components.clock)
    add_api_page(app, current, pages)
    add_missing_page(app, current, pages, sandbox=components.settings.sandbox)


def _sandbox(app: FastAPI, components: Components) -> Sandbox | None:
    """Add the sandbox if the site enables it; its modules are loaded only then. Returns what to load at the start."""
    if not components.settings.sandbox:
        return None
    from cds_service.web.pages.sandbox.routes import add_sandbox

    return add_sandbox(
        app,
        components.settings,
        components.current,
        components.pages,
        components.guard.bodies,
        components.clock,
    )


def _add_middleware(app: FastAPI, components: Components) -> None:
    app.add_middleware(ErrorMiddleware, count=components.metrics.count_answer)
    if components.settings.cors_origins:
        # Outermost, so that a browser-based client can read failures too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=components.settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            max_age=3600,
        )


def _add_terminology(app: FastAPI, current: CurrentService) -> None:
    @app.get("/fhir/CodeSystem/finding", summary="Every finding as a code", responses=errors())
    async def findings() -> Response:
        return json_response(code_system(current.service.content))

    @app.get("/fhir/CodeSystem/assessment", summary="The codes of an assessment", responses=errors())
    async def assessment() -> Response:
        return json_response(assessment_code_system(current.service.content))

    @app.get(f"/fhir/Questionnaire/{QUESTIONNAIRE}", summary="The assessment as a form", responses=errors())
    async def questions() -> Response:
        return json_response(questionnaire(current.service.content))

    @app.get("/fhir/ValueSet/{key}", summary="The codes that mean a finding", responses=errors(404))
    async def one_finding(key: str) -> Response:
        codes = value_set(current.service.content, key)
        if codes is None:
            raise HTTPException(404, "no such finding")
        return json_response(codes)


def _add_error_answers(app: FastAPI, metrics: Metrics) -> None:
    """Answer every known error with an OperationOutcome; ``ErrorMiddleware`` answers the unknown ones."""

    @app.exception_handler(UnusableInput)
    async def unusable_input(_: Request, error: UnusableInput) -> Response:
        return outcome(400, str(error))

    @app.exception_handler(NothingToJudgeBy)
    async def nothing_to_judge_by(_: Request, error: NothingToJudgeBy) -> Response:
        return outcome(412, str(error))

    @app.exception_handler(WrongMediaType)
    async def wrong_media_type(_: Request, error: WrongMediaType) -> Response:
        return outcome(415, str(error))

    @app.exception_handler(TooLarge)
    async def too_large(_: Request, error: TooLarge) -> Response:
        return outcome(413, str(error))

    @app.exception_handler(TooCostly)
    async def too_costly(_: Request, error: TooCostly) -> Response:
        metrics.count_refusal("judging_time")
        return outcome(413, str(error), code="too-costly")

    @app.exception_handler(TooSlow)
    async def too_slow(_: Request, error: TooSlow) -> Response:
        return outcome(408, str(error))

    @app.exception_handler(TooMuch)
    async def too_much(_: Request, error: TooMuch) -> Response:
        metrics.count_refusal(error.reason)
        return outcome(error.status, str(error), {"Retry-After": str(error.seconds)})

    @app.exception_handler(Unauthorized)
    async def unauthorized(_: Request, __: Unauthorized) -> Response:
        # No body: someone who guesses at tokens must not learn why one was refused.
        return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})

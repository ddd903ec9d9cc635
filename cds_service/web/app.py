"""Build the FastAPI application from the settings: its parts, its routes and its error answers."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from cds_service import __version__
from cds_service.adapters.audit.journal import journal_of
from cds_service.adapters.clients.keys import KeyRing
from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.adapters.http import Transport
from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.adapters.sealed_text import Seal
from cds_service.adapters.store.assessments import Assessments
from cds_service.adapters.store.nonces import Nonces
from cds_service.adapters.store.quota import Quota
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.writer import CardLog
from cds_service.base.clock import Clock, in_zone, site_clock
from cds_service.base.errors import NothingToJudgeBy, TooCostly, TooLarge, TooMuch, Unauthorized, UnusableInput
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from cds_service.rendering.terminology import code_system, value_set
from cds_service.service.delivery import Delivery
from cds_service.service.evaluate import Service
from cds_service.service.smart.ehr import SECONDS
from cds_service.service.smart.launches import Launches
from cds_service.web.auditing import Auditing
from cds_service.web.body import Bodies, TooSlow, WrongMediaType
from cds_service.web.current_service import CurrentService
from cds_service.web.error_middleware import ErrorMiddleware
from cds_service.web.feedback import add_feedback_routes
from cds_service.web.health import add_health_routes
from cds_service.web.hook import add_hook_routes
from cds_service.web.json_response import json_response
from cds_service.web.metrics import ContentState, Metrics, add_metrics_route
from cds_service.web.openapi import Documented, errors
from cds_service.web.operation_outcomes import outcome
from cds_service.web.pages.api import add_api_page
from cds_service.web.pages.assess.copy import add_assess_pages
from cds_service.web.pages.assess.launched import add_launched_assessment
from cds_service.web.pages.evidence.routes import add_evidence_pages
from cds_service.web.pages.home import add_home_page
from cds_service.web.pages.layout import Pages, add_static_route
from cds_service.web.pages.leaflet import add_leaflets
from cds_service.web.pages.missing import add_missing_page
from cds_service.web.pages.order.copy import add_copy_pages
from cds_service.web.pages.order.dependencies import Dependencies, Threads
from cds_service.web.pages.order.launched import add_launched_pages
from cds_service.web.pages.sandbox.routes import add_sandbox
from cds_service.web.security.authenticator import Authenticator
from cds_service.web.security.guard import Guard
from cds_service.web.security.rate_limits import RateLimits
from cds_service.web.tracing import tracing_of

START_SECONDS = 6.0


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def _transport(settings: Settings) -> Transport:
    bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
    networks = Networks.of(settings.private_networks)
    return Transport(size=16, per_call=SECONDS, ca_bundle=bundle, networks=networks)


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """Build the application. ``clock`` returns the time at which a call is judged; only tests pass one."""
    clock = in_zone(clock, settings.zone) if clock else site_clock(settings.zone)
    service = Service.from_settings(settings)
    store = Store.open(settings.database_url.get_secret_value())
    quota = Quota(settings.max_unknown_feedback, settings.max_unknown_feedback_bytes)
    card_log, nonces = CardLog(store, quota), Nonces(store)
    keys = KeyRing.from_settings(settings)
    journal = journal_of(settings)
    metrics = Metrics(card_log, keys, nonces, journal)
    reader = FhirReader.from_settings(settings, metrics.fhir_seconds.observe)
    authenticator = Authenticator(settings, service.clients, keys, nonces, metrics.count_refusal, clock)
    bodies = Bodies.from_settings(settings)
    guard = Guard(authenticator, bodies, RateLimits(settings.max_at_once))
    running = CurrentService(settings, service, authenticator)
    metrics.registry.register(ContentState(lambda: running.service.content, settings.pathway))
    keyed = KeyedHash(_secret(settings.hash_key))
    seal = Seal(_secret(settings.hash_key))
    order_links = OrderLinks(seal, keyed, settings.base_url)
    delivery = Delivery(settings.pathway, card_log, keyed, order_links, service.own_urls, quiet=settings.quiet)
    tracing = tracing_of(settings)
    auditing = Auditing(settings, journal, keyed)
    pages = Pages()
    counts = Assessments(store)
    bench = Dependencies(
        running,
        pages,
        order_links,
        Launches(store, seal),
        _transport(settings),
        FhirReader.for_launches(settings, SECONDS),
        auditing,
        Threads(),
        clock,
        settings.base_url,
        counts,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        card_log.start()
        journal.start()
        running.reload_on_hangup()
        if sandbox is not None:
            await asyncio.to_thread(sandbox.load)
        if authenticator.required:
            # Only here, at the start, does the service wait for key servers and the database.
            await asyncio.to_thread(keys.wait, START_SECONDS)
            await asyncio.to_thread(card_log.wait, START_SECONDS)
        yield
        keys.close()
        nonces.close()
        card_log.close()
        journal.close()
        reader.close()
        bench.close()
        tracing.close()

    app = Documented(title="Posterior knee CDS", version=__version__, redirect_slashes=False, lifespan=lifespan)
    closed = authenticator.required and settings.discovery == "closed"
    add_hook_routes(
        app,
        guard,
        running,
        reader,
        delivery,
        auditing,
        metrics,
        tracing,
        clock,
        discovery_is_closed=closed,
        server_timing=settings.server_timing,
        judging_seconds=settings.judging_ms / 1000,
    )
    add_feedback_routes(app, guard, running, card_log, auditing, metrics, clock)
    add_metrics_route(app, metrics)
    add_health_routes(app, settings, running, card_log, keys, nonces, journal)
    add_static_route(app, pages)
    add_home_page(app, settings, running, pages)
    add_evidence_pages(app, running, pages)
    add_leaflets(app, running, pages)
    add_launched_pages(app, bench)
    add_copy_pages(app, running, pages, order_links, clock)
    add_launched_assessment(app, bench)
    add_assess_pages(app, running, pages, order_links, counts, clock)
    sandbox = add_sandbox(app, settings, running, pages, bodies, clock)
    _add_terminology(app, running)
    add_api_page(app, running, pages)
    add_missing_page(app, running, pages, sandbox=settings.sandbox)
    _add_error_answers(app, metrics)
    app.add_middleware(ErrorMiddleware, count=metrics.count_answer)
    if settings.cors_origins:
        # Outermost, so that a browser-based client can read failures too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            max_age=3600,
        )
    # The content and the FHIR models live as long as the process, so the garbage collector can skip them.
    gc.collect()
    gc.freeze()
    return app


def _add_terminology(app: FastAPI, running: CurrentService) -> None:
    @app.get("/fhir/CodeSystem/finding", summary="Every finding as a code", responses=errors())
    async def findings() -> Response:
        return json_response(code_system(running.service.content))

    @app.get("/fhir/ValueSet/{key}", summary="The codes that mean a finding", responses=errors(404))
    async def one_finding(key: str) -> Response:
        codes = value_set(running.service.content, key)
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

"""The CDS Hooks routes: discovery, and the hook call step by step."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from cds_service.adapters.clients.model import Caller
from cds_service.base.budget import Budget
from cds_service.base.errors import UnusableInput
from cds_service.base.logs import get_log
from cds_service.base.strict_json import JsonLimits
from cds_service.base.timing import Stages
from cds_service.clinical.record import RowState
from cds_service.protocol.body import read_call_body
from cds_service.protocol.discovery import discovery
from cds_service.protocol.messages import HookRequest, HookResponse, request_model
from cds_service.protocol.prefetch import Prefetched, gather
from cds_service.protocol.queries import Plan
from cds_service.protocol.services import HookService, service_of
from cds_service.service.delivery import Delivered
from cds_service.service.evaluate import Answer, Service, response
from cds_service.web.components import Components
from cds_service.web.json_response import json_response
from cds_service.web.openapi import BODY_ERRORS, BUSY, SERVICE_ROUTE, Discovery, errors
from cds_service.web.operation_outcomes import in_words
from cds_service.web.raw_route import DirectRoute
from cds_service.web.tracing import TracedCall

log = get_log()


def add_hook_routes(app: FastAPI, components: Components) -> None:
    """Add ``GET /cds-services`` and ``POST /cds-services/{id}``."""

    guard = components.guard
    closed = guard.authenticator.required
    discovery_is_closed = closed and components.settings.discovery == "closed"
    discovery_errors = errors(429, closed=True) if discovery_is_closed else errors()
    call_errors = errors(*BODY_ERRORS, 412, *BUSY, closed=closed)

    router = APIRouter(route_class=DirectRoute)

    @router.get(
        "/cds-services", summary="Which services there are", responses={200: {"model": Discovery}, **discovery_errors}
    )
    async def discover(request: Request) -> Response:
        if discovery_is_closed:
            await guard.authenticate(request)
        return json_response(discovery(components.current.service.plan()))

    @router.post(
        SERVICE_ROUTE,
        summary="Judge a chart and get cards",
        responses={200: {"model": HookResponse}, **call_errors},
    )
    async def call(service_id: str, request: Request) -> Response:
        called = service_of(service_id)
        with components.metrics.calling(), components.tracing.calling(called, request.headers) as traced:
            return await _answer_to(called, request, components, traced)

    app.include_router(router)


async def _answer_to(
    called: HookService | None, request: Request, components: Components, traced: TracedCall | None
) -> Response:
    """Take a call from its token to its delivered cards. ``called``: None if there is no such service."""
    settings, guard = components.settings, components.guard
    auditing, metrics = components.auditing, components.metrics
    stages, now, service = Stages(), components.clock(), components.current.service
    authenticated = await guard.authenticate(request)
    if called is None:
        raise HTTPException(404, "no such service")
    caller, hook_request = authenticated, None
    try:
        budget = Budget(settings.judging_ms / 1000)
        body = await guard.read(request, authenticated, partial(_parse_body, budget))
        hook_request = _parse_request(body.value, called)
        stages.end("parse")
        caller = authenticated or service.clients.find(hook_request.fhirServer)
        audited = auditing.call(now, caller, hook_request)
        async with guard.working(caller, authenticated):
            gathering = (budget, hook_request.prefetch, service.plan(caller))
            sent = await to_thread(_gather, *gathering) if body.is_large else _gather(*gathering)
            sent.check_patient(hook_request.context.patientId)
            own = authenticated.addresses if authenticated else None  # a client with a token: only its own FHIR servers
            prefetched = await components.reader.complete(
                hook_request, sent, without_token=caller.profile.open_fhir, own=own, today=now.date()
            )
            auditing.read(audited, hook_request.fhirServer, sent, prefetched)
            metrics.count_incomplete(prefetched)
            stages.end("read")
            judging = (budget, service, hook_request, prefetched, now, caller, stages)
            answer = await to_thread(_judge, *judging) if body.is_large else _judge(*judging)
            delivered = await components.delivery.show(
                answer.cards, caller, hook_request, now, service.words_for(caller)
            )
    except Exception as error:
        auditing.failed(now, caller, hook_request, service.content.version, error)
        raise
    auditing.answered(audited, service.content.version, delivered)
    answered = json_response(
        response(delivered.cards, answer.response_extension | delivered.response_extension).as_json()
    )
    stages.end("store")
    if settings.server_timing:
        answered.headers["Server-Timing"] = stages.as_header()
    if traced is not None:
        traced.answered(stages, len(delivered.cards))
    metrics.count_call(hook_request, answer.assessment, delivered, stages)
    _log_call(answer, prefetched, delivered, stages.total)
    return answered


def _parse_body(budget: Budget, body: bytearray, limits: JsonLimits) -> Any:
    """Parse the body as JSON. Parts that are parsed later use the same time budget."""
    with budget.working():
        return read_call_body(body, replace(limits, budget=budget))


def _gather(budget: Budget, prefetch: Mapping[str, Any] | None, plan: Plan) -> Prefetched:
    with budget.working():
        return gather(prefetch, plan)


def _judge(
    budget: Budget,
    service: Service,
    request: HookRequest,
    prefetched: Prefetched,
    now: datetime,
    caller: Caller,
    stages: Stages,
) -> Answer:
    with budget.working():
        return service.answer(request, prefetched, now, caller, stages, budget)


def _parse_request(body: Any, called: HookService) -> HookRequest:
    """Validate the body as a call of this service.

    Only here is a validation error the sender's fault (``UnusableInput``); anywhere else it is a bug of this service.
    """
    try:
        return request_model(called).model_validate(body)
    except ValidationError as error:
        raise UnusableInput(in_words(error)) from error


def _log_call(answer: Answer, prefetched: Prefetched, delivered: Delivered, seconds: float) -> None:
    """Log one line per call, without patient data: rules, counts, timing."""
    assessment = answer.assessment
    record = assessment.record
    log.info(
        "call",
        client=answer.caller.name,
        cards=len(delivered.cards),
        rules=",".join(f"{card.rule}:{disposition}" for card, disposition in delivered.dispositions),
        entries=record.entries,
        rows=",".join(f"{state.value}:{count}" for state in RowState if (count := record.rows(state))),
        unread=len(record.unread),
        read=",".join(part.key for part in prefetched.pieces if part.was_read),
        lacking=",".join(f"{part.key}:{part.why}" for part in prefetched.incomplete),
        silent=assessment.silent_because,
        content=assessment.content_version,
        ms=round(seconds * 1000, 1),
    )
    for unread in record.unread[:20]:
        log.warning("unread", kind=unread.kind.value, reason=unread.reason, about=",".join(unread.keys))

"""Feedback over HTTP: 200 when it is on disk, 400 for what is malformed, 503 when it has to be sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from cds_service.ground.errors import StoreDown, UnusableInput
from cds_service.ground.logs import get_log
from cds_service.hooks.messages import SERVICE_ID
from cds_service.hooks.register.feedback import Feedback, understand
from cds_service.hooks.register.writer import Register
from cds_service.web.auditing import Auditing
from cds_service.web.json_response import json_response
from cds_service.web.metrics import Metrics
from cds_service.web.openapi import BODY_ERRORS, BUSY, FeedbackCall, FeedbackReceived, ServiceId, errors, takes
from cds_service.web.problems import outcome
from cds_service.web.running import Running
from cds_service.web.security.guard import Guard

log = get_log()

EXTENSION = "com.posterior-knee-cds.feedback"
_RETRY_SECONDS = "5"
_MOST_NAMED = 20


def add_feedback_routes(
    app: FastAPI,
    guard: Guard,
    running: Running,
    register: Register,
    auditing: Auditing,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> None:
    """``POST /cds-services/{id}/feedback``."""

    known_errors = errors(*BODY_ERRORS, 404, *BUSY, closed=guard.entrance.required)

    @app.post(
        "/cds-services/{service_id}/feedback",
        responses={200: {"model": FeedbackReceived}, **known_errors},
        openapi_extra=takes(FeedbackCall),
    )
    async def feedback(service_id: ServiceId, request: Request) -> Response:
        proved = await guard.admit(request)
        if service_id != SERVICE_ID:
            raise HTTPException(404, "no such service")
        body = await guard.read(request, proved)
        sent = understand(body.value, service_id, clock(), proved.name if proved else None)
        async with guard.working(proved or running.service.clients.default, proved):
            try:
                await register.keep(sent.rows)
            except StoreDown:
                auditing.feedback(clock(), proved, sent.rows, 503)
                raise
        auditing.feedback(clock(), proved, sent.rows, 200)
        for row in sent.rows:
            metrics.feedback.labels(row.outcome).inc()
        log.info("feedback", client=proved.name if proved else None, kept=len(sent.rows), wrong=len(sent.wrong))
        if sent.wrong:
            raise UnusableInput(_complaint(sent))
        return json_response({"extension": {EXTENSION: {"received": len(sent.rows)}}})

    @app.exception_handler(StoreDown)
    async def later(_: Request, error: StoreDown) -> Response:
        return outcome(503, f"{error}; send it again", {"Retry-After": _RETRY_SECONDS})


def _complaint(sent: Feedback) -> str:
    more = len(sent.wrong) - _MOST_NAMED
    named = "; ".join(sent.wrong[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    kept = len(sent.rows)
    return f"{named}. The other {kept} item{' was' if kept == 1 else 's were'} kept." if kept else f"{named}."

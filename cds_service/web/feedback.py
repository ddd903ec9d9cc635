"""Receive feedback over HTTP.

200: all items are on disk. 400: some items are malformed. 429: too much feedback today on cards that this service
does not know. 503: the database is down, send it again. With 400 and 429 the other items of the call are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from cds_service.adapters.store.feedback import Feedback, understand
from cds_service.base.errors import StoreDown, UnusableInput
from cds_service.base.logs import get_log
from cds_service.protocol.services import service_of
from cds_service.web.components import Components
from cds_service.web.json_response import json_response
from cds_service.web.openapi import (
    BODY_ERRORS,
    BUSY,
    SERVICE_ROUTE,
    FeedbackCall,
    FeedbackReceived,
    errors,
    request_body,
)
from cds_service.web.operation_outcomes import outcome

log = get_log()

EXTENSION = "com.posterior-knee-cds.feedback"
_RETRY_SECONDS = "5"
_MAX_NAMED = 20


def add_feedback_routes(app: FastAPI, components: Components) -> None:
    """Add ``POST /cds-services/{id}/feedback``."""

    guard, current, clock = components.guard, components.current, components.clock
    card_log, auditing, metrics = components.card_log, components.auditing, components.metrics
    known_errors = errors(*BODY_ERRORS, *BUSY, closed=guard.authenticator.required)

    @app.post(
        f"{SERVICE_ROUTE}/feedback",
        summary="Report the outcome of cards",
        responses={200: {"model": FeedbackReceived}, **known_errors},
        openapi_extra=request_body(FeedbackCall),
    )
    async def feedback(service_id: str, request: Request) -> Response:
        authenticated = await guard.authenticate(request)
        if service_of(service_id) is None:
            raise HTTPException(404, "no such service")
        body = await guard.read(request, authenticated)
        sent = understand(body.value, service_id, clock(), authenticated.name if authenticated else None)
        async with guard.working(authenticated or current.service.clients.default, authenticated):
            try:
                over_quota = await card_log.keep(sent.rows)
            except StoreDown:
                auditing.feedback(clock(), authenticated, sent.rows, 503)
                raise
        now, kept = clock(), [row for row in sent.rows if row.id not in over_quota]
        auditing.feedback(now, authenticated, kept, 200)
        auditing.feedback(now, authenticated, [row for row in sent.rows if row.id in over_quota], 429)
        for row in kept:
            metrics.feedback.labels(row.outcome).inc()
        name = authenticated.name if authenticated else None
        log.info("feedback", client=name, kept=len(kept), wrong=len(sent.wrong), lost=len(over_quota))
        if over_quota:
            metrics.count_refusal("feedback_quota")
            return outcome(429, _rejection_text(sent, over_quota), {"Retry-After": str(_seconds_of_day_left(now))})
        if sent.wrong:
            raise UnusableInput(_rejection_text(sent))
        return json_response({"extension": {EXTENSION: {"received": len(kept)}}})

    @app.exception_handler(StoreDown)
    async def store_down(_: Request, error: StoreDown) -> Response:
        return outcome(503, f"{error}; send it again", {"Retry-After": _RETRY_SECONDS})


def _rejection_text(sent: Feedback, over_quota: frozenset[str] = frozenset()) -> str:
    """Return which items were not kept and why. ``over_quota``: ids of the rows over the quota."""
    rejected = [f"feedback[{place}]" for place, row in zip(sent.places, sent.rows, strict=True) if row.id in over_quota]
    sentences = []
    if rejected:
        sentences.append(
            f"{_first_of(rejected, ', ')}: not kept, too much feedback today on cards that this service does not know."
        )
    if sent.wrong:
        sentences.append(f"{_first_of(sent.wrong, '; ')}.")
    kept = len(sent.rows) - len(rejected)
    if kept:
        sentences.append(f"The other {kept} item{' was' if kept == 1 else 's were'} kept.")
    return " ".join(sentences)


def _first_of(named: Sequence[str], between: str) -> str:
    more = len(named) - _MAX_NAMED
    return between.join(named[:_MAX_NAMED]) + (f"{between}and {more} more" if more > 0 else "")


def _seconds_of_day_left(now: datetime) -> int:
    """Return the seconds until the end of the UTC day, when the quota starts again."""
    here = now.astimezone(UTC)
    tomorrow = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return math.ceil((tomorrow - here).total_seconds())

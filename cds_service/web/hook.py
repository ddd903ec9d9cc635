"""The hook over HTTP: discovery, and the call that reads like its steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from cds_service.ground.errors import UnusableInput
from cds_service.ground.settings import Settings
from cds_service.hooks.discovery import discovery
from cds_service.hooks.fhir_server.reader import FhirReader
from cds_service.hooks.messages import SERVICE_ID, HookRequest
from cds_service.hooks.prefetch import Prefetched, gather
from cds_service.hooks.service import Answer, Service, response
from cds_service.hooks.showing import Showing, Shown
from cds_service.web.body import read_json
from cds_service.web.json_response import json_response
from cds_service.web.metrics import Metrics
from cds_service.web.problems import in_words

log = logging.getLogger("cds_service")


def add_hook_routes(
    app: FastAPI,
    settings: Settings,
    service: Service,
    reader: FhirReader,
    showing: Showing,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> None:
    """``GET /cds-services`` and ``POST /cds-services/{id}``."""
    offered = discovery(service.content)

    @app.get("/cds-services")
    async def discover() -> Response:
        return json_response(offered)

    @app.post("/cds-services/{service_id}")
    async def call(service_id: str, request: Request) -> Response:
        if service_id != SERVICE_ID:
            raise HTTPException(404, "no such service")
        started, now = time.perf_counter(), clock()
        body = await read_json(request, settings.max_body_bytes, settings.max_json_depth)
        hook_request = _understood(body)
        caller = service.clients.find(hook_request.fhirServer)
        sent = gather(hook_request.prefetch)
        sent.check_patient(hook_request.context.patientId)
        prefetched = await reader.complete(hook_request, sent, without_token=caller.profile.open_fhir)
        metrics.count_lacking(prefetched)
        answer = service.answer(hook_request, prefetched, now)
        shown = await showing.show(answer.cards, caller, hook_request, now)
        seconds = time.perf_counter() - started
        metrics.count_call(shown, seconds)
        _log_call(answer, prefetched, shown, seconds)
        return json_response(response(shown.cards, answer.told | shown.told).as_json())


def _understood(body: Any) -> HookRequest:
    """The body as a request. Only here is a validation error the sender's: anywhere else it is a fault of ours."""
    try:
        return HookRequest.model_validate(body)
    except ValidationError as error:
        raise UnusableInput(in_words(error)) from error


def _log_call(answer: Answer, prefetched: Prefetched, shown: Shown, seconds: float) -> None:
    """One line a call, without patient data: rules, counts, timing."""
    assessment = answer.assessment
    record = assessment.record
    log.info(
        "call client=%s cards=%d rules=%s entries=%d unread=%d read=%s lacking=%s silent=%r content=%s ms=%.1f",
        answer.caller.name,
        len(shown.cards),
        ",".join(f"{card.rule}:{fate}" for card, fate in shown.fates) or "-",
        record.entries,
        len(record.unread),
        ",".join(part.key for part in prefetched.parts if part.was_read) or "-",
        ",".join(f"{part.key}:{part.why}" for part in prefetched.lacking) or "-",
        assessment.silent_because,
        assessment.content_version,
        seconds * 1000,
    )
    for one in record.unread[:20]:
        log.warning("unread kind=%s reason=%r about=%s", one.kind.value, one.reason, ",".join(one.keys) or "-")

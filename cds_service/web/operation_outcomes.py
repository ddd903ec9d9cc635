"""Errors as HTTP answers: a status and an OperationOutcome that never repeats what was sent."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response
from pydantic import ValidationError

from cds_service.base.field_errors import field_errors
from cds_service.web.json_response import json_response

_CODES = {
    400: "invalid",
    404: "not-found",
    405: "not-supported",
    408: "timeout",
    412: "incomplete",
    413: "too-long",
    415: "not-supported",
    429: "throttled",
    503: "transient",
}


def outcome(status: int, words: str, headers: dict[str, str] | None = None, *, code: str = "") -> Response:
    """Return an OperationOutcome with one issue. ``code``: a FHIR issue type; by default the one for the status."""
    body: dict[str, Any] = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code or _CODES.get(status, "exception"), "diagnostics": words}],
    }
    return json_response(body, status, headers)


def in_words(error: ValidationError) -> str:
    """Return which fields of a request are wrong, without their values."""
    return f"The request is not a valid hook call: {field_errors(error)}"

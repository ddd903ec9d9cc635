"""JSON answers, serialised once and without escapes that a client would have to undo."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """``body`` as RFC 8259 JSON."""
    return Response(orjson.dumps(body), status, headers, "application/json")

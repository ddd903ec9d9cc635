"""JSON answers in UTF-8."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return ``body`` serialised as RFC 8259 JSON."""
    return Response(orjson.dumps(body), status, headers, "application/json")

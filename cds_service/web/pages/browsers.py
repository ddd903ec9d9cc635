"""Tell a person's browser, which gets a page, from a program, which gets JSON."""

from __future__ import annotations

from fastapi import Request

_JSON = ("application/json", "application/fhir+json", "application/*", "*/*")


def is_browser(request: Request) -> bool:
    """Whether the client prefers HTML: ``Accept`` names it with at least the weight of JSON."""
    if request.method not in ("GET", "HEAD") or request.url.path.endswith(".json"):
        return False
    weights = _accept_weights(request.headers.get("accept", ""))
    html = weights.get("text/html", 0.0)
    return html > 0 and html >= max(weights.get(kind, 0.0) for kind in _JSON)


def _accept_weights(accept: str) -> dict[str, float]:
    """Return media type -> weight, 0 to 1 (RFC 9110, 12.5.1). An unreadable weight counts as 0."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((parameter[2:].strip() for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            weights[kind] = min(1.0, max(0.0, float(weight)))
        except ValueError:
            weights[kind] = 0.0
    return weights

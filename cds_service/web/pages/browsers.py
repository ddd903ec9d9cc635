"""Who asks: a person with a browser, who gets a page, or a program, which gets JSON."""

from __future__ import annotations

from fastapi import Request

_JSON = ("application/json", "application/fhir+json", "application/*", "*/*")


def is_browser(request: Request) -> bool:
    """Whether the reader wants HTML: it is named in ``Accept``, and no JSON is wanted more."""
    if request.method not in ("GET", "HEAD") or request.url.path.endswith(".json"):
        return False
    wanted = _wanted(request.headers.get("accept", ""))
    html = wanted.get("text/html", 0.0)
    return html > 0 and html >= max(wanted.get(kind, 0.0) for kind in _JSON)


def _wanted(accept: str) -> dict[str, float]:
    """Media type -> how much it is wanted, 0 to 1 (RFC 9110, 12.5.1); what cannot be read is not wanted."""
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((one[2:].strip() for one in parameters if one.startswith("q=")), "1")
        try:
            found[kind] = min(1.0, max(0.0, float(weight)))
        except ValueError:
            found[kind] = 0.0
    return found

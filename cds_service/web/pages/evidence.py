"""The evidence behind a rule or cause."""

from __future__ import annotations

from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from cds_service.clinical.content import Content
from cds_service.web.openapi import errors
from cds_service.web.pages.layout import NOT_VALIDATED
from cds_service.web.running import Running

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:1.6rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;border-bottom:1px solid #767676;padding:.35rem .5rem;vertical-align:top}
pre{white-space:pre-wrap;border:1px solid #767676;padding:1rem;background:#f6f6f6}
.note{border-left:4px solid #8a3b00;padding:.5rem 1rem;background:#fff6ee}a{color:#0b4f9e}
"""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, _HEADERS)


def add_evidence_pages(app: FastAPI, running: Running) -> None:
    """``GET /evidence/{key}``."""

    @app.get("/evidence/{key}", response_class=HTMLResponse, responses=errors(404))
    async def evidence(key: str) -> Response:
        page = evidence_page(running.service.content, key)
        if page is None:
            raise HTTPException(404, "no such rule or cause")
        return page


def evidence_page(content: Content, key: str) -> HTMLResponse | None:
    """What a rule or cause rests on; None if there is no such rule or cause."""
    if key in content.red_flags:
        return _rule_page(content, key)
    if key in content.causes:
        return _cause_page(content, key)
    if key == "unread":
        return _page("Chart not readable", "<p>Part of a chart could not be read, so it was not judged.</p>")
    if key == "gap":
        return _page("Chart not complete", f"<p>{_GAP}</p>")
    return None


_GAP = (
    "A complaint of the leg is recorded, but a part of the chart in which a sign of DVT could stand did not reach this "
    "service, so DVT cannot be excluded on what came."
)


def _source(content: Content, key: str, status: str) -> str:
    if key == "expert":
        return "Consensus of this tool, no study (expert)"
    citation = content.citations[key]
    text = escape(citation.text)
    if citation.url:
        text = f'<a href="{escape(citation.url)}" rel="noreferrer">{text}</a>'
    seen = {"yes": "read at the source", "part": "read in part", "no": "from memory"}[citation.read]
    return f"{text} ({escape(status)}; {seen})"


def _rule_page(content: Content, rule: str) -> HTMLResponse:
    flag = content.red_flags[rule]
    rows = "".join(f"<li>{escape(step)}</li>" for step in flag.card.do)
    avoid = "".join(f"<li>{escape(step)}</li>" for step in flag.card.avoid)
    body = (
        f"<p>{escape(NOT_VALIDATED)}</p><p>Not reviewed by a clinician.</p>"
        f"<p>Source: {_source(content, flag.source, flag.status)}</p>"
        + (f"<h2>Consider</h2><ul>{rows}</ul>" if rule != "RF01" else "")
        + (f"<h2>Avoid</h2><ul>{avoid}</ul>" if avoid else "")
    )
    if flag.cause == "dvt":
        pathway = content.pathway
        items = "".join(
            f"<tr><td>{item.number}</td><td>{escape(item.name)}</td><td>{item.points:+d}</td></tr>"
            for item in pathway.items
        )
        body += (
            f"<h2>{escape(pathway.title)}</h2><p>{_source(content, pathway.source, pathway.status)}</p>"
            f"<table><tr><th>No.</th><th>Item</th><th>Points</th></tr>{items}</table>"
            + "".join(
                f"<h3>{escape(band.name)}</h3><ul>{''.join(f'<li>{escape(one)}</li>' for one in band.options)}</ul>"
                for band in pathway.bands
            )
        )
    return _page(f"{rule}: {flag.card.title}", body)


def _list(items: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _actions(content: Content, keys: tuple[str, ...]) -> str:
    """Shared advice for a cause, each with its source."""
    rows = "".join(
        f"<h3>{escape(action.title)}</h3><p>{escape(action.text)} {_source(content, action.source, action.status)}</p>"
        for action in (content.actions[key] for key in keys)
    )
    return f"<h2>First-line care</h2>{rows}" if rows else ""


def _cause_page(content: Content, key: str) -> HTMLResponse:
    cause = content.causes[key]
    rows = "".join(
        f"<tr><td>{escape(content.findings[w.finding].name)}</td>"
        f"<td>{'confirms' if w.confirms else w.lr_present}</td><td>{w.lr_absent}</td>"
        f"<td>{_source(content, w.source, f'{w.status_present} / {w.status_absent}')}</td></tr>"
        for w in cause.supports
    )
    review = cause.review.by or "not reviewed by a clinician"
    body = (
        f"<p>{escape(NOT_VALIDATED)}</p><p>{escape(cause.card.why)}</p>"
        f"<p>Review: {escape(review)}; due {cause.review.due.isoformat()}.</p>"
        f"<p>Guideline: {escape(cause.card.guideline)}.</p>"
        f"<p>Prior {cause.prior.value} ({escape(cause.prior.status)}): {escape(cause.prior.basis)}</p>"
        f"<h2>Consider</h2>{_list(cause.card.next_steps)}"
        + (f"<h2>Avoid</h2>{_list(cause.card.avoid)}" if cause.card.avoid else "")
        + (f"<h2>Tell the patient</h2><p>{escape(cause.card.tell_patient)}</p>" if cause.card.tell_patient else "")
        + (f"<p>Review of the patient: {escape(cause.card.review)}.</p>" if cause.card.review else "")
        + _actions(content, cause.card.actions)
        + "<h2>Findings and their likelihood ratios</h2><table><tr><th>Finding</th><th>Present</th><th>Absent</th>"
        f"<th>Source (status present / absent)</th></tr>{rows}</table>"
    )
    return _page(cause.title, body)

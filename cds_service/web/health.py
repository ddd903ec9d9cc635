"""Health routes: whether the process runs, and the state of its parts, without any confidential details."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from cds_service import __version__
from cds_service.adapters.audit.journal import Journal, NoJournal
from cds_service.adapters.store.writer import CardLog
from cds_service.web.components import Components
from cds_service.web.json_response import json_response
from cds_service.web.openapi import errors


def add_health_routes(app: FastAPI, components: Components) -> None:
    """Add ``GET /health/live`` and ``GET /health/ready``."""

    current, keys, journal = components.current, components.keys, components.journal

    @app.get("/health/live", summary="Whether the process runs", responses=errors())
    async def live() -> Response:
        return json_response({"status": "live"})

    @app.get("/health/ready", summary="Whether it can judge", responses=errors())
    async def ready() -> Response:
        # Ready even while the database is down: cards do not need the database.
        report: dict[str, Any] = {
            "status": "ready",
            "version": __version__,
            "content": current.service.content.version,
            "auth": components.settings.auth,
            "database": _database(components.card_log),
        }
        if journal.state.status != "off":
            report["audit"] = _audit(journal)
        if keys.states:
            report["keys"] = {"servers": len(keys.states), "failing": sum(bool(server.why) for server in keys.states)}
        if components.nonces.alone:
            report["tokens"] = "not shared with other processes"
        if current.refused_at:
            report["reload"] = {"refused": current.refused_at.isoformat(timespec="seconds")}
        return json_response(report)


def _audit(journal: Journal | NoJournal) -> dict[str, Any]:
    """Return the journal's state. ``head``: hash of the last line; keep a copy elsewhere for
    ``knee-cds audit verify --head``."""
    state = journal.state
    report: dict[str, Any] = {"status": state.status, "waiting": state.waiting, "lost": state.lost}
    if state.head:
        report |= {"file": state.file, "head": state.head}
    if state.since:
        report |= {"since": state.since.isoformat(timespec="seconds"), "error": state.error}
    return report


def _database(card_log: CardLog) -> dict[str, Any]:
    state = card_log.state
    report: dict[str, Any] = {"status": state.status, "waiting": state.waiting, "lost": state.lost}
    if state.since:
        report |= {"since": state.since.isoformat(timespec="seconds"), "error": state.error}
    return report

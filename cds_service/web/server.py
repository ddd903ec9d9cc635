"""Configuration of the HTTP server, with its limits."""

from __future__ import annotations

from typing import Any

from cds_service.base.settings import Settings
from cds_service.web.security.connection import ConnectionLimits, GuardedConfig

BACKLOG = 2048


def server_config(app: Any, settings: Settings, **more: Any) -> GuardedConfig:
    """Return uvicorn's configuration for ``app``: an application, or the import path of a factory."""
    return GuardedConfig(
        app,
        ConnectionLimits(settings.max_header_bytes, settings.read_seconds, settings.max_connections),
        host=settings.host,
        port=settings.port,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        **more,
    )

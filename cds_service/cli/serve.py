"""``knee-cds serve``: run the web service, and print its addresses and a request to paste."""

from __future__ import annotations

import os
import resource
import secrets
import sys
from datetime import date
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import orjson
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.text import Text
from uvicorn.supervisors import Multiprocess

from cds_service.base.clock import site_clock
from cds_service.base.collector import collect_after_the_start, started
from cds_service.base.errors import KneeCdsError
from cds_service.base.logs import get_log, set_up
from cds_service.base.settings import Settings, shipped
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.examples import as_request, one_bundle
from cds_service.web.app import create_app
from cds_service.web.server import server_config

log = get_log()

DEMO_PATIENT = "dvt-likely"
MAX_FILES = 65_536
READY_SECONDS = 20
SWITCH_SECONDS = 0.0005
"""Longest time that another thread may hold Python's interpreter lock. A tenth of the default, so that the database
thread does not delay calls."""


def serve(settings: Settings) -> int:
    """Serve until stopped. Errors in the content prevent the start."""
    set_up(settings.log_level, settings.log_style)
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_files()
    if settings.workers == 1:
        app = create_app(settings)
        _announce(settings)
        started()
        uvicorn.Server(server_config(app, settings)).run()
        return 0
    if settings.hash_key is None:
        # All workers need the same key. To keep it over restarts, a site sets KNEE_CDS_HASH_KEY.
        os.environ["KNEE_CDS_HASH_KEY"] = secrets.token_urlsafe(32)
        settings = Settings()
    create_app(settings)  # report errors in the content once here, not in every worker
    _announce(settings)
    config = server_config(
        "cds_service.cli.serve:worker",
        settings,
        factory=True,
        workers=settings.workers,
        timeout_worker_healthcheck=READY_SECONDS,
    )
    Multiprocess(config, sockets=[config.bind_socket()]).run()
    return 0


def _allow_files() -> None:
    """Raise the limit of open files as far as the system allows. Each connection needs one, and 1,024 are too few."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if limit == resource.RLIM_INFINITY else min(MAX_FILES, limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))


def worker() -> FastAPI:
    """Create the application in a worker process, from the same environment."""
    collect_after_the_start()
    settings = Settings()
    set_up(settings.log_level, settings.log_style)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        app = create_app(settings)
    except KneeCdsError as error:
        log.error("worker_not_started", error=type(error).__name__)
        sys.exit(1)
    started()
    return app


def _announce(settings: Settings) -> None:
    """Print and log the addresses and whether callers need a token."""
    console = Console()
    base = settings.base_url
    console.print(Text(f"Posterior knee CDS on {base}", style="bold"))
    if settings.auth == "open":
        console.print(Text("  OPEN: callers are not checked. For invented patients only.", style="bold red"))
        log.warning("started", auth="open", host=settings.host, port=settings.port, workers=settings.workers)
    else:
        console.print(Text("  callers must bring a token of a known client"))
        log.info("started", auth="required", host=settings.host, port=settings.port, workers=settings.workers)
    console.print(Text(f"  open      {base}/"))
    if settings.sandbox:
        console.print(Text(f"  sandbox   {base}/sandbox"))
    console.print(Text(f"  discovery {base}/cds-services"))
    example = _demo_request(site_clock(settings.zone)().date()) if settings.auth == "open" else None
    if example:
        console.print(Text("  a call to paste into another terminal:"))
        url = f"{base}{POSTERIOR_KNEE_PAIN.path}"
        call = f"curl -sS -X POST -H 'Content-Type: application/json' --data @{example} {url}"
        console.print(Text(call), soft_wrap=True)


def _demo_request(today: date) -> Path | None:
    """Write the demo patient's request, dated around ``today``, to the temporary folder. None if it is not shipped."""
    try:
        bundle = one_bundle(shipped("fhir_examples"), DEMO_PATIENT, today)
    except FileNotFoundError:
        return None
    path = Path(gettempdir()) / "knee-cds-demo-request.json"
    path.write_bytes(orjson.dumps(as_request(bundle, str(uuid4()))))
    return path

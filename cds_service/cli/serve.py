"""``knee-cds serve``: the web service, with a note of what to open and a request to paste."""

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
from cds_service.base.errors import KneeCdsError
from cds_service.base.logs import get_log, set_up
from cds_service.base.settings import Settings, shipped
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.examples import as_request, bundles
from cds_service.web.app import create_app
from cds_service.web.server import server_config

log = get_log()

DEMO_PATIENT = "dvt-likely"
MAX_FILES = 65_536
READY_SECONDS = 20
SWITCH_SECONDS = 0.0005
"""How long the thread that writes to the database may keep Python to itself; ten times that is Python's default."""


def serve(settings: Settings) -> int:
    """Run until stopped. Wrong content stops the start."""
    set_up(settings.log_level, settings.log_style)
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_files()
    if settings.workers == 1:
        app = create_app(settings)
        _welcome(settings)
        uvicorn.Server(server_config(app, settings)).run()
        return 0
    if settings.hash_key is None:
        # All workers must make the same hashes; for more than this start the site sets a key of its own.
        os.environ["KNEE_CDS_HASH_KEY"] = secrets.token_urlsafe(32)
        settings = Settings()
    create_app(settings)  # so that wrong content is told once, here, and not by every worker
    _welcome(settings)
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
    """As many open files as the system lets us have: each connection is one, and the usual 1,024 are few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if most == resource.RLIM_INFINITY else min(MAX_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def worker() -> FastAPI:
    """The application of one of several processes, set up from the environment like the first."""
    settings = Settings()
    set_up(settings.log_level, settings.log_style)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        return create_app(settings)
    except KneeCdsError as error:
        log.error("worker_not_started", error=type(error).__name__)
        sys.exit(1)


def _welcome(settings: Settings) -> None:
    """Says loudly who may call: on the terminal, and in the log, where it is looked for later."""
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
    """The demo patient as a request, dated around ``today``, in the temporary folder."""
    found = dict(bundles(shipped("fhir_examples"), today))
    if DEMO_PATIENT not in found:
        return None
    path = Path(gettempdir()) / "knee-cds-demo-request.json"
    path.write_bytes(orjson.dumps(as_request(found[DEMO_PATIENT], str(uuid4()))))
    return path

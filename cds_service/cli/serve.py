"""``knee-cds serve``: the web service, with a note of what to open and a request to paste."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import orjson
import uvicorn
from rich.console import Console
from rich.text import Text

from cds_service.cli.examples import as_request, bundles
from cds_service.ground.settings import Settings, shipped
from cds_service.hooks.messages import SERVICE_ID
from cds_service.web.app import create_app

DEMO_PATIENT = "dvt-likely"


def serve(settings: Settings) -> int:
    """Run until stopped. Wrong content stops the start."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    app = create_app(settings)
    _welcome(settings)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", access_log=False, server_header=False)
    return 0


def _welcome(settings: Settings) -> None:
    console = Console()
    base = settings.base_url
    console.print(Text(f"Posterior knee CDS on {base}", style="bold"))
    console.print(Text(f"  open      {base}/"))
    console.print(Text(f"  discovery {base}/cds-services"))
    example = _demo_request()
    if example:
        console.print(Text("  a call to paste into another terminal:"))
        url = f"{base}/cds-services/{SERVICE_ID}"
        call = f"curl -sS -X POST -H 'Content-Type: application/json' --data @{example} {url}"
        console.print(Text(call), soft_wrap=True)


def _demo_request() -> Path | None:
    """The demo patient as a request, dated around today, in the temporary folder."""
    found = dict(bundles(shipped("fhir_examples"), datetime.now(UTC).date()))
    if DEMO_PATIENT not in found:
        return None
    path = Path(gettempdir()) / "knee-cds-demo-request.json"
    path.write_bytes(orjson.dumps(as_request(found[DEMO_PATIENT], str(uuid4()))))
    return path

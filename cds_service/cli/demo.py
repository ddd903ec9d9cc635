"""``knee-cds demo``: the service with its sandbox on this machine, for invented patients, with nothing to set up."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from cds_service.ground.settings import Settings


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, argparse's subparsers."""
    parser = commands.add_parser(
        "demo",
        help="try it: the sandbox on this machine, and a call to paste",
        description="Run the service on 127.0.0.1 with its sandbox, for invented patients only, until it is stopped. "
        "The database is in a temporary folder that is removed at the end, unless KNEE_CDS_DATABASE_URL names one.",
    )
    parser.add_argument("--port", type=int, metavar="NUMBER", help="to listen on; else KNEE_CDS_PORT, or 8000")
    parser.set_defaults(run=run, needs_no_settings=True)


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; what the environment says besides holds too."""
    from cds_service.cli.serve import serve  # the web floor is loaded only when it is served

    given = {} if options.port is None else {"port": options.port}
    settings = Settings(host="127.0.0.1", auth="open", sandbox=True, workers=1, log_style="text", **given)
    if "database_url" in settings.model_fields_set:
        return serve(settings)
    # The server ends by the signal that stopped it, which would leave the folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with TemporaryDirectory(prefix="knee-cds-demo-") as folder:
        file = SecretStr(f"sqlite:///{Path(folder) / 'demo.db'}")
        return serve(settings.model_copy(update={"database_url": file}))

"""``knee-cds demo``: the service with its sandbox on this machine, for invented patients, with nothing to set up."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from cds_service.base.settings import Settings


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

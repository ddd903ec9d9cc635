"""``knee-cds demo``: run the service with its sandbox on this machine, for invented patients, without any setup."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from cds_service.base.settings import Settings


def run(options: argparse.Namespace) -> int:
    """Serve until stopped. Other settings from the environment still apply."""
    from cds_service.cli.serve import serve  # imported late: only this command needs the web package

    overrides = {} if options.port is None else {"port": options.port}
    settings = Settings(host="127.0.0.1", auth="open", sandbox=True, workers=1, log_style="text", **overrides)
    if "database_url" in settings.model_fields_set:
        return serve(settings)
    # On SIGTERM the server would end without removing the folder, so exit normally.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with TemporaryDirectory(prefix="knee-cds-demo-") as folder:
        file = SecretStr(f"sqlite:///{Path(folder) / 'demo.db'}")
        return serve(settings.model_copy(update={"database_url": file}))

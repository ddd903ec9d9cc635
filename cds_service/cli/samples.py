"""``knee-cds samples``: write sample requests and their answers as files."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, time

from pydantic import HttpUrl
from rich.console import Console
from rich.text import Text

from cds_service.base.clock import site_clock
from cds_service.base.settings import Settings
from cds_service.service.evaluate import Service


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Write all files. Other files in the folder are not changed."""
    from cds_service.web.samples import (
        BASE_URL,
        files,
        samples,
    )  # imported late: only this command needs the web package

    now = site_clock(settings.zone)()
    if options.day is not None:
        now = datetime.combine(options.day, time(14, 2), UTC)
    service = Service.from_settings(settings.model_copy(update={"public_url": HttpUrl(BASE_URL)}))
    options.folder.mkdir(parents=True, exist_ok=True)
    contents = files(samples(service, now), now)
    for name, content in contents.items():
        (options.folder / name).write_bytes(content)
    Console().print(Text(f"{len(contents)} files written to {options.folder}."))
    return 0

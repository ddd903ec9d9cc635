"""``knee-cds examples``: write the invented patients as files, dated around today."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import orjson

from cds_service.base.settings import shipped
from cds_service.service.examples import bundles


def write(target: Path, today: date) -> int:
    """Write all examples into ``target``, with dates moved to ``today``. Returns their number."""
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, bundle in bundles(shipped("fhir_examples"), today):
        (target / f"{name}.json").write_bytes(orjson.dumps(bundle, option=orjson.OPT_INDENT_2))
        count += 1
    return count

"""Read charts from files and folders: a Bundle, a CDS Hooks request, or an NDJSON stream of either."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import orjson
from rich.console import Console
from rich.text import Text

from cds_service.base.errors import UnusableInput
from cds_service.base.strict_json import parse
from cds_service.protocol.bundles import OneChart, one_chart
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.code_survey import LIMITS

STANDARD_INPUT = "-"
_ENDINGS = (".json", ".ndjson", ".jsonl")
_KINDS = ".json, .ndjson or .jsonl"
_NAMED = 20
_USER = "Practitioner/command-line"


def chart_files(names: Iterable[str]) -> Iterator[str]:
    """Yield the files in ``names``. A folder stands for its files of charts, by their endings; ``-`` stays as it is.

    The other files of a folder are named on standard error, and links to folders, which are not followed.

    Raises:
        UnusableInput: a folder has no file of charts.
        OSError: a folder in a folder cannot be read.
    """
    for name in names:
        if name == STANDARD_INPUT or not Path(name).is_dir():
            yield name
            continue
        files = sorted(_inside(Path(name)))
        charts = [path for path in files if path.name.lower().endswith(_ENDINGS) and not path.is_dir()]
        if not charts:
            raise UnusableInput(f"there is no {_KINDS} file in {name}")
        read = set(charts)
        _say_skipped(name, [path.relative_to(name).as_posix() for path in files if path not in read])
        yield from map(str, charts)


def _inside(folder: Path) -> Iterator[Path]:
    """Yield the files in ``folder`` and the folders in it, and the links, which may lead to a folder or nowhere."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_file() or path.is_symlink():
                yield path


def _say_skipped(folder: str, skipped: list[str]) -> None:
    if skipped:
        more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
        listed = f"Not read in {folder}, being no {_KINDS} file: {', '.join(skipped[:_NAMED])}{more}"
        Console(stderr=True).print(Text(listed), style="yellow", soft_wrap=True)


def documents(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the JSON documents of ``stream``: each line, if the first line is a whole document; else all of it as one.

    Lines are read one at a time, so the memory does not grow with the stream.
    """
    first = next((line for line in stream if line.strip()), b"")
    if not first:
        return
    try:
        orjson.loads(first)
        is_ndjson = True
    except orjson.JSONDecodeError:
        is_ndjson = first.strip().endswith(b"}")
    if not is_ndjson:
        yield first + stream.read()
        return
    yield first
    for line in stream:
        if line.strip():
            yield line


def understand(document: bytes) -> OneChart:
    """Parse one document.

    Raises:
        TooLarge: it has longer strings or more entries than any chart.
        UnusableInput: it is not valid JSON without repeated keys, or not one patient's Bundle or a hook request.
        pydantic.ValidationError: it is a hook request with wrong fields.
    """
    value = parse(document, LIMITS)
    if isinstance(value, dict) and "hook" in value:
        request = HookRequest.model_validate({"hook": POSTERIOR_KNEE_PAIN.hook, **value})
        return OneChart(request, gather(request.prefetch))
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        return one_chart(value, _USER)
    raise UnusableInput("neither a FHIR Bundle nor a CDS Hooks request")

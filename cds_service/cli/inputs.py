"""What ``evaluate`` reads: one Bundle, one CDS Hooks request, or an NDJSON stream of either, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import orjson

from cds_service.base.errors import UnusableInput
from cds_service.base.strict_json import parse
from cds_service.protocol.bundles import OneChart, one_chart
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.code_survey import LIMITS

_NOBODY = "Practitioner/command-line"


def documents(stream: IO[bytes]) -> Iterator[bytes]:
    """The JSON documents of ``stream``: its lines if the first line is a whole document, else all of it as one."""
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
    """One document as an input.

    Raises:
        TooLarge: longer strings or more in it than any chart has.
        UnusableInput: not JSON with one meaning, not one patient's Bundle, not a hook request.
        pydantic.ValidationError: a hook request with wrong fields.
    """
    value = parse(document, LIMITS)
    if isinstance(value, dict) and "hook" in value:
        request = HookRequest.model_validate({"hook": POSTERIOR_KNEE_PAIN.hook, **value})
        return OneChart(request, gather(request.prefetch))
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        return one_chart(value, _NOBODY)
    raise UnusableInput("neither a FHIR Bundle nor a CDS Hooks request")

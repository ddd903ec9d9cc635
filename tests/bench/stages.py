"""What the CPU time of a call is made of: the steps of one process, without HTTP and without the database."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from time import thread_time

from cds_service.base.collector import collect_rarely
from cds_service.base.settings import Settings
from cds_service.base.strict_json import JsonLimits
from cds_service.clinical.assess import assess
from cds_service.clinical.reading import chart, read_record
from cds_service.protocol.body import read_call_body
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.sanitize import sanitize
from cds_service.service.evaluate import Service
from tests.conftest import NOW

STEPS = ("body and heads", "parts of the chart", "sorting", "rows read", "assessment", "cards", "sanitizing")
_LIMITS = JsonLimits(depth=100, entries=100_000)


def stages(bodies: Sequence[bytes], times: int) -> dict[str, float]:
    """Return the median milliseconds of each of ``STEPS``."""
    service = Service.from_settings(Settings(auth="open"))
    collect_rarely()
    gc.collect()
    gc.freeze()
    found: dict[str, list[float]] = defaultdict(list)
    reading: list[float] = []

    @contextmanager
    def step(name: str) -> Iterator[None]:
        began = thread_time()
        yield
        found[name].append((thread_time() - began) * 1000)

    with _timed(reading):
        for number in range(times):
            with step(STEPS[0]):
                request = HookRequest.model_validate(read_call_body(bodies[number % len(bodies)], _LIMITS))
            with step(STEPS[1]):
                prefetched = gather(request.prefetch, service.plan())
            with step(STEPS[2]):
                record = read_record(service.content, request.context.patientId, prefetched.entries, NOW)
            found[STEPS[2]][-1] -= reading[-1]
            found[STEPS[3]].append(reading[-1])
            with step(STEPS[4]):
                assessment = assess(service.content, record, NOW.date())
            with step(STEPS[5]):
                cards = service.cards(assessment, request.context, NOW)
            with step(STEPS[6]):
                sanitize(cards, service.own_urls)
    gc.unfreeze()
    return {name: median(found[name]) for name in STEPS}


@contextmanager
def _timed(into: list[float]) -> Iterator[None]:
    """Note the milliseconds of reading the rows, which is one step of ``read_record``."""
    real: Callable[..., None] = chart._read_rows

    def timed(*arguments: object) -> None:
        began = thread_time()
        real(*arguments)
        into.append((thread_time() - began) * 1000)

    chart._read_rows = timed  # type: ignore[assignment]
    try:
        yield
    finally:
        chart._read_rows = real

"""In every style of asking, the chart as its searches bring it is judged like the whole chart."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cds_service.hooks.bundles import one_chart
from cds_service.hooks.fhir_server.reader import FhirReader
from cds_service.hooks.messages import FhirAuthorization, HookRequest
from cds_service.hooks.prefetch import Prefetched, gather
from cds_service.hooks.queries import Plan, Style, plan_of
from cds_service.hooks.service import Answer
from tests import fhir_server as fhir
from tests.conftest import EXAMPLES, NOW, bundle, shipped_service
from tests.fhir_server import Charts, FhirServer

STYLES: tuple[Style, ...] = ("all", "by_category", "by_code")
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
TOKEN = "canary-token-77"
PLANS: dict[Style, Plan] = {style: plan_of(shipped_service().content, style) for style in STYLES}


@pytest.fixture(scope="module")
def ehr() -> Iterator[FhirServer]:
    with fhir.running() as running:
        yield running


@pytest.fixture(scope="module")
def reader(ehr: FhirServer) -> Iterator[FhirReader]:
    found = FhirReader((ehr.url,), deadline=10)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def afresh(ehr: FhirServer) -> None:
    ehr.behaviours.clear()
    ehr.asked.clear()


def whole(chart: dict[str, Any]) -> tuple[HookRequest, Answer]:
    one = one_chart(chart, "Practitioner/test")
    return one.request, shipped_service().answer(one.request, one.prefetched, NOW)


def serve(ehr: FhirServer, chart: dict[str, Any], style: Style, **how: Any) -> Charts:
    """The chart on a server that is strict in the styles for strict servers."""
    resources = [entry["resource"] for entry in chart["entry"]]
    ehr.charts = Charts(resources, **({"strict": style != "all"} | how))
    return ehr.charts


def call_to(ehr: FhirServer, request: HookRequest) -> HookRequest:
    lent = FhirAuthorization(access_token=TOKEN, token_type="Bearer", expires_in=300, scope="user/*.rs", subject="cds")
    return request.model_copy(update={"fhirServer": ehr.url, "fhirAuthorization": lent})


def read(ehr: FhirServer, reader: FhirReader, request: HookRequest, sent: Prefetched) -> Prefetched:
    return asyncio.run(reader.complete(call_to(ehr, request), sent, today=NOW.date()))


def prefetched_by(ehr: FhirServer, request: HookRequest, plan: Plan) -> dict[str, Any]:
    """What an EHR sends that fills in the templates of discovery."""
    found: dict[str, Any] = {}
    for key, template in plan.templates().items():
        if "encounterId" in template and request.context.encounterId is None:
            continue
        filled = template.replace("{{context.patientId}}", request.context.patientId)
        filled = filled.replace("{{context.encounterId}}", request.context.encounterId or "")
        address, _, query = filled.partition("?")
        if len(query) > 2000:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = requests.post(f"{ehr.url}/{address}/_search", f"{query}&_count=500", headers=kind, timeout=10)
        else:
            answer = requests.get(f"{ehr.url}/{filled}{'&_count=500' if query else ''}", timeout=10)
        found[key] = answer.json()
    return found


def shown(answer: Answer) -> list[str]:
    """Cards without what is new in every call."""
    text = [card.model_dump_json(exclude_none=True) for card in answer.cards]
    return [re.sub(r'"(uuid|id)":"[^"]+"|\?draft=[^"]+', "", one) for one in text]


@pytest.mark.parametrize("style", STYLES)
def test_the_answer_by_searches_is_that_for_the_whole_bundle(ehr: FhirServer, reader: FhirReader, style: Style) -> None:
    """Read from the FHIR server, and prefetched by the templates of discovery."""
    different = []
    for name in NAMES:
        request, expected = whole(bundle(name))
        charts = serve(ehr, bundle(name), style)
        ours = read(ehr, reader, request, gather({}, PLANS[style]))
        sent = gather(prefetched_by(ehr, request, PLANS[style]), PLANS[style])
        assert charts.refused == [], name
        for how, chart in (("read", ours), ("sent", sent)):
            answer = shipped_service().answer(request, chart, NOW)
            if shown(answer) != shown(expected) or chart.lacking:
                different.append((name, how, [part.key for part in chart.lacking]))
    assert different == []

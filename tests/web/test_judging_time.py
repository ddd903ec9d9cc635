"""A chart that is costly to judge gets 413 after a bounded time: never an empty answer, and never a core for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest

from cds_service.base.budget import Budget
from cds_service.base.errors import TooCostly
from cds_service.base.settings import Settings
from cds_service.base.strict_json import JsonLimits
from cds_service.protocol.body import read_call_body
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.service.evaluate import Service
from tests.bench.bodies import body as ordinary_body
from tests.conftest import NOW, Server, run_server
from tests.web.test_hook import is_outcome, request_for

OWN = "https://posterior-knee-cds.example/fhir/CodeSystem/finding"
ROWS = 600
LIMITS = JsonLimits(64, 10_000)


def sign(number: int, **more: Any) -> dict[str, Any]:
    coding = {"system": OWN, "code": "calf_swelling"}
    return {
        "resourceType": "Observation", "id": f"o{number}", "status": "final", "code": {"coding": [coding]},
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2026-03-15", "valueBoolean": True, **more,
    }  # fmt: skip


def extensions(number: int) -> dict[str, Any]:
    return sign(number, extension=[{"url": f"https://x.example/{one}", "valueString": "y"} for one in range(15)])


def components(number: int) -> dict[str, Any]:
    coding = {"system": OWN, "code": "calf_swelling"}
    return sign(number, component=[{"code": {"coding": [coding]}, "valueBoolean": True}] * 8)


def malformed(number: int) -> dict[str, Any]:
    return sign(number, component=[{"code": 5, "valueBoolean": "x", "stranger": 1}] * 8)


def references(number: int) -> dict[str, Any]:
    return sign(number, referenceRange=[{"low": {"value": 1, "unit": "x"}, "text": "t"}] * 12)


def headless(number: int) -> dict[str, Any]:
    """Its head has not FHIR's shape, so it is parsed as soon as the rows are looked at."""
    return sign(number, id=number)


COSTLY: list[Callable[[int], dict[str, Any]]] = [extensions, components, malformed, references, headless]


def chart(row: Callable[[int], dict[str, Any]], rows: int) -> bytes:
    entries = [{"resource": row(number), "search": {"mode": "match"}} for number in range(rows)]
    known = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    prefetch: dict[str, Any] = dict.fromkeys(("conditions", "procedures", "medications", "orders"))
    prefetch |= {"patient": {"resourceType": "Patient", "id": "p1"}, "observations": known}
    context = {"userId": "Practitioner/a", "patientId": "p1"}
    call = {"hook": "patient-view", "hookInstance": str(uuid4()), "context": context, "prefetch": prefetch}
    return orjson.dumps(call)


class Steps:
    """A clock on which each question costs a second, so that questions are counted."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return float(self.asked)


@pytest.mark.parametrize("row", COSTLY)
def test_every_row_of_concern_asks_for_time(service: Service, row: Callable[[int], dict[str, Any]]) -> None:
    """The bound is held row by row: no work on many rows goes on without a question."""
    clock = Steps()
    budget = Budget(1e9, clock)
    limits = JsonLimits(64, 10_000, budget)
    with budget.working():
        request = HookRequest.model_validate(read_call_body(chart(row, ROWS), limits))
        prefetched = gather(request.prefetch)
        service.answer(request, prefetched, NOW, budget=budget)
    assert clock.asked > ROWS


@pytest.mark.parametrize("row", COSTLY)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_judging_ends_with_the_time(service: Service, row: Callable[[int], dict[str, Any]], share: float) -> None:
    clock = Steps()
    budget = Budget(ROWS * share, clock)

    def judged() -> None:
        with budget.working():
            request = HookRequest.model_validate(read_call_body(chart(row, ROWS), JsonLimits(64, 10_000, budget)))
            prefetched = gather(request.prefetch)
            service.answer(request, prefetched, NOW, budget=budget)

    with pytest.raises(TooCostly):
        judged()
    assert clock.asked < ROWS * share + 20, "work went on after the time was used up"


@pytest.fixture(scope="module")
def hurried() -> Iterator[Server]:
    yield from run_server(Settings(judging_ms=100))


@pytest.mark.parametrize("row", COSTLY)
def test_a_costly_chart_is_413_and_the_next_call_is_answered(
    hurried: Server, row: Callable[[int], dict[str, Any]]
) -> None:
    answer = hurried.call(None, data=chart(row, 9_000), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, answer.text[:300]
    assert is_outcome(answer)
    (issue,) = answer.json()["issue"]
    assert issue["code"] == "too-costly"
    assert "not an all-clear" in issue["diagnostics"]
    assert hurried.call(request_for("dvt-likely")).json()["cards"][0]["indicator"] == "critical"
    assert 'knee_cds_refused_total{reason="judging_time"}' in hurried.get("/metrics").text


@pytest.mark.parametrize("relevant", [99, 9_900])
def test_a_chart_of_the_documented_size_is_judged(server: Server, relevant: int) -> None:
    """As many resources as are accepted, even if every one of them is of concern."""
    raw = ordinary_body(9_900, relevant)
    answer = server.call(None, data=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json()["cards"][0]["indicator"] == "critical"

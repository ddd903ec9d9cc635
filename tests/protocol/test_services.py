"""A second service is one more entry in the table of services: discovery, calls, documents and traces follow it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from jsonschema_rs import validator_for
from pydantic import SecretStr

from cds_service.adapters.store.reports import exported
from cds_service.adapters.store.store import Store
from cds_service.base.settings import Settings
from cds_service.protocol import services
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN, HookService
from cds_service.service.examples import as_request
from tests.conftest import Server, bundle, run_server
from tests.web.test_tracing import collector, spans

AT_START = replace(POSTERIOR_KNEE_PAIN, id="knee-pain-at-start", hook="encounter-start", needs_encounter=True)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(services, "SERVICES", (POSTERIOR_KNEE_PAIN, AT_START))
    yield from run_server(Settings())


def call_of(service: HookService, **context: str) -> dict[str, Any]:
    call = as_request(bundle("dvt-likely"), str(uuid4())) | {"hook": service.hook}
    given = {name: value for name, value in call["context"].items() if name != "encounterId"}
    return {**call, "context": {**given, **context}}


def sent(server: Server, service: HookService, body: dict[str, Any]) -> requests.Response:
    return requests.post(server.url + service.path, json=body, timeout=20)


def refused(server: Server, body: dict[str, Any]) -> str:
    answer = sent(server, AT_START, body)
    assert answer.status_code == 400
    return str(answer.json()["issue"][0]["diagnostics"])


def test_discovery_and_calls(both: Server) -> None:
    offered = both.get("/cds-services").json()["services"]
    assert [(one["id"], one["hook"]) for one in offered] == [
        ("posterior-knee-pain", "patient-view"),
        ("knee-pain-at-start", "encounter-start"),
    ]
    opened = sent(both, POSTERIOR_KNEE_PAIN, call_of(POSTERIOR_KNEE_PAIN))
    started = sent(both, AT_START, call_of(AT_START, encounterId="e1"))
    assert [answer.json()["cards"][0]["indicator"] for answer in (opened, started)] == ["critical", "critical"]


def test_feedback_is_exported_under_its_own_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also a statement that was stored when there was one service, and so without its name."""
    monkeypatch.setattr(services, "SERVICES", (POSTERIOR_KNEE_PAIN, AT_START))
    url = f"sqlite:///{tmp_path}/cards.db"
    wanted = {}
    for server in run_server(Settings(database_url=SecretStr(url))):
        server.wait_for_database()
        for service, context in ((POSTERIOR_KNEE_PAIN, {}), (AT_START, {"encounterId": "e1"})):
            card = sent(server, service, call_of(service, **context)).json()["cards"][0]["uuid"]
            said = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}
            told = requests.post(f"{server.url}{service.path}/feedback", json={"feedback": [said]}, timeout=20)
            assert told.status_code == 200
            wanted[card] = service.id
    store = Store.open(url)
    interventions = [line["intervention"] for line in exported(store)]
    assert {told["card"]: told["service"] for told in interventions} == wanted
    store.downgrade("0005")
    store.migrate()
    assert {line["intervention"]["service"] for line in exported(store)} == {POSTERIOR_KNEE_PAIN.id}
    store.close()


def test_a_call_of_the_other_hook_or_without_its_encounter_is_refused(both: Server) -> None:
    assert "hook: must be encounter-start" in refused(both, call_of(POSTERIOR_KNEE_PAIN, encounterId="e1"))
    assert "context.encounterId: is missing" in refused(both, call_of(AT_START))
    assert "context.encounterId: must be a bare FHIR id" in refused(both, call_of(AT_START, encounterId="e 1"))
    loose = sent(both, POSTERIOR_KNEE_PAIN, call_of(POSTERIOR_KNEE_PAIN, encounterId="e 1"))
    assert loose.status_code == 200


def test_the_openapi_document_has_the_request_of_each(both: Server) -> None:
    document = both.get("/openapi.json").json()

    def allows(service: HookService, body: dict[str, Any]) -> bool:
        schema = document["paths"][service.path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return validator_for(schema | {"components": document["components"]}).is_valid(body)

    with_encounter = call_of(AT_START, encounterId="e1")
    assert allows(AT_START, with_encounter)
    assert not allows(AT_START, call_of(AT_START))
    assert not allows(AT_START, call_of(AT_START, encounterId="e 1"))
    assert not allows(AT_START, with_encounter | {"hook": "patient-view"})
    assert allows(POSTERIOR_KNEE_PAIN, call_of(POSTERIOR_KNEE_PAIN))
    assert not allows(POSTERIOR_KNEE_PAIN, with_encounter)
    assert document["components"]["schemas"]["OfferedService"]["properties"]["hook"]["enum"] == [
        "patient-view",
        "encounter-start",
    ]
    assert f"{AT_START.path}/feedback" in document["paths"]
    operations = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(operations) == len(set(operations))
    page = both.get("/docs").text
    assert AT_START.path in page
    assert 'id="EncounterStartRequest"' in page


def test_a_span_has_the_name_of_the_hook_and_never_an_unknown_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(services, "SERVICES", (POSTERIOR_KNEE_PAIN, AT_START))
    received: list[bytes] = []
    with collector(received) as url:
        settings = Settings(auth="open", database_url=f"sqlite:///{tmp_path}/t.db", tracing_url=url)
        for server in run_server(settings):
            sent(server, AT_START, call_of(AT_START, encounterId="e1"))
            sent(server, POSTERIOR_KNEE_PAIN, call_of(POSTERIOR_KNEE_PAIN))
            assert sent(server, replace(AT_START, id="canary-7781"), {}).status_code == 404
    calls = [span.name for span in spans(received) if not span.parent_span_id]
    assert calls == ["encounter-start", "patient-view", "unknown service"]
    assert b"canary-7781" not in b"".join(received)


def test_a_hook_that_no_service_answers_is_refused() -> None:
    for server in run_server(Settings()):
        answer = sent(server, POSTERIOR_KNEE_PAIN, call_of(AT_START))
        assert answer.status_code == 400
        assert "must be patient-view" in answer.json()["issue"][0]["diagnostics"]

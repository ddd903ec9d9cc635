"""A second service is one entry of the table: discovered, called and told apart over HTTP."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
import requests

from cds_service.base.settings import Settings
from cds_service.protocol import services
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.examples import as_request
from tests.conftest import bundle, run_server

AT_START = replace(POSTERIOR_KNEE_PAIN, id="knee-pain-at-start", hook="encounter-start", needs_encounter=True)


def test_one_entry_makes_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "SERVICES", (POSTERIOR_KNEE_PAIN, AT_START))
    call = as_request(bundle("dvt-likely"), str(uuid4()))
    at_start = {**call, "hook": "encounter-start", "hookInstance": str(uuid4())}
    at_start["context"] = {**call["context"], "encounterId": "e1"}
    nowhere = {**at_start, "context": {name: value for name, value in call["context"].items() if name != "encounterId"}}
    for server in run_server(Settings()):
        offered = server.get("/cds-services").json()["services"]
        assert [(one["id"], one["hook"]) for one in offered] == [
            ("posterior-knee-pain", "patient-view"),
            ("knee-pain-at-start", "encounter-start"),
        ]
        both = [
            requests.post(server.url + service.path, json=body, timeout=20)
            for service, body in ((POSTERIOR_KNEE_PAIN, call), (AT_START, at_start))
        ]
        assert [answer.json()["cards"][0]["indicator"] for answer in both] == ["critical", "critical"]
        mixed_up = requests.post(server.url + AT_START.path, json=call, timeout=20)
        assert mixed_up.status_code == 400
        assert mixed_up.json()["issue"][0]["diagnostics"] == "hook: this service answers encounter-start"
        refused = requests.post(server.url + AT_START.path, json=nowhere, timeout=20)
        assert refused.status_code == 400
        assert "context.encounterId: encounter-start needs" in refused.json()["issue"][0]["diagnostics"]
        feedback = requests.post(f"{server.url}{AT_START.path}/feedback", json={"feedback": []}, timeout=20)
        assert feedback.status_code in (200, 400)


def test_a_hook_that_no_service_answers_is_refused() -> None:
    call = {**as_request(bundle("dvt-likely"), str(uuid4())), "hook": "encounter-start"}
    for server in run_server(Settings()):
        refused = requests.post(server.url + POSTERIOR_KNEE_PAIN.path, json=call, timeout=20)
        assert refused.status_code == 400
        assert "must be patient-view" in refused.json()["issue"][0]["diagnostics"]

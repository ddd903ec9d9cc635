"""What the journal holds of calls, reads, orders and feedback, as the service itself writes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
from fhir.resources.R4B.auditevent import AuditEvent

from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.verify import verify
from cds_service.base.settings import Settings
from tests import fhir_server as fhir
from tests.conftest import run_server
from tests.tokens import ISSUER, PATH, Signer, key_server
from tests.web.test_hook import request_for

KEY = "0123456789abcdef"


def events(folder: Path, least: int) -> list[dict[str, Any]]:
    """Every event of the journal so far, when there are at least so many."""
    end = time.monotonic() + 10
    while True:
        lines = (folder / "audit-1.ndjson").read_bytes().splitlines() if (folder / "audit-1.ndjson").exists() else []
        found = [orjson.loads(line)["event"] for line in lines[1:]]
        if len(found) >= least:
            return found
        assert time.monotonic() < end, "the events were not written in time"
        time.sleep(0.05)


def test_each_call_read_order_and_feedback_is_one_event(tmp_path: Path) -> None:
    signer = Signer()
    chart = request_for("dvt-likely")
    with fhir.running(chart["prefetch"]) as ehr, key_server(signer.public()) as keys:
        text = f"""
[client.north]
fhir_servers = ["{ehr.url}"]
[client.north.token]
issuer = "{ISSUER}"
jwks_url = "{keys.url}"
"""
        settings = Settings(
            auth="required", clients_toml=text, fhir_servers=(ehr.url,), audit_folder=tmp_path, hash_key=KEY
        )
        for server in run_server(settings):
            url = server.url + PATH
            chart["fhirServer"] = ehr.url
            chart["fhirAuthorization"] = {
                "access_token": "canary-token-audit", "token_type": "Bearer", "expires_in": 300, "scope": "s",
                "subject": "c",
            }  # fmt: skip
            del chart["prefetch"]["procedures"]
            ehr.behaviours["orders"] = fhir.raw(403, b"")
            del chart["prefetch"]["orders"]
            cards = server.call(chart, headers=signer.bearer(url)).json()["cards"]
            suggestions = [one["uuid"] for card in cards for one in card.get("suggestions", ())]
            assert suggestions
            said = {"card": cards[0]["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}
            comment = {"overrideReason": {"userComment": "a-typed-comment"}}
            server.call_feedback({"feedback": [said | comment]}, signer.bearer(f"{url}/feedback"))
            assert server.call({"hook": "x"}, headers=signer.bearer(url)).status_code == 400
            assert (
                server.call(
                    {**chart, "prefetch": {}, "fhirServer": "https://x.example"}, headers=signer.bearer(url)
                ).status_code
                == 412
            )
            assert server.call(chart).status_code == 401
            found = events(tmp_path, len(suggestions) + 6)
            assert server.get("/health/ready").json()["audit"]["status"] == "up"
            assert "knee_cds_audit_up 1.0" in server.get("/metrics").text
    assert verify(tmp_path / "audit-1.ndjson", Hasher.of(KEY)).whole
    for event in found:
        AuditEvent.model_validate(event)
    reads = [event for event in found if ISSUER not in str(event["agent"])]
    assert [f"127.0.0.1:{ehr.port}/fhir" in str(event["agent"]) for event in reads] == [True, True]
    assert len(found) == len(suggestions) + 6
    told = orjson.dumps(found).decode()
    for uuid in (*suggestions, cards[0]["uuid"]):
        assert uuid in told
    assert "Practitioner/" in told
    assert "canary" not in told
    assert "a-typed-comment" not in told
    assert '"dvt-likely"' not in told
    assert "Patient/dvt-likely" not in told
    outcomes = sorted(event["outcome"] for event in found)
    assert outcomes.count("0") == len(suggestions) + 3, "answer, one read, feedback, and the orders went well"


def test_feedback_that_cannot_be_kept_is_audited_too(tmp_path: Path) -> None:
    """The database is away from the start; the journal is not."""
    folder = tmp_path / "audit"
    folder.mkdir()
    settings = Settings(database_url=f"sqlite:///{tmp_path}/none/there.db", audit_folder=folder)
    for server in run_server(settings):
        said = {"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}
        assert server.call_feedback({"feedback": [said]}).status_code == 503
        (event,) = events(folder, 1)
        assert event["outcome"] != "0"

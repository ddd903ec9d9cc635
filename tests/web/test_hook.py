"""The service over HTTP: discovery, the hook, and what each kind of failure looks like."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from cds_service.base.settings import Settings
from cds_service.protocol.messages import Card
from cds_service.service import evaluate as service_module
from cds_service.service.examples import as_request
from tests import fhir_server as fhir
from tests.answers import response_extension
from tests.conftest import Server, bundle, run_server

CALL = "/cds-services/posterior-knee-pain"


def request_for(name: str) -> dict[str, Any]:
    return as_request(bundle(name), str(uuid4()))


def is_outcome(answer: requests.Response) -> bool:
    body = answer.json()
    return bool(
        body["resourceType"] == "OperationOutcome" and body["issue"][0]["severity"] == "error" and "cards" not in body
    )


def test_discovery(server: Server) -> None:
    answer = server.get("/cds-services")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    (entry,) = answer.json()["services"]
    assert entry["hook"] == "patient-view"
    assert entry["id"] == "posterior-knee-pain"
    assert list(entry["prefetch"]) == [
        "patient", "observations_by_category", "observations_vital_signs",
        "observations_by_code", "reports", "conditions", "encounter", "procedures", "medications",
        "medication_statements", "orders",
    ]  # fmt: skip
    reads = {"patient": "Patient/{{context.patientId}}", "encounter": "Encounter/{{context.encounterId}}"}
    for key, template in entry["prefetch"].items():
        resource, _, query = template.partition("?")
        if key in reads:
            assert template == reads[key]
            continue
        names = {part.split("=")[0] for part in query.split("&")}
        assert names - {"_count"} in fhir.REQUIRED[resource], key
        assert "patient={{context.patientId}}" in query


def test_health(server: Server) -> None:
    assert server.get("/health/live").json() == {"status": "live"}
    ready = server.get("/health/ready").json()
    assert ready["status"] == "ready"
    assert len(ready["content"]) == 12


STAGES = ["parse", "read", "assess", "compose", "store"]


def test_where_the_time_went_is_told_only_where_the_site_says_so(server: Server, tmp_path: Path) -> None:
    assert "server-timing" not in server.call(request_for("dvt-likely")).headers
    metrics = server.get("/metrics").text
    assert all(f'knee_cds_stage_seconds_count{{stage="{stage}"}}' in metrics for stage in STAGES)
    settings = Settings(auth="open", server_timing=True, database_url=f"sqlite:///{tmp_path}/timing.db")
    for timed in run_server(settings):
        told = timed.call(request_for("dvt-likely")).headers["server-timing"]
        parts = dict(part.split(";dur=") for part in told.split(", "))
        assert list(parts) == [*STAGES, "total"]
        assert float(parts["total"]) == pytest.approx(sum(float(parts[stage]) for stage in STAGES), abs=0.01)


def test_dvt_chart(server: Server) -> None:
    answer = server.call(request_for("dvt-likely"))
    assert answer.status_code == 200
    first = answer.json()["cards"][0]
    assert first["indicator"] == "critical"
    assert first["summary"].startswith("Suspected DVT, left leg")
    labels = [suggestion["label"] for suggestion in first["suggestions"]]
    assert labels == ["Same-day DVT referral, left leg", "Venous duplex today, left leg", "D-dimer, result today"]
    priorities = {s["actions"][0]["resource"]["priority"] for s in first["suggestions"]}
    assert priorities == {"asap"}
    duplex = first["suggestions"][1]["actions"][0]["resource"]
    assert duplex["code"]["coding"][0]["code"] == "39432-0"  # US.doppler Lower extremity vein - left
    assert duplex["bodySite"][0]["coding"][0]["code"] == "32153003"
    assert duplex["occurrencePeriod"] == {"start": "2026-03-16", "end": "2026-03-17"}


def test_silence_is_an_empty_list(server: Server) -> None:
    assert server.call(request_for("nothing-at-all")).json()["cards"] == []


@pytest.mark.parametrize("user", ["Practitioner/a", "PractitionerRole/b", "Patient/c", "RelatedPerson/d"])
def test_every_kind_of_user(server: Server, user: str) -> None:
    body = request_for("dvt-likely")
    body["context"]["userId"] = user
    assert server.call(body).status_code == 200


def test_uuids_of_any_version_and_case_and_a_retry(server: Server) -> None:
    body = request_for("dvt-likely")
    for instance in (
        str(uuid4()).upper(),
        "c9bf9e57-1685-11ee-be56-0242ac120002",
        body["hookInstance"],
        body["hookInstance"],
    ):
        body["hookInstance"] = instance
        assert server.call(body).status_code == 200


def test_unknown_fields_do_not_disturb(server: Server) -> None:
    body = request_for("dvt-likely")
    body["extension"] = {"com.example": {"x": 1}}
    body["context"]["somethingNew"] = "y"
    body["prefetch"]["other"] = {"resourceType": "Bundle"}
    body["fhirServer"] = "https://posterior-knee-cds.example/fhir"
    body["fhirAuthorization"] = {
        "access_token": "secret-token-abc",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/*.rs",
        "subject": "cds",
    }
    answer = server.call(body)
    assert answer.status_code == 200
    assert "secret-token-abc" not in answer.text


def broken(change: Any) -> dict[str, Any]:
    body = request_for("dvt-likely")
    change(body)
    return body


BAD = {
    "no hook": lambda b: b.pop("hook"),
    "another hook": lambda b: b.update(hook="order-select"),
    "hook in capitals": lambda b: b.update(hook="Patient-View"),
    "no hookInstance": lambda b: b.pop("hookInstance"),
    "hookInstance no uuid": lambda b: b.update(hookInstance="7"),
    "no context": lambda b: b.pop("context"),
    "context a list": lambda b: b.update(context=[]),
    "no userId": lambda b: b["context"].pop("userId"),
    "userId bare": lambda b: b["context"].update(userId="abc"),
    "no patientId": lambda b: b["context"].pop("patientId"),
    "patientId a reference elsewhere": lambda b: b["context"].update(patientId="https://x.example/Patient/dvt-likely"),
    "patientId empty": lambda b: b["context"].update(patientId=""),
    "prefetch a list": lambda b: b.update(prefetch=[]),
    "another patient": lambda b: b["prefetch"]["patient"].update(id="somebody-else"),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_malformed_calls_are_400(server: Server, what: str) -> None:
    answer = server.call(broken(BAD[what]))
    assert answer.status_code == 400
    assert is_outcome(answer)


NO_REQUESTS = (b"", b"{", b"nope", b'{"hook": NaN}', b"\xff\xfe", b"[" * 3000, b'{"a": 1,}', b"[]", b'"x"', b"null")


@pytest.mark.parametrize("data", NO_REQUESTS)
def test_bodies_that_are_no_request_are_400(server: Server, data: bytes) -> None:
    answer = requests.post(server.url + CALL, data=data, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code == 400
    assert is_outcome(answer)


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/json; charset=latin-1", ""])
def test_other_media_types_are_415(server: Server, media: str) -> None:
    answer = requests.post(server.url + CALL, data=b"{}", headers={"Content-Type": media}, timeout=10)
    assert answer.status_code == 415
    assert is_outcome(answer)


def test_json_with_charset_is_accepted(server: Server) -> None:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    answer = requests.post(server.url + CALL, json=request_for("dvt-likely"), headers=headers, timeout=10)
    assert answer.status_code == 200


def test_unknown_service_is_404_and_wrong_method_405(server: Server) -> None:
    missing = requests.post(server.url + "/cds-services/other", json={}, timeout=10)
    assert missing.status_code == 404
    assert is_outcome(missing)
    for method, path in (("GET", CALL), ("PUT", CALL), ("DELETE", CALL), ("POST", "/cds-services")):
        answer = requests.request(method, server.url + path, timeout=10)
        assert answer.status_code == 405
        assert answer.headers["allow"] in ("POST", "GET")
        assert is_outcome(answer)


def without(*keys: str, **values: Any) -> dict[str, Any]:
    body = request_for("dvt-likely")
    for key in keys:
        del body["prefetch"][key]
    body["prefetch"].update(values)
    return body


FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


@pytest.mark.parametrize(
    "body",
    [
        without("observations", "conditions"),
        without("patient", "observations", "conditions", "procedures", "medications", "orders"),
        without(observations=FAILED, conditions=FAILED),
        without("conditions", observations={"resourceType": "Patient", "id": "x"}),
        without("conditions", observations="text"),
    ],
    ids=["missing", "empty prefetch", "failed", "wrong type", "text"],
)
def test_nothing_to_judge_by_is_412(server: Server, body: dict[str, Any]) -> None:
    answer = server.call(body)
    assert answer.status_code == 412
    assert is_outcome(answer)
    assert "observations" in answer.text


def test_no_prefetch_at_all_is_412(server: Server) -> None:
    body = request_for("dvt-likely")
    del body["prefetch"]
    assert server.call(body).status_code == 412


def test_null_is_data_not_a_gap(server: Server) -> None:
    answer = server.call(without(observations=None, conditions=None))
    assert answer.status_code == 200
    assert answer.json()["cards"] == []
    assert not response_extension(answer.json())
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert server.call(without(observations=empty, conditions=empty)).json()["cards"] == []


def test_a_missing_part_is_named_on_the_card(server: Server) -> None:
    answer = server.call(without("medications", "orders", procedures=FAILED)).json()
    assert "Not available: procedures, medicines and orders." in answer["cards"][0]["detail"]
    (reading,) = answer["extension"].values()
    assert reading["notAvailable"] == ["procedures", "medicines", "orders"]


def test_a_page_is_not_the_whole(server: Server) -> None:
    body = request_for("dvt-likely")
    body["prefetch"]["observations"]["link"] = [{"relation": "next", "url": "https://ehr.example/page2"}]
    assert "observations (not all)" in server.call(body).json()["cards"][0]["detail"]
    body = request_for("dvt-likely")
    body["prefetch"]["observations"]["total"] = 900
    assert "observations (not all)" in server.call(body).json()["cards"][0]["detail"]


def test_what_cannot_be_read_is_counted_and_shown(server: Server) -> None:
    body = request_for("dvt-likely")
    entries = body["prefetch"]["observations"]["entry"]
    entries += [{"resource": None}, {"resource": "x"}, "entry"]
    answer = server.call(body).json()
    assert "Not read: 3 entries." in answer["cards"][0]["detail"]
    (reading,) = answer["extension"].values()
    assert reading["unread"] == {"not_a_resource": 3}


def test_resources_of_others_never_count(server: Server) -> None:
    body = request_for("dvt-likely")
    for entry in body["prefetch"]["observations"]["entry"]:
        entry["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    refused = server.call(body)
    assert refused.status_code == 412
    assert "somebody else" in refused.text
    mine = request_for("dvt-likely")["prefetch"]["observations"]["entry"]
    body["prefetch"]["observations"]["entry"] += [{"resource": {**one["resource"], "id": "x"}} for one in mine[:1]]
    answer = server.call(body).json()
    (reading,) = answer["extension"].values()
    assert reading["rows"]["another_patient"] == len(mine)
    assert f"Left out: {len(mine)} entries not about this patient." in answer["cards"][0]["detail"]


def test_unreadable_complaint_is_not_silence(server: Server) -> None:
    body = request_for("dvt-likely")
    for entry in body["prefetch"]["observations"]["entry"]:
        entry["resource"]["status"] = 7
    (card,) = server.call(body).json()["cards"]
    assert card["indicator"] == "info"
    assert card["summary"].startswith("Not judged:")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service whose judging fails with an exception that quotes the chart."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("chart of Testa Exampleton")

    monkeypatch.setattr(service_module, "assess_again", fail)
    yield from run_server(Settings())


def test_an_unforeseen_fault_is_500_never_no_card(faulty: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = faulty.call(request_for("dvt-likely"))
    assert answer.status_code == 500
    assert is_outcome(answer)
    assert "Exampleton" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text


def test_a_wrong_card_is_our_fault_not_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(*_: Any) -> None:
        Card.model_validate({"summary": "chart of Testa Exampleton"})

    monkeypatch.setattr(service_module, "compose", compose)
    for server in run_server(Settings()):
        answer = server.call(request_for("dvt-likely"))
        assert answer.status_code == 500
        assert is_outcome(answer)
        assert "Exampleton" not in answer.text


def test_too_large_is_413() -> None:
    for small in run_server(Settings(max_body_bytes=1000)):
        answer = small.call(request_for("dvt-likely"))
        assert answer.status_code == 413
        assert is_outcome(answer)

        def chunks() -> Iterator[bytes]:
            for _ in range(50):
                yield b" " * 100

        headers = {"Content-Type": "application/json"}
        assert requests.post(small.url + CALL, data=chunks(), headers=headers, timeout=10).status_code == 413


def test_no_chart_text_in_answer_or_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Canaries in every string that is not a code, an id or a date."""
    body = request_for("dvt-likely")
    canary = "Zyxwv<script>alert(1)</script>[x](http://evil.example)"

    def poison(node: Any) -> None:
        if isinstance(node, dict):
            for key, inner in node.items():
                if key in ("display", "text", "div", "family") and isinstance(inner, str):
                    node[key] = canary
                else:
                    poison(inner)
            if "code" in node and isinstance(node["code"], dict):
                node["note"] = [{"text": canary}]
        elif isinstance(node, list):
            for inner in node:
                poison(inner)

    poisoned = copy.deepcopy(body)
    poison(poisoned["prefetch"])
    with caplog.at_level(logging.DEBUG):
        answer = server.call(poisoned)
    assert answer.status_code == 200
    assert answer.json()["cards"]
    assert "Zyxwv" not in answer.text + caplog.text
    assert "dvt-likely" not in caplog.text


def test_pages(server: Server) -> None:
    page = server.get("/orders/venous_duplex?side=<script>&draft=<script>").text
    assert "<script>" not in page
    assert "Nothing has been ordered" in page
    assert "NOT STATED" in page
    assert server.get("/orders/nothing").status_code == 404
    assert "not validated" in server.get("/evidence/knee_oa").text.lower().replace(
        "has been validated", "not validated"
    )
    assert server.get("/evidence/RF01").status_code == 200
    assert server.get("/evidence/nothing").status_code == 404
    assert server.get("/").status_code == 200
    system = server.get("/fhir/CodeSystem/finding").json()
    assert system["count"] == len(system["concept"]) > 150


def test_every_source_link_leads_to_a_page(server: Server) -> None:
    for name in ("dvt-likely", "worked-case-1", "red-flag-rf07", "unreadable-parts"):
        for card in server.call(request_for(name)).json()["cards"]:
            path = card["source"]["url"].split("8000")[-1].split(server.url)[-1]
            assert server.get("/" + path.split("/", 3)[-1] if path.startswith("http") else path).status_code == 200


def test_a_site_order_address_is_used() -> None:
    settings = Settings(
        order_url="https://orders.example/new?code={order}&leg={side}", public_url="https://cds.example/"
    )
    for own in run_server(settings):
        card = own.call(request_for("dvt-likely")).json()["cards"][0]
        assert card["links"][0]["url"] == "https://orders.example/new?code=dvt_referral&leg=left"
        assert card["source"]["url"] == "https://cds.example/evidence/RF01"


def test_one_card_per_cause() -> None:
    for own in run_server(Settings(card_layout="per_cause")):
        cards = own.call(request_for("worked-case-1")).json()["cards"]
        assert len(cards) == 3
        assert cards[0]["summary"].startswith("Knee osteoarthritis, ")
        assert all(card["indicator"] == "info" for card in cards)

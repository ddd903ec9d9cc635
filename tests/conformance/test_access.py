"""Rows A17, A18, Q9, X1 and X2: whose servers are called, where the token goes, which browsers may call."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import requests

from cds_service.base.settings import Settings
from tests import fhir_server as fhir
from tests.conftest import Server, run_server
from tests.web.test_fhir_access import ALL, TOKEN, call_without, lent
from tests.web.test_hook import CALL, is_outcome, request_for

ORIGIN, OTHER = "https://sandbox.example", "https://evil.example"


@pytest.fixture(scope="module")
def browsers() -> Iterator[Server]:
    yield from run_server(Settings(cors_origins=(ORIGIN, "http://localhost:8080")))


@pytest.mark.row("A17", "P8", "P15", "Q9")
def test_a_listed_server_is_read_with_the_token_and_no_other(server: Server) -> None:
    prefetch = request_for("dvt-likely")["prefetch"]
    with fhir.running(prefetch) as ehr:
        for own in run_server(Settings(fhir_servers=(ehr.url,))):
            answer = own.call(call_without(ehr, *ALL[1:]))
            assert answer.json()["cards"][0]["indicator"] == "critical"
            assert {one.headers["authorization"] for one in ehr.asked} == {f"Bearer {TOKEN}"}
            ehr.asked.clear()
            bare = call_without(ehr, *ALL[1:])
            del bare["fhirAuthorization"]
            assert own.call(bare).status_code == 412
            other = call_without(ehr, *ALL[1:]) | {"fhirAuthorization": lent("somebody-else")}
            assert own.call(other).status_code == 412
        assert server.call(call_without(ehr, *ALL[1:])).status_code == 412
        assert ehr.asked == []


@pytest.mark.row("A18")
def test_the_token_is_in_no_answer_and_no_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    body = request_for("dvt-likely") | {"fhirServer": "https://ehr.example/fhir", "fhirAuthorization": lent()}
    with caplog.at_level(logging.DEBUG):
        for call in (body, body | {"hook": "x"}, body | {"prefetch": {}}):
            assert TOKEN not in server.call(call).text
        wrong = body | {"fhirAuthorization": lent() | {"token_type": "Basic"}}
        assert TOKEN not in server.call(wrong).text
    assert TOKEN not in caplog.text


@pytest.mark.row("X1")
@pytest.mark.parametrize(("path", "method"), [("/cds-services", "GET"), (CALL, "POST"), (f"{CALL}/feedback", "POST")])
def test_preflight(browsers: Server, path: str, method: str) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": method,
             "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    answer = requests.options(browsers.url + path, headers=asked, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed
    assert method in answer.headers["access-control-allow-methods"]


@pytest.mark.row("X2")
def test_only_listed_origins_and_never_credentials(browsers: Server, server: Server) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin in (OTHER, "null", f"{ORIGIN}.evil.example", "http://sandbox.example", f"{ORIGIN}:8443"):
        answer = requests.options(browsers.url + CALL, headers=asked | {"Origin": origin}, timeout=10)
        assert answer.status_code == 400
        assert "access-control-allow-origin" not in answer.headers
        plain = browsers.get("/cds-services")
        assert "access-control-allow-origin" not in plain.headers
    for origin in (ORIGIN, OTHER):
        answer = requests.get(f"{browsers.url}/cds-services", headers={"Origin": origin}, timeout=10)
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers.get("access-control-allow-origin") == (ORIGIN if origin == ORIGIN else None)
        assert answer.headers["vary"] == "Origin" or origin == OTHER
    answer = requests.get(f"{server.url}/cds-services", headers={"Origin": ORIGIN}, timeout=10)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.row("X1", "V8")
def test_a_browser_can_read_failures_too(browsers: Server) -> None:
    for body, status in (({}, 400), (call_without_prefetch(), 412)):
        answer = requests.post(browsers.url + CALL, json=body, headers={"Origin": ORIGIN}, timeout=10)
        assert answer.status_code == status
        assert is_outcome(answer)
        assert answer.headers["access-control-allow-origin"] == ORIGIN


def call_without_prefetch() -> dict[str, object]:
    body = request_for("dvt-likely")
    del body["prefetch"]
    return body


@pytest.mark.parametrize(
    "origin", ["*", "sandbox.example", "https://sandbox.example/path", "https://u@x.example", "null"]
)
def test_origins_that_are_none_stop_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        Settings(cors_origins=(origin,))


def test_lists_come_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEE_CDS_CORS_ORIGINS", f" {ORIGIN} , http://localhost:8080,")
    monkeypatch.setenv("KNEE_CDS_FHIR_SERVERS", "https://a.example/fhir,https://b.example/r4/")
    settings = Settings()
    assert settings.cors_origins == (ORIGIN, "http://localhost:8080")
    assert settings.fhir_servers == ("https://a.example/fhir", "https://b.example/r4/")

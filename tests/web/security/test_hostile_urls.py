"""Addresses in a call that lead elsewhere: nobody is asked who is not on the list, whatever the spelling."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.adapters.http_client import Client
from cds_service.adapters.http_terms import Deadline, NoAnswer, Terms
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from tests import fhir_server as fhir
from tests.conftest import Server, run_server
from tests.fhir_server import FhirServer
from tests.tokens import PATH, Signer, key_server
from tests.web.test_hook import request_for

TOKEN = "canary-token-77aa"


@pytest.fixture(scope="module")
def trap() -> Iterator[FhirServer]:
    """Listens on every address of this machine's loopback, and must never hear of anything."""
    with fhir.running(request_for("dvt-likely")["prefetch"]) as listening:
        yield listening


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    """Two servers are listed; neither is the trap, and both can be told from it by every part of an address."""
    yield from run_server(Settings(fhir_servers=("https://ehr.example/fhir", "http://127.0.0.1:9/fhir")))


def call(server: str) -> dict[str, Any]:
    """A call that lacks everything and names ``server``."""
    body = request_for("dvt-likely")
    body["prefetch"] = {}
    body["fhirServer"] = server
    body["fhirAuthorization"] = {
        "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"
    }  # fmt: skip
    return body


URLS = [
    "http://127.0.0.1:{trap}/fhir",
    "http://localhost:{trap}/fhir",
    "http://LOCALHOST:{trap}/fhir",
    "http://localhost.:{trap}/fhir",
    "http://127.0.0.1.:{trap}/fhir",
    "http://127.1:{trap}/fhir",
    "http://127.0.1:{trap}/fhir",
    "http://2130706433:{trap}/fhir",
    "http://0x7f000001:{trap}/fhir",
    "http://0x7f.0.0.1:{trap}/fhir",
    "http://0177.0.0.1:{trap}/fhir",
    "http://017700000001:{trap}/fhir",
    "http://0:{trap}/fhir",
    "http://0.0.0.0:{trap}/fhir",
    "http://127.0.0.2:{trap}/fhir",
    "http://[::1]:{trap}/fhir",
    "http://[::]:{trap}/fhir",
    "http://[::ffff:127.0.0.1]:{trap}/fhir",
    "http://[::ffff:7f00:1]:{trap}/fhir",
    "http://[0:0:0:0:0:0:0:1]:{trap}/fhir",
    "http://[::1%25lo]:{trap}/fhir",
    "http://ehr.example@127.0.0.1:{trap}/fhir",
    "https://ehr.example@127.0.0.1:{trap}/fhir",
    "http://ehr.example:443@127.0.0.1:{trap}/fhir",
    "http://127.0.0.1:9@127.0.0.1:{trap}/fhir",
    "http://127.0.0.1:9%40127.0.0.1:{trap}/fhir",
    "http://127.0.0.1:{trap}#@ehr.example/fhir",
    "http://127.0.0.1:{trap}?@ehr.example/fhir",
    "http://127.0.0.1:{trap}\\@ehr.example/fhir",
    "http://127.0.0.1:{trap};@ehr.example/fhir",
    "https://ehr.example\\@127.0.0.1:{trap}/fhir",
    "http://127.0.0.1:9/fhir/../../fhir:{trap}",
    "http://127.0.0.1:9\t:{trap}/fhir",
    "http://127.0.0.1:9\r\nHost: 127.0.0.1:{trap}/fhir",
    "http://127.0.0.1%2e:{trap}/fhir",
    "http://127%2e0%2e0%2e1:{trap}/fhir",
    "http://%31%32%37.0.0.1:{trap}/fhir",
    "http://\u2460\u2461\u2466.0.0.1:{trap}/fhir",
    "http://127\u30020\u30020\u30021:{trap}/fhir",
    "http://\uff11\uff12\uff17.0.0.1:{trap}/fhir",
    "http://l\u043ecalhost:{trap}/fhir",
    "http://xn--lcalhost-2fg:{trap}/fhir",
    "https://ehr.example.127.0.0.1.nip.example:{trap}/fhir",
    "http:127.0.0.1:{trap}/fhir",
    "http:/127.0.0.1:{trap}/fhir",
    "http:///127.0.0.1:{trap}/fhir",
    "//127.0.0.1:{trap}/fhir",
    "HTTP://127.0.0.1:{trap}/fhir",
    "http://127.0.0.1:0{trap}/fhir",
    "http://127.0.0.1:{trap}/fhir/",
    "http://127.0.0.1:{trap}/fhir?x=https://ehr.example/fhir",
    "http://127.0.0.1:{trap}/https://ehr.example/fhir",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{trap}/fhir",
    "ftp://127.0.0.1:{trap}/fhir",
    "dict://127.0.0.1:{trap}/fhir",
    "http://169.254.169.254/latest/meta-data",
    "http://[fe80::1]:{trap}/fhir",
    "http://metadata.google.internal/computeMetadata",
    "https://ehr.example:{trap}/fhir",
    "https://ehr.example.evil.example/fhir",
    "https://ehr.examplf/fhir",
]


def test_the_corpus_is_large_enough() -> None:
    assert len(set(URLS)) >= 60


@pytest.mark.parametrize("url", URLS)
def test_no_other_server_is_asked(
    service: Server, trap: FhirServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = service.call(call(url.replace("{trap}", str(trap.port))))
    assert answer.status_code in (400, 412)
    assert trap.connections == 0
    assert TOKEN not in answer.text + caplog.text


@pytest.mark.parametrize("url", URLS[:5])
def test_what_was_prefetched_is_judged_all_the_same(service: Server, trap: FhirServer, url: str) -> None:
    body = request_for("dvt-likely") | {"fhirServer": url.replace("{trap}", str(trap.port))}
    body["context"]["userId"] = "Practitioner/hostile-url"
    assert service.call(body).json()["cards"][0]["indicator"] == "critical"
    assert trap.connections == 0


def test_the_trap_would_notice(trap: FhirServer) -> None:
    with socket.create_connection(("127.0.0.1", trap.port)):
        end = time.monotonic() + 5
        while trap.connections == 0 and time.monotonic() < end:
            time.sleep(0.01)
    assert trap.connections == 1
    trap.connections = 0


class Resolver:
    """In the place of the system's: a name of these tests leads where it is told, elsewhere at each asking."""

    def __init__(self, *places: str) -> None:
        self.places = list(places)
        self.asked: list[str] = []
        self.plain = socket.getaddrinfo

    def __call__(self, host: str, port: int, *more: Any, **named: Any) -> Any:
        if not host.endswith(".example"):
            return self.plain(host, port, *more, **named)
        self.asked.append(host)
        place = self.places.pop(0) if len(self.places) > 1 else self.places[0]
        family = socket.AF_INET6 if ":" in place else socket.AF_INET
        end: Any = (place, port, 0, 0) if ":" in place else (place, port)
        return [(family, socket.SOCK_STREAM, 6, "", end)]


def client(*private: str) -> Client:
    return Client(Terms(size=2, per_call=2, ca_bundle=None, networks=Networks.of(private)))


def why(made: Client, url: str, token: str | None = None) -> str:
    try:
        made.get(url, token, Deadline(time.monotonic() + 3))
    except NoAnswer as error:
        return error.why
    return "answered"


PLACES = [
    "127.0.0.1",
    "10.0.0.5",
    "192.168.0.1",
    "172.20.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_listed_name_that_leads_inside_is_not_followed(
    trap: FhirServer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Over the whole service: the name is on the list, its address was changed."""
    resolver = Resolver(place)
    url = f"https://ehr.rebound.example:{trap.port}/fhir"
    for server in run_server(Settings(fhir_servers=(url,))):
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        answer = server.call(call(url))
        assert answer.status_code == 412
        assert "not permitted" in answer.text
        assert 'knee_cds_lacking_total{key="observations",why="forbidden_address"}' in server.get("/metrics").text
    assert len(resolver.asked) >= 1
    assert trap.connections == 0


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that answers the check with one address and the connection with another gets no second question."""
    with fhir.running({}) as ehr:
        resolver = Resolver("127.0.0.1", "127.0.0.2")
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        made = client("127.0.0.1/32")
        assert why(made, f"http://ehr.example:{ehr.port}/fhir/Patient") == "answered"
        assert resolver.asked == ["ehr.example"]
        made.close()
        assert ehr.asked[0].headers["host"] == f"ehr.example:{ehr.port}"


def test_a_name_that_changes_between_calls_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with fhir.running({}) as ehr:
        ehr.behaviours["observations"] = fhir.raw(200, b"{}", "application/fhir+json", "Connection: close")
        resolver = Resolver("127.0.0.1", "169.254.169.254", "127.0.0.2")
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        made = client("127.0.0.1/32")
        url = f"http://ehr.example:{ehr.port}/fhir/Observation"
        assert [why(made, url) for _ in range(3)] == ["answered", "forbidden_address", "forbidden_address"]
        made.close()


def test_one_forbidden_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with fhir.running({}) as ehr:
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, ehr.port)) for one in ("127.0.0.1", "169.254.169.254")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        made = client("127.0.0.1/32")
        assert why(made, f"http://ehr.example:{ehr.port}/fhir/Patient") == "forbidden_address"
        made.close()
        assert ehr.connections == 0


PLAIN = ["http://ehr.example", "http://10.0.0.5", "http://192.168.1.7", "http://[fd00::1]", "http://127.0.0.1.example"]


@pytest.mark.row("A17")
@pytest.mark.parametrize("origin", PLAIN)
def test_no_token_goes_over_plain_http(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """Though the server is on the list and its network is the site's own; without a token it may be read."""
    resolver = Resolver("127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with fhir.running({}) as ehr:
        url = f"{origin}:{ehr.port}/fhir"
        networks = ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "fd00::/8")
        for server in run_server(Settings(fhir_servers=(url,), private_networks=networks)):
            answer = server.call(call(url))
            assert answer.status_code == 412
            assert "over https" in answer.text
            assert 'knee_cds_lacking_total{key="observations",why="plain_http"}' in server.get("/metrics").text
            lacking = request_for("dvt-likely") | {key: call(url)[key] for key in ("fhirServer", "fhirAuthorization")}
            del lacking["prefetch"]["procedures"]
            (told,) = server.call(lacking).json()["extension"].values()
            assert told["parts"] == {"procedures": {"state": "missing", "why": "plain_http"}}
        made = client("127.0.0.0/8")
        assert why(made, f"{url}/Patient/x", TOKEN) == "plain_http"
        assert resolver.asked == []
        assert ehr.connections == 0
        if origin.endswith(".example"):
            assert why(made, f"{url}/Patient/x") == "answered"
        made.close()


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "http://localhost", "http://127.0.0.2", "http://127.9.9.9"])
def test_a_token_stays_on_this_machine(origin: str) -> None:
    with fhir.running({}) as ehr:
        made = client("127.0.0.0/8")
        assert why(made, f"{origin}:{ehr.port}/fhir/Patient/x", TOKEN) != "plain_http"
        made.close()


def test_redirects_into_the_cloud_are_not_followed(tmp_path: Path, trap: FhirServer) -> None:
    with fhir.running({}) as ehr:
        for key in fhir.KEYS.values():
            for where in ("http://169.254.169.254/latest", f"http://127.0.0.1:{trap.port}/fhir"):
                ehr.behaviours[key] = fhir.raw(302, b"", "text/plain", f"Location: {where}")
        for server in run_server(Settings(fhir_servers=(ehr.url,))):
            answer = server.call(call(ehr.url))
            assert answer.status_code == 412
            assert "redirected" in answer.text
    assert trap.connections == 0


@pytest.mark.row("A17")
def test_one_client_cannot_have_anothers_server_read(trap: FhirServer) -> None:
    """Both servers are on the site's list; whose is whose is told by the token."""
    north, south = Signer(issuer="https://north.example"), Signer(issuer="https://south.example")
    with (
        fhir.running(request_for("dvt-likely")["prefetch"]) as ehr,
        key_server(north.public()) as first,
        key_server(south.public()) as second,
    ):
        text = f"""
[client.north]
fhir_servers = ["{ehr.url}"]
[client.north.token]
issuer = "{north.issuer}"
jwks_url = "{first.url}"
[client.south]
fhir_servers = ["http://127.0.0.1:{trap.port}/fhir"]
[client.south.token]
issuer = "{south.issuer}"
jwks_url = "{second.url}"
"""
        settings = Settings(
            auth="required", clients_toml=text, fhir_servers=(ehr.url, f"http://127.0.0.1:{trap.port}/fhir")
        )
        for server in run_server(settings):
            url = server.url + PATH
            refused = server.call(call(ehr.url), headers=south.bearer(url))
            assert refused.status_code == 412
            assert "not on this service's list" in refused.text
            assert ehr.connections == 0
            assert server.call(call(ehr.url), headers=north.bearer(url)).json()["cards"][0]["indicator"] == "critical"
            assert trap.connections == 0

"""Who gets in: tokens that must be taken, and a corpus of tokens that must not, over HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
import requests

from cds_service.base.errors import WrongSetting
from cds_service.base.settings import Settings
from cds_service.service.examples import as_request
from cds_service.web.app import create_app
from tests.conftest import Server, bundle, run_server
from tests.tokens import ISSUER, PATH, KeyServer, key_server, part, rsa_signer
from tests.web.security.bad_tokens import (
    BAD,
    BAD_HEADERS,
    FORGER,
    LABEL,
    NORTH,
    NORTH_RSA,
    P256,
    SOUTH,
    SOUTHS,
    STRANGER,
    TENANT,
    WEAK,
    Make,
    T,
)


def clients(keys: KeyServer, folder: Path) -> Path:
    """A site's file: one client by address, one by file, two of one issuer told apart by tenant, one of ES256."""
    (folder / "south.json").write_text(json.dumps({"keys": [SOUTH.public()]}))
    (folder / "shared.json").write_text(json.dumps({"keys": [TENANT.public()]}))
    (folder / "p256.json").write_text(json.dumps({"keys": [P256.public()]}))
    file = folder / "clients.toml"
    file.write_text(f"""
[client.north.token]
issuer = "{ISSUER}"
jwks_url = "{keys.url}"
[client.south.token]
issuer = "{SOUTH.issuer}"
jwks_file = "south.json"
audience = ["{SOUTHS}"]
longest_seconds = 600
[client.ward.token]
issuer = "{TENANT.issuer}"
tenant = "ward"
subject = "ehr"
jwks_file = "shared.json"
[client.clinic.token]
issuer = "{TENANT.issuer}"
tenant = "clinic"
jwks_file = "shared.json"
[client.small.token]
issuer = "https://small.example"
jwks_file = "p256.json"
algorithms = ["ES256"]
""")
    return file


@pytest.fixture(scope="module")
def trap() -> Iterator[KeyServer]:
    """A server that serves the forger's keys and that nobody must ever ask."""
    with key_server(FORGER.public(), STRANGER.public()) as listening:
        yield listening


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with key_server(
        NORTH.public(),
        NORTH_RSA.public(),
        {**WEAK.public()},
        LABEL.public(alg="ES512"),
        {"kty": "oct", "kid": "oct", "k": part(b"0" * 48)},
    ) as serving:
        yield serving


@pytest.fixture(scope="module")
def closed(keys: KeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service as it is meant to run: callers bring tokens."""
    file = clients(keys, tmp_path_factory.mktemp("site"))
    yield from run_server(Settings(auth="required", discovery="closed", clients=file))


def ask(server: Server, authorization: str | None, path: str = PATH) -> requests.Response:
    """A call with an ``Authorization`` header of any kind."""
    body = as_request(bundle("dvt-likely"), str(uuid4()))
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    return requests.post(f"{server.url}{path}", data=orjson.dumps(body), headers=headers, timeout=20)


def is_bare_401(answer: requests.Response) -> bool:
    """Without a word of the reason."""
    return (
        answer.status_code == 401
        and answer.content == b""
        and answer.headers["WWW-Authenticate"] == "Bearer"
        and "content-type" not in answer.headers
    )


def let_in(answer: requests.Response) -> bool:
    return answer.status_code == 200 and answer.json()["cards"][0]["indicator"] == "critical"


GOOD: dict[str, Callable[[str], str]] = {
    "ES384": NORTH.token,
    "RS384": NORTH_RSA.token,
    "aud in a list": lambda url: NORTH.token(url, aud=["https://other.example", url]),
    "extra sub and nbf, as Epic sends them": lambda url: NORTH_RSA.token(
        url, sub="anything", nbf=T - 300, iat=T, exp=T + 900
    ),
    "typ in small letters": lambda url: NORTH.token(url, header={"typ": "jwt"}),
    "tenant of no concern": lambda url: NORTH.token(url, tenant="x"),
    "fractions of seconds": lambda url: NORTH.token(url, iat=T + 0.5, exp=T + 300.25),
    "just expired, within the leeway": lambda url: NORTH.token(url, iat=T - 300, exp=T - 59),
    "clock ahead, within the leeway": lambda url: NORTH.token(url, iat=T + 59),
    "an hour": lambda url: NORTH.token(url, exp=T + 3600),
    "fields of the header that nobody knows": lambda url: NORTH.token(url, header={"x": 1, "x5t": "abc"}),
    "aud set by hand": lambda _: SOUTH.token(SOUTHS),
    "one tenant": lambda url: TENANT.token(url, tenant="ward", sub="ehr"),
    "other tenant": lambda url: TENANT.token(url, tenant="clinic"),
    "an algorithm opted in": lambda url: replace(P256, issuer="https://small.example").token(url),
}


@pytest.mark.row("A4", "A7", "A8", "A13", "A16")
@pytest.mark.parametrize("name", GOOD)
def test_lawful_tokens_get_in(closed: Server, name: str) -> None:
    assert let_in(ask(closed, f"Bearer {GOOD[name](closed.url + PATH)}"))


@pytest.mark.row("A10")
def test_the_listed_jku_gets_in(closed: Server, keys: KeyServer) -> None:
    token = NORTH.token(closed.url + PATH, header={"jku": keys.url})
    assert let_in(ask(closed, f"bearer {token}"))


@pytest.mark.row("A10")
def test_a_jku_means_nothing_where_keys_are_a_file(closed: Server, trap: KeyServer) -> None:
    """An EHR may send it always; it is neither called nor compared, and a forger gains nothing by it."""
    token = SOUTH.token(SOUTHS, header={"jku": trap.url})
    assert let_in(ask(closed, f"Bearer {token}"))
    forged = replace(FORGER, issuer=SOUTH.issuer).token(SOUTHS, header={"jku": trap.url})
    assert is_bare_401(ask(closed, f"Bearer {forged}"))
    assert trap.asked == []


WRONG_VALUES: dict[str, tuple[Callable[[str], str], str]] = {
    # what is wrong: (the token, what the log shows of it)
    "jku": (
        lambda url: NORTH.token(url, header={"jku": "https://x\r\nfake=1.example"}),
        "https://x\ufffd\ufffdfake=1.example",
    ),
    "a long jku": (
        lambda url: NORTH.token(url, header={"jku": "https://x.example/" + "y" * 900}),
        "https://x.example/" + "y" * 102,
    ),
    "a jku that is no text": (lambda url: NORTH.token(url, header={"jku": {"Doe": "John"}}), "(dict)"),
    "kid": (lambda url: NORTH.token(url, header={"kid": "none such"}), "none such"),
    "alg": (lambda url: rsa_signer(algorithm="PS384").token(url), "PS384"),
    "typ": (lambda url: NORTH.token(url, header={"typ": None}), "(none)"),
    "aud": (lambda _: NORTH.token("https://cds.example" + PATH), "https://cds.example" + PATH),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_the_log_shows_the_wrong_value(closed: Server, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """In one line, and no more than its start."""
    make, shown = WRONG_VALUES[name]
    assert is_bare_401(ask(closed, f"Bearer {make(closed.url + PATH)}"))
    (line,) = [one.msg for one in caplog.records if isinstance(one.msg, dict) and one.msg["event"] == "refused"]
    assert line["sent"] == shown


def _bearer(make: Make) -> Callable[[str, str], str | None]:
    return lambda url, trap: f"Bearer {make(url, trap)}"


def _whole(make: Callable[[str], str | None]) -> Callable[[str, str], str | None]:
    return lambda url, _: make(url)


ALL_BAD = {
    **{name: (reason, _bearer(make)) for name, (reason, make) in BAD.items()},
    **{name: (reason, _whole(header)) for name, (reason, header) in BAD_HEADERS.items()},
}


def test_the_corpus_is_large_enough() -> None:
    assert len(ALL_BAD) >= 100


@pytest.mark.row("A3", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A13", "A14", "A15", "A16", "A20")
@pytest.mark.parametrize("name", ALL_BAD)
def test_bad_tokens_stay_out(
    closed: Server, trap: KeyServer, keys: KeyServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    reason, make = ALL_BAD[name]
    authorization = make(closed.url + PATH, trap.url)
    asked = len(keys.asked)
    caplog.clear()
    answer = ask(closed, authorization)
    assert is_bare_401(answer)
    assert [one.msg["reason"] for one in caplog.records if isinstance(one.msg, dict)] == [reason]
    assert trap.asked == []
    assert len(keys.asked) == asked, "no call may have a key server asked while it waits"
    if authorization and len(authorization) > 40:
        assert authorization.split(" ")[-1] not in caplog.text


@pytest.mark.row("A4")
def test_several_headers_are_nobodys(closed: Server) -> None:
    url = closed.url + PATH
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
    connection.putrequest("POST", PATH)
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {NORTH.token(url)}")
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.row("A12")
def test_a_token_is_good_once(closed: Server) -> None:
    token = NORTH.token(closed.url + PATH)
    assert let_in(ask(closed, f"Bearer {token}"))
    for _ in range(3):
        assert is_bare_401(ask(closed, f"Bearer {token}"))
    # ... by its id, not by its letters
    jti = str(uuid4())
    assert let_in(ask(closed, f"Bearer {NORTH.token(closed.url + PATH, jti=jti)}"))
    assert is_bare_401(ask(closed, f"Bearer {NORTH.token(closed.url + PATH, jti=jti, sub='x')}"))
    # another client's ids are its own
    assert let_in(ask(closed, f"Bearer {SOUTH.token('posterior-knee-cds', jti=jti)}"))


@pytest.mark.row("A12")
def test_many_at_once_with_one_token_one_gets_in(closed: Server) -> None:
    token = NORTH.token(closed.url + PATH)
    start = threading.Barrier(12)

    def go(_: int) -> int:
        start.wait()
        return ask(closed, f"Bearer {token}").status_code

    with ThreadPoolExecutor(12) as pool:
        assert sorted(pool.map(go, range(12))) == [200] + [401] * 11


@pytest.mark.row("A12")
def test_replicas_share_what_was_used(keys: KeyServer, tmp_path: Path, database_url: str) -> None:
    """Two services on one database, reached under one public address."""
    site = Settings(
        auth="required",
        clients=clients(keys, tmp_path),
        database_url=database_url,
        public_url="https://cds.example",
        hash_key="0123456789abcdef",
    )
    url = f"https://cds.example{PATH}"
    for first in run_server(site):
        for second in run_server(site):
            token = NORTH.token(url)
            assert let_in(ask(first, f"Bearer {token}"))
            assert is_bare_401(ask(second, f"Bearer {token}"))
            other = NORTH.token(url)
            assert let_in(ask(second, f"Bearer {other}"))
            assert is_bare_401(ask(first, f"Bearer {other}"))
        again = NORTH.token(url)
        assert let_in(ask(first, f"Bearer {again}"))
    for restarted in run_server(site):
        assert is_bare_401(ask(restarted, f"Bearer {again}")), "a restart forgets nothing"


@pytest.mark.row("F15", "A4", "A13")
def test_feedback_and_discovery_ask_for_tokens_of_their_own(closed: Server) -> None:
    feedback = {"feedback": [{"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}]}
    url = f"{closed.url}{PATH}/feedback"
    assert requests.post(url, json=feedback, timeout=20).status_code == 401
    assert requests.post(url, json=feedback, headers=NORTH.bearer(closed.url + PATH), timeout=20).status_code == 401
    assert requests.post(url, json=feedback, headers=NORTH.bearer(url), timeout=20).status_code == 200
    discovery = f"{closed.url}/cds-services"
    assert is_bare_401(requests.get(discovery, timeout=20))
    assert is_bare_401(requests.get(discovery, headers=NORTH.bearer(closed.url + PATH), timeout=20))
    assert requests.get(discovery, headers=NORTH.bearer(discovery), timeout=20).status_code == 200


@pytest.mark.row("A3")
def test_discovery_may_be_open(keys: KeyServer, tmp_path: Path) -> None:
    for server in run_server(Settings(auth="required", clients=clients(keys, tmp_path))):
        assert server.get("/cds-services").status_code == 200
        assert is_bare_401(ask(server, None))


def test_nothing_is_read_before_the_token(closed: Server) -> None:
    """A stranger learns nothing from the kind of error either, and cannot make the service read."""
    for data in (b"", b"{", b"x" * 30_000_000):
        answer = requests.post(closed.url + PATH, data=data, headers={"Content-Type": "text/plain"}, timeout=20)
        assert is_bare_401(answer)
    host, port = closed.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 "), "before a byte of the body was sent"
    assert is_bare_401(requests.post(f"{closed.url}/cds-services/none-such", json={}, timeout=20))


@pytest.mark.row("A18", "A20")
def test_the_log_has_issuer_tenant_and_jti_and_no_token(closed: Server, caplog: pytest.LogCaptureFixture) -> None:
    token = NORTH.token(closed.url + PATH, exp=T - 100, iat=T - 200, jti="the-jti", tenant="t\r\nfake=1", sub="Secret")
    assert is_bare_401(ask(closed, f"Bearer {token}"))
    (line,) = [one.msg for one in caplog.records if isinstance(one.msg, dict) and one.msg["event"] == "refused"]
    assert line == {
        "event": "refused",
        "level": "warning",
        "reason": "expired",
        "issuer": ISSUER,
        "jti": "the-jti",
        "tenant": "t\ufffd\ufffdfake=1",
    }
    assert token.split(".")[2] not in caplog.text
    metrics = closed.get("/metrics").text
    assert 'knee_cds_refused_total{reason="expired"}' in metrics
    assert ISSUER not in metrics


def test_without_any_client_the_service_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="KNEE_CDS_AUTH=open"):
        create_app(Settings(database_url=f"sqlite:///{tmp_path}/x.db"))


def test_open_stays_on_this_machine_unless_said_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    for host in ("0.0.0.0", "::", "192.0.2.7", "cds.example"):
        with pytest.raises(WrongSetting, match="KNEE_CDS_OPEN_ON_NETWORK"):
            create_app(Settings(auth="open", host=host, database_url=url))
        create_app(Settings(auth="open", host=host, database_url=url, open_on_network=True))
    for host in ("127.0.0.1", "::1", "localhost"):
        create_app(Settings(auth="open", host=host, database_url=url))

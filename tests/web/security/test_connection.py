"""Limits before parsing, over raw sockets: too much, too slow, too many, without end; and nobody else is held up."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import requests
import uvicorn

import cds_service
from cds_service.base.settings import Settings
from cds_service.service.examples import as_request
from cds_service.web.server import server_config
from tests import fhir_server
from tests.conftest import Server, bundle, run_server
from tests.processes import free_port
from tests.tokens import PATH, Signer, key_server

SLOW = 1.0
"""Seconds that headers and bodies may take in these tests."""


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    yield from run_server(
        Settings(
            read_seconds=SLOW,
            max_header_bytes=8_192,
            max_connections=20,
            max_body_bytes=3_000_000,
            max_entries=200,
            shutdown_seconds=1,
        )
    )


def connected(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=15)


def good_call() -> dict[str, Any]:
    call = as_request(bundle("dvt-likely"), str(uuid4()))
    call["context"]["userId"] = f"Practitioner/{uuid4()}"
    return call


def is_served(server: Server) -> bool:
    """A good call gets its card."""
    answer = server.call(good_call())
    return answer.status_code == 200 and answer.json()["cards"][0]["indicator"] == "critical"


def read_all(connection: socket.socket) -> bytes:
    """Until the other side closes."""
    found = b""
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            found += piece
    return found


def head(length: int | None = None, *more: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", "Content-Type: application/json", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


TOO_LARGE_HEADS = {
    "one header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
    "one header without end": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 500_000,
    "many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: 1\r\n" % n for n in range(101)) + b"\r\n",
    "headers without end": b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: 1\r\n" % n for n in range(50_000)),
    "address": b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "address without end": b"GET /" + b"a" * 500_000,
}


@pytest.mark.parametrize("name", TOO_LARGE_HEADS)
def test_large_headers_are_431(strict: Server, name: str) -> None:
    with connected(strict) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(TOO_LARGE_HEADS[name])
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 431 ") or answer == b"", answer[:50]
        assert b"200 OK" not in answer
    assert is_served(strict)


ENDLESS_HEADS = {
    "a header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10_000,
    "headers": b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: 1\r\n" % n for n in range(1_000)),
    "an address": b"GET /" + b"a" * 10_000,
}


@pytest.mark.parametrize("name", ENDLESS_HEADS)
def test_headers_that_have_not_ended_are_431_already(strict: Server, name: str) -> None:
    """Nobody waits for their end."""
    with connected(strict) as connection:
        connection.sendall(ENDLESS_HEADS[name])
        assert read_all(connection).startswith(b"HTTP/1.1 431 ")


HOSTS_REFUSED = {
    "none": (b"1.1", []),
    "two": (b"1.1", [b"Host: x", b"Host: y"]),
    "the same twice": (b"1.1", [b"Host: x", b"host: x"]),
    "two, one empty": (b"1.1", [b"Host: x", b"Host:"]),
    "empty": (b"1.1", [b"Host:"]),
    "blank inside": (b"1.1", [b"Host: a b"]),
    "two in one": (b"1.1", [b"Host: a,b"]),
    "an address": (b"1.1", [b"Host: http://x/"]),
    "a path": (b"1.1", [b"Host: x/y"]),
    "a user": (b"1.1", [b"Host: a@x"]),
    "a query": (b"1.1", [b"Host: x?y"]),
    "port of letters": (b"1.1", [b"Host: x:http"]),
    "two ports": (b"1.1", [b"Host: x:1:2"]),
    "only a port": (b"1.1", [b"Host: :80"]),
    "open bracket": (b"1.1", [b"Host: [::1"]),
    "markup": (b"1.1", [b"Host: <x>"]),
    "not ASCII": (b"1.1", [b"Host: \xc3\xa4.example"]),
    "endless": (b"1.1", [b"Host: " + b"a" * 300]),
    "two in HTTP/1.0": (b"1.0", [b"Host: x", b"Host: y"]),
    "malformed in HTTP/1.0": (b"1.0", [b"Host: a b"]),
}


@pytest.mark.parametrize("name", HOSTS_REFUSED)
def test_a_request_that_names_no_single_host_is_400(strict: Server, name: str) -> None:
    version, hosts = HOSTS_REFUSED[name]
    body = orjson.dumps(good_call())
    rest = [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    for start in (b"GET /cds-services HTTP/", f"POST {PATH} HTTP/".encode()):
        sent = [start + version, *hosts, *(rest if start.startswith(b"POST") else ())]
        with connected(strict) as connection:
            connection.sendall(b"\r\n".join(sent) + b"\r\n\r\n" + (body if start.startswith(b"POST") else b""))
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 400 "), answer[:80]
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"cards" not in answer
        assert b"services" not in answer
    assert is_served(strict)


@pytest.mark.parametrize(
    ("version", "host"),
    [
        (b"1.1", b"Host: cds.example"), (b"1.1", b"HOST:x:8000"), (b"1.1", b"Host: 10.0.0.1:8000 "),
        (b"1.1", b"Host: [::1]:8000"), (b"1.1", b"Host: [2001:db8::1]"), (b"1.1", b"Host: cds_1.local:"),
        (b"1.1", b"host: CDS.Example."), (b"1.0", b"Host: x"), (b"1.0", b"X: y"),
    ],
)  # fmt: skip
def test_lawful_hosts_are_served(strict: Server, version: bytes, host: bytes) -> None:
    with connected(strict) as connection:
        connection.sendall(b"GET /cds-services HTTP/" + version + b"\r\n" + host + b"\r\nConnection: close\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


def test_headers_within_the_limit_pass(strict: Server) -> None:
    assert requests.get(f"{strict.url}/health/live", headers={"X": "a" * 7_000}, timeout=10).status_code == 200


def drip(connection: socket.socket, piece: bytes, seconds: float) -> float:
    """Send ``piece`` now and then until the other side closes; after how many seconds that was."""
    started = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - started < seconds:
        try:
            connection.sendall(piece)
            if connection.recv(4096) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started


SLOW_STARTS = {
    "nothing at all": (b"", b""),
    "empty lines": (b"", b"\r\n"),
    "half a request line": (b"POST ", b"a"),
    "headers by the letter": (b"POST / HTTP/1.1\r\nHost: x\r\n", b"a"),
    "headers by the line": (b"POST / HTTP/1.1\r\nHost: x\r\n", b"X: 1\r\n"),
    "empty lines after an answer": (b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
}


@pytest.mark.parametrize("name", SLOW_STARTS)
def test_slow_headers_lose_their_connection(strict: Server, name: str) -> None:
    start, piece = SLOW_STARTS[name]
    with connected(strict) as connection:
        connection.sendall(start)
        assert drip(connection, piece, 12) < 10
    assert is_served(strict)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_slow_body_is_408(strict: Server, *, chunked: bool) -> None:
    with connected(strict) as connection:
        connection.sendall(head(None, "Transfer-Encoding: chunked") if chunked else head(1000))
        connection.sendall(b"1\r\n{\r\n" if chunked else b"{")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"OperationOutcome" in answer
    assert is_served(strict)


def test_a_body_that_never_ends_after_its_answer(strict: Server) -> None:
    """Refused by its size at once; what is sent after that keeps no connection."""
    with connected(strict) as connection:
        connection.sendall(head(None, "Transfer-Encoding: chunked"))
        started = time.monotonic()
        got = b""
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 12:
                connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                connection.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    got += connection.recv(4096)
                connection.settimeout(15)
        assert time.monotonic() - started < 10
    assert got.startswith(b"HTTP/1.1 413 ") or got == b""
    assert is_served(strict)


FRAMES = {
    "an extension": (b"1;x=", b"a" * 10_000),
    "many extensions": (b"", b"1" + b";a=b" * 2_000 + b"\r\n{\r\n"),
    "a trailer": (b"1\r\n{\r\n0\r\nX: ", b"a" * 10_000),
    "trailers": (b"1\r\n{\r\n0\r\n", b"X: 1\r\n" * 2_000),
}


def pour(connection: socket.socket, piece: bytes) -> None:
    """200 MB of it."""
    for _ in range(200_000_000 // len(piece)):
        connection.sendall(piece)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_around_a_body_have_an_end(name: str) -> None:
    """Long before the time is up, and before they fill the memory."""
    start, piece = FRAMES[name]
    for server in run_server(Settings(read_seconds=60, shutdown_seconds=1)):
        with connected(server) as connection:
            connection.sendall(head(None, "Transfer-Encoding: chunked") + start)
            with pytest.raises(ConnectionError):
                pour(connection, piece)
        assert is_served(server)


def test_a_body_of_the_smallest_chunks_is_lawful(strict: Server) -> None:
    body = orjson.dumps(good_call())
    pieces = (body[start : start + 1] for start in range(len(body)))
    kind = {"Content-Type": "application/json"}
    assert requests.post(strict.url + PATH, data=pieces, headers=kind, timeout=20).status_code == 200


async def talkative(scope: Any, receive: Any, send: Any) -> None:
    """An application with an answer of 50 MB, more than any system holds for a client that does not read."""
    if scope["type"] == "lifespan":
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(50):
        await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_an_answer_that_nobody_reads_keeps_no_connection() -> None:
    """Under our server settings; our own answers are small, so another application has to give one."""
    server = uvicorn.Server(server_config(talkative, Settings(port=free_port(), read_seconds=SLOW, shutdown_seconds=1)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", server.config.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        end = time.monotonic() + 30
        while not server.server_state.connections and time.monotonic() < end:
            time.sleep(0.01)
        while server.server_state.connections and time.monotonic() < end:
            time.sleep(0.05)
        assert not server.server_state.connections
    server.should_exit = True
    thread.join(10)


def test_slow_ones_do_not_hold_others_up(strict: Server) -> None:
    """Three times as many silent connections as are held: they give way, and every good call is served at once."""
    with contextlib.ExitStack() as stack:
        for number in range(60):
            one = stack.enter_context(connected(strict))
            with contextlib.suppress(OSError):
                one.sendall(b"POST / HTTP/1.1\r\nX: " if number % 2 else b"")
            if number % 10 == 9:
                assert is_served(strict)
        assert is_served(strict)


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_the_longest_silent_gives_way() -> None:
    """Connections are never more than are held; those in use and the newest stay."""
    for server in run_server(Settings(read_seconds=60, max_connections=10, shutdown_seconds=1)):
        with contextlib.ExitStack() as stack:
            used = stack.enter_context(connected(server))
            used.sendall(head(1000) + b"{")
            time.sleep(0.3)
            silent = [stack.enter_context(connected(server)) for _ in range(30)]
            time.sleep(0.3)
            closed = [is_closed(one) for one in silent]
            assert closed == [True] * 21 + [False] * 9
            assert not is_closed(used)


def test_half_a_request_and_gone(strict: Server, caplog: pytest.LogCaptureFixture) -> None:
    for start in (b"POST ", head(1000), head(1000) + b"{", head(None, "Transfer-Encoding: chunked") + b"5\r\n{"):
        with connected(strict) as connection:
            connection.sendall(start)
    time.sleep(0.2)
    assert is_served(strict)
    assert "unforeseen" not in caplog.text


def padded(text: str) -> dict[str, Any]:
    call = good_call()
    call["prefetch"]["observations"]["entry"][0]["resource"]["note"] = [{"text": text}]
    return call


SHAPES: dict[str, tuple[int, bytes]] = {
    "too many resources": (413, b"[" + b",".join([b'{"resourceType":"Basic"}'] * 201) + b"]"),
    "too many objects": (413, b"[" + b",".join([b"{}"] * 12_900) + b"]"),
    "too many arrays": (413, b"[" + b",".join([b"[]"] * 12_900) + b"]"),
    "a string without end": (413, b'{"a": "' + b"x" * 1_100_000 + b'"}'),
    "a string of escapes": (413, b'{"a": "' + rb"\"xx" * 550_000 + b'"}'),
    "a key without end": (413, b'{"' + b"x" * 1_100_000 + b'": 1}'),
    "a number without end": (413, b'{"a": ' + b"1" * 1_100_000 + b"}"),
    "blanks without end": (413, b'{"a":' + b" " * 1_100_000 + b"1}"),
    "too deep": (400, b"[" * 65 + b"]" * 65),
    "far too deep": (400, b"[" * 12_000),
    "a key twice": (400, b'{"hook": "patient-view", "hook": "patient-view"}'),
    "a key twice, far down": (400, b'{"a": [{"b": {"c": 1, "d": 2, "c": 1}}]}'),
    "a key twice, once escaped": (400, rb'{"hook": 1, "h\u006fok": 2}'),
    "not a number": (400, b'{"a": NaN}'),
    "infinite": (400, b'{"a": -Infinity}'),
    "half a pair of surrogates": (400, rb'{"a": "\ud800"}'),
    "not UTF-8": (400, b'{"a": "\xff"}'),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_cost_too_much(strict: Server, name: str) -> None:
    status, body = SHAPES[name]
    url = strict.url + PATH
    answer = requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=20)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert len(answer.content) < 400


def test_a_call_with_a_key_twice_has_no_certain_meaning(strict: Server) -> None:
    """Only that is wrong with it: two programs could each read another value."""
    body = orjson.dumps(good_call())
    twice = body.replace(b'"status":"final"', b'"status":"final","status":"entered-in-error"', 1)
    kind = {"Content-Type": "application/json"}
    assert requests.post(strict.url + PATH, data=body, headers=kind, timeout=20).status_code == 200
    answer = requests.post(strict.url + PATH, data=twice, headers=kind, timeout=20)
    assert answer.status_code == 400
    assert "a duplicate key" in answer.text


def test_depth_alone_is_enough_to_refuse_a_call(strict: Server) -> None:
    for depth, status in ((50, 200), (70, 400)):
        nested: Any = 1
        for _ in range(depth):
            nested = [nested]
        assert strict.call(good_call() | {"extension": nested}).status_code == status


LAWFUL = {
    "colons and quotes in texts": 'a": {"b": [1, 2] } "c":',
    "backslashes": 'a\\": \\\\": \\" \\',
    "almost too long": "x" * 1_000_000,
    "brackets": "[{" * 3_000,
}


@pytest.mark.parametrize("name", LAWFUL)
def test_texts_that_look_like_shapes_pass(strict: Server, name: str) -> None:
    assert strict.call(padded(LAWFUL[name])).status_code == 200


def test_too_many_at_once_are_503(tmp_path: Path) -> None:
    """While two calls wait for a FHIR server, a third is told when to come again; then it is served."""
    with fhir_server.running({}) as ehr:
        for key in fhir_server.KEYS.values():
            ehr.behaviours[key] = fhir_server.never
        settings = Settings(max_at_once=2, fhir_servers=(ehr.url,), fhir_deadline_ms=3_000)
        for server in run_server(settings):
            waiting = good_call()
            waiting["fhirServer"] = ehr.url
            waiting["fhirAuthorization"] = {
                "access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"
            }  # fmt: skip
            del waiting["prefetch"]["procedures"]
            with ThreadPoolExecutor(2) as pool:
                held = [pool.submit(server.call, waiting) for _ in range(2)]
                end = time.monotonic() + 5
                while ehr.connections < 2 and time.monotonic() < end:
                    time.sleep(0.01)
                refused = server.call(good_call())
                assert refused.status_code == 503
                assert refused.headers["Retry-After"] == "1"
                assert refused.json()["issue"][0]["code"] == "transient"
                assert [one.result().status_code for one in held] == [200, 200]
            assert is_served(server)
            assert 'knee_cds_refused_total{reason="busy"} 1.0' in server.get("/metrics").text


def test_each_client_has_its_share(tmp_path: Path) -> None:
    """One client's flood is answered with 429, and another is served as ever."""
    quick, calm = Signer(issuer="https://quick.example"), Signer(issuer="https://calm.example")
    with key_server(quick.public()) as first, key_server(calm.public()) as second:
        text = f"""
[client.quick.token]
issuer = "{quick.issuer}"
jwks_url = "{first.url}"
[client.quick.limits]
calls_per_minute = 5
[client.calm.token]
issuer = "{calm.issuer}"
jwks_url = "{second.url}"
[client.calm.limits]
body_bytes = 90_000
"""
        for server in run_server(Settings(auth="required", clients_toml=text)):
            url = server.url + PATH
            answers = [server.call({}, headers=quick.bearer(url)) for _ in range(8)]
            assert [one.status_code for one in answers] == [400] * 5 + [429] * 3
            assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
            assert answers[-1].json()["issue"][0]["code"] == "throttled"
            assert server.call(good_call(), headers=calm.bearer(url)).status_code == 200
            too_large = good_call() | {"padding": "x" * 90_000}
            assert server.call(too_large, headers=calm.bearer(url)).status_code == 413


def test_a_call_that_takes_long_does_not_hold_others_up(server: Server) -> None:
    """A lawful chart that takes seconds to judge: small calls are answered all the while."""
    heavy = good_call()
    one = heavy["prefetch"]["observations"]["entry"][0]["resource"]
    part = {"code": one["code"], "valueBoolean": True}
    one["component"] = [part] * 6_000
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.call, heavy)
        served = 0
        while not running.done():
            assert is_served(server)
            served += not running.done()
        assert running.result().status_code == 200
    assert served >= 3


def test_what_large_bodies_hold_is_bounded() -> None:
    """Ten large bodies half-way fill what is set aside; a further large one is put off, a small one is served."""
    for server in run_server(Settings(max_body_bytes=2_000_000, read_seconds=20, shutdown_seconds=1)):
        with contextlib.ExitStack() as stack:
            for _ in range(21):
                one = stack.enter_context(connected(server))
                one.sendall(head(2_000_000) + b" " * 1_950_000)
            time.sleep(0.5)
            url = server.url + PATH
            kind = {"Content-Type": "application/json"}
            late = requests.post(url, data=b" " * 2_000_000, headers=kind, timeout=20)
            assert late.status_code == 503
            assert is_served(server)
        time.sleep(0.5)
        assert requests.post(url, data=b" " * 2_000_000, headers=kind, timeout=20).status_code == 413


def test_a_pipelined_call_is_answered_in_order(strict: Server) -> None:
    body = orjson.dumps(good_call())
    with connected(strict) as connection:
        connection.sendall((head(len(body)) + body) * 3 + head(1, "Connection: close") + b"{")
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"HTTP/1.1 400 Bad Request") == 1


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every regular expression of the package."""
    found = {}
    for module in pkgutil.walk_packages(cds_service.__path__, "cds_service."):
        if ".migrations" in module.name or module.name == "cds_service.replay.spark":  # this needs an extra
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[f"{module.name}.{name}"] = value
    return found


HOSTILE = (
    "a",
    "0",
    "-",
    ".",
    "a.",
    "a-",
    "1-",
    "(",
    "()",
    " ",
    ":",
    "[",
    "0:",
    "%",
    "/",
    "/a",
    "T",
    "\\",
    "+",
    "aA0.-",
)


@pytest.mark.parametrize("name", patterns())
def test_no_regular_expression_runs_away(name: str) -> None:
    """On 100 kB of what makes it try again; a runaway takes hours, so the bound is no timing."""
    pattern = patterns()[name]
    done = threading.Event()

    def go() -> None:
        for piece in HOSTILE:
            for text in (piece * (100_000 // len(piece)) + tail for tail in ("", "!", "\n")):
                value: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
                pattern.fullmatch(value)
                pattern.match(value)
        done.set()

    threading.Thread(target=go, daemon=True).start()
    assert done.wait(60)

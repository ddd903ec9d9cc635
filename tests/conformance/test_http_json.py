"""Rows H: bodies, types, methods, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.settings import Settings
from cds_service.base.strict_json import is_deeper, without_escapes
from tests.conftest import Server, run_server
from tests.web.test_hook import CALL, is_outcome, request_for

JSON = {"Content-Type": "application/json"}


def post(server: Server, data: Any, **headers: str) -> requests.Response:
    return requests.post(server.url + CALL, data=data, headers=JSON | headers, timeout=20)


def valid() -> str:
    return json.dumps(request_for("dvt-likely"))


NOT_JSON = {
    "nothing": b"",
    "cut": b'{"hook": "patient-view"',
    "NaN": b'{"hook": NaN}',
    "Infinity": b'{"hook": -Infinity}',
    "comment": b'{"hook": "patient-view" /* x */}',
    "trailing comma": b'{"hook": "patient-view",}',
    "single quotes": b"{'hook': 'patient-view'}",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"hook": "x"}'.encode("utf-16"),
    "Latin-1": '{"hook": "é"}'.encode("latin-1"),
    "half a character": b'{"hook": "\\ud800"}',
    "control character": b'{"hook": "a\nb"}',
    "two documents": b"{} {}",
    "leading zero": b'{"hook": 01}',
    "bare word": b"hook",
}


@pytest.mark.row("H1", "H5", "V8")
@pytest.mark.parametrize("what", sorted(NOT_JSON))
def test_what_is_no_json_is_400(server: Server, what: str) -> None:
    answer = post(server, NOT_JSON[what])
    assert answer.status_code == 400
    assert is_outcome(answer)


@pytest.mark.row("H1")
def test_escapes_big_numbers_and_any_script_are_json(server: Server) -> None:
    body = request_for("dvt-likely")
    body["extension"] = {"x": ['\u0000🦵 \\ " [{', 1e300, 10**18, -0.0, "日本語"]}
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False), json.dumps(body, indent=4)):
        assert post(server, text.encode()).status_code == 200


def nested(depth: int, kinds: str = "[{") -> str:
    opening, closing = "", ""
    for number in range(depth):
        opening += "[" if kinds[number % len(kinds)] == "[" else '{"a":'
        closing = ("]" if kinds[number % len(kinds)] == "[" else "}") + closing
    return opening + '"x"' + closing


@pytest.mark.row("H1")
@pytest.mark.parametrize("kinds", ["[", "{", "[{", "{[["])
def test_depth_is_limited_exactly(kinds: str) -> None:
    for depth in (1, 63, 64):
        assert not is_deeper(nested(depth, kinds).encode(), 64)
    for depth in (65, 66, 500):
        assert is_deeper(nested(depth, kinds).encode(), 64)


@pytest.mark.row("H1", "H5")
def test_too_deep_is_400(server: Server) -> None:
    body = request_for("dvt-likely")
    body["extension"] = json.loads(nested(62))
    assert server.call(body).status_code == 200
    for depth in (64, 500, 5000):
        text = valid()[:-1] + ', "extension": {"x": ' + nested(depth) + "}}"
        answer = post(server, text)
        assert answer.status_code == 400
        assert is_outcome(answer)


def depth_of(value: Any) -> int:
    """The plain definition."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth_of(one) for one in inner), default=0)


TEXTS = st.text(alphabet='[]{}"\\,: aé\n', max_size=12)
DOCUMENTS = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=25,
)


@given(document=DOCUMENTS, limit=st.integers(1, 8))
def test_depth_means_what_it_says(document: Any, limit: int) -> None:
    """Brackets and quotes in texts are no depth."""
    for text in (json.dumps(document, ensure_ascii=False).encode(), json.dumps(document, indent=1).encode()):
        assert is_deeper(without_escapes(text), limit) == (depth_of(document) > limit)


@pytest.mark.row("H5", "V8")
def test_too_large_is_413_however_it_is_announced() -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 100

    for small in run_server(Settings(max_body_bytes=2000)):
        for data in (b" " * 2001, chunks()):
            answer = post(small, data)
            assert answer.status_code == 413
            assert is_outcome(answer)
        assert post(small, b" " * 2000).status_code == 400


@pytest.mark.row("H6", "V8")
def test_types_of_the_body(server: Server) -> None:
    for kind in (
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "Application/JSON",
    ):
        assert post(server, valid(), **{"Content-Type": kind}).status_code == 200
    for kind in (
        "text/plain",
        "text/json",
        "application/fhir+json",
        "application/json; charset=utf-16",
        "",
        "multipart/form-data",
    ):
        answer = post(server, valid(), **{"Content-Type": kind})
        assert answer.status_code == 415, kind
        assert is_outcome(answer)
    for encoding in ("gzip", "br"):
        assert post(server, b"x", **{"Content-Encoding": encoding}).status_code == 415


@pytest.mark.row("H7", "V8")
def test_unknown_services_are_404(server: Server) -> None:
    for name in ("x", "posterior-knee", "feedback", "..", "%2e%2e", "posterior-knee-pain%00"):
        answer = requests.post(f"{server.url}/cds-services/{name}", json=request_for("dvt-likely"), timeout=10)
        assert answer.status_code in (404, 405), name
        assert is_outcome(answer)


@pytest.mark.row("H8", "V8")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_wrong_methods_are_405(server: Server, method: str) -> None:
    for path in (CALL, f"{CALL}/feedback"):
        answer = requests.request(method, server.url + path, timeout=10)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert method == "HEAD" or is_outcome(answer)
    if method != "GET":
        answer = requests.request(method, f"{server.url}/cds-services", timeout=10)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"


@pytest.mark.row("H6", "R1")
def test_answers_are_json(server: Server) -> None:
    answer = server.call(request_for("dvt-likely"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    answer.content.decode("utf-8", errors="strict")
    assert isinstance(json.loads(answer.content, parse_constant=pytest.fail), dict)

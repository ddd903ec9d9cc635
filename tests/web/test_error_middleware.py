"""An exception that nobody expects: a 500 with words, or a connection that visibly ends in the middle of an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import requests
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from cds_service.web.error_middleware import WORDS, ErrorMiddleware

SECRET = "Exampleton, born 1968"
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}


async def fails_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError(SECRET)


async def fails_in_the_middle(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b'{"cards": [', "more_body": True})
    raise ValueError(SECRET)


async def routed(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await (fails_at_once if scope["path"] == "/at-once" else fails_in_the_middle)(scope, receive, send)


@pytest.fixture
def counted() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def url(counted: list[tuple[str, int]]) -> Iterator[str]:
    app = ErrorMiddleware(routed, lambda route, status: counted.append((route, status)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_before_the_answer_it_is_a_500_with_words(
    url: str, counted: list[tuple[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    answer = requests.get(f"{url}/at-once", timeout=10)
    assert answer.status_code == 500
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert WORDS in answer.text
    assert SECRET not in answer.text
    assert counted == [("none", 500)]
    assert "'event': 'unforeseen'" in caplog.text
    assert "test_error_middleware.py:" in caplog.text
    assert SECRET not in caplog.text


def test_an_answer_that_has_begun_breaks_off_and_is_never_completed(
    url: str, counted: list[tuple[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    """What was sent so far must not look like a whole answer."""
    with pytest.raises(requests.RequestException):
        requests.get(f"{url}/in-the-middle", timeout=10)
    assert counted == [("none", 200)]
    assert "'event': 'unforeseen'" in caplog.text
    assert SECRET not in caplog.text


def test_nothing_is_sent_after_the_fault() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    app = ErrorMiddleware(fails_in_the_middle, lambda _route, _status: None)
    asyncio.run(app({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"]

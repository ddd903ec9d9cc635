"""What uvicorn leaves open: headers without end, senders that never finish, and more connections than can be held.

uvicorn limits neither the size of headers nor the time they may take, and a client that goes on sending after its
answer, or never reads it, keeps its connection for as long as it likes. It serves requests that name no host, or two.
"""

from __future__ import annotations

import re
from asyncio import BaseTransport, TimerHandle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEADERS = 100
LONGEST_HOST = 261
"""A name of 255 letters, a colon and a port."""
_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?")
FRAMES_PER_BYTE = 8
"""A body in chunks of one byte each is six bytes to the byte; extensions and trailers could be any number."""
LINGER_SECONDS = 2.0
"""How long what a client still sends after its answer is taken in, so that it can read the answer."""


def _names_one_host(headers: Sequence[tuple[bytes, bytes]], version: str) -> bool:
    """Whether the headers (names in lower case) say for which host the request is, and say it once (RFC 9112, 3.2).

    Else a proxy could take it for one host and we for another. HTTP/1.0 need not say it.
    """
    hosts = [value.strip(b" \t") for name, value in headers if name == b"host"]
    if not hosts:
        return version == "1.0"
    return len(hosts) == 1 and len(hosts[0]) <= LONGEST_HOST and _HOST.fullmatch(hosts[0]) is not None


class Waiting:
    """The connections that have not asked for anything yet, the oldest first; one for the whole process."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0
        self._silent: dict[Any, None] = {}

    def joins(self, one: GuardedProtocol) -> None:
        """A new connection. When there are too many, the one that has been silent longest gives way."""
        self.open += 1
        self._silent[one] = None
        if self.open > self.most:
            oldest = next(iter(self._silent))
            self._silent.pop(oldest, None)
            oldest.give_way()

    def waits(self, one: GuardedProtocol) -> None:
        """It has its answer and may ask again."""
        self._silent.setdefault(one, None)

    def asks(self, one: GuardedProtocol) -> None:
        """Its headers are complete."""
        self._silent.pop(one, None)

    def leaves(self, one: GuardedProtocol) -> None:
        """It is closed."""
        self.open -= 1
        self._silent.pop(one, None)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """``bytes``: of headers. ``seconds``: for them to arrive. ``connections``: open at once."""

    bytes: int
    seconds: float
    connections: int


class GuardedConfig(uvicorn.Config):
    """uvicorn's own, with limits that go along into worker processes."""

    def __init__(self, app: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, http=GuardedProtocol, **options)
        self.limits = limits


_waiting: WeakKeyDictionary[ServerState, Waiting] = WeakKeyDictionary()
"""One for each server of the process; uvicorn makes the protocols itself and gives them only its own state."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's own, with limits."""

    def __init__(self, config: GuardedConfig, server_state: ServerState, *more: Any, **others: Any) -> None:
        super().__init__(config, server_state, *more, **others)
        self.limits = config.limits
        self.waiting = _waiting.setdefault(server_state, Waiting(config.limits.connections))
        self._head_bytes = 0
        self._head_complete = False
        self._message_complete = True
        self._received = self._body = 0  # bytes of this request, and those of them that are its body
        self._timer: TimerHandle | None = None
        self._unread: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._start_timer(self.limits.seconds)
        self.waiting.joins(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._unread is not None:
            self._unread.cancel()
        self.waiting.leaves(self)
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Make room for another connection."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        between = self._message_complete
        if between and self._timer is None:
            self._start_timer(self.limits.seconds)  # also for bytes that begin no request
        if not self._head_complete:
            self._head_bytes += len(data)
        self._received += len(data)
        super().data_received(data)
        if not self._head_complete and self._head_bytes > self.limits.bytes and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large")
        elif self._received - self._body > 2 * self.limits.bytes + FRAMES_PER_BYTE * self._body:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._head_complete, self._message_complete = False, False
        self._received = self._body = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._head_complete = True
        self.waiting.asks(self)
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.bytes or len(self.headers) > MAX_HEADERS:
            self._refuse(b"431 Request Header Fields Too Large")
            raise ValueError("headers too large")
        if not _names_one_host(self.headers, self.parser.get_http_version()):
            self._refuse(b"400 Bad Request")
            raise ValueError("no single host")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_complete:  # what follows a body in chunks is nobody's concern, and has no end
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        self._received = self._body = 0
        self._message_complete, self._head_complete, self._head_bytes = True, False, 0
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._stop_timer()
            self._start_timer(self.limits.seconds)  # uvicorn has no timer now: it ended with the answer

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.waiting.waits(self)
        early = self.cycle is not None and self.cycle.response_complete and not self._message_complete
        if early and not self.transport.is_closing():
            self._stop_timer()
            self._start_timer(LINGER_SECONDS)

    def pause_writing(self) -> None:
        """The client does not take its answer: it has as long for that as for asking."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _refuse(self, status: bytes) -> None:
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

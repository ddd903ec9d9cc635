"""Limits that uvicorn lacks: size and time of headers, slow or endless senders, and open connections.

uvicorn does not limit the size of headers or the time they may take. A client that keeps sending after its answer, or
never reads it, keeps its connection open for ever. uvicorn also accepts requests with no Host header or with two.
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
MAX_HOST_LENGTH = 261
"""A name of 255 letters, a colon and a port."""
_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?")
FRAMES_PER_BYTE = 8
"""Most bytes on the wire per byte of body. Chunks of one byte each need six; extensions and trailers could need any
number."""
LINGER_SECONDS = 2.0
"""How long to accept what a client still sends after its answer, so that the client can read the answer."""


def _names_one_host(headers: Sequence[tuple[bytes, bytes]], version: str) -> bool:
    """Whether the headers (names in lower case) name exactly one valid host (RFC 9112, 3.2).

    Otherwise a proxy and this service could read different hosts. HTTP/1.0 may omit it.
    """
    hosts = [value.strip(b" \t") for name, value in headers if name == b"host"]
    if not hosts:
        return version == "1.0"
    return len(hosts) == 1 and len(hosts[0]) <= MAX_HOST_LENGTH and _HOST.fullmatch(hosts[0]) is not None


class OpenConnections:
    """The open connections, and those without a request in progress, oldest first. One instance per server."""

    def __init__(self, max_open: int) -> None:
        self.max_open = max_open
        self.open = 0
        self._idle: dict[Any, None] = {}

    def add(self, connection: GuardedProtocol) -> None:
        """Add a new connection. If there are too many, close the one that has been idle longest."""
        self.open += 1
        self._idle[connection] = None
        if self.open > self.max_open:
            oldest = next(iter(self._idle))
            self._idle.pop(oldest, None)
            oldest.make_room()

    def mark_idle(self, connection: GuardedProtocol) -> None:
        """Mark a connection as idle: its answer is sent and it may send another request."""
        self._idle.setdefault(connection, None)

    def mark_busy(self, connection: GuardedProtocol) -> None:
        """Mark a connection as busy: its headers are complete."""
        self._idle.pop(connection, None)

    def remove(self, connection: GuardedProtocol) -> None:
        """Remove a closed connection."""
        self.open -= 1
        self._idle.pop(connection, None)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """``bytes``: size of the headers. ``seconds``: time for them to arrive. ``connections``: open at once."""

    bytes: int
    seconds: float
    connections: int


class GuardedConfig(uvicorn.Config):
    """uvicorn's ``Config`` with our limits, which it also passes to worker processes."""

    def __init__(self, app: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, http=GuardedProtocol, **options)
        self.limits = limits


_open_connections: WeakKeyDictionary[ServerState, OpenConnections] = WeakKeyDictionary()
"""By uvicorn's server state, the only object that uvicorn passes to the protocols it creates."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with our limits."""

    def __init__(self, config: GuardedConfig, server_state: ServerState, *more: Any, **others: Any) -> None:
        super().__init__(config, server_state, *more, **others)
        self.limits = config.limits
        self.open_connections = _open_connections.setdefault(server_state, OpenConnections(config.limits.connections))
        self._head_bytes = 0
        self._head_complete = False
        self._message_complete = True
        self._received = self._body = 0  # bytes of this request, and of its body
        self._timer: TimerHandle | None = None
        self._unread: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._start_timer(self.limits.seconds)
        self.open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._unread is not None:
            self._unread.cancel()
        self.open_connections.remove(self)
        super().connection_lost(exc)

    def make_room(self) -> None:
        """Close this connection to make room for another."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        between = self._message_complete
        if between and self._timer is None:
            self._start_timer(self.limits.seconds)  # also for bytes that are not the start of a request
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
        self.open_connections.mark_busy(self)
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
        if not self._head_complete:  # ignore trailers of a chunked body: they have no limit
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        self._received = self._body = 0
        self._message_complete, self._head_complete, self._head_bytes = True, False, 0
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._stop_timer()
            self._start_timer(self.limits.seconds)  # uvicorn's own timer ended with the answer

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.open_connections.mark_idle(self)
        early = self.cycle is not None and self.cycle.response_complete and not self._message_complete
        if early and not self.transport.is_closing():
            self._stop_timer()
            self._start_timer(LINGER_SECONDS)

    def pause_writing(self) -> None:
        """The client does not read its answer: abort after the same time as for headers."""
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
        self._timer = self.loop.call_later(seconds, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

"""A FHIR server on loopback that does as it is told, also what no FHIR server should."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

KEYS = {
    "Patient": "patient",
    "Observation": "observations",
    "Condition": "conditions",
    "Procedure": "procedures",
    "MedicationRequest": "medications",
    "ServiceRequest": "orders",
}


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


Behaviour = Callable[[socket.socket, Asked], bool]
"""Answers a request; false ends the connection."""


@dataclass
class FhirServer:
    """``behaviours``: prefetch key, or whole path -> what to do instead of serving the chart."""

    prefetch: Mapping[str, Any] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None
    open: set[socket.socket] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Base URL."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/fhir"

    def keys_asked(self) -> list[str]:
        """The prefetch keys of the requests so far, sorted."""
        return sorted(KEYS.get(one.path.split("/")[2], one.path) for one in list(self.asked))

    def answer(self, connection: socket.socket, asked: Asked) -> bool:
        """One request."""
        self.asked.append(asked)
        kind = asked.path.split("/")[2] if asked.path.count("/") >= 2 else ""
        key = KEYS.get(kind, "")
        behaviour = self.behaviours.get(asked.path) or self.behaviours.get(key)
        if behaviour is None:
            value = self.prefetch.get(key)
            behaviour = body(value if value is not None else empty())
        return behaviour(connection, asked)


def empty() -> dict[str, Any]:
    """A searchset without matches."""
    return {"resourceType": "Bundle", "type": "searchset", "total": 0}


def outcome(severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "exception"}]}


def head(status: int, length: int | None, kind: str = "application/fhir+json", *more: str) -> bytes:
    """Status line and headers."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def raw(status: int, content: bytes, kind: str = "application/fhir+json", *more: str) -> Behaviour:
    """Any answer."""

    def act(connection: socket.socket, _: Asked) -> bool:
        connection.sendall(head(status, len(content), kind, *more) + content)
        return True

    return act


def body(value: Any) -> Behaviour:
    """200 with JSON."""
    return raw(200, orjson.dumps(value))


def zipped(value: Any) -> Behaviour:
    """200 with gzip."""
    return raw(200, gzip.compress(orjson.dumps(value)), "application/fhir+json", "Content-Encoding: gzip")


def chunked(value: Any, *, cut: bool = False) -> Behaviour:
    """200 in chunks; ``cut``: the connection ends before the last."""

    def act(connection: socket.socket, _: Asked) -> bool:
        content = orjson.dumps(value)
        connection.sendall(head(200, None, "application/fhir+json", "Transfer-Encoding: chunked"))
        for start in range(0, len(content), 500):
            part = content[start : start + 500]
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            if cut:
                return False
        connection.sendall(b"0\r\n\r\n")
        return True

    return act


def after(seconds: float, then: Behaviour) -> Behaviour:
    """The same, later."""

    def act(connection: socket.socket, asked: Asked) -> bool:
        time.sleep(seconds)
        return then(connection, asked)

    return act


def never(connection: socket.socket, _: Asked) -> bool:
    """Waits until the other side gives up."""
    connection.settimeout(30)
    with contextlib.suppress(OSError):
        connection.recv(1)
    return False


def stalls_in_the_body(connection: socket.socket, asked: Asked) -> bool:
    """Headers and half of a body, then nothing."""
    connection.sendall(head(200, 5000) + b'{"resourceType": "Bundle", ')
    return never(connection, asked)


def drips(connection: socket.socket, asked: Asked) -> bool:
    """A byte now and then, so that no single read ever times out."""
    connection.sendall(head(200, 5000))
    with contextlib.suppress(OSError):
        for _ in range(600):
            connection.sendall(b" ")
            time.sleep(0.05)
    return False


def closes_half_way(connection: socket.socket, _: Asked) -> bool:
    """Promises more than it sends."""
    connection.sendall(head(200, 5000) + b'{"resourceType": "Bundle"}')
    return False


def resets(connection: socket.socket, _: Asked) -> bool:
    """RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def speaks_something_else(connection: socket.socket, _: Asked) -> bool:
    """The greeting of a mail server."""
    connection.sendall(b"220 smtp\r\n\r\n")
    return False


def once(first: Behaviour, then: Behaviour) -> Behaviour:
    """``first`` for the first request, ``then`` for all others."""
    lock, done = threading.Lock(), []

    def act(connection: socket.socket, asked: Asked) -> bool:
        with lock:
            done.append(1)
            behaviour = first if len(done) == 1 else then
        return behaviour(connection, asked)

    return act


@contextmanager
def running(prefetch: Mapping[str, Any] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[FhirServer]:
    """A server with a chart by prefetch key, until the block ends."""
    server = FhirServer(dict(prefetch or {}), tls=tls)
    listener = socket.create_server(("127.0.0.1", 0), backlog=500)
    server.port = listener.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            server.open.add(connection)
            threading.Thread(target=_serve, args=(server, connection), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in list(server.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def _serve(server: FhirServer, accepted: socket.socket) -> None:
    with contextlib.suppress(OSError), _secured(accepted, server.tls) as connection:
        stream = connection.makefile("rb")
        with stream:
            while line := stream.readline():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                headers = {}
                while (row := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = row.decode("latin-1").partition(":")
                    headers[name.strip().lower()] = value.strip()
                parts = urlsplit(target)
                asked = Asked(method, parts.path, parse_qs(parts.query), headers)
                if not server.answer(connection, asked):
                    break
    server.open.discard(accepted)


def _secured(connection: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return tls.wrap_socket(connection, server_side=True) if tls else connection

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
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

KEYS = {
    "Patient": "patient",
    "Observation": "observations",
    "Condition": "conditions",
    "Procedure": "procedures",
    "MedicationRequest": "medications",
    "ServiceRequest": "orders",
    "MedicationStatement": "medication_statements",
    "DiagnosticReport": "reports",
    "Encounter": "encounter",
}


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    form: Mapping[str, list[str]] = field(default_factory=dict)


Behaviour = Callable[[socket.socket, Asked], bool]
"""Answers a request; false ends the connection."""


@dataclass
class FhirServer:
    """``behaviours``: prefetch key, or whole path -> what to do instead of serving the chart.

    ``charts``: serves real searches instead of ``prefetch``.
    """

    prefetch: Mapping[str, Any] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    charts: Charts | None = None
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
        """The parts that were asked for so far, sorted; each search of a part is one."""
        return sorted(KEYS.get(request.path.split("/")[2], request.path) for request in list(self.asked))

    def answer(self, connection: socket.socket, asked: Asked) -> bool:
        """One request."""
        self.asked.append(asked)
        kind = asked.path.split("/")[2] if asked.path.count("/") >= 2 else ""
        key = KEYS.get(kind, "")
        behaviour = self.behaviours.get(asked.path) or self.behaviours.get(key)
        if behaviour is None and self.charts is not None:
            behaviour = self.charts.answers
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


REQUIRED: dict[str, tuple[set[str], ...]] = {
    "Observation": ({"patient", "category"}, {"patient", "category", "date"}, {"patient", "code"}),
    "Condition": ({"patient"}, {"patient", "category"}),
    "Procedure": ({"patient"}, {"patient", "date"}),
    "MedicationRequest": ({"patient", "intent"}, {"patient", "intent", "status"}),
    "ServiceRequest": ({"patient"}, {"patient", "category"}, {"patient", "code"}),
    "DiagnosticReport": ({"patient"}, {"patient", "category"}, {"patient", "code"}),
    "MedicationStatement": ({"patient"},),
}
"""The searches that US Core requires of a server, by type; MedicationStatement is none of US Core's."""
MAX_TARGET_LENGTH = 4_000


@dataclass
class Charts:
    """Searches over one patient's chart as a FHIR server does them, in pages. Answers with ``answers``.

    Rows of others that stand in ``resources`` were filed in this chart, and are found with it.

    Attributes:
        strict: refuse what US Core does not require, and addresses that are too long.
        lacks: resource types that this server does not have.
        sent: bytes of all answers.
    """

    resources: list[dict[str, Any]]
    strict: bool = True
    lacks: tuple[str, ...] = ()
    takes_forms: bool = True
    most: int = 200
    sent: int = 0
    refused: list[str] = field(default_factory=list)

    def answers(self, connection: socket.socket, asked: Asked) -> bool:
        """One request."""
        status, value = self._found(asked)
        content = orjson.dumps(value)
        self.sent += len(content)
        if status != 200:
            self.refused.append(f"{status} {asked.path} {sorted(asked.query)}")
        return raw(status, content)(connection, asked)

    def _found(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        kind, _, rest = asked.path.removeprefix("/fhir/").partition("/")
        if kind in self.lacks:
            return 404, outcome()
        here = [resource for resource in self.resources if resource["resourceType"] == kind]
        if rest and rest != "_search":
            found = next((resource for resource in here if resource.get("id") == rest), None)
            return (200, found) if found else (404, outcome())
        if (rest == "_search") is not (asked.method == "POST") or (rest and not self.takes_forms):
            return 404, outcome()
        return self._searched(kind, here, asked)

    def _searched(self, kind: str, here: list[dict[str, Any]], asked: Asked) -> tuple[int, dict[str, Any]]:
        wanted = {name: values[0] for name, values in {**asked.query, **asked.form}.items()}
        count = min(int(wanted.pop("_count", "50")), self.most)
        start = int(wanted.pop("_offset", "0"))
        too_long = len(str(asked.query)) > MAX_TARGET_LENGTH
        if self.strict and (too_long or set(wanted) not in REQUIRED.get(kind, ())):
            return 414 if too_long else 400, outcome()
        wanted.pop("_sort", None)
        found = [
            resource for resource in here if all(_matches(resource, name, value) for name, value in wanted.items())
        ]
        links = []
        if start + count < len(found):
            more = urlencode({**wanted, "_count": count, "_offset": start + count})
            links = [{"relation": "next", "url": f"./{kind}?{more}"}]
        rows = [{"resource": resource, "search": {"mode": "match"}} for resource in found[start : start + count]]
        return 200, {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links, "entry": rows}


def _matches(resource: Mapping[str, Any], name: str, value: str) -> bool:
    listed = value.split(",")
    if name == "patient":
        return True
    if name == "date":
        return str(resource.get("effectiveDateTime", "")) >= value.removeprefix("ge")
    if name in ("intent", "status"):
        return resource.get(name) in listed
    concepts = resource.get(name) or []
    codings = [coding for concept in _listed(concepts) for coding in concept.get("coding", ())]
    return any(coding.get("code") in listed for coding in codings)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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
                form = stream.read(int(headers.get("content-length", "0"))).decode()
                asked = Asked(method, parts.path, parse_qs(parts.query), headers, parse_qs(form))
                if not server.answer(connection, asked):
                    break
    server.open.discard(accepted)


def _secured(connection: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return tls.wrap_socket(connection, server_side=True) if tls else connection

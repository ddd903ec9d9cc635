"""What the HTTP client is asked and how it answers: time limits, responses, and codes for why there is none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from cds_service.base.networks import Networks, is_loopback
from cds_service.base.strict_json import JsonLimits
from cds_service.base.urls import Address

MAX_BYTES = 20_000_000
ANSWER_LIMITS = JsonLimits(depth=64, entries=10_000)
PLAIN_HTTP: Final = "plain_http"
"""Code for a server that must not be sent a secret, because the network in between could read it."""
Why = Literal[
    "cut_short", "forbidden_address", "limited", "not_fhir", "not_found", "plain_http", "redirect", "refused",
    "server_error", "timeout", "too_large", "unreachable", "wrong_type",
]  # fmt: skip
"""Why a server gave no usable response. Each code has a row in deploy/TROUBLESHOOTING.md."""


class NoAnswer(Exception):
    """A server gave no usable response. ``why``: a code for the reason."""

    def __init__(self, why: Why) -> None:
        self.why: Why = why
        super().__init__(why)


class Deadline:
    """The time limit of one read, and the socket that it uses at the moment. ``deadline``: monotonic seconds."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.ended = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.deadline - time.monotonic()

    def uses(self, used: socket.socket | None) -> None:
        """Set the socket in use. The connection calls this; None when it returns to the pool for other reads."""
        with self._lock:
            self._socket = used
        if self.ended:
            self.cut()

    def cut(self) -> None:
        """Stop receiving, so that no thread outlives its call. Data that has arrived can still be read."""
        with self._lock:
            self.ended = True
            if self._socket is not None:
                with suppress(OSError):
                    # Call the plain method even for a TLS socket, because it does not wait for the TLS shutdown.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Reply:
    """The response of a server. ``value``: the JSON of its body; None if it is not a valid, unambiguous JSON object."""

    status: int
    headers: Mapping[str, str]
    value: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Terms:
    """How servers are connected to.

    Attributes:
        size: limit of kept connections to one server.
        per_call: seconds for a single request.
        ca_bundle: file of CA certificates; None for the default ones.
        networks: networks that may be connected to.
        max_bytes: limit for the body of a response.
        limits: limits for the JSON of a response.
        accept: value of the ``Accept`` header.
    """

    size: int
    per_call: float
    ca_bundle: str | None
    networks: Networks
    max_bytes: int = MAX_BYTES
    limits: JsonLimits = ANSWER_LIMITS
    accept: str = "application/fhir+json"


def may_carry_secrets(url: str) -> bool:
    """Return whether secrets may be sent to ``url``: it uses TLS or is on this machine."""
    if url.startswith("https://"):
        return True
    try:
        return is_loopback(Address.parse(url.partition("?")[0]).host)
    except ValueError:
        return False

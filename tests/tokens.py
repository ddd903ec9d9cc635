"""Clients that sign: keys, a key server on loopback, and tokens good and bad."""

from __future__ import annotations

import json
import threading
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.conftest import NOW
from tests.leaks import LEAKS

ISSUER = "https://ehr.north.example"
PATH = "/cds-services/posterior-knee-pain"


def part(value: Any) -> str:
    """A part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Signer:
    """A client of the service with a key of its own."""

    issuer: str = ISSUER
    kid: str = "one"
    algorithm: str = "ES384"
    key: ECKey | RSAKey = field(default_factory=lambda: ECKey.generate_key("P-384"))

    def public(self, **more: Any) -> dict[str, Any]:
        """The key as it is published."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", **more}

    def claims(self, url: str, **changes: Any) -> dict[str, Any]:
        """Lawful claims for ``url``, with changes; None takes a claim away."""
        now = int(NOW.timestamp())
        lawful = {"iss": self.issuer, "aud": url, "iat": now, "exp": now + 300, "jti": str(uuid4())}
        return {name: value for name, value in {**lawful, **changes}.items() if value is not None}

    def header(self, **changes: Any) -> dict[str, Any]:
        """A lawful header, with changes; None takes a field away."""
        lawful = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
        return {name: value for name, value in {**lawful, **changes}.items() if value is not None}

    def sign(self, header: Any, claims: Any) -> str:
        """A token with exactly these, which no library would make."""
        start = f"{part(header)}.{part(claims)}"
        model = JWSRegistry.algorithms[self.algorithm]
        signature = part(model.sign(start.encode(), self.key))
        LEAKS.signatures.add(signature.encode())
        return f"{start}.{signature}"

    def token(self, url: str, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A lawful token for ``url`` but for the changes."""
        return self.sign(self.header(**(header or {})), self.claims(url, **claims))

    def bearer(self, url: str, **claims: Any) -> dict[str, str]:
        """The header of a lawful call."""
        return {"Authorization": f"Bearer {self.token(url, **claims)}"}


def rsa_signer(bits: int = 2048, algorithm: str = "RS384", kid: str = "rsa") -> Signer:
    """A client with an RSA key."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of weak keys, which are what is wanted here
        return Signer(kid=kid, algorithm=algorithm, key=RSAKey.generate_key(bits))


@dataclass
class KeyServer:
    """A key server on loopback. ``answer``: status, headers and body of every answer."""

    port: int
    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"http://127.0.0.1:{self.port}/keys"


@contextmanager
def key_server(*keys: dict[str, Any], port: int = 0) -> Iterator[KeyServer]:
    """A key server with ``keys`` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # head and body leave in one packet: in two, the second waits 40 ms for the first one's receipt

        def do_GET(self) -> None:
            state.asked.append(self.path)
            body = state.body if state.body is not None else json.dumps({"keys": state.keys}).encode()
            self.send_response(state.status)
            for name, value in {"Content-Type": "application/json", **state.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    listener.daemon_threads = True
    state = KeyServer(listener.server_address[1], list(keys))
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)

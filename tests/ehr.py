"""An EHR on loopback: a small conformant SMART authorization server and a FHIR server, which can be made to fail.

It checks what SMART App Launch 2 lets an authorization server check (PKCE, redirect, audience, client assertion, one
use of a code) and answers FHIR reads, searches, and conditional creates.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.conftest import NOW

CLIENT_ID = "posterior-knee"
PRACTITIONER = "Practitioner/dr-north"
SCOPES = (
    "launch openid fhirUser patient/Patient.r patient/Observation.rs patient/ServiceRequest.rs patient/ServiceRequest.c"
)


@dataclass
class Ehr:
    """``chart``: Type/id -> resource. ``faults``: path of a FHIR call -> what to answer instead.

    ``lends``: changes to the token response; None takes a key away. ``claims``: the same for the id token.
    """

    port: int = 0
    chart: dict[str, dict[str, Any]] = field(default_factory=dict)
    patient: str = ""
    encounter: str | None = None
    scope: str = SCOPES
    lends: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ("read", "search-type", "create")
    client_key: ECKey | None = None
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-384"))
    refuses: str = ""
    faults: dict[str, Callable[[Call], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    launches: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    assertions: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def iss(self) -> str:
        """FHIR base URL."""
        return f"{self.origin}/fhir"

    def launch(self, context: str = "") -> str:
        """A launch handle for a card's link with this appContext."""
        handle = str(uuid4())
        self.launches[handle] = context
        return handle

    def launch_url(self, service: str, context: str = "") -> str:
        """Where the EHR sends the browser."""
        return f"{service}/orders/launch?{urlencode({'iss': self.iss, 'launch': self.launch(context)})}"

    def put(self, *resources: dict[str, Any]) -> None:
        """Add to the chart."""
        for resource in resources:
            self.chart[f"{resource['resourceType']}/{resource['id']}"] = resource

    def posts(self, kind: str = "ServiceRequest") -> int:
        """How many orders, or others, were sent."""
        return self.asked.count(f"POST /fhir/{kind}")


@dataclass
class Call:
    """One request, and how to answer it."""

    ehr: Ehr
    handler: BaseHTTPRequestHandler
    method: str
    path: str
    query: dict[str, str]
    body: bytes

    def answer(self, status: int, value: Any = None, **headers: str) -> None:
        """JSON."""
        content = b"" if value is None else json.dumps(value).encode()
        self.handler.send_response(status)
        for name, text in {"Content-Type": "application/fhir+json", **headers}.items():
            self.handler.send_header(name.replace("_", "-"), text)
        self.handler.send_header("Content-Length", str(len(content)))
        self.handler.end_headers()
        self.handler.wfile.write(content)

    def outcome(self, status: int, words: str) -> None:
        """An OperationOutcome."""
        issue = {"severity": "error", "code": "invalid", "diagnostics": words, "expression": ["ServiceRequest.code"]}
        self.answer(status, {"resourceType": "OperationOutcome", "issue": [issue]})

    def close(self) -> None:
        """No answer at all."""
        self.handler.close_connection = True


def fails(status: int, words: str = "no") -> Callable[[Call], None]:
    """Answers with an error."""
    return lambda call: call.outcome(status, words)


def hangs_up(call: Call) -> None:
    """The connection ends without an answer."""
    call.close()


def does_it_and_hangs_up(call: Call) -> None:
    """The order is created, but nobody hears of it."""
    with call.ehr.lock:
        _create(call.ehr, json.loads(call.body))
    call.close()


@contextmanager
def running_ehr(**setup: Any) -> Iterator[Ehr]:
    """An EHR until the block ends."""
    ehr = Ehr(**setup)

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # head and body leave in one packet: in two, the second waits 40 ms for the first one's receipt
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle("GET")

        def do_POST(self) -> None:
            self._handle("POST")

        def _handle(self, method: str) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            ehr.asked.append(f"{method} {self.path}")
            call = Call(ehr, self, method, parts.path, query, body)
            fault = ehr.faults.get(f"{method} {parts.path}")
            (fault or routed)(call)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    ehr.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield ehr
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)


def routed(call: Call) -> None:
    """Answers as the EHR does without a fault."""
    if call.path == "/fhir/.well-known/smart-configuration":
        _configuration(call)
    elif call.path == "/auth/authorize":
        _authorize(call)
    elif call.path == "/auth/token" and call.method == "POST":
        _token(call)
    elif call.path == "/auth/keys":
        call.answer(200, {"keys": [{**call.ehr.key.as_dict(private=False), "kid": "ehr", "use": "sig"}]})
    elif call.path == "/fhir/metadata":
        _metadata(call)
    elif call.path.startswith("/fhir/"):
        _fhir(call)
    else:
        call.outcome(404, "nothing here")


def _configuration(call: Call) -> None:
    origin = call.ehr.origin
    found = {
        "issuer": call.ehr.iss,
        "jwks_uri": f"{origin}/auth/keys",
        "authorization_endpoint": f"{origin}/auth/authorize",
        "token_endpoint": f"{origin}/auth/token",
        "grant_types_supported": ["authorization_code"],
        "capabilities": ["launch-ehr", "client-confidential-asymmetric", "context-ehr-patient", "sso-openid-connect"],
        "code_challenge_methods_supported": ["S256"],
        **call.ehr.configuration,
    }
    call.answer(
        200, {name: value for name, value in found.items() if value is not None}, Content_Type="application/json"
    )


def _authorize(call: Call) -> None:
    ehr, query = call.ehr, call.query
    for name, wanted in {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "aud": ehr.iss,
        "code_challenge_method": "S256",
    }.items():
        if query.get(name) != wanted:
            ehr.wrong.append(f"{name} is {query.get(name)!r}")
    if query.get("launch") not in ehr.launches or len(query.get("state", "")) < 20:
        ehr.wrong.append("launch or state")
    back = query["redirect_uri"]
    if ehr.refuses:
        answer = {"error": ehr.refuses, "state": query["state"]}
    else:
        code = str(uuid4())
        ehr.codes[code] = {**query}
        answer = {"code": code, "state": query["state"]}
    call.answer(302, None, Location=f"{back}?{urlencode(answer)}")


def _token(call: Call) -> None:
    ehr = call.ehr
    sent = {name: values[-1] for name, values in parse_qs(call.body.decode()).items()}
    begun = ehr.codes.pop(sent.get("code", ""), None)
    if begun is None or sent.get("redirect_uri") != begun["redirect_uri"] or not _proves(sent, begun):
        call.answer(400, {"error": "invalid_grant"})
        return
    if not _is_client(ehr, sent):
        call.answer(401, {"error": "invalid_client"})
        return
    token = f"token-{uuid4()}"
    ehr.tokens.add(token)
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": ehr.scope,
        "patient": ehr.patient,
        "encounter": ehr.encounter,
        "need_patient_banner": True,
        "appContext": ehr.launches[begun["launch"]] or None,
        "id_token": _id_token(ehr, begun),
        **ehr.lends,
    }
    told = {name: value for name, value in answer.items() if value is not None}
    call.answer(200, told, Content_Type="application/json", Cache_Control="no-store")


def _proves(sent: dict[str, str], begun: dict[str, str]) -> bool:
    digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode() == begun.get("code_challenge")


def _is_client(ehr: Ehr, sent: dict[str, str]) -> bool:
    if ehr.client_key is None:
        return sent.get("client_id") == CLIENT_ID
    if sent.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
        return False
    read = jwt.decode(sent["client_assertion"], ehr.client_key, algorithms=["ES384"])
    claims, header = read.claims, read.header
    fresh = claims["jti"] not in ehr.assertions
    ehr.assertions.add(claims["jti"])
    lawful = claims["iss"] == claims["sub"] == CLIENT_ID and claims["aud"] == f"{ehr.origin}/auth/token"
    return (
        fresh
        and lawful
        and 0 < claims["exp"] - time.time() <= 300
        and header["kid"] == "ours"
        and header["typ"] == "JWT"
    )


def _id_token(ehr: Ehr, begun: dict[str, str]) -> str:
    now = int(NOW.timestamp())
    claims = {
        "iss": ehr.iss,
        "aud": CLIENT_ID,
        "sub": "north",
        "iat": now,
        "exp": now + 300,
        "nonce": begun.get("nonce"),
        "fhirUser": f"{ehr.iss}/{PRACTITIONER}",
        **ehr.claims,
    }
    told = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "ES384", "kid": "ehr"}, told, ehr.key, algorithms=["ES384"])


def _metadata(call: Call) -> None:
    interactions = [{"code": capability} for capability in call.ehr.capabilities]
    kinds = ("ServiceRequest", "Observation")
    resources = [{"type": kind, "interaction": interactions, "conditionalCreate": True} for kind in kinds]
    call.answer(200, {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": resources}]})


def _fhir(call: Call) -> None:
    if call.handler.headers.get("Authorization", "").removeprefix("Bearer ") not in call.ehr.tokens:
        call.outcome(401, "the token is not known or has ended")
        return
    name = call.path.removeprefix("/fhir/")
    if call.method == "POST" and not name.endswith("/_search"):
        _posted(call, name)
        return
    name = name.removesuffix("/_search")
    if "/" in name:
        found = call.ehr.chart.get(name)
        call.answer(200, found) if found else call.outcome(404, "not found")
    else:
        found_all = [resource for resource in call.ehr.chart.values() if resource["resourceType"] == name]
        if wanted := call.query.get("identifier"):
            found_all = [resource for resource in found_all if _has_identifier(resource, wanted)]
        entries = [{"resource": resource, "search": {"mode": "match"}} for resource in found_all]
        call.answer(200, {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries})


def _has_identifier(resource: dict[str, Any], wanted: str) -> bool:
    system, _, value = wanted.partition("|")
    return any(
        identifier.get("system") == system and identifier.get("value") == value
        for identifier in resource.get("identifier") or []
    )


def _posted(call: Call, name: str) -> None:
    resource = json.loads(call.body)
    condition = call.handler.headers.get("If-None-Exist", "")
    call.ehr.conditions.append(condition)
    with call.ehr.lock:
        existing = [
            stored
            for stored in call.ehr.chart.values()
            if stored["resourceType"] == name and _has_identifier(stored, condition.removeprefix("identifier="))
        ]
        stored = existing[0] if existing else _create(call.ehr, resource)
    call.answer(200 if existing else 201, stored, Location=f"{call.ehr.iss}/{name}/{stored['id']}/_history/1")


def _create(ehr: Ehr, resource: dict[str, Any]) -> dict[str, Any]:
    stored = {**resource, "id": f"placed-{len(ehr.created) + 1}"}
    ehr.created.append(stored)
    ehr.put(stored)
    return stored

"""SMART App Launch 2, EHR launch: from the EHR's launch to an access token for one patient.

Authlib implements the protocol, and all connections use our own transport. Tokens are never sent to the browser.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from cds_service.adapters.clients.jwks import Keys, read_keys
from cds_service.adapters.clients.model import Caller, Smart
from cds_service.adapters.clients.signing import SigningKey
from cds_service.adapters.http import Transport
from cds_service.adapters.http_terms import Deadline, NoAnswer
from cds_service.adapters.order_links import Page
from cds_service.base.networks import is_loopback
from cds_service.base.urls import Address
from cds_service.service.smart.launches import Launch, LaunchFailed
from cds_service.service.smart.refusals import refused

SECONDS = 8.0
"""Time limit for one request to an EHR."""
_MAX_LENGTH = 4_000
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_USER = re.compile(r"(?:.*/)?((?:Practitioner|PractitionerRole)/[A-Za-z0-9\-.]{1,64})")
_TOKEN = re.compile(r"[!-~]{1,16000}")
_SIGNED_WITH = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384"]
_LEEWAY = 60
_SHORT_LIFE, _LONG_LIFE = 300, 3600


@dataclass(frozen=True, slots=True)
class Granted:
    """What the EHR granted. ``context``: our appContext, if the EHR returned it; else empty."""

    token: str
    expires: float
    scope: str
    patient: str
    encounter: str
    user: str
    banner: bool
    context: str


def begin(
    transport: Transport, caller: Caller, iss: str, launch: str, redirect_uri: str, state: str, page: Page
) -> tuple[str, Launch]:
    """Return the URL to send the browser to, and the launch to store.

    Args:
        transport: for requests to the EHR.
        caller: the client whose EHR launches the page.
        iss: the FHIR base URL, as configured.
        launch: the launch id from the EHR.
        redirect_uri: our address for the EHR's response.
        state: id of the ticket.

    Raises:
        LaunchFailed: the EHR does not answer, or does not support what is needed.
    """
    smart = _smart(caller)
    if not 0 < len(launch) <= _MAX_LENGTH:
        raise LaunchFailed("no_launch")
    configuration = _configuration(transport, iss)
    begun = Launch(
        client=caller.name,
        iss=iss,
        verifier=secrets.token_urlsafe(48),
        nonce=secrets.token_urlsafe(16),
        token_url=_endpoint(configuration, "token_endpoint"),
        jwks_url=_endpoint(configuration, "jwks_uri") if configuration.get("jwks_uri") else "",
        issuer=str(configuration.get("issuer") or ""),
        order=str(uuid4()),
        assessment=str(uuid4()),
        page=page,
    )
    session = _session(smart, redirect_uri)
    url, _ = session.create_authorization_url(
        _endpoint(configuration, "authorization_endpoint"),
        state=state,
        code_verifier=begun.verifier,
        aud=iss,
        launch=launch,
        nonce=begun.nonce,
    )
    return url, begun


def finish(
    transport: Transport,
    caller: Caller,
    signing: SigningKey | None,
    begun: Launch,
    code: str,
    redirect_uri: str,
    now: datetime,
) -> Granted:
    """Exchange the code for a token and check the response.

    Raises:
        LaunchFailed: the EHR refused or did not answer, or its response cannot be trusted.
    """
    if not 0 < len(code) <= _MAX_LENGTH:
        raise LaunchFailed("refused")
    session = _session(_smart(caller), redirect_uri, signing, begun.token_url)
    deadline = Deadline(time.monotonic() + SECONDS)
    for scheme in ("https://", "http://"):
        session.mount(scheme, transport.client.adapter(deadline))
    try:
        token = session.fetch_token(
            begun.token_url, code=code, code_verifier=begun.verifier, grant_type="authorization_code",
            allow_redirects=False,
        )  # fmt: skip
    except AuthlibBaseError as error:
        raise refused(str(error.error)) from error
    except (NoAnswer, ValueError, OSError) as error:
        raise LaunchFailed("no_answer") from error
    finally:
        session.close()
    if not isinstance(token, Mapping):
        raise LaunchFailed("bad_answer")
    return _granted(transport, caller, begun, token, now)


def _smart(caller: Caller) -> Smart:
    if caller.client.smart is None:
        raise LaunchFailed("unknown_ehr")
    return caller.client.smart


def _session(
    smart: Smart, redirect_uri: str, signing: SigningKey | None = None, token_url: str | None = None
) -> OAuth2Session:
    session = OAuth2Session(
        smart.client_id,
        signing.private if signing else None,
        token_endpoint_auth_method="private_key_jwt" if signing else "none",
        scope=" ".join(smart.scopes),
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )
    session.trust_env = False
    if signing:
        minutes = {"exp": int(time.time()) + 240}
        session.register_client_auth_method(
            PrivateKeyJWT(token_url, claims=minutes, headers={"kid": signing.kid, "typ": "JWT"}, alg=signing.algorithm)
        )
    return session


def _configuration(transport: Transport, iss: str) -> dict[str, Any]:
    url = f"{Address.parse(iss)}/.well-known/smart-configuration"
    try:
        reply = transport.client.exchange(
            "GET", url, Deadline(time.monotonic() + SECONDS), headers={"Accept": "application/json"}
        )
    except NoAnswer as error:
        raise LaunchFailed("no_answer") from error
    if reply.status != 200 or reply.value is None:
        raise LaunchFailed("no_smart")
    methods = reply.value.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        raise LaunchFailed("no_smart")
    return reply.value


def _endpoint(configuration: Mapping[str, Any], name: str) -> str:
    """Return an endpoint from the EHR's configuration. Secrets are sent there, so plain HTTP is rejected."""
    url = configuration.get(name)
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        Address.parse(f"{parts.scheme}://{parts.netloc}")
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ValueError("must be https")
        if parts.fragment or "state" in parse_qs(parts.query) or not str(url).isascii() or not str(url).isprintable():
            raise ValueError("is not an endpoint")
    except ValueError as error:
        raise LaunchFailed("no_smart") from error
    return str(url) if parts.path else f"{url}/"


def _granted(transport: Transport, caller: Caller, begun: Launch, answer: Mapping[str, Any], now: datetime) -> Granted:
    token, patient = answer.get("access_token"), answer.get("patient")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise LaunchFailed("bad_answer")
    if str(answer.get("token_type", "")).lower() != "bearer":
        raise LaunchFailed("bad_answer")
    if not isinstance(patient, str) or not _ID.fullmatch(patient):
        raise LaunchFailed("no_patient")
    encounter, context = answer.get("encounter"), answer.get("appContext")
    life = answer.get("expires_in")
    seconds = min(max(life, 0), _LONG_LIFE) if isinstance(life, int) and not isinstance(life, bool) else _SHORT_LIFE
    return Granted(
        token=token,
        expires=now.timestamp() + seconds,
        scope=str(answer.get("scope") or ""),
        patient=patient,
        encounter=encounter if isinstance(encounter, str) and _ID.fullmatch(encounter) else "",
        user=_user(transport, caller, begun, answer.get("id_token"), now),
        banner=answer.get("need_patient_banner") is not False,
        context=context if isinstance(context, str) else "",
    )


def _user(transport: Transport, caller: Caller, begun: Launch, id_token: Any, now: datetime) -> str:
    """Return the user in the EHR's signed id token; empty if the EHR sent none.

    Raises:
        LaunchFailed: the id token cannot be trusted, or the user is not a clinician.
    """
    if id_token is None:
        return ""
    try:
        claims = jwt.decode(id_token, _key_for(id_token, _ehr_keys(transport, begun)), algorithms=_SIGNED_WITH).claims
        JWTClaimsRegistry(
            now=lambda: int(now.timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": begun.issuer},
            aud={"essential": True, "value": _smart(caller).client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": begun.nonce},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise LaunchFailed("bad_identity") from error
    named = claims.get("fhirUser") or claims.get("profile")
    if named is None:
        return ""
    match = _USER.fullmatch(named) if isinstance(named, str) else None
    if match is None:
        raise LaunchFailed("no_clinician")
    return match[1]


def _ehr_keys(transport: Transport, begun: Launch) -> Keys:
    if not begun.jwks_url:
        raise ValueError("the EHR publishes no keys")
    try:
        reply = transport.client.exchange(
            "GET", begun.jwks_url, Deadline(time.monotonic() + SECONDS), headers={"Accept": "application/json"}
        )
    except NoAnswer as error:
        raise LaunchFailed("no_answer") from error
    return read_keys(reply.value)[0]


def _key_for(id_token: Any, keys: Keys) -> Any:
    """Return the key that the header names. Without a key id, the set must hold only one fitting key."""
    header = jws.extract_compact(id_token.encode()).headers()
    kid = header.get("kid")
    candidates = keys.get(kid, ()) if isinstance(kid, str) else [key for group in keys.values() for key in group]
    fitting = [key.public for key in candidates if key.fits(str(header.get("alg")))]
    if len(fitting) != 1:
        raise ValueError("there is not exactly one fitting key")
    return fitting[0]

"""Verify a client's JWT (CDS Hooks 2.0, Trusting CDS Clients) with the client's own key.

The only side effect is the look-up of keys. A refused caller gets no reason; the log gets a code.
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import decode

from cds_service.adapters.clients.jwks import Key
from cds_service.adapters.clients.model import Caller, Clients, TokenRules
from cds_service.base.errors import Refusal, Unauthorized
from cds_service.base.strict_json import has_key_twice

LEEWAY_SECONDS = 60
"""Allowed difference between two clocks."""
MAX_TOKEN_LENGTH = 8_192
MAX_CLAIM_LENGTH = 500
MAX_LOGGED_LENGTH = 120
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

FindKeys = Callable[[str, TokenRules, str], tuple[Key, ...]]
"""Client name, its token rules and a key id -> the keys."""


class _Registry(JWSRegistry):
    """Allows longer headers: the library's limit is too small for long key addresses."""

    max_header_length = MAX_TOKEN_LENGTH


@dataclass(frozen=True, slots=True)
class Identity:
    """The client that a valid token identifies.

    Attributes:
        jti: the token's id, valid for one use.
        expires: until when the ``jti`` must be remembered, in seconds since 1970.
    """

    caller: Caller
    issuer: str
    jti: str
    expires: float


def verify(authorization: str, url: str, now: float, clients: Clients, find_keys: FindKeys) -> Identity:
    """Verify the ``Authorization`` header of a call of ``url`` (the public address, without a query) at ``now``.

    The caller must still check that the token was not used before.

    Raises:
        Unauthorized: with a code and details for the log.
    """
    token = _token(authorization)
    header, claimed = _part(token, 0), _part(token, 1)
    about = {name: claimed[name] for name in ("iss", "tenant", "jti") if isinstance(claimed.get(name), str)}
    details = {{"iss": "issuer"}.get(name, name): value for name, value in about.items()}
    try:
        caller, rules = _claimed_client(claimed, clients)
        _check_header(header, rules)
        claims = _verified(token, header, rules, find_keys(caller.name, rules, header["kid"]))
        _check_audience(claims.get("aud"), rules.audience or (url,))
        expires = _check_times(claims, now, rules)
        return Identity(caller, rules.issuer, _text(claims, "jti"), expires)
    except Unauthorized as error:
        raise Unauthorized(error.reason, **details, **error.about) from None


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("no_bearer")
    if len(token) > MAX_TOKEN_LENGTH:
        raise Unauthorized("too_long")
    if not _SHAPE.fullmatch(token):
        raise Unauthorized("no_jwt")
    return token


def _part(token: str, number: int) -> dict[str, Any]:
    """Decode header (0) or claims (1), not verified yet. A repeated key is refused: two parsers could read it
    differently."""
    text = token.split(".")[number]
    try:
        document = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        decoded = orjson.loads(document)
    except ValueError:
        raise Unauthorized("no_jwt") from None
    if not isinstance(decoded, dict):
        raise Unauthorized("no_jwt")
    if has_key_twice(document, decoded):
        raise Unauthorized("key_twice")
    return decoded


def _claimed_client(claims: Mapping[str, Any], clients: Clients) -> tuple[Caller, TokenRules]:
    """Return the client that the token claims to be; the signature is checked later. The most specific rules win."""
    matches = [
        (caller, rules)
        for caller in clients.with_tokens
        if (rules := caller.client.token) is not None
        and claims.get("iss") == rules.issuer
        and rules.subject in (None, claims.get("sub"))
        and rules.tenant in (None, claims.get("tenant"))
    ]
    if not matches:
        raise Unauthorized("unknown_issuer")
    return max(matches, key=lambda match: (match[1].tenant is not None) + (match[1].subject is not None))


def _check_header(header: Mapping[str, Any], rules: TokenRules) -> None:
    if header.get("alg") not in rules.algorithms:
        raise _wrong("algorithm", header.get("alg"))
    if str(header.get("typ", "")).upper() != "JWT":
        raise _wrong("typ", header.get("typ"))
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise Unauthorized("no_kid")
    if "crit" in header or "b64" in header:
        raise Unauthorized("crit")
    # ``jku`` is only compared: keys are always fetched from the registered address. With a key file it is ignored.
    if "jku" in header and rules.jwks_file is None and header["jku"] != rules.jwks_url:
        raise _wrong("jku", header["jku"])


def _wrong(reason: Refusal, sent: Any) -> Unauthorized:
    """Return a refusal that logs the start of the value sent, to help the person who registers the client."""
    shown = sent if isinstance(sent, str) else "(none)" if sent is None else f"({type(sent).__name__})"
    return Unauthorized(reason, sent=shown[:MAX_LOGGED_LENGTH])


def _verified(token: str, header: Mapping[str, Any], rules: TokenRules, keys: tuple[Key, ...]) -> Mapping[str, Any]:
    """Return the claims if one of the keys has signed them."""
    if not keys:
        raise _wrong("unknown_kid", header["kid"])
    fitting = [key for key in keys if key.fits(header["alg"])]
    if not fitting:
        raise Unauthorized("key_of_another_algorithm")
    registry = _Registry(algorithms=list(rules.algorithms), strict_check_header=False)
    for key in fitting:
        try:
            return decode(token, key.public, algorithms=list(rules.algorithms), registry=registry).claims
        except (JoseError, ValueError):
            continue
    raise Unauthorized("signature")


def _check_audience(audience: Any, allowed: tuple[str, ...]) -> None:
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(value, str) and value in allowed for value in named):
        raise _wrong("audience", next((value for value in named if isinstance(value, str)), audience))


def _check_times(claims: Mapping[str, Any], now: float, rules: TokenRules) -> float:
    """Check the times, all in seconds since 1970. Returns until when the token's id must be remembered."""
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    if expires <= now - LEEWAY_SECONDS:
        raise Unauthorized("expired")
    if issued > now + LEEWAY_SECONDS:
        raise Unauthorized("issued_in_future")
    if not 0 < expires - issued <= rules.longest_seconds:
        raise Unauthorized("lifetime")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY_SECONDS:
        raise Unauthorized("not_yet")
    return expires + LEEWAY_SECONDS


_MISSING: Mapping[str, Refusal] = {"exp": "no_exp", "iat": "no_iat", "nbf": "no_nbf", "jti": "no_jti"}


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unauthorized(_MISSING[name])
    return float(value)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CLAIM_LENGTH:
        raise Unauthorized(_MISSING[name])
    return value

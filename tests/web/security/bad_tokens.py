"""Clients of the tests, and a corpus of tokens that no service may take."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from tests.conftest import NOW
from tests.tokens import ISSUER, PATH, Signer, part, rsa_signer

T = int(NOW.timestamp())
NORTH = Signer()
NORTH_RSA = rsa_signer(kid="two")
NORTH_NEW = Signer(kid="three")
STRANGER = Signer(issuer="https://stranger.example")
FORGER = Signer()
SOUTH = Signer(issuer="https://ehr.south.example", kid="one")
TENANT = Signer(issuer="https://shared.example", kid="shared")
WEAK = rsa_signer(1024, kid="weak")
P256 = Signer(kid="p256", algorithm="ES256", key=ECKey.generate_key("P-256"))
LABEL = Signer(kid="for-es512-only")
SOUTHS = "posterior-knee-cds"
"""What the south's tokens are made out to."""
NAN = b'{"exp": NaN}'
TWICE_INSIDE = b'{"iss": "https://ehr.north.example", "x": [{"y": 1, "y": 2}]}'


def hmac_token(url: str, secret: bytes, algorithm: str = "HS256") -> str:
    """Signed with a secret, perhaps with a public key as one."""
    kind = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    start = f"{part(NORTH.header(alg=algorithm))}.{part(NORTH.claims(url))}"
    return f"{start}.{part(hmac.new(secret, start.encode(), kind).digest())}"


def pem(signer: Signer) -> bytes:
    """The public key as everybody can have it."""
    public: Any = signer.key.get_op_key("verify")
    return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def unsigned(url: str, algorithm: str, tail: str = "") -> str:
    return f"{part(NORTH.header(alg=algorithm))}.{part(NORTH.claims(url))}.{tail}"


def broken(url: str, number: int, change: Callable[[str], str]) -> str:
    parts = NORTH.token(url).split(".")
    parts[number] = change(parts[number])
    return ".".join(parts)


def with_claims(url: str, raw: bytes) -> str:
    """A good signature over claims that are no object, or not JSON."""
    return NORTH.sign(NORTH.header(), raw)


def with_key_twice(url: str, number: int, key: str, value: object) -> str:
    """A good signature over a header (0) or claims (1) that hold ``key`` once more, at the end."""
    parts = [json.dumps(NORTH.header()), json.dumps(NORTH.claims(url))]
    parts[number] = f'{parts[number][:-1]}, "{key}": {json.dumps(value)}}}'
    return NORTH.sign(parts[0].encode(), parts[1].encode())


def moved_claims(url: str) -> str:
    """The signature of one token under the claims of another."""
    first, second = NORTH.token(url), NORTH.token(url, sub="x")
    return ".".join([*second.split(".")[:2], first.split(".")[2]])


def foreign_jku(url: str, where: str) -> str:
    """The forger's own signature, with the address of the forger's own keys."""
    return FORGER.token(url, header={"jku": where})


def other_claims(url: str) -> str:
    """A good token, its claims exchanged for others."""
    parts = NORTH.token(url).split(".")
    return ".".join([parts[0], part({**NORTH.claims(url), "x": 1}), parts[2]])


Make = Callable[[str, str], str]
"""The address called and the address of a server that must never be asked -> a token."""

BAD: dict[str, tuple[str, Make]] = {
    # what is wrong with it: (the reason in the log, the token)
    "a word": ("no_jwt", lambda url, trap: "opensesame"),
    "two parts": ("no_jwt", lambda url, trap: NORTH.token(url).rsplit(".", 1)[0]),
    "four parts": ("no_jwt", lambda url, trap: f"{NORTH.token(url)}.x"),
    "five parts, as if encrypted": ("no_jwt", lambda url, trap: f"{NORTH.token(url)}.x.y"),
    "header is no Base64": ("no_jwt", lambda url, trap: broken(url, 0, lambda _: "!!!")),
    "header is no JSON": ("no_jwt", lambda url, trap: broken(url, 0, lambda _: part(b"no"))),
    "header is a list": ("no_jwt", lambda url, trap: broken(url, 0, lambda _: part([]))),
    "header cut short": ("no_jwt", lambda url, trap: broken(url, 0, lambda text: text[:-5])),
    "claims are a list": ("no_jwt", lambda url, trap: with_claims(url, b"[]")),
    "claims are no JSON": ("no_jwt", lambda url, trap: with_claims(url, b"nothing")),
    "claims with NaN": ("no_jwt", lambda url, trap: with_claims(url, NAN)),
    "header with a key twice": ("key_twice", lambda url, trap: with_key_twice(url, 0, "alg", "none")),
    "header with its key id twice": ("key_twice", lambda url, trap: with_key_twice(url, 0, "kid", "x")),
    "claims with a key twice": ("key_twice", lambda url, trap: with_key_twice(url, 1, "iss", "https://x.example")),
    "claims with the same twice": ("key_twice", lambda url, trap: with_key_twice(url, 1, "iss", ISSUER)),
    "claims with an escaped key twice": ("key_twice", lambda url, trap: with_key_twice(url, 1, "\\u0065xp", T + 9)),
    "claims with an unknown key twice": ("key_twice", lambda url, trap: with_claims(url, TWICE_INSIDE)),
    "too long": ("too_long", lambda url, trap: NORTH.token(url, sub="x" * 9000)),
    "alg none": ("no_jwt", lambda url, trap: unsigned(url, "none")),
    "alg none with a tail": ("algorithm", lambda url, trap: unsigned(url, "none", "AAAA")),
    "alg None": ("algorithm", lambda url, trap: unsigned(url, "None", "AAAA")),
    "alg nOnE": ("algorithm", lambda url, trap: unsigned(url, "nOnE", "AAAA")),
    "no alg": ("algorithm", lambda url, trap: broken(url, 0, lambda _: part({"kid": "one", "typ": "JWT"}))),
    "alg is a list": ("algorithm", lambda url, trap: broken(url, 0, lambda _: part(NORTH.header(alg=["ES384"])))),
    "alg is an object": ("algorithm", lambda url, trap: NORTH.token(url, header={"alg": {}})),
    "HS256 with the public key": ("algorithm", lambda url, trap: hmac_token(url, pem(NORTH))),
    "HS384 with the public key": ("algorithm", lambda url, trap: hmac_token(url, pem(NORTH), "HS384")),
    "HS512 with the RSA key": ("algorithm", lambda url, trap: hmac_token(url, pem(NORTH_RSA), "HS512")),
    "HS256 with nothing": ("algorithm", lambda url, trap: hmac_token(url, b"")),
    "no signature": ("no_jwt", lambda url, trap: unsigned(url, "ES384")),
    "signature of nothing": ("signature", lambda url, trap: unsigned(url, "ES384", part(b"0" * 96))),
    "signature of zeros": ("signature", lambda url, trap: unsigned(url, "ES384", part(bytes(96)))),
    "signature too short": ("signature", lambda url, trap: broken(url, 2, lambda text: text[:20])),
    "signature of another token": ("signature", lambda url, trap: moved_claims(url)),
    "one letter of the claims changed": ("signature", lambda url, trap: other_claims(url)),
    "somebody else's key under the same kid": ("signature", lambda url, trap: FORGER.token(url)),
    "an RSA key for ES384": (
        "key_of_another_algorithm",
        lambda url, trap: NORTH.token(url, header={"kid": "two"}),
    ),
    "RS384 with an EC key": ("key_of_another_algorithm", lambda url, trap: NORTH_RSA.token(url, header={"kid": "one"})),
    "a key that says it is for another algorithm": ("key_of_another_algorithm", lambda url, trap: LABEL.token(url)),
    "a good algorithm that is not listed": (
        "algorithm",
        lambda url, trap: rsa_signer(algorithm="PS384").token(url),
    ),
    "RS256, not opted in": ("algorithm", lambda url, trap: replace(NORTH_RSA, algorithm="RS256").token(url)),
    "ES384 where only ES256 is listed": (
        "algorithm",
        lambda url, trap: replace(NORTH, issuer="https://small.example").token(url),
    ),
    "a weak RSA key": ("unknown_kid", lambda url, trap: WEAK.token(url)),
    "a symmetric key in the set": ("unknown_kid", lambda url, trap: NORTH.token(url, header={"kid": "oct"})),
    "no kid": ("no_kid", lambda url, trap: NORTH.token(url, header={"kid": None})),
    "empty kid": ("no_kid", lambda url, trap: NORTH.token(url, header={"kid": ""})),
    "kid is a number": ("no_kid", lambda url, trap: NORTH.token(url, header={"kid": 1})),
    "unknown kid": ("unknown_kid", lambda url, trap: NORTH.token(url, header={"kid": "none such"})),
    "kid as a path": ("unknown_kid", lambda url, trap: NORTH.token(url, header={"kid": "../../etc/passwd"})),
    "kid of another client": ("unknown_kid", lambda url, trap: replace(TENANT, issuer=ISSUER).token(url)),
    "no typ": ("typ", lambda url, trap: NORTH.token(url, header={"typ": None})),
    "another typ": ("typ", lambda url, trap: NORTH.token(url, header={"typ": "at+jwt"})),
    "typ is a number": ("typ", lambda url, trap: NORTH.token(url, header={"typ": 1})),
    "crit": ("crit", lambda url, trap: NORTH.token(url, header={"crit": ["exp"], "exp": T})),
    "b64 false": ("crit", lambda url, trap: NORTH.token(url, header={"b64": False})),
    "the forger's jku": ("jku", lambda url, trap: foreign_jku(url, trap)),
    "a foreign jku under a good signature": ("jku", lambda url, trap: NORTH.token(url, header={"jku": trap})),
    "jku with user info": ("jku", lambda url, trap: foreign_jku(url, trap.replace("//", "//ehr.north.example@"))),
    "jku of a file": ("jku", lambda url, trap: foreign_jku(url, "file:///etc/passwd")),
    "jku is a number": ("jku", lambda url, trap: NORTH.token(url, header={"jku": 1})),
    "a key in the header": ("signature", lambda url, trap: FORGER.token(url, header={"jwk": FORGER.public()})),
    "x5u in the header": ("signature", lambda url, trap: FORGER.token(url, header={"x5u": trap})),
    "unknown issuer": ("unknown_issuer", lambda url, trap: STRANGER.token(url)),
    "no issuer": ("unknown_issuer", lambda url, trap: NORTH.token(url, iss=None)),
    "issuer with a slash more": ("unknown_issuer", lambda url, trap: NORTH.token(url, iss=ISSUER + "/")),
    "issuer in capitals": ("unknown_issuer", lambda url, trap: NORTH.token(url, iss=ISSUER.upper())),
    "issuer as a list": ("unknown_issuer", lambda url, trap: NORTH.token(url, iss=[ISSUER])),
    "another client's issuer": ("signature", lambda url, trap: replace(NORTH, issuer=SOUTH.issuer).token(SOUTHS)),
    "tenant of nobody": ("unknown_issuer", lambda url, trap: TENANT.token(url, tenant="attic")),
    "tenant missing": ("unknown_issuer", lambda url, trap: TENANT.token(url)),
    "tenant right, subject wrong": ("unknown_issuer", lambda url, trap: TENANT.token(url, tenant="ward", sub="x")),
    "no aud": ("audience", lambda url, trap: NORTH.token(url, aud=None)),
    "aud of discovery": ("audience", lambda url, trap: NORTH.token(url.rsplit("/", 1)[0])),
    "aud of feedback": ("audience", lambda url, trap: NORTH.token(url + "/feedback")),
    "aud with a slash more": ("audience", lambda url, trap: NORTH.token(url + "/")),
    "aud of another host": ("audience", lambda url, trap: NORTH.token("https://cds.example" + PATH)),
    "aud that begins alike": ("audience", lambda url, trap: NORTH.token(url[:-1])),
    "aud is empty": ("audience", lambda url, trap: NORTH.token("")),
    "aud list of strangers": ("audience", lambda url, trap: NORTH.token(url, aud=["a", "b", 1, [url]])),
    "aud is an object": ("audience", lambda url, trap: NORTH.token(url, aud={"url": url})),
    "the address, where aud is set by hand": ("audience", lambda url, trap: SOUTH.token(url)),
    "expired": ("expired", lambda url, trap: NORTH.token(url, iat=T - 400, exp=T - 61)),
    "expired in 1970": ("expired", lambda url, trap: NORTH.token(url, iat=0, exp=1)),
    "no exp": ("no_exp", lambda url, trap: NORTH.token(url, exp=None)),
    "exp as text": ("no_exp", lambda url, trap: NORTH.token(url, exp=str(T + 300))),
    "exp is true": ("no_exp", lambda url, trap: NORTH.token(url, exp=True)),
    "exp is a list": ("no_exp", lambda url, trap: NORTH.token(url, exp=[T + 300])),
    "exp beyond all numbers": ("lifetime", lambda url, trap: NORTH.token(url, exp=10**300)),
    "exp before iat": ("lifetime", lambda url, trap: NORTH.token(url, iat=T + 30, exp=T + 10)),
    "three years": ("lifetime", lambda url, trap: NORTH.token(url, exp=T + 3 * 365 * 86400)),
    "a second more than an hour": ("lifetime", lambda url, trap: NORTH.token(url, exp=T + 3601)),
    "longer than this client may": ("lifetime", lambda url, trap: SOUTH.token(SOUTHS, exp=T + 900)),
    "no iat": ("no_iat", lambda url, trap: NORTH.token(url, iat=None)),
    "iat as text": ("no_iat", lambda url, trap: NORTH.token(url, iat="now")),
    "iat in the future": ("issued_in_future", lambda url, trap: NORTH.token(url, iat=T + 61, exp=T + 300)),
    "nbf in the future": ("not_yet", lambda url, trap: NORTH.token(url, nbf=T + 61)),
    "nbf as text": ("no_nbf", lambda url, trap: NORTH.token(url, nbf="later")),
    "no jti": ("no_jti", lambda url, trap: NORTH.token(url, jti=None)),
    "empty jti": ("no_jti", lambda url, trap: NORTH.token(url, jti="")),
    "jti is a number": ("no_jti", lambda url, trap: NORTH.token(url, jti=5)),
    "jti without end": ("no_jti", lambda url, trap: NORTH.token(url, jti="x" * 501)),
}

BAD_HEADERS: dict[str, tuple[str, Callable[[str], str | None]]] = {
    # what is wrong with it: (the reason in the log, the whole header)
    "no header": ("no_token", lambda url: None),
    "empty header": ("no_bearer", lambda url: ""),
    "scheme only": ("no_jwt", lambda url: "Bearer"),
    "another scheme": ("no_bearer", lambda url: f"Basic {NORTH.token(url)}"),
    "token without a scheme": ("no_bearer", lambda url: NORTH.token(url)),
    "two spaces": ("no_jwt", lambda url: f"Bearer  {NORTH.token(url)}"),
}

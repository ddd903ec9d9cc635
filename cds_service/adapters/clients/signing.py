"""Our private keys, which authenticate this service to an EHR (private_key_jwt), and their public form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from cds_service.adapters.clients.jwks import MIN_RSA_BITS
from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the only algorithm that it is used with."""

    private: ECKey | RSAKey
    kid: str
    algorithm: str

    def public(self) -> dict[str, Any]:
        """Return the public JWK of the key."""
        return {**self.private.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def token(self, issuer: str, audience: str, now: datetime) -> str:
        """Return a token as CDS Hooks clients send it, valid for one minute."""
        began = int(now.timestamp())
        claims = {"iss": issuer, "aud": audience, "iat": began, "exp": began + 60, "jti": str(uuid4())}
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
        return jwt.encode(header, claims, self.private, algorithms=[self.algorithm])


def read_signing_key(path: Path, file: str, place: str, algorithm: str) -> SigningKey:
    """Return the private JWK at ``path``. ``file`` and ``place``: the setting that names it, for error messages.

    Raises:
        ContentError: the file cannot be read, or the key does not fit ``algorithm``.
    """
    text = read_text(path, f"see {place}.key_file in {file}") or ""
    try:
        return _key(orjson.loads(text), algorithm)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        words = str(error) if type(error) is ValueError else "cannot be read"
        raise ContentError((Problem(str(path), "", f"is not a private JWK for {algorithm}: {words}"),)) from error


def _key(jwk: Any, algorithm: str) -> SigningKey:
    if not isinstance(jwk, dict) or "d" not in jwk:
        raise ValueError("holds no private key")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid:
        raise ValueError("has no kid")
    wanted = "EC" if algorithm == "ES384" else "RSA"
    if jwk.get("kty") != wanted:
        raise ValueError(f"is not an {wanted} key")
    key: ECKey | RSAKey = ECKey.import_key(jwk) if wanted == "EC" else RSAKey.import_key(jwk)
    if isinstance(key, ECKey) and key.curve_name != "P-384":
        raise ValueError("is not on the curve P-384")
    if isinstance(key, RSAKey) and key.raw_value.key_size < MIN_RSA_BITS:
        raise ValueError(f"has fewer than {MIN_RSA_BITS} bits")
    return SigningKey(key, kid, algorithm)

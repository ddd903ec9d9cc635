"""Public keys of clients: reads JWK Sets (RFC 7517) and checks which algorithm may be used with each key."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from cds_service.adapters.clients.names import CLIENTS
from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text

MAX_KEYS = 100
MIN_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")

PublicKey = ECKey | RSAKey


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. ``algorithm``: the only algorithm for it, if it names one."""

    public: PublicKey
    algorithm: str | None

    def fits(self, algorithm: str) -> bool:
        """Return whether ``algorithm`` may be used with this key."""
        if self.algorithm is not None and self.algorithm != algorithm:
            return False
        if algorithm in _CURVES:
            return isinstance(self.public, ECKey) and self.public.curve_name == _CURVES[algorithm]
        return isinstance(self.public, RSAKey)


Keys = Mapping[str, tuple[Key, ...]]
"""Key id -> the keys with this id. There is more than one only if the client does not keep its ids unique."""


def read_keys(jwk_set: Any) -> tuple[Keys, tuple[str, ...]]:
    """Return the usable keys of a JWK Set (RFC 7517), and why others are rejected, without key material.

    Raises:
        ValueError: ``jwk_set`` is not a JWK Set, or it has too many keys.
    """
    listed = jwk_set.get("keys") if isinstance(jwk_set, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError("is not a JWK Set")
    keys: dict[str, tuple[Key, ...]] = {}
    rejected: list[str] = []
    for number, jwk in enumerate(listed):
        try:
            kid, key = _key(jwk)
        except ValueError as error:
            rejected.append(f"keys[{number}] {error}")
        else:
            keys[kid] = (*keys.get(kid, ()), key)
    return keys, tuple(rejected)


def _key(jwk: Any) -> tuple[str, Key]:
    if not isinstance(jwk, dict):
        raise ValueError("is not a JWK")
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str) or not 0 < len(kid) <= 500:
        raise ValueError("has no kid")
    if any(name in jwk for name in _PRIVATE):
        raise ValueError("holds a private or symmetric key, which must never leave its owner")
    uses = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        raise ValueError("is not for signatures")
    if algorithm is not None and not isinstance(algorithm, str):
        raise ValueError("has an alg that is not a string")
    if jwk.get("kty") not in ("EC", "RSA"):
        raise ValueError("must be an EC or RSA key")
    if jwk["kty"] == "RSA" and (bits := _modulus_bits(jwk.get("n"))) < MIN_RSA_BITS:
        raise ValueError(f"is an RSA key of {bits} bits, but must have at least {MIN_RSA_BITS}")
    try:
        public: PublicKey = ECKey.import_key(jwk) if jwk["kty"] == "EC" else RSAKey.import_key(jwk)
        public.get_op_key("verify")
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("cannot be read") from error
    return kid, Key(public, algorithm)


def _modulus_bits(modulus: Any) -> int:
    """Return the size of an RSA key before the library parses it; 0 if ``modulus`` is not a Base64 number."""
    try:
        return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
    except (ValueError, TypeError):
        return 0


def read_key_file(path: Path, file: str, place: str) -> Keys:
    """Return the keys of a JWK Set file. ``file`` and ``place``: the setting that names it, for error messages.

    Raises:
        ContentError: the file cannot be read, or a key in it is not usable, or it has no key.
    """
    text = read_text(path, f"see {place} in {file}") or ""
    try:
        keys, rejected = read_keys(orjson.loads(text))
    except ValueError as error:
        raise ContentError((Problem(str(path), "", f"is not a JWK Set: {error}"),), CLIENTS) from error
    if rejected or not keys:
        raise ContentError(tuple(Problem(str(path), "", words) for words in rejected or ("holds no key",)), CLIENTS)
    return keys

"""Public keys as clients publish them: JWK Sets (RFC 7517), and which algorithm each key is good for."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text

CLIENTS = "list of clients"
"""What a mistake in it is said to be in."""
MAX_KEYS = 100
MIN_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")

PublicKey = ECKey | RSAKey


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the one algorithm it says it is for, if it says so."""

    public: PublicKey
    algorithm: str | None

    def fits(self, algorithm: str) -> bool:
        """Whether ``algorithm`` may be used with this key."""
        if self.algorithm is not None and self.algorithm != algorithm:
            return False
        if algorithm in _CURVES:
            return isinstance(self.public, ECKey) and self.public.curve_name == _CURVES[algorithm]
        return isinstance(self.public, RSAKey)


Keys = Mapping[str, tuple[Key, ...]]
"""Key id -> the keys that carry it; more than one only if the client breaks its promise of unique ids."""


def read_keys(jwk_set: Any) -> tuple[Keys, tuple[str, ...]]:
    """The usable keys of a JWK Set (RFC 7517), and why others are not, in words without key material.

    Raises:
        ValueError: it is no JWK Set at all.
    """
    listed = jwk_set.get("keys") if isinstance(jwk_set, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError("is no JWK Set")
    found: dict[str, tuple[Key, ...]] = {}
    refused: list[str] = []
    for number, one in enumerate(listed):
        try:
            kid, key = _key(one)
        except ValueError as error:
            refused.append(f"keys[{number}] {error}")
        else:
            found[kid] = (*found.get(kid, ()), key)
    return found, tuple(refused)


def _key(jwk: Any) -> tuple[str, Key]:
    if not isinstance(jwk, dict):
        raise ValueError("is no JWK")
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str) or not 0 < len(kid) <= 500:
        raise ValueError("has no kid")
    if any(name in jwk for name in _PRIVATE):
        raise ValueError("holds a private or symmetric key, which must never leave its owner")
    uses = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        raise ValueError("is not for signatures")
    if algorithm is not None and not isinstance(algorithm, str):
        raise ValueError("has an alg that is no text")
    if jwk.get("kty") not in ("EC", "RSA"):
        raise ValueError("is neither an EC nor an RSA key")
    if jwk["kty"] == "RSA" and (bits := _modulus_bits(jwk.get("n"))) < MIN_RSA_BITS:
        raise ValueError(f"is an RSA key of {bits} bits; at least {MIN_RSA_BITS} are needed")
    try:
        public: PublicKey = ECKey.import_key(jwk) if jwk["kty"] == "EC" else RSAKey.import_key(jwk)
        public.get_op_key("verify")
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("cannot be read") from error
    return kid, Key(public, algorithm)


def _modulus_bits(modulus: Any) -> int:
    """Seen before the library sees the key; 0 for what is no number in Base64."""
    try:
        return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
    except (ValueError, TypeError):
        return 0


def read_key_file(path: Path, file: str, place: str) -> Keys:
    """The keys of a JWK Set on disk.

    Raises:
        ContentError: it cannot be read or holds no usable key. ``file`` and ``place``: who names it.
    """
    text = read_text(path, f"see {place} in {file}") or ""
    try:
        keys, refused = read_keys(orjson.loads(text))
    except ValueError as error:
        raise ContentError((Problem(str(path), "", f"is no JWK Set: {error}"),), CLIENTS) from error
    if refused or not keys:
        raise ContentError(tuple(Problem(str(path), "", words) for words in refused or ("holds no key",)), CLIENTS)
    return keys

"""Encrypted texts that only this service can read and nobody can change unnoticed (JWE, AES-256-GCM)."""

from __future__ import annotations

import hmac
import secrets
import zlib
from base64 import urlsafe_b64encode
from typing import Any

import orjson

# The cryptography is loaded for the first text and not at the start: joserfc takes 50 ms and 10 MB.
_NONCE_BYTES = 12
_TAG_BYTES = 16
_MAX_LENGTH = 16_000
_MAX_BYTES = 200_000
"""Most bytes before compression. The library opens no text that unpacks to more than 256,000."""


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


_HEADER = _base64url(b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}')


class NotSealed(Exception):
    """A text was not sealed by this service for this purpose, or has expired. ``late``: it has only expired."""

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        super().__init__("the text has expired" if late else "the text was not sealed by this service for this purpose")


class TooLong(Exception):
    """A value is too long to be opened again."""


class Seal:
    """Seals and opens texts with the site's key. Processes with the same key can open each other's texts."""

    def __init__(self, key: str | None) -> None:
        """``key``: the site's key. None for a random key: then no sealed text outlives this process."""
        self._key = key.encode() if key is not None else secrets.token_bytes(32)
        self._keys: dict[str, bytes] = {}

    def close(self, purpose: str, value: dict[str, Any], until: float, secret: str | None = None) -> str:
        """Return ``value``, sealed for ``purpose`` and valid until ``until`` (seconds since 1970).

        ``secret``: kept by another party. Without it the text cannot be opened, even with the site's key.

        Raises:
            TooLong: the value is so long that ``open`` would refuse it.
        """
        body = orjson.dumps({"until": until, "value": value})
        if len(body) > _MAX_BYTES:
            raise TooLong
        sealed = _sealed(body, self._for(purpose, secret))
        if len(sealed) > _MAX_LENGTH:
            raise TooLong
        return sealed

    def open(self, purpose: str, sealed: str, now: float, secret: str | None = None) -> dict[str, Any]:
        """Return the sealed value.

        Raises:
            NotSealed: sealed by another service, for another purpose or with another secret, or expired.
        """
        from joserfc import jwe
        from joserfc.errors import JoseError
        from joserfc.jwk import OctKey

        if len(sealed) > _MAX_LENGTH:
            raise NotSealed
        try:
            key = OctKey.import_key(self._for(purpose, secret))
            content = orjson.loads(jwe.decrypt_compact(sealed, key).plaintext or b"")
        except (JoseError, ValueError, TypeError) as error:
            raise NotSealed from error
        if content["until"] < now:
            raise NotSealed(late=True)
        value: dict[str, Any] = content["value"]
        return value

    def _for(self, purpose: str, secret: str | None) -> bytes:
        """Return the key for a purpose and secret. Keys without a secret are cached, because they are few."""
        if secret is not None:
            return self._derived(purpose + secret, len(purpose))
        if purpose not in self._keys:
            self._keys[purpose] = self._derived(purpose, len(purpose))
        return self._keys[purpose]

    def _derived(self, text: str, purpose: int) -> bytes:
        return hmac.digest(self._key, f"{purpose}:{text}".encode(), "sha256")


def _sealed(body: bytes, key: bytes) -> str:
    """Return ``body`` as a compact JWE (RFC 7516) under our one header.

    The library takes twice the time, and every urgent card needs two. It opens what is sealed here.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflate.compress(body) + deflate.flush()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, packed, _HEADER)
    pieces = (nonce, sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:])
    return b".".join((_HEADER, b"", *map(_base64url, pieces))).decode()

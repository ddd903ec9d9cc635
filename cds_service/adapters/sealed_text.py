"""Encrypted texts that only this service can read and nobody can change unnoticed (JWE, AES-256-GCM)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

# joserfc and its cryptography are loaded for the first text, not at the start: they take 50 ms and 10 MB.

_HEADER = {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}
_LONGEST = 16_000
_MAX_BYTES = 200_000
"""Most bytes before compression. The library opens no text that unpacks to more than 256,000."""


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
        self._keys: dict[str, OctKey] = {}

    def close(self, purpose: str, value: dict[str, Any], until: float, secret: str | None = None) -> str:
        """Return ``value``, sealed for ``purpose`` and valid until ``until`` (seconds since 1970).

        ``secret``: kept by another party. Without it the text cannot be opened, even with the site's key.

        Raises:
            TooLong: the value is so long that ``open`` would refuse it.
        """
        from joserfc import jwe

        body = orjson.dumps({"until": until, "value": value})
        if len(body) > _MAX_BYTES:
            raise TooLong
        sealed = jwe.encrypt_compact(_HEADER, body, self._for(purpose, secret))
        if len(sealed) > _LONGEST:
            raise TooLong
        return sealed

    def open(self, purpose: str, sealed: str, now: float, secret: str | None = None) -> dict[str, Any]:
        """Return the sealed value.

        Raises:
            NotSealed: sealed by another service, for another purpose or with another secret, or expired.
        """
        from joserfc import jwe
        from joserfc.errors import JoseError

        if len(sealed) > _LONGEST:
            raise NotSealed
        try:
            content = orjson.loads(jwe.decrypt_compact(sealed, self._for(purpose, secret)).plaintext or b"")
        except (JoseError, ValueError, TypeError) as error:
            raise NotSealed from error
        if content["until"] < now:
            raise NotSealed(late=True)
        value: dict[str, Any] = content["value"]
        return value

    def _for(self, purpose: str, secret: str | None) -> OctKey:
        """Return the key for a purpose and secret. Keys without a secret are cached, because they are few."""
        if secret is not None:
            return self._derived(purpose + secret, len(purpose))
        if purpose not in self._keys:
            self._keys[purpose] = self._derived(purpose, len(purpose))
        return self._keys[purpose]

    def _derived(self, text: str, purpose: int) -> OctKey:
        from joserfc.jwk import OctKey

        return OctKey.import_key(hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).digest())

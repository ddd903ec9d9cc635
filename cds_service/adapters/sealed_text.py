"""Sealed texts: what leaves this service and comes back unread and unchanged, or not at all (JWE, AES-256-GCM)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}
_LONGEST = 16_000


class NotSealed(Exception):
    """A text that this service did not seal for this purpose, or whose time is over. ``late``: only that."""

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        super().__init__("its time is over" if late else "not sealed here for this purpose")


class Seal:
    """Seals under the site's key. Processes and replicas with the same key open each other's."""

    def __init__(self, key: str | None) -> None:
        """``key``: the site's; without one a random key, so that nothing sealed outlives this process."""
        self._key = key.encode() if key is not None else secrets.token_bytes(32)
        self._keys: dict[str, OctKey] = {}

    def close(self, purpose: str, value: dict[str, Any], until: float, secret: str | None = None) -> str:
        """``value`` sealed for ``purpose``, good until ``until`` (seconds since 1970).

        ``secret``: kept by somebody else, without whom it cannot be opened even with the site's key.
        """
        body = orjson.dumps({"until": until, "value": value})
        return jwe.encrypt_compact(_HEADER, body, self._for(purpose, secret))

    def open(self, purpose: str, sealed: str, now: float, secret: str | None = None) -> dict[str, Any]:
        """What was sealed.

        Raises:
            NotSealed: not by this service, not for this purpose, not with this secret, or too long ago.
        """
        if len(sealed) > _LONGEST:
            raise NotSealed
        try:
            found = orjson.loads(jwe.decrypt_compact(sealed, self._for(purpose, secret)).plaintext or b"")
        except (JoseError, ValueError, TypeError) as error:
            raise NotSealed from error
        if found["until"] < now:
            raise NotSealed(late=True)
        value: dict[str, Any] = found["value"]
        return value

    def _for(self, purpose: str, secret: str | None) -> OctKey:
        """A key of its own for each purpose and secret; those without a secret are few, and kept."""
        if secret is not None:
            return self._derived(purpose + secret, len(purpose))
        if purpose not in self._keys:
            self._keys[purpose] = self._derived(purpose, len(purpose))
        return self._keys[purpose]

    def _derived(self, text: str, purpose: int) -> OctKey:
        return OctKey.import_key(hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).digest())

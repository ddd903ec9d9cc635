"""Compares URLs by their parts, so that no unusual spelling of a URL can pass an allow-list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/\[\]]*")
_PATH = re.compile(r"[^\[\]]*")
_QUERY = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%|\[\]]*")
_LABEL = r"[a-z0-9]([a-z0-9\-]*[a-z0-9])?"
_PLACE = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])(:[1-9][0-9]*)?")
"""A host in lower case, with an optional port."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a browser page: scheme, host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Parse ``url``.

        Raises:
            ValueError: ``url`` is not a plain origin.
        """
        address = Address.parse(url)
        if address.path:
            raise ValueError("an origin must not have a path")
        return cls(address.scheme, address.host, address.port)

    def __str__(self) -> str:
        return _joined(self.scheme, self.host, self.port)


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL: scheme, host, port and path without a trailing slash."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse ``url``.

        Raises:
            ValueError: not an absolute http(s) URL, or spelt in a way that two programs could read differently
                (user names, escapes, dots, backslashes, queries, fragments).
        """
        if not _PLAIN.fullmatch(url):
            raise ValueError("holds characters that are not allowed in a plain base URL")
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not _PLACE.fullmatch(parts.netloc.lower()):
            raise ValueError("is not an absolute http or https URL with a plain host and port")
        path = parts.path.removesuffix("/")
        if any(segment in ("", ".", "..") for segment in path.split("/")[1:]) or not _PATH.fullmatch(path):
            raise ValueError("has an empty, dotted or bracketed path segment")
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme], path)

    def covers(self, other: Address) -> bool:
        """Return whether ``other`` is this address or lies below it. Compares whole path segments."""
        same = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same and (other.path == self.path or other.path.startswith(self.path + "/"))

    def __str__(self) -> str:
        return _joined(self.scheme, self.host, self.port) + self.path


def below(base: Address, url: str) -> str | None:
    """Return ``url`` in normal form if it is ``base`` or lies below it; else None.

    ``url`` is absolute and may have a query.
    """
    path, mark, query = url.partition("?")
    if not _QUERY.fullmatch(query):
        return None
    try:
        address = Address.parse(path)
    except ValueError:
        return None
    return f"{address}{'' if address.path else '/'}{mark}{query}" if base.covers(address) else None


def _joined(scheme: str, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" + ("" if port == _PORTS[scheme] else f":{port}")

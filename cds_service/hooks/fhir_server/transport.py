"""One GET after another, each of which can be cut from outside whatever it waits for.

The adapter of ``requests`` without its session: no redirects, cookies, proxies or credentials of the machine can come
into play, and a read costs half the time.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import RemoteDisconnected
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MOST_BYTES = 20_000_000
_CHUNK = 65_536
_REFUSALS = {401: "refused", 403: "refused", 404: "not_found", 410: "not_found", 429: "limited"}


class NoAnswer(Exception):  # noqa: N818
    """Ends a read, with the code of the reason."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Line:
    """The time one read has, and the socket it uses now. ``deadline``: monotonic seconds."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.ended = False
        self.has_begun = False
        self._socket: socket.socket | None = None

    @property
    def left(self) -> float:
        """Seconds to go."""
        return self.deadline - time.monotonic()

    def uses(self, used: socket.socket | None) -> None:
        """Told by the connection."""
        self._socket = used
        if self.ended:
            self.cut()

    def hangs(self) -> bool:
        """Whether an answer has begun and nothing more of it is here. One that has not begun ends by itself in time."""
        try:
            return self.has_begun and not (self._socket and select.select([self._socket], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    def cut(self) -> None:
        """End the read now, wherever it stands, so that no thread outlives its call."""
        self.ended = True
        if self._socket is not None:
            with suppress(OSError):
                # Also on a TLS socket this is the plain call: nobody waits for a farewell.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Transport:
    """Pooled connections to FHIR servers. Safe to use from many threads."""

    def __init__(self, *, size: int, per_call: float, ca_bundle: str | None) -> None:
        """``size``: most connections kept to one server. ``per_call``: seconds for a single call."""
        # Its lines hold whole addresses, and in them the patient.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.CRITICAL)
        self._adapter = _Adapter(pool_connections=32, pool_maxsize=size, max_retries=0)
        self._per_call = per_call
        self._verify: bool | str = ca_bundle or True

    def close(self) -> None:
        """Give up the connections."""
        self._adapter.close()

    def get(self, url: str, token: str | None, line: Line) -> Any:
        """The JSON at ``url``, with one more try if the connection is reset before an answer begins.

        Raises:
            NoAnswer: with the code of the reason.
        """
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "User-Agent": "posterior-knee-cds"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        _mine.line = line
        try:
            with suppress(_Reset):
                return self._send(url, headers, line)
            return self._send(url, headers, line)
        except _Reset:
            raise NoAnswer("unreachable") from None
        except NoAnswer as error:
            raise (NoAnswer("timeout") if line.ended else error) from None
        finally:
            _mine.line = None

    def _send(self, url: str, headers: Mapping[str, str], line: Line) -> Any:
        line.has_begun = False
        left = min(line.left, self._per_call)
        if left <= 0 or line.ended:
            raise NoAnswer("timeout")
        try:
            answer = self._adapter.send(_prepared(url, headers), stream=True, timeout=left, verify=self._verify)
        except requests.Timeout as error:
            raise NoAnswer("timeout") from error
        except requests.ConnectionError as error:
            if _was_reset(error):
                raise _Reset from error
            raise NoAnswer("unreachable") from error
        except (requests.RequestException, ValueError, OSError) as error:
            raise NoAnswer("not_fhir") from error
        line.has_begun = True
        with answer:
            return _body(answer)


def _prepared(url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """Not through ``prepare``: the address is already checked and spelt by its parts."""
    request = requests.PreparedRequest()
    request.method, request.url, request.headers = "GET", url, CaseInsensitiveDict(headers)
    return request


def _body(answer: requests.Response) -> Any:
    if 300 <= answer.status_code < 400:
        raise NoAnswer("redirect")
    if answer.status_code != 200:
        raise NoAnswer(_REFUSALS.get(answer.status_code, "server_error"))
    if "json" not in answer.headers.get("Content-Type", "json").lower():
        raise NoAnswer("not_fhir")
    body = bytearray()
    try:
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > MOST_BYTES:
                raise NoAnswer("too_large")
    except (requests.RequestException, OSError, ValueError) as error:
        late = isinstance(error, requests.Timeout) or "timed out" in str(error)
        raise NoAnswer("timeout" if late else "cut_short") from error
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NoAnswer("not_fhir") from error
    if found is None:  # a prefetch may say so, a FHIR server may not
        raise NoAnswer("not_fhir")
    return found


class _Reset(Exception):  # noqa: N818
    """The connection was reset before an answer began: worth one more try."""


def _was_reset(error: BaseException | None) -> bool:
    reset = (ConnectionResetError, RemoteDisconnected, BrokenPipeError, ConnectionAbortedError)
    while error is not None:
        if isinstance(error, reset) or any(isinstance(part, reset) for part in error.args):
            return True
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = inner or error.__cause__ or error.__context__
    return False


_mine = threading.local()


def _tell(used: socket.socket | None) -> None:
    line: Line | None = getattr(_mine, "line", None)
    if line is not None and used is not None:
        line.uses(used)


class _Watched(HTTPConnection):
    """Tells the read of this thread which socket it uses."""

    def connect(self) -> None:
        super().connect()
        _tell(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        _tell(self.sock)
        super().request(*args, **kwargs)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

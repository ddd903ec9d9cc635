"""The HTTP client for all outgoing connections. Another thread can cut any connection at any time.

It uses the adapter of ``requests`` without a session. So no redirects, cookies, proxies or credentials of the machine
are used, and a read takes half the time. A host name is resolved once, and only permitted addresses are connected to.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from cds_service.adapters.http_terms import PLAIN_HTTP, Deadline, NoAnswer, Reply, Terms, Why, may_carry_secrets
from cds_service.base.errors import TooLarge, UnusableInput
from cds_service.base.networks import ForbiddenAddress
from cds_service.base.strict_json import JsonLimits, parse

_CHUNK = 65_536
_REFUSALS: dict[int, Why] = {401: "refused", 403: "refused", 404: "not_found", 410: "not_found", 429: "limited"}


class Client:
    """Pooled connections to the servers in the settings. Safe to use from many threads."""

    def __init__(self, terms: Terms) -> None:
        """Create the pools; connections are opened when they are used.

        Raises:
            OSError: the CA certificates cannot be read.
        """
        # urllib3 logs whole addresses, which hold patient ids.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.CRITICAL)
        self._adapter = _Adapter(32, terms.size, terms.ca_bundle or DEFAULT_CA_BUNDLE_PATH)
        self._per_call = terms.per_call
        self._networks = terms.networks
        self._max_bytes = terms.max_bytes
        self._limits = terms.limits
        self._accept = terms.accept

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def get(self, url: str, token: str | None, deadline: Deadline) -> Any:
        """Return the JSON at ``url``. Tries once more if the connection is reset before a response begins.

        Raises:
            NoAnswer: there is no usable response.
        """
        return self._read(url, token, deadline, None)

    def search(self, url: str, form: str, token: str | None, deadline: Deadline) -> Any:
        """Return the JSON of a search whose parameters are sent as a form (``POST _search``). Tries again like ``get``.

        Raises:
            NoAnswer: there is no usable response.
        """
        return self._read(url, token, deadline, form.encode())

    def _read(self, url: str, token: str | None, deadline: Deadline, form: bytes | None) -> Any:
        headers = {"Accept": self._accept, "Accept-Encoding": "gzip", "User-Agent": "posterior-knee-cds"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        _mine.deadline, _mine.networks = deadline, self._networks
        try:
            with suppress(_Reset):
                return self._send(url, headers, deadline, form)
            return self._send(url, headers, deadline, form)
        except _Reset:
            raise NoAnswer("unreachable") from None
        except NoAnswer as error:
            raise (NoAnswer("timeout") if deadline.ended else error) from None
        finally:
            _mine.deadline = None

    def exchange(
        self, method: str, url: str, deadline: Deadline, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        """Send one request exactly once, because a write without a response may still have been done.

        Raises:
            NoAnswer: there is no usable response. Nothing was sent if the code is ``unreachable``,
                ``forbidden_address`` or ``plain_http``.
        """
        own = {"Accept": self._accept, "Accept-Encoding": "gzip", "User-Agent": "posterior-knee-cds"}
        _mine.deadline, _mine.networks = deadline, self._networks
        try:
            with self._answer(_prepared(url, {**own, **headers}, method, body), deadline) as answer:
                content = _content(answer, self._max_bytes)
                return Reply(answer.status_code, answer.headers, _object(content, self._limits))
        except _Reset:
            raise NoAnswer("cut_short") from None
        except NoAnswer as error:
            raise (NoAnswer("timeout") if deadline.ended else error) from None
        finally:
            _mine.deadline = None

    def adapter(self, deadline: Deadline) -> requests.adapters.BaseAdapter:
        """Return an adapter for a library with its own ``requests`` session, so that it uses this transport."""
        return _Mounted(self, deadline)

    def _send(self, url: str, headers: Mapping[str, str], deadline: Deadline, form: bytes | None) -> Any:
        with self._answer(_prepared(url, headers, "GET" if form is None else "POST", form), deadline) as answer:
            return _body(answer, self._max_bytes, self._limits)

    def _answer(self, request: requests.PreparedRequest, deadline: Deadline) -> requests.Response:
        left = min(deadline.left, self._per_call)
        if left <= 0 or deadline.ended:
            raise NoAnswer("timeout")
        if "Authorization" in request.headers and not may_carry_secrets(request.url or ""):
            raise NoAnswer(PLAIN_HTTP)
        try:
            return self._adapter.send(request, stream=True, timeout=left)
        except requests.Timeout as error:
            raise NoAnswer("timeout") from error
        except requests.ConnectionError as error:
            if _was_reset(error):
                raise _Reset from error
            raise NoAnswer("forbidden_address" if _was_forbidden(error) else "unreachable") from error
        except (requests.RequestException, ValueError, OSError) as error:
            raise NoAnswer("not_fhir") from error


class _Mounted(requests.adapters.BaseAdapter):
    """An adapter that sends the requests of a ``requests`` session through the transport, within ``deadline``."""

    def __init__(self, client: Client, deadline: Deadline) -> None:
        super().__init__()
        self._client = client
        self._deadline = deadline

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Send the request and read the whole response, within the limits."""
        _mine.deadline, _mine.networks = self._deadline, self._client._networks
        try:
            with self._client._answer(request, self._deadline) as answer:
                answer._content = _content(answer, self._client._max_bytes)
                return answer
        except _Reset:
            raise NoAnswer("cut_short") from None
        finally:
            _mine.deadline = None

    def close(self) -> None:
        """Do nothing: the transport owns the connections."""


def _prepared(
    url: str, headers: Mapping[str, str], method: str = "GET", body: bytes | None = None
) -> requests.PreparedRequest:
    """Build a request without ``prepare``, because the URL is already checked and normalised."""
    request = requests.PreparedRequest()
    request.method, request.url, request.headers = method, url, CaseInsensitiveDict(headers)
    if body is not None:
        request.body = body
        request.headers["Content-Length"] = str(len(body))
    return request


def _body(answer: requests.Response, max_bytes: int, limits: JsonLimits) -> Any:
    if 300 <= answer.status_code < 400:
        raise NoAnswer("redirect")
    if answer.status_code != 200:
        raise NoAnswer(_REFUSALS.get(answer.status_code, "server_error"))
    if "json" not in answer.headers.get("Content-Type", "json").lower():
        raise NoAnswer("not_fhir")
    try:
        value = parse(_content(answer, max_bytes), limits)
    except TooLarge as error:
        raise NoAnswer("too_large") from error
    except UnusableInput as error:
        raise NoAnswer("not_fhir") from error
    if not isinstance(value, dict):  # reject null too: from a server it does not mean "none"
        raise NoAnswer("wrong_type")
    return value


def _object(content: bytes, limits: JsonLimits) -> dict[str, Any] | None:
    try:
        value = parse(content, limits)
    except (TooLarge, UnusableInput):
        return None
    return value if isinstance(value, dict) else None


def _content(answer: requests.Response, max_bytes: int) -> bytes:
    body = bytearray()
    try:
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > max_bytes:
                raise NoAnswer("too_large")
    except requests.exceptions.ContentDecodingError as error:
        raise NoAnswer("not_fhir") from error
    except (requests.RequestException, OSError, ValueError) as error:
        late = isinstance(error, requests.Timeout) or "timed out" in str(error)
        raise NoAnswer("timeout" if late else "cut_short") from error
    return bytes(body)


class _Reset(Exception):
    """The connection was reset before a response began, so another attempt is worthwhile."""


def _was_reset(error: BaseException) -> bool:
    return _caused_by(error, ConnectionResetError, RemoteDisconnected, BrokenPipeError, ConnectionAbortedError)


def _was_forbidden(error: BaseException) -> bool:
    return _caused_by(error, ForbiddenAddress)


def _caused_by(error: BaseException | None, *kinds: type[BaseException]) -> bool:
    """Return whether ``error`` or one of its causes is of one of ``kinds``."""
    while error is not None:
        if isinstance(error, kinds) or any(isinstance(part, kinds) for part in error.args):
            return True
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = inner or error.__cause__ or error.__context__
    return False


_mine = threading.local()


def _set_socket(used: socket.socket | None) -> None:
    """Set the socket that the current read of this thread uses."""
    deadline: Deadline | None = getattr(_mine, "deadline", None)
    if deadline is not None:
        deadline.uses(used)


class _Watched(HTTPConnection):
    """A connection that reports its socket to the current read and connects only to permitted addresses."""

    def _new_conn(self) -> socket.socket:
        """Resolve and connect in place of urllib3, so that only checked addresses are connected to."""
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            addresses = _mine.networks.resolved(self.host, self.port)
            return _connected(addresses, timeout)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "not connected in time") from error
        except OSError as error:
            raise NewConnectionError(self, "not connected") from error

    def connect(self) -> None:
        super().connect()
        _set_socket(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        _set_socket(self.sock)
        super().request(*args, **kwargs)


def _connected(addresses: Sequence[tuple[Any, ...]], timeout: float | None) -> socket.socket:
    """Return a socket connected to the first address that accepts. ``addresses``: rows of ``getaddrinfo``."""
    failed: OSError = OSError("no address")
    for family, kind, protocol, _, place in addresses:
        used = socket.socket(family, kind, protocol)
        try:
            used.settimeout(timeout)
            used.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            used.connect(place)
        except OSError as error:
            used.close()
            failed = error
        else:
            return used
    raise failed


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched

    def _put_conn(self, conn: Any) -> None:
        _set_socket(None)
        super()._put_conn(conn)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls

    def _put_conn(self, conn: Any) -> None:
        _set_socket(None)
        super()._put_conn(conn)


class _Adapter(HTTPAdapter):
    """Sends a request unchanged and with little overhead, because time is short."""

    def __init__(self, pools: int, size: int, trusted: str) -> None:
        """``trusted``: file of CA certificates."""
        self._pools: dict[str, Any] = {}
        self._tls = _tls(trusted, Path(trusted).stat().st_mtime_ns)
        super().__init__(pools, size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        origin, _ = _split(request.url or "")
        if origin not in self._pools:  # the number is small: only servers on the allow-list
            self._pools[origin] = super().get_connection_with_tls_context(request, *args, **kwargs)
        return self._pools[origin]

    def cert_verify(self, *_: Any) -> None:
        """Do nothing: the TLS context verifies certificate and host name."""

    def request_url(self, request: requests.PreparedRequest, _: Any) -> str:
        return _split(request.url or "")[1]

    def build_response(self, request: requests.PreparedRequest, raw: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.headers, answer.raw = raw.status, CaseInsensitiveDict(raw.headers), raw
        answer.url, answer.request = request.url or "", request
        return answer


@lru_cache(maxsize=4)
def _tls(trusted: str, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - so that a changed file is read again
    """Return the TLS settings that trust the file ``trusted``. Reading it takes 30 ms, and all transports share it."""
    return ssl.create_default_context(cafile=trusted)


def _split(url: str) -> tuple[str, str]:
    """Split a URL into ``https://host:port`` and the rest."""
    slash = url.index("/", len("https://"))
    return url[:slash], url[slash:]

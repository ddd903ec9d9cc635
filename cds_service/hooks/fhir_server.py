"""Reading the EHR's FHIR server: only servers on the allow-list, all missing keys at once, within one deadline.

The token goes to that server and nowhere else; nothing is kept between calls but open connections.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.client import RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from cds_service.clinical.reading import ChartEntry
from cds_service.ground.addresses import Address, below
from cds_service.ground.settings import Settings
from cds_service.hooks.messages import HookRequest
from cds_service.hooks.prefetch import PATIENT, KeyState, Part, Prefetched, query, read_part

MOST_PAGES = 20
MOST_BYTES = 20_000_000
_THREADS = 320
_PER_CALL = 0.9
"""Share of the deadline that a single call may take."""
_CHUNK = 65_536
_REFUSALS = {401: "refused", 403: "refused", 404: "not_found", 410: "not_found", 429: "limited"}


class _NoAnswer(Exception):  # noqa: N818 - ends a read, with the reason's code
    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass
class _Reading:
    """One key being read: what has come so far, and the socket to cut when time is up."""

    part: Part
    deadline: float
    socket: socket.socket | None = None
    ended: bool = False
    pages: list[Part] = field(default_factory=list)

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    def cut(self) -> None:
        """End the read now, wherever it stands, so that no thread outlives its call."""
        self.ended = True
        if self.socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def result(self, why: str) -> Part:
        """What came in time; ``why`` says what kept it from being whole, empty if it is."""
        pages = list(self.pages)
        entries = [*self.part.entries, *(entry for page in pages for entry in page.entries)]
        if why:
            state = (
                KeyState.TRUNCATED if entries else KeyState.MISSING if why in ("timeout", "busy") else KeyState.FAILED
            )
            return replace(self.part, state=state, entries=tuple(entries), why=why, was_read=bool(pages))
        state = KeyState.PRESENT if entries else KeyState.EMPTY
        return Part(self.part.key, state, tuple(entries), was_read=True)


_mine = threading.local()


class _Watched(HTTPConnection):
    """Tells the read of this thread which socket it uses."""

    def connect(self) -> None:
        super().connect()
        _watch(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self.sock)
        super().request(*args, **kwargs)


class _WatchedTls(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _watch(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self.sock)
        super().request(*args, **kwargs)


def _watch(sock: socket.socket | None) -> None:
    reading: _Reading | None = getattr(_mine, "reading", None)
    if reading is not None and sock is not None:
        reading.socket = sock
        if reading.ended:
            reading.cut()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class FhirReader:
    """Reads what the prefetch lacks. One for the whole process; safe to use from many calls at once."""

    def __init__(self, allowed: Sequence[str], *, deadline: float, ca_bundle: str | None = None) -> None:
        """``allowed``: base URLs. ``deadline``: seconds for one call, all keys and pages together."""
        # Its lines hold whole addresses, and in them the patient.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.CRITICAL)
        self._allowed = tuple(Address.parse(url) for url in allowed)
        self._deadline = deadline
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies, no .netrc: the token must not meet other credentials
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_connections=32, pool_maxsize=_THREADS, max_retries=0))
        self._verify: bool | str = ca_bundle or True
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fhir") if allowed else None

    @classmethod
    def of(cls, settings: Settings) -> FhirReader:
        """The reader as a site has set it up."""
        bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
        return cls(settings.fhir_servers, deadline=settings.fhir_deadline_ms / 1000, ca_bundle=bundle)

    def close(self) -> None:
        """Give up the connections; reads in flight end by themselves."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def complete(
        self, request: HookRequest, prefetched: Prefetched, *, without_token: bool = False
    ) -> Prefetched:
        """``prefetched`` with its missing and truncated parts read, as far as that is allowed and in time.

        ``without_token``: the server is an open sandbox and may be read although no token was given.
        """
        wanted = prefetched.to_read
        if not wanted or request.fhirServer is None:
            return prefetched
        base = self._base(request.fhirServer)
        refusal = _refusal(request, base, without_token=without_token)
        if base is None or refusal or self._threads is None:
            return prefetched.with_parts([replace(part, why=_unread(part, refusal)) for part in wanted])
        token = request.fhirAuthorization.access_token if request.fhirAuthorization else None
        deadline = time.monotonic() + self._deadline
        readings = [_Reading(part, deadline) for part in wanted]
        patient = request.context.patientId
        running = [self._threads.submit(self._read, reading, base, patient, token) for reading in readings]
        await asyncio.wait([asyncio.wrap_future(one) for one in running], timeout=max(0.0, deadline - time.monotonic()))
        return prefetched.with_parts(
            [_finished(one, reading, patient) for one, reading in zip(running, readings, strict=True)]
        )

    def _base(self, url: str) -> Address | None:
        try:
            found = Address.parse(url)
        except ValueError:
            return None
        return found if any(allowed.covers(found) for allowed in self._allowed) else None

    def _read(self, reading: _Reading, base: Address, patient: str, token: str | None) -> str:
        """Read every page of one key; the answer is the code of what went wrong, or empty."""
        _mine.reading = reading
        try:
            for page in self._pages(reading, base, patient, token):
                reading.pages.append(page)
                if page.state is KeyState.FAILED:
                    return page.why
        except _NoAnswer as error:
            return "timeout" if reading.ended else error.why
        finally:
            _mine.reading = None
        return ""

    def _pages(self, reading: _Reading, base: Address, patient: str, token: str | None) -> Iterator[Part]:
        part = reading.part
        first = url = f"{base}/{query(part.key, patient)}"
        matches = 0
        if onward := _onward(base, first, part.next_page):
            url, matches = onward, part.matches
        seen: set[str] = set()
        while len(seen) < MOST_PAGES:
            seen.add(url)
            page = read_part(part.key, self._get(url, token, reading))
            matches += page.matches
            if page.state is not KeyState.TRUNCATED:
                yield page
                return
            yield replace(page, state=KeyState.PRESENT)
            following = _onward(base, url, page.next_page)
            if page.next_page is None and matches >= (page.total or 0):
                return
            if following is None or following in seen:
                break
            url = following
        raise _NoAnswer("page")

    def _get(self, url: str, token: str | None, reading: _Reading) -> Any:
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "User-Agent": "posterior-knee-cds"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self._send(url, headers, reading)
        except _Reset:
            pass
        try:
            return self._send(url, headers, reading)
        except _Reset:
            raise _NoAnswer("unreachable") from None

    def _send(self, url: str, headers: Mapping[str, str], reading: _Reading) -> Any:
        left = min(reading.left, self._deadline * _PER_CALL)
        if left <= 0 or reading.ended:
            raise _NoAnswer("timeout")
        prepared = requests.Request("GET", url, dict(headers)).prepare()
        try:
            answer = self._session.send(
                prepared, stream=True, timeout=left, allow_redirects=False, verify=self._verify, proxies={}
            )
        except requests.Timeout as error:
            raise _NoAnswer("timeout") from error
        except requests.ConnectionError as error:
            if _was_reset(error):
                raise _Reset from error
            raise _NoAnswer("unreachable") from error
        except (requests.RequestException, ValueError, OSError) as error:
            raise _NoAnswer("not_fhir") from error
        with answer:
            return _body(answer, reading)


def _onward(base: Address, here: str, url: str | None) -> str | None:
    """The next page's address, if there is one and it lies on the server that may be read."""
    return below(base, urljoin(here, url)) if url else None


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


def _body(answer: requests.Response, reading: _Reading) -> Any:
    if answer.is_redirect or 300 <= answer.status_code < 400:
        raise _NoAnswer("redirect")
    if answer.status_code != 200:
        raise _NoAnswer(_REFUSALS.get(answer.status_code, "server_error"))
    if "json" not in answer.headers.get("Content-Type", "json").lower():
        raise _NoAnswer("not_fhir")
    body = bytearray()
    try:
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > MOST_BYTES:
                raise _NoAnswer("too_large")
            if reading.ended or reading.left <= 0:
                raise _NoAnswer("timeout")
    except (requests.RequestException, OSError, ValueError) as error:
        late = isinstance(error, requests.Timeout) or "timed out" in str(error)
        raise _NoAnswer("timeout" if late else "cut_short") from error
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _NoAnswer("not_fhir") from error
    if found is None:  # a prefetch may say so, a FHIR server may not
        raise _NoAnswer("not_fhir")
    return found


def _refusal(request: HookRequest, base: Address | None, *, without_token: bool) -> str:
    """Why the server may not be read; empty if it may."""
    if base is None:
        return "not_allowed"
    lent = request.fhirAuthorization
    if lent is None:
        return "" if without_token else "no_token"
    if lent.patient is not None and lent.patient.removeprefix("Patient/") != request.context.patientId:
        return "token_of_another_patient"
    return ""


def _unread(part: Part, refusal: str) -> str:
    return part.why if part.state is KeyState.TRUNCATED else refusal


def _finished(running: Future[str], reading: _Reading, patient: str) -> Part:
    if running.done() and not running.cancelled():
        found = reading.result(running.result())
    else:
        waited = running.cancel()
        reading.cut()
        found = reading.result("busy" if waited else "timeout")
    return _of_this_patient(found, patient)


def _of_this_patient(part: Part, patient: str) -> Part:
    if part.key == PATIENT and any(_id(entry) != patient for entry in part.entries):
        return Part(PATIENT, KeyState.FAILED, why="another_patient", was_read=True)
    return part


def _id(entry: ChartEntry) -> Any:
    return entry.resource.get("id") if isinstance(entry.resource, dict) else None

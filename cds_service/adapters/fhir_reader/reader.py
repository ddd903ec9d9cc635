"""Reads the missing parts of a chart from the FHIR server in parallel. The token is sent only to that server."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urljoin

from cds_service.adapters.fhir_reader.medicines import MAX_MEDICINES, medicine_in, missing_medicines, with_medicines
from cds_service.adapters.http import Transport
from cds_service.adapters.http_terms import (
    ANSWER_LIMITS,
    PLAIN_HTTP,
    Deadline,
    NoAnswer,
    Terms,
    may_carry_secrets,
)
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from cds_service.base.strict_json import JsonLimits
from cds_service.base.urls import Address, below
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import KeyState, Part, Prefetched, is_anothers, read_part
from cds_service.protocol.queries import MAX_QUERY_LENGTH, PATIENT, Plan
from cds_service.protocol.searchset import PAGE, Matches

MAX_PAGES = 20
_THREADS = 640
_PER_CALL = 0.9
"""Fraction of the deadline that a single request may take."""
_CLEARING = 0.15
"""Fraction of the deadline that may be added for reading data that has already arrived when time is up."""
_NO_FORMS = frozenset({"refused", "not_found", "server_error"})
"""Codes for the responses of servers that do not accept a search as a form."""
_TOKEN = re.compile(r"[!-~]+")
"""Characters of an access token (RFC 6749, A.12). Line breaks are not among them, so it cannot end the header."""


@dataclass(eq=False)
class _Reading:
    """The reading of one key.

    Attributes:
        part: the key and its entries before reading.
        deadline: the time limit.
        query: relative to the FHIR base.
        pages: the pages received so far.
        why: None while reading; then a code for what went wrong, or empty if nothing did.
    """

    part: Part
    deadline: Deadline
    query: str
    pages: list[Part] = field(default_factory=list)
    why: str | None = None

    def result(self, why: str) -> Part:
        """Return the part with everything that arrived in time. ``why``: why it is incomplete; empty if complete."""
        pages = list(self.pages)
        entries = (*self.part.entries, *(entry for page in pages for entry in page.entries))
        part = replace(self.part, entries=entries, why=why, was_read=bool(pages))
        if not why:
            return replace(part, state=KeyState.PRESENT if part.has_resources else KeyState.EMPTY)
        unanswered = KeyState.MISSING if why in ("timeout", "busy") else KeyState.FAILED
        return replace(part, state=KeyState.TRUNCATED if part.has_some else unanswered)


@dataclass(eq=False)
class _MedicineReading:
    """The reading of one Medication. ``found``: None until it was read."""

    identity: str
    deadline: Deadline
    found: ChartEntry | None = None


class _Together:
    """Several reads of one call. The call is woken once, when the last read has ended."""

    def __init__(self, running: Sequence[Future[None]]) -> None:
        self._left = len(running)
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self.all_ended: asyncio.Future[None] = self._loop.create_future()
        for task in running:
            task.add_done_callback(self._one_ended)

    def _one_ended(self, _: Future[None]) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        with suppress(RuntimeError):  # the event loop may be closed already
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self.all_ended.done():
            self.all_ended.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Wait for all reads, at most ``seconds``. Return whether all have ended."""
        await asyncio.wait([self.all_ended], timeout=max(0.0, seconds))
        return self.all_ended.done()


class FhirReader:
    """Reads the missing parts of prefetched charts. One for the whole process; safe to use from many calls at once."""

    def __init__(
        self,
        allowed: Sequence[str],
        *,
        deadline: float,
        ca_bundle: str | None = None,
        networks: Networks = Networks(),
        limits: JsonLimits = ANSWER_LIMITS,
        report_wait: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Create the reader; nothing is connected yet.

        Args:
            allowed: base URLs of the FHIR servers that may be read.
            deadline: seconds for one call, all keys and pages together.
            ca_bundle: file of CA certificates; None for the default ones.
            networks: networks that may be connected to.
            limits: limits for the JSON of each response.
            report_wait: called with the seconds that a call waited for a FHIR server.
        """
        self._allowed = tuple(Address.parse(url) for url in allowed)
        self._deadline = deadline
        self._report_wait = report_wait
        self._transport = Transport(Terms(_THREADS, deadline * _PER_CALL, ca_bundle, networks, limits=limits))
        if allowed:
            self._transport.prepare()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fhir")

    @classmethod
    def from_settings(cls, settings: Settings, report_wait: Callable[[float], None] = lambda _: None) -> FhirReader:
        """Build the reader for a site's settings."""
        bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
        own = (settings.sandbox_fhir_root,) if settings.sandbox else ()
        return cls(
            (*settings.fhir_servers, *own),
            deadline=settings.fhir_deadline_ms / 1000,
            ca_bundle=bundle,
            networks=Networks.of(settings.private_networks),
            limits=JsonLimits(settings.max_json_depth, settings.max_entries),
            report_wait=report_wait,
        )

    @classmethod
    def for_launches(cls, settings: Settings, deadline: float) -> FhirReader:
        """Build a reader for the order page. It reads only the server that launched the page. ``deadline``: seconds."""
        bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
        return cls((), deadline=deadline, ca_bundle=bundle, networks=Networks.of(settings.private_networks))

    def close(self) -> None:
        """Close all connections. Reads that are still running end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    async def complete(
        self,
        request: HookRequest,
        prefetched: Prefetched,
        *,
        without_token: bool = False,
        own: Sequence[Address] | None = None,
        launched_from: Address | None = None,
        today: date | None = None,
    ) -> Prefetched:
        """Read the missing and truncated parts, as far as this is allowed and possible in time.

        Args:
            request: the hook call, with FHIR server and token.
            prefetched: the chart as sent.
            without_token: the server is an open sandbox and may be read without a token.
            own: FHIR servers of the authenticated client. Only these are read for it; None for no such limit.
            launched_from: the server that launched our order page and granted its token.
            today: end of time windows; None for the present day in UTC.

        Returns:
            ``prefetched`` with the parts that could be read. Unread parts have a code in ``why``.
        """
        wanted = prefetched.to_read
        if request.fhirServer is None:
            return prefetched
        base = launched_from or self._base(request.fhirServer, own)
        refusal = _refusal(request, base, without_token=without_token)
        if base is None or refusal:
            return prefetched.with_parts([replace(part, why=_unread(part, refusal)) for part in wanted])
        medicines = missing_medicines(prefetched.entries, base)
        if not wanted and not medicines:
            return prefetched
        token = request.fhirAuthorization.access_token if request.fhirAuthorization else None
        began = time.monotonic()
        deadline = began + self._deadline
        asking = _Asking(prefetched.plan, request, today or datetime.now(UTC).date())
        parts, medications = await asyncio.gather(
            self._read_parts(wanted, asking, base, token, deadline),
            self._read_medicines(medicines[:MAX_MEDICINES], base, token, deadline),
        )
        complete = with_medicines(prefetched.with_parts(parts), medications)
        # The new rows may refer to more Medications. Read them in the rest of the same time.
        more = [identity for identity in missing_medicines(complete.entries, base) if identity not in medicines]
        left = max(0, MAX_MEDICINES - len(medicines))
        complete = with_medicines(complete, await self._read_medicines(more[:left], base, token, deadline))
        self._report_wait(time.monotonic() - began)
        return complete

    async def _read_parts(
        self, wanted: Sequence[Part], asking: _Asking, base: Address, token: str | None, deadline: float
    ) -> list[Part]:
        """Read the parts for which there is a query."""
        queries = ((part, asking.query(part)) for part in wanted)
        readings = [_Reading(part, Deadline(deadline), query) for part, query in queries if query is not None]
        running = [self._threads.submit(self._read, reading, base, token) for reading in readings]
        await self._wait(running, [reading.deadline for reading in readings], deadline)
        patient = asking.request.context.patientId
        return [_finished(task, reading, patient) for task, reading in zip(running, readings, strict=True)]

    async def _read_medicines(
        self, identities: Sequence[str], base: Address, token: str | None, deadline: float
    ) -> list[ChartEntry]:
        """Return the Medications that can be read in time. The others stay unknown, and rows with them are reported."""
        if time.monotonic() >= deadline:
            return []
        readings = [_MedicineReading(identity, Deadline(deadline)) for identity in identities]
        running = [self._threads.submit(self._fetch, reading, base, token) for reading in readings]
        await self._wait(running, [reading.deadline for reading in readings], deadline)
        for task in running:
            if task.done() and not task.cancelled():
                task.result()  # raises our own errors, which must not look like a missing medicine
        return [reading.found for reading in readings if reading.found is not None]

    async def _wait(self, running: Sequence[Future[None]], deadlines: Sequence[Deadline], until: float) -> None:
        """Wait until all reads have ended, at most until ``until`` plus the time to cut them off."""
        if not running:
            return
        together = _Together(running)
        try:
            in_time = await together.wait(until - time.monotonic())
        finally:  # also if the call is cancelled: no read may outlive it
            for task, deadline in zip(running, deadlines, strict=True):
                if not task.done() and not task.cancel():
                    deadline.cut()
        if not in_time:
            await together.wait(self._deadline * _CLEARING)

    def _fetch(self, reading: _MedicineReading, base: Address, token: str | None) -> None:
        """Read one Medication into ``reading``."""
        with suppress(NoAnswer):
            answer = self._transport.client.get(f"{base}/Medication/{reading.identity}", token, reading.deadline)
            reading.found = medicine_in(answer, reading.identity, base)

    def _base(self, url: str, own: Sequence[Address] | None) -> Address | None:
        """Return the address of the server if it may be read; else None."""
        try:
            address = Address.parse(url)
        except ValueError:
            return None
        listed = any(allowed.covers(address) for allowed in self._allowed)
        return address if listed and (own is None or any(server.covers(address) for server in own)) else None

    def _read(self, reading: _Reading, base: Address, token: str | None) -> None:
        """Read every page of one key."""
        try:
            reading.why = self._pages(reading, base, token)
        except NoAnswer as error:
            reading.why = error.why

    def _pages(self, reading: _Reading, base: Address, token: str | None) -> str:
        """Read all pages, from the end of the prefetched page or from the start.

        Returns a code for why the result is incomplete; empty if it is complete.
        """
        part = reading.part
        url = f"{base}/{reading.query}"
        matches, total, flaw = Matches(part.matches.named), part.total or 0, ""
        if part.why == PAGE and (rest := _next_address(base, url, part.next_page)):
            url, matches = rest, part.matches
        seen: set[str] = set()
        while len(seen) < MAX_PAGES:
            seen.add(url)
            page = read_part(part.key, self._answer(url, token, reading.deadline))
            reading.pages.append(page)
            if page.state is KeyState.FAILED:
                return page.why
            matches |= page.matches
            total = max(total, page.total or 0)
            flaw = flaw or (page.why if page.why != PAGE else "")
            if page.next_page is None:
                return flaw or (PAGE if total > len(matches) else "")
            following = _next_address(base, url, page.next_page)
            if following is None or following in seen:
                break
            url = following
        return flaw or PAGE

    def _answer(self, url: str, token: str | None, deadline: Deadline) -> Any:
        """Return the JSON at ``url``. A long query is sent as a form, or in the URL if the server rejects forms."""
        address, _, query = url.partition("?")
        if len(query) <= MAX_QUERY_LENGTH:
            return self._transport.client.get(url, token, deadline)
        try:
            return self._transport.client.search(f"{address}/_search", query, token, deadline)
        except NoAnswer as error:
            if error.why not in _NO_FORMS:
                raise
        return self._transport.client.get(url, token, deadline)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Builds the queries for one call."""

    plan: Plan
    request: HookRequest
    today: date

    def query(self, part: Part) -> str | None:
        """Return the query for a key; None if the call lacks an id that the query needs."""
        context = self.request.context
        return self.plan.search(part.key).asked(context.patientId, context.encounterId, self.today)


def _next_address(base: Address, here: str, url: str | None) -> str | None:
    """Return the address of the next page; None if there is none or it is not on the server that may be read."""
    try:
        return below(base, urljoin(here, url)) if url else None
    except ValueError:
        return None


def _refusal(request: HookRequest, base: Address | None, *, without_token: bool) -> str:
    """Return a code for why the server must not be read; empty if it may be read."""
    if base is None:
        return "not_allowed"
    if request.fhirAuthorization is not None and not may_carry_secrets(str(base)):
        return PLAIN_HTTP
    authorization = request.fhirAuthorization
    if authorization is None:
        return "" if without_token else "no_token"
    if not _TOKEN.fullmatch(authorization.access_token):
        return "no_token"
    patient = authorization.patient
    if patient is not None and patient.removeprefix("Patient/") != request.context.patientId:
        return "token_of_another_patient"
    return ""


def _unread(part: Part, refusal: str) -> str:
    return part.why if part.state is KeyState.TRUNCATED else refusal


def _finished(task: Future[None], reading: _Reading, patient: str) -> Part:
    """Return the part with the result of its reading."""
    if task.cancelled():
        return reading.result("busy")
    if task.done():
        task.result()  # raises our own errors, which must not look like a missing part
    return _of_this_patient(reading.result("timeout" if reading.why is None else reading.why), patient)


def _of_this_patient(part: Part, patient: str) -> Part:
    if part.key == PATIENT and is_anothers(part, patient):
        return replace(part, state=KeyState.FAILED, why="another_patient")
    return part

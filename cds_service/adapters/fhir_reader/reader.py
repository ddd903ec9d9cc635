"""The missing parts of a chart, read all at once. The token goes to that server and nowhere else."""

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

from cds_service.adapters.fhir_reader.medicines import MAX_MEDICINES, lacking_medicines, medicine_in, with_medicines
from cds_service.adapters.http import ANSWER_LIMITS, PLAIN_HTTP, Deadline, NoAnswer, Transport, may_carry_secrets
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from cds_service.base.strict_json import JsonLimits
from cds_service.base.urls import Address, below
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import KeyState, Part, Prefetched, is_anothers, read_part
from cds_service.protocol.queries import LONGEST_ADDRESS, PATIENT, Plan
from cds_service.protocol.searchset import PAGE, Matches

MAX_PAGES = 20
_THREADS = 640
_PER_CALL = 0.9
"""Share of the deadline that a single call may take."""
_CLEARING = 0.15
"""Share of the deadline added, at most, for reading what the sockets already hold when time is up."""
_NO_FORMS = frozenset({"refused", "not_found", "server_error"})
"""How servers answer that do not take a search as a form."""
_TOKEN = re.compile(r"[!-~]+")
"""What an access token may be made of (RFC 6749, A.12), and nothing that would end the header."""


@dataclass(eq=False)
class _Reading:
    """One key being read.

    ``query``: relative to the FHIR base. ``why``: None while it lasts, then the code of what went wrong, or empty.
    """

    part: Part
    line: Deadline
    query: str
    pages: list[Part] = field(default_factory=list)
    why: str | None = None

    def result(self, why: str) -> Part:
        """What came in time; ``why`` says what kept it from being whole, empty if it is."""
        pages = list(self.pages)
        entries = (*self.part.entries, *(entry for page in pages for entry in page.entries))
        found = replace(self.part, entries=entries, why=why, was_read=bool(pages))
        if not why:
            return replace(found, state=KeyState.PRESENT if found.has_resources else KeyState.EMPTY)
        unanswered = KeyState.MISSING if why in ("timeout", "busy") else KeyState.FAILED
        return replace(found, state=KeyState.TRUNCATED if found.has_some else unanswered)


@dataclass(eq=False)
class _MedicineReading:
    """One Medication being read. ``found``: None if it did not come."""

    identity: str
    line: Deadline
    found: ChartEntry | None = None


class _Together:
    """Several reads of one call: the call is woken once, when the last has ended."""

    def __init__(self, running: Sequence[Future[None]]) -> None:
        self._left = len(running)
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self.all_ended: asyncio.Future[None] = self._loop.create_future()
        for one in running:
            one.add_done_callback(self._one_ended)

    def _one_ended(self, _: Future[None]) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        with suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self.all_ended.done():
            self.all_ended.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Whether all have ended by then."""
        await asyncio.wait([self.all_ended], timeout=max(0.0, seconds))
        return self.all_ended.done()


class FhirReader:
    """Reads what the prefetch lacks. One for the whole process; safe to use from many calls at once."""

    def __init__(
        self,
        allowed: Sequence[str],
        *,
        deadline: float,
        ca_bundle: str | None = None,
        networks: Networks = Networks(),
        limits: JsonLimits = ANSWER_LIMITS,
        took: Callable[[float], None] = lambda _: None,
    ) -> None:
        """``allowed``: base URLs. ``deadline``: seconds for one call, all keys and pages together.

        ``limits``: of each answer. ``took``: told how many seconds a call has waited, each time a server was asked.
        """
        self._allowed = tuple(Address.parse(url) for url in allowed)
        self._deadline = deadline
        self._took = took
        self._transport = Transport(
            size=_THREADS,
            per_call=deadline * _PER_CALL,
            ca_bundle=ca_bundle,
            networks=networks,
            limits=limits,
        )
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fhir")

    @classmethod
    def from_settings(cls, settings: Settings, took: Callable[[float], None] = lambda _: None) -> FhirReader:
        """The reader as a site has set it up."""
        bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
        own = (settings.sandbox_fhir_root,) if settings.sandbox else ()
        return cls(
            (*settings.fhir_servers, *own),
            deadline=settings.fhir_deadline_ms / 1000,
            ca_bundle=bundle,
            networks=Networks.of(settings.private_networks),
            limits=JsonLimits(settings.max_json_depth, settings.max_entries),
            took=took,
        )

    @classmethod
    def for_launches(cls, settings: Settings, deadline: float) -> FhirReader:
        """A reader for the order page, whose user waits: only servers that have launched it are read."""
        bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
        return cls((), deadline=deadline, ca_bundle=bundle, networks=Networks.of(settings.private_networks))

    def close(self) -> None:
        """Give up the connections; reads in flight end by themselves."""
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
        """``prefetched`` with its missing and truncated parts read, as far as that is allowed and in time.

        ``without_token``: the server is an open sandbox and may be read although no token was given.
        ``own``: the servers of the client that has proved who it is; no other is read for it.
        ``launched_from``: the server that has launched our own page and given its token for it.
        ``today``: where windows of time end; else the day of the clock (UTC).
        """
        wanted = prefetched.to_read
        if request.fhirServer is None:
            return prefetched
        base = launched_from or self._base(request.fhirServer, own)
        refusal = _refusal(request, base, without_token=without_token)
        if base is None or refusal:
            return prefetched.with_parts([replace(part, why=_unread(part, refusal)) for part in wanted])
        medicines = lacking_medicines(prefetched.entries, base)
        if not wanted and not medicines:
            return prefetched
        token = request.fhirAuthorization.access_token if request.fhirAuthorization else None
        began = time.monotonic()
        deadline = began + self._deadline
        asking = _Asking(prefetched.plan, request, today or datetime.now(UTC).date())
        parts, found = await asyncio.gather(
            self._read_parts(wanted, asking, base, token, deadline),
            self._read_medicines(medicines[:MAX_MEDICINES], base, token, deadline),
        )
        complete = with_medicines(prefetched.with_parts(parts), found)
        # What came just now may refer to more: they are read in what is left of the same time.
        more = [one for one in lacking_medicines(complete.entries, base) if one not in medicines]
        left = max(0, MAX_MEDICINES - len(medicines))
        complete = with_medicines(complete, await self._read_medicines(more[:left], base, token, deadline))
        self._took(time.monotonic() - began)
        return complete

    async def _read_parts(
        self, wanted: Sequence[Part], asking: _Asking, base: Address, token: str | None, deadline: float
    ) -> list[Part]:
        """The parts that there is something to ask for."""
        asked = ((part, asking.query(part)) for part in wanted)
        readings = [_Reading(part, Deadline(deadline), query) for part, query in asked if query is not None]
        running = [self._threads.submit(self._read, one, base, token) for one in readings]
        await self._wait(running, [one.line for one in readings], deadline)
        patient = asking.request.context.patientId
        return [_finished(task, one, patient) for task, one in zip(running, readings, strict=True)]

    async def _read_medicines(
        self, identities: Sequence[str], base: Address, token: str | None, deadline: float
    ) -> list[ChartEntry]:
        """The Medications that come in time. One that does not stays unknown: whoever refers to it is named."""
        if time.monotonic() >= deadline:
            return []
        readings = [_MedicineReading(one, Deadline(deadline)) for one in identities]
        running = [self._threads.submit(self._fetch, one, base, token) for one in readings]
        await self._wait(running, [one.line for one in readings], deadline)
        for task in running:
            if task.done() and not task.cancelled():
                task.result()  # a fault of ours must not pass for a missing medicine
        return [one.found for one in readings if one.found is not None]

    async def _wait(self, running: Sequence[Future[None]], lines: Sequence[Deadline], deadline: float) -> None:
        """Until all have ended, at most until ``deadline`` and what it takes to clear up."""
        if not running:
            return
        together = _Together(running)
        try:
            in_time = await together.wait(deadline - time.monotonic())
        finally:  # also when the call is given up: no read may outlive it
            for task, line in zip(running, lines, strict=True):
                if not task.done() and not task.cancel():
                    line.cut()
        if not in_time:
            await together.wait(self._deadline * _CLEARING)

    def _fetch(self, reading: _MedicineReading, base: Address, token: str | None) -> None:
        """Read one Medication."""
        with suppress(NoAnswer):
            answer = self._transport.get(f"{base}/Medication/{reading.identity}", token, reading.line)
            reading.found = medicine_in(answer, reading.identity, base)

    def _base(self, url: str, own: Sequence[Address] | None) -> Address | None:
        try:
            found = Address.parse(url)
        except ValueError:
            return None
        listed = any(allowed.covers(found) for allowed in self._allowed)
        return found if listed and (own is None or any(one.covers(found) for one in own)) else None

    def _read(self, reading: _Reading, base: Address, token: str | None) -> None:
        """Read every page of one key."""
        try:
            reading.why = self._pages(reading, base, token)
        except NoAnswer as error:
            reading.why = error.why

    def _pages(self, reading: _Reading, base: Address, token: str | None) -> str:
        """Read on from where the prefetch ends, else from the start. What keeps it from being whole; empty if it is."""
        part = reading.part
        url = f"{base}/{reading.query}"
        matches, total, flaw = Matches(part.matches.named), part.total or 0, ""
        if part.why == PAGE and (onward := _onward(base, url, part.next_page)):
            url, matches = onward, part.matches
        seen: set[str] = set()
        while len(seen) < MAX_PAGES:
            seen.add(url)
            page = read_part(part.key, self._answer(url, token, reading.line))
            reading.pages.append(page)
            if page.state is KeyState.FAILED:
                return page.why
            matches |= page.matches
            total = max(total, page.total or 0)
            flaw = flaw or (page.why if page.why != PAGE else "")
            if page.next_page is None:
                return flaw or (PAGE if total > len(matches) else "")
            following = _onward(base, url, page.next_page)
            if following is None or following in seen:
                break
            url = following
        return flaw or PAGE

    def _answer(self, url: str, token: str | None, line: Deadline) -> Any:
        """What ``url`` answers. A long query goes as a form, and in the address after all where forms are not taken."""
        address, _, query = url.partition("?")
        if len(query) <= LONGEST_ADDRESS:
            return self._transport.get(url, token, line)
        try:
            return self._transport.search(f"{address}/_search", query, token, line)
        except NoAnswer as error:
            if error.why not in _NO_FORMS:
                raise
        return self._transport.get(url, token, line)


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is asked for a key of this call."""

    plan: Plan
    request: HookRequest
    today: date

    def query(self, part: Part) -> str | None:
        """None if the call does not say what to ask for."""
        context = self.request.context
        return self.plan.search(part.key).asked(context.patientId, context.encounterId, self.today)


def _onward(base: Address, here: str, url: str | None) -> str | None:
    """The next page's address, if there is one and it lies on the server that may be read."""
    try:
        return below(base, urljoin(here, url)) if url else None
    except ValueError:
        return None


def _refusal(request: HookRequest, base: Address | None, *, without_token: bool) -> str:
    """Why the server may not be read; empty if it may."""
    if base is None:
        return "not_allowed"
    if request.fhirAuthorization is not None and not may_carry_secrets(str(base)):
        return PLAIN_HTTP
    lent = request.fhirAuthorization
    if lent is None:
        return "" if without_token else "no_token"
    if not _TOKEN.fullmatch(lent.access_token):
        return "no_token"
    if lent.patient is not None and lent.patient.removeprefix("Patient/") != request.context.patientId:
        return "token_of_another_patient"
    return ""


def _unread(part: Part, refusal: str) -> str:
    return part.why if part.state is KeyState.TRUNCATED else refusal


def _finished(task: Future[None], reading: _Reading, patient: str) -> Part:
    """The part as it stands now."""
    if task.cancelled():
        return reading.result("busy")
    if task.done():
        task.result()  # a fault of ours must not pass for a missing part
    return _of_this_patient(reading.result("timeout" if reading.why is None else reading.why), patient)


def _of_this_patient(part: Part, patient: str) -> Part:
    if part.key == PATIENT and is_anothers(part, patient):
        return replace(part, state=KeyState.FAILED, why="another_patient")
    return part

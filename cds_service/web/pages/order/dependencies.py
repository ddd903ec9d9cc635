"""The parts of the service that the SMART order pages use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.adapters.http import Transport
from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.store.assessments import Assessments
from cds_service.service.smart.launches import Launch, Launches, LaunchFailed
from cds_service.web.auditing import Auditing
from cds_service.web.current_service import CurrentService
from cds_service.web.pages.layout import Pages

T = TypeVar("T")
_THREADS = 16
_MAX_WAITING = 64
LAUNCHES_PER_MINUTE = 300
"""Limit per process; a busy site opens a few per minute."""


class Threads:
    """A thread pool for blocking calls, so that a slow EHR does not delay other requests."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="order")
        self._waiting = 0
        self._minute = 0
        self._launches = 0

    async def do(self, task: Callable[[], T]) -> T:
        """Run ``task`` in the pool and return its result.

        Raises:
            LaunchFailed: too many tasks are waiting.
        """
        if self._waiting >= _MAX_WAITING:
            raise LaunchFailed("busy")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, task)
        finally:
            self._waiting -= 1

    def count_launch(self, now: float) -> None:
        """Count a launch. The launch address needs no login, so its load on EHRs and the database must be limited.

        Raises:
            LaunchFailed: too many launches in this minute.
        """
        minute = int(now // 60)
        if minute != self._minute:
            self._minute, self._launches = minute, 0
        self._launches += 1
        if self._launches > LAUNCHES_PER_MINUTE:
            raise LaunchFailed("busy")

    def close(self) -> None:
        """Shut down the pool and drop waiting tasks."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The parts that all order pages share. One instance per process."""

    current: CurrentService
    pages: Pages
    links: OrderLinks
    launches: Launches
    transport: Transport
    reader: FhirReader
    auditing: Auditing
    threads: Threads
    clock: Callable[[], datetime]
    base_url: str
    counts: Assessments

    @property
    def https(self) -> bool:
        """Whether browsers reach this service over TLS."""
        return self.base_url.startswith("https:")

    def caller(self, launch: Launch) -> Caller:
        """Return the client of a launch.

        Raises:
            LaunchFailed: the client's settings have changed since the launch.
        """
        caller = self.current.service.clients.named(launch.client)
        if caller is None or caller.client.smart is None or caller.iss != launch.iss:
            raise LaunchFailed("unknown_ehr")
        return caller

    def close(self) -> None:
        """Close threads and connections."""
        self.threads.close()
        self.transport.close()
        self.reader.close()

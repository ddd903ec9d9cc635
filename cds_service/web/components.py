"""The parts of the running service: built once from the settings, started and closed with the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import SecretStr

from cds_service.adapters.audit.journal import Journal, NoJournal, journal_of
from cds_service.adapters.clients.keys import KeyRing
from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.adapters.http import Transport
from cds_service.adapters.http_terms import Terms
from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.adapters.sealed_text import Seal
from cds_service.adapters.store.assessments import Assessments
from cds_service.adapters.store.nonces import Nonces
from cds_service.adapters.store.quota import Quota
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.writer import CardLog
from cds_service.base.clock import Clock, in_zone, site_clock
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from cds_service.service.delivery import Delivery
from cds_service.service.evaluate import Service
from cds_service.service.smart.ehr import SECONDS
from cds_service.service.smart.launches import Launches
from cds_service.web.auditing import Auditing
from cds_service.web.body import Bodies
from cds_service.web.current_service import CurrentService
from cds_service.web.metrics import ContentState, Metrics
from cds_service.web.pages.layout import Pages
from cds_service.web.pages.order.dependencies import Dependencies, Threads
from cds_service.web.security.authenticator import Authenticator
from cds_service.web.security.guard import Guard
from cds_service.web.security.rate_limits import RateLimits
from cds_service.web.tracing import NoTracing, Tracing, tracing_of

START_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Components:
    """One of each for the whole process.

    Attributes:
        current: the content and clients as last loaded. order_page: the parts that the launched pages need.
        assessments: counts of how the assessment page is used.
    """

    settings: Settings
    clock: Callable[[], datetime]
    current: CurrentService
    card_log: CardLog
    nonces: Nonces
    keys: KeyRing
    journal: Journal | NoJournal
    metrics: Metrics
    reader: FhirReader
    guard: Guard
    delivery: Delivery
    auditing: Auditing
    tracing: Tracing | NoTracing
    pages: Pages
    order_page: Dependencies

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock | None = None) -> Self:
        """Build all parts; nothing is started. ``clock``: returns the time at which a call is judged.

        Raises:
            ContentError, WrongSetting: the content or the settings cannot be used.
        """
        now = in_zone(clock, settings.zone) if clock else site_clock(settings.zone)
        service = Service.from_settings(settings)
        store = Store.open(settings.database_url.get_secret_value())
        card_log = CardLog(store, Quota(settings.max_unknown_feedback, settings.max_unknown_feedback_bytes))
        nonces, keys, journal = Nonces(store), KeyRing.from_settings(settings), journal_of(settings)
        metrics = Metrics(card_log, keys, nonces, journal)
        authenticator = Authenticator(settings, service.clients, keys, nonces, metrics.count_refusal, now)
        current = CurrentService(settings, service, authenticator)
        metrics.registry.register(ContentState(lambda: current.service.content, settings.pathway))
        keyed, seal = KeyedHash(_secret(settings.hash_key)), Seal(_secret(settings.hash_key))
        order_links = OrderLinks(seal, keyed, settings.base_url)
        auditing, pages = Auditing(settings, journal, keyed), Pages()
        return cls(
            settings=settings,
            clock=now,
            current=current,
            card_log=card_log,
            nonces=nonces,
            keys=keys,
            journal=journal,
            metrics=metrics,
            reader=FhirReader.from_settings(settings, metrics.fhir_seconds.observe),
            guard=Guard(authenticator, Bodies.from_settings(settings), RateLimits(settings.max_at_once)),
            delivery=Delivery(
                settings.pathway, card_log, keyed, order_links, service.own_urls, suppresses=settings.quiet
            ),
            auditing=auditing,
            tracing=tracing_of(settings),
            pages=pages,
            order_page=Dependencies(
                current=current,
                pages=pages,
                links=order_links,
                launches=Launches(store, seal),
                transport=_transport(settings),
                reader=FhirReader.for_launches(settings, SECONDS),
                auditing=auditing,
                threads=Threads(),
                clock=now,
                base_url=settings.base_url,
                counts=Assessments(store),
            ),
        )

    async def start(self) -> None:
        """Start the background writers. With tokens required, wait shortly for key servers and the database."""
        self.card_log.start()
        self.journal.start()
        self.current.reload_on_hangup()
        if self.guard.authenticator.required:
            # Only here, at the start, does the service wait for key servers and the database.
            await asyncio.to_thread(self.keys.wait, START_SECONDS)
            await asyncio.to_thread(self.card_log.wait, START_SECONDS)

    def close(self) -> None:
        """Write what is waiting, then close connections and threads."""
        self.keys.close()
        self.nonces.close()
        self.card_log.close()
        self.journal.close()
        self.reader.close()
        self.order_page.close()
        self.tracing.close()


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def _transport(settings: Settings) -> Transport:
    bundle = str(settings.fhir_ca_bundle) if settings.fhir_ca_bundle else None
    networks = Networks.of(settings.private_networks)
    return Transport(Terms(16, SECONDS, bundle, networks))

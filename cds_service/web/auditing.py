"""Write audit events for calls: who asked for what, and with what outcome. Chart contents are never included."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cds_service import __version__
from cds_service.adapters.audit import events
from cds_service.adapters.audit.journal import Journal, NoJournal
from cds_service.adapters.clients.model import Caller
from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.adapters.store.rows import FeedbackRow
from cds_service.base.errors import KneeCdsError, NothingToJudgeBy, TooCostly, TooLarge, TooMuch, UnusableInput
from cds_service.base.settings import Settings
from cds_service.base.urls import Address
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import Prefetched, gather
from cds_service.service.delivery import Delivered
from cds_service.service.smart.chart import context_of
from cds_service.service.smart.launches import Launch
from cds_service.web.body import TooSlow, WrongMediaType

ANONYMOUS = "default"
_STATUS: dict[type[KneeCdsError], int] = {
    UnusableInput: 400,
    TooSlow: 408,
    NothingToJudgeBy: 412,
    TooLarge: 413,
    TooCostly: 413,
    WrongMediaType: 415,
}
_NOT_ASKED = frozenset(
    {
        *("", "not_sent", "no_token", "token_of_another_patient", "not_allowed", "plain_http", "busy"),
        *("page", "subset", "not_understood", "operation_outcome"),
    }
)
"""``Part.why`` codes of prefetch keys for which no FHIR server was asked."""


class Auditing:
    """Hands audit events to the journal. One instance per process."""

    def __init__(self, settings: Settings, journal: Journal | NoJournal, keyed: KeyedHash) -> None:
        self._journal = journal
        self._keyed = keyed
        self._service = settings.base_url
        self._pathway = settings.pathway

    def call(self, now: datetime, caller: Caller, request: HookRequest) -> events.Call:
        """Return the data that all events of one hook call share."""
        return events.Call(
            when=now,
            service=self._service,
            sender=_sender(caller),
            requester=self._keyed.requester(caller.name, request.fhirServer, request.context),
            instance_key=self._keyed.of("instance", str(request.hookInstance)),
        )

    def answered(self, call: events.Call, content: str, delivered: Delivered) -> None:
        """Record an answered hook call with its cards, and each draft order sent with a card."""
        if not self._journal.keeps:
            return
        dispositions = [
            events.CardDisposition(card.uuid, card.rule, disposition) for card, disposition in delivered.dispositions
        ]
        versions = events.Versions(__version__, content, self._pathway)
        records = [events.hook_call(events.HookCall(call, 200, versions, dispositions))]
        records += [
            events.draft_order(events.DraftOrder(call, card.uuid, suggestion.uuid, suggestion.order))
            for card in delivered.cards
            for suggestion in card.suggestions
        ]
        self._journal.record(records)

    def failed(
        self, now: datetime, caller: Caller | None, request: HookRequest | None, content: str, error: Exception
    ) -> None:
        """Record a hook call that failed, with the type of its error only. Refused tokens are logged, not audited."""
        if caller is not None and request is not None:
            call = self.call(now, caller, request)
        else:
            call = events.Call(now, self._service, _sender(caller))
        status = error.status if isinstance(error, TooMuch) else _STATUS.get(type(error), 500)  # type: ignore[arg-type]
        versions = events.Versions(__version__, content, self._pathway)
        self._journal.record([events.hook_call(events.HookCall(call, status, versions, why=type(error).__name__))])

    def read(self, call: events.Call, server: str | None, sent: Prefetched, prefetched: Prefetched) -> None:
        """Record every prefetch key for which the FHIR server was asked."""
        wanted = {part.key for part in sent.to_read}
        asked = [
            part for part in prefetched.pieces if part.key in wanted and (part.was_read or part.why not in _NOT_ASKED)
        ]
        if asked and server is not None:
            base = str(Address.parse(server))
            plan = prefetched.plan
            reads = [events.FhirRead(call, base, part.key, plan.search(part.key).template, part.why) for part in asked]
            self._journal.record([events.fhir_read(read) for read in reads])

    def order(self, now: datetime, caller: Caller, launch: Launch, order: str, outcome: str) -> None:
        """Record an order signed on the order page, with its ``outcome``."""
        server = str(Address.parse(launch.iss))
        signed = events.SignedOrder(self._launch(now, caller, launch), server, launch.order, order, outcome)
        self._journal.record([events.signed_order(signed)])

    def assessment(self, now: datetime, caller: Caller, launch: Launch, outcome: str) -> None:
        """Record an assessment saved on the assessment page, with its ``outcome``."""
        server = str(Address.parse(launch.iss))
        saved = events.SavedAssessment(self._launch(now, caller, launch), server, launch.assessment, outcome)
        self._journal.record([events.saved_assessment(saved)])

    def chart(self, now: datetime, caller: Caller, launch: Launch, parts: Prefetched) -> None:
        """Record a chart read for the order page, one event per prefetch key."""
        self.read(self._launch(now, caller, launch), launch.iss, gather(None, parts.plan), parts)

    def _launch(self, now: datetime, caller: Caller, launch: Launch) -> events.Call:
        requester = self._keyed.requester(caller.name, launch.iss, context_of(launch))
        return events.Call(now, self._service, _sender(caller), requester)

    def feedback(self, now: datetime, authenticated: Caller | None, rows: Sequence[FeedbackRow], status: int) -> None:
        """Record every feedback item with the status of its answer: 200 kept, 429 over the quota, 503 not kept."""
        call = events.Call(now, self._service, _sender(authenticated))
        self._journal.record([events.feedback(events.Feedback(call, row.card, row.outcome, status)) for row in rows])


def _sender(caller: Caller | None) -> events.Sender:
    if caller is None:
        return events.Sender(ANONYMOUS)
    return events.Sender(caller.name, caller.client.token.issuer if caller.client.token else None)

"""From calls to audit events: who asked what of whom, with what outcome, and never what was in the chart."""

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

NOBODY = "default"
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
"""Reasons of parts for which no FHIR server was asked."""


class Auditing:
    """One for the whole process; hands over and forgets."""

    def __init__(self, settings: Settings, journal: Journal | NoJournal, keyed: KeyedHash) -> None:
        self._journal = journal
        self._keyed = keyed
        self._service = settings.base_url
        self._pathway = settings.pathway

    def call(self, now: datetime, caller: Caller, request: HookRequest) -> events.Call:
        """The frame that all events of one hook call share."""
        return events.Call(
            when=now,
            service=self._service,
            sender=_sender(caller),
            requester=self._keyed.requester(caller.name, request.fhirServer, request.context),
            instance_key=self._keyed.of("instance", str(request.hookInstance)),
        )

    def answered(self, call: events.Call, content: str, delivered: Delivered) -> None:
        """A hook call with its cards, and each draft order that went out with one."""
        if not self._journal.keeps:
            return
        dispositions = [events.CardDisposition(card.uuid, card.rule, fate) for card, fate in delivered.dispositions]
        versions = events.Versions(__version__, content, self._pathway)
        found = [events.hook_call(events.HookCall(call, 200, versions, dispositions))]
        found += [
            events.draft_order(events.DraftOrder(call, card.uuid, suggestion.uuid, suggestion.order))
            for card in delivered.cards
            for suggestion in card.suggestions
        ]
        self._journal.record(found)

    def failed(
        self, now: datetime, caller: Caller | None, request: HookRequest | None, content: str, error: Exception
    ) -> None:
        """A hook call that ended without an answer, by its kind only. Who is refused at the entrance is in the log."""
        if caller is not None and request is not None:
            call = self.call(now, caller, request)
        else:
            call = events.Call(now, self._service, _sender(caller))
        status = error.status if isinstance(error, TooMuch) else _STATUS.get(type(error), 500)  # type: ignore[arg-type]
        versions = events.Versions(__version__, content, self._pathway)
        self._journal.record([events.hook_call(events.HookCall(call, status, versions, why=type(error).__name__))])

    def read(self, call: events.Call, server: str | None, sent: Prefetched, prefetched: Prefetched) -> None:
        """Every prefetch key for which the FHIR server was asked."""
        wanted = {part.key for part in sent.to_read}
        asked = [one for one in prefetched.pieces if one.key in wanted and (one.was_read or one.why not in _NOT_ASKED)]
        if asked and server is not None:
            base = str(Address.parse(server))
            plan = prefetched.plan
            reads = [events.FhirRead(call, base, one.key, plan.search(one.key).template, one.why) for one in asked]
            self._journal.record([events.fhir_read(one) for one in reads])

    def order(self, now: datetime, caller: Caller, launch: Launch, order: str, fate: str) -> None:
        """An order signed on the order page, whatever became of it."""
        server = str(Address.parse(launch.iss))
        signed = events.SignedOrder(self._launch(now, caller, launch), server, launch.order, order, fate)
        self._journal.record([events.signed_order(signed)])

    def assessment(self, now: datetime, caller: Caller, launch: Launch, fate: str) -> None:
        """An assessment saved on the assessment page, whatever became of it."""
        server = str(Address.parse(launch.iss))
        saved = events.SavedAssessment(self._launch(now, caller, launch), server, launch.assessment, fate)
        self._journal.record([events.saved_assessment(saved)])

    def chart(self, now: datetime, caller: Caller, launch: Launch, parts: Prefetched) -> None:
        """A chart read for the order page, key by key."""
        self.read(self._launch(now, caller, launch), launch.iss, gather(None, parts.plan), parts)

    def _launch(self, now: datetime, caller: Caller, launch: Launch) -> events.Call:
        requester = self._keyed.requester(caller.name, launch.iss, context_of(launch))
        return events.Call(now, self._service, _sender(caller), requester)

    def feedback(self, now: datetime, proved: Caller | None, rows: Sequence[FeedbackRow], status: int) -> None:
        """Every statement, whether it could be kept (200) or not (503)."""
        call = events.Call(now, self._service, _sender(proved))
        self._journal.record([events.feedback(events.Feedback(call, one.card, one.outcome, status)) for one in rows])


def _sender(caller: Caller | None) -> events.Sender:
    if caller is None:
        return events.Sender(NOBODY)
    return events.Sender(caller.name, caller.client.token.issuer if caller.client.token else None)

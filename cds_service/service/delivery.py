"""Delivers composed cards: suppresses answered ones, adapts them to the client, sanitizes them and logs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.clients.shape import shape
from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.pseudonyms import KeyedHash, Requester
from cds_service.adapters.store.rows import CardRow
from cds_service.adapters.store.writer import CardLog
from cds_service.base.errors import StoreDown
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.messages import HookRequest
from cds_service.rendering.card import Card
from cds_service.rendering.sanitize import UnsafePart, sanitized
from cds_service.service.suppression import Suppressed, suppress, window


@dataclass(frozen=True, slots=True)
class Delivered:
    """The result of delivering cards.

    Attributes:
        cards: the cards to send.
        response_extension: information for the response's extension.
        dispositions: each card with its disposition: ``shown``, ``quiet``, ``reminder`` or ``silent``.
        unsafe_parts: parts that were removed from the cards.
    """

    cards: tuple[Card, ...]
    response_extension: dict[str, Any]
    dispositions: tuple[tuple[Card, str], ...]
    unsafe_parts: tuple[UnsafePart, ...] = ()


class Delivery:
    """Delivers cards. One for the whole process; of each call it keeps only the rows for the card log."""

    def __init__(
        self,
        pathway: str,
        card_log: CardLog,
        keyed: KeyedHash,
        order_links: OrderLinks,
        own_urls: Sequence[str],
        *,
        suppresses: bool,
    ) -> None:
        """``own_urls``: allowed targets of links. ``suppresses``: whether answered cards are suppressed."""
        self._order_links = order_links
        self._own_urls = tuple(own_urls)
        self._pathway = pathway
        self._card_log = card_log
        self._keyed = keyed
        self._suppresses = suppresses

    async def show(
        self, cards: Sequence[Card], caller: Caller, request: HookRequest, now: datetime, content: Content
    ) -> Delivered:
        """Prepare the cards for this requester and client, and record them in the card log.

        ``content``: the content in the language of the cards.
        """
        requester = self._keyed.requester(caller.name, request.fhirServer, request.context)
        suppressed = await self._suppress(cards, requester, now, content)
        linked = self._order_links.for_client(suppressed.cards, caller, request.context.patientId, now)
        shaped, unsafe_parts = sanitized(shape(linked, caller), self._own_urls)
        silent = caller.client.silent
        self._card_log.record(
            [self._row(card, requester, suppressed, now, content, shown=not silent) for card in shaped]
        )
        extension: dict[str, Any] = {}
        if suppressed.hidden:
            extension["quiet"] = [card.source.topic.code for card in suppressed.hidden]
        if silent:
            extension["silentMode"] = True
        dispositions = [(card, "quiet") for card in suppressed.hidden]
        dispositions += [(card, _disposition(card, suppressed, silent=silent)) for card in shaped]
        return Delivered(() if silent else shaped, extension, tuple(dispositions), unsafe_parts)

    async def _suppress(
        self, cards: Sequence[Card], requester: Requester, now: datetime, content: Content
    ) -> Suppressed:
        """Suppress answered cards. Without the database all cards are shown: an extra card does less harm than none."""
        if not cards or not self._suppresses:
            return Suppressed(tuple(cards))
        try:
            answered = await self._card_log.answered(requester, now)
        except StoreDown:  # the card log counts and logs it
            return Suppressed(tuple(cards))
        return suppress(cards, answered, requester, self._keyed, content, now)

    def _row(
        self, card: Card, requester: Requester, suppressed: Suppressed, now: datetime, content: Content, *, shown: bool
    ) -> CardRow:
        kept_away = suppressed.reminders.get(card.uuid) or window(card, requester, content.reasoning, self._keyed, now)
        return CardRow(
            uuid=card.uuid,
            shown_at=now,
            client=requester.client,
            rule=card.rule,
            topic=card.source.topic.code,
            pathway=self._pathway,
            content_version=content.version,
            indicator=card.indicator,
            leg=card.leg,
            suggestions={suggestion.uuid: suggestion.order for suggestion in card.suggestions},
            shown=shown,
            user=requester.user,
            patient_key=requester.patient_key,
            user_key=requester.user_key,
            encounter_key=requester.encounter_key,
            fingerprint=kept_away.fingerprint,
            quiet_until=kept_away.until,
        )


def _disposition(card: Card, suppressed: Suppressed, *, silent: bool) -> str:
    if silent:
        return "silent"
    return "reminder" if card.uuid in suppressed.reminders else "shown"

"""From the cards composed to the cards shown: what is quiet, the client's dialect, the final pass, silent mode, the
register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.clients.shape import shape
from cds_service.adapters.order_links import OrderLinks
from cds_service.adapters.pseudonyms import Asker, KeyedHash
from cds_service.adapters.store.rows import CardRow
from cds_service.adapters.store.writer import Register
from cds_service.base.errors import StoreDown
from cds_service.base.logs import get_log
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.messages import HookRequest
from cds_service.rendering.card import Card
from cds_service.rendering.sanitize import Stray, sanitized
from cds_service.service.suppression import Quieted, quieten, window

log = get_log()


@dataclass(frozen=True, slots=True)
class Shown:
    """What goes out.

    Attributes:
        told: for the answer's extension.
        fates: each card with what became of it.
        strays: what the final pass took out of them.
    """

    cards: tuple[Card, ...]
    told: dict[str, Any]
    fates: tuple[tuple[Card, str], ...]
    strays: tuple[Stray, ...] = ()


class Showing:
    """One for the whole process; keeps nothing of a call but what it hands to the register."""

    def __init__(
        self,
        pathway: str,
        register: Register,
        keyed: KeyedHash,
        order_links: OrderLinks,
        own_urls: Sequence[str],
        *,
        quiet: bool,
    ) -> None:
        """``own_urls``: where links may lead."""
        self._order_links = order_links
        self._own_urls = tuple(own_urls)
        self._pathway = pathway
        self._register = register
        self._keyed = keyed
        self._quiet = quiet

    async def show(
        self, cards: Sequence[Card], caller: Caller, request: HookRequest, now: datetime, content: Content
    ) -> Shown:
        """The cards for this asker, in the caller's dialect, checked and registered.

        ``content``: what they were made from.
        """
        asker = self._keyed.asker(caller.name, request.fhirServer, request.context)
        quieted = await self._quieten(cards, asker, now, content)
        linked = self._order_links.for_client(quieted.cards, caller, request.context.patientId, now)
        shaped, strays = sanitized(shape(linked, caller), self._own_urls)
        silent = caller.client.silent
        self._register.record([self._row(card, asker, quieted, now, content, shown=not silent) for card in shaped])
        told: dict[str, Any] = {}
        if quieted.hidden:
            told["quiet"] = [card.source.topic.code for card in quieted.hidden]
        if silent:
            told["silentMode"] = True
        fates = [(card, "quiet") for card in quieted.hidden]
        fates += [(card, _fate(card, quieted, silent=silent)) for card in shaped]
        return Shown(() if silent else shaped, told, tuple(fates), strays)

    async def _quieten(self, cards: Sequence[Card], asker: Asker, now: datetime, content: Content) -> Quieted:
        """Without the database every card is shown: a needless card is less harm than a missing one."""
        if not cards or not self._quiet:
            return Quieted(tuple(cards))
        try:
            answered = await self._register.answered(asker, now)
        except StoreDown as error:
            log.debug("answered_cards_shown_again", error=type(error).__name__)  # the outage itself is logged once
            return Quieted(tuple(cards))
        return quieten(cards, answered, asker, self._keyed, content, now)

    def _row(
        self, card: Card, asker: Asker, quieted: Quieted, now: datetime, content: Content, *, shown: bool
    ) -> CardRow:
        quiet = quieted.reminders.get(card.uuid) or window(card, asker, content.reasoning, self._keyed, now)
        return CardRow(
            uuid=card.uuid,
            shown_at=now,
            client=asker.client,
            rule=card.rule,
            topic=card.source.topic.code,
            pathway=self._pathway,
            content_version=content.version,
            indicator=card.indicator,
            leg=card.leg,
            suggestions={one.uuid: one.order for one in card.suggestions},
            shown=shown,
            user=asker.user,
            patient_key=asker.patient_key,
            user_key=asker.user_key,
            encounter_key=asker.encounter_key,
            fingerprint=quiet.fingerprint,
            quiet_until=quiet.until,
        )


def _fate(card: Card, quieted: Quieted, *, silent: bool) -> str:
    if silent:
        return "silent"
    return "reminder" if card.uuid in quieted.reminders else "shown"

"""The order link of an urgent card for one client: the order page as a SMART app, or a page with a text to copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.adapters.sealed_text import NotSealed, Seal
from cds_service.rendering.card import Card, Link
from cds_service.rendering.order_draft import OrderDraft

LAUNCH_PATH = "/orders/launch"
_TEXT, _CONTEXT = "order text", "order context"
TEXT_SECONDS = 30 * 60
"""How long a link to a text shows the facts. Later the page opens without them."""
CONTEXT_SECONDS = 10 * 60
"""How long a launch keeps the link to its card. Later only the chart decides what to order."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the card behind a launch proposed. ``patient``: a keyed hash, to compare with the patient of the launch."""

    patient: str
    rule: str
    order: str
    side: str


@dataclass(frozen=True, slots=True)
class OrderLinks:
    """Seals and opens the data in order links, so that no address holds readable patient data."""

    seal: Seal
    keyed: KeyedHash
    base_url: str

    def for_client(self, cards: Sequence[Card], caller: Caller, patient: str, now: datetime) -> tuple[Card, ...]:
        """Return ``cards`` with order links for this client. ``patient``: the id in the client's FHIR server."""
        return tuple(
            replace(card, links=tuple(self._link(link, caller, patient, now) for link in card.links)) for card in cards
        )

    def _link(self, link: Link, caller: Caller, patient: str, now: datetime) -> Link:
        if link.draft is None:
            return link
        if caller.client.smart is not None:
            context = self._context(link.draft, caller, patient, now)
            return replace(link, url=f"{self.base_url}{LAUNCH_PATH}", app_context=context)
        sealed = self.seal.close(_TEXT, link.draft.as_json(), now.timestamp() + TEXT_SECONDS)
        return replace(link, url=f"{link.url}?draft={sealed}")

    def _context(self, draft: OrderDraft, caller: Caller, patient: str, now: datetime) -> str:
        value = {
            "patient": self.patient_mark(caller, patient),
            "rule": draft.rule,
            "order": draft.orders[0],
            "side": draft.side.value,
        }
        return self.seal.close(_CONTEXT, value, now.timestamp() + CONTEXT_SECONDS)

    def patient_mark(self, caller: Caller, patient: str) -> str:
        """Return a hash of a patient of a client. Without the site's key it reveals nothing."""
        return self.keyed.of("order", caller.name, patient)

    def text(self, sealed: str, now: datetime) -> OrderDraft:
        """Return the draft in the link to a text.

        Raises:
            NotSealed: the text was not sealed by this service, or has expired.
        """
        value = self.seal.open(_TEXT, sealed, now.timestamp())
        try:
            return OrderDraft.of_json(value)
        except (KeyError, TypeError, ValueError) as error:  # sealed by another version of this service
            raise NotSealed from error

    def context(self, sealed: str, now: datetime) -> Wanted:
        """Return what the card behind a launch proposed.

        Raises:
            NotSealed: the text was not sealed by this service, or has expired.
        """
        try:
            return Wanted(**self.seal.open(_CONTEXT, sealed, now.timestamp()))
        except TypeError as error:
            raise NotSealed from error

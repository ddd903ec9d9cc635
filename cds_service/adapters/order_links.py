"""Builds the links of urgent cards for a client: to our pages as SMART apps, or to pages with sealed drafts to copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.adapters.sealed_text import NotSealed, Seal, TooLong
from cds_service.rendering.assess_draft import AssessDraft
from cds_service.rendering.card import Card, Link
from cds_service.rendering.order_draft import OrderDraft

LAUNCH_PATH = "/orders/launch"
Page = Literal["order", "assess"]
_TEXT, _CONTEXT, _ASSESS = "order text", "order context", "assess"
TEXT_SECONDS = 30 * 60
"""How long the facts in the address of a text can be opened. Later the page still works, without them."""
MAX_CHART_IN_ADDRESS = 6_000
"""Most characters of a sealed chart in an address. Proxies and browsers accept much longer addresses."""
CONTEXT_SECONDS = 10 * 60
"""How long a launch can read what its card proposed. Later only the chart decides what to order."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the card behind a launch proposed. ``patient``: a keyed hash, to compare with the patient of the launch."""

    patient: str
    rule: str
    order: str
    side: str
    page: Page = "order"


@dataclass(frozen=True, slots=True)
class OrderLinks:
    """Seals and opens the data in order links, so that no address holds readable patient data."""

    seal: Seal
    keyed: KeyedHash
    base_url: str

    def for_client(self, cards: Sequence[Card], caller: Caller, patient: str, now: datetime) -> tuple[Card, ...]:
        """Return ``cards`` with the links that this client uses. ``patient``: id in its own FHIR server."""
        return tuple(replace(card, links=self._links(card.links, caller, patient, now)) for card in cards)

    def _links(self, links: Sequence[Link], caller: Caller, patient: str, now: datetime) -> tuple[Link, ...]:
        found = (self._link(link, caller, patient, now) for link in links)
        return tuple(link for link in found if link is not None)

    def _link(self, link: Link, caller: Caller, patient: str, now: datetime) -> Link | None:
        if link.assess is not None:
            return self._to_assess(link, link.assess, caller, patient, now)
        if link.draft is None or link.to_site:
            return link
        if caller.client.smart is not None:
            draft = link.draft
            mark = self.patient_mark(caller, patient)
            return self._to_launch(link, Wanted(mark, draft.rule, draft.orders[0], draft.side.value), now)
        try:
            sealed = self.seal.close(_TEXT, link.draft.as_json(), now.timestamp() + TEXT_SECONDS)
        except TooLong:
            return link  # The page gives its text without the facts. An urgent card never loses its link.
        return replace(link, url=f"{link.url}?draft={sealed}")

    def _to_assess(self, link: Link, draft: AssessDraft, caller: Caller, patient: str, now: datetime) -> Link | None:
        """Return the link to the assessment page; None if the chart is too long for an address.

        Without the chart, the page would ask for findings that are already recorded.
        """
        if caller.client.smart is not None:
            mark = self.patient_mark(caller, patient)
            return self._to_launch(link, Wanted(mark, draft.rule, "", draft.side.value, "assess"), now)
        sealed = self.assess_sealed(replace(draft, client=caller.name), now.timestamp() + TEXT_SECONDS)
        return (
            None
            if not sealed or len(sealed) > MAX_CHART_IN_ADDRESS
            else replace(link, url=f"{link.url}?draft={sealed}")
        )

    def assess_sealed(self, draft: AssessDraft, until: float, secret: str | None = None) -> str:
        """Return a chart for the assessment page, valid until ``until``; empty if it is too long to be opened again.

        ``secret``: of the launch that it belongs to.
        """
        try:
            return self.seal.close(_ASSESS, draft.as_json(), until, secret)
        except TooLong:
            return ""

    def order_address(self, draft: OrderDraft, now: datetime) -> str:
        """Return the address of the order page with this draft, on this service."""
        sealed = self.seal.close(_TEXT, draft.as_json(), now.timestamp() + TEXT_SECONDS)
        return f"/orders/{draft.orders[0]}?draft={sealed}"

    def assessed(self, sealed: str, now: datetime, secret: str | None = None) -> AssessDraft:
        """Return the chart in the address of an assessment page.

        Raises:
            NotSealed: it was not sealed by this service, or has expired.
        """
        value = self.seal.open(_ASSESS, sealed, now.timestamp(), secret)
        try:
            return AssessDraft.of_json(value)
        except (KeyError, TypeError, ValueError) as error:  # sealed by another version of this service
            raise NotSealed from error

    def _to_launch(self, link: Link, wanted: Wanted, now: datetime) -> Link:
        """Return ``link`` as a SMART launch that carries ``wanted``."""
        context = self.seal.close(_CONTEXT, asdict(wanted), now.timestamp() + CONTEXT_SECONDS)
        return replace(link, url=f"{self.base_url}{LAUNCH_PATH}", app_context=context)

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

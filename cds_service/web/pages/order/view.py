"""What the order page shows, in one object that its template reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.texts import Notice
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.form import OrderForm, anticoagulants, priorities, sides
from cds_service.web.pages.leaflet import leaflet_of


@dataclass(frozen=True, slots=True)
class OrderView:
    """The page.

    Attributes:
        action: where its form goes.
        patient: who it is for; empty where this page does not know.
        banner: whether it has to be said at the top.
        may_send: whether "Sign and send" is offered.
        key: proves that the form is ours.
        same: orders like this one, in words. ask_again: whether they have to be confirmed.
        issues: the EHR's own words.
        check: whether to offer to look for the order, instead of sending it.
        signer, encounter: as the EHR named them.
    """

    content: Content
    draft: OrderDraft
    form: OrderForm
    note: Notice
    action: str
    mistakes: Mapping[str, str] = field(default_factory=dict)
    patient: str = ""
    banner: bool = False
    may_send: bool = False
    key: str = ""
    basis: str = "card"
    incomplete: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    ask_again: bool = False
    issues: tuple[str, ...] = ()
    check: bool = False
    signer: str = ""
    encounter: str = ""

    @property
    def title(self) -> str:
        return self.content.orders[self.draft.orders[0]].title

    @property
    def text(self) -> str:
        """The order to copy."""
        return self.form.text(self.content, self.patient)

    @property
    def services(self) -> dict[str, str]:
        """Order -> its title."""
        return {key: self.content.orders[key].title for key in self.draft.orders}

    @property
    def priorities(self) -> dict[str, str]:
        return priorities(self.content)

    @property
    def sides(self) -> dict[str, str]:
        return sides(self.content)

    @property
    def anticoagulants(self) -> dict[str, str]:
        return anticoagulants(self.content)

    @property
    def reviewed_by(self) -> str:
        """The clinician who has signed the content behind the card; empty if nobody has."""
        cause = self.content.causes.get(self.draft.cause)
        return cause.review.by if cause else ""

    @property
    def leaflet(self) -> str:
        """The address of what the patient may be told; empty if there is nothing."""
        return leaflet_of(self.content, self.draft.cause)

    @property
    def basis_words(self) -> str:
        """What to say when the chart does not back the order; empty when it does."""
        return str(getattr(self.content.texts.page.basis, self.basis, ""))

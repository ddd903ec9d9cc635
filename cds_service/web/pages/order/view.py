"""The data of the order page, for its template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.texts import Notice
from cds_service.rendering.gaps import IncompletePart, part_words
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.form import OrderForm, anticoagulants, priorities, sides
from cds_service.web.pages.leaflet import leaflet_of


@dataclass(frozen=True, slots=True)
class OrderView:
    """The data of the page.

    Attributes:
        action: address that the form is sent to.
        patient: name and birth date of the patient; empty if unknown.
        banner: whether the page must show the patient at the top (SMART ``need_patient_banner``).
        may_send: whether to show "Sign and send".
        key: proves that the form was sent from our own page.
        same: similar orders already in the chart, in words.
        ask_again: whether the clinician must confirm in view of ``same``.
        issues: error messages of the EHR.
        check: whether to offer a search for the order instead of sending it.
        signer, encounter: references from the EHR.
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
    incomplete: tuple[IncompletePart, ...] = ()
    same: tuple[str, ...] = ()
    ask_again: bool = False
    issues: tuple[str, ...] = ()
    check: bool = False
    signer: str = ""
    encounter: str = ""

    @property
    def incomplete_names(self) -> list[str]:
        """Names of the incomplete parts of the chart."""
        return [part_words(self.content, part) for part in self.incomplete]

    @property
    def title(self) -> str:
        return self.content.orders[self.draft.orders[0]].title

    @property
    def text(self) -> str:
        """The order as a text to copy."""
        return self.form.text(self.content, self.patient)

    @property
    def services(self) -> dict[str, str]:
        """Order key -> title."""
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
        """The clinician who reviewed the content of the card; empty if not reviewed."""
        cause = self.content.causes.get(self.draft.cause)
        return cause.review.by if cause else ""

    @property
    def leaflet(self) -> str:
        """The path of the patient leaflet; empty if there is none."""
        return leaflet_of(self.content, self.draft.cause)

    @property
    def basis_words(self) -> str:
        """A notice if the chart does not support the order; empty if it does."""
        return str(getattr(self.content.texts.page.basis, self.basis, ""))

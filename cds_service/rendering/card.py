"""A card while it is composed: the fields that are sent and the fields that only the service uses.

Fields marked ``internal`` are never sent. ``Card.message`` builds the CDS Hooks message at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from cds_service.protocol import messages
from cds_service.protocol.messages import Coding, Source
from cds_service.rendering.assess_draft import AssessDraft
from cds_service.rendering.layout import SUMMARY_LIMIT
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.wording import cut

Indicator = Literal["info", "warning", "critical"]


_INTERNAL = {"internal": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A button with one draft order, because some EHRs run only one action.

    Attributes:
        label: text of the button.
        order: key of our order that it drafts.
        side: the leg; empty if the order is not for one leg.
        description: what the action does, in words.
        resource: the draft order as FHIR.
    """

    label: str
    uuid: str
    order: str = field(metadata=_INTERNAL)
    side: str = field(metadata=_INTERNAL)
    description: str
    resource: dict[str, Any]

    def message(self) -> messages.Suggestion:
        """Return the suggestion as a CDS Hooks message."""
        action = messages.Action(description=self.description, resource=self.resource)
        return messages.Suggestion(label=self.label, uuid=self.uuid, actions=(action,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link below a card.

    Attributes:
        draft: the order it leads to. assess: the assessment it leads to. Both are sealed and sent only to our pages.
        to_site: it leads to the site's own order entry.
        app_context: for a SMART launch only.
    """

    label: str
    url: str
    app_context: str | None = None
    draft: OrderDraft | None = field(default=None, metadata=_INTERNAL)
    assess: AssessDraft | None = field(default=None, metadata=_INTERNAL)
    to_site: bool = field(default=False, metadata=_INTERNAL)

    def message(self) -> messages.Link:
        """Return the link as a CDS Hooks message."""
        kind: Literal["absolute", "smart"] = "absolute" if self.app_context is None else "smart"
        return messages.Link(label=self.label, url=self.url, type=kind, appContext=self.app_context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card.

    Attributes:
        rule: the rule or cause that it is about.
        leg: the leg that it is about.
        basis: the facts and verdicts that it is based on, in a fixed order.
        summary: one plain sentence under 140 characters.
        detail: Markdown without HTML.
        selection_behavior: sent only with suggestions.
        lead: the first part of the summary.
        standing: the active orders in words; empty if something is still to be ordered.
        kept: paragraphs of the detail that are kept when the card shrinks to a reminder. The last is the closing line.
        several: it is about several rules.
    """

    rule: str = field(metadata=_INTERNAL)
    leg: str = field(metadata=_INTERNAL)
    basis: tuple[str, ...] = field(metadata=_INTERNAL)
    uuid: str
    summary: str
    detail: str
    indicator: Indicator
    source: Source
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: Literal["any", "at-most-one"] = "any"
    override_reasons: tuple[Coding, ...] = ()
    links: tuple[Link, ...] = ()
    extension: Mapping[str, str] | None = None
    lead: str = field(default="", metadata=_INTERNAL)
    standing: str = field(default="", metadata=_INTERNAL)
    kept: tuple[str, ...] = field(default=(), metadata=_INTERNAL)
    several: bool = field(default=False, metadata=_INTERNAL)

    def message(self) -> messages.Card:
        """Return the card as a CDS Hooks message, without empty values, which the standard forbids.

        A summary that is too long is cut, because a card must never be lost for its length.

        Raises:
            ValueError: the summary or the detail is empty.
        """
        return messages.Card(
            uuid=self.uuid,
            summary=cut(self.summary, SUMMARY_LIMIT),
            detail=self.detail,
            indicator=self.indicator,
            source=self.source,
            suggestions=tuple(suggestion.message() for suggestion in self.suggestions) or None,
            selectionBehavior=self.selection_behavior if self.suggestions else None,
            overrideReasons=self.override_reasons or None,
            links=tuple(link.message() for link in self.links) or None,
            extension=dict(self.extension) if self.extension else None,
        )


def _shown(part: type[Card | Suggestion | Link]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(part) if not each.metadata.get("internal"))


SHOWN_FIELDS = {part: _shown(part) for part in (Card, Suggestion, Link)}
"""The fields of each part of a card that are sent to the EHR."""

"""A card while it is composed: what a reader will see, and what the service needs to know of it.

Fields marked ``internal`` are never sent. The message of the standard is made once, at the end: ``Card.message``.
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
    """A button. One draft order each: some EHRs run no more than one action.

    Attributes:
        order: which of our orders it drafts. side: for which leg.
        description: what the action does, in words. resource: the draft order as FHIR.
    """

    label: str
    uuid: str
    order: str = field(metadata=_INTERNAL)
    side: str = field(metadata=_INTERNAL)
    description: str
    resource: dict[str, Any]

    def message(self) -> messages.Suggestion:
        """As CDS Hooks sends it."""
        action = messages.Action(description=self.description, resource=self.resource)
        return messages.Suggestion(label=self.label, uuid=self.uuid, actions=(action,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link below a card.

    Attributes:
        draft: the order it leads to. assess: or the assessment. Either is sent only sealed.
        app_context: for a SMART launch only.
    """

    label: str
    url: str
    app_context: str | None = None
    draft: OrderDraft | None = field(default=None, metadata=_INTERNAL)
    assess: AssessDraft | None = field(default=None, metadata=_INTERNAL)

    def message(self) -> messages.Link:
        """As CDS Hooks sends it."""
        kind: Literal["absolute", "smart"] = "absolute" if self.app_context is None else "smart"
        return messages.Link(label=self.label, url=self.url, type=kind, appContext=self.app_context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card. ``summary`` is one plain sentence under 140 characters, ``detail`` Markdown without HTML.

    Attributes:
        rule: the rule or cause it is about. leg: the leg. several: it is about several rules.
        basis: the facts it rests on, in a fixed order.
        lead: how the summary begins. standing: orders that stand already, in words.
        kept: paragraphs, the last of them the closing line, that stay of the detail when the card shrinks to a
            reminder.
        selection_behavior: sent only with suggestions.
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
        """As CDS Hooks sends it, without empty values, which the standard forbids.

        A summary that is too long is cut: a card must not be lost for its length.

        Raises:
            ValueError: the summary or the detail is empty.
        """
        return messages.Card(
            uuid=self.uuid,
            summary=cut(self.summary, SUMMARY_LIMIT),
            detail=self.detail,
            indicator=self.indicator,
            source=self.source,
            suggestions=tuple(one.message() for one in self.suggestions) or None,
            selectionBehavior=self.selection_behavior if self.suggestions else None,
            overrideReasons=self.override_reasons or None,
            links=tuple(link.message() for link in self.links) or None,
            extension=dict(self.extension) if self.extension else None,
        )


def _shown(part: type[Card | Suggestion | Link]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(part) if not one.metadata.get("internal"))


SHOWN_FIELDS = {part: _shown(part) for part in (Card, Suggestion, Link)}
"""The fields of each part of a card that a reader or a program of the EHR gets."""

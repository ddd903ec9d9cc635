"""Adapt cards to one client's EHR. Anything that an EHR cannot show is written into the text instead of dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from cds_service.adapters.clients.model import Caller
from cds_service.rendering.card import Card, Suggestion

CONTENT_TYPE = "com.epic.cdshooks.card.detail.content-type"


def shape(cards: Sequence[Card], caller: Caller) -> tuple[Card, ...]:
    """The same cards in the client's dialect."""
    return tuple(_shaped(card, caller) for card in cards)


def _shaped(card: Card, caller: Caller) -> Card:
    profile, hosts = caller.profile, caller.client.link_hosts
    links = tuple(link for link in card.links if not hosts or urlsplit(link.url).hostname in hosts)
    is_plain = profile.detail == "plain"
    kind = "text/plain" if is_plain else "text/markdown"
    return replace(
        card,
        detail=plain(card.detail) if is_plain else card.detail,
        suggestions=tuple(_with_site_code(suggestion, caller) for suggestion in card.suggestions),
        selection_behavior=profile.selection_behavior,
        override_reasons=card.override_reasons if profile.override_reasons else (),
        links=links if profile.links else (),
        extension={CONTENT_TYPE: kind} if profile.detail_content_type else None,
    )


def plain(detail: str) -> str:
    """Our own Markdown, which is bold, lists and code spans only, as plain text."""
    return detail.replace("**", "").replace("`", "")


def _with_site_code(suggestion: Suggestion, caller: Caller) -> Suggestion:
    coding = caller.order_coding(suggestion.order, suggestion.side)
    if coding is None:
        return suggestion
    code = suggestion.resource["code"]
    coded = {**code, "coding": [coding.model_dump(), *code["coding"]]}
    return replace(suggestion, resource={**suggestion.resource, "code": coded})

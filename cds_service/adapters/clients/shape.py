"""Cards as one client's EHR understands them. What is lost for an EHR is written out, never dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cds_service.adapters.clients.model import Caller
from cds_service.protocol.messages import Action, Card, Suggestion

CONTENT_TYPE = "com.epic.cdshooks.card.detail.content-type"


def shape(cards: Sequence[Card], caller: Caller) -> tuple[Card, ...]:
    """The same cards in the client's dialect."""
    return tuple(_shaped(card, caller) for card in cards)


def _shaped(card: Card, caller: Caller) -> Card:
    profile, hosts = caller.profile, caller.client.link_hosts
    links = tuple(one for one in card.links or () if not hosts or urlsplit(one.url).hostname in hosts)
    changes: dict[str, Any] = {
        "suggestions": tuple(_with_site_code(one, caller) for one in card.suggestions or ()) or None,
        "selectionBehavior": profile.selection_behavior if card.suggestions else None,
        "overrideReasons": card.overrideReasons if profile.override_reasons else None,
        "links": links or None if profile.links else None,
    }
    if profile.detail == "plain":
        changes["detail"] = plain(card.detail)
    if profile.detail_content_type:
        kind = "text/plain" if profile.detail == "plain" else "text/markdown"
        changes["extension"] = {CONTENT_TYPE: kind}
    return card.model_copy(update=changes)


def plain(detail: str) -> str:
    """Our own Markdown, which is bold, lists and code spans only, as plain text."""
    return detail.replace("**", "").replace("`", "")


def _with_site_code(suggestion: Suggestion, caller: Caller) -> Suggestion:
    coding = caller.order_coding(suggestion.order, suggestion.side)
    if coding is None:
        return suggestion
    action = suggestion.actions[0]
    code = action.resource["code"]
    resource = {**action.resource, "code": {**code, "coding": [coding.model_dump(), *code["coding"]]}}
    return suggestion.model_copy(
        update={"actions": (Action(description=action.description, resource=resource),)},
    )

"""The last step before a card goes out: whatever went wrong before, no text in it acts as markup.

Our cards never hold any, so what is found here is a fault. The card is shown all the same, with the place made
harmless: a missing urgent card is worse than a text with a blank in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from cds_service.base.logs import get_log
from cds_service.base.plain_text import is_plain_url, stripped, unsafe_parts
from cds_service.rendering.card import SHOWN_FIELDS, Card, Link, Suggestion

log = get_log()

# Read by programs and never shown; a site's own codes may hold any character.
_FOR_PROGRAMS = frozenset(
    {
        "uuid", "indicator", "selection_behavior", "app_context", "type", "system", "code", "reference",
        "resourceType", "status", "intent", "priority", "start", "end",
    }
)  # fmt: skip
_WITH_LINES = "detail"
_PARTS = (Card, Suggestion, Link, BaseModel, Mapping)


@dataclass(frozen=True, slots=True)
class UnsafePart:
    """Something taken out of a card.

    Attributes:
        rule: of the card.
        field: where in it, such as ``suggestions.label``.
        kind: what it was, as in ``plain_text.Kind``; ``url`` for an address that is not ours.
    """

    rule: str
    field: str
    kind: str


def own_urls(base_url: str, order_url: str | None) -> tuple[str, ...]:
    """Where links may lead: below our own address, and to the host of the site's order entry."""
    if order_url is None:
        return (base_url,)
    parts = urlsplit(order_url)
    return (base_url, f"{parts.scheme}://{parts.netloc}")


def sanitized(cards: Sequence[Card], own: Sequence[str]) -> tuple[tuple[Card, ...], tuple[UnsafePart, ...]]:
    """``sanitize``, logged by place and kind, without the text: what it takes out is a fault of ours."""
    kept, found = sanitize(cards, own)
    for one in found:
        log.error("text_taken_out_of_a_card", rule=one.rule, field=one.field, kind=one.kind)
    return kept, found


def sanitize(cards: Sequence[Card], own: Sequence[str]) -> tuple[tuple[Card, ...], tuple[UnsafePart, ...]]:
    """The same cards, none missing, with nothing in them but plain text and our own Markdown, and what was taken out.

    ``own``: from ``own_urls``. A link that leads elsewhere leads to the first of them instead.
    """
    found: list[UnsafePart] = []
    kept = []
    for card in cards:
        if _is_inert(card, own):
            kept.append(card)
            continue
        look = _Look(card.rule, tuple(own))
        kept.append(look.mended(card, ""))
        found += look.found
    return tuple(kept), tuple(found)


def _is_inert(card: Card, own: Sequence[str]) -> bool:
    """Whether there is nothing to take out, which is nearly always so: all its texts are looked at as one."""
    texts: list[str] = []
    urls: list[str] = []
    _gather({name: part for name, part in _shown(card).items() if name != _WITH_LINES}, "", texts, urls)
    joined = "\n".join(texts)
    one_line_each = joined.count("\n") == len(texts) - 1
    all_ours = all(_is_ours(url, own) for url in urls)
    return one_line_each and not unsafe_parts(f"{joined}\n{card.detail}", lines=True) and all_ours


def _shown(node: Any) -> dict[str, Any]:
    """What goes out of a part of a card, by the names of its fields."""
    if isinstance(node, Card | Suggestion | Link):
        return {name: getattr(node, name) for name in SHOWN_FIELDS[type(node)]}
    return dict(node)


def _gather(node: Any, name: str, texts: list[str], urls: list[str]) -> None:
    """Every text below ``node`` that is shown, and every address."""
    if isinstance(node, str):
        if name == "url":
            urls.append(node)
        elif name not in _FOR_PROGRAMS:
            texts.append(node)
    elif isinstance(node, _PARTS):
        for key, inner in _shown(node).items():
            _gather(inner, key, texts, urls)
    elif isinstance(node, list | tuple):
        for inner in node:
            _gather(inner, name, texts, urls)


@dataclass(slots=True)
class _Look:
    """One card's turn."""

    rule: str
    own: tuple[str, ...]
    found: list[UnsafePart] = field(default_factory=list)

    def mended(self, node: Any, place: str) -> Any:
        """``node`` itself if nothing in it had to be changed."""
        if isinstance(node, str):
            return self._text(node, place)
        if isinstance(node, _PARTS):
            changes = self._changes(_shown(node), place)
            return _changed(node, changes) if changes else node
        if isinstance(node, list | tuple):
            items = [self.mended(one, place) for one in node]
            return node if all(new is old for new, old in zip(items, node, strict=True)) else type(node)(items)
        return node

    def _changes(self, parts: Mapping[str, Any], place: str) -> dict[str, Any]:
        after = {name: self.mended(one, f"{place}.{name}".removeprefix(".")) for name, one in parts.items()}
        return {name: new for name, new in after.items() if new is not parts[name]}

    def _text(self, text: str, place: str) -> str:
        name = place.rpartition(".")[2]
        if name in _FOR_PROGRAMS:
            return text
        if name == "url":
            if _is_ours(text, self.own):
                return text
            self.found.append(UnsafePart(self.rule, place, "url"))
            return self.own[0]
        lines = name == _WITH_LINES
        kinds = unsafe_parts(text, lines=lines)
        if not kinds:
            return text
        self.found += [UnsafePart(self.rule, place, kind) for kind in kinds]
        return stripped(text, lines=lines)


def _changed(node: Any, changes: Mapping[str, Any]) -> Any:
    if isinstance(node, BaseModel):
        return node.model_copy(update=changes)
    return {**node, **changes} if isinstance(node, Mapping) else replace(node, **changes)


def _is_ours(url: str, own: Sequence[str]) -> bool:
    """The whole address, so that ours is not the beginning of somebody else's host."""
    return is_plain_url(url) and any(url.startswith((f"{one}/", f"{one}?")) or url == one for one in own)

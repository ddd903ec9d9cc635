"""The last check before a card is sent: removes any text that could act as markup.

Our cards never hold markup, so anything found here is a bug. The card is still shown, with the unsafe part removed: a
missing urgent card is worse than a text with a gap.
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

# Fields that programs read and that are never shown. A site's own codes may hold any character.
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
    """A part that was removed from a card.

    Attributes:
        rule: the rule of the card.
        field: the field that held it, such as ``suggestions.label``.
        kind: one of ``plain_text.Kind``, or ``url`` for an address that is not ours.
    """

    rule: str
    field: str
    kind: str


def own_urls(base_url: str, order_url: str | None) -> tuple[str, ...]:
    """Return the allowed link targets: our own base URL and the host of the site's order entry."""
    if order_url is None:
        return (base_url,)
    parts = urlsplit(order_url)
    return (base_url, f"{parts.scheme}://{parts.netloc}")


def sanitized(cards: Sequence[Card], own: Sequence[str]) -> tuple[tuple[Card, ...], tuple[UnsafePart, ...]]:
    """Call ``sanitize`` and log the field and kind of each removed part, but not its text."""
    clean, removed = sanitize(cards, own)
    for part in removed:
        log.error("text_taken_out_of_a_card", rule=part.rule, field=part.field, kind=part.kind)
    return clean, removed


def sanitize(cards: Sequence[Card], own: Sequence[str]) -> tuple[tuple[Card, ...], tuple[UnsafePart, ...]]:
    """Return all cards with only plain text and our own Markdown in them, and the parts that were removed.

    ``own``: from ``own_urls``. A link to any other address is replaced by the first of them.
    """
    removed: list[UnsafePart] = []
    clean = []
    for card in cards:
        if _is_clean(card, own):
            clean.append(card)
            continue
        cleaner = _Cleaner(card.rule, tuple(own))
        clean.append(cleaner.cleaned(card, ""))
        removed += cleaner.removed
    return tuple(clean), tuple(removed)


def _is_clean(card: Card, own: Sequence[str]) -> bool:
    """Return whether the card has nothing to remove, which is nearly always true. Checks all its texts as one."""
    texts: list[str] = []
    urls: list[str] = []
    _gather({name: part for name, part in _shown(card).items() if name != _WITH_LINES}, "", texts, urls)
    joined = "\n".join(texts)
    one_line_each = joined.count("\n") == len(texts) - 1
    all_ours = all(_is_ours(url, own) for url in urls)
    return one_line_each and not unsafe_parts(f"{joined}\n{card.detail}", lines=True) and all_ours


def _shown(node: Any) -> dict[str, Any]:
    """Return the fields of a part of a card that are sent, by name."""
    if isinstance(node, Card | Suggestion | Link):
        return {name: getattr(node, name) for name in SHOWN_FIELDS[type(node)]}
    return dict(node)


def _gather(node: Any, name: str, texts: list[str], urls: list[str]) -> None:
    """Collect every shown text and every URL below ``node``. Plain strings and dictionaries are most of them."""
    if isinstance(node, str):
        if name == "url":
            urls.append(node)
        elif name not in _FOR_PROGRAMS:
            texts.append(node)
    elif isinstance(node, dict):
        for key, inner in node.items():
            if inner.__class__ is str:
                if key == "url":
                    urls.append(inner)
                elif key not in _FOR_PROGRAMS:
                    texts.append(inner)
            else:
                _gather(inner, key, texts, urls)
    elif isinstance(node, list | tuple):
        for inner in node:
            _gather(inner, name, texts, urls)
    elif isinstance(node, _PARTS):
        _gather(_shown(node), name, texts, urls)


@dataclass(slots=True)
class _Cleaner:
    """Cleans one card and collects what it removed."""

    rule: str
    own: tuple[str, ...]
    removed: list[UnsafePart] = field(default_factory=list)

    def cleaned(self, node: Any, place: str) -> Any:
        """Return a clean copy of ``node``, or ``node`` itself if it is clean."""
        if isinstance(node, str):
            return self._text(node, place)
        if isinstance(node, _PARTS):
            changes = self._changes(_shown(node), place)
            return _changed(node, changes) if changes else node
        if isinstance(node, list | tuple):
            items = [self.cleaned(item, place) for item in node]
            return node if all(new is old for new, old in zip(items, node, strict=True)) else type(node)(items)
        return node

    def _changes(self, parts: Mapping[str, Any], place: str) -> dict[str, Any]:
        after = {name: self.cleaned(part, f"{place}.{name}".removeprefix(".")) for name, part in parts.items()}
        return {name: new for name, new in after.items() if new is not parts[name]}

    def _text(self, text: str, place: str) -> str:
        name = place.rpartition(".")[2]
        if name in _FOR_PROGRAMS:
            return text
        if name == "url":
            if _is_ours(text, self.own):
                return text
            self.removed.append(UnsafePart(self.rule, place, "url"))
            return self.own[0]
        lines = name == _WITH_LINES
        kinds = unsafe_parts(text, lines=lines)
        if not kinds:
            return text
        self.removed += [UnsafePart(self.rule, place, kind) for kind in kinds]
        return stripped(text, lines=lines)


def _changed(node: Any, changes: Mapping[str, Any]) -> Any:
    if isinstance(node, BaseModel):
        return node.model_copy(update=changes)
    return {**node, **changes} if isinstance(node, Mapping) else replace(node, **changes)


def _is_ours(url: str, own: Sequence[str]) -> bool:
    """Return whether ``url`` is one of ``own`` or lies below it. A host that only begins like ours does not match."""
    return is_plain_url(url) and any(url.startswith((f"{base}/", f"{base}?")) or url == base for base in own)

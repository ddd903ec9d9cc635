"""Layout of a card's detail: paragraphs made of items, of which the most important are shown if there is room."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

SUMMARY_LIMIT = 139
"""Characters of a summary: the standard asks for fewer than 140."""
DETAIL_LIMIT = 1200
"""Characters of a detail, as the standard advises."""
URGENT_WORDS = 90
INFO_WORDS = 70
_WORD = re.compile(r"[^\W_]\S*")
_BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of text that is shown whole or not at all.

    Attributes:
        rank: 0 for an item that always stays; of the others, lower ranks are shown first.
        of: something that items of a part can share, such as their day. It is then written once for all of them.
    """

    text: str
    rank: int = 0
    of: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph of a card: ``lead`` in bold, then its items.

    Attributes:
        lead: heading; empty for a paragraph without one.
        items: the items that are shown.
        between: text between two items.
        end: text after the last item.
        more: returns the words for a number of items that were left out; None to leave them out silently.
        grouped: returns the words for items with the same ``of``; None to show the items one by one.
        left_out: number of items that were left out.
    """

    lead: str
    items: tuple[Item, ...]
    between: str = " "
    end: str = ""
    more: Callable[[int], str] | None = None
    grouped: Callable[[str, str], str] | None = None
    left_out: int = 0

    @property
    def text(self) -> str:
        """The paragraph; empty without items."""
        if not self.items:
            return ""
        texts = self._texts()
        if self.left_out and self.more is not None:
            texts.append(self.more(self.left_out))
        body = self.between.join(texts) + self.end
        if not self.lead:
            return body
        return f"**{self.lead}** {body}" if self.lead.endswith("?") else f"**{self.lead}:** {body}"

    def _texts(self) -> list[str]:
        if self.grouped is None:
            return [item.text for item in self.items]
        groups: dict[str, list[str]] = {}
        for item in self.items:
            groups.setdefault(item.of, []).append(item.text)
        return [self.grouped(", ".join(texts), of) if of else ", ".join(texts) for of, texts in groups.items()]


def part(
    lead: str,
    *items: Item,
    between: str = " ",
    end: str = "",
    more: Callable[[int], str] | None = None,
    grouped: Callable[[str, str], str] | None = None,
) -> Part:
    """Return a part with those items that have a text."""
    return Part(lead, tuple(item for item in items if item.text), between, end, more, grouped)


def word_count(text: str) -> int:
    """Return the number of words in ``text``. A dash or a dot between words does not count."""
    return len(_WORD.findall(text))


def detail_of(parts: Sequence[Part]) -> str:
    """Return the paragraphs, separated by blank lines."""
    return _BETWEEN.join(text for paragraph in parts if (text := paragraph.text))


def fitted(parts: Sequence[Part], words: int, characters: int = DETAIL_LIMIT) -> list[Part]:
    """Return the parts with as many items as fit, in the order of rank and then from the top.

    Items of rank 0 always stay, even if they exceed the limit: they must be shown. ``knee-cds check`` rejects content
    with which an example exceeds it. An item is shown only if all items of its part with a lower rank are shown, so
    that a reason is never shown without its title.
    """
    everything = [_size(paragraph) for paragraph in parts]
    if _fits(everything, words, characters):
        return list(parts)
    chosen = [{place for place, item in enumerate(paragraph.items) if item.rank == 0} for paragraph in parts]
    shown = [_with_items(paragraph, places) for paragraph, places in zip(parts, chosen, strict=True)]
    sizes = [_size(paragraph) for paragraph in shown]
    ranked = sorted(
        (item.rank, at, place)
        for at, paragraph in enumerate(parts)
        for place, item in enumerate(paragraph.items)
        if item.rank
    )
    for rank, at, place in ranked:
        if any(item.rank < rank and number not in chosen[at] for number, item in enumerate(parts[at].items)):
            continue
        longer = _with_items(parts[at], chosen[at] | {place})
        new_sizes = [*sizes[:at], _size(longer), *sizes[at + 1 :]]
        if _fits(new_sizes, words, characters):
            chosen[at].add(place)
            shown[at], sizes = longer, new_sizes
    return _within(shown, characters)


def _within(parts: list[Part], characters: int) -> list[Part]:
    """Shorten the parts if even the items that must stay exceed the largest detail of a card.

    The longest part except the last loses items from its end: a shorter card is better than none.
    """
    while len(detail_of(parts)) > characters and any(paragraph.items for paragraph in parts[:-1]):
        at = max(range(len(parts) - 1), key=lambda at: len(parts[at].text))
        parts[at] = _with_items(parts[at], set(range(len(parts[at].items) - 1)))
    return parts


def _with_items(paragraph: Part, places: set[int]) -> Part:
    """Return a copy of the part with only the items at ``places``."""
    items = tuple(item for place, item in enumerate(paragraph.items) if place in places)
    left = paragraph.left_out + len(paragraph.items) - len(items)
    return replace(paragraph, items=items, left_out=left)


def _size(paragraph: Part) -> tuple[int, int]:
    """Return the number of words and characters of a part."""
    text = paragraph.text
    return word_count(text), len(text)


def _fits(sizes: Sequence[tuple[int, int]], words: int, characters: int) -> bool:
    paragraphs = sum(1 for _, length in sizes if length)
    length = sum(length for _, length in sizes) + len(_BETWEEN) * max(0, paragraphs - 1)
    return sum(count for count, _ in sizes) <= words and length <= characters

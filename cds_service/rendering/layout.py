"""The detail of a card: parts of whole items, the most important of which are shown as far as there is room."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
        rank: 0 always stays; of others the lowest comes first.
        of: what it shares with others of its part, such as its day, which is then said once for all of them.
    """

    text: str
    rank: int = 0
    of: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph of a card: ``lead`` in bold, then its items.

    Attributes:
        lead: how it begins; empty for a paragraph that needs no heading.
        between: what stands between two items, and ``end`` after the last one.
        more: text for the number of items left out; without it the number is not mentioned.
        grouped: the words for items that share something; each distinct ``of`` is then said once.
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
    """A part of the items that say something."""
    return Part(lead, tuple(item for item in items if item.text), between, end, more, grouped)


def word_count(text: str) -> int:
    """How many words a reader has before them; a dash or a dot between two is none."""
    return len(_WORD.findall(text))


def detail_of(parts: Sequence[Part]) -> str:
    """The paragraphs, one blank line between two."""
    return _BETWEEN.join(text for one in parts if (text := one.text))


def fitted(parts: Sequence[Part], words: int, characters: int = DETAIL_LIMIT) -> list[Part]:
    """The parts with as many of their items as there is room for, by rank and then from the top.

    Items of rank 0 stay, so that what must be said is said even where it is too long: ``knee-cds check`` refuses
    content with which an example comes to that. An item shows only if those of its part with a lower rank do: a reason
    never stands without its title.
    """
    everything = [_size(one) for one in parts]
    if _fits(everything, words, characters):
        return list(parts)
    chosen = [{place for place, item in enumerate(one.items) if item.rank == 0} for one in parts]
    shown = [_of(one, places) for one, places in zip(parts, chosen, strict=True)]
    sizes = [_size(one) for one in shown]
    ranked = sorted(
        (item.rank, at, place) for at, one in enumerate(parts) for place, item in enumerate(one.items) if item.rank
    )
    for rank, at, place in ranked:
        if any(item.rank < rank and number not in chosen[at] for number, item in enumerate(parts[at].items)):
            continue
        tried = _of(parts[at], chosen[at] | {place})
        with_it = [*sizes[:at], _size(tried), *sizes[at + 1 :]]
        if _fits(with_it, words, characters):
            chosen[at].add(place)
            shown[at], sizes = tried, with_it
    return _within(shown, characters)


def _within(parts: list[Part], characters: int) -> list[Part]:
    """The parts as they are, unless what must be said is longer than a card may be at all.

    Then the longest part but the last gives items from its end: a card with less on it is better than none.
    """
    while len(detail_of(parts)) > characters and any(one.items for one in parts[:-1]):
        at = max(range(len(parts) - 1), key=lambda at: len(parts[at].text))
        parts[at] = _of(parts[at], set(range(len(parts[at].items) - 1)))
    return parts


def _of(one: Part, places: set[int]) -> Part:
    """The part with some of its items."""
    items = tuple(item for place, item in enumerate(one.items) if place in places)
    left = one.left_out + len(one.items) - len(items)
    return Part(one.lead, items, one.between, one.end, one.more, one.grouped, left)


def _size(one: Part) -> tuple[int, int]:
    """Words and characters of its paragraph."""
    text = one.text
    return word_count(text), len(text)


def _fits(sizes: Sequence[tuple[int, int]], words: int, characters: int) -> bool:
    paragraphs = sum(1 for _, length in sizes if length)
    length = sum(length for _, length in sizes) + len(_BETWEEN) * max(0, paragraphs - 1)
    return sum(count for count, _ in sizes) <= words and length <= characters

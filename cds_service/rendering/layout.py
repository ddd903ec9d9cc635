"""Layout of a card's detail: paragraphs made of items, of which the most important are shown if there is room."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

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


@dataclass(frozen=True)
class Part:
    """A paragraph of a card: ``lead`` in bold, then its items.

    Attributes:
        lead: heading; empty for a paragraph without one.
        items: the items that are shown.
        between: text between two items.
        end: text after the last item.
        more: returns the words for a number of items that were left out; None to leave them out without a note.
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

    @cached_property
    def text(self) -> str:
        """The paragraph; empty without items."""
        return self.text_of(self.items, self.left_out)

    def with_items(self, items: tuple[Item, ...], left_out: int) -> Part:
        """Return the paragraph with other items. It is faster than ``dataclasses.replace``; cards are full of it."""
        return Part(self.lead, items, self.between, self.end, self.more, self.grouped, left_out)

    @property
    def has_ranks(self) -> bool:
        """Whether an item may be left out."""
        return any(item.rank for item in self.items)

    @cached_property
    def size(self) -> tuple[int, int]:
        """The number of words and characters of the paragraph."""
        return self.size_of(range(len(self.items)), self.left_out)

    def size_of(self, places: Collection[int], left_out: int) -> tuple[int, int]:
        """Return the size of the paragraph with only the items at ``places``: that of ``text_of``."""
        if not places:
            return (0, 0)
        if not self._adds_up:
            return _size(self.text_of([self.items[place] for place in sorted(places)], left_out))
        words, characters = self._size_around
        for place in places:
            its_words, its_characters = self._item_sizes[place]
            words += its_words
            characters += its_characters
        count = len(places)
        if left_out and self.more is not None:
            its_words, its_characters = _size(self.more(left_out))
            words, characters, count = words + its_words, characters + its_characters, count + 1
        return words, characters + len(self.between) * (count - 1)

    @cached_property
    def _adds_up(self) -> bool:
        """Whether its size is the sum of its items' sizes: a blank keeps their words apart."""
        return self.grouped is None and self.between.endswith(" ") and not word_count(self.end)

    @cached_property
    def _item_sizes(self) -> tuple[tuple[int, int], ...]:
        return tuple(_size(item.text) for item in self.items)

    @cached_property
    def _size_around(self) -> tuple[int, int]:
        """The size of the heading and of the end."""
        words, characters = _size(self._with_lead(""))
        return words, characters + len(self.end)

    def text_of(self, items: Sequence[Item], left_out: int) -> str:
        """Return the paragraph with only ``items``, of which ``left_out`` more were left out; empty without items."""
        if not items:
            return ""
        texts = self._texts(items)
        if left_out and self.more is not None:
            texts.append(self.more(left_out))
        return self._with_lead(self.between.join(texts) + self.end)

    def _with_lead(self, body: str) -> str:
        if not self.lead:
            return body
        return f"**{self.lead}** {body}" if self.lead.endswith("?") else f"**{self.lead}:** {body}"

    def _texts(self, items: Sequence[Item]) -> list[str]:
        if self.grouped is None:
            return [item.text for item in items]
        groups: dict[str, list[str]] = {}
        for item in items:
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
    """Return the parts that have items, with as many items as fit, in the order of rank and then from the top.

    Items of rank 0 always stay, even if they exceed the limit: they must be shown. ``knee-cds check`` rejects content
    with which an example exceeds it. An item is shown only if all items of its part with a lower rank are shown, so
    that a reason is never shown without its title.
    """
    filled = [paragraph for paragraph in parts if paragraph.items]
    total = _total(paragraph.size for paragraph in filled)
    if total.fits(words, characters):
        return filled
    chosen = {at: _Chosen(paragraph) for at, paragraph in enumerate(filled) if paragraph.has_ranks}
    for choice in chosen.values():
        total = total.with_part(choice.paragraph.size, choice.size)
    ranked = sorted(
        (item.rank, at, place)
        for at, choice in chosen.items()
        for place, item in enumerate(choice.paragraph.items)
        if item.rank
    )
    for rank, at, place in ranked:
        choice = chosen[at]
        if choice.refused < rank:
            continue
        longer = choice.size_with(place)
        if (larger := total.with_part(choice.size, longer)).fits(words, characters):
            choice.places.add(place)
            choice.size, total = longer, larger
        else:
            choice.refused = rank
    return _within([chosen[at].shown if at in chosen else paragraph for at, paragraph in enumerate(filled)], characters)


class _Chosen:
    """The items of a part that are chosen so far, by their place.

    ``size``: of the part with these items. ``refused``: the rank of the first without room.
    """

    __slots__ = ("paragraph", "places", "refused", "size")

    def __init__(self, paragraph: Part) -> None:
        self.paragraph = paragraph
        self.places = {place for place, item in enumerate(paragraph.items) if item.rank == 0}
        self.refused = sys.maxsize
        self.size = self._size_of(self.places)

    @property
    def shown(self) -> Part:
        """The part with the chosen items."""
        return _with_items(self.paragraph, self.places)

    def size_with(self, place: int) -> tuple[int, int]:
        """Return the size of the part with the chosen items and the one at ``place``."""
        return self._size_of({*self.places, place})

    def _size_of(self, places: set[int]) -> tuple[int, int]:
        paragraph = self.paragraph
        return paragraph.size_of(places, paragraph.left_out + len(paragraph.items) - len(places))


def _within(parts: list[Part], characters: int) -> list[Part]:
    """Shorten the parts if even the items that must stay exceed the largest detail of a card.

    The longest part except the last loses items from its end: a shorter card is better than none.
    """
    while len(detail_of(parts)) > characters and any(paragraph.items for paragraph in parts[:-1]):
        at = max(range(len(parts) - 1), key=lambda at: len(parts[at].text))
        parts[at] = _with_items(parts[at], set(range(len(parts[at].items) - 1)))
    return parts


def _with_items(paragraph: Part, places: set[int]) -> Part:
    """Return the part with only the items at ``places``."""
    if len(places) == len(paragraph.items):
        return paragraph
    items = tuple(item for place, item in enumerate(paragraph.items) if place in places)
    left = paragraph.left_out + len(paragraph.items) - len(items)
    return paragraph.with_items(items, left)


def _size(text: str) -> tuple[int, int]:
    """Return the number of words and characters of a part."""
    return word_count(text), len(text)


class _Total(NamedTuple):
    """The size of a detail: its words, the characters of its paragraphs, and how many of them have a text."""

    words: int
    characters: int
    paragraphs: int

    def fits(self, words: int, characters: int) -> bool:
        """Whether it is within the limits, with the blank lines between the paragraphs."""
        between = len(_BETWEEN) * max(0, self.paragraphs - 1)
        return self.words <= words and self.characters + between <= characters

    def with_part(self, old: tuple[int, int], new: tuple[int, int]) -> _Total:
        """Return the size with a part of the size ``new`` in place of ``old``."""
        return _Total(
            self.words - old[0] + new[0],
            self.characters - old[1] + new[1],
            self.paragraphs - (old[1] > 0) + (new[1] > 0),
        )


def _total(sizes: Iterable[tuple[int, int]]) -> _Total:
    words = characters = paragraphs = 0
    for its_words, its_length in sizes:
        words += its_words
        characters += its_length
        paragraphs += its_length > 0
    return _Total(words, characters, paragraphs)

"""The table of words by subject, which a clinician can edit, and the search for these words in texts.

Words are compared as a whole, in lower case and without accents. A star stands for more letters: ``knie*`` matches
"Kniegelenk", ``*karzinom*`` matches "Mammakarzinome". A word of the group ``nothing`` hides the words it contains:
"embolization" does not match "emboli".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cds_service.base.tsv import filled_lines
from cds_service.clinical.content.names import CONTEXTS

COLUMNS: Final = ("word", "group", "language", "source")
NOTHING: Final = "nothing"
"""The group of words that only hide other words."""
LEFT, RIGHT, BOTH = SIDES = ("left_side", "right_side", "both_sides")
"""The groups of words that name a leg."""
HOLLOW: Final = "hollow"
SOME_VEINS: Final = "some_veins"
EXAMINED_IN_PART: Final = "examined_in_part"
"""Groups of words about what a scan examined: the hollow of the knee, some deep veins only, or only a part."""
LEAVES_OPEN: Final = "leaves_open"
UNFIT: Final = "unfit"
"""Groups of words that weaken a negative test: the result leaves it open, or the sample is unfit."""
DENIED: Final = "denied"
"""The group of words that deny. A denial in words proves nothing; it only prevents a contradiction."""
NEEDED: Final = (*SIDES, HOLLOW, SOME_VEINS, EXAMINED_IN_PART, LEAVES_OPEN, UNFIT, DENIED, *CONTEXTS)
"""Every group of words that code uses."""
_REMEMBERED = 16_384
_MAX_WORD_LENGTH = 60
_SHORTEST_PART = 3
_SHORTEST_INSIDE = 4
_WORD = re.compile(r"[^\W_]+|\?")
_ENTRY = re.compile(r"\*?[^\W_]+\*?|[^\W_]+(?: [^\W_]+)+|\?")
_GROUP = re.compile(r"[a-z][a-z_]*")
_ACCENTS = re.compile(r"[\u0300-\u036f\u3099\u309a]")
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ı": "i"})
"""Special letters that are not letters with an accent."""


@dataclass(frozen=True, slots=True)
class Word:
    """One line of the table: the letters to find, their position in a word, and their group.

    ``starts``, ``ends``: the letters must be at the start, or at the end, of the word.
    """

    letters: str
    group: str
    starts: bool = True
    ends: bool = True

    def is_in(self, word: str) -> bool:
        """Whether ``word``, normalised, matches this entry."""
        if self.starts and self.ends:
            return word == self.letters
        if self.starts:
            return word.startswith(self.letters)
        return word.endswith(self.letters) if self.ends else self.letters in word


class Vocabulary:
    """The groups that words belong to. One per content."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._whole: dict[str, list[Word]] = {}
        self._parts: dict[str, list[Word]] = {}
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for word in words:
            several = tuple(word.letters.split(" "))
            if len(several) > 1:
                self._phrases.setdefault(several[0], []).append((several, word.group))
            elif word.starts and word.ends:
                self._whole.setdefault(word.letters, []).append(word)
            else:
                self._parts.setdefault(word.letters[:_SHORTEST_PART], []).append(word)
        self.groups_of = lru_cache(maxsize=_REMEMBERED)(self._groups_of)

    def _groups_of(self, word: str) -> frozenset[str]:
        """Return the groups of one normalised word."""
        short = word[:_MAX_WORD_LENGTH]
        matches = list(self._whole.get(short, ()))
        for place in range(len(short) - _SHORTEST_PART + 1):
            parts = self._parts.get(short[place : place + _SHORTEST_PART], ())
            matches += [part for part in parts if part not in matches and part.is_in(short)]
        hiding = [match.letters for match in matches if match.group == NOTHING]
        return frozenset(
            match.group
            for match in matches
            if match.group != NOTHING and not any(match.letters in other for other in hiding)
        )

    def groups_at(self, words: list[str], place: int) -> frozenset[str]:
        """Return the groups of the word at ``place`` and of the phrases that begin there."""
        groups = self.groups_of(words[place])
        for several, group in self._phrases.get(words[place], ()):
            if tuple(words[place : place + len(several)]) == several:
                groups |= {group}
        return groups


def words_of(text: str) -> list[str]:
    """Return the words of ``text``, normalised."""
    return _WORD.findall(plain(text))


def plain(text: str) -> str:
    """Return ``text`` in lower case without accents; full-width and half-width forms become the same."""
    if text.isascii():
        return text.lower()
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold())).translate(_LETTERS)


def parse(text: str) -> tuple[list[Word], list[tuple[int, str]]]:
    """Return the words in a table of ``COLUMNS``, and (line, mistake) of every wrong line."""
    words: list[Word] = []
    seen: set[tuple[str, str]] = set()
    lines, mistakes = filled_lines(text, COLUMNS)
    for number, cells in lines:
        wrong = _mistake(cells, seen)
        if wrong:
            mistakes.append((number, wrong))
            continue
        word, group = plain(cells[0]), cells[1]
        seen.add((word, group))
        words.append(Word(word.strip("*"), group, not word.startswith("*"), not word.endswith("*")))
    return words, sorted(mistakes)


def _mistake(cells: list[str], seen: set[tuple[str, str]]) -> str:
    word, group = plain(cells[0]), cells[1]
    if not _ENTRY.fullmatch(word):
        return "use one word, or words with one blank between them; a star may only be before or after a single word"
    letters = word.strip("*")
    if len(letters) < len(word) and len(letters) < (_SHORTEST_INSIDE if word.startswith("*") else _SHORTEST_PART):
        return f"`{cells[0]}` is too short for a part of a word"
    if not _GROUP.fullmatch(group):
        return "the name of a group must have only small letters and underscores"
    return f"`{cells[0]}` is listed twice for {group}" if (word, group) in seen else ""

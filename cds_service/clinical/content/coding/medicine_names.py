"""Find names of medicines in words. A match is a hint where no code identifies a medicine, never a proof.

Names are compared as whole words, in lower case and without accents. Japanese and Chinese names have no blanks around
them and match anywhere. A long name also matches the start of a longer word ("warfarinnatrium").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from cds_service.base.tsv import filled_lines

NONE: Final = "none"
"""Used instead of a finding for a name that only has to be distinguished from a similar one."""
COLUMNS: Final = ("name", "finding", "where", "source")

Where = Literal["anywhere", "medicines"]

_MAX_TEXT_LENGTH = 4_000
_SHORTEST_STEM = 7
_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile(r"[\u0300-\u036f\u3099\u309a]")
"""Combining accents, and the voicing marks of kana."""
_NO_BLANKS = re.compile(r"[぀-ヿ㐀-鿿]")
"""Kana and Chinese characters."""


@dataclass(frozen=True, slots=True)
class MedicineName:
    """A name, the finding that taking it would show, and where to search for it.

    ``where``: ``medicines`` for names that are also common words.
    """

    name: str
    finding: str
    where: Where = "anywhere"


class MedicineNames:
    """Finds the names in texts. One per content."""

    def __init__(self, names: Iterable[MedicineName]) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], MedicineName]]] = {}
        self._stems: dict[str, list[tuple[str, MedicineName]]] = {}
        self._without_blanks: list[tuple[str, MedicineName]] = []
        for name in names:
            self._add(name)
        for phrases in self._phrases.values():
            phrases.sort(key=lambda phrase: -len(phrase[0]))

    def _add(self, name: MedicineName) -> None:
        plain = _plain(name.name)
        if _NO_BLANKS.search(name.name):
            self._without_blanks.append((plain, name))
            return
        words = tuple(_WORD.findall(plain))
        self._phrases.setdefault(words[0], []).append((words, name))
        if len(words) == 1 and len(plain) >= _SHORTEST_STEM and name.where == "anywhere":
            self._stems.setdefault(plain[:_SHORTEST_STEM], []).append((plain, name))

    def findings_in(self, text: str, *, in_medicine: bool) -> frozenset[str]:
        """Return what taking the medicines named in ``text`` would show. ``in_medicine``: the text names a medicine."""
        named = self._named_in(_plain(text[:_MAX_TEXT_LENGTH])[:_MAX_TEXT_LENGTH])
        return frozenset(
            name.finding for name in named if name.finding != NONE and (in_medicine or name.where == "anywhere")
        )

    def _named_in(self, plain: str) -> Iterator[MedicineName]:
        words = _WORD.findall(plain)
        different = set(words)
        may_hold = not self._phrases.keys().isdisjoint(different) or any(
            word[:_SHORTEST_STEM] in self._stems for word in different
        )
        place = 0 if may_hold else len(words)  # nearly all texts name no medicine
        while place < len(words):
            name, length = self._at(words, place)
            if name is not None:
                yield name
            place += length
        yield from (name for spelling, name in self._without_blanks if spelling in plain)

    def _at(self, words: list[str], place: int) -> tuple[MedicineName | None, int]:
        """Return the longest name that begins at ``place``, and how many words it covers."""
        word = words[place]
        for phrase, name in self._phrases.get(word, ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                return name, len(phrase)
        stems = [stem for stem in self._stems.get(word[:_SHORTEST_STEM], ()) if word.startswith(stem[0])]
        return (max(stems, key=lambda stem: len(stem[0]))[1] if stems else None), 1


def parse(text: str) -> tuple[list[MedicineName], list[tuple[int, str]]]:
    """Return the names in a table of ``COLUMNS``, and (line, mistake) of every wrong line."""
    names: list[MedicineName] = []
    seen: set[str] = set()
    lines, mistakes = filled_lines(text, COLUMNS)
    for number, cells in lines:
        wrong = _mistake(cells, seen)
        if wrong:
            mistakes.append((number, wrong))
            continue
        name, finding, where, _ = cells
        seen.add(_plain(name))
        names.append(MedicineName(name, finding, "medicines" if where == "medicines" else "anywhere"))
    return names, sorted(mistakes)


def _mistake(cells: list[str], seen: set[str]) -> str:
    name, _, where, _ = cells
    if not _WORD.search(_plain(name)):
        return "the name has no letter"
    if where not in get_args(Where):
        return f"`where` must be one of {', '.join(get_args(Where))}"
    return f"`{name}` is listed twice" if _plain(name) in seen else ""


def _plain(text: str) -> str:
    """Return ``text`` in lower case without accents; full-width and half-width forms become the same."""
    if text.isascii():
        return text.lower()
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))

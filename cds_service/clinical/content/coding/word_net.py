"""Find what a text may be about, by words in any order within one sentence. A match is a hint, never a proof.

A rule names groups of words that must all be in one sentence, such as a place and a sign. Words around a match may show
that it means something else: family history, prophylaxis, an arm. They apply only in their own part of the sentence,
between commas, and not if that part also says "now" or "here". Denials do not count as such words: "no DVT" still
matches.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cds_service.clinical.content.coding.vocabulary import DENIED, SIDES, Vocabulary, plain
from cds_service.clinical.content.names import CONTEXTS, ELSEWHERE

_REMEMBERED = 4_096
_SHORT_TEXT = 300
MAX_TEXT_LENGTH = 200_000
"""The number of characters of a text that are searched; no note by a person is longer."""
_PIECES = re.compile(r"[^\W_]+|\?|[,()\[\]]|[;!\n\r]|\.(?=\s|$)")
_PARTS = frozenset(",()[]")
_SENTENCES = frozenset(";!\n\r")
_ABBREVIATED = 3
"""A full stop after a word this short may mark an abbreviation: "li. Wade", "Z. n. TVT"."""


@dataclass(frozen=True, slots=True)
class Context:
    """Words around a match that change its meaning.

    Attributes:
        overruled_by: groups of words that cancel the context in the same part of the sentence.
        spreads: whether it applies to the end of the sentence: "family history: DVT, cancer".
        takes: groups of signs that belong to another place if they follow such a word: "shoulder pain".
        of_medicines: whether a medicine with such a word may not be a treatment: "line flush".
    """

    overruled_by: frozenset[str] = frozenset()
    spreads: bool = False
    takes: frozenset[str] = frozenset()
    of_medicines: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """The words by which something may be meant.

    Attributes:
        key: the finding or cause.
        named: alternatives. Each is a list of groups; the sentence must have a word of every group, and contexts apply
            to the first group.
        unless: contexts in which it is not meant.
        instead: contexts in which another key is meant, in the order in which they are checked.
    """

    key: str
    named: tuple[tuple[str, ...], ...] = ()
    unless: frozenset[str] = frozenset()
    instead: Mapping[str, str] = field(default_factory=dict)


class WordNet:
    """One per content. ``names``: (key, normalised words) of names that match literally."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        rules: Iterable[Rule],
        contexts: Mapping[str, Context],
        names: Iterable[tuple[str, Sequence[str]]] = (),
    ) -> None:
        self._vocabulary = vocabulary
        self._rules = {rule.key: rule for rule in rules}
        self._contexts = contexts
        self._names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for key, words in names:
            self._names.setdefault(words[0], []).append((tuple(words), key))
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._find)

    def keys_in(self, text: str, *, names: bool = True) -> frozenset[str]:
        """Return what ``text`` may be about. ``names``: also match the names of findings and causes."""
        if len(text) <= _SHORT_TEXT:
            return self._remembered(text, names=names)
        return self._find(text[:MAX_TEXT_LENGTH], names=names)

    def names_undenied(self, text: str, keys: frozenset[str]) -> bool:
        """Whether a sentence of ``text`` may be about one of ``keys`` and holds no word that denies."""
        for words, parts in sentences(text[:MAX_TEXT_LENGTH]):
            sentence = _Sentence(self._vocabulary, words, parts)
            if DENIED not in sentence.groups and not keys.isdisjoint(self._keys_of(sentence)):
                return True
        return False

    def sides_in(self, text: str) -> frozenset[str]:
        """Return the groups of ``vocabulary.SIDES`` that have a word in ``text``."""
        words = (word for sentence, _ in sentences(text[:MAX_TEXT_LENGTH]) for word in sentence)
        return frozenset(group for word in words for group in self._vocabulary.groups_of(word) if group in SIDES)

    def doubts_a_treatment(self, text: str) -> bool:
        """Whether words in ``text`` show that a medicine may not be taken, or not as a treatment."""
        contexts = [(name, context.overruled_by) for name, context in self._contexts.items() if context.of_medicines]
        for words, part_of in sentences(text[:MAX_TEXT_LENGTH]):
            for groups in _Sentence(self._vocabulary, words, part_of).groups_by_part():
                if any(name in groups and groups.isdisjoint(overruled) for name, overruled in contexts):
                    return True
        return False

    def names_the_leg(self, text: str) -> bool:
        """Whether ``text`` names a place on the leg."""
        return not self.groups_in(text).isdisjoint(self._contexts.get(ELSEWHERE, Context()).overruled_by)

    def is_elsewhere(self, text: str) -> bool:
        """Whether ``text`` names a place off the leg, and none on it."""
        return not self.groups_in(text).isdisjoint(CONTEXTS) and not self.names_the_leg(text)

    def groups_in(self, text: str) -> frozenset[str]:
        """Return every group that has a word in ``text``."""
        groups = (
            self._vocabulary.groups_at(words, place)
            for words, _ in sentences(text[:MAX_TEXT_LENGTH])
            for place in range(len(words))
        )
        return frozenset().union(*groups)

    def _find(self, text: str, *, names: bool) -> frozenset[str]:
        keys: set[str] = set()
        for words, parts in sentences(text):
            keys |= self._keys_of(_Sentence(self._vocabulary, words, parts), names=names)
        return frozenset(keys)

    def _keys_of(self, sentence: _Sentence, *, names: bool = True) -> set[str]:
        found = self._by_rules(sentence) if sentence.groups else {}
        if names:
            self._add_names(sentence, found)
        return self._by_context(sentence, found) if found else set()

    def _by_rules(self, sentence: _Sentence) -> dict[str, set[int]]:
        """Return the places at which each rule matches."""
        found: dict[str, set[int]] = {}
        taken = self._taken(sentence)
        for rule in self._rules.values():
            for groups in rule.named:
                if all(sentence.groups.get(group, _NONE) - taken.get(group, _NONE) for group in groups):
                    found.setdefault(rule.key, set()).update(sentence.groups[groups[0]])
        return found

    def _add_names(self, sentence: _Sentence, found: dict[str, set[int]]) -> None:
        """Add the places at which names match to ``found``."""
        for place, word in enumerate(sentence.words):
            for phrase, key in self._names.get(word, ()):
                if tuple(sentence.words[place : place + len(phrase)]) == phrase:
                    found.setdefault(key, set()).add(place)

    def _by_context(self, sentence: _Sentence, found: Mapping[str, set[int]]) -> set[str]:
        """Return the keys that remain after looking at the words around each match."""
        match_places = frozenset[int]().union(*found.values())
        keys: set[str] = set()
        for key, places in found.items():
            named = self._rules.get(key)
            keys.update({key} if named is None else self._meant(sentence, named, places, match_places))
        return keys

    def _meant(self, sentence: _Sentence, rule: Rule, places: Iterable[int], match_places: frozenset[int]) -> set[str]:
        """Return the keys that ``rule`` means at each of ``places``, depending on the words around."""
        keys: set[str] = set()
        contexts = (*rule.instead.items(), *((name, "") for name in rule.unless))
        for place in places:
            keys.add(
                next((key for name, key in contexts if self._covers(sentence, name, place, match_places)), rule.key)
            )
        return keys - {""}

    def _covers(self, sentence: _Sentence, name: str, place: int, match_places: frozenset[int]) -> bool:
        context = self._contexts[name]
        own = sentence.part_at(place)
        here = own.places.get(name)
        if not own.places.keys().isdisjoint(context.overruled_by):
            return False
        if here and (place >= here[0] or (place < here[-1] and own.last_of(match_places) <= here[-1])):
            return True
        return context.spreads and any(other < place for other in sentence.groups.get(name, _NONE))

    def _taken(self, sentence: _Sentence) -> dict[str, set[int]]:
        """Return the signs of each group that belong to another body part, named in the same word or just before."""
        taken: dict[str, set[int]] = {}
        for name, context in self._contexts.items():
            others = sentence.groups.get(name, _NONE) if context.takes else _NONE
            for group in context.takes & sentence.groups.keys() if others else ():
                for place in sentence.groups[group]:
                    own = sentence.part_at(place)
                    is_beside = place in others or (place - 1 in others and place - 1 >= own.first)
                    if is_beside and own.places.keys().isdisjoint(context.overruled_by):
                        taken.setdefault(group, set()).add(place)
        return taken


_NONE: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Part:
    """A part of a sentence between commas, with the places of the words of each group."""

    first: int
    last: int
    places: dict[str, list[int]] = field(default_factory=dict)
    _last_found: int | None = None

    def last_of(self, match_places: frozenset[int]) -> int:
        """Return the last place of a match in this part; -1 if there is none."""
        if self._last_found is None:
            self._last_found = max(
                (place for place in range(self.first, self.last + 1) if place in match_places), default=-1
            )
        return self._last_found


class _Sentence:
    """The words of a sentence, by group and by part."""

    def __init__(self, vocabulary: Vocabulary, words: list[str], part_of: list[int]) -> None:
        self.words = words
        self.part_of = part_of
        self.groups: dict[str, set[int]] = {}
        self._parts: dict[int, _Part] = {}
        for place in range(len(words)):
            part = self._parts.setdefault(part_of[place], _Part(place, place))
            part.last = place
            for group in vocabulary.groups_at(words, place):
                self.groups.setdefault(group, set()).add(place)
                part.places.setdefault(group, []).append(place)

    def groups_by_part(self) -> list[frozenset[str]]:
        """Return the groups of the words of each part."""
        return [frozenset(part.places) for part in self._parts.values()]

    def part_at(self, place: int) -> _Part:
        """Return the part that contains the word at ``place``."""
        return self._parts[self.part_of[place]]


def sentences(text: str) -> Iterable[tuple[list[str], list[int]]]:
    """Yield the normalised words of each sentence, and the number of the part that contains each word."""
    words: list[str] = []
    parts: list[int] = []
    part = 0
    before = ""
    for piece in _PIECES.findall(text if text.isascii() else unicodedata.normalize("NFC", text)):
        if piece in _SENTENCES or (piece == "." and _ends_sentence(before)):
            if words:
                yield words, parts
            words, parts, part = [], [], 0
        elif piece in _PARTS:
            part += 1
        elif piece != ".":
            before = piece
            word = plain(piece)
            words.append(word)
            parts.append(part)
    if words:
        yield words, parts


def _ends_sentence(word: str) -> bool:
    """Whether a full stop after ``word`` ends a sentence, which it does not after a possible abbreviation."""
    return len(word) > _ABBREVIATED or (len(word) > 1 and word.isupper()) or word.isdigit()

"""What a text may be about, by words in free order within one sentence. A net, never a proof.

A rule names groups of words of which each must be in one sentence: a place and a sign. Words around what was found may
say that it is something else: family history, prophylaxis, an arm. They count in their own part of the sentence only,
between commas, and not where that part also says that it is now or here. Words that deny are no such words: that a
text says "no DVT" is not read.
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
LONGEST_TEXT = 200_000
"""Characters of a text that are looked through; more stands in no note of a person."""
_PIECES = re.compile(r"[^\W_]+|\?|[,()\[\]]|[;!\n\r]|\.(?=\s|$)")
_PARTS = frozenset(",()[]")
_SENTENCES = frozenset(";!\n\r")
_ABBREVIATED = 3
"""A point behind a word of so few letters may belong to it: "li. Wade", "Z. n. TVT"."""


@dataclass(frozen=True, slots=True)
class Context:
    """Words around a find that make it something else.

    Attributes:
        overruled_by: groups of words with which, in the same part of the sentence, they do not.
        spreads: whether they reach to the end of the sentence: "family history: DVT, cancer".
        takes: groups of signs that are elsewhere when they stand beside such a word: "shoulder pain".
        of_medicines: whether a medicine beside which they stand may not be taken as a treatment: "line flush".
    """

    overruled_by: frozenset[str] = frozenset()
    spreads: bool = False
    takes: frozenset[str] = frozenset()
    of_medicines: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """By which words something may be meant.

    Attributes:
        key: the finding or cause.
        named: alternatives; of each group of one a word must be in the sentence, and contexts bear on the first.
        unless: contexts in which it is not meant.
        instead: contexts in which another is meant, in the order in which they are asked.
    """

    key: str
    named: tuple[tuple[str, ...], ...] = ()
    unless: frozenset[str] = frozenset()
    instead: Mapping[str, str] = field(default_factory=dict)


class WordNet:
    """One for a content. ``names``: (key, words in plain letters) of names that count as they stand."""

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
        """What ``text`` may be about. ``names``: by the names of findings and causes too, not by the rules alone."""
        if len(text) <= _SHORT_TEXT:
            return self._remembered(text, names=names)
        return self._find(text[:LONGEST_TEXT], names=names)

    def names_undenied(self, text: str, keys: frozenset[str]) -> bool:
        """Whether a sentence of ``text`` may be about one of ``keys`` and holds no word that denies."""
        for words, parts in sentences(text[:LONGEST_TEXT]):
            sentence = _Sentence(self._vocabulary, words, parts)
            if DENIED not in sentence.groups and not keys.isdisjoint(self._keys_of(sentence)):
                return True
        return False

    def sides_in(self, text: str) -> frozenset[str]:
        """The groups of ``vocabulary.SIDES`` of which a word stands in ``text``."""
        words = (word for sentence, _ in sentences(text[:LONGEST_TEXT]) for word in sentence)
        return frozenset(group for word in words for group in self._vocabulary.groups_of(word) if group in SIDES)

    def doubts_a_treatment(self, text: str) -> bool:
        """Whether words in ``text`` say that a medicine may not be taken, or not as a treatment."""
        contexts = [(name, one.overruled_by) for name, one in self._contexts.items() if one.of_medicines]
        for words, part_of in sentences(text[:LONGEST_TEXT]):
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
        """Every group of which a word stands in ``text``."""
        found = (
            self._vocabulary.groups_at(words, place)
            for words, _ in sentences(text[:LONGEST_TEXT])
            for place in range(len(words))
        )
        return frozenset().union(*found)

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
        """Where what each rule names stands."""
        found: dict[str, set[int]] = {}
        taken = self._taken(sentence)
        for rule in self._rules.values():
            for groups in rule.named:
                if all(sentence.groups.get(group, _NONE) - taken.get(group, _NONE) for group in groups):
                    found.setdefault(rule.key, set()).update(sentence.groups[groups[0]])
        return found

    def _add_names(self, sentence: _Sentence, found: dict[str, set[int]]) -> None:
        """Add to ``found`` where names stand."""
        for place, word in enumerate(sentence.words):
            for phrase, key in self._names.get(word, ()):
                if tuple(sentence.words[place : place + len(phrase)]) == phrase:
                    found.setdefault(key, set()).add(place)

    def _by_context(self, sentence: _Sentence, found: Mapping[str, set[int]]) -> set[str]:
        """What was found, by the words around it."""
        every = frozenset[int]().union(*found.values())
        keys: set[str] = set()
        for key, places in found.items():
            named = self._rules.get(key)
            keys.update({key} if named is None else self._meant(sentence, named, places, every))
        return keys

    def _meant(self, sentence: _Sentence, rule: Rule, places: Iterable[int], every: frozenset[int]) -> set[str]:
        """What ``rule`` stands for at each of ``places``, by the words around it."""
        keys: set[str] = set()
        asked = (*rule.instead.items(), *((one, "") for one in rule.unless))
        for place in places:
            keys.add(next((key for one, key in asked if self._covers(sentence, one, place, every)), rule.key))
        return keys - {""}

    def _covers(self, sentence: _Sentence, name: str, place: int, every: frozenset[int]) -> bool:
        context = self._contexts[name]
        own = sentence.part_at(place)
        here = own.places.get(name)
        if not own.places.keys().isdisjoint(context.overruled_by):
            return False
        if here and (place >= here[0] or (place < here[-1] and own.last_of(every) <= here[-1])):
            return True
        return context.spreads and any(one < place for one in sentence.groups.get(name, _NONE))

    def _taken(self, sentence: _Sentence) -> dict[str, set[int]]:
        """The signs of each group that are said of another part of the body: it stands in the same word or before."""
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
    """A part of a sentence between commas: where words of each group stand in it."""

    first: int
    last: int
    places: dict[str, list[int]] = field(default_factory=dict)
    _last_found: int | None = None

    def last_of(self, every: frozenset[int]) -> int:
        """The last place of this part at which anything is found, -1 if none."""
        if self._last_found is None:
            self._last_found = max((one for one in range(self.first, self.last + 1) if one in every), default=-1)
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
        """The groups of the words of each part."""
        return [frozenset(one.places) for one in self._parts.values()]

    def part_at(self, place: int) -> _Part:
        """The part in which the word at ``place`` stands."""
        return self._parts[self.part_of[place]]


def sentences(text: str) -> Iterable[tuple[list[str], list[int]]]:
    """The words of each sentence in plain letters, and the number of the part in which each stands."""
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
            found = plain(piece)
            words.append(found)
            parts.append(part)
    if words:
        yield words, parts


def _ends_sentence(word: str) -> bool:
    """Whether a point behind ``word`` ends a sentence: not behind what may be an abbreviation."""
    return len(word) > _ABBREVIATED or (len(word) > 1 and word.isupper()) or word.isdigit()

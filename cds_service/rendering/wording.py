"""Our messages filled in: dates, numbers, lists and names in the language of the reader.

Only our own words, recorded dates and measured numbers ever get in.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache

from babel import Locale
from babel.dates import format_skeleton, format_time
from babel.lists import format_list
from babel.numbers import format_decimal

from cds_service.base.clock import zone_words
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.texts import COUNT, Message, Texts
from cds_service.clinical.leg import is_order
from cds_service.clinical.record import Fact, Side, Status, When
from cds_service.rendering.layout import Item, Part, part

CUT = "..."
_REST = 3
"""The rank of facts that stay only where there is room."""


@lru_cache(maxsize=16)
def _locale(name: str) -> Locale:
    return Locale.parse(name)


@lru_cache(maxsize=4_096)
def _day(locale: str, skeleton: str, day: date) -> str:
    return format_skeleton(skeleton, day, locale=_locale(locale))


@lru_cache(maxsize=4_096)
def _number(locale: str, value: float) -> str:
    shape = "#,##0.###" if abs(value) < 2 else "#,##0.#"
    return format_decimal(value, shape, locale=_locale(locale))


@dataclass(frozen=True)
class Wording:
    """The words of one answer. ``today``: a date of this year needs no year."""

    content: Content
    today: date

    @property
    def texts(self) -> Texts:
        """Our messages."""
        return self.content.texts

    @cached_property
    def _name(self) -> str:
        return self.texts.language.locale

    def say(self, message: Message, /, **places: object) -> str:
        """``message`` with its places filled; ``count`` decides between its plural forms."""
        count = places.get(COUNT)
        if not isinstance(count, int):
            return message.fill(**places)
        return message.fill(_locale(self._name).plural_form(count), **places)

    def day(self, when: When | None) -> str:
        """``12 Mar``, with the year when it is not this one; partial dates as precise as they were recorded."""
        if when is None:
            return self.texts.fact.day_unknown.fill()
        parts = when.text.split("-")
        if len(parts) == 1:
            return parts[0]
        if len(parts) == 2:
            return _day(self._name, "yMMM", when.day)
        return self.date(when.day)

    def date(self, day: date) -> str:
        """``12 Mar``; with the year when it is not this one."""
        return _day(self._name, "MMMd" if day.year == self.today.year else "yMMMd", day)

    def time(self, moment: datetime) -> str:
        """``06:47``."""
        return format_time(moment.time(), "HH:mm", locale=_locale(self._name))

    def moment(self, moment: datetime) -> str:
        """``28 Nov 06:47 GMT``."""
        return f"{_day(self._name, 'MMMd', moment.date())} {self.time(moment)} {zone_words(moment)}"

    def number(self, value: float) -> str:
        """``3.8``, with at most one decimal (three below 2, where they matter)."""
        return _number(self._name, value)

    def points(self, points: int) -> str:
        """``+1``; a real minus sign before what is taken away."""
        return f"+{points}" if points >= 0 else f"\u2212{-points}"

    def listed(self, words: Sequence[str]) -> str:
        """``a``, ``a and b``, ``a, b and c``."""
        return format_list(list(words), locale=_locale(self._name)) if len(words) > 1 else "".join(words)

    def side(self, side: Side) -> str:
        """``left leg``."""
        texts = self.texts.side
        sides = {
            Side.LEFT: texts.left,
            Side.RIGHT: texts.right,
            Side.BOTH: texts.both,
            Side.UNKNOWN: texts.unknown,
            Side.BODY: texts.body,
        }
        return sides[side].fill()

    def fact(self, fact: Fact) -> str:
        """What is recorded, without its date: with its number where it was measured, and the part that was coded.

        What follows from others is told by what the chart states.
        """
        if fact.follows_from:
            first, *rest = dict.fromkeys(self.fact(one) for one in fact.follows_from)
            together = self.texts.fact.with_each_other
            return together.fill(first=first, second=self.listed(rest)) if rest else first
        words = self._present(fact)
        return self.texts.fact.absent.fill(fact=words) if fact.status is Status.ABSENT else words

    def _present(self, fact: Fact) -> str:
        finding = self.content.findings[fact.key]
        if fact.measured is not None and fact.status is Status.PRESENT:
            shown = self.content.measures[fact.measured.measure].shown
            if shown is not None:
                return shown.fill(value=f"{fact.measured.comparator}{self.number(fact.measured.value)}")
        return finding.parts.get(fact.part, finding.short)

    def dated(self, fact: Fact, leg: Side | None = None) -> str:
        """``calf swelling (12 Mar)``."""
        about = self._about(fact, leg)
        return self.of_day(self.fact(fact), about) if about else self.fact(fact)

    def items(
        self, facts: Iterable[Fact], leg: Side | None = None, *, stay: int = 3, must: Container[str] = ()
    ) -> list[Item]:
        """The facts as items of a card, each finding once, in the order given.

        The first ``stay`` of them always stay, and so do the findings of ``must``.
        """
        seen: dict[str, Fact] = {}
        for fact in (stated for one in facts for stated in one.stated):
            seen.setdefault(fact.key, fact)
        return [
            Item(self.fact(fact), 0 if place < stay or fact.key in must else _REST, self._about(fact, leg))
            for place, fact in enumerate(seen.values())
        ]

    def reasons(
        self, lead: str, facts: Iterable[Fact], leg: Side | None = None, *, stay: int = 3, must: Container[str] = ()
    ) -> Part:
        """The facts as a paragraph, those of one day together: ``calf +3.8 cm, pitting oedema (27 Nov)``."""
        items = self.items(facts, leg, stay=stay, must=must)
        return part(lead, *items, between="; ", end=".", more=self.more, grouped=self.of_day)

    def listing(self, facts: Iterable[Fact], leg: Side | None = None) -> str:
        """The facts in one line, those of one day together."""
        return part("", *self.items(facts, leg), between="; ", grouped=self.of_day).text

    def of_day(self, facts: str, about: str) -> str:
        """``calf swelling (12 Mar)``."""
        return self.texts.fact.dated.fill(facts=facts, day=about)

    def more(self, count: int) -> str:
        """``2 more``: facts or items that were left out."""
        return self.say(self.texts.fact.more, count=count)

    def _about(self, fact: Fact, leg: Side | None) -> str:
        """Its day and what is not certain about it."""
        return ", ".join(filter(None, (self._day_of(fact), self._notes_of(fact, leg))))

    def _day_of(self, fact: Fact) -> str:
        """A demographic fact has none: it holds today."""
        return "" if self.content.findings[fact.key].kind == "demographic" else self.day(fact.when)

    def _notes_of(self, fact: Fact, leg: Side | None) -> str:
        texts, notes = self.texts.fact, []
        if self.content.findings[fact.key].side == "leg" and fact.side is Side.UNKNOWN and leg is not Side.UNKNOWN:
            notes.append(texts.side_unknown.fill())
        if fact.provisional:
            notes.append(texts.provisional.fill())
        if is_order(fact):
            notes.append(texts.ordered.fill())
        return ", ".join(notes)

    def short(self, key: str) -> str:
        """The name of a finding or cause in the middle of a sentence."""
        return self.content.short(key)


def capital(text: str) -> str:
    """First letter in upper case, also behind a sign such as the Spanish question mark."""
    place = next((place for place, letter in enumerate(text[:2]) if letter.isalnum()), 0)
    return text[:place] + text[place : place + 1].upper() + text[place + 1 :]


def in_sentence(title: str) -> str:
    """A title in the middle of a sentence: in lower case, unless it begins with an abbreviation such as DVT."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut at a word, never inside one."""
    if len(text) <= limit:
        return text
    return text[: limit - len(CUT)].rsplit(" ", 1)[0].rstrip(",;:") + CUT


def whole(sentences: Sequence[str], limit: int) -> str:
    """The first of the sentences, fullest first, that is not longer than ``limit``; the last if all are."""
    return next((one for one in sentences if len(one) <= limit), sentences[-1])

"""Fills in our messages: dates, numbers, lists and names in the language of the reader.

Only our own words, recorded dates and measured numbers are inserted.
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
"""The rank of facts that are shown only if there is room."""


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
    """The wording of one response. ``today``: dates of the same year are written without a year."""

    content: Content
    today: date

    @property
    def texts(self) -> Texts:
        """The messages of the content."""
        return self.content.texts

    @cached_property
    def _name(self) -> str:
        return self.texts.language.locale

    def say(self, message: Message, /, **places: object) -> str:
        """Return ``message`` with its placeholders filled. ``count`` selects the plural form."""
        count = places.get(COUNT)
        if not isinstance(count, int):
            return message.fill(**places)
        return message.fill(_locale(self._name).plural_form(count), **places)

    def day(self, when: When | None) -> str:
        """Return a recorded date: ``12 Mar``, with the year if it is not this year. Partial dates stay partial."""
        if when is None:
            return self.texts.fact.day_unknown.fill()
        parts = when.text.split("-")
        if len(parts) == 1:
            return parts[0]
        if len(parts) == 2:
            return _day(self._name, "yMMM", when.day)
        return self.date(when.day)

    def date(self, day: date) -> str:
        """Return a date: ``12 Mar``, with the year if it is not this year."""
        return _day(self._name, "MMMd" if day.year == self.today.year else "yMMMd", day)

    def time(self, moment: datetime) -> str:
        """Return a time: ``06:47``."""
        return format_time(moment.time(), "HH:mm", locale=_locale(self._name))

    def moment(self, moment: datetime) -> str:
        """Return a date and time with the zone: ``28 Nov 06:47 GMT``."""
        return f"{_day(self._name, 'MMMd', moment.date())} {self.time(moment)} {zone_words(moment)}"

    def number(self, value: float) -> str:
        """Return a number: ``3.8``, with at most one decimal, or three for values below 2, where they matter."""
        return _number(self._name, value)

    def points(self, points: int) -> str:
        """Return points with a sign: ``+1``. Negative points have a real minus sign (U+2212)."""
        return f"+{points}" if points >= 0 else f"\u2212{-points}"

    def listed(self, words: Sequence[str]) -> str:
        """Return a list in words: ``a``, ``a and b``, ``a, b and c``."""
        return format_list(list(words), locale=_locale(self._name)) if len(words) > 1 else "".join(words)

    def side(self, side: Side) -> str:
        """Return a side in words: ``left leg``."""
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
        """Return a fact in words without its date: with its number if it was measured, and with the coded part.

        A fact that follows from others is described by the facts that the chart states.
        """
        if fact.follows_from:
            first, *rest = dict.fromkeys(self.fact(stated) for stated in fact.follows_from)
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
        """Return a fact with its date: ``calf swelling (12 Mar)``."""
        about = self._about(fact, leg)
        return self.of_day(self.fact(fact), about) if about else self.fact(fact)

    def items(
        self, facts: Iterable[Fact], leg: Side | None = None, *, stay: int = 3, must: Container[str] = ()
    ) -> list[Item]:
        """Return the facts as items of a card, each finding once, in the order given.

        The first ``stay`` items and the findings in ``must`` always stay.
        """
        seen: dict[str, Fact] = {}
        for stated in (stated for fact in facts for stated in fact.stated):
            seen.setdefault(stated.key, stated)
        return [
            Item(self.fact(fact), 0 if place < stay or fact.key in must else _REST, self._about(fact, leg))
            for place, fact in enumerate(seen.values())
        ]

    def reasons(
        self, lead: str, facts: Iterable[Fact], leg: Side | None = None, *, stay: int = 3, must: Container[str] = ()
    ) -> Part:
        """Return the facts as a paragraph, grouped by day: ``calf +3.8 cm, pitting oedema (27 Nov)``."""
        items = self.items(facts, leg, stay=stay, must=must)
        return part(lead, *items, between="; ", end=".", more=self.more, grouped=self.of_day)

    def listing(self, facts: Iterable[Fact], leg: Side | None = None) -> str:
        """Return the facts in one line, grouped by day."""
        return part("", *self.items(facts, leg), between="; ", grouped=self.of_day).text

    def of_day(self, facts: str, about: str) -> str:
        """Return facts with their day: ``calf swelling (12 Mar)``."""
        return self.texts.fact.dated.fill(facts=facts, day=about)

    def more(self, count: int) -> str:
        """Return the number of facts or items that were left out: ``2 more``."""
        return self.say(self.texts.fact.more, count=count)

    def _about(self, fact: Fact, leg: Side | None) -> str:
        """Return the day of a fact and notes on its uncertainty."""
        return ", ".join(filter(None, (self._day_of(fact), self._notes_of(fact, leg))))

    def _day_of(self, fact: Fact) -> str:
        """Return the day of a fact; empty for a demographic fact, which holds today."""
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
        """Return the name of a finding or cause for the middle of a sentence."""
        return self.content.short(key)


def capital(text: str) -> str:
    """Return ``text`` with its first letter in upper case, also after a sign such as the Spanish question mark."""
    place = next((place for place, letter in enumerate(text[:2]) if letter.isalnum()), 0)
    return text[:place] + text[place : place + 1].upper() + text[place + 1 :]


def in_sentence(title: str) -> str:
    """Return a title for the middle of a sentence: in lower case, unless it begins with an abbreviation such as DVT."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def cut(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``, cut between words."""
    if len(text) <= limit:
        return text
    return text[: limit - len(CUT)].rsplit(" ", 1)[0].rstrip(",;:") + CUT


def whole(sentences: Sequence[str], limit: int) -> str:
    """Return the first sentence that is not longer than ``limit``; the last one if all are longer.

    ``sentences``: the most complete one first.
    """
    return next((sentence for sentence in sentences if len(sentence) <= limit), sentences[-1])

"""Small pieces of card text: dates, names, lists. Only our own words and recorded dates ever get in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

from cds_service.clinical.content import Content
from cds_service.clinical.leg import is_order
from cds_service.clinical.record import Fact, Side, When

_IN_BRACKETS = re.compile(r" \([^)]*\)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_words(when: When | None, today: date) -> str:
    """``12 Mar``, with the year when it is not this one; partial dates as recorded; ``date unknown``."""
    if when is None:
        return "date unknown"
    parts = when.text.split("-")
    if len(parts) == 1:
        return parts[0]
    month = _MONTHS[int(parts[1]) - 1]
    if len(parts) == 2:
        return f"{month} {parts[0]}"
    year = "" if when.day.year == today.year else f" {when.day.year}"
    return f"{when.day.day} {month}{year}"


def short_name(content: Content, key: str) -> str:
    """The name of a finding or cause without its explanation in brackets, in lower case where it is not a name."""
    return _shortened(content.name(key))


@lru_cache(maxsize=2_048)
def _shortened(name: str) -> str:
    name = _IN_BRACKETS.sub("", name)
    keep = name[:2].isupper() or name.split("'")[0] in ("Baker", "Homans") or name.split()[0] in _PROPER
    return name if keep else name[:1].lower() + name[1:]


_PROPER = frozenset({"Baker's", "McMurray", "Thessaly", "Apley", "Lachman", "Garrick", "Clarke", "Tinel", "Homans'"})


def fact_words(content: Content, fact: Fact, today: date, leg: Side | None = None) -> str:
    """``calf swelling 12 Mar``; says so when the side is not recorded or the entry is provisional.

    What follows from others is told by what the chart states.
    """
    if fact.follows_from:
        return " with ".join(fact_words(content, one, today, leg) for one in fact.follows_from)
    notes = []
    if content.findings[fact.key].side == "leg" and fact.side is Side.UNKNOWN and leg is not Side.UNKNOWN:
        notes.append("side not recorded")
    if fact.provisional:
        notes.append("provisional")
    if is_order(fact):
        notes.append("the reason of an order")
    if content.findings[fact.key].kind == "demographic":
        return short_name(content, fact.key)
    words = f"{short_name(content, fact.key)} {day_words(fact.when, today)}"
    return words + (f" ({', '.join(notes)})" if notes else "")


def facts_words(content: Content, facts: Iterable[Fact], today: date, leg: Side | None, most: int) -> str:
    """The facts in the order given, each finding once, at most ``most`` of them."""
    seen: dict[str, Fact] = {}
    for fact in (stated for one in facts for stated in one.stated):
        seen.setdefault(fact.key, fact)
    words = [fact_words(content, fact, today, leg) for fact in seen.values()]
    more = len(words) - most
    return "; ".join(words[:most]) + (f"; and {more} more" if more > 0 else "")


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def capital(text: str) -> str:
    """First letter in upper case."""
    return text[:1].upper() + text[1:]


def sentence(parts: Sequence[str]) -> str:
    """``A; b.``; empty without parts."""
    return capital(f"{'; '.join(parts)}.") if parts else ""


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut at a word, never inside one."""
    if len(text) <= limit:
        return text
    return text[: limit - 3].rsplit(" ", 1)[0].rstrip(",;:") + "..."


def whole(sentences: Sequence[str], limit: int) -> str:
    """The first of the sentences, fullest first, that is not longer than ``limit``; the last if all are."""
    return next((one for one in sentences if len(one) <= limit), sentences[-1])


def fit(lines: Sequence[tuple[int, str]], limit: int) -> str:
    """The lines joined by blank lines within ``limit`` characters.

    Each line has a rank; 0 always stays. The lines of the highest rank go first, from the end, until it fits; if
    it still does not, the longest rank-0 line but the first is cut at a word.
    """
    kept = [line for line in lines if line[1]]
    while _length(kept) > limit and any(rank > 0 for rank, _ in kept):
        worst = max(rank for rank, _ in kept)
        place = max(index for index, (rank, _) in enumerate(kept) if rank == worst)
        kept.pop(place)
    while (over := _length(kept) - limit) > 0:
        place = max(range(1, len(kept)), key=lambda index: len(kept[index][1]))
        text = kept[place][1]
        kept[place] = (0, _cut_markdown(text, len(text) - over))
    return "\n\n".join(text for _, text in kept)


def _cut_markdown(text: str, limit: int) -> str:
    """``cut``, with bold type closed where the cut left it open."""
    if cut(text, limit).count("**") % 2 == 0:
        return cut(text, limit)
    shorter = cut(text, limit - len("**"))
    return shorter + "**" if shorter.count("**") % 2 else shorter


def _length(lines: Sequence[tuple[int, str]]) -> int:
    return sum(len(text) for _, text in lines) + 2 * max(0, len(lines) - 1)

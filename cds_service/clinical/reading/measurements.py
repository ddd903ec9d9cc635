"""Numbers with units: which finding they show. A unit that is not listed is not understood, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Measure
from cds_service.clinical.reading.units import is_in_another_unit, names_other_kind, same_unit, unit_of
from cds_service.clinical.record import Fact, Measured, Side, Status, Unread, UnreadKind, When

_TOLERANCE = 1e-6  # so that 38.1 cm against 35.1 cm is a difference of 3
_NUMBER = re.compile(r"\s*+(?:(<=|>=|<|>|\u2264|\u2265)\s*+)?([0-9]++(?:[.,][0-9]++)?)\s*+([^0-9\s].*)?")
_RANGE = re.compile(r"[^A-Za-z\u00b5\u03bc]*+([A-Za-z\u00b5\u03bc]++/.*)")
"""Numbers, if any, and a unit of something in something."""
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
"""A thousand and something, or one and a fraction."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured value in the measure's base unit. ``comparator`` is one of ``<``, ``<=``, ``>=``, ``>`` or empty."""

    value: float
    comparator: str


@dataclass(frozen=True, slots=True)
class SidedReading:
    """One side of a measurement that needs both sides."""

    measure: str
    side: Side
    value: float
    clinical: When | None
    recorded: When | None
    source: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number with a unit that stands in a text, with the elements of a Quantity."""

    value: float
    comparator: str
    unit: str
    code: None = None
    system: None = None


def number_in(text: str) -> Number | str | None:
    """The number that ``text`` consists of, in our words why it is not sure, or None where it is no number."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    comparator, digits, unit = found.groups(default="")
    if _AMBIGUOUS.fullmatch(digits):
        return "its number can be read in two ways"
    sign = {"\u2264": "<=", "\u2265": ">="}.get(comparator, comparator)
    return Number(float(digits.replace(",", ".")), sign, unit.strip())


def convert(measure: Measure, part: Any, quantity: Any, kinds: frozenset[str]) -> Reading | str:
    """``quantity`` of ``part`` in the base unit of ``measure``, or in our words why that cannot be done.

    ``kinds``: of unit, that tell the values of its finding apart (``Content.kinds_of_unit``).
    """
    if quantity.value is None:
        return "the number is missing"
    known = unit_of(measure, quantity, kinds)
    if isinstance(known, str):
        return known
    ranges = part.referenceRange or ()
    if kinds and any(names_other_kind(text, measure, kinds) for one in ranges for text in _words_of(one)):
        return "the unit of its reference range contradicts its code"
    if kinds and any(is_in_another_unit(end, quantity, kinds) for one in ranges for end in _ends_of(one)):
        return "its reference range is in another unit"
    if kinds and any(names_other_kind(text, measure, kinds) for text in _words_beside(part)):
        return "the words beside it name a unit that contradicts its code"
    value = float(quantity.value) * known.factor + known.offset
    low, high = measure.plausible
    if not low <= value <= high:
        return "the number is not plausible for it"
    limit = _own_limit(part, quantity, kinds) if kinds else None
    if limit is not None and _lies_above(quantity, limit):
        own = limit * known.factor + known.offset
        if own < measure.threshold - _TOLERANCE and not _shows(measure, value, measure.threshold):
            return "the laboratory's own limit is lower than ours"
    return Reading(value, str(quantity.comparator or ""))


def is_above_own_limit(part: Any, quantity: Any, kinds: frozenset[str]) -> bool:
    """Whether the number lies above the laboratory's own upper limit in the same unit, whatever the unit is."""
    limit = _own_limit(part, quantity, kinds) if kinds and quantity.value is not None else None
    return limit is not None and _lies_above(quantity, limit)


def _own_limit(part: Any, quantity: Any, kinds: frozenset[str]) -> float | None:
    """The upper limit of what is normal by the laboratory; None if it gives none, or one for other people only."""
    for one in part.referenceRange or ():
        if one.high is None or one.high.value is None or one.appliesTo or getattr(one, "age", None):
            continue
        if same_unit(one.high, quantity, kinds):
            return float(one.high.value)
    return None


def _lies_above(quantity: Any, limit: float) -> bool:
    return not str(quantity.comparator or "").startswith("<") and float(quantity.value) > limit + _TOLERANCE


def _words_beside(part: Any) -> Iterable[str]:
    """The words of its code and of its notes."""
    yield str(part.code.text or "")
    yield from (str(coding.display or "") for coding in part.code.coding or ())
    yield from (str(note.text or "") for note in getattr(part, "note", None) or ())


def _words_of(one: Any) -> Iterable[str]:
    yield str(one.text or "")
    for end in (one.low, one.high):
        if end is not None:
            yield f"{end.code or ''} {end.unit or ''}"


def _ends_of(one: Any) -> Iterable[Any]:
    """The ends of a reference range, also one that stands in words: "< 500 ng/mL"."""
    yield from (end for end in (one.low, one.high) if end is not None)
    found = _RANGE.fullmatch(str(one.text or ""))
    if found is not None:
        yield Number(0.0, "", found[1].strip())


def judge(measure: Measure, reading: Reading, age: int | None) -> Status:
    """Whether the reading shows the finding. A comparator that leaves both open gives UNKNOWN."""
    limit = measure.threshold
    if measure.per_year_over_50 and age is not None and age > 50:
        limit = measure.per_year_over_50 * age
    shows = _certainly_shows(measure, reading, limit)
    if shows is None:
        return Status.UNKNOWN
    if shows:
        return Status.PRESENT
    return Status.ABSENT if measure.below_means == "absent" else Status.UNKNOWN


def _certainly_shows(measure: Measure, reading: Reading, limit: float) -> bool | None:
    """Whether every value that the reading allows shows the finding; None if some do and some do not."""
    shows = _shows(measure, reading.value, limit)
    if not reading.comparator:
        return shows
    rising = measure.present_when != "less_than"
    below = reading.comparator.startswith("<")
    just_below = reading.comparator == "<" and reading.value <= limit + _TOLERANCE
    if rising and below:
        return False if just_below or not shows else None
    if below:
        return True if just_below or shows else None
    if rising:
        return True if shows else None
    return None if shows else False


def _shows(measure: Measure, value: float, limit: float) -> bool:
    if measure.present_when == "at_least":
        return value >= limit - _TOLERANCE
    if measure.present_when == "more_than":
        return value > limit + _TOLERANCE
    return value < limit - _TOLERANCE


def compare_sides(content: Content, readings: Iterable[SidedReading]) -> tuple[list[Fact], list[Unread]]:
    """Differences between the legs, from readings of the same measure on the same day."""
    by_day: dict[tuple[str, str], list[SidedReading]] = {}
    for reading in readings:
        when = reading.clinical or reading.recorded
        by_day.setdefault((reading.measure, when.text if when else ""), []).append(reading)
    facts: list[Fact] = []
    unread: list[Unread] = []
    for (key, day), group in sorted(by_day.items()):
        measure = content.measures[key]
        right = _largest(group, Side.RIGHT)
        left = _largest(group, Side.LEFT)
        if not day or right is None or left is None:
            reason = "has no date to pair it by" if not day else "only one leg was measured that day"
            unread += [Unread(r.source, UnreadKind.VALUE, reason, (measure.finding,)) for r in group]
            continue
        for own, other in ((right, left), (left, right)):
            larger_by = own.value - other.value
            shows = _shows(measure, larger_by, measure.threshold)
            facts.append(
                Fact(
                    measure.finding,
                    Status.PRESENT if shows else Status.ABSENT,
                    own.side,
                    own.clinical,
                    own.recorded,
                    own.source,
                    doubtful=own.doubtful or other.doubtful,
                    measured=Measured(key, larger_by),
                )
            )
    return facts, unread


def _largest(group: Sequence[SidedReading], side: Side) -> SidedReading | None:
    mine = [reading for reading in group if reading.side is side]
    return max(mine, key=lambda reading: (reading.value, reading.source)) if mine else None

"""Decide which finding a number with a unit shows. An unlisted unit is not understood and never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Measure, Unit
from cds_service.clinical.reading.units import is_in_another_unit, names_other_kind, same_unit, unit_of
from cds_service.clinical.record import Fact, Measured, Side, Status, Unread, UnreadKind, When

_TOLERANCE = 1e-6  # so that 38.1 cm against 35.1 cm is a difference of 3
_NUMBER = re.compile(r"\s*+(?:(<=|>=|<|>|\u2264|\u2265)\s*+)?([0-9]++(?:[.,][0-9]++)?)\s*+([^0-9\s].*)?")
_RANGE = re.compile(r"[^A-Za-z\u00b5\u03bc]*+([A-Za-z\u00b5\u03bc]++/.*)")
"""Optional numbers, then a unit of the form "something per something"."""
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
"""A number that may be thousands or a decimal fraction."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured value in the measure's base unit. ``comparator``: ``<``, ``<=``, ``>=``, ``>`` or empty."""

    value: float
    comparator: str


@dataclass(frozen=True, slots=True)
class SidedReading:
    """One side of a measurement that compares both sides."""

    measure: str
    side: Side
    value: float
    clinical: When | None
    recorded: When | None
    source: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number with a unit from a text, with the elements of a Quantity."""

    value: float
    comparator: str
    unit: str
    code: None = None
    system: None = None


def number_in(text: str) -> Number | str | None:
    """Return the number in ``text``, the reason in plain words if it is ambiguous, or None if it is not a number."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    comparator, digits, unit = match.groups(default="")
    if _AMBIGUOUS.fullmatch(digits):
        return "its number can be read in two ways"
    sign = {"\u2264": "<=", "\u2265": ">="}.get(comparator, comparator)
    return Number(float(digits.replace(",", ".")), sign, unit.strip())


class UnitsOfChart:
    """The units of a chart, each looked up once for each measure: a chart has few of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Any, Any, Any], Unit | str] = {}

    def of(self, key: str, measure: Measure, quantity: Any, kinds: frozenset[str]) -> Unit | str:
        """Return what ``unit_of`` returns. ``key``: the key of ``measure``."""
        written = (key, quantity.code, quantity.unit, quantity.system)
        known = self._known.get(written)
        if known is None:
            known = self._known[written] = unit_of(measure, quantity, kinds)
        return known


def convert(measure: Measure, part: Any, quantity: Any, kinds: frozenset[str], known: Unit | str) -> Reading | str:
    """Return ``quantity`` in the base unit of ``measure``, or the reason in plain words why that is not possible.

    ``kinds``: kinds of unit that distinguish the values of its finding (``Content.kinds_of_unit``). ``known``: its unit
    (``unit_of``).
    """
    if quantity.value is None:
        return "the number is missing"
    if isinstance(known, str):
        return known
    ranges = part.referenceRange or ()
    if kinds and any(
        names_other_kind(text, measure, kinds) for reference_range in ranges for text in _words_of(reference_range)
    ):
        return "the unit of its reference range contradicts its code"
    if kinds and any(
        is_in_another_unit(end, quantity, kinds) for reference_range in ranges for end in _ends_of(reference_range)
    ):
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
    """Whether the number is above the laboratory's own upper limit in the same unit, whichever unit that is."""
    limit = _own_limit(part, quantity, kinds) if kinds and quantity.value is not None else None
    return limit is not None and _lies_above(quantity, limit)


def _own_limit(part: Any, quantity: Any, kinds: frozenset[str]) -> float | None:
    """Return the laboratory's upper limit of normal; None if there is none or it is only for other people."""
    for reference_range in part.referenceRange or ():
        if (
            reference_range.high is None
            or reference_range.high.value is None
            or reference_range.appliesTo
            or getattr(reference_range, "age", None)
        ):
            continue
        if same_unit(reference_range.high, quantity, kinds):
            return float(reference_range.high.value)
    return None


def _lies_above(quantity: Any, limit: float) -> bool:
    return not str(quantity.comparator or "").startswith("<") and float(quantity.value) > limit + _TOLERANCE


def _words_beside(part: Any) -> Iterable[str]:
    """Yield the words of its code and its notes."""
    yield str(part.code.text or "")
    yield from (str(coding.display or "") for coding in part.code.coding or ())
    yield from (str(note.text or "") for note in getattr(part, "note", None) or ())


def _words_of(reference_range: Any) -> Iterable[str]:
    yield str(reference_range.text or "")
    for end in (reference_range.low, reference_range.high):
        if end is not None:
            yield f"{end.code or ''} {end.unit or ''}"


def _ends_of(reference_range: Any) -> Iterable[Any]:
    """Yield the ends of a reference range, including one given in words: "< 500 ng/mL"."""
    yield from (end for end in (reference_range.low, reference_range.high) if end is not None)
    match = _RANGE.fullmatch(str(reference_range.text or ""))
    if match is not None:
        yield Number(0.0, "", match[1].strip())


def judge(measure: Measure, reading: Reading, age: int | None) -> Status:
    """Return whether the reading shows the finding; UNKNOWN if its comparator leaves that open."""
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
    """Whether every value that the reading allows shows the finding; None if only some do."""
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
    """Return the differences between the legs, and the readings that could not be paired.

    Readings are paired by measure and day.
    """
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

"""Numbers with units: which finding they show. A unit that is not listed is not understood, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.codes import UCUM
from cds_service.clinical.content import Content, Measure, Unit
from cds_service.clinical.record import Fact, Side, Status, Unread, UnreadKind, When

_IN_WORDS: Mapping[str, frozenset[str]] = {
    "cm": frozenset({"centimetre", "centimetres", "centimeter", "centimeters"}),
    "mm": frozenset({"millimetre", "millimetres", "millimeter", "millimeters"}),
    "m": frozenset({"metre", "metres", "meter", "meters"}),
    "[in_i]": frozenset({"in", "ins", "inch", "inches"}),
    "Cel": frozenset({"c", "degc", "celsius", "degreecelsius", "degreescelsius", "centigrade"}),
    "[degF]": frozenset({"f", "degf", "fahrenheit", "degreefahrenheit", "degreesfahrenheit"}),
}
"""Words for units that are not spelt like their code, as ``_spelling`` gives them."""
_TOLERANCE = 1e-6  # so that 38.1 cm against 35.1 cm is a difference of 3


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


def convert(measure: Measure, quantity: Any, measures: Iterable[Measure]) -> Reading | str:
    """``quantity`` in the base unit of ``measure``, or in our words why that cannot be done.

    ``measures``: all measures, some of which give the same finding in units of another kind.
    """
    if quantity.value is None:
        return "the number is missing"
    if quantity.code and quantity.system not in (None, UCUM):
        return "its unit is not a UCUM unit"
    unit = quantity.code or quantity.unit
    if not unit:
        return "it has no unit"
    known = next((candidate for candidate in measure.units if candidate.ucum == unit), None)
    if known is None:
        return "its unit is not one this service knows for it"
    if quantity.unit and _contradicts(str(quantity.unit), known, measure, measures):
        return "the words of its unit contradict its code"
    value = float(quantity.value) * known.factor + known.offset
    low, high = measure.plausible
    if not low <= value <= high:
        return "the number is not plausible for it"
    return Reading(value, str(quantity.comparator or ""))


def _contradicts(words: str, unit: Unit, measure: Measure, measures: Iterable[Measure]) -> bool:
    """Whether the words of a unit mean another unit than its code, or a value of another kind (DDU under FEU)."""
    spelt = _spelling(words)
    if any(spelt in _spellings(one.ucum) for one in measure.units if one.factor != unit.factor):
        return True
    kinds = {kind for one in measures if one.finding == measure.finding for kind in one.unit.split()[1:]}
    own = set(measure.unit.split()[1:]) | {kind for kind in kinds if kind.lower() in _spelling(unit.ucum)}
    return any(kind.lower() in spelt for kind in kinds - own)


def _spellings(ucum: str) -> frozenset[str]:
    """A UCUM code and the words that people write for it."""
    return _IN_WORDS.get(ucum, frozenset()) | {_spelling(ucum)}


def _spelling(unit: str) -> str:
    """The letters of a unit, so that ``mg/L FEU``, ``mg/L{FEU}`` and ``MG/L (FEU)`` are spelt alike."""
    plain = unit.lower().replace("\u00b5", "u").replace("\u03bc", "u").replace("mcg", "ug")
    return "".join(letter for letter in plain if letter.isalnum() or letter in "/%")


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
            shows = _shows(measure, own.value - other.value, measure.threshold)
            status = Status.PRESENT if shows else Status.ABSENT
            doubtful = own.doubtful or other.doubtful
            facts.append(
                Fact(measure.finding, status, own.side, own.clinical, own.recorded, own.source, doubtful=doubtful)
            )
    return facts, unread


def _largest(group: Sequence[SidedReading], side: Side) -> SidedReading | None:
    mine = [reading for reading in group if reading.side is side]
    return max(mine, key=lambda reading: (reading.value, reading.source)) if mine else None

"""Match units in records with the units in the content: UCUM codes, or words if there is no code.

An annotation may follow any atom (``mg{FEU}/L``) and must match too, because ``FEU`` decides what a number means. UCUM
libraries drop annotations and read ``MG/L`` as megagauss, so only the content's table decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cds_service.clinical.content.coding.codes import UCUM
from cds_service.clinical.content.models import Measure, Unit

_ANNOTATION = re.compile(r"\{([^{}]*)\}")
_LITRE = re.compile(r"(?<![A-Za-z])([mdu]?)l(?![A-Za-z])")
_SPELT_OUT = (
    (re.compile(r"[\u00b5\u03bc]"), "u"),
    (re.compile(r"fibrinogen[- ]equivalent[- ]units?"), "feu"),
    (re.compile(r"d-?dimer[- ]units?|d-du"), "ddu"),
    (re.compile(r"micrograms?|mcg"), "ug"),
    (re.compile(r"milligrams?"), "mg"),
    (re.compile(r"nanograms?"), "ng"),
    (re.compile(r"milli(?:lit(?:er|re)s?)"), "ml"),
    (re.compile(r"lit(?:er|re)s?"), "l"),
    (re.compile(r"\s+per\s+"), "/"),
)
_BETWEEN = re.compile(r"[\s(){},;]+")
_NAMES: Mapping[str, frozenset[str]] = {
    "cm": frozenset({"centimetre", "centimetres", "centimeter", "centimeters"}),
    "mm": frozenset({"millimetre", "millimetres", "millimeter", "millimeters"}),
    "m": frozenset({"metre", "metres", "meter", "meters"}),
    "[in_i]": frozenset({"in", "ins", "inch", "inches"}),
    "Cel": frozenset({"c", "degc", "celsius", "degreecelsius", "degreescelsius", "centigrade"}),
    "[degF]": frozenset({"f", "degf", "fahrenheit", "degreefahrenheit", "degreesfahrenheit"}),
}
"""Names of units that differ from their code, letters only."""
_NOT_LISTED = "its unit is not one this service knows for it"
_CONTRADICTS = "the words of its unit contradict its code"


@dataclass(frozen=True, slots=True)
class _Written:
    """A unit without its annotations, and the annotations' words in lower case."""

    unit: str
    words: frozenset[str]


def unit_of(measure: Measure, quantity: Any, kinds: frozenset[str]) -> Unit | str:
    """Return the listed unit of ``quantity``, or the reason in plain words why there is none.

    The code decides. The words beside it may add a kind but must not contradict it.
    """
    code, words = str(quantity.code or ""), str(quantity.unit or "")
    if code and not _is_ucum(quantity.system):
        return "its unit is not a UCUM unit"
    if not code and not words:
        return "it has no unit"
    worded = _in_words(words, kinds)
    if not code:
        return _listed(measure, worded, exact=False) or _why_not(worded, measure, kinds)
    coded = _in_ucum(code, kinds)
    both = _Written(coded.unit, coded.words | worded.words)
    listed = _listed(measure, both, exact=True)
    if listed is None:
        return _why_not(both, measure, kinds)
    return _CONTRADICTS if _is_other(worded.unit, listed, measure, kinds) else listed


def names_other_kind(text: str, measure: Measure, kinds: frozenset[str]) -> bool:
    """Whether ``text`` names a kind of unit that no unit of ``measure`` has."""
    return bool(kinds) and bool(_in_words(text, kinds).words - _own_kinds(measure, kinds))


def same_unit(first: Any, second: Any, kinds: frozenset[str]) -> bool:
    """Whether two quantities have the same unit. A quantity without a unit is assumed to match."""
    texts = [_in_words(str(quantity.code or quantity.unit or ""), kinds).unit for quantity in (first, second)]
    return "" in texts or texts[0] == texts[1]


def is_in_another_unit(first: Any, second: Any, kinds: frozenset[str]) -> bool:
    """Whether the unit of ``first``, by code or words, differs from that of ``second``; without a unit it does not."""
    units = {_in_words(str(text), kinds).unit for text in (first.code, first.unit) if text}
    own = {_in_words(str(text), kinds).unit for text in (second.code, second.unit) if text}
    return bool(units and own) and units.isdisjoint(own)


def is_one_of(quantity: Any, units: Iterable[str]) -> bool:
    """Whether all units of a Quantity in JSON, code and words, are in ``units``, and it has at least one."""
    known = {_in_words(unit, frozenset()).unit for unit in units}
    given = {_in_words(str(quantity[name]), frozenset()).unit for name in ("code", "unit") if quantity.get(name)}
    return bool(given) and given <= known


def _is_ucum(system: Any) -> bool:
    if system is None:
        return True
    return str(system).lower().rstrip("/").removeprefix("https://").removeprefix("http://") == UCUM.removeprefix(
        "http://"
    )


def _in_ucum(text: str, kinds: frozenset[str]) -> _Written:
    """Parse a UCUM code. Case matters, except that a litre may be ``l`` or ``L``. A kind may appear as a word."""
    words = {word.lower() for word in _ANNOTATION.findall(text)}
    plain = _ANNOTATION.sub("", text)
    for kind in kinds:
        match = re.search(rf"[\s(]*\b{kind}\b\)?", plain, re.IGNORECASE)
        if match:
            words.add(kind)
            plain = plain[: match.start()] + plain[match.end() :]
    return _Written(_LITRE.sub(r"\1L", plain.strip()), frozenset(words))


def _in_words(text: str, kinds: frozenset[str]) -> _Written:
    """Parse a unit in everyday spelling. Case, brackets and blanks do not matter."""
    plain = text.lower()
    for pattern, short in _SPELT_OUT:
        plain = pattern.sub(short, plain)
    words = {kind for kind in kinds if kind in plain}
    for kind in words:
        plain = plain.replace(kind, " ")
    return _Written(_BETWEEN.sub("", plain), frozenset(words))


@lru_cache(maxsize=1_024)
def _own(ucum: str) -> _Written:
    """Parse a unit of the content."""
    return _in_ucum(ucum, frozenset())


@lru_cache(maxsize=1_024)
def _own_in_words(ucum: str, kinds: frozenset[str]) -> _Written:
    """Parse a unit of the content as people would write it."""
    return _in_words(ucum, kinds)


def _listed(measure: Measure, written: _Written, *, exact: bool) -> Unit | None:
    for unit in measure.units:
        own = _own(unit.ucum)
        spelt = own.unit if exact else own.unit.lower()
        if (spelt, own.words) == (written.unit, written.words):
            return unit
    return None


def _why_not(written: _Written, measure: Measure, kinds: frozenset[str]) -> str:
    return _CONTRADICTS if (written.words & kinds) - _own_kinds(measure, kinds) else _NOT_LISTED


def _own_kinds(measure: Measure, kinds: frozenset[str]) -> frozenset[str]:
    return kinds & frozenset(word for unit in measure.units for word in (*_own(unit.ucum).words, *_base_kinds(measure)))


def _base_kinds(measure: Measure) -> list[str]:
    return [kind.lower() for kind in measure.unit.split()[1:]]


def _is_other(words: str, own: Unit, measure: Measure, kinds: frozenset[str]) -> bool:
    """Whether the words of a unit mean another size than its code. If kinds matter, the words must be known."""
    name = "".join(letter for letter in words if letter.isalpha() and letter.isascii())
    sizes = {
        unit.factor
        for unit in measure.units
        if _own_in_words(unit.ucum, kinds).unit == words or name in _NAMES.get(unit.ucum, ())
    }
    if sizes:
        return own.factor not in sizes
    return bool(kinds) and "/" in words

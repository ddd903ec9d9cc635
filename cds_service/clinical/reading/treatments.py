"""Decide whether a recorded medicine may not be a current treatment. It then counts as recorded but proves nothing.

An ongoing course must be proved. It is not proved if the course had an end, if only one dose or no package was given,
if its own words mention its end, prophylaxis or keeping a line open, or if the medicine is taken as needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.record import When

_DAYS = {"s": 1 / 86_400, "min": 1 / 1_440, "h": 1 / 24, "d": 1.0, "wk": 7.0, "mo": 31.0, "a": 366.0}
"""FHIR's units of time in days. Months and years have their greatest length."""


def may_not_treat(content: Content, model: Any, words: Iterable[str], begun: When | None, findings: Findings) -> bool:
    """Whether ``model`` does not prove that its medicine is taken as a treatment today.

    ``words``: the names of the medicine. ``begun``: the latest day on which it can have begun; None if unknown.
    """
    dosages = _items(getattr(model, "dosageInstruction", None)) or _items(getattr(model, "dosage", None))
    return (
        _each_has_ended(dosages, begun, findings)
        or _is_taken_as_needed(dosages)
        or _is_not_supplied(model, begun, findings)
        or any(map(content.word_net.doubts_a_treatment, (*words, *_texts(model, dosages))))
    )


def _each_has_ended(dosages: Sequence[Any], begun: When | None, findings: Findings) -> bool:
    """Whether every dosage is limited and does not certainly last until today."""
    lengths = [_length(dosage) for dosage in dosages]
    return bool(lengths) and all(length is not None and not _reaches(begun, length, findings) for length in lengths)


def _is_taken_as_needed(dosages: Sequence[Any]) -> bool:
    """Whether every dosage is only as needed: such a medicine may never be taken."""
    return bool(dosages) and all(
        dosage.asNeededBoolean or dosage.asNeededCodeableConcept is not None for dosage in dosages
    )


def _length(dosage: Any) -> float | None:
    """Return the shortest length in days; 0 if it is limited but the length is unknown, None if it is not limited."""
    repeat = getattr(dosage.timing, "repeat", None) if getattr(dosage, "timing", None) is not None else None
    if repeat is None:
        return None
    lengths = []
    if repeat.boundsDuration is not None:
        lengths.append(_days_of(repeat.boundsDuration))
    if repeat.boundsRange is not None:
        lengths.append(_days_of(repeat.boundsRange.low or repeat.boundsRange.high))
    if repeat.count is not None:
        lengths.append(_days_of_count(repeat))
    return min(lengths) if lengths else None


def _days_of_count(repeat: Any) -> float:
    """Return how many days ``count`` doses last, with ``frequency`` doses in each ``period``."""
    unit = _DAYS.get(str(repeat.periodUnit or ""))
    if unit is None or repeat.period is None or repeat.count <= 1:
        return 0.0
    return float(repeat.count) / float(repeat.frequencyMax or repeat.frequency or 1) * float(repeat.period) * unit


def _is_not_supplied(model: Any, begun: When | None, findings: Findings) -> bool:
    """Whether the supply is empty or, with all repeats, does not last until today."""
    supply = getattr(model, "dispenseRequest", None)
    if supply is None:
        return False
    quantity, length = supply.quantity, supply.expectedSupplyDuration
    if quantity is not None and quantity.value is not None and not quantity.value > 0:
        return True
    if length is None:
        return False
    return not _reaches(begun, _days_of(length) * (1 + (supply.numberOfRepeatsAllowed or 0)), findings)


def _reaches(begun: When | None, days: float, findings: Findings) -> bool:
    return begun is not None and 0 < days < 36_600 and begun.earliest + timedelta(days=days) >= findings.today


def _days_of(quantity: Any) -> float:
    """Return a duration in days; 0 if its unit is not one of FHIR's."""
    if quantity is None or quantity.value is None:
        return 0.0
    return float(quantity.value) * _DAYS.get(str(quantity.code or quantity.unit or ""), 0.0)


def _texts(model: Any, dosages: Sequence[Any]) -> Iterator[str]:
    """Yield the words about how and why it is taken, and whether it is."""
    for dosage in dosages:
        yield str(dosage.text or "")
        yield str(getattr(dosage, "patientInstruction", None) or "")
        yield from _words_of((*_items(getattr(dosage, "additionalInstruction", None)), getattr(dosage, "method", None)))
        yield from _words_of([getattr(getattr(dosage, "timing", None), "code", None)])
    for name in ("reasonCode", "statusReason", "statusReasonCodeableConcept", "courseOfTherapyType"):
        yield from _words_of(_items(getattr(model, name, None)))
    yield from (str(note.text or "") for note in _items(model.note))


def _words_of(concepts: Iterable[Any]) -> Iterator[str]:
    for concept in concepts:
        if concept is not None:
            yield str(concept.text or "")
            yield from (str(coding.display or "") for coding in concept.coding or ())


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]

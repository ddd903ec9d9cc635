"""Find the medicine that a resource names, and whether its codes and words identify it.

A medicine is identified by a known code, by its class (a full ATC code names its substance), or by an unused code of a
known system with words that are not one of our names. Words alone never identify it: one of our names makes it possibly
relevant, and an unlisted code without words may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.whose import Owners, identifiers_of, local_name

_DEEPEST = 3
"""The depth to which ingredients of ingredients are followed."""
_NOT_HERE = "refers to a medicine that did not come along"

_BY_IDENTIFIER = " "
"""Begins the name of a resource that is found by its identifier. No address begins so."""

Find = Callable[[str], Mapping[str, Any] | None]
"""Returns the resource that a reference points to; None if it is not in the chart."""


class Identity(Enum):
    """What the codes and words of a medicine show.

    OTHER: it is identified and irrelevant. POSSIBLE: its words or class may be relevant. UNKNOWN: it is not identified.
    """

    OTHER = "other"
    POSSIBLE = "possible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine as it is named.

    Attributes:
        resource: the Medication referred to; None if the medicine is coded inline or is not in the chart.
        product: the JSON concept that names the whole product; None if there is none.
        ingredients: the concepts of its ingredients.
        words: the words beside the references to it.
        is_whole: every ingredient is in the chart.
        why: why it cannot be used; empty if it can.
    """

    resource: Mapping[str, Any] | None = None
    product: Any = None
    ingredients: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()
    is_whole: bool = True
    why: str = ""


def finder(raw: Mapping[str, Any], named: Mapping[str, ChartEntry], owners: Owners) -> Find:
    """Return a function that finds the target of a reference in ``raw``: contained in it, or one of ``named``."""

    def find(reference: str) -> Mapping[str, Any] | None:
        if reference.startswith(_BY_IDENTIFIER):
            return named[reference].resource if reference in named else None
        if reference.startswith("#"):
            return next((resource for resource in _contained(raw) if resource.get("id") == reference[1:]), None)
        entry = named.get(reference)
        if entry is None and owners.is_here(reference):
            entry = named.get(local_name(reference))
        return entry.resource if entry is not None else None

    return find


def identifier_names(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names by which references with only an identifier find the resource ``raw``."""
    for system, value in identifiers_of(raw.get("identifier")):
        yield f"{_BY_IDENTIFIER}{system}|{value}"


def medicine_of(raw: Mapping[str, Any], find: Find) -> Medicine:
    """Return the medicine that ``raw`` names, or that it is if it is a Medication."""
    if raw.get("resourceType") == "Medication":
        return _medication(raw, (), find)
    pointer = raw.get("medicationReference")
    inline = raw.get("medicationCodeableConcept")
    if pointer is None:
        return Medicine(product=inline)
    reference, words = _reference(pointer)
    medication = find(reference)
    if medication is None:
        return Medicine(product=inline, words=words, why=_NOT_HERE)
    if medication.get("resourceType") != "Medication":
        return Medicine(medication, inline, words=words, why="refers to something that is not a medicine")
    return _medication(medication, words, find)


def _medication(resource: Mapping[str, Any], words: tuple[str, ...], find: Find) -> Medicine:
    concepts, is_whole = _ingredients(resource, find, 0)
    is_in_use = resource.get("status") in (None, "active")
    why = "" if is_in_use else "refers to a medicine that is marked as not valid"
    return Medicine(resource, resource.get("code"), tuple(concepts), words, is_whole, why)


def _ingredients(resource: Mapping[str, Any], find: Find, depth: int) -> tuple[list[Any], bool]:
    """Return the concepts of the ingredients, and whether all of them are in the chart."""
    listed = resource.get("ingredient")
    concepts: list[Any] = []
    is_whole = listed is None or isinstance(listed, list)
    for ingredient in listed if isinstance(listed, list) else ():
        if not isinstance(ingredient, Mapping):
            is_whole = False
        elif ingredient.get("itemReference") is None:
            concepts.append(ingredient.get("itemCodeableConcept"))
        else:
            reference, words = _reference(ingredient["itemReference"])
            concepts.append({"text": " ".join(words)})
            inner_resource = _within(resource, reference) or find(reference)
            if inner_resource is None or depth >= _DEEPEST:
                is_whole = False
                continue
            inner, whole = _ingredients(inner_resource, find, depth + 1)
            concepts += [inner_resource.get("code"), *inner]
            is_whole = is_whole and whole
    return concepts, is_whole


def _within(resource: Mapping[str, Any], reference: str) -> Mapping[str, Any] | None:
    if not reference.startswith("#"):
        return None
    return next((resource for resource in _contained(resource) if resource.get("id") == reference[1:]), None)


def _contained(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inside = raw.get("contained")
    return [resource for resource in inside if isinstance(resource, Mapping)] if isinstance(inside, list) else []


def _reference(pointer: Any) -> tuple[str, tuple[str, ...]]:
    """Return the address and the words of a Reference; both are empty if it has none."""
    if not isinstance(pointer, Mapping):
        return "", ()
    reference, display = pointer.get("reference"), pointer.get("display")
    words = (display,) if isinstance(display, str) else ()
    if reference is None:
        return next(identifier_names({"identifier": [pointer.get("identifier")]}), ""), words
    return (reference if isinstance(reference, str) else ""), words


def uses_of_medicine(content: Content, medicine: Medicine) -> tuple[CodeUse, ...]:
    """Return the meanings of the codes of the product and its ingredients.

    A product listed as irrelevant is irrelevant whatever it contains, for example heparin that only keeps a line open.
    """
    product = tuple(_uses(content, medicine.product))
    if not product and _is_told_apart(content, medicine.product):
        return ()
    return (*product, *(use for ingredient in medicine.ingredients for use in _uses(content, ingredient)))


def words_of(medicine: Medicine) -> tuple[str, ...]:
    """Return the names of the product."""
    return (*medicine.words, *_texts(medicine.product))


def _uses(content: Content, concept: Any) -> Iterator[CodeUse]:
    for system, code in _codings(concept):
        yield from content.current_uses(system, code)


def identify(content: Content, medicine: Medicine) -> Identity:
    """Classify a medicine that has no known code."""
    product = _identity(content, medicine.product, medicine.words)
    if product is Identity.POSSIBLE or _is_told_apart(content, medicine.product):
        return product
    ingredients = {_identity(content, ingredient) for ingredient in medicine.ingredients if _says_something(ingredient)}
    if Identity.POSSIBLE in ingredients:
        return Identity.POSSIBLE
    is_identified = product is Identity.OTHER or (medicine.is_whole and ingredients == {Identity.OTHER})
    return Identity.OTHER if is_identified else Identity.UNKNOWN


def _identity(content: Content, concept: Any, words: Iterable[str] = ()) -> Identity:
    if _is_told_apart(content, concept) or any(content.is_other(system, code) for system, code in _codings(concept)):
        return Identity.OTHER
    texts = [*words, *_texts(concept)]
    if any(content.formulary.findings_named_in(text) for text in texts):
        return Identity.POSSIBLE
    codings = list(_codings(concept))
    if any(content.formulary.is_wide_class(system, code) for system, code in codings):
        return Identity.POSSIBLE
    if any(content.formulary.is_class(system, code) for system, code in codings):
        return Identity.OTHER
    has_words = any(letter.isalpha() for text in texts for letter in text)
    is_known = any(content.formulary.knows(system) or content.is_mapped(system) for system, _ in codings)
    return Identity.OTHER if has_words and is_known else Identity.UNKNOWN


def _is_told_apart(content: Content, concept: Any) -> bool:
    return any(content.formulary.is_told_apart(system, code) for system, code in _codings(concept))


def _says_something(concept: Any) -> bool:
    return bool(list(_codings(concept)) or "".join(_texts(concept)).strip())


def _texts(concept: Any) -> Iterator[str]:
    """Yield the words of a CodeableConcept of any shape."""
    if not isinstance(concept, Mapping):
        return
    listed = concept.get("coding")
    displays = (
        [coding.get("display") for coding in listed if isinstance(coding, Mapping)] if isinstance(listed, list) else []
    )
    yield from (text for text in (concept.get("text"), *displays) if isinstance(text, str))


def _codings(concept: Any) -> Iterator[tuple[str, str]]:
    """Yield (system, code) of every coding in a JSON CodeableConcept that has both."""
    listed = concept.get("coding") if isinstance(concept, Mapping) else None
    for coding in listed if isinstance(listed, list) else ():
        system, code = (coding.get("system"), coding.get("code")) if isinstance(coding, Mapping) else (None, None)
        if isinstance(system, str) and isinstance(code, str) and system.strip() and code.strip():
            yield system, code

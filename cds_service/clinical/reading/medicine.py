"""The medicine that a request, a statement or a record of giving it names, and whether that identifies it.

A medicine is identified by a code of ours, by its class (a whole ATC code names its substance), or by a code that is
none of ours in a system that is known, with words beside it that are no name of ours. Words alone identify nothing: a
name of ours makes it a possible one of ours, and a bare code that is not listed may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.whose import Owners, local_name

_DEEPEST = 3
"""How far the ingredients of ingredients are followed."""
_NOT_HERE = "refers to a medicine that did not come along"

Find = Callable[[str], Mapping[str, Any] | None]
"""The resource that a reference points to, None if it is not in the chart."""


class Identity(Enum):
    """What the codes and words of a medicine tell.

    OTHER: it is identified, and of no concern here. POSSIBLE: its words or its class may be of concern. UNKNOWN: they
    do not tell what it is.
    """

    OTHER = "other"
    POSSIBLE = "possible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine as it is named.

    Attributes:
        resource: the Medication referred to; None if the medicine is coded inline or did not come along.
        product: the concept that names the whole product, as JSON; None if there is none.
        ingredients: the concepts of its ingredients.
        words: words beside the references to it.
        is_whole: every ingredient came along.
        why: why it cannot be used; empty if it can.
    """

    resource: Mapping[str, Any] | None = None
    product: Any = None
    ingredients: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()
    is_whole: bool = True
    why: str = ""


def finder(raw: Mapping[str, Any], named: Mapping[str, ChartEntry], owners: Owners) -> Find:
    """Finds what a reference in ``raw`` points to: in the resource itself, or one of ``named``, by name or address."""

    def find(reference: str) -> Mapping[str, Any] | None:
        if reference.startswith("#"):
            return next((one for one in _contained(raw) if one.get("id") == reference[1:]), None)
        entry = named.get(reference)
        if entry is None and owners.is_here(reference):
            entry = named.get(local_name(reference))
        return entry.resource if entry is not None else None

    return find


def medicine_of(raw: Mapping[str, Any], find: Find) -> Medicine:
    """The medicine that ``raw`` names, or that it is if it is a Medication."""
    if raw.get("resourceType") == "Medication":
        return _medication(raw, (), find)
    pointer = raw.get("medicationReference")
    inline = raw.get("medicationCodeableConcept")
    if pointer is None:
        return Medicine(product=inline)
    reference, words = _reference(pointer)
    found = find(reference)
    if found is None:
        return Medicine(product=inline, words=words, why=_NOT_HERE)
    if found.get("resourceType") != "Medication":
        return Medicine(found, inline, words=words, why="refers to something that is not a medicine")
    return _medication(found, words, find)


def _medication(resource: Mapping[str, Any], words: tuple[str, ...], find: Find) -> Medicine:
    concepts, is_whole = _ingredients(resource, find, 0)
    is_in_use = resource.get("status") in (None, "active")
    why = "" if is_in_use else "refers to a medicine that is marked as not valid"
    return Medicine(resource, resource.get("code"), tuple(concepts), words, is_whole, why)


def _ingredients(resource: Mapping[str, Any], find: Find, depth: int) -> tuple[list[Any], bool]:
    """The concepts of the ingredients, and whether all of them came along."""
    listed = resource.get("ingredient")
    concepts: list[Any] = []
    is_whole = listed is None or isinstance(listed, list)
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, Mapping):
            is_whole = False
        elif one.get("itemReference") is None:
            concepts.append(one.get("itemCodeableConcept"))
        else:
            reference, words = _reference(one["itemReference"])
            concepts.append({"text": " ".join(words)})
            found = _within(resource, reference) or find(reference)
            if found is None or depth >= _DEEPEST:
                is_whole = False
                continue
            inner, whole = _ingredients(found, find, depth + 1)
            concepts += [found.get("code"), *inner]
            is_whole = is_whole and whole
    return concepts, is_whole


def _within(resource: Mapping[str, Any], reference: str) -> Mapping[str, Any] | None:
    if not reference.startswith("#"):
        return None
    return next((one for one in _contained(resource) if one.get("id") == reference[1:]), None)


def _contained(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inside = raw.get("contained")
    return [one for one in inside if isinstance(one, Mapping)] if isinstance(inside, list) else []


def _reference(pointer: Any) -> tuple[str, tuple[str, ...]]:
    """The address and the words of a Reference; both empty if it has none."""
    if not isinstance(pointer, Mapping):
        return "", ()
    reference, display = pointer.get("reference"), pointer.get("display")
    words = (display,) if isinstance(display, str) else ()
    return (reference if isinstance(reference, str) else ""), words


def uses_of_medicine(content: Content, medicine: Medicine) -> tuple[CodeUse, ...]:
    """What the codes of the product and its ingredients mean here.

    A product that is listed as none of ours is none of ours, whatever it holds: heparin that only keeps a line open.
    """
    product = tuple(_uses(content, medicine.product))
    if not product and _is_told_apart(content, medicine.product):
        return ()
    return (*product, *(use for one in medicine.ingredients for use in _uses(content, one)))


def words_of(medicine: Medicine) -> tuple[str, ...]:
    """How the product is called."""
    return (*medicine.words, *_texts(medicine.product))


def _uses(content: Content, concept: Any) -> Iterator[CodeUse]:
    for system, code in _codings(concept):
        yield from content.current_uses(system, code)


def identify(content: Content, medicine: Medicine) -> Identity:
    """What is known of a medicine of which no code is ours."""
    product = _identity(content, medicine.product, medicine.words)
    if product is Identity.POSSIBLE or _is_told_apart(content, medicine.product):
        return product
    ingredients = {_identity(content, one) for one in medicine.ingredients if _says_something(one)}
    if Identity.POSSIBLE in ingredients:
        return Identity.POSSIBLE
    is_told = product is Identity.OTHER or (medicine.is_whole and ingredients == {Identity.OTHER})
    return Identity.OTHER if is_told else Identity.UNKNOWN


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
    """The words of a CodeableConcept in whatever shape."""
    if not isinstance(concept, Mapping):
        return
    listed = concept.get("coding")
    displays = [one.get("display") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    yield from (text for text in (concept.get("text"), *displays) if isinstance(text, str))


def _codings(concept: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of every coding of a CodeableConcept in JSON that has both."""
    listed = concept.get("coding") if isinstance(concept, Mapping) else None
    for one in listed if isinstance(listed, list) else ():
        system, code = (one.get("system"), one.get("code")) if isinstance(one, Mapping) else (None, None)
        if isinstance(system, str) and isinstance(code, str) and system.strip() and code.strip():
            yield system, code

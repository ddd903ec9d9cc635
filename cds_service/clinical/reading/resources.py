"""Validate raw JSON into ``fhir.resources`` models, only for resources with a relevant code.

A wrong element that does not affect the meaning (an unknown property, a malformed date) is left out, counted and named.
Any other error makes the whole resource unread. The words beside a code are not read, so their errors are not reported.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.reading.common_shapes import ordinary
from cds_service.clinical.reading.heads import MANY_CATEGORIES
from cds_service.clinical.reading.resource_types import kind_of
from cds_service.clinical.reading.structure_shapes import in_shape_of_r4

_KINDS = frozenset(
    {"Patient", "Observation", "Condition", "Procedure", "MedicationRequest", "MedicationStatement",
     "MedicationAdministration", "MedicationDispense", "ServiceRequest", "DiagnosticReport", "Encounter", "Medication",
     "BodyStructure"}
)  # fmt: skip


@cache
def _model_of(kind: str) -> Any:
    """Return the model of a resource type. The library is slow to load, and most charts do not need it."""
    from fhir.resources.R4B import get_fhir_model_class

    return get_fhir_model_class(kind)


# Elements that change the meaning of the resource; it cannot be read without them.
_BEARS_ON_MEANING = (
    "resourceType", "id", "status", "code", "subject", "value", "component", "interpretation", "dataAbsentReason",
    "bodySite", "clinicalStatus", "verificationStatus", "abatement", "medication", "doNotPerform", "intent",
    "contained", "modifierExtension", "implicitRules", "hasMember", "category", "focus", "conclusionCode",
    "deceased",
)  # fmt: skip


# Words beside a code. A unit without a code is read, but a malformed one is unusable in any case.
_WORDS = frozenset({"display", "text", "unit"})

_CONTAINED = ("Medication", "BodyStructure")
_DATES = frozenset(
    {"issued", "recordedDate", "birthDate", "authoredOn", "dateAsserted", "start", "end", "event", "whenHandedOver",
     "whenPrepared"}
)  # fmt: skip


NOT_OF_FHIR = "an element that FHIR does not know"
"""The name reported for an element that FHIR does not define. It may be a misspelt one."""


class Unreadable(ValueError):
    """A resource that cannot be used. The message names the elements, never their content."""


def build(raw: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Return the validated model of ``raw`` and the elements that had to be left out.

    Raises:
        Unreadable: an element that affects the meaning is wrong, or there is a modifier extension.
    """
    kind = raw.get("resourceType")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise Unreadable("is not a kind of resource this service reads")
    if _is_part_of_it(raw):
        raise Unreadable("is only a part of the resource (SUBSETTED)")
    simple = ordinary(raw)
    if simple is not None:
        return simple, ()
    if raw.get("implicitRules") is not None or _is_modified(raw):
        raise Unreadable("carries a modifier extension or implicit rules, so its meaning is not certain")
    model = _model_of(kind)
    odd = ("contained",) if _holds_what_has_no_kind(raw) else ()
    raw = _without_strangers(raw)
    wrong = {name for name, value in raw.items() if _is_mistyped(name, value)}
    mistakes: list[tuple[int | str, ...]] = []
    try:
        validated = model.model_validate(raw)
        if not wrong:
            return validated, odd
    except ValidationError as error:
        mistakes = [mistake["loc"] for mistake in error.errors(include_url=False, include_input=False)]
    except Exception as error:
        raise Unreadable("holds something this service cannot take apart") from error
    words = [loc for loc in mistakes if _are_words(loc)]
    raw = _without_words(raw, words)
    wrong |= {str(loc[0]) for loc in mistakes if loc and loc not in words} & set(raw)
    known = {field.alias or name for name, field in model.model_fields.items()}
    named = tuple(sorted({name if name in known else NOT_OF_FHIR for name in wrong}))
    if not (wrong or words) or any(name.startswith(_BEARS_ON_MEANING) for name in wrong):
        raise Unreadable("is not valid FHIR R4" + (f" at {', '.join(named)}" if named else ""))
    try:
        return model.model_validate({key: value for key, value in raw.items() if key not in wrong}), (*odd, *named)
    except Exception as error:
        raise Unreadable("is not valid FHIR R4") from error


def _is_modified(node: Any) -> bool:
    """Whether there is a modifier extension at any depth; it may reverse the meaning."""
    if isinstance(node, dict):
        return bool(node.get("modifierExtension")) or any(_is_modified(inner) for inner in node.values())
    return isinstance(node, list) and any(_is_modified(inner) for inner in node)


def _is_part_of_it(raw: Mapping[str, Any]) -> bool:
    """Whether the server left elements out, as marked by FHIR's SUBSETTED tag."""
    meta = raw.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return isinstance(tags, list) and any(isinstance(tag, dict) and tag.get("code") == "SUBSETTED" for tag in tags)


def _are_words(loc: Sequence[int | str]) -> bool:
    """Whether the element at ``loc`` only repeats a code in words."""
    return len(loc) > 1 and loc[-1] in _WORDS and str(loc[0]).startswith(_BEARS_ON_MEANING)


def _without_words(raw: Mapping[str, Any], places: Sequence[Sequence[int | str]]) -> Mapping[str, Any]:
    """Return ``raw`` without the elements at ``places``, so that wrong words never make a coded sign unread."""
    if not places:
        return raw
    lighter = copy.deepcopy(dict(raw))
    for place in places:
        node: Any = lighter
        for step in place[:-1]:
            node = node[step]
        node.pop(place[-1], None)
    return lighter


def _is_mistyped(name: str, value: Any) -> bool:
    """Whether a boolean or date has a JSON type that FHIR does not allow; the library reads 0 as false or as 1970."""
    if isinstance(value, dict):
        return any(_is_mistyped(key, inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_is_mistyped(name, inner) for inner in value)
    if name.endswith("Boolean") or name == "doNotPerform":
        return not isinstance(value, bool | None)
    if name.endswith(("DateTime", "Instant")) or name in _DATES:
        return not isinstance(value, str | None)
    return False


def _without_strangers(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``raw`` with only the contained resources that are read; the library does not know every R4 type."""
    inside = raw.get("contained")
    if not isinstance(inside, list):
        return raw
    kept = [in_shape_of_r4(resource) for resource in inside if kind_of(resource) in _CONTAINED]
    return {**raw, "contained": kept} if kept else {key: value for key, value in raw.items() if key != "contained"}


def _holds_what_has_no_kind(raw: Mapping[str, Any]) -> bool:
    inside = raw.get("contained")
    return isinstance(inside, list) and any(kind_of(resource) is None for resource in inside)


def _elements(holder: Mapping[str, Any], name: str) -> list[Any]:
    items = holder.get(name)
    if items is not None and not isinstance(items, list):
        raise TypeError(f"{name} is no array")
    return items or []


def quick_uses(content: Content, raw: Mapping[str, Any]) -> Iterator[CodeUse]:
    """Yield the meanings of all codings of ``raw``, without validation. For medicines see ``medicine_identity``.

    Raises:
        TypeError, AttributeError: the shape is not FHIR's; validation names the error.
    """
    concepts = [raw.get("code"), raw.get("valueCodeableConcept")]
    concepts += _elements(raw, "category") if raw["resourceType"] in MANY_CATEGORIES else [raw.get("category")]
    for name in ("reasonCode", "orderDetail", "conclusionCode"):
        concepts += _elements(raw, name)
    for part in _elements(raw, "component"):
        concepts += [part.get("code"), part.get("valueCodeableConcept")]
    for concept in concepts:
        if concept is None:
            continue
        for coding in _elements(concept, "coding"):
            system, code = coding.get("system"), coding.get("code")
            if not isinstance(system, str | None) or not isinstance(code, str | None):
                raise TypeError("system or code is no text")
            if code is not None:
                yield from content.uses(system or "", code)

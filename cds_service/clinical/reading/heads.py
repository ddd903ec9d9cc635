"""The head of a resource: whose it is and what its codes are, typed. All that most resources of a chart are asked.

A resource whose head has not FHIR's shape has none here; it is then looked at whole, and what is wrong is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

MANY_CATEGORIES = frozenset({"Observation", "Condition", "MedicationRequest", "ServiceRequest"})


class Coding(Struct, gc=False):
    """A code in its system."""

    system: str | None = None
    code: str | None = None

    def is_of(self, concerns: Callable[[str, str], bool]) -> bool:
        """Whether it has both parts and ``concerns`` says so."""
        return self.system is not None and self.code is not None and concerns(self.system, self.code)


class Concept(Struct, gc=False):
    """A CodeableConcept."""

    coding: list[Coding] | None = None


class Reference(Struct, gc=False):
    """Where it points to."""

    reference: str | None = None


class Meta(Struct, gc=False):
    """When this version came to be."""

    lastUpdated: str | None = None  # noqa: N815 - the standard's spelling


class Component(Struct, gc=False):
    """One of several codes with a value each."""

    code: Concept | None = None
    valueCodeableConcept: Concept | None = None  # noqa: N815


class Head(Struct, gc=False):
    """What is looked at in every resource."""

    resourceType: str  # noqa: N815
    id: str | None = None
    meta: Meta | None = None
    subject: Reference | None = None
    code: Concept | None = None
    category: list[Concept] | Concept | None = None
    valueCodeableConcept: Concept | None = None  # noqa: N815
    component: list[Component] | None = None
    hasMember: list[Any] | None = None  # noqa: N815
    contained: list[Any] | None = None
    medicationCodeableConcept: Concept | None = None  # noqa: N815
    medicationReference: Any = None  # noqa: N815

    @property
    def is_plain(self) -> bool:
        """Whether its codes are all its own and where its type has them; else they are found by looking at it whole."""
        if self.contained or self.medicationReference is not None:
            return False
        category = self.category
        return category is None or (category.__class__ is list) == (self.resourceType in MANY_CATEGORIES)

    def is_of_concern(self, may: Callable[[str], bool], concerns: Callable[[str, str], bool]) -> bool:
        """Whether one of its codings is. ``may``: whether a code could be, in some system; asked first, for speed."""
        for concept in (self.code, self.valueCodeableConcept, self.medicationCodeableConcept):
            if concept is not None and concept.coding is not None:
                for coding in concept.coding:
                    if coding.code is not None and may(coding.code) and coding.is_of(concerns):
                        return True
        category = self.category
        if category is not None:
            for concept in category if isinstance(category, list) else (category,):
                for coding in concept.coding or ():
                    if coding.code is not None and may(coding.code) and coding.is_of(concerns):
                        return True
        for part in self.component or ():
            for one in (part.code, part.valueCodeableConcept):
                if one is not None and any(coding.is_of(concerns) for coding in one.coding or ()):
                    return True
        return False


def head_of(resource: Any) -> Head | None:
    """The head of a resource that is parsed already; None if it has not FHIR's shape."""
    try:
        return msgspec.convert(resource, Head)
    except msgspec.ValidationError:
        return None

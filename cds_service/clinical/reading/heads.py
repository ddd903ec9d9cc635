"""The head of a resource: whose it is and what its codes are, typed. All that most resources of a chart are asked.

A resource whose head has not FHIR's shape has none here; it is then looked at whole, and what is wrong is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

MANY_CATEGORIES = frozenset({"Observation", "Condition", "MedicationRequest", "ServiceRequest"})


class Coding(Struct, gc=False):
    """A code in its system."""

    system: str | None = None
    code: str | None = None


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
    def has_lawful_category(self) -> bool:
        """Whether it has one category, or a list of them, as its type may."""
        category = self.category
        return category is None or isinstance(category, list) == (self.resourceType in MANY_CATEGORIES)

    @property
    def holds_others(self) -> bool:
        """Whether its codes are not all its own: they are found only by looking at it whole."""
        return bool(self.contained) or self.medicationReference is not None

    def codings(self) -> Iterator[Coding]:
        """Every coding that could make it of concern."""
        category = self.category
        for concept in (self.code, self.valueCodeableConcept, self.medicationCodeableConcept):
            if concept is not None and concept.coding is not None:
                yield from concept.coding
        if category is not None:
            for concept in category if isinstance(category, list) else (category,):
                if concept.coding is not None:
                    yield from concept.coding
        for part in self.component or ():
            for concept in (part.code, part.valueCodeableConcept):
                if concept is not None and concept.coding is not None:
                    yield from concept.coding


def head_of(resource: Any) -> Head | None:
    """The head of a resource that is parsed already; None if it has not FHIR's shape."""
    try:
        return msgspec.convert(resource, Head)
    except msgspec.ValidationError:
        return None

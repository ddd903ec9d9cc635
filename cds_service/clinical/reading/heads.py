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


class Component(Struct, gc=False):
    """One of several codes with a value each."""

    code: Concept | None = None
    valueCodeableConcept: Concept | None = None  # noqa: N815


class Head(Struct, gc=False):
    """What is looked at in every resource."""

    resourceType: str  # noqa: N815
    id: str | None = None
    subject: Reference | None = None
    code: Concept | None = None
    category: list[Concept] | Concept | None = None
    valueCodeableConcept: Concept | None = None  # noqa: N815
    component: list[Component] | None = None
    hasMember: list[Any] | None = None  # noqa: N815
    contained: list[Any] | None = None
    medicationCodeableConcept: Concept | None = None  # noqa: N815
    medicationReference: Any = None  # noqa: N815

    def needs_reading(self, may: Callable[[str], bool], concerns: Callable[[str, str], bool]) -> bool:
        """Whether the resource has to be looked at whole: for a code of its own, what it holds, or a wrong shape.

        ``may``: whether a code is of concern in some system; asked first, since nearly all are not, and in one
        function because it runs for every resource of a chart. ``concerns``: whether it is in its own.
        """
        if self.contained or self.hasMember is not None or self.medicationReference is not None:
            return True
        code, category = self.code, self.category
        if code is not None and code.coding is not None:
            for coding in code.coding:
                if coding.code is not None and may(coding.code) and coding.is_of(concerns):
                    return True
        if category is not None:
            many = category.__class__ is list
            if many != (self.resourceType in MANY_CATEGORIES):
                return True
            concepts: list[Concept] = category if many else [category]  # type: ignore[assignment,list-item]
            for concept in concepts:
                for coding in concept.coding or ():
                    if coding.code is not None and may(coding.code) and coding.is_of(concerns):
                        return True
        if self.valueCodeableConcept is None and self.medicationCodeableConcept is None and not self.component:
            return False
        others = [self.valueCodeableConcept, self.medicationCodeableConcept]
        for part in self.component or ():
            others += [part.code, part.valueCodeableConcept]
        return any(coding.is_of(concerns) for one in others if one is not None for coding in one.coding or ())


def head_of(resource: Any) -> Head | None:
    """The head of a resource that is parsed already; None if it has not FHIR's shape."""
    try:
        return msgspec.convert(resource, Head)
    except msgspec.ValidationError:
        return None

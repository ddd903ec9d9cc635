"""The typed head of a resource: its owner and its codes, which is all that most resources need.

A resource whose head does not have the shape of FHIR has no head; it is then read whole and its error is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from enum import Enum
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from cds_service.clinical.reading.ordinary import PLAIN_TIME
from cds_service.clinical.record import MEDICINES, WITH_REASONS

MANY_CATEGORIES = frozenset({"Observation", "Condition", "MedicationRequest", "ServiceRequest", "DiagnosticReport"})

_RESULTS = ("final", "amended", "corrected")
_DAY = len("2026-03-16")
_ZONES = timedelta(days=2)
"""The largest difference between the written day and the local day."""

_WITHOUT_CODE = frozenset({"Encounter"})


class Coding(Struct, gc=False, frozen=True):
    """A code in its system."""

    system: str | None = None
    code: str | None = None

    def is_of(self, concerns: Callable[[str, str], bool]) -> bool:
        """Whether ``concerns`` holds for this code; a missing system is passed as empty."""
        return self.code is not None and concerns(self.system or "", self.code)


class Concept(Struct, gc=False):
    """A CodeableConcept."""

    coding: list[Coding] | None = None

    def is_known(self, identifies: Callable[[str, str], bool]) -> bool:
        """Whether any coding identifies the subject; the codings of a concept translate each other."""
        for coding in self.coding or ():
            if coding.code and coding.system is not None and identifies(coding.system, coding.code):
                return True
        return False


class Reference(Struct, gc=False):
    """A reference with the other ways in which it names its target."""

    reference: str | None = None
    type: Any = None
    identifier: Any = None


class Number(Struct, gc=False):
    """Shows only that there is a number; its value is read later."""


class Component(Struct, gc=False):
    """One of several codes, each with a value."""

    code: Concept | None = None
    valueCodeableConcept: Concept | None = None


class Look(Enum):
    """The result of a quick look at the codes of a resource.

    OF_CONCERN: it must be read whole. IDENTIFIED: it is about something else. UNIDENTIFIED: its codes do not show it.
    """

    OF_CONCERN = "of concern"
    IDENTIFIED = "identified"
    UNIDENTIFIED = "unidentified"


NumberCodes = tuple[tuple[Coding, ...], tuple[Coding, ...]]
"""The codings of a number, and those of its categories."""


class Lookup(Protocol):
    """The content look-ups that a quick look needs."""

    @property
    def may_concern(self) -> Callable[[str], bool]:
        """Whether a code is relevant in any system; asked first, because nearly all codes are not."""

    @property
    def concerns(self) -> Callable[[str, str], bool]:
        """Whether a code is relevant in its own system."""

    @property
    def identifies(self) -> Callable[[str, str], bool]:
        """Whether an unused code of a system shows that the resource is about something else."""


class Head(Struct, gc=False):
    """The elements that are looked at in every resource."""

    resourceType: str
    id: str | None = None
    subject: Reference | None = None
    code: Concept | None = None
    category: list[Concept] | Concept | None = None
    valueCodeableConcept: Concept | None = None
    valueQuantity: Number | None = None
    component: list[Component] | None = None
    hasMember: list[Any] | None = None
    contained: list[Any] | None = None
    medicationCodeableConcept: Concept | None = None
    medicationReference: Any = None
    reasonCode: list[Concept] | None = None
    orderDetail: list[Concept] | None = None
    conclusionCode: list[Concept] | None = None
    conclusion: Any = None
    status: Any = None
    effectiveDateTime: Any = None
    focus: Any = None
    dataAbsentReason: Any = None
    extension: Any = None
    modifierExtension: Any = None
    implicitRules: Any = None

    def codes_of_number(self) -> NumberCodes | None:
        """Return the codes of an Observation that has no other codes than those of a number; None for any other."""
        category = self.category
        if (
            self.valueQuantity is None
            or self.code is None
            or (category is not None and category.__class__ is not list)
            or self.resourceType != "Observation"
            or self.component is not None
            or self.contained is not None
            or self.hasMember is not None
            or self.valueCodeableConcept is not None
            or self.medicationCodeableConcept is not None
            or self.medicationReference is not None
            or self.reasonCode is not None
            or self.orderDetail is not None
            or self.conclusionCode is not None
        ):
            return None
        codings = self.code.coding
        categories = [coding for concept in category or () for coding in concept.coding or ()]
        return tuple(codings) if codings else (), tuple(categories)

    def is_too_old(self, days: int, born: date, today: date) -> bool:
        """Whether it is a plain number on a plain day since ``born`` and more than ``days`` before ``today``.

        Call it only for a number (``codes_of_number``). Anything unusual returns False, so that the resource is read
        and its errors are named.
        """
        if not days or self.status not in _RESULTS or self._is_odd():
            return False
        written = self.effectiveDateTime
        if not isinstance(written, str) or PLAIN_TIME.fullmatch(written) is None:
            return False
        day = date.fromisoformat(written[:_DAY])
        return day >= born and day + timedelta(days=days) + _ZONES < today

    def _is_odd(self) -> bool:
        """Whether it contains more than a number for its code."""
        return (
            self.focus is not None
            or self.extension is not None
            or self.modifierExtension is not None
            or self.implicitRules is not None
            or self.dataAbsentReason is not None
        )

    def look(self, lookup: Lookup) -> Look:
        """Whether the resource must be read whole: because of a code, of what it contains, or of a wrong shape."""
        if self.contained or self.hasMember is not None or self.medicationReference is not None:
            return Look.OF_CONCERN
        category = self.category
        if category is not None and (category.__class__ is list) != (self.resourceType in MANY_CATEGORIES):
            return Look.OF_CONCERN
        may, concerns = lookup.may_concern, lookup.concerns
        code = self.code
        if code is not None and code.coding is not None:
            for coding in code.coding:
                if coding.code is not None and may(coding.code) and coding.is_of(concerns):
                    return Look.OF_CONCERN
        for concept in self._others():
            for coding in concept.coding or ():
                if coding.code is not None and may(coding.code) and coding.is_of(concerns):
                    return Look.OF_CONCERN
        return Look.IDENTIFIED if self._is_identified(lookup.identifies) else Look.UNIDENTIFIED

    def _others(self) -> Iterable[Concept]:
        """Return every concept beside ``code``; most resources have only a category."""
        category = self.category
        concepts: list[Concept] = [] if category is None else category if isinstance(category, list) else [category]
        if self.component or self.reasonCode or self.orderDetail or self.conclusionCode:
            concepts = [*concepts, *self._in_parts(), *(self.reasonCode or ())]
            concepts += (*(self.orderDetail or ()), *(self.conclusionCode or ()))
        for concept in (self.valueCodeableConcept, self.medicationCodeableConcept):
            if concept is not None:
                concepts = [*concepts, concept]
        return concepts

    def _in_parts(self) -> Iterable[Concept]:
        for part in self.component or ():
            yield from (concept for concept in (part.code, part.valueCodeableConcept) if concept is not None)

    def _is_identified(self, identifies: Callable[[str, str], bool]) -> bool:
        """Whether the codes show what it is about and what it states about it."""
        if self.resourceType in WITH_REASONS:
            reasons = (*(self.reasonCode or ()), *(self.conclusionCode or ()))
            if self.conclusion is not None or not all(reason.is_known(identifies) for reason in reasons):
                return False
        if self.resourceType in _WITHOUT_CODE:
            return True
        if self.resourceType in MEDICINES:
            return False  # their codes alone do not identify them: see ``medicine``
        return self.code is not None and self.code.is_known(identifies)


def head_of(resource: Any) -> Head | None:
    """Return the head of a parsed resource; None if it does not have the shape of FHIR."""
    try:
        return msgspec.convert(resource, Head)
    except msgspec.ValidationError:
        return None

"""The head of a resource: whose it is and what its codes are, typed. All that most resources of a chart are asked.

A resource whose head has not FHIR's shape has none here; it is then looked at whole, and what is wrong is named.
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
"""Between the day that is written and the day it is here."""

_WITHOUT_CODE = frozenset({"Encounter"})


class Coding(Struct, gc=False):
    """A code in its system."""

    system: str | None = None
    code: str | None = None

    def is_of(self, concerns: Callable[[str, str], bool]) -> bool:
        """Whether ``concerns`` says so of its code; a system that is missing is empty there."""
        return self.code is not None and concerns(self.system or "", self.code)


class Concept(Struct, gc=False):
    """A CodeableConcept."""

    coding: list[Coding] | None = None

    def is_known(self, identifies: Callable[[str, str], bool]) -> bool:
        """Whether one coding tells what it is about: the codings of a concept are translations of each other."""
        for coding in self.coding or ():
            if coding.code and coding.system is not None and identifies(coding.system, coding.code):
                return True
        return False


class Reference(Struct, gc=False):
    """Where it points to, and what else names it."""

    reference: str | None = None
    type: Any = None
    identifier: Any = None


class Number(Struct, gc=False):
    """That a number is given; which one is asked later."""


class Component(Struct, gc=False):
    """One of several codes with a value each."""

    code: Concept | None = None
    valueCodeableConcept: Concept | None = None


class Look(Enum):
    """What the codes of a resource tell at a glance.

    OF_CONCERN: it has to be read whole. IDENTIFIED: it is about something else. UNIDENTIFIED: its codes do not tell.
    """

    OF_CONCERN = "of concern"
    IDENTIFIED = "identified"
    UNIDENTIFIED = "unidentified"


class Lookup(Protocol):
    """What a look needs to know of the content."""

    @property
    def may_concern(self) -> Callable[[str], bool]:
        """Whether a code is of concern in some system; asked first, since nearly all are not."""

    @property
    def concerns(self) -> Callable[[str, str], bool]:
        """Whether a code is of concern in its own system."""

    @property
    def identifies(self) -> Callable[[str, str], bool]:
        """Whether a code of a system, which is none of ours, tells that it is about something else."""

    @property
    def days_of_code(self) -> Callable[[str, str], int | None]:
        """For how many days a number with a code of a system is looked at; None without a limit."""


class Head(Struct, gc=False):
    """What is looked at in every resource."""

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

    def is_too_old(self, lookup: Lookup, born: date, today: date) -> bool:
        """Whether it is a plain number, of a plain day since ``born``, and older than any rule looks back.

        Only what surely says nothing else: what is odd in any way is read, and what is wrong with it is named.
        """
        if self.valueQuantity is None or self.status not in _RESULTS or self.code is None or self._is_odd():
            return False
        written = self.effectiveDateTime
        if not isinstance(written, str) or PLAIN_TIME.fullmatch(written) is None:
            return False
        day = date.fromisoformat(written[:_DAY])
        limits = [lookup.days_of_code(one.system or "", one.code or "") for one in self.code.coding or ()]
        days = max((one for one in limits if one is not None), default=0)
        if not days or None in limits or self._categories_are_of_concern(lookup.concerns):
            return False
        return day >= born and day + timedelta(days=days) + _ZONES < today

    def _categories_are_of_concern(self, concerns: Callable[[str, str], bool]) -> bool:
        return any(coding.is_of(concerns) for one in self._others() for coding in one.coding or ())

    def _is_odd(self) -> bool:
        """Whether it says more than a number of its code."""
        more = (
            self.component, self.hasMember, self.contained, self.valueCodeableConcept, self.focus, self.extension,
            self.modifierExtension, self.implicitRules, self.dataAbsentReason,
        )  # fmt: skip
        return any(one is not None for one in more)

    def look(self, lookup: Lookup) -> Look:
        """Whether the resource has to be looked at whole: for a code of its own, what it holds, or a wrong shape."""
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
        """Every concept beside ``code``; most resources have only a category."""
        category = self.category
        found: list[Concept] = [] if category is None else category if isinstance(category, list) else [category]
        if self.component or self.reasonCode or self.orderDetail or self.conclusionCode:
            found = [*found, *self._in_parts(), *(self.reasonCode or ())]
            found += (*(self.orderDetail or ()), *(self.conclusionCode or ()))
        for one in (self.valueCodeableConcept, self.medicationCodeableConcept):
            if one is not None:
                found = [*found, one]
        return found

    def _in_parts(self) -> Iterable[Concept]:
        for part in self.component or ():
            yield from (one for one in (part.code, part.valueCodeableConcept) if one is not None)

    def _is_identified(self, identifies: Callable[[str, str], bool]) -> bool:
        """Whether the codes tell what it is about, and what it says of it."""
        if self.resourceType in WITH_REASONS:
            said = (*(self.reasonCode or ()), *(self.conclusionCode or ()))
            if self.conclusion is not None or not all(one.is_known(identifies) for one in said):
                return False
        if self.resourceType in _WITHOUT_CODE:
            return True
        if self.resourceType in MEDICINES:
            return False  # their codes alone do not tell: see ``medicine``
        return self.code is not None and self.code.is_known(identifies)


def head_of(resource: Any) -> Head | None:
    """The head of a resource that is parsed already; None if it has not FHIR's shape."""
    try:
        return msgspec.convert(resource, Head)
    except msgspec.ValidationError:
        return None

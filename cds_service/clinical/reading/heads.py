"""The typed head of a resource: its owner and its codes, which is all that most resources need.

A resource whose head does not have the shape of FHIR has no head; it is then read whole and its error is named.

Most resources of a chart are plain numbers, such as laboratory values, with few different codes. For them a ``Glance``
keeps the coded elements as bytes, so that equal elements are decoded and looked up only once in a chart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from cds_service.clinical.reading.common_shapes import PLAIN_TIME
from cds_service.clinical.record import MEDICINES, WITH_REASONS

MANY_CATEGORIES = frozenset({"Observation", "Condition", "MedicationRequest", "ServiceRequest", "DiagnosticReport"})

_RESULTS = ("final", "amended", "corrected")
_DAY = len("2026-03-16")

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

    @property
    def plain(self) -> str | None:
        """The reference, if the target is named by nothing else and is not inside the resource."""
        reference = self.reference
        is_plain = self.type is None and self.identifier is None and reference and reference[0] != "#"
        return reference if is_plain else None


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

    @property
    def day(self) -> str | None:
        """The day of a plain number, as written in FHIR's form.

        None if the number is more or other than a result on a plain day; its resource must then be read. Call it only
        for a number (``codes_of_number``).
        """
        return None if self._is_odd() else plain_day(self.status, self.effectiveDateTime)

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
            return False  # their codes alone do not identify them: see ``medicine_identity``
        return self.code is not None and self.code.is_known(identifies)


_ABSENT = Raw()
"""In place of an element that is not there."""


class Glance(Struct, gc=False):
    """The elements of ``Head``, of which a plain number has only the first; the others stay bytes."""

    resourceType: str
    id: str | None = None
    subject: Raw = _ABSENT
    code: Raw = _ABSENT
    category: Raw = _ABSENT
    valueQuantity: Number | None = None
    status: Any = None
    effectiveDateTime: Any = None
    component: Raw = _ABSENT
    contained: Raw = _ABSENT
    hasMember: Raw = _ABSENT
    valueCodeableConcept: Raw = _ABSENT
    medicationCodeableConcept: Raw = _ABSENT
    medicationReference: Raw = _ABSENT
    reasonCode: Raw = _ABSENT
    orderDetail: Raw = _ABSENT
    conclusionCode: Raw = _ABSENT
    focus: Raw = _ABSENT
    extension: Raw = _ABSENT
    modifierExtension: Raw = _ABSENT
    implicitRules: Raw = _ABSENT
    dataAbsentReason: Raw = _ABSENT

    @property
    def is_number(self) -> bool:
        """Whether it is an Observation of a number without anything that could change what the number is about.

        If so, its head has ``codes_of_number``, unless ``code``, ``category`` or ``subject`` are not FHIR's.
        """
        return (
            self.valueQuantity is not None
            and self.resourceType == "Observation"
            and self.code is not _ABSENT
            and self.component is _ABSENT
            and self.contained is _ABSENT
            and self.hasMember is _ABSENT
            and self.valueCodeableConcept is _ABSENT
            and self.medicationCodeableConcept is _ABSENT
            and self.medicationReference is _ABSENT
            and self.reasonCode is _ABSENT
            and self.orderDetail is _ABSENT
            and self.conclusionCode is _ABSENT
        )

    @property
    def day(self) -> str | None:
        """As ``Head.day``."""
        is_odd = (
            self.focus is not _ABSENT
            or self.extension is not _ABSENT
            or self.modifierExtension is not _ABSENT
            or self.implicitRules is not _ABSENT
            or self.dataAbsentReason is not _ABSENT
        )
        return None if is_odd else plain_day(self.status, self.effectiveDateTime)

    def codes(self) -> NumberCodes | None:
        """Return the codes of a number (``is_number``); None if they do not have the shape of FHIR."""
        try:
            codings = _concept.decode(self.code).coding
            concepts = () if self.category is _ABSENT else _concepts.decode(self.category) or ()
        except msgspec.DecodeError:
            return None
        return tuple(codings or ()), tuple(coding for concept in concepts for coding in concept.coding or ())

    def patient(self) -> str | None:
        """Return the reference to the subject; None if it is named in another way, or not in the shape of FHIR."""
        if self.subject is _ABSENT:
            return None
        try:
            subject = _subject.decode(self.subject)
        except msgspec.DecodeError:
            return None
        return subject.plain if subject is not None else None


_concept = msgspec.json.Decoder(Concept)
_concepts = msgspec.json.Decoder(list[Concept] | None)
_subject = msgspec.json.Decoder(Reference | None)


def plain_day(status: Any, written: Any) -> str | None:
    """Return the day of a result with this status and time (``2026-03-16``); None if it is not plain."""
    if status in _RESULTS and isinstance(written, str) and PLAIN_TIME.fullmatch(written) is not None:
        return written[:_DAY]
    return None


def head_of(resource: Any) -> Head | None:
    """Return the head of a parsed resource; None if it does not have the shape of FHIR."""
    try:
        return msgspec.convert(resource, Head)
    except msgspec.ValidationError:
        return None

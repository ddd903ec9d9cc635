"""Fast models for common resources: Observations and Patients with only the usual elements.

This is a narrow, strict subset of FHIR R4. A resource that fits is valid, reads the same as with the model of
``fhir.resources``, and costs a hundredth of the time. A resource that does not fit is not necessarily wrong: it is
validated by ``fhir.resources``, which knows all of FHIR and names errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

_MONTH_AND_DAY = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_DAY = rf"[12][0-9]{{3}}-(?:{_MONTH_AND_DAY})"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"

PLAIN_TIME = re.compile(rf"{_DAY}(?:T{_TIME})?")
"""A day, or a moment with its time zone."""

Code = Annotated[str, Meta(pattern=r"^[!-~]+\Z")]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9\-.]+\Z", max_length=64)]
Text = Annotated[str, Meta(pattern=r"\S")]
Uri = Annotated[str, Meta(pattern=r"^\S+\Z")]
Day = Annotated[str, Meta(pattern=rf"^{_DAY}\Z")]
DateTime = Annotated[str, Meta(pattern=rf"^{_DAY}(?:T{_TIME})?\Z")]
Instant = Annotated[str, Meta(pattern=rf"^{_DAY}T{_TIME}\Z")]
Number = Annotated[float, Meta(ge=-1e15, le=1e15)]


class _Element(Struct, forbid_unknown_fields=True, gc=False):
    """Base class: only the named elements are allowed, each with its own type."""


class Coding(_Element):
    system: Uri | None = None
    version: Text | None = None
    code: Code | None = None
    display: Text | None = None
    userSelected: bool | None = None


class CodeableConcept(_Element):
    coding: list[Coding] | None = None
    text: Text | None = None


class Reference(_Element):
    reference: Text | None = None
    type: Uri | None = None
    display: Text | None = None


class Period(_Element):
    start: DateTime | None = None
    end: DateTime | None = None


class Identifier(_Element):
    use: Code | None = None
    type: CodeableConcept | None = None
    system: Uri | None = None
    value: Text | None = None
    period: Period | None = None
    assigner: Reference | None = None


class Narrative(_Element):
    """The human-readable text, which is not read."""

    status: Code
    div: Text


class ResourceMeta(_Element):
    versionId: Id | None = None
    lastUpdated: Instant | None = None
    source: Uri | None = None
    profile: list[Uri] | None = None
    tag: list[Coding] | None = None
    security: list[Coding] | None = None


class Quantity(_Element):
    value: Number | None = None
    comparator: Literal["<", "<=", ">=", ">"] | None = None
    unit: Text | None = None
    system: Uri | None = None
    code: Code | None = None


class ReferenceRange(_Element):
    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept | None = None
    appliesTo: list[CodeableConcept] | None = None
    text: Text | None = None


class Annotation(_Element):
    text: Text
    time: DateTime | None = None


class _Valued(Struct, gc=False):
    """The elements that an Observation and its components share. Those of type None exist only for readers to check."""

    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueBoolean: bool | None = None
    valueString: Text | None = None
    valueInteger: None = None
    valueRange: None = None
    valueRatio: None = None
    valueSampledData: None = None
    valueTime: None = None
    valueDateTime: None = None
    valuePeriod: None = None
    dataAbsentReason: CodeableConcept | None = None
    interpretation: list[CodeableConcept] | None = None
    referenceRange: list[ReferenceRange] | None = None

    def __post_init__(self) -> None:
        """Check that there is at most one value."""
        values = (self.valueQuantity, self.valueCodeableConcept, self.valueBoolean, self.valueString)
        if values.count(None) < len(values) - 1:
            raise ValueError("more than one value")


class Component(_Valued, forbid_unknown_fields=True, kw_only=True, gc=False):
    code: CodeableConcept


class Observation(_Valued, forbid_unknown_fields=True, kw_only=True, gc=False):
    """An Observation with one value or with components, at one time."""

    resourceType: Literal["Observation"]
    status: Code
    code: CodeableConcept
    id: Id | None = None
    meta: ResourceMeta | None = None
    language: Code | None = None
    text: Narrative | None = None
    identifier: list[Identifier] | None = None
    basedOn: list[Reference] | None = None
    category: list[CodeableConcept] | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    derivedFrom: list[Reference] | None = None
    effectiveDateTime: DateTime | None = None
    issued: Instant | None = None
    performer: list[Reference] | None = None
    note: list[Annotation] | None = None
    bodySite: CodeableConcept | None = None
    method: CodeableConcept | None = None
    specimen: Reference | None = None
    device: Reference | None = None
    component: list[Component] | None = None
    effectivePeriod: None = None
    effectiveInstant: None = None
    effectiveTiming: None = None
    extension: None = None
    contained: None = None
    hasMember: None = None


class HumanName(_Element):
    use: Code | None = None
    text: Text | None = None
    family: Text | None = None
    given: list[Text] | None = None
    prefix: list[Text] | None = None
    suffix: list[Text] | None = None
    period: Period | None = None


class ContactPoint(_Element):
    system: Code | None = None
    value: Text | None = None
    use: Code | None = None
    rank: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    period: Period | None = None


class Address(_Element):
    use: Code | None = None
    type: Code | None = None
    text: Text | None = None
    line: list[Text] | None = None
    city: Text | None = None
    district: Text | None = None
    state: Text | None = None
    postalCode: Text | None = None
    country: Text | None = None
    period: Period | None = None


class Extension(_Element):
    """An extension of a Patient, as used by US Core, UK Core and others for origin, sex and more. None is read."""

    url: Uri
    extension: list[Extension] | None = None
    valueCode: Code | None = None
    valueString: Text | None = None
    valueCoding: Coding | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueBoolean: bool | None = None
    valueDateTime: DateTime | None = None
    valueReference: Reference | None = None
    valueAddress: Address | None = None

    def __post_init__(self) -> None:
        """Check that there are either parts or one value."""
        values = (self.valueCode, self.valueString, self.valueCoding, self.valueCodeableConcept, self.valueBoolean,
                  self.valueDateTime, self.valueReference, self.valueAddress, self.extension)  # fmt: skip
        if values.count(None) < len(values) - 1:
            raise ValueError("more than one value")


class Communication(_Element):
    language: CodeableConcept
    preferred: bool | None = None


class Patient(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A Patient without a date of death and with only the usual elements."""

    resourceType: Literal["Patient"]
    id: Id | None = None
    meta: ResourceMeta | None = None
    language: Code | None = None
    text: Narrative | None = None
    extension: list[Extension] | None = None
    identifier: list[Identifier] | None = None
    active: bool | None = None
    name: list[HumanName] | None = None
    telecom: list[ContactPoint] | None = None
    gender: Code | None = None
    birthDate: Day | None = None
    deceasedBoolean: bool | None = None
    address: list[Address] | None = None
    maritalStatus: CodeableConcept | None = None
    multipleBirthBoolean: bool | None = None
    communication: list[Communication] | None = None
    generalPractitioner: list[Reference] | None = None
    managingOrganization: Reference | None = None
    deceasedDateTime: None = None


_KINDS: Mapping[Any, type[Observation] | type[Patient]] = {"Observation": Observation, "Patient": Patient}


def ordinary(raw: Mapping[str, Any]) -> Observation | Patient | None:
    """Return ``raw`` as a fast model; None if it does not fit."""
    shape = _KINDS.get(raw.get("resourceType"))
    if shape is None:
        return None
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError:
        return None

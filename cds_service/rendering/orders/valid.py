"""Checks that an order is a valid ServiceRequest: by the strict shape of our own orders, else by ``fhir.resources``.

An order that fits the shape is valid FHIR R4. One that does not fit is not necessarily wrong: ``fhir.resources``, which
is slow to load, knows all of FHIR and names errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cds_service.clinical.reading.common_shapes import (
    Annotation,
    Code,
    CodeableConcept,
    DateTime,
    Identifier,
    Period,
    Reference,
)


class _Order(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The elements of our drafts and of the orders made from them."""

    resourceType: Literal["ServiceRequest"]
    identifier: list[Identifier] | None = None
    status: Code
    intent: Code
    category: list[CodeableConcept]
    priority: Code
    code: CodeableConcept
    subject: Reference
    encounter: Reference | None = None
    occurrencePeriod: Period
    authoredOn: DateTime
    requester: Reference | None = None
    reasonCode: list[CodeableConcept]
    reasonReference: list[Reference] | None = None
    supportingInfo: list[Reference] | None = None
    bodySite: list[CodeableConcept] | None = None
    note: list[Annotation]


def check_order(order: Mapping[str, Any]) -> None:
    """Check that ``order`` is a valid ServiceRequest.

    Raises:
        pydantic.ValidationError, a ValueError: it is not.
    """
    if not fits(order):
        from fhir.resources.R4B.servicerequest import ServiceRequest

        ServiceRequest.model_validate(order)


def fits(order: Mapping[str, Any]) -> bool:
    """Return whether ``order`` has the shape of our own orders."""
    try:
        msgspec.convert(order, _Order)
    except msgspec.ValidationError:
        return False
    return True

"""What the scan looks at in a resource, decoded once. The types are not checked; the chart reader reports errors."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec import field as element

NONE = Raw()


class Elements(Struct, rename="camel", gc=False):
    """The elements that name the patient, and the coded ones; those stay bytes until they are needed."""

    resource_type: Any = None
    id: Any = None
    identifier: Any = None
    subject: Any = None
    patient: Any = None
    for_: Any = element(default=None, name="for")
    participant: Any = None
    medication: Any = element(default=None, name="medicationReference")
    hook: Any = None
    value_quantity: Any = None
    code: Raw = NONE
    value_codeable_concept: Raw = NONE
    medication_codeable_concept: Raw = NONE
    body_site: Raw = NONE
    reason_code: Raw = NONE
    conclusion_code: Raw = NONE
    component: Raw = NONE
    contained: Raw = NONE


glance = msgspec.json.Decoder(Elements).decode
"""Function (JSON of a resource): its elements.

Raises ``msgspec.DecodeError`` if the text is not a JSON object.
"""

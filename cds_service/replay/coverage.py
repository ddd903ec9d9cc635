"""Count codes, systems and units of all rows, as ``knee-cds codes`` does.

Charts repeat the same few thousand codes. Rows are therefore counted by the bytes of their coded parts, and each
distinct combination is examined once.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from cds_service.clinical.content.catalogue import Content
from cds_service.replay.coded_elements import NONE, Elements
from cds_service.service.code_survey import Survey

_MAX_WAITING = 20_000
_NAMES = (
    "code", "valueCodeableConcept", "medicationCodeableConcept", "bodySite", "reasonCode", "conclusionCode",
    "contained",
)  # fmt: skip
_raws = attrgetter(
    "code", "value_codeable_concept", "medication_codeable_concept", "body_site", "reason_code", "conclusion_code",
    "contained",
)  # fmt: skip
_Unit = tuple[str | None, str | None]
_Parts = tuple[tuple[bytes, ...], _Unit | None]
"""The JSON of coded elements, and the code and unit of a quantity if there is one."""
_Combination = tuple[_Parts, tuple[_Parts, ...]]
"""The coded parts of a resource and of its components."""


class _Component(Struct, rename="camel", gc=False):
    code: Raw = NONE
    value_codeable_concept: Raw = NONE
    value_quantity: Any = None


_components = msgspec.json.Decoder(list[_Component])


class _OddError(ValueError):
    """A part does not have the shape of FHIR."""


class Coverage:
    """Counts the codes, systems and units of the rows taken so far."""

    def __init__(self, content: Content) -> None:
        self._survey = Survey(content)
        self._waiting: Counter[_Combination] = Counter()

    def take(self, elements: Elements | None, resource: bytes) -> None:
        """Count one resource. ``elements``: its elements; None if it is no JSON object."""
        try:
            self._waiting[_combination(elements)] += 1
        except (_OddError, msgspec.DecodeError):
            self._survey.take(resource)
        if len(self._waiting) > _MAX_WAITING:
            self._examine()

    def survey(self) -> Survey:
        """Return everything counted."""
        self._examine()
        return self._survey

    def _examine(self) -> None:
        for (own, components), times in self._waiting.items():
            resource = _rebuilt(_NAMES, own)
            if components:
                resource["component"] = [_rebuilt(_NAMES[:2], component) for component in components]
            self._survey.look_at(resource, times)
        self._waiting.clear()


def _combination(elements: Elements | None) -> _Combination:
    """Return the coded parts of a resource.

    Raises:
        _OddError, msgspec.DecodeError: it is none, or a quantity or a component does not have the shape of FHIR.
    """
    if elements is None:
        raise _OddError
    own = tuple(map(bytes, _raws(elements))), _unit(elements.value_quantity)
    if elements.component is NONE:
        return own, ()
    return own, tuple(
        ((bytes(component.code), bytes(component.value_codeable_concept)), _unit(component.value_quantity))
        for component in _components.decode(elements.component)
    )


def _unit(quantity: Any) -> _Unit | None:
    if quantity is None:
        return None
    if not isinstance(quantity, dict):
        raise _OddError
    code, unit = quantity.get("code"), quantity.get("unit")
    if not (isinstance(code, str | None) and isinstance(unit, str | None)):
        raise _OddError
    return code, unit


def _rebuilt(names: tuple[str, ...], parts: _Parts) -> dict[str, Any]:
    """Return a resource with only its coded parts."""
    coded, unit = parts
    resource = {name: orjson.loads(part) for name, part in zip(names, coded, strict=True) if part}
    if unit is not None:
        resource["valueQuantity"] = dict(zip(("code", "unit"), unit, strict=True))
    return resource

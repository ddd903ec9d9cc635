"""Count codes, systems and units of all rows, as ``knee-cds codes`` does.

Charts repeat the same few thousand codes. Rows are therefore counted by the bytes of their coded parts, and each
distinct combination is examined once.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from cds_service.clinical.content.catalogue import Content
from cds_service.service.code_survey import Survey

_MAX_WAITING = 20_000
_NONE = Raw()
_Parts = tuple[bytes, ...]


class _Unit(Struct, gc=False):
    code: Raw = _NONE
    unit: Raw = _NONE


class _Component(Struct, gc=False):
    code: Raw = _NONE
    valueCodeableConcept: Raw = _NONE
    valueQuantity: _Unit | None = None


class _Coded(Struct, gc=False):
    code: Raw = _NONE
    valueCodeableConcept: Raw = _NONE
    medicationCodeableConcept: Raw = _NONE
    bodySite: Raw = _NONE
    reasonCode: Raw = _NONE
    conclusionCode: Raw = _NONE
    contained: Raw = _NONE
    valueQuantity: _Unit | None = None
    component: list[_Component] | None = None


_coded = msgspec.json.Decoder(_Coded)
_NAMES = (
    "code", "valueCodeableConcept", "medicationCodeableConcept", "bodySite", "reasonCode", "conclusionCode",
    "contained",
)  # fmt: skip


class Coverage:
    """Counts the codes, systems and units of the rows taken so far."""

    def __init__(self, content: Content) -> None:
        self._survey = Survey(content)
        self._waiting: Counter[tuple[_Parts, ...]] = Counter()

    def take(self, resource: bytes) -> None:
        """Count one resource."""
        try:
            coded = _coded.decode(resource)
        except msgspec.DecodeError:
            self._survey.take(resource)
            return
        parts = (_parts(coded), *((b"", *_parts(component)) for component in coded.component or ()))
        self._waiting[parts] += 1
        if len(self._waiting) > _MAX_WAITING:
            self._examine()

    def survey(self) -> Survey:
        """Return everything counted."""
        self._examine()
        return self._survey

    def _examine(self) -> None:
        for (own, *components), times in self._waiting.items():
            resource = _rebuilt(_NAMES, own)
            if components:
                resource["component"] = [_rebuilt(_NAMES[:2], component[1:]) for component in components]
            self._survey.look_at(resource, times)
        self._waiting.clear()


def _parts(coded: _Coded | _Component) -> _Parts:
    concepts: tuple[Raw, ...] = (coded.code, coded.valueCodeableConcept)
    if isinstance(coded, _Coded):
        concepts += (coded.medicationCodeableConcept, coded.bodySite, coded.reasonCode, coded.conclusionCode)
        concepts += (coded.contained,)
    unit = coded.valueQuantity
    measured = (bytes(unit.code) or b"null", bytes(unit.unit) or b"null") if unit is not None else (b"", b"")
    return (*map(bytes, concepts), *measured)


def _rebuilt(names: tuple[str, ...], parts: _Parts) -> dict[str, Any]:
    """Return a resource with only its coded parts."""
    resource = {name: orjson.loads(part) for name, part in zip(names, parts, strict=False) if part}
    code, unit = parts[len(names) :]
    if code or unit:
        resource["valueQuantity"] = {"code": orjson.loads(code), "unit": orjson.loads(unit)}
    return resource

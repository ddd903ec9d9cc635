"""The codes, systems and units of all rows, counted as ``knee-cds codes`` does, but each different row looked at once.

Charts repeat the same few thousand codes, so rows are counted by the bytes of their coded parts.
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
    """What the rows taken so far hold."""

    def __init__(self, content: Content) -> None:
        self._survey = Survey(content)
        self._waiting: Counter[tuple[_Parts, ...]] = Counter()

    def take(self, resource: bytes) -> None:
        """One resource."""
        try:
            found = _coded.decode(resource)
        except msgspec.DecodeError:
            self._survey.take(resource)
            return
        parts = (_parts(found), *((b"", *_parts(one)) for one in found.component or ()))
        self._waiting[parts] += 1
        if len(self._waiting) > _MAX_WAITING:
            self._look()

    def survey(self) -> Survey:
        """Everything counted."""
        self._look()
        return self._survey

    def _look(self) -> None:
        for (own, *components), times in self._waiting.items():
            resource = _rebuilt(_NAMES, own)
            if components:
                resource["component"] = [_rebuilt(_NAMES[:2], one[1:]) for one in components]
            self._survey.look_at(resource, times)
        self._waiting.clear()


def _parts(found: _Coded | _Component) -> _Parts:
    concepts: tuple[Raw, ...] = (found.code, found.valueCodeableConcept)
    if isinstance(found, _Coded):
        concepts += (found.medicationCodeableConcept, found.bodySite, found.reasonCode, found.conclusionCode)
        concepts += (found.contained,)
    unit = found.valueQuantity
    measured = (bytes(unit.code) or b"null", bytes(unit.unit) or b"null") if unit is not None else (b"", b"")
    return (*map(bytes, concepts), *measured)


def _rebuilt(names: tuple[str, ...], parts: _Parts) -> dict[str, Any]:
    """A resource with nothing but its coded parts."""
    found = {name: orjson.loads(part) for name, part in zip(names, parts, strict=False) if part}
    code, unit = parts[len(names) :]
    if code or unit:
        found["valueQuantity"] = {"code": orjson.loads(code), "unit": orjson.loads(unit)}
    return found

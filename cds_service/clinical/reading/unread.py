"""Describe rows that are not understood by everything that can be recognised in them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.recognition import Recognised
from cds_service.clinical.content.names import ANTICOAGULANT
from cds_service.clinical.reading.dates import FutureDate, is_settled, lasting, to_when
from cds_service.clinical.reading.memory import Varying
from cds_service.clinical.reading.resource_types import ALL, kind_of
from cds_service.clinical.reading.statuses import has_ended
from cds_service.clinical.record import MEDICINES, WITH_REASONS, Side, Unread, UnreadKind, When

_CAN_HIDE_ANYTHING = frozenset(
    {"Observation", "Condition", "Procedure", "MedicationRequest", "MedicationStatement", "MedicationAdministration",
     "MedicationDispense"}
)  # fmt: skip
"""Types in which a resource without a readable code may contain anything its type allows."""
_DATES = (
    ("effectiveDateTime",), ("effectiveInstant",), ("effectivePeriod", "end"), ("onsetDateTime",),
    ("onsetPeriod", "start"), ("performedDateTime",), ("performedPeriod", "end"), ("performedPeriod", "start"),
    ("authoredOn",), ("whenHandedOver",), ("whenPrepared",), ("dateAsserted",), ("authored",),
    ("occurrenceDateTime",), ("period", "end"), ("recordedDate",), ("issued",), ("started",), ("start",), ("sent",),
    ("date",), ("created",),
)  # fmt: skip
_START = ("period", "start")
"""An ongoing visit is as old as its start. An episode of care or a course of a medicine is not."""
_IS_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T[^ ]+)?)?)?")
_REAL_WORD = re.compile(r"[^\W\d_]{2}")
"""Two letters or more: numbers and single letters are not words. The word net knows our own short words."""
_OVER = frozenset({"completed", "stopped", "on-hold", "ended", "not-taken", "cancelled", "not-done", "declined"})
_ADMINISTRATIVE = frozenset(
    {"meta", "text", "identifier", "status", "statusHistory", "classHistory", "performer", "participant", "location",
     "period", "encounter", "serviceProvider"}
)  # fmt: skip
"""Elements that may change without a new statement: an ongoing visit, a new version number."""
_CATEGORIES = "observation-category"


class Describing:
    """Creates ``Unread`` entries with everything that can be recognised in a row."""

    def __init__(self, content: Content, now: datetime, varying: Varying) -> None:
        self._content = content
        self._now = now
        self._varying = varying

    def row(self, source: str, kind: UnreadKind, reason: str, resource: Any, keys: Iterable[str] = ()) -> Unread:
        """Return the entry for a whole row.

        ``keys``: what its codes name. If empty, codes and names are searched for anywhere in the row.
        """
        named = tuple(sorted(set(keys)))
        recognised = self._content.recogniser.recognise(resource)
        unread = Unread(source, kind, reason, named or recognised.keys)
        return self.with_context(unread, resource, anything=not named and self._may_be_anything(resource, recognised))

    def with_context(self, unread: Unread, resource: Any, *, anything: bool | None = None) -> Unread:
        """Return ``unread`` with the date, categories and state of its row."""
        raw = resource if isinstance(resource, Mapping) else {}
        in_words = _is_in_words(raw)
        return replace(
            unread,
            kind=UnreadKind.UNCODED if in_words and unread.kind is UnreadKind.SYSTEM else unread.kind,
            anything=unread.anything if anything is None else anything,
            when=self._when(raw),
            categories=frozenset(_categories(raw)),
            measured=any(key.startswith(("valueQuantity", "valueInteger", "valueRatio")) for key in raw),
            past=_is_over(raw),
            in_words=unread.in_words or in_words,
            side=self._content.recogniser.side_of(raw) if kind_of(raw) in WITH_REASONS else Side.UNKNOWN,
            digest=_digest(resource),
        )

    def _may_be_anything(self, resource: Any, recognised: Recognised) -> bool:
        kind = kind_of(resource)
        if kind in MEDICINES:
            # A number that is also one of our codes does not identify a medicine.
            return ANTICOAGULANT not in recognised.keys
        # A medicine named in place of a complaint does not show that there is no complaint.
        if set(recognised.keys) - recognised.medicines:
            return False
        if kind not in ALL or kind == "Bundle":
            return True
        return recognised.at_our_place or kind in _CAN_HIDE_ANYTHING

    def _when(self, raw: Mapping[str, Any]) -> When | None:
        for path in (*_DATES, _START) if kind_of(raw) == "Encounter" else _DATES:
            value: Any = raw
            for step in path:
                value = value.get(step) if isinstance(value, Mapping) else None
            if isinstance(value, str) and _IS_DATE.fullmatch(value):
                try:
                    when = to_when(value, self._now)
                    days = _days_supplied(raw)
                except FutureDate:
                    self._varying.found = True
                    return None
                except ValueError:
                    return None
                if when is None or days or not is_settled(when, self._now.date()):
                    self._varying.found = True
                return lasting(when, days, self._now.date())
        return None


def _digest(resource: Any) -> str:
    """Return a digest of the row's content, without administrative elements; the order of elements does not matter."""
    content = resource
    if isinstance(resource, Mapping):
        content = {key: value for key, value in resource.items() if key not in _ADMINISTRATIVE}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _categories(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield FHIR's own categories, in any shape."""
    left: list[Any] = [raw.get("category")]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, Mapping):
            system, code = node.get("system"), node.get("code")
            if isinstance(system, str) and system.endswith(_CATEGORIES) and isinstance(code, str):
                yield code
            left.append(node.get("coding"))


def _days_supplied(raw: Mapping[str, Any]) -> float:
    """Return the days of supply of a dispensed medicine; 0 if not stated."""
    supply = raw.get("daysSupply")
    days = supply.get("value") if isinstance(supply, Mapping) else None
    return float(days) if isinstance(days, int | float) and not isinstance(days, bool) else 0.0


def _is_in_words(raw: Mapping[str, Any]) -> bool:
    """Whether its subject is stated only in words, with at least one real word."""
    concept = raw.get("code")
    if not isinstance(concept, Mapping) or concept.get("coding") or raw.get("component"):
        return False
    value = raw.get("valueCodeableConcept")
    if value is not None and (not isinstance(value, Mapping) or value.get("coding")):
        return False
    text = concept.get("text")
    return isinstance(text, str) and _REAL_WORD.search(text) is not None


def _is_over(raw: Mapping[str, Any]) -> bool:
    status = raw.get("status")
    if isinstance(status, str) and kind_of(raw) in MEDICINES:
        return status in _OVER  # for other types, "completed" means that it was done, and its content is still valid
    return has_ended(raw)

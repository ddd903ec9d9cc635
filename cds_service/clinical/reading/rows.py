"""Read the rows of this patient one by one; each row ends in exactly one state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import ANTICOAGULANT, SUSPICION
from cds_service.clinical.reading import conditions, encounters, medications, observations, orders, procedures, reports
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.findings import Findings, Mark
from cds_service.clinical.reading.heads import Look
from cds_service.clinical.reading.medicine_identity import (
    Identity,
    Medicine,
    finder,
    identify,
    medicine_of,
    uses_of_medicine,
    words_of,
)
from cds_service.clinical.reading.memory import Memory, Reading, Varying
from cds_service.clinical.reading.other_measurements import is_of_something_else
from cds_service.clinical.reading.resource_types import TAKEN, kind_of
from cds_service.clinical.reading.resources import NOT_OF_FHIR, Unreadable, build, quick_uses
from cds_service.clinical.reading.sorting import Sorted
from cds_service.clinical.reading.statements import Trouble
from cds_service.clinical.reading.statuses import is_over, is_void, why_unknown
from cds_service.clinical.reading.unread import Describing
from cds_service.clinical.reading.whose import Owner
from cds_service.clinical.reading.wording import (
    ELSEWHERE,
    ONLY_IN_WORDS,
    named_beside_code,
    named_elsewhere,
    named_in_answer,
    suspected_beside,
)
from cds_service.clinical.record import WITH_REASONS, RowState, UnreadKind

Outcome = tuple[RowState, str]
_READERS: Mapping[str, Callable[[Any, str, Findings], None]] = {
    "Condition": conditions.read,
    "Procedure": procedures.read,
    "ServiceRequest": orders.read,
    "DiagnosticReport": reports.read,
    "Encounter": encounters.read,
}
_NO_CODE = "has no code in a system that this service knows"
_NOT_TAKEN = "a medicine that is not taken"
_POSSIBLY_OURS = "its words name what may be an anticoagulant, and no code says what it is"
_FOCUS_CODE = "http://hl7.org/fhir/StructureDefinition/observation-focusCode"
"""FHIR's extension for a focus that is neither the patient nor a resource."""
_OF_AN_ORDER = frozenset({"code", "orderDetail", "note"})
_CONTAINED_KINDS = frozenset({"Observation", "Condition", "Procedure", *TAKEN})


class Rows:
    """Reads rows into ``findings``."""

    def __init__(
        self,
        content: Content,
        chart: Sorted,
        findings: Findings,
        describing: Describing,
        varying: Varying,
        now: datetime,
    ) -> None:
        """``varying``: the same as that of ``findings`` and ``describing``."""
        self._content = content
        self._varying = varying
        self._seconds = now.timestamp()
        self._chart = chart
        self._findings = findings
        self._describing = describing
        self._panels: dict[str, observations.Panel | None] = {}
        panels_of_members = (panels for member, panels in chart.listed_by.items() if member in chart.clinical)
        self._with_members = frozenset(panel for panels in panels_of_members for panel in panels)

    def read(self, name: str, entry: ChartEntry) -> Outcome:
        """Read the row ``entry``, called ``name``, and return its state and the reason."""
        if entry.memory is None:
            return self._read_now(name, entry.resource, self._findings.mark())
        return self._recalled(name, entry, entry.memory.of(self._content))

    def _recalled(self, name: str, entry: ChartEntry, memory: Memory) -> Outcome:
        """Read a row, or recall what was read of it at an earlier moment if that cannot have changed."""
        findings, known = self._findings, memory.reading
        has_panels = name in self._chart.listed_by or name in self._with_members
        if (
            known is not None
            and not has_panels
            and (known.name, known.birth, known.sex) == (name, findings.birth, findings.sex)
            and known.since <= self._seconds
        ):
            findings.add_again(known.collected)
            return known.outcome
        self._varying.found = has_panels
        mark = findings.mark()
        outcome = self._read_now(name, entry.resource, mark)
        if not self._varying.found:
            memory.reading = Reading(name, findings.birth, findings.sex, self._seconds, outcome, findings.since(mark))
        return outcome

    def _read_now(self, name: str, raw: Mapping[str, Any], mark: Mark) -> Outcome:
        findings = self._findings
        outcome = self._read(name, raw)
        if outcome is None:
            outcome = findings.state_since(mark)
            if outcome[0] is RowState.NO_CONCERN and (named := self._named_beside(raw)):
                return self._not_understood(name, raw, UnreadKind.WORDS, ONLY_IN_WORDS, named)
            context = self._describing.with_context
            findings.unread[mark.unread :] = [context(part, raw) for part in findings.unread[mark.unread :]]
        return outcome

    def _read(self, name: str, raw: Mapping[str, Any]) -> Outcome | None:
        """Read the row. Returns None if its state follows from the findings that were collected."""
        if raw["resourceType"] in TAKEN:
            return self._read_medicine(name, raw)
        try:
            uses = tuple(quick_uses(self._content, raw))
        except (TypeError, AttributeError, ValueError, KeyError):
            # The codes do not have the shape of FHIR. Validation names the error, and what is readable is read.
            return self._read_whole(name, raw, set(self._content.recogniser.recognise(raw).keys))
        keys = {use.key for use in uses if use.kind in ("finding", "cause", "measure")}
        if not any(use.is_of_concern for use in uses):
            return self._of_no_code_of_ours(name, raw)
        if wrong := why_unknown(raw):
            return self._not_understood(name, raw, UnreadKind.STATUS, wrong, keys)
        return self._read_whole(name, raw, keys, uses)

    def _read_medicine(self, name: str, raw: Mapping[str, Any]) -> Outcome | None:
        """Read a medicine, by its identity only. Its reason is not read, because other rows state it."""
        chart = self._chart
        self._varying.found |= "medicationReference" in raw
        medicine = medicine_of(raw, finder(raw, chart.medications, chart.owners))
        uses = uses_of_medicine(self._content, medicine)
        keys = {use.key for use in uses if use.is_of_concern}
        if not keys:
            return self._of_no_medicine_of_ours(name, raw, medicine)
        if wrong := why_unknown(raw):
            return self._not_understood(name, raw, UnreadKind.STATUS, wrong, keys)
        return self._read_whole(name, raw, keys, uses, medicine)

    def _of_no_medicine_of_ours(self, name: str, raw: Mapping[str, Any], medicine: Medicine) -> Outcome:
        """Handle a medicine without a known code: it is irrelevant if identified as another one or if none is taken."""
        if is_void(raw):
            return RowState.ENDED, "entered in error or cancelled"
        ends, not_taken = medications.may_end_a_course(raw), medications.is_not_taken(raw)
        if not_taken and not ends:
            return RowState.ENDED, _NOT_TAKEN
        if medicine.why:
            return self._not_understood(name, raw, UnreadKind.SYSTEM, medicine.why)
        identity = identify(self._content, medicine)
        if identity is Identity.POSSIBLE:
            return self._not_understood(name, raw, UnreadKind.SYSTEM, _POSSIBLY_OURS, (ANTICOAGULANT,))
        if identity is Identity.UNKNOWN:
            return self._not_understood(name, raw, UnreadKind.SYSTEM, _NO_CODE)
        return (RowState.ENDED, _NOT_TAKEN) if not_taken else self._unless_hiding(name, raw)

    def _of_no_code_of_ours(self, name: str, raw: Mapping[str, Any]) -> Outcome:
        """Handle a row without a known code.

        It is irrelevant if its codes show what it is about and nothing else in it contradicts that.
        """
        if is_void(raw):
            return RowState.ENDED, "entered in error or cancelled"
        is_identified = _only_lists(raw) or self._is_identified(raw) or self._is_answered(raw)
        if not (is_identified or is_of_something_else(self._content, raw)):
            return self._not_understood(name, raw, UnreadKind.SYSTEM, _NO_CODE)
        if named := named_in_answer(self._content, raw):
            return self._not_understood(name, raw, UnreadKind.WORDS, ONLY_IN_WORDS, named)
        if named := self._named_elsewhere(raw):
            return self._not_understood(name, raw, UnreadKind.WORDS, ELSEWHERE, named)
        return self._unless_hiding(name, raw)

    def _named_beside(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the words may mean in a row whose known code is too general, such as pain "in the calf"."""
        if raw["resourceType"] == "Condition" and not is_over(raw):
            return named_beside_code(self._content, raw.get("code"))
        return named_in_answer(self._content, raw)

    def _named_elsewhere(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        if raw["resourceType"] == "Procedure":  # the reason and the result of a procedure are not read
            return tuple(key for key in named_elsewhere(self._content, raw) if key in SUSPICION)
        return named_elsewhere(self._content, raw) if raw["resourceType"] in WITH_REASONS else ()

    def _suspicion_elsewhere(
        self, raw: Mapping[str, Any], keys: set[str], uses: tuple[CodeUse, ...]
    ) -> tuple[str, ...]:
        """Return a DVT that the row names outside its codes, while its codes name something else.

        An order of the DVT pathway responds to a suspicion, so its own words do not state one.
        """
        if keys & SUSPICION and raw["resourceType"] != "Procedure":
            return ()
        if raw["resourceType"] == "Condition":
            return () if is_over(raw) else suspected_beside(self._content, raw)
        orders = self._content.dvt_orders
        if any(use.kind == "order" and use.key in orders for use in uses):
            raw = {key: value for key, value in raw.items() if key not in _OF_AN_ORDER}
        return tuple(key for key in self._named_elsewhere(raw) if key in SUSPICION)

    def _unless_hiding(self, name: str, raw: Mapping[str, Any]) -> Outcome:
        hidden = self._hidden_in(raw)
        if hidden:
            reason = "holds resources of its own that are not read"
            return self._not_understood(name, raw, UnreadKind.INVALID, reason, hidden)
        return RowState.NO_CONCERN, ""

    def _is_identified(self, raw: Mapping[str, Any]) -> bool:
        """Whether the codes of ``raw`` show what it is about, for a row that contains more than its head shows."""
        head = ChartEntry({key: value for key, value in raw.items() if key not in _NOT_ITS_CODES}).head
        return head is not None and head.look(self._content) is Look.IDENTIFIED

    def _is_answered(self, raw: Mapping[str, Any]) -> bool:
        """Whether the question is not understood but its answer is: a complaint coded in a known system.

        A plain yes or no means nothing without its question.
        """
        if raw["resourceType"] != "Observation":
            return False
        parts = raw.get("component") or [raw]
        return all(
            self._is_known(part.get("code")) or self._is_known(part.get("valueCodeableConcept")) for part in parts
        )

    def _is_known(self, concept: Any) -> bool:
        """Whether a coding names a known thing not used here. A place, a side or a plain answer does not count."""
        content = self._content
        pairs = [(coding.get("system"), coding.get("code")) for coding in (concept or {}).get("coding") or ()]
        coded = [(system, code) for system, code in pairs if system and code]
        if any(content.uses_named(system, code) for system, code in coded):
            return False
        return any(content.identifies(system, code) and not _is_list_answer(code) for system, code in coded)

    def _hidden_in(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the contained resources that are not read may be about."""
        inside = raw.get("contained")
        hiding = [
            resource
            for resource in (inside if isinstance(inside, list) else ())
            if kind_of(resource) in _CONTAINED_KINDS
        ]
        return self._content.recogniser.recognise(hiding).keys if hiding else ()

    def _read_whole(
        self,
        name: str,
        raw: Mapping[str, Any],
        keys: set[str],
        uses: tuple[CodeUse, ...] = (),
        medicine: Medicine = Medicine(),
    ) -> Outcome | None:
        findings = self._findings
        try:
            model, left_out = build(raw)
            if medicine.resource is not None:
                build(medicine.resource)
        except Unreadable as error:
            return self._not_understood(name, raw, UnreadKind.INVALID, str(error), keys)
        if medicine.why:
            return self._not_understood(name, raw, UnreadKind.SYSTEM, medicine.why, keys)
        if NOT_OF_FHIR in left_out:
            keys = keys.union(self._content.recogniser.recognise(raw).keys)
        about = tuple(sorted(keys))
        findings.report(name, [Trouble(UnreadKind.INVALID, f"left out {part}: not valid", about) for part in left_out])
        if stated := self._suspicion_elsewhere(raw, keys, uses):
            findings.report(name, [Trouble(UnreadKind.WORDS, ELSEWHERE, stated)])
        if hidden := self._hidden_in(raw):
            reason = "holds resources of its own that are not read"
            findings.report(name, [Trouble(UnreadKind.INVALID, reason, hidden)])
        kind = raw["resourceType"]
        if kind == "Observation":
            return self._read_observation(name, raw, model, is_whole=NOT_OF_FHIR not in left_out)
        if kind in TAKEN:
            medications.read(model, name, findings, uses, words_of(medicine))
        else:
            _READERS[kind](model, name, findings)
        return None

    def _read_observation(self, name: str, raw: Mapping[str, Any], model: Any, *, is_whole: bool) -> Outcome | None:
        """Read an Observation, unless its focus is another person or thing."""
        if any(extension.url == _FOCUS_CODE for extension in _items(model.extension)):
            return self._not_understood(name, raw, UnreadKind.SUBJECT, "is about somebody or something else (focus)")
        for focus in _items(raw.get("focus")):
            self._varying.found = True
            belongs = self._chart.owners.of_focus(focus, raw.get("contained"))
            if belongs.owner is Owner.ANOTHERS:
                self._chart.others_of_concern += 1
                return RowState.ANOTHER_PATIENT, "is about somebody or something else (focus)"
            if belongs.owner is Owner.UNCLEAR:
                reason = "does not say clearly about whom it is (focus)"
                return self._not_understood(name, raw, UnreadKind.SUBJECT, reason)
        groups = name in self._with_members
        panels = self._panels_of(name)
        observations.read(
            model,
            raw,
            name,
            self._findings,
            panels,
            members_came=groups,
            is_whole=is_whole,
            beside=self._beside(raw),
        )
        return None

    def _beside(self, raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the specimen and the device that the chart contains for this Observation."""
        if "specimen" not in raw and "device" not in raw:
            return {}
        pointers = {name: raw[name] for name in ("specimen", "device") if isinstance(raw.get(name), Mapping)}
        if not pointers:
            return {}
        self._varying.found = True
        find = finder(raw, self._chart.things, self._chart.owners)
        resources = {name: find(str(pointer.get("reference") or "")) for name, pointer in pointers.items()}
        return {name: resource for name, resource in resources.items() if resource is not None}

    def _panels_of(self, name: str) -> tuple[observations.Panel | None, ...]:
        """Return the panels that list ``name``. Each panel is read only once."""
        listing = self._chart.listed_by.get(name)
        if listing is None:
            return ()
        for panel in listing.keys() - self._panels.keys():
            row = self._chart.clinical[panel]
            self._panels[panel] = observations.panel(row.entry.resource, panel, self._findings)
        return tuple(self._panels[panel] for panel in listing)

    def _not_understood(
        self, name: str, raw: Mapping[str, Any], kind: UnreadKind, reason: str, keys: set[str] | tuple[str, ...] = ()
    ) -> Outcome:
        self._findings.unread.append(self._describing.row(name, kind, reason, raw, keys))
        return RowState.NOT_UNDERSTOOD, reason


def _items(value: Any) -> list[Any]:
    """Return the items of a repeating element of a model; empty if it is absent."""
    return list(value) if value else []


def _is_list_answer(code: str) -> bool:
    """Whether this is an answer from a LOINC list, which means nothing without its question."""
    return code.startswith("LA") and "-" in code


def _only_lists(raw: Mapping[str, Any]) -> bool:
    """Whether this is a panel without a value of its own; its members are separate rows."""
    value_names = ("value", "_value", "component", "interpretation", "dataAbsentReason")
    return bool(raw.get("hasMember")) and not any(key.startswith(value_names) for key in raw)


_NOT_ITS_CODES = frozenset({"contained", "hasMember", "medicationReference"})

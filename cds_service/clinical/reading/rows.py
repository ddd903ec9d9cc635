"""One row of this patient after the other: what it says, and in which state it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import ANTICOAGULANT, SUSPICION
from cds_service.clinical.reading import conditions, encounters, medications, observations, orders, procedures, reports
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.heads import Look
from cds_service.clinical.reading.kinds import TAKEN, kind_of
from cds_service.clinical.reading.medicine import (
    Identity,
    Medicine,
    finder,
    identify,
    medicine_of,
    uses_of_medicine,
    words_of,
)
from cds_service.clinical.reading.other_measurements import is_of_something_else
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
"""FHIR's extension for a focus that is not the patient and no resource of its own."""
_OF_AN_ORDER = frozenset({"code", "orderDetail", "note"})
_CONTAINED_KINDS = frozenset({"Observation", "Condition", "Procedure", *TAKEN})


class Rows:
    """Reads rows into ``findings``."""

    def __init__(self, content: Content, chart: Sorted, findings: Findings, describing: Describing) -> None:
        self._content = content
        self._chart = chart
        self._findings = findings
        self._describing = describing
        self._panels: dict[str, observations.Panel | None] = {}
        came = (panels for member, panels in chart.listed_by.items() if member in chart.clinical)
        self._with_members = frozenset(panel for panels in came for panel in panels)

    def read(self, name: str, raw: Mapping[str, Any]) -> Outcome:
        """What became of the row ``raw``, called ``name``."""
        findings = self._findings
        mark = findings.mark()
        outcome = self._read(name, raw)
        if outcome is None:
            outcome = findings.state_since(mark)
            if outcome[0] is RowState.NO_CONCERN and (named := self._named_beside(raw)):
                return self._not_understood(name, raw, UnreadKind.WORDS, ONLY_IN_WORDS, named)
            context = self._describing.with_context
            findings.unread[mark.unread :] = [context(one, raw) for one in findings.unread[mark.unread :]]
        return outcome

    def _read(self, name: str, raw: Mapping[str, Any]) -> Outcome | None:
        """The outcome, None if what has been collected tells."""
        if raw["resourceType"] in TAKEN:
            return self._read_medicine(name, raw)
        try:
            uses = tuple(quick_uses(self._content, raw))
        except (TypeError, AttributeError, ValueError, KeyError):
            # The codes stand in no shape of FHIR's: what is wrong is named, and what can be read is.
            return self._read_whole(name, raw, set(self._content.recogniser.recognise(raw).keys))
        keys = {use.key for use in uses if use.kind in ("finding", "cause", "measure")}
        if not any(use.is_of_concern for use in uses):
            return self._of_no_code_of_ours(name, raw)
        if wrong := why_unknown(raw):
            return self._not_understood(name, raw, UnreadKind.STATUS, wrong, keys)
        return self._read_whole(name, raw, keys, uses)

    def _read_medicine(self, name: str, raw: Mapping[str, Any]) -> Outcome | None:
        """A medicine counts by what it is: why it is given says nothing that is not told elsewhere."""
        chart = self._chart
        medicine = medicine_of(raw, finder(raw, chart.medications, chart.owners))
        uses = uses_of_medicine(self._content, medicine)
        keys = {use.key for use in uses if use.is_of_concern}
        if not keys:
            return self._of_no_medicine_of_ours(name, raw, medicine)
        if wrong := why_unknown(raw):
            return self._not_understood(name, raw, UnreadKind.STATUS, wrong, keys)
        return self._read_whole(name, raw, keys, uses, medicine)

    def _of_no_medicine_of_ours(self, name: str, raw: Mapping[str, Any], medicine: Medicine) -> Outcome:
        """One is of no concern when it is identified as another medicine, or when none is taken."""
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
        """A row is of no concern when its codes tell what it is about, and nothing hidden in it says otherwise."""
        if is_void(raw):
            return RowState.ENDED, "entered in error or cancelled"
        is_told = _only_lists(raw) or self._is_identified(raw) or self._is_answered(raw)
        if not (is_told or is_of_something_else(self._content, raw)):
            return self._not_understood(name, raw, UnreadKind.SYSTEM, _NO_CODE)
        if named := named_in_answer(self._content, raw):
            return self._not_understood(name, raw, UnreadKind.WORDS, ONLY_IN_WORDS, named)
        if named := self._named_elsewhere(raw):
            return self._not_understood(name, raw, UnreadKind.WORDS, ELSEWHERE, named)
        return self._unless_hiding(name, raw)

    def _named_beside(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """What the words of a row may be whose codes are ours and too general to say it: pain, in words of the calf."""
        if raw["resourceType"] == "Condition" and not is_over(raw):
            return named_beside_code(self._content, raw.get("code"))
        return named_in_answer(self._content, raw)

    def _named_elsewhere(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        if raw["resourceType"] == "Procedure":  # why it was done and what it found are not read
            return tuple(key for key in named_elsewhere(self._content, raw) if key in SUSPICION)
        return named_elsewhere(self._content, raw) if raw["resourceType"] in WITH_REASONS else ()

    def _suspicion_elsewhere(
        self, raw: Mapping[str, Any], keys: set[str], uses: tuple[CodeUse, ...]
    ) -> tuple[str, ...]:
        """A DVT that a row names outside its codes, which name other things.

        That an order of the DVT pathway stands is an answer to a suspicion: what is ordered, in words, states none.
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
        """Whether the codes of ``raw`` tell what it is about, for one that holds more than its head shows."""
        head = ChartEntry({key: value for key, value in raw.items() if key not in _NOT_ITS_CODES}).head
        return head is not None and head.look(self._content) is Look.IDENTIFIED

    def _is_answered(self, raw: Mapping[str, Any]) -> bool:
        """Whether a question that is not understood has an answer that is: a complaint named in a system we know.

        A mere yes or no says nothing without its question.
        """
        if raw["resourceType"] != "Observation":
            return False
        parts = raw.get("component") or [raw]
        return all(
            self._is_known(part.get("code")) or self._is_known(part.get("valueCodeableConcept")) for part in parts
        )

    def _is_known(self, concept: Any) -> bool:
        """Whether one coding names a thing that is none of ours; a place, a side or a mere answer names none."""
        content = self._content
        pairs = [(coding.get("system"), coding.get("code")) for coding in (concept or {}).get("coding") or ()]
        coded = [(system, code) for system, code in pairs if system and code]
        if any(content.uses_named(system, code) for system, code in coded):
            return False
        return any(content.identifies(system, code) and not _is_list_answer(code) for system, code in coded)

    def _hidden_in(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """What contained resources that are not read may be about."""
        inside = raw.get("contained")
        hiding = [one for one in (inside if isinstance(inside, list) else ()) if kind_of(one) in _CONTAINED_KINDS]
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
        """Only what is about the patient: a focus on somebody or something else is another matter."""
        if any(extension.url == _FOCUS_CODE for extension in _items(model.extension)):
            return self._not_understood(name, raw, UnreadKind.SUBJECT, "is about somebody or something else (focus)")
        for focus in _items(raw.get("focus")):
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
        """What it was measured in and with, as far as that came."""
        pointers = {name: raw[name] for name in ("specimen", "device") if isinstance(raw.get(name), Mapping)}
        if not pointers:
            return {}
        find = finder(raw, self._chart.things, self._chart.owners)
        found = {name: find(str(pointer.get("reference") or "")) for name, pointer in pointers.items()}
        return {name: one for name, one in found.items() if one is not None}

    def _panels_of(self, name: str) -> tuple[observations.Panel | None, ...]:
        """The panels that list ``name``. Each is read once, however many it lists."""
        listing = self._chart.listed_by.get(name, {})
        for one in listing.keys() - self._panels.keys():
            row = self._chart.clinical[one]
            self._panels[one] = observations.panel(row.entry.resource, one, self._findings)
        return tuple(self._panels[one] for one in listing)

    def _not_understood(
        self, name: str, raw: Mapping[str, Any], kind: UnreadKind, reason: str, keys: set[str] | tuple[str, ...] = ()
    ) -> Outcome:
        self._findings.unread.append(self._describing.row(name, kind, reason, raw, keys))
        return RowState.NOT_UNDERSTOOD, reason


def _items(value: Any) -> list[Any]:
    """The items of a repeating element of a model, none if it is absent."""
    return list(value) if value else []


def _is_list_answer(code: str) -> bool:
    """Whether it is an answer of a LOINC list, which says nothing without its question."""
    return code.startswith("LA") and "-" in code


def _only_lists(raw: Mapping[str, Any]) -> bool:
    """Whether it is a panel without a value of its own: what it groups are rows of their own."""
    says = ("value", "_value", "component", "interpretation", "dataAbsentReason")
    return bool(raw.get("hasMember")) and not any(key.startswith(says) for key in raw)


_NOT_ITS_CODES = frozenset({"contained", "hasMember", "medicationReference"})

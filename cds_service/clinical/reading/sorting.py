"""Sort the rows of a chart by type and owner before any of them is read.

Rows of other patients, irrelevant rows and non-resources end here, in the ledger. A resource of another patient or
another server may have the same id as one of this patient; it must not replace it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import NumberUse
from cds_service.clinical.content.names import SUSPICION
from cds_service.clinical.reading import resource_types
from cds_service.clinical.reading.documents import names_of, recognised_in, subject_of, suspicion_in
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.heads import Glance, Look, Reference
from cds_service.clinical.reading.ledger import Ledger
from cds_service.clinical.reading.medicine_identity import (
    Identity,
    finder,
    identifier_names,
    identify,
    medicine_of,
    uses_of_medicine,
)
from cds_service.clinical.reading.own_patient import owners_of, server_of
from cds_service.clinical.reading.passed_rows import PassedRows
from cds_service.clinical.reading.statuses import is_over, is_void, word_of
from cds_service.clinical.reading.unread import Describing
from cds_service.clinical.reading.versions import is_later, which_count
from cds_service.clinical.reading.whose import Belongs, Owner, Owners, local_name
from cds_service.clinical.reading.wording import (
    ELSEWHERE,
    ONLY_IN_WORDS,
    named_at_place,
    named_beside_code,
    named_elsewhere,
    named_in_answer,
    suspected_beside,
)
from cds_service.clinical.record import DOCUMENTS, MEDICINES, WITH_REASONS, RowState, Unread, UnreadKind

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_URN = re.compile(r"urn:uuid:([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")
_DOCUMENT_IS_OVER = frozenset({"superseded", "retired", "revoked", "completed", "cancelled"})
_NOT_A_RESOURCE = "is not a FHIR resource"
_ZONES = 2
"""Days: the largest difference between the written day and the local day."""
_MAX_CODED, _MAX_CODED_BYTES = 4_096, 1_000
"""How many codes of numbers are remembered for all charts as written, and how long one may be."""
_UNSEEN = NumberUse(is_of_concern=False, is_identified=False, days=0)
"""Stands for codes that are not remembered."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row to read. ``copies``: how often exactly this resource occurred."""

    entry: ChartEntry
    kind: str
    copies: int = 1


@dataclass
class Sorted:
    """The rows of a chart.

    Attributes:
        owners: decides who owns a resource.
        patients: the Patient resources of this patient, in the order of the chart.
        clinical: rows to read, by the name used on cards and in orders.
        medications: Medication resources by ``Medication/id``, by ``fullUrl`` and by their identifiers.
        things: Specimens and Devices by ``Type/id`` and by ``fullUrl``.
        structures: this patient's BodyStructures by ``BodyStructure/id`` and by ``fullUrl``.
        listed_by: for each Observation, the panels that list it.
        unread: rows that were not understood.
        others_of_concern: the number of relevant rows that belong to another patient.
        rows: the number of rows of the whole chart.
    """

    owners: Owners
    rows: int
    patients: list[ChartEntry] = field(default_factory=list)
    clinical: dict[str, Row] = field(default_factory=dict)
    medications: dict[str, ChartEntry] = field(default_factory=dict)
    things: dict[str, ChartEntry] = field(default_factory=dict)
    structures: dict[str, ChartEntry] = field(default_factory=dict)
    listed_by: dict[str, dict[str, None]] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    others_of_concern: int = 0


def sort(
    content: Content,
    patient_id: str,
    entries: Sequence[ChartEntry],
    fhir_server: str | None,
    ledger: Ledger,
    describing: Describing,
    check: Callable[[], None],
    today: date,
) -> Sorted:
    """Sort ``entries``. Rows that need no reading are counted in ``ledger``."""
    owners, mine = owners_of(patient_id, entries, fhir_server)
    has_panels = any(entry.lists_members for entry in entries if entry.glance is None)
    looks_back = None if has_panels else _LooksBack.of(mine, today)
    sorting = _Sorting(content, Sorted(owners, len(entries)), mine, ledger, describing, check, looks_back)
    sorting.take_all(entries)
    sorting.finish(entries)
    _sort_panels(sorting.chart)
    return sorting.chart


@dataclass(frozen=True, slots=True)
class _LooksBack:
    """Decides whether a number is too old. Days are compared as FHIR writes them.

    Attributes:
        born: the first day that can be this patient's.
        first: for a number of days, the first day on which a number may still be used.
    """

    born: str
    today: date
    first: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, patients: Sequence[ChartEntry], today: date) -> _LooksBack | None:
        """Return None if a Patient has no plain birth date, because dates could then not be checked."""
        try:
            born = [date.fromisoformat(patient.resource["birthDate"]) for patient in patients]
        except (KeyError, TypeError, ValueError):
            return None
        return cls(max(born).isoformat(), today) if born else None

    def is_too_old(self, day: str, days: int) -> bool:
        """Whether ``day`` is in the patient's life and more than ``days`` days ago, in every time zone."""
        first = self.first.get(days)
        if first is None:
            back = min(days + _ZONES, self.today.toordinal() - 1)
            first = self.first[days] = (self.today - timedelta(days=back)).isoformat()
        return self.born <= day < first


class _Sorting:
    """Sorts one row at a time."""

    def __init__(
        self,
        content: Content,
        chart: Sorted,
        mine: Sequence[ChartEntry],
        ledger: Ledger,
        describing: Describing,
        check: Callable[[], None],
        looks_back: _LooksBack | None,
    ) -> None:
        """``looks_back``: None if every number must be read, because a listed one may take its date from its panel."""
        self.chart = chart
        self._looks_back = looks_back
        self._content = content
        self._mine = frozenset(map(id, mine))
        self._ledger = ledger
        self._describing = describing
        self._check = check
        self._numbers: dict[bytes, NumberUse | None] = {}
        """For the codes of a number as written: what they say; None if a glance does not show it."""
        self._patients: dict[bytes, Belongs | None] = {}
        """For the subject of a number as written: whose it is; None if a glance does not show it."""
        self._subject: Reference | None = None
        """The last subject of a row that was found to be of no concern before; a replay has one for many rows."""
        self._is_anothers = False
        self._servers: dict[str, list[str]] = {}
        self._versions: dict[str, list[ChartEntry]] = {}
        self._kinds: dict[str, str] = {}
        self._medications: list[ChartEntry] = []
        self._identified: dict[str, dict[str | None, ChartEntry]] = {}
        """Medications by the names of their identifiers, and by id."""
        self._unclear: list[tuple[int, ChartEntry, str]] = []
        """Medicines with an unclear owner, with the reason. They are identified at the end."""
        self._documents: list[tuple[int, str, ChartEntry]] = []
        """Rows that contain or list other statements. What they name is examined at the end."""
        self._passed: list[PassedRows] = []
        self._others: dict[str, list[ChartEntry]] = defaultdict(list)
        """Irrelevant rows, by type."""
        self._old: dict[str, list[ChartEntry]] = defaultdict(list)
        """Numbers too old for every rule, by type."""

    def take_all(self, entries: Sequence[ChartEntry]) -> None:
        """Sort all rows: a plain number by its glance, if that shows enough.

        Numbers are most of a long chart, so their way through this loop has as few steps as possible.
        """
        uses, patients = self._numbers, self._patients
        others, old = self._others["Observation"], self._old["Observation"]
        for number, entry in enumerate(entries):
            glance = entry.glance
            if glance is None:
                self._take(number, entry)
                continue
            coded, subject = b"".join((glance.code, glance.category)), bytes(glance.subject)
            try:
                use, belongs = uses[coded], patients[subject]
            except KeyError:
                use, belongs = self._use_as_written(coded, glance), self._owner_as_written(subject, glance)
            if use is None or belongs is None:
                self._take(number, entry)
            elif use.is_identified and belongs.owner is Owner.MINE:
                others.append(entry)
            elif use.days and belongs.owner is Owner.MINE and self._is_too_old(glance.day, use.days):
                old.append(entry)
            else:
                self._sort_in(number, "Observation", entry, belongs, use)

    def _use_as_written(self, coded: bytes, glance: Glance) -> NumberUse | None:
        for_all = self._content.numbers_as_written
        use = self._numbers.get(coded, for_all.get(coded, _UNSEEN))
        if use is _UNSEEN:
            codes = glance.codes()
            use = self._content.use_of_number(*codes) if codes is not None else None
            if len(coded) <= _MAX_CODED_BYTES:
                if len(for_all) >= _MAX_CODED:
                    for_all.clear()
                for_all[coded] = use
        self._numbers[coded] = use
        return use

    def _owner_as_written(self, subject: bytes, glance: Glance) -> Belongs | None:
        patient = glance.patient()
        belongs = self.chart.owners.of_reference(patient) if patient is not None else None
        self._patients[subject] = belongs
        return belongs

    def _take(self, number: int, entry: ChartEntry) -> None:
        """Sort one row."""
        kind = entry.kind
        if isinstance(entry, PassedRows):
            self._take_passed(entry)
        elif kind in resource_types.READ:
            self._take_clinical(number, kind, entry)
        elif kind == "Patient":
            self._take_patient(entry)
        elif kind == "Medication":
            self._take_medication(entry)
        elif kind == "BodyStructure":
            self._take_structure(entry)
        elif kind in resource_types.THINGS:
            names = (f"{kind}/{entry.identity}" if entry.identity else None, entry.full_url)
            self.chart.things.update((name, entry) for name in names if name)
            self._ledger.add(RowState.NO_CONCERN, kind)
        elif kind in DOCUMENTS:
            self._documents.append((number, kind, entry))
        elif kind in resource_types.MAY_SAY_SOMETHING:
            self._take_unusual(number, kind, entry)
        elif kind == "Bundle":
            self._not_understood("", f"entry {number + 1}", UnreadKind.NOT_A_RESOURCE, "is a Bundle in a Bundle", entry)
        elif kind in resource_types.ALL:
            self._ledger.add(RowState.NO_CONCERN, kind)
        else:
            reason = _NOT_A_RESOURCE if kind is None else "is of no resource type of FHIR R4"
            self._not_understood("", f"entry {number + 1}", UnreadKind.NOT_A_RESOURCE, reason, entry)

    def finish(self, entries: Sequence[ChartEntry]) -> None:
        """Choose the latest version of each resource, and finish the rows that depend on other rows."""
        for key, versions in self._versions.items():
            kind = self._kinds[key]
            counting, older = which_count(versions)
            for place, (entry, copies) in enumerate(counting):
                self.chart.clinical[f"{key}~{place}" if place else key] = Row(entry, kind, copies)
            if older:
                self._ledger.add(RowState.ENDED, kind, "an older version", older)
        # An identifier that two Medications have identifies neither.
        for name, found in self._identified.items():
            if len(found) == 1:
                self.chart.medications.update((name, entry) for entry in found.values())
        for entry in self._medications:
            self._finish_medication(entry)
        for number, entry, reason in self._unclear:
            self._finish_unclear(number, entry, reason)
        present = names_of(entries) if self._documents else frozenset()
        for number, kind, entry in self._documents:
            self._finish_document(number, kind, entry, present)
        self._finish_others()

    def _finish_others(self) -> None:
        """Count the rows that need no reading, unless one replaces an older version that would be read."""
        named = {row.entry.identity for row in self.chart.clinical.values() if row.entry.identity is not None}
        for passed in self._passed:
            for version in passed.versions(named):
                self._finish_other("Observation", version)
            self._ledger.add(RowState.NO_CONCERN, "Observation", "", passed.count)
        for state, by_kind in ((RowState.NO_CONCERN, self._others), (RowState.TOO_OLD, self._old)):
            for kind, entries in by_kind.items():
                for entry in [entry for entry in entries if entry.identity in named]:
                    self._finish_other(kind, entry)
                if entries:
                    self._ledger.add(state, kind, "", len(entries))

    def _finish_document(self, number: int, kind: str, entry: ChartEntry, present: frozenset[str]) -> None:
        """Finish a document. A mention of a row in the chart is ignored, because that row is read itself."""
        self._check()
        raw = entry.resource
        belongs = self.chart.owners.of(subject_of(raw), raw.get("contained"))
        if belongs.owner is Owner.ANOTHERS:
            self._ledger.add(RowState.ANOTHER_PATIENT, kind, belongs.reason)
        elif is_void(raw) or word_of(raw, "status") in _DOCUMENT_IS_OVER:
            self._ledger.add(RowState.ENDED, kind, "entered in error, or no longer in force")
        elif named := suspicion_in(self._content, self.chart.owners, entry, present):
            reason = "is of a resource type that this service does not read"
            name = _name(kind, entry, number)
            self._not_understood(kind, name, UnreadKind.INVALID, reason, entry, named)
        else:
            self._ledger.add(RowState.NO_CONCERN, kind)

    def _finish_medication(self, entry: ChartEntry) -> None:
        """Finish a Medication. Rows that refer to it use its codes; those rows are reported if it is not identified."""
        look = self._look_at_medicine(entry)
        state = {Look.OF_CONCERN: RowState.READ, Look.IDENTIFIED: RowState.NO_CONCERN}.get(look)
        reason = "" if state else "no code that this service knows"
        self._ledger.add(state or RowState.NOT_UNDERSTOOD, "Medication", reason)

    def _finish_unclear(self, number: int, entry: ChartEntry, reason: str) -> None:
        """Finish a medicine with an unclear owner. If it is identified as another medicine, it is irrelevant."""
        kind = entry.resource["resourceType"]
        if self._look_at_medicine(entry) is Look.IDENTIFIED:
            self._ledger.add(RowState.NO_CONCERN, kind)
        else:
            self._not_understood(kind, _name(kind, entry, number), UnreadKind.SUBJECT, reason, entry)

    def _look_at_medicine(self, entry: ChartEntry) -> Look:
        """Classify a medicine by its codes and words and by the Medications it refers to."""
        raw = entry.resource
        medicine = medicine_of(raw, finder(raw, self.chart.medications, self.chart.owners))
        if any(use.is_of_concern for use in uses_of_medicine(self._content, medicine)):
            return Look.OF_CONCERN
        is_identified = not medicine.why and identify(self._content, medicine) is Identity.OTHER
        return Look.IDENTIFIED if is_identified else Look.UNIDENTIFIED

    def _finish_other(self, kind: str, entry: ChartEntry) -> None:
        """Use an irrelevant row only if it is a later version of a relevant one; it then replaces that one."""
        key = f"{kind}/{entry.identity}"
        row = self.chart.clinical.get(key)
        if row is None or server_of(entry) != server_of(row.entry):
            return
        if is_later(entry.resource, row.entry.resource):
            del self.chart.clinical[key]
            self._ledger.add(RowState.ENDED, kind, "an older version", row.copies)

    def _take_passed(self, rows: PassedRows) -> None:
        self.chart.rows += rows.count - 1
        belongs = self._owner_of(rows)
        if belongs.owner is Owner.ANOTHERS:
            self._ledger.add(RowState.ANOTHER_PATIENT, "Observation", belongs.reason, rows.count)
        else:
            self._passed.append(rows)

    def _take_clinical(self, number: int, kind: str, entry: ChartEntry) -> None:
        if entry.unconcerning is self._content and not self._belongs_to_another(entry):
            self._others[kind].append(entry)
            return
        self._sort_in(number, kind, entry, self._owner_of(entry), self._use_of_number(entry))

    def _sort_in(
        self, number: int, kind: str, entry: ChartEntry, belongs: Belongs, number_use: NumberUse | None
    ) -> None:
        """Decide how a row ends, or that it must be read. ``number_use``: None if it is not a plain number."""
        look = self._look(entry) if number_use is None else _look_of(number_use)
        if belongs.owner is Owner.ANOTHERS:
            self.chart.others_of_concern += look is Look.OF_CONCERN
            self._ledger.add(RowState.ANOTHER_PATIENT, kind, belongs.reason)
        elif look is Look.IDENTIFIED and number_use is None and (named := self._named_in_words(kind, entry)):
            reason = ELSEWHERE if kind in (*WITH_REASONS, "Procedure") else ONLY_IN_WORDS
            self._not_understood(kind, _name(kind, entry, number), UnreadKind.WORDS, reason, entry, named)
        elif look is Look.IDENTIFIED:
            entry.unconcerning = self._content
            self._others[kind].append(entry)
        elif belongs.owner is Owner.UNCLEAR and kind in MEDICINES:
            self._unclear.append((number, entry, belongs.reason))
        elif belongs.owner is Owner.UNCLEAR:
            name = _name(kind, entry, number)
            self._not_understood(kind, name, UnreadKind.SUBJECT, belongs.reason, entry)
        elif number_use is not None and number_use.days and self._is_too_old(_day_of(entry), number_use.days):
            self._old[kind].append(entry)
        else:
            key = self._key(kind, entry, number)
            self._kinds[key] = kind
            self._versions.setdefault(key, []).append(entry)

    def _belongs_to_another(self, entry: ChartEntry) -> bool:
        subject = entry.head.subject if entry.head is not None else None
        if subject is None or subject is not self._subject:
            self._subject, self._is_anothers = subject, self._owner_of(entry).owner is Owner.ANOTHERS
        return self._is_anothers

    def _named_in_words(self, kind: str, entry: ChartEntry) -> tuple[str, ...]:
        """Return what a row may be about by its words, if its codes do not already answer that. Searched only once."""
        if entry.named is None or entry.named[0] is not self._content:
            entry.named = (self._content, self._search_words(kind, entry))
        return entry.named[1]

    def _search_words(self, kind: str, entry: ChartEntry) -> tuple[str, ...]:
        head = entry.head
        if head is None:
            return ()
        if kind == "Observation":
            if head.valueQuantity is not None and head.component is None:
                return ()
            named = (*named_in_answer(self._content, entry.resource), *named_at_place(self._content, entry.resource))
            return () if named and is_void(entry.resource) else tuple(sorted(set(named)))
        if kind in WITH_REASONS:
            return named_elsewhere(self._content, entry.resource)
        if kind == "Procedure":
            return tuple(key for key in named_elsewhere(self._content, entry.resource) if key in SUSPICION)
        if kind != "Condition":
            return ()
        named = suspected_beside(self._content, entry.resource)
        codings = (head.code.coding if head.code is not None else None) or ()
        if not any(coding.system and self._content.lists_all(coding.system) for coding in codings):
            beside = named_beside_code(self._content, entry.resource.get("code"))
            named = tuple(sorted({*named, *beside, *named_at_place(self._content, entry.resource)}))
        return () if named and is_over(entry.resource) else named

    def _is_too_old(self, day: str | None, days: int) -> bool:
        """Whether a number of ``day`` is older than ``days``."""
        back = self._looks_back
        return day is not None and back is not None and back.is_too_old(day, days)

    def _use_of_number(self, entry: ChartEntry) -> NumberUse | None:
        """Return what the codes of a plain number say about it; None if the row is not one."""
        codes = entry.head.codes_of_number() if entry.head is not None else None
        return self._content.use_of_number(*codes) if codes is not None else None

    def _look(self, entry: ChartEntry) -> Look:
        return entry.head.look(self._content) if entry.head is not None else Look.OF_CONCERN

    def _owner_of(self, entry: ChartEntry) -> Belongs:
        head = entry.head
        subject = head.subject if head is not None else None
        if subject is not None and (reference := subject.plain) is not None:
            return self.chart.owners.of_reference(reference)
        resource = entry.resource
        return self.chart.owners.of(resource.get("subject"), resource.get("contained"))

    def _key(self, kind: str, entry: ChartEntry, number: int) -> str:
        """Return the row's name, made different from the same id on another server."""
        name = _name(kind, entry, number)
        servers = self._servers.setdefault(name, [])
        server = server_of(entry)
        if server not in servers:
            servers.append(server)
        place = servers.index(server)
        return f"{name}~server{place + 1}" if place else name

    def _take_patient(self, entry: ChartEntry) -> None:
        if id(entry) in self._mine:
            self.chart.patients.append(entry)
        else:
            self._ledger.add(RowState.ANOTHER_PATIENT, "Patient", "is another patient")

    def _take_medication(self, entry: ChartEntry) -> None:
        if entry.identity is None and not entry.full_url:
            reason = "has no id, so nothing can refer to it"
            self._not_understood("Medication", "Medication/(no id)", UnreadKind.INVALID, reason, entry)
            return
        for name in (f"Medication/{entry.identity}", entry.full_url):
            if name:
                self.chart.medications[name] = entry
        for name in identifier_names(entry.resource):
            self._identified.setdefault(name, {})[entry.identity or entry.full_url] = entry
        self._medications.append(entry)

    def _take_structure(self, entry: ChartEntry) -> None:
        """Keep a BodyStructure as a place. The resource that refers to it states what is there."""
        belongs = self.chart.owners.of(entry.resource.get("patient"))
        if belongs.owner is Owner.ANOTHERS:
            self._ledger.add(RowState.ANOTHER_PATIENT, "BodyStructure", belongs.reason)
            return
        if belongs.owner is Owner.MINE:
            names = (f"BodyStructure/{entry.identity}" if entry.identity else None, entry.full_url)
            self.chart.structures.update((name, entry) for name in names if name)
        self._ledger.add(RowState.NO_CONCERN, "BodyStructure")

    def _take_unusual(self, number: int, kind: str, entry: ChartEntry) -> None:
        """Handle a type that is not read: report it if it names something relevant."""
        self._check()
        raw = entry.resource
        belongs = self.chart.owners.of(subject_of(raw), raw.get("contained"))
        if belongs.owner is Owner.ANOTHERS:
            self._ledger.add(RowState.ANOTHER_PATIENT, kind, belongs.reason)
            return
        if is_void(raw):
            self._ledger.add(RowState.ENDED, kind, "entered in error or cancelled")
            return
        recognised = recognised_in(self._content, entry)
        if recognised.keys or (recognised.at_our_place and kind not in resource_types.PICTURES):
            reason = "is of a resource type that this service does not read"
            self._not_understood(kind, _name(kind, entry, number), UnreadKind.INVALID, reason, entry)
        else:
            self._ledger.add(RowState.NO_CONCERN, kind)

    def _not_understood(
        self, kind: str, name: str, unread: UnreadKind, reason: str, entry: ChartEntry, keys: tuple[str, ...] = ()
    ) -> None:
        self._check()
        self.chart.unread.append(self._describing.row(name, unread, reason, entry.resource, keys))
        self._ledger.add(RowState.NOT_UNDERSTOOD, kind, reason)


def _look_of(use: NumberUse) -> Look:
    if use.is_of_concern:
        return Look.OF_CONCERN
    return Look.IDENTIFIED if use.is_identified else Look.UNIDENTIFIED


def _day_of(entry: ChartEntry) -> str | None:
    return entry.head.day if entry.head is not None else None


def _sort_panels(chart: Sorted) -> None:
    """Record for each Observation which valid panels of this patient list it."""
    rows = chart.clinical
    panels = [name for name, row in rows.items() if row.kind == "Observation" and row.entry.lists_members]
    if not panels:
        return
    names = {row.entry.full_url: name for name, row in rows.items() if row.entry.full_url}
    for name in sorted(panels):
        raw = rows[name].entry.resource
        members = raw.get("hasMember")
        if members is None or word_of(raw, "status") in ("entered-in-error", "cancelled"):
            continue
        for member in members if isinstance(members, list) else [members]:
            reference = member.get("reference", "") if isinstance(member, dict) else None
            if not isinstance(reference, str):
                chart.unread.append(Unread(name, UnreadKind.INVALID, "is not valid FHIR R4 at hasMember"))
            elif reference in names:
                chart.listed_by.setdefault(names[reference], {})[name] = None
            elif chart.owners.is_here(reference):
                chart.listed_by.setdefault(local_name(reference), {})[name] = None


def has_own_name(entry: ChartEntry) -> bool:
    """Whether cards and orders never name this row by its number in the chart."""
    is_resource = entry.kind in resource_types.ALL and entry.kind != "Bundle"
    return is_resource and entry.identity is not None and _ID.fullmatch(entry.identity) is not None


def _name(kind: str, entry: ChartEntry, number: int) -> str:
    """Return the resource's name for cards and orders. It contains only a FHIR id or a UUID, or the entry number."""
    identity = entry.identity
    if identity is not None and _ID.fullmatch(identity):
        return f"{kind}/{identity}"
    if entry.full_url and (uuid := _URN.fullmatch(entry.full_url)):
        return f"{kind}/{uuid[1]}"
    return f"{kind}/(entry {number + 1}, no id)"

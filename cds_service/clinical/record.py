"""What was read from a chart: facts with their sources, and the parts that could not be read."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal


class Status(StrEnum):
    """Three-valued status. Missing data is UNKNOWN, never ABSENT (evidence F.1 step 1)."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Side(StrEnum):
    """The leg a fact is about; BODY for facts about the whole patient."""

    RIGHT = "right"
    LEFT = "left"
    BOTH = "both"
    UNKNOWN = "unknown"
    BODY = "body"

    @property
    def words(self) -> str:
        """The side as words for a sentence: ``right leg``, ``both legs``, ``side not recorded``."""
        return {"right": "right leg", "left": "left leg", "both": "both legs", "body": "body"}.get(
            self.value, "side not recorded"
        )


@dataclass(frozen=True, slots=True)
class When:
    """A recorded date, which may be imprecise.

    A month or a year alone can mean any of its days. ``day`` is the latest day it can mean, ``earliest`` the first.
    Whether a finding counts as present uses ``day``, so that an imprecise date never makes a sign too old. Anything
    that could lower urgency uses ``earliest``.

    Attributes:
        text: the date as recorded, in ISO 8601.
        at: the exact moment with its time zone, if a time of day is recorded.
        ahead: the date is in the future, by less than a day, which time zones can explain. Such a date may raise
            urgency but never lower it.
    """

    day: date
    text: str
    earliest: date
    at: datetime | None = None
    ahead: bool = False

    def is_surely_after(self, other: When) -> bool:
        """Whether this is certainly later than ``other``.

        Compares times of day if both have one, otherwise whole days.
        """
        if self.at is not None and other.at is not None:
            return self.at > other.at
        return self.earliest > other.day

    def may_be_after(self, other: When) -> bool:
        """Whether this could be later than ``other``.

        If only this date has a time of day, it could be later than anything on the same day. If it has none, two dates
        on the same day count as the same moment.
        """
        if self.at is None:
            return self.day > other.earliest
        return self.day >= other.earliest if other.at is None else self.at > other.at


@dataclass(frozen=True, slots=True)
class Measured:
    """The number that a finding is based on, in the base unit of the measure.

    For a measure that compares the legs, ``value`` is how much larger this leg is.

    Attributes:
        measure: key of the measure in the content.
        comparator: ``<``, ``<=``, ``>=``, ``>``, or empty.
    """

    measure: str
    value: float
    comparator: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One coded statement in this patient's record.

    Attributes:
        key: key of the finding in the content.
        clinical: when it was true (effective, onset, performed); None if not recorded.
        recorded: when it was written down.
        source: ``Type/id`` of the resource, with ``#n`` for the n-th component.
        ongoing: an active problem or medicine; it does not become too old because it began long ago.
        provisional: preliminary or unconfirmed; used for red flags, not for ranking.
        doubtful: part of its entry was not understood. It may raise urgency but never lower it.
        substance: for a medicine, the drug as named in the content; empty for a drug class.
        follows_from: the recorded facts it was derived from; empty if an entry states it directly.
        measured: the number it is based on, if any.
        part: for a finding with several parts, the part that its code names.
        assessed_by: for an answer given on the assessment page of this service, the name of who gave it, empty if the
            entry names nobody; None for any other fact. It is used on cards only.
    """

    key: str
    status: Status
    side: Side
    clinical: When | None
    recorded: When | None
    source: str
    ongoing: bool = False
    provisional: bool = False
    doubtful: bool = False
    substance: str = ""
    follows_from: tuple[Fact, ...] = ()
    measured: Measured | None = None
    part: str = ""
    assessed_by: str | None = None

    @property
    def stated(self) -> tuple[Fact, ...]:
        """The facts stated in the chart: the facts this one follows from, or the fact itself."""
        return self.follows_from or (self,)

    @property
    def when(self) -> When | None:
        """The clinical date, else the recorded one (evidence F.5)."""
        return self.clinical or self.recorded

    @property
    def ahead(self) -> bool:
        """Whether one of its dates is in the future. Such a fact may raise urgency but never lower it."""
        return any(when is not None and when.ahead for when in (self.clinical, self.recorded))


RefutationLimit = Literal["refuted_narrow", "refuted_some_veins", "refuted_other_leg", "refuted_in_part"]
"""Why a refutation does not exclude DVT in this whole leg.

It names only some veins or another leg, or not everything was examined.
"""


class DiagnosisState(StrEnum):
    """Whether a coded diagnosis is current, past or refuted."""

    CURRENT = "current"
    PAST = "past"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause coded by a clinician.

    Attributes:
        reasoned: the entry gives evidence or a note for its status.
        limit: why its refutation may not cover the deep veins of this whole leg; None if it does.
        doubtful: part of the entry was not understood. It may raise urgency but never lower it.
    """

    cause: str
    state: DiagnosisState
    side: Side
    clinical: When | None
    recorded: When | None
    source: str
    reasoned: bool = False
    doubtful: bool = False
    limit: RefutationLimit | None = None

    @property
    def when(self) -> When | None:
        """The clinical date, else the recorded one."""
        return self.clinical or self.recorded

    @property
    def ahead(self) -> bool:
        """Whether one of its dates is in the future. Such a diagnosis may raise urgency but never lower it."""
        return any(when is not None and when.ahead for when in (self.clinical, self.recorded))


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order already in the chart.

    Attributes:
        active: it is being carried out. An order on hold counts as not active and not completed.
        reasons: keys of the causes and findings named by its reason codes.
    """

    order: str
    side: Side
    active: bool
    completed: bool
    when: When | None
    source: str
    reasons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stop:
    """A drug recorded as stopped, paused or not taken.

    Attributes:
        key: the finding that taking the drug would show.
        substance: the drug; empty if only its class is named.
        when: the date of that record.
    """

    key: str
    substance: str
    when: When | None
    source: str


class RowState(StrEnum):
    """What happened to one row of a chart. Every row ends in exactly one of these states."""

    READ = "read"
    NO_CONCERN = "of_no_concern"
    ANOTHER_PATIENT = "another_patient"
    ENDED = "ended"
    TOO_OLD = "too_old"
    NOT_UNDERSTOOD = "not_understood"


@dataclass(frozen=True, slots=True, order=True)
class LedgerLine:
    """The number of rows of one resource type that ended in one state.

    ``reason`` explains the state in plain words; empty if no explanation is needed.
    """

    state: RowState
    resource: str
    reason: str
    count: int


MEDICINES = frozenset(
    {"MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense", "Medication"}
)
"""Resource types that name a medicine."""


WITH_REASONS = frozenset({"Encounter", "ServiceRequest", "DiagnosticReport"})
"""Resource types whose reasons or conclusions describe the patient, possibly only in words."""


DOCUMENTS = frozenset({"CarePlan", "Composition", "DeviceRequest", "DocumentReference", "Goal", "List", "RequestGroup"})
"""Resource types that contain or list other statements. They are not read.

They are only searched for a mention of DVT that no row of the chart accounts for.
"""


class UnreadKind(StrEnum):
    """Why part of the chart could not be turned into facts."""

    INVALID = "invalid"
    VALUE = "value"
    SIDE = "side"
    DATE = "date"
    PLACE = "place"
    STATUS = "status"
    SYSTEM = "system"
    UNCODED = "uncoded"
    WORDS = "words"
    SUBJECT = "subject"
    NOT_A_RESOURCE = "not_a_resource"


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of the chart that was not understood, described in plain words and without its content.

    Attributes:
        source: ``Type/id`` of the resource, with ``#n`` for the n-th component; ``entry n`` if it is not a resource.
        keys: the findings or causes that its codes or words name, as far as they could be recognised.
        anything: nothing shows what it is about, so it may be anything a resource of its type can contain.
        when: its date, if it could be read.
        categories: FHIR categories of an Observation; they show what it cannot be.
        measured: it contains a number.
        past: its own status shows that it is over.
        in_words: it has only words, and none of them is known here.
        side: for a reason in words, the leg that the words name.
        digest: changes when the content of the row changes, so that an edited entry counts as new.
    """

    source: str
    kind: UnreadKind
    reason: str
    keys: tuple[str, ...] = ()
    anything: bool = False
    when: When | None = None
    categories: frozenset[str] = frozenset()
    measured: bool = False
    past: bool = False
    in_words: bool = False
    side: Side = Side.UNKNOWN
    digest: str = field(default="", compare=False)

    @property
    def resource(self) -> str:
        """The resource type; empty if it is not a resource."""
        kind, slash, _ = self.source.partition("/")
        return kind if slash or kind == "Patient" else ""


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient of the chart."""

    id: str
    birth: When | None = None
    sex: str | None = None
    deceased: bool = False

    def age_on(self, day: date) -> int | None:
        """Completed years, or None if the birth date is unknown or after ``day``."""
        if self.birth is None or self.birth.day > day:
            return None
        born = self.birth.day
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


@dataclass(frozen=True, slots=True)
class Record:
    """A whole chart as read. The order of each sequence does not depend on the order of the entries.

    Attributes:
        stops: drugs recorded as stopped or not taken.
        set_aside: how many entries were understood but do not count, by reason (entered in error, cancelled ...).
        ledger: what happened to each row; the counts add up to ``entries``.
        not_whole: keys of the missing or incomplete parts of the chart (``observations``, ``conditions`` ...).
        came_in_part: those of ``not_whole`` of which some resources came.
        others_of_concern: the number of relevant rows that belong to another patient.
    """

    patient: Patient
    facts: tuple[Fact, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    orders: tuple[PlacedOrder, ...] = ()
    unread: tuple[Unread, ...] = ()
    stops: tuple[Stop, ...] = ()
    set_aside: tuple[tuple[str, int], ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    not_whole: frozenset[str] = frozenset()
    came_in_part: frozenset[str] = frozenset()
    entries: int = 0
    others_of_concern: int = 0

    def rows(self, state: RowState, types: Container[str] | None = None) -> int:
        """Return how many rows ended in ``state``, of the given resource types or of all."""
        return sum(
            line.count for line in self.ledger if line.state is state and (types is None or line.resource in types)
        )

"""What a chart says, after reading and before judging: facts with their sources, and what could not be read."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal


class Status(StrEnum):
    """Three-valued: a missing record is UNKNOWN, never ABSENT (evidence F.1 step 1)."""

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
        """For a sentence: ``right leg``, ``both legs``, ``side not recorded``."""
        return {"right": "right leg", "left": "left leg", "both": "both legs", "body": "body"}.get(
            self.value, "side not recorded"
        )


@dataclass(frozen=True, slots=True)
class When:
    """A day as recorded. ``day`` is the latest and ``earliest`` the first day that an imprecise date can mean.

    Presence counts from the latest day, so that a sign is never too old by imprecision; what could lower urgency
    counts from the earliest. ``text`` is ISO 8601 as recorded.

    Attributes:
        at: the moment, with its time zone, when a time of day is recorded.
        ahead: it lies after now, by less than the day that time zones explain. Such a date may raise, never lower.
    """

    day: date
    text: str
    earliest: date
    at: datetime | None = None
    ahead: bool = False

    def is_surely_after(self, other: When) -> bool:
        """Whether this is later than ``other``: by the time of day where both have one, else by whole days."""
        if self.at is not None and other.at is not None:
            return self.at > other.at
        return self.earliest > other.day

    def may_be_after(self, other: When) -> bool:
        """Whether this may be later than ``other``.

        Where only this has a time of day, it may be after anything of its day; otherwise one day is one moment.
        """
        if self.at is None:
            return self.day > other.earliest
        return self.day >= other.earliest if other.at is None else self.at > other.at


@dataclass(frozen=True, slots=True)
class Measured:
    """The number behind a fact: ``measure`` of the content, and ``value`` in its base unit.

    Of a measure that compares the legs: by how much this leg is larger. ``comparator``: ``<``, ``<=``, ``>=``, ``>`` or
    empty.
    """

    measure: str
    value: float
    comparator: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One coded statement in this patient's record.

    Attributes:
        key: a finding of the content.
        clinical: when it was so (effective, onset, performed); None if not recorded.
        recorded: when it was written down.
        source: ``Type/id`` of the resource, with ``#n`` for the n-th component.
        ongoing: an active problem or medicine, so that its start does not make it old.
        provisional: preliminary or unconfirmed; used for red flags, not for ranking.
        doubtful: something in its entry was not understood. It may raise urgency, never lower it.
        substance: of a medicine, the drug as the content names it; empty for a class of drugs.
        follows_from: what is recorded and makes it so, where no entry states it as such.
        measured: the number that shows it, where one does. part: which part of a finding with several its code names.
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

    @property
    def stated(self) -> tuple[Fact, ...]:
        """What entries of the chart state: itself, or what it follows from."""
        return self.follows_from or (self,)

    @property
    def when(self) -> When | None:
        """The clinical date, else the recorded one (evidence F.5)."""
        return self.clinical or self.recorded

    @property
    def ahead(self) -> bool:
        """Whether one of its dates lies after now: it may raise urgency, never lower it."""
        return any(when is not None and when.ahead for when in (self.clinical, self.recorded))


RefutationLimit = Literal["refuted_narrow", "refuted_some_veins", "refuted_other_leg", "refuted_in_part"]
"""How far a refutation does not reach: it names some veins, or another leg, or not all was examined."""


class DiagnosisState(StrEnum):
    """Where a coded diagnosis stands."""

    CURRENT = "current"
    PAST = "past"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause coded by a clinician.

    Attributes:
        reasoned: the entry holds evidence or a note for its status.
        limit: why its refutation may not be of the deep veins of this whole leg; None if it is.
        doubtful: something in the entry was not understood. It may raise urgency, never lower it.
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
        """Whether one of its dates lies after now: it may raise urgency, never lower it."""
        return any(when is not None and when.ahead for when in (self.clinical, self.recorded))


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order already in the chart.

    Attributes:
        active: it is being carried out; an order that is on hold is neither active nor completed.
        reasons: causes and findings its reason codes name.
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
    """A drug that is recorded as stopped, paused or not taken.

    Attributes:
        key: the finding that taking it would show.
        substance: the drug; empty if only its class is named.
        when: the date of that record.
    """

    key: str
    substance: str
    when: When | None
    source: str


class RowState(StrEnum):
    """What became of one row of a chart. Every row that came ends in exactly one of these."""

    READ = "read"
    NO_CONCERN = "of_no_concern"
    ANOTHER_PATIENT = "another_patient"
    ENDED = "ended"
    TOO_OLD = "too_old"
    NOT_UNDERSTOOD = "not_understood"


@dataclass(frozen=True, slots=True, order=True)
class LedgerLine:
    """So many rows of one resource type that ended in one state. ``reason``: in our words, empty if it needs none."""

    state: RowState
    resource: str
    reason: str
    count: int


MEDICINES = frozenset(
    {"MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense", "Medication"}
)
"""Resource types that name a medicine."""


WITH_REASONS = frozenset({"Encounter", "ServiceRequest", "DiagnosticReport"})
"""Resource types whose reasons or conclusions say something of the patient, be it in words."""


DOCUMENTS = frozenset({"CarePlan", "Composition", "DeviceRequest", "DocumentReference", "Goal", "List", "RequestGroup"})
"""Resource types that hold or list what others say, and are not read. Of these only a DVT is named that no row that
came is told to be.
"""


class UnreadKind(StrEnum):
    """Why a part of the chart did not become facts."""

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
    """A part of the chart that was not understood, in our own words and without its content.

    Attributes:
        source: ``Type/id`` of the resource, with ``#n`` for the n-th component; ``entry n`` for what is no resource.
        keys: findings or causes that its codes or words name, as far as they could be seen.
        anything: nothing in it tells what it is about, so it may be anything that a resource of its type can say.
        when: its date, as far as it could be seen.
        categories: FHIR's own categories of an Observation, which tell what it cannot be.
        measured: it holds a number.
        past: its own status says that it is over.
        in_words: it says in words only what it is about, and the words are none of ours.
        side: of a reason in words, the leg that the words name.
        digest: changes with what the row says, so that the same entry with another content is news.
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
        """The resource type; empty for what is no resource."""
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
    """A whole chart as read. Sequences are in a fixed order that does not depend on the order of entries.

    Attributes:
        stops: drugs recorded as stopped or not taken.
        set_aside: counts, by reason, of what was understood and does not count (entered in error, cancelled ...).
        ledger: every row that came, by what became of it; the counts add up to ``entries``.
        not_available: parts of the chart that did not come whole, in words for a clinician.
        not_whole: the same parts by their keys (``observations``, ``conditions``, ``medications`` ...).
        others_of_concern: rows of concern that are another patient's.
    """

    patient: Patient
    facts: tuple[Fact, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    orders: tuple[PlacedOrder, ...] = ()
    unread: tuple[Unread, ...] = ()
    stops: tuple[Stop, ...] = ()
    set_aside: tuple[tuple[str, int], ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    not_available: tuple[str, ...] = ()
    not_whole: frozenset[str] = frozenset()
    entries: int = 0
    others_of_concern: int = 0

    def rows(self, state: RowState, types: Container[str] | None = None) -> int:
        """How many rows, of the resource ``types`` or of all, ended in ``state``."""
        return sum(
            line.count for line in self.ledger if line.state is state and (types is None or line.resource in types)
        )

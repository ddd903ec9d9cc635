"""What a chart says, after reading and before judging: facts with their sources, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


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
    """

    day: date
    text: str
    earliest: date


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
    """

    key: str
    status: Status
    side: Side
    clinical: When | None
    recorded: When | None
    source: str
    ongoing: bool = False
    provisional: bool = False

    @property
    def when(self) -> When | None:
        """The clinical date, else the recorded one (evidence F.5)."""
        return self.clinical or self.recorded


class DiagnosisState(StrEnum):
    """Where a coded diagnosis stands."""

    CURRENT = "current"
    PAST = "past"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause coded by a clinician. ``reasoned``: the entry holds evidence or a note for its status."""

    cause: str
    state: DiagnosisState
    side: Side
    clinical: When | None
    recorded: When | None
    source: str
    reasoned: bool = False

    @property
    def when(self) -> When | None:
        """The clinical date, else the recorded one."""
        return self.clinical or self.recorded


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order already in the chart. ``reasons``: causes and findings its reason codes name."""

    order: str
    side: Side
    completed: bool
    when: When | None
    source: str
    reasons: frozenset[str]


class UnreadKind(StrEnum):
    """Why a part of the chart did not become facts."""

    INVALID = "invalid"
    VALUE = "value"
    SIDE = "side"
    DATE = "date"
    PLACE = "place"
    OTHER_PATIENT = "other_patient"
    NOT_A_RESOURCE = "not_a_resource"


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of the chart that could not be read, in our own words and without its content.

    ``keys``: findings or causes its codes name, as far as they could be seen.
    """

    source: str
    kind: UnreadKind
    reason: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose chart it is."""

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

    ``set_aside``: counts, by reason, of what was understood and does not count (entered in error, cancelled ...).
    """

    patient: Patient
    facts: tuple[Fact, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    orders: tuple[PlacedOrder, ...] = ()
    unread: tuple[Unread, ...] = ()
    set_aside: tuple[tuple[str, int], ...] = ()
    not_available: tuple[str, ...] = ()
    entries: int = 0

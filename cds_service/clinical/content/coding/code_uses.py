"""What a code means here: the finding, cause, measure, place or answer it names, and how exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

LegSide = Literal["right", "left", "both"]
Relation = Literal["exact", "narrower", "broader", "question", "not"]
UseKind = Literal["finding", "cause", "measure", "present", "absent", "unknown", "site", "order"]
UseStatus = Literal["", "possible", "past", "absent", "due", "weeks"]


@dataclass(frozen=True, slots=True)
class CodeUse:
    """The meaning of a code: ``key`` of a finding, cause, measure, body site or order, or an answer.

    Attributes:
        relation: how exactly the code matches the key.
        narrowed_by: body sites that make a broader code match.
        stem: length of the code as written in the content.
        endings: the leg named by each ending of a longer ICD code.
        substance: the drug that a medicine code names; empty for a drug class.
        status: what the code itself states: only possible, past or absent, or that the value beside it is the expected
            date of its end or its age in weeks. Empty: it is present.
        part: the part that the code names, for a finding with several parts; empty if none.
    """

    kind: UseKind
    key: str
    relation: Relation = "exact"
    side: LegSide | None = None
    narrowed_by: tuple[str, ...] = ()
    anywhere: bool = False
    stem: int = 0
    endings: tuple[tuple[str, LegSide], ...] = ()
    substance: str = ""
    status: UseStatus = ""
    part: str = ""

    @property
    def is_of_concern(self) -> bool:
        """Whether a resource with such a code must be read. Answers and places only qualify other codes."""
        return self.relation != "not" and self.kind in ("finding", "cause", "measure", "order")

    def of_longer(self, code: str) -> CodeUse:
        """Return the same use with the leg named by the rest of ``code``, by its longest matching ending."""
        if not self.endings:
            return self
        rest = code[self.stem :]
        matching = [(len(ending), side) for ending, side in self.endings if rest.startswith(ending)]
        return replace(self, side=max(matching)[1]) if matching else self


class Coded(Protocol):
    """A coding of a chart."""

    @property
    def system(self) -> str | None:
        """Its system, as written; None if it names none."""

    @property
    def code(self) -> str | None:
        """Its code; None if it has none."""


@dataclass(frozen=True, slots=True)
class NumberUse:
    """What the codes of a number say about it.

    Attributes:
        is_of_concern: it must be read.
        is_identified: a code shows that it is about something else.
        days: after how many days no rule uses it; 0 without such a limit.
    """

    is_of_concern: bool
    is_identified: bool
    days: int


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One normalised code of the content, in the system at ``address``."""

    address: str
    code: str
    use: CodeUse

"""What a code means here: the finding, cause, measure, place or answer it names, and how closely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

LegSide = Literal["right", "left", "both"]
Relation = Literal["exact", "narrower", "broader", "question", "not"]
UseKind = Literal["finding", "cause", "measure", "present", "absent", "unknown", "site", "order"]
UseStatus = Literal["", "possible", "past", "absent", "due", "weeks"]


@dataclass(frozen=True, slots=True)
class CodeUse:
    """What a code means here: ``key`` of a finding, cause, measure, body site or order, or an answer.

    ``stem`` is the length of the code it was written with; ``endings`` say which leg a longer ICD code names.
    ``substance``: the drug that the code of a medicine names; empty for a class of drugs.
    ``status``: what the code itself says of it: only possible, past, that it is not there, or that the value beside
    it is the date at which it is due to end, or its age in weeks. Empty: it is there.
    ``part``: which part of a finding with several the code names; empty if not one of them.
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
        """Whether a resource with such a code has to be read; answers and places only go with others."""
        return self.relation != "not" and self.kind in ("finding", "cause", "measure", "order")

    def of_longer(self, code: str) -> CodeUse:
        """The same use with the leg that the rest of ``code`` names, by its longest matching ending."""
        if not self.endings:
            return self
        rest = code[self.stem :]
        matching = [(len(ending), side) for ending, side in self.endings if rest.startswith(ending)]
        return replace(self, side=max(matching)[1]) if matching else self


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One code of the content, normalised, of the system at ``address``."""

    address: str
    code: str
    use: CodeUse

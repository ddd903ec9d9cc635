"""Looking a code up: what it means here, and for ICD codes also what everything below it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from cds_service.clinical.codes import Code, is_icd, is_known, is_sequela

LegSide = Literal["right", "left", "both"]
Relation = Literal["exact", "narrower", "broader", "question"]
UseKind = Literal["finding", "cause", "measure", "present", "absent", "unknown", "site", "order"]

_CODES_REMEMBERED = 32_768
_SYSTEMS_REMEMBERED = 1_024
_SHORTEST_ICD = 3


@dataclass(frozen=True, slots=True)
class CodeUse:
    """What a code means here: ``key`` of a finding, cause, measure, body site or order, or an answer.

    ``stem`` is the length of the code it was written with; ``endings`` say which leg a longer ICD code names.
    ``substance``: the drug that the code of a medicine names; empty for a class of drugs.
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

    @property
    def is_of_concern(self) -> bool:
        """Whether a resource with such a code has to be read; answers and places only go with others."""
        return self.kind in ("finding", "cause", "measure", "order")

    def of_longer(self, code: str) -> CodeUse:
        """The same use with the leg that the rest of ``code`` names, by its longest matching ending."""
        rest = code[self.stem :]
        matching = [(len(ending), side) for ending, side in self.endings if rest.startswith(ending)]
        return replace(self, side=max(matching)[1]) if matching else self


class CodeIndex:
    """All codes of the content. Answers are remembered: charts repeat the same few hundred codes."""

    def __init__(self, uses: Iterable[tuple[Code, CodeUse]]) -> None:
        table: dict[Code, list[CodeUse]] = {}
        for code, use in uses:
            table.setdefault(code, []).append(use)
        self._table = {code: tuple(found) for code, found in table.items()}
        self.find = lru_cache(maxsize=_CODES_REMEMBERED)(self._find)
        self.find_current = lru_cache(maxsize=_CODES_REMEMBERED)(self._find_current)
        self.concerns = lru_cache(maxsize=_CODES_REMEMBERED)(self._concerns)
        self.may_concern = lru_cache(maxsize=_CODES_REMEMBERED)(self._may_concern)
        self.knows_system = lru_cache(maxsize=_SYSTEMS_REMEMBERED)(self._knows_system)
        self._systems = tuple(sorted({code.system for code in self._table}))

    def _find_current(self, system: str, code: str) -> tuple[CodeUse, ...]:
        return () if is_sequela(Code.of(system, code)) else self.find(system, code)

    def _concerns(self, system: str, code: str) -> bool:
        return any(use.is_of_concern for use in self.find(system, code))

    def _may_concern(self, code: str) -> bool:
        return any(use.is_of_concern for use in self.find_anywhere(code))

    def find_anywhere(self, code: str) -> tuple[CodeUse, ...]:
        """What ``code`` means in any of our systems, for a code whose own system is not known."""
        return tuple(use for system in self._systems for use in self._find(system, code))

    def _knows_system(self, system: str) -> bool:
        return is_known(system) or Code.of(system, "").system in self._systems

    def _find(self, system: str, code: str) -> tuple[CodeUse, ...]:
        wanted = Code.of(system, code)
        if not is_icd(wanted.system):
            return self._table.get(wanted, ())
        found: dict[tuple[UseKind, str], CodeUse] = {}
        for length in range(len(wanted.code), _SHORTEST_ICD - 1, -1):
            for use in self._table.get(Code(wanted.system, wanted.code[:length]), ()):
                found.setdefault((use.kind, use.key), use.of_longer(wanted.code))
        return tuple(found.values())

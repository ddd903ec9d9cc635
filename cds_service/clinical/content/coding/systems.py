"""The code systems of the world as ``cards/vocabulary/systems.toml`` lists them: how each is spelt and written.

A system is known under many addresses: its URI, OIDs, old and misspelt ones, with a version or an edition behind it.
What was spelt once is a look-up afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cds_service.clinical.content.coding.codes import Code, mod10_holds, verhoeff_holds, verhoeff_holds_for_all
from cds_service.clinical.content.coding.expressions import Expression

Notation = Literal["exact", "snomed", "loinc", "tree", "icd9", "ndc"]
_REMEMBERED = 2_048
_FEW = 50
"""Up to so many codes are as quickly checked one by one."""
_SCHEME = re.compile(r"https?://(www\.)?", re.IGNORECASE)
_SNOMED_EDITION = re.compile(r"(snomed\.info/sct)/([0-9]{6,18})(/.*)?")
_ICD11_RELEASE = re.compile(r"(id\.who\.int/icd/release/11)/[0-9]{4}-[0-9]{2}(/.*)")
_CORE_MODULES = "9000000000"
_BETWEEN = str.maketrans("", "", ".- ")
_NDC_PARTS = (5, 4, 2)
_MARKS_BEHIND = "+*!#"
"""Dagger, asterisk and their like, which records write behind an ICD code."""
_LOINC_PART = re.compile(r"L[A-Z][0-9]{1,7}-[0-9]")
"""Answers, parts, lists and groups of LOINC, whose check digits follow another scheme."""
_MODIFIER = re.compile(r"(===|<<<)")
"""What may stand before an expression: whether it is equal to what follows, or below it."""


@dataclass(frozen=True, slots=True)
class System:
    """One code system.

    Attributes:
        key: its short name in our content.
        uri: its canonical address.
        notation: how its codes are written: see ``cards/README.md``.
        shape: what a whole code looks like as it is written; None if anything may be one.
        base: the system whose meanings it keeps where it says nothing else; empty for none.
        unlike_base: codes, normalised, at and below which it does not.
        lender: the system whose codes are often sent under this one's address; empty for none.
        own: codes, normalised, that are this system's own although nothing here is said about them.
        holds_none: it holds none of our findings.
        medicines: its codes are those of medicines, so that words beside one say which it is.
        in_part: our codes of it are so few that a code which is none of them does not tell that it is of no concern.
        clusters: its codes are joined: ``BD71.4&XK8G/2C60``, where what follows an ``&`` says more of the code before.
        neutral_attributes: attributes of expressions that leave a finding what it is, whatever their value.
    """

    key: str
    uri: str
    notation: Notation = "exact"
    shape: re.Pattern[str] | None = None
    base: str = ""
    unlike_base: frozenset[str] = frozenset()
    lender: str = ""
    own: frozenset[str] = frozenset()
    holds_none: bool = False
    medicines: bool = False
    in_part: bool = False
    clusters: bool = False
    neutral_attributes: frozenset[str] = frozenset()

    @property
    def is_tree(self) -> bool:
        """Whether a code also means everything below it: whatever begins with it."""
        return self.notation in ("tree", "icd9", "ndc")

    def normal(self, code: str) -> str:
        """``code`` in the one form in which codes of this system are compared."""
        code = code.strip()
        if self.notation == "tree":
            return code.upper().translate(_BETWEEN)
        if self.notation == "icd9":
            return _icd9(code)
        return _ndc(code) if self.notation == "ndc" else code

    @property
    def normaliser(self) -> Callable[[str], str]:
        """``normal``, for long lists of codes."""
        return self.normal if self.is_tree else str.strip

    def cluster(self, code: str) -> list[list[str]]:
        """The codes of a cluster, each with what says more of it; one code if it is none."""
        return [[part.strip() for part in stem.split("&")] for stem in code.split("/")] if self.clusters else [[code]]

    def may_be_of_it(self, code: str) -> bool:
        """Whether ``code``, with or without its dots and in any case, is written as codes of this system are."""
        loose = _loose(self.shape) if self.shape is not None else None
        return loose is None or bool(loose.fullmatch(code.strip().upper() if self.notation == "tree" else code.strip()))

    def can_be_code(self, code: str) -> bool:
        """Whether ``code``, as a record writes it, can be one of this system: its shape and check digit hold."""
        written = code.strip()
        if self.notation == "snomed":
            return self._can_be_expression(written)
        if self.notation == "loinc" and _LOINC_PART.fullmatch(written):
            return True
        if not self.is_tree:
            return self.shape is None or not self.malformed([written])
        plain = self.normal(written).rstrip(_MARKS_BEHIND)
        if any(map(str.isspace, written)) or not (plain.isascii() and plain.isalnum()):
            return False
        forms = (written, plain.removeprefix("P") if self.notation == "icd9" else plain)
        return self.shape is None or any(_with_ending(self.shape).fullmatch(one) for one in forms)

    def _can_be_expression(self, written: str) -> bool:
        if Expression.is_simple(written):
            return not self.malformed([written])
        expression = Expression.parse(_MODIFIER.sub("", written, count=1))
        return bool(expression.focus) and expression.is_whole and not self.malformed(expression.concepts)

    def malformed(self, codes: Sequence[str]) -> list[tuple[int, str]]:
        """Which of ``codes``, as they are written in our content, cannot be one: their places, and why."""
        checks: list[tuple[Callable[[str], object], str]] = []
        if self.shape is not None:
            checks.append((self.shape.fullmatch, f"is not written as codes of {self.key} are"))
        if self.notation == "snomed" and not (len(codes) > _FEW and verhoeff_holds_for_all(codes)):
            checks.append((verhoeff_holds, "the SNOMED CT check digit does not hold"))
        if self.notation == "loinc":
            checks.append((_loinc_holds, "the LOINC check digit does not hold"))
        for holds, why in checks:
            if not all(map(holds, codes)):
                return [(place, f"{code}: {why}") for place, code in enumerate(codes) if not holds(code)]
        return []


@lru_cache(maxsize=256)
def _loose(shape: re.Pattern[str]) -> re.Pattern[str]:
    """The same shape where dots may be missing, as in many records."""
    return re.compile(shape.pattern.replace(r"\.", r"\.?"), re.IGNORECASE)


@lru_cache(maxsize=256)
def _with_ending(shape: re.Pattern[str]) -> re.Pattern[str]:
    """The loose shape with up to two characters behind it: countries add digits to the codes of a hierarchy."""
    return re.compile(f"(?:{_loose(shape).pattern})[0-9A-Z]{{0,2}}", re.IGNORECASE)


def _loinc_holds(code: str) -> bool:
    """Published answer codes (LA33-6 Yes) follow another scheme than plain mod 10."""
    return code.startswith("LA") or mod10_holds(code)


def _icd9(code: str) -> str:
    """Diagnoses only: a procedure (two digits before the dot) shares the address, and is none of them."""
    before, dot, behind = code.upper().partition(".")
    return f"P{before}{behind}" if dot and len(before) == 2 and before.isdigit() else before + behind


def _ndc(code: str) -> str:
    """Labeler, product and package in 5, 4 and 2 digits, of which the package may be missing."""
    parts = code.split("-")
    if len(parts) == 1:
        return code
    return "".join(part.zfill(width) for part, width in zip(parts, _NDC_PARTS, strict=False))


class Systems:
    """All systems, by any address under which one is known."""

    def __init__(self, systems: Iterable[tuple[System, Iterable[str]]]) -> None:
        """``systems``: each with its addresses; one that ends in ``*`` means every address that begins so."""
        self._by_key: dict[str, System] = {}
        self._by_address: dict[str, System] = {}
        beginnings: list[tuple[str, System]] = []
        for system, addresses in systems:
            self._by_key[system.key] = system
            for address in (system.uri, *addresses):
                if address.endswith("*"):
                    beginnings.append((plain_address(address[:-1], keep_slash=True), system))
                else:
                    self._by_address.setdefault(plain_address(address), system)
        self._beginnings = tuple(sorted(beginnings, key=lambda one: -len(one[0])))
        self.of = lru_cache(maxsize=_REMEMBERED)(self._of)

    def _of(self, address: str) -> System | None:
        """The system that ``address`` names; None if it is none of ours."""
        plain = plain_address(address)
        found = self._by_address.get(plain)
        if found is not None:
            return found
        return next((system for begin, system in self._beginnings if plain.startswith(begin)), None)

    def named(self, key: str) -> System | None:
        """The system of this short name."""
        return self._by_key.get(key)

    @property
    def by_key(self) -> Mapping[str, System]:
        """Every system by its short name."""
        return self._by_key

    def code(self, address: str, code: str) -> Code:
        """``code`` of the system at ``address``, both normalised; an unknown address and its codes stay as they are."""
        system = self.of(address)
        return Code(address, code.strip()) if system is None else Code(system.uri, system.normal(code))


def plain_address(address: str, *, keep_slash: bool = False) -> str:
    """An address without what tells no systems apart: scheme, case, version, edition, closing slash, ``urn:oid:``."""
    plain = _SCHEME.sub("", address.strip().split("|", 1)[0].strip(), count=1).lower().removeprefix("urn:oid:")
    if not keep_slash:
        plain = plain.rstrip("/")
    if release := _ICD11_RELEASE.fullmatch(plain):
        return release[1] + release[2]
    edition = _SNOMED_EDITION.fullmatch(plain)
    return edition[1] if edition and _is_module(edition[2]) else plain


def _is_module(sctid: str) -> bool:
    """Whether it can name an edition: a concept of an extension, or one of the core's own modules."""
    return sctid[-3:-1] == "10" or sctid.startswith(_CORE_MODULES)

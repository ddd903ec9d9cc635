"""The code systems listed in ``cards/vocabulary/systems.toml``, with their addresses and notation.

A system has many addresses: its URI, OIDs, old and misspelt ones, and forms with a version or an edition. Normalised
addresses are cached.
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
"""Up to this number, checking codes one by one is as fast."""
_SCHEME = re.compile(r"https?://(www\.)?", re.IGNORECASE)
_SNOMED_EDITION = re.compile(r"(snomed\.info/sct)/([0-9]{6,18})(/.*)?")
_ICD11_RELEASE = re.compile(r"(id\.who\.int/icd/release/11)/[0-9]{4}-[0-9]{2}(/.*)")
_CORE_MODULES = "9000000000"
_BETWEEN = str.maketrans("", "", ".- ")
_NDC_PARTS = (5, 4, 2)
_MARKS_BEHIND = "+*!#"
"""Dagger, asterisk and similar marks that records append to an ICD code."""
_LOINC_PART = re.compile(r"L[A-Z][0-9]{1,7}-[0-9]")
"""Answers, parts, lists and groups of LOINC, whose check digits follow another scheme."""
_MODIFIER = re.compile(r"(===|<<<)")
"""The optional operator before an expression: equal to it, or below it."""


@dataclass(frozen=True, slots=True)
class System:
    """One code system.

    Attributes:
        key: its short name in our content.
        uri: its canonical address.
        notation: how its codes are written: see ``cards/README.md``.
        shape: the pattern of a whole code as written; None if there is no fixed pattern.
        base: the system whose meanings apply where this one has none of its own; empty if none.
        unlike_base: normalised codes for which, and below which, they do not apply.
        lender: the system whose codes are often sent under this one's address; empty if none.
        own: normalised codes that belong to this system although nothing here uses them.
        holds_none: it contains none of our findings.
        medicines: its codes are medicines, so that the words beside a code name the medicine.
        in_part: we know so few of its codes that an unknown code may still be relevant.
        clusters: its codes can be joined: in ``BD71.4&XK8G/2C60``, the part after ``&`` details the code before it.
        neutral_attributes: attributes of expressions that never change the finding, whatever their value.
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
        """Whether a code also covers all codes that begin with it."""
        return self.notation in ("tree", "icd9", "ndc")

    def normal(self, code: str) -> str:
        """Return ``code`` in the form used for comparing codes of this system."""
        code = code.strip()
        if self.notation == "tree":
            return code.upper().translate(_BETWEEN)
        if self.notation == "icd9":
            return _icd9(code)
        return _ndc(code) if self.notation == "ndc" else code

    @property
    def normaliser(self) -> Callable[[str], str]:
        """``normal`` in a faster form for long lists of codes."""
        return self.normal if self.is_tree else str.strip

    def cluster(self, code: str) -> list[list[str]]:
        """Return the codes of a cluster, each followed by its details; a single code if it is not a cluster."""
        return [[part.strip() for part in stem.split("&")] for stem in code.split("/")] if self.clusters else [[code]]

    def may_be_of_it(self, code: str) -> bool:
        """Whether ``code``, with or without dots and in any case, has the form of codes of this system."""
        loose = _loose(self.shape) if self.shape is not None else None
        return loose is None or bool(loose.fullmatch(code.strip().upper() if self.notation == "tree" else code.strip()))

    def can_be_code(self, code: str) -> bool:
        """Whether ``code``, as written in a record, can belong to this system by its shape and check digit."""
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
        return self.shape is None or any(_with_ending(self.shape).fullmatch(form) for form in forms)

    def _can_be_expression(self, written: str) -> bool:
        if Expression.is_simple(written):
            return not self.malformed([written])
        expression = Expression.parse(_MODIFIER.sub("", written, count=1))
        return bool(expression.focus) and expression.is_whole and not self.malformed(expression.concepts)

    def malformed(self, codes: Sequence[str]) -> list[tuple[int, str]]:
        """Return (index, reason) for each of ``codes``, as written in our content, that is not valid."""
        checks: list[tuple[Callable[[str], object], str]] = []
        if self.shape is not None:
            checks.append((self.shape.fullmatch, f"does not have the form of {self.key} codes"))
        if self.notation == "snomed" and not (len(codes) > _FEW and verhoeff_holds_for_all(codes)):
            checks.append((verhoeff_holds, "the SNOMED CT check digit is wrong"))
        if self.notation == "loinc":
            checks.append((_loinc_holds, "the LOINC check digit is wrong"))
        for holds, why in checks:
            if not all(map(holds, codes)):
                return [(place, f"{code}: {why}") for place, code in enumerate(codes) if not holds(code)]
        return []


@lru_cache(maxsize=256)
def _loose(shape: re.Pattern[str]) -> re.Pattern[str]:
    """Return the shape with optional dots, because many records omit them."""
    return re.compile(shape.pattern.replace(r"\.", r"\.?"), re.IGNORECASE)


@lru_cache(maxsize=256)
def _with_ending(shape: re.Pattern[str]) -> re.Pattern[str]:
    """Return the loose shape with up to two more characters, because countries add digits to the codes."""
    return re.compile(f"(?:{_loose(shape).pattern})[0-9A-Z]{{0,2}}", re.IGNORECASE)


def _loinc_holds(code: str) -> bool:
    """Published answer codes (LA33-6 Yes) do not use plain mod 10, so they always pass."""
    return code.startswith("LA") or mod10_holds(code)


def _icd9(code: str) -> str:
    """Normalise a diagnosis code. A procedure (two digits before the dot) has the same address; it gets a P."""
    before, dot, behind = code.upper().partition(".")
    return f"P{before}{behind}" if dot and len(before) == 2 and before.isdigit() else before + behind


def _ndc(code: str) -> str:
    """Normalise to labeler, product and package with 5, 4 and 2 digits; the package may be missing."""
    parts = code.split("-")
    if len(parts) == 1:
        return code
    return "".join(part.zfill(width) for part, width in zip(parts, _NDC_PARTS, strict=False))


class Systems:
    """All systems, by any of their addresses."""

    def __init__(self, systems: Iterable[tuple[System, Iterable[str]]]) -> None:
        """``systems``: each with its addresses. An address that ends in ``*`` stands for all that begin with it."""
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
        self._beginnings = tuple(sorted(beginnings, key=lambda beginning: -len(beginning[0])))
        self.of = lru_cache(maxsize=_REMEMBERED)(self._of)

    def _of(self, address: str) -> System | None:
        """Return the system that ``address`` names; None if it is unknown."""
        plain = plain_address(address)
        system = self._by_address.get(plain)
        if system is not None:
            return system
        return next((system for begin, system in self._beginnings if plain.startswith(begin)), None)

    def named(self, key: str) -> System | None:
        """Return the system with this short name."""
        return self._by_key.get(key)

    @property
    def by_key(self) -> Mapping[str, System]:
        """Every system by its short name."""
        return self._by_key

    def code(self, address: str, code: str) -> Code:
        """Return ``code`` of the system at ``address``, both normalised; unchanged if the address is unknown."""
        system = self.of(address)
        return Code(address, code.strip()) if system is None else Code(system.uri, system.normal(code))


def plain_address(address: str, *, keep_slash: bool = False) -> str:
    """Return the address without scheme, case, version, edition, closing slash and ``urn:oid:``.

    These parts do not distinguish systems.
    """
    plain = _SCHEME.sub("", address.strip().split("|", 1)[0].strip(), count=1).lower().removeprefix("urn:oid:")
    if not keep_slash:
        plain = plain.rstrip("/")
    if release := _ICD11_RELEASE.fullmatch(plain):
        return release[1] + release[2]
    edition = _SNOMED_EDITION.fullmatch(plain)
    return edition[1] if edition and _is_module(edition[2]) else plain


def _is_module(sctid: str) -> bool:
    """Whether this can name an edition: a concept of an extension, or one of the core's own modules."""
    return sctid[-3:-1] == "10" or sctid.startswith(_CORE_MODULES)

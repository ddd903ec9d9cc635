"""Code systems as types, and checks that reject an invalid code when the content is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

SystemName = Literal[
    "snomed",
    "loinc",
    "icd10cm",
    "icd10",
    "rxnorm",
    "cpt",
    "finding",
    "interpretation",
    "data-absent-reason",
    "null-flavor",
    "v2-yes-no",
    "kbv_side",
]

FINDING_SYSTEM = "https://posterior-knee-cds.example/fhir/CodeSystem/finding"
ASSESSMENT_SYSTEM = "https://posterior-knee-cds.example/fhir/CodeSystem/assessment"
ASSESSMENT_CODE, ASSESSMENT_NAME = "wells-two-level", "Two-level Wells score"
"""Of the Observation that the assessment page writes."""

URI: dict[SystemName, str] = {
    "snomed": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
    "icd10cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd10": "http://hl7.org/fhir/sid/icd-10",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "cpt": "http://www.ama-assn.org/go/cpt",
    "finding": FINDING_SYSTEM,
    "interpretation": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "data-absent-reason": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    "null-flavor": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
    "v2-yes-no": "http://terminology.hl7.org/CodeSystem/v2-0136",
    "kbv_side": "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_SEITENLOKALISATION",
}
UCUM = "http://unitsofmeasure.org"

_ICD_SHAPE = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")
_LOINC_SHAPE = re.compile(r"(LA)?[0-9]{1,7}-[0-9]")
_SNOMED_SHAPE = re.compile(r"[1-9][0-9]{5,17}")

# Verhoeff's scheme: the dihedral group D5 and its permutation.
_D5 = [[(i + j) % 5 if j < 5 else 5 + (i + j) % 5 for j in range(10)] for i in range(5)] + [
    [5 + (i - j) % 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(5)
]
_BASE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permutations() -> list[list[int]]:
    table = [list(range(10))]
    for _ in range(7):
        table.append([_BASE[n] for n in table[-1]])
    return table


_PERMUTE = _permutations()


def _pair_table() -> list[list[list[int]]]:
    """Return a table for two digits at once: [place of the last digit // 2][value so far][both digits] -> value.

    The long lists contain thousands of SNOMED CT codes, and all are checked at every start.
    """
    return [
        [
            [_D5[_D5[value][_PERMUTE[place][pair % 10]]][_PERMUTE[place + 1][pair // 10]] for pair in range(100)]
            for value in range(10)
        ]
        for place in range(0, 8, 2)
    ]


_BY_PAIRS = _pair_table()


@dataclass(frozen=True, slots=True)
class Code:
    """A code in its system. ``code`` is always a string, because long SNOMED CT ids do not fit a float."""

    system: str
    code: str


def verhoeff_holds(digits: str) -> bool:
    """Whether the last digit is the Verhoeff check digit of the others (SNOMED CT identifiers)."""
    left = int(digits)
    check = 0
    for step in range(len(digits) // 2):
        left, pair = divmod(left, 100)
        check = _BY_PAIRS[step % 4][check][pair]
    if len(digits) % 2:
        check = _D5[check][_PERMUTE[(len(digits) - 1) % 8][left]]
    return check == 0


_TENS = bytes(10 * value for value in range(10)).ljust(256, b"\0")
_PERMUTED = [bytes(row[digit - 48] if 48 <= digit < 58 else 0 for digit in range(256)) for row in _PERMUTE]
_D5_OF_TENS = bytes(_D5[pair // 10][pair % 10] for pair in range(100)).ljust(256, b"\0")


def verhoeff_holds_for_all(codes: Iterable[str]) -> bool:
    """Whether ``verhoeff_holds`` for all codes; also False if one is not a number.

    Built for thousands of codes: each step handles the same digit of all codes of one length, one byte per code.
    """
    by_length: dict[int, list[str]] = {}
    for code in codes:
        by_length.setdefault(len(code), []).append(code)
    return all(_verhoeff_of_length(length, "".join(same)) for length, same in by_length.items())


def _verhoeff_of_length(length: int, joined: str) -> bool:
    if not (joined.isascii() and joined.isdigit()):
        return False
    digits, count = joined.encode(), len(joined) // length
    check = bytes(count)
    for step in range(length):
        digit = digits[length - 1 - step :: length].translate(_PERMUTED[step % 8])
        # Tens and units never carry, so adding two long numbers adds the digits of every code.
        both = int.from_bytes(check.translate(_TENS), "big") + int.from_bytes(digit, "big")
        check = both.to_bytes(count, "big").translate(_D5_OF_TENS)
    return not any(check)


def mod10_holds(code: str) -> bool:
    """Whether the digit after the hyphen is the mod-10 check digit of a LOINC code (not of LA answer codes)."""
    number, _, check = code.partition("-")
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(check)


def why_malformed(system: SystemName, code: str) -> str | None:
    """Return what is wrong with ``code`` in ``system``, or None if its shape and check digit are valid."""
    if system == "snomed":
        if not _SNOMED_SHAPE.fullmatch(code):
            return "a SNOMED CT code has 6 to 18 digits"
        return None if verhoeff_holds(code) else "the SNOMED CT check digit is wrong"
    if system == "loinc":
        if not _LOINC_SHAPE.fullmatch(code):
            return "a LOINC code looks like 48065-7 or LA33-6"
        # Published answer codes (LA33-6 Yes, LA11882-0 Detected) do not use plain mod 10.
        return None if code.startswith("LA") or mod10_holds(code) else "the LOINC check digit is wrong"
    if system in ("icd10cm", "icd10"):
        return None if _ICD_SHAPE.fullmatch(code) else "an ICD-10 code looks like M25.56"
    if system == "rxnorm":
        return None if code.isdigit() else "an RxNorm code has digits only"
    return None


def system_names() -> tuple[str, ...]:
    """Return every short system name that content may use."""
    return get_args(SystemName)

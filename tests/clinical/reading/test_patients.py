"""The Patient: which copy counts, and that a date of death to come is no death (evidence F.5: deceased = nothing)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from tests.charts import days_ago, judged, patient, read
from tests.clinical.dvt.signs import level, on

SIGNS = [on("pain_calf"), on("calf_swelling"), on("warmth")]


def updated(when: Any, **fields: Any) -> dict[str, Any]:
    return patient(**fields, meta={"lastUpdated": when})


COPIES = [
    {"birth": "2015-01-01"},
    {"deceasedBoolean": True},
    {"deceasedDateTime": days_ago(30)},
    {"gender": "male"},
]


@pytest.mark.parametrize("copy", COPIES, ids=str)
@pytest.mark.parametrize(
    ("asked_for", "included"),
    [
        ("2026-03-12T10:00:00.500Z", "2026-03-12T10:00:00Z"),
        ("2026-03-12T10:00:00Z", "2026-03-12T11:30:00+02:00"),
        ("2026-03-12T10:00:00Z", "2024-01-01T00:00:00Z"),
        ("2026-03-12T10:00:00Z", None),
        (None, None),
        ("2026-03-12T10:00:00Z", "2026-03-12T10:00:00Z"),
        ("2026-03-12T10:00:00Z", "yesterday"),
    ],
)
def test_an_older_copy_changes_nothing(content: Content, copy: dict[str, Any], asked_for: Any, included: Any) -> None:
    own = updated(asked_for)
    found = read(content, *SIGNS, updated(included, **copy), who=own).patient
    assert found == read(content, *SIGNS, who=own).patient


@pytest.mark.parametrize(
    "newer", ["2026-03-12T10:00:00.001Z", "2026-03-12T11:00:00+00:00", "2026-03-12T09:00:00-03:00"]
)
def test_a_newer_copy_counts(content: Content, newer: str) -> None:
    own = updated("2026-03-12T10:00:00Z")
    assert (
        read(content, updated(newer, birth="1950-01-01"), who=own).patient.birth != read(content, who=own).patient.birth
    )


@pytest.mark.parametrize(
    "when",
    [
        days_ago(-1),
        days_ago(-400),
        "2027",
        "2026-04",
        "2026-03-16T20:00:00Z",
        "2026-03-17T12:00:00+02:00",
        "2099-12-31",
    ],
)
def test_a_death_to_come_is_none(content: Content, when: str) -> None:
    who = patient(deceasedDateTime=when)
    assert judged(content, *SIGNS, who=who).legs[0].dvt.suspected
    assert [one.resource for one in read(content, *SIGNS, who=who).unread] == ["Patient"]


@pytest.mark.parametrize("when", [days_ago(0), days_ago(9), "2025", "2026-02", "2026-03-16T14:00:00Z"])
def test_a_death_that_has_been_is_the_end(content: Content, when: str) -> None:
    assert not judged(content, *SIGNS, who=patient(deceasedDateTime=when)).legs


@pytest.mark.parametrize("dead", ["true", 1, "yes", ["2020-01-01"], {"value": True}])
def test_a_death_that_cannot_be_read_is_told(content: Content, dead: Any) -> None:
    for name in ("deceasedBoolean", "deceasedDateTime"):
        record = read(content, *SIGNS, who=patient(**{name: dead}))
        assert not record.patient.deceased
        assert [one.resource for one in record.unread] == ["Patient"]


def test_no_patient_at_all_is_judged_as_an_adult(content: Content) -> None:
    """F.5: of unknown age, treat as adult for red flags."""
    assert level(content, *SIGNS) == "critical"
    nobody = {"resourceType": "Patient", "id": "somebody-else", "birthDate": "2015-01-01"}
    assert judged(content, *SIGNS, who=nobody).legs[0].dvt.suspected

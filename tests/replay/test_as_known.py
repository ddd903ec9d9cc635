"""A chart is judged as it was known when it was opened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from cds_service.clinical.reading import ChartEntry
from cds_service.replay.as_known import known_at
from cds_service.replay.chart import StagedEntry
from cds_service.replay.openings import openings_of
from cds_service.replay.options import Options
from cds_service.replay.rows import Row

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
TERMS = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def entry(resource: dict[str, Any]) -> StagedEntry:
    return StagedEntry(Row("p", resource["resourceType"], "x", orjson.dumps(resource)), AT)


def known(resource: dict[str, Any], at: datetime = AT) -> list[ChartEntry]:
    return list(known_at([entry(resource)], at))


@pytest.mark.parametrize(
    ("dates", "is_known"),
    [
        ({"issued": "2026-03-10T08:59:00Z"}, True),
        ({"issued": "2026-03-10T09:01:00Z"}, False),
        ({"issued": "2026-03-10T10:30:00+02:00"}, True),
        ({"issued": "2026-03-11T09:00:00Z", "effectiveDateTime": "2026-03-01"}, False),
        ({"issued": "2026-03-09T09:00:00Z", "effectiveDateTime": "2026-03-12"}, True),
        ({"effectiveDateTime": "2026-03-10"}, True),
        ({"effectiveDateTime": "2026-03-11"}, False),
        ({"effectiveDateTime": "2026-03"}, True),
        ({"effectiveDateTime": "2026-04"}, False),
        ({"effectivePeriod": {"start": "2026-03-12", "end": "2026-03-13"}}, False),
        ({"effectiveDateTime": "yesterday"}, True),
        ({}, True),
    ],
)
def test_what_is_written_down_later_is_not_known(dates: dict[str, Any], is_known: bool) -> None:
    assert bool(known({"resourceType": "Observation", "status": "final", **dates})) is is_known


@pytest.mark.parametrize(("day", "status"), [("2026-03-09", "resolved"), ("2026-03-12", "active")])
def test_a_problem_that_ended_later_was_active(day: str, status: str) -> None:
    problem = {
        "resourceType": "Condition",
        "onsetDateTime": "2026-03-01",
        "abatementDateTime": day,
        "clinicalStatus": {"coding": [{"system": TERMS, "code": "resolved"}]},
    }
    (found,) = known(problem)
    assert found.resource["clinicalStatus"]["coding"][0]["code"] == status
    assert ("abatementDateTime" in found.resource) == (status == "resolved")


def test_who_died_later_was_alive() -> None:
    (found,) = known({"resourceType": "Patient", "id": "p", "deceasedDateTime": "2026-05-01"})
    assert "deceasedDateTime" not in found.resource
    (dead,) = known({"resourceType": "Patient", "id": "p", "deceasedDateTime": "2026-02-01"})
    assert dead.resource["deceasedDateTime"] == "2026-02-01"


def test_a_medicine_that_was_stopped_later_was_taken() -> None:
    period = {"start": "2026-01-01", "end": "2026-04-01"}
    (found,) = known({"resourceType": "MedicationStatement", "status": "stopped", "effectivePeriod": period})
    assert found.resource["status"] == "active"
    assert found.resource["effectivePeriod"] == {"start": "2026-01-01"}


@pytest.mark.parametrize("status", [["finished"], {"code": "finished"}, 7, None])
def test_a_status_of_the_wrong_type_stays_as_it_is(status: Any) -> None:
    """The reading reports it. It must not end the judging of the whole chart."""
    period = {"start": "2026-03-01T09:00:00Z", "end": "2026-04-01"}
    (found,) = known({"resourceType": "Encounter", "status": status, "period": period})
    assert found.resource["status"] == status
    assert found.resource["period"] == {"start": period["start"]}
    assert moments([visit("a", None, status=status, period=period)]) == ["03-01 09:00"]


def visit(identity: str, start: str | None, **more: Any) -> StagedEntry:
    period = {"start": start} if start else {}
    resource = {"resourceType": "Encounter", "id": identity, "status": "finished", "period": period, **more}
    return StagedEntry(Row("p", "Encounter", identity, orjson.dumps(resource)), AT)


def moments(entries: list[StagedEntry], **options: Any) -> list[str]:
    found = openings_of(entries, Options("in", Path("out"), **options), datetime(2026, 12, 31, tzinfo=UTC))
    return [one.at.strftime("%m-%d %H:%M") for one in found]


def test_each_encounter_that_took_place_is_an_opening() -> None:
    visits = [
        visit("b", "2026-03-02T10:00:00Z"),
        visit("a", "2026-03-01T09:00:00Z", period={"start": "2026-03-01T09:00:00Z", "end": "2026-03-01"}),
        visit("a", "2026-03-01T09:00:00Z"),
        visit("c", "2026-03-03", status="cancelled"),
        visit("d", "2026-03-04", status="planned"),
        visit("e", None),
        visit("f", "2027-03-04"),
    ]
    assert moments(visits) == ["03-01 09:00", "03-02 10:00"]
    assert moments(visits, since=datetime(2026, 3, 2, tzinfo=UTC)) == ["03-02 10:00"]
    assert moments(visits, each="encounter-end") == ["03-01 23:59", "03-02 10:00"]


def test_every_so_many_days_from_the_first_to_the_last_row() -> None:
    rows = [
        entry({"resourceType": "Observation", "issued": day})
        for day in ("2026-01-01T00:00:00Z", "2026-03-05T00:00:00Z", "2026-01-20T00:00:00Z")
    ]
    assert moments(rows, every=30) == ["01-01 00:00", "01-31 00:00", "03-02 00:00"]


def test_what_was_recorded_earlier_in_the_hour_that_comes_twice_is_known() -> None:
    before, now = (
        datetime(2025, 11, 2, *time, tzinfo=UTC).astimezone(ZoneInfo("America/New_York")) for time in ((5, 40), (6, 10))
    )
    row = {"resourceType": "Observation", "id": "a", "issued": "2025-11-02T05:50:00Z"}
    entries = [StagedEntry(Row("p", "Observation", "a", orjson.dumps(row)), now)]
    assert list(known_at(entries, now)) == entries
    assert list(known_at(entries, before)) == []

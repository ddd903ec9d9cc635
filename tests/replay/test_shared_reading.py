"""A chart is read once for all its openings, and each is judged as if its chart had come alone, as it was that day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.record import RowState
from cds_service.replay.judge import Judge
from cds_service.replay.labels import NO, UNKNOWN
from cds_service.replay.options import Options
from cds_service.service.evaluate import Service
from tests.charts import LEFT_CALF, LOINC, named, observation, patient
from tests.conftest import NOW
from tests.population import END, export, like_examples
from tests.replay import sharing
from tests.replay.sharing import Noting, Resource, alone, assert_each_opening_as_alone, assert_same, scanned, written

SODIUM = {"coding": [{"system": LOINC, "code": "2951-2", "display": "Sodium"}]}
D_DIMER = {"coding": [{"system": LOINC, "code": "48067-3"}]}


@pytest.fixture
def noting() -> Noting:
    return sharing.noting()


def cut(resources: list[Resource], at: datetime) -> Iterator[Resource]:
    """The rows of an invented patient that were written down by ``at``, with visits that went on then unfinished."""
    for one in resources:
        written_down = next((one[name] for name in ("issued", "recordedDate", "authoredOn") if name in one), None)
        period = one.get("period", {})
        if datetime.fromisoformat(written_down or period.get("start") or "2000-01-01T00:00:00Z") > at:
            continue
        if "end" in period and datetime.fromisoformat(period["end"]) > at:
            one = {**one, "period": {"start": period["start"]}, "status": "in-progress"}
        yield one


@pytest.mark.parametrize("seed", [1, 2])
def test_each_opening_of_an_invented_patient_is_judged_as_its_chart_cut_by_hand(
    noting: Noting, tmp_path: Path, seed: int
) -> None:
    truth = export(tmp_path / "in", 60, seed=seed, padding=25)
    judge = Judge(noting, Options("in", tmp_path), KeyedHash("k" * 32), END, 60)
    texts: dict[str, list[Resource]] = {}
    for path in sorted((tmp_path / "in").iterdir()):
        for resource in map(orjson.loads, path.read_bytes().splitlines()):
            who = resource["id"] if path.name.startswith("Patient") else resource["subject"]["reference"][8:]
            texts.setdefault(who, []).append(resource)
    compared = cards = 0
    for who, rows in scanned(noting.content, tmp_path / "in").items():
        assert sum(row.times for row in rows if row.numbers) > 20, "most rows are numbers of no concern"
        noting.noted.clear()
        judge.chart(who, rows)
        answers = list(noting.noted)
        visits = sorted((one["period"]["start"], one["id"]) for one in texts[who] if one["resourceType"] == "Encounter")
        for (start, visit), found in zip(visits, answers, strict=True):
            at = datetime.fromisoformat(start)
            assert_same(found, alone(noting, who, list(cut(texts[who], at)), visit, at))
            compared += 1
            cards += len(found.cards)
    assert compared == truth.openings
    assert cards > 20


def test_each_opening_of_a_patient_like_an_example_is_judged_as_its_chart_alone(noting: Noting, tmp_path: Path) -> None:
    people = list(like_examples(80))
    source = written(tmp_path / "in", *(row for rows in people for row in rows))
    charts = scanned(noting.content, source)
    for resources in people:
        (who,) = (one["id"] for one in resources if one["resourceType"] == "Patient")
        assert_each_opening_as_alone(noting, charts[who], list(resources), Options("in", tmp_path, every=60))


def number(code: Any = SODIUM, **more: Any) -> Resource:
    quantity = {"value": 140, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    changes: Resource = {"id": "n", "valueQuantity": quantity, "issued": "2026-03-15T08:00:00Z", **more}
    row = {**observation(code), **changes}
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize(
    "row",
    [
        number(D_DIMER),
        number({"coding": [{"system": LOINC, "code": "no-such-code"}]}),
        number({"text": "Sodium"}),
        number("calf_swelling"),
        number(component=[]),
        number(valueString="high"),
        number(hasMember=[{"reference": "Observation/m"}]),
        number(contained=[{"resourceType": "Patient", "id": "x"}]),
        number(bodySite={"coding": [{"code": LEFT_CALF}]}),
        number(category={"coding": []}),
        number(code={"coding": {}}),
        number(valueQuantity=140),
        number(subject={"reference": "Patient/p", "identifier": {"system": "urn:x", "value": "1"}}),
        number(subject={"reference": "Patient/p", "type": "Patient"}),
        number(subject={"reference": "Patient/p/_history/2"}),
        number(issued=None, effectiveDateTime=None),
        number(issued="yesterday"),
        number(id="an id with blanks"),
        number(meta=[]),
    ],
)
def test_a_row_that_may_count_is_kept_whole(service: Service, tmp_path: Path, row: Resource) -> None:
    rows = scanned(service.content, written(tmp_path / "in", patient(), row, number(id="m")))["p"]
    kept = {one.id: (one.numbers, one.resource) for one in rows}
    assert kept[row["id"]] == (b"", orjson.dumps(row))
    assert kept["m"][0]
    assert kept["m"][1] == b""


@pytest.mark.parametrize("later", [True, False])
def test_a_number_of_no_concern_may_be_a_later_version_of_one_of_concern(
    noting: Noting, tmp_path: Path, later: bool
) -> None:
    first, second = ({"lastUpdated": f"2026-03-1{day}T08:00:00Z"} for day in (2, 3))
    resources = [
        patient(),
        observation("calf_swelling", site=LEFT_CALF),
        number(D_DIMER, meta=first if later else second),
        number(SODIUM, meta=second if later else first),
    ]
    judge = Judge(noting, Options("in", tmp_path, at=NOW), KeyedHash("k" * 32), NOW, 60)
    judge.chart("p", scanned(noting.content, written(tmp_path / "in", *resources))["p"])
    (found,) = list(noting.noted)
    assert_same(found, alone(noting, "p", resources, None, NOW))
    states = {(line.state.value, line.reason) for line in found.assessment.record.ledger}
    assert (("ended", "an older version") in states) is later


def test_a_number_of_another_patient_in_the_rows_of_a_chart_is_counted_as_such(noting: Noting, tmp_path: Path) -> None:
    other = number(id="other", subject={"reference": "Patient/q"})
    rows = scanned(noting.content, written(tmp_path / "in", patient(), number(), other))
    assert rows["q"][0].numbers
    judge = Judge(noting, Options("in", tmp_path, at=NOW), KeyedHash("k" * 32), NOW, 60)
    judge.chart("p", [*rows["p"], *rows["q"]])
    (found,) = list(noting.noted)
    assert_same(found, alone(noting, "p", [patient(), number(), other], None, NOW))
    assert found.assessment.record.rows(RowState.ANOTHER_PATIENT) == 1


def test_a_number_of_no_concern_replaces_a_row_only_once_it_is_known(noting: Noting, tmp_path: Path) -> None:
    first, second = ({"lastUpdated": f"2026-03-1{day}T08:00:00Z"} for day in (2, 5))
    resources = [
        patient(),
        observation("calf_swelling", site=LEFT_CALF, ago=6),
        number(SODIUM, id="k", issued="2026-03-11T08:00:00Z"),
        number(D_DIMER, issued="2026-03-12T08:00:00Z", meta=first),
        number(SODIUM, issued="2026-03-15T08:00:00Z", meta=second),
        number(SODIUM, id="m", issued="2026-03-17T08:00:00Z"),
    ]
    rows = scanned(noting.content, written(tmp_path / "in", *resources))["p"]
    answers = assert_each_opening_as_alone(noting, rows, resources, Options("in", tmp_path, every=1))
    assert {answer.assessment.record.rows(RowState.ENDED) for answer in answers} == {0, 1}


def test_the_last_number_of_no_concern_is_the_end_of_the_chart(noting: Noting, tmp_path: Path) -> None:
    visit = named(
        "Encounter", status="finished", **{"class": {"code": "AMB"}}, period={"start": "2026-03-01T08:00:00Z"}
    )
    numbers = [number(id="n", issued="2026-02-01T08:00:00Z"), number(id="m", issued="2026-04-15T08:00:00Z")]
    rows = scanned(noting.content, written(tmp_path / "in", patient(), visit, *numbers))["p"]
    judge = Judge(noting, Options("in", tmp_path), KeyedHash("k" * 32), END, 60)
    (opened,) = judge.chart("p", rows).openings
    assert (opened.after_30_days, opened.after_90_days) == (NO, UNKNOWN)


def test_rows_without_a_name_keep_their_place_among_numbers_of_no_concern(noting: Noting, tmp_path: Path) -> None:
    """A card names such a row by its number in the chart."""
    nameless = {**observation({"text": "Swelling of the calf"}), "id": None}
    sign = observation("calf_swelling", site=LEFT_CALF)
    numbers = [number(id=f"n{place}", issued=f"2026-03-1{5 - place}T08:00:00Z") for place in range(6)]
    resources = [patient(), sign, *numbers[:2], {**nameless, "id": "x y"}, *numbers[2:], {**nameless, "id": "y z"}]
    rows = scanned(noting.content, written(tmp_path / "in", *resources))["p"]
    assert [row.times for row in rows] == [1, 1, 2, 1, 4, 1]
    answers = assert_each_opening_as_alone(noting, rows, resources, Options("in", tmp_path, every=1))
    assert any("entry 10, no id" in row.source for row in answers[-1].assessment.record.unread)


def test_a_document_may_mention_a_number_of_no_concern(noting: Noting, tmp_path: Path) -> None:
    """The words of such a reference count until the number is part of the chart."""
    mention = {"reference": "Observation/n1", "display": "Deep vein thrombosis of the leg"}
    resources = [
        patient(),
        observation("calf_swelling", site=LEFT_CALF, ago=5),
        {**named("List", status="current", mode="working", entry=[{"item": mention}]), "date": "2026-03-12"},
        *(number(id=f"n{place}", issued=f"2026-03-1{3 + place}T08:00:00Z") for place in range(3)),
    ]
    rows = scanned(noting.content, written(tmp_path / "in", *resources))["p"]
    answers = assert_each_opening_as_alone(noting, rows, resources, Options("in", tmp_path, every=1))
    assert {len(answer.assessment.record.unread) for answer in answers} == {0, 1}


def test_numbers_of_no_concern_of_several_servers_are_counted_by_whose_they_are(noting: Noting, tmp_path: Path) -> None:
    other = {"reference": "https://other.example/fhir/Patient/p"}
    resources = [patient(), observation("calf_swelling", site=LEFT_CALF), number(), number(id="m", subject=other)]
    for place in range(3):
        resources += [number(id=f"a{place}"), number(id=f"b{place}", subject=other)]
    rows = scanned(noting.content, written(tmp_path / "in", *resources))["p"]
    assert sum(row.times for row in rows) == len(resources)
    judge = Judge(noting, Options("in", tmp_path, at=NOW), KeyedHash("k" * 32), NOW, 60)
    judged = judge.chart("p", rows)
    (found,) = noting.noted
    entries = [ChartEntry(one) for one in resources]
    assert found.assessment == noting.judge("p", tuple(entries), NOW, fhir_server="https://other.example/fhir")
    assert judged.openings[0].rows == len(resources)

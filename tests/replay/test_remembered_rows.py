"""What a replay remembers of a row holds at each later opening: nothing that depends on the day or on other rows."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.reading.resources import build
from cds_service.replay.options import Options
from cds_service.service.examples import moved
from tests.charts import LEFT_CALF, LOINC, RXNORM, SNOMED, concept, condition, named, observation, patient
from tests.conftest import NOW, bundle, stories
from tests.population import APIXABAN, PAIN
from tests.replay.sharing import Noting, Resource, assert_each_opening_as_alone, noting, scanned, written

_RECORDED = {
    "Observation": "issued",
    "Condition": "recordedDate",
    "MedicationRequest": "authoredOn",
    "MedicationStatement": "dateAsserted",
    "ServiceRequest": "authoredOn",
}
_WITHIN = 40
"""Days in which the rows of a chart were written down."""


@pytest.fixture(scope="module")
def service() -> Noting:
    return noting()


def known(days: float, resource: Resource) -> Resource:
    """The resource, written down so many days after the first opening."""
    return {**resource, _RECORDED[resource["resourceType"]]: at(days)}


def at(days: float) -> str:
    return (NOW + timedelta(days=days)).isoformat()


def day(days: float) -> str:
    return (NOW + timedelta(days=days)).date().isoformat()


def visit(days: float) -> Resource:
    return named("Encounter", status="finished", **{"class": {"code": "AMB"}}, period={"start": at(days)})


def chart(chance: random.Random) -> list[Resource]:
    """One patient who has what three examples have, written down bit by bit in any order."""
    who = patient(birth=f"{chance.randrange(1935, 2012)}-05-05", gender=chance.choice(("female", "male")))
    resources = [who]
    for name in chance.sample(sorted(stories()), 3):
        for entry in moved(bundle(name), chance.randrange(_WITHIN))["entry"]:
            one = entry["resource"]
            if one["resourceType"] == "Patient":
                continue
            if one["resourceType"] in _RECORDED:
                one[_RECORDED[one["resourceType"]]] = at(chance.randrange(-3, _WITHIN))
            owner = "patient" if one["resourceType"] == "BodyStructure" else "subject"
            resources.append({**one, owner: {"reference": f"Patient/{who['id']}"}})
    chance.shuffle(resources)
    return [*resources, *(visit(chance.uniform(0, _WITHIN + 60)) for _ in range(12))]


def test_each_opening_of_a_chart_that_grows_is_judged_as_alone(service: Noting, tmp_path: Path) -> None:
    chance = random.Random(7)
    cards = openings = 0
    for number in range(40):
        resources = chart(chance)
        rows = scanned(service.content, written(tmp_path / str(number), *resources))
        answers = assert_each_opening_as_alone(
            service, rows[resources_patient(resources)], resources, Options("in", tmp_path)
        )
        openings += len(answers)
        cards += sum(len(answer.cards) for answer in answers)
    assert openings > 400
    assert cards > 200


def resources_patient(resources: list[Resource]) -> str:
    (who,) = (one["id"] for one in resources if one["resourceType"] == "Patient")
    return str(who)


PAIN_IN_CALF = concept((SNOMED, PAIN))
D_DIMER = concept((LOINC, "48067-3"))
_UCUM = "http://unitsofmeasure.org"


def number(code: Any, value: float, unit: str, **fields: Any) -> Resource:
    return observation(code, valueQuantity={"value": value, "unit": unit, "system": _UCUM, "code": unit}, **fields)


def apixaban(kind: str = "MedicationRequest", **fields: Any) -> Resource:
    return named(kind, status="active", medicationCodeableConcept=concept((RXNORM, APIXABAN)), **fields)


VARYING: dict[str, list[Resource]] = {
    "an age limit of a D-dimer is crossed": [known(0, number(D_DIMER, 505, "ug/L{FEU}", effectiveDateTime=day(0)))],
    "a date is in the future at first": [
        known(0, observation(PAIN_IN_CALF, site=LEFT_CALF, effectiveDateTime=day(20)))
    ],
    "a visit begins later": [{**visit(20), "status": "arrived", "reasonCode": [PAIN_IN_CALF], "date": at(0)}],
    "the date of an unread row is in the future at first": [
        known(0, observation({"text": "Pain in the calf"}, effectiveDateTime=day(20), valueBoolean=True))
    ],
    "a month is not over at first": [known(0, condition(PAIN_IN_CALF, onsetDateTime=day(0)[:7]))],
    "a period goes on": [
        known(0, observation(PAIN_IN_CALF, site=LEFT_CALF, effectiveDateTime=None, effectivePeriod={"start": day(-3)}))
    ],
    "a dispensed medicine lasts": [
        named(
            "MedicationDispense",
            status="completed",
            medicationCodeableConcept=concept((RXNORM, APIXABAN)),
            whenHandedOver=at(0),
            daysSupply={"value": 20},
        )
    ],
    "a dosage ends": [
        known(
            0,
            apixaban(
                intent="order",
                dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": {"start": day(0), "end": day(25)}}}}],
            ),
        )
    ],
    "a pregnancy ends": [
        known(0, observation(concept((LOINC, "11778-8")), effectiveDateTime=day(0), valueDateTime=day(10)))
    ],
    "an unread row lasts": [
        named(
            "MedicationDispense",
            status="completed",
            medicationCodeableConcept={"text": "blood thinner"},
            whenHandedOver=at(0),
            daysSupply={"value": 20},
        )
    ],
    "a panel comes later": [
        known(0, observation(PAIN_IN_CALF, id="member", site=LEFT_CALF, ago=None)),
        known(
            15,
            observation(
                concept((LOINC, "85353-1")),
                effectiveDateTime=day(-1),
                hasMember=[{"reference": "Observation/member"}],
                valueBoolean=None,
            ),
        ),
    ],
    "a panel is withdrawn": [
        known(0, observation(PAIN_IN_CALF, id="member", site=LEFT_CALF, ago=None)),
        *(
            known(
                days,
                observation(
                    concept((LOINC, "85353-1")),
                    id="panel",
                    meta={"lastUpdated": at(days)},
                    status=status,
                    effectiveDateTime=day(-1),
                    hasMember=[{"reference": "Observation/member"}],
                    valueBoolean=None,
                ),
            )
            for days, status in ((0, "final"), (15, "entered-in-error"))
        ),
    ],
    "a medicine comes later": [
        known(
            0,
            named(
                "MedicationRequest",
                status="active",
                intent="order",
                medicationReference={"reference": "Medication/m"},
            ),
        ),
        {
            "resourceType": "Medication",
            "id": "m",
            "subject": {"reference": "Patient/p"},
            "code": concept((RXNORM, APIXABAN)),
            "date": at(15),
        },
    ],
    "a place comes later": [
        known(
            0,
            observation(
                PAIN_IN_CALF,
                effectiveDateTime=day(0),
                bodySite={
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/bodySite",
                            "valueReference": {"reference": "BodyStructure/b"},
                        }
                    ]
                },
            ),
        ),
        {
            "resourceType": "BodyStructure",
            "id": "b",
            "patient": {"reference": "Patient/p"},
            "location": concept((SNOMED, LEFT_CALF)),
            "date": at(15),
        },
    ],
    "what a document mentions comes later": [
        known(0, condition(PAIN_IN_CALF, ago=0)),
        named(
            "List",
            status="current",
            mode="working",
            date=at(0),
            entry=[{"item": {"reference": "Condition/dvt", "display": "Deep vein thrombosis of the leg"}}],
        ),
        known(15, condition({"text": "Deep vein thrombosis of the leg"}, id="dvt", ago=0)),
    ],
}


@pytest.mark.parametrize("rows", VARYING.values(), ids=VARYING)
def test_what_may_change_is_read_again(service: Noting, tmp_path: Path, rows: list[Resource]) -> None:
    """``rows``: at most of the openings they say something else than at the first."""
    who = patient(birth="1975-04-01", id="p")
    sign = known(0, observation("calf_swelling", site=LEFT_CALF, ago=0))
    resources = [who, sign, *rows, *(visit(days + 0.5) for days in (0, 1, 5, 12, 16, 21, 26, 40, 90))]
    kept = scanned(service.content, written(tmp_path / "in", *resources))["p"]
    answers = assert_each_opening_as_alone(service, kept, resources, Options("in", tmp_path))
    assert len(answers) >= 9
    records = [answer.assessment.record for answer in answers]
    assert len({repr((one.facts, one.unread, one.stops, one.set_aside)) for one in records}) > 1


def test_a_row_about_somebody_else_counts_at_each_opening(service: Noting, tmp_path: Path) -> None:
    about = known(0, observation("calf_swelling", site=LEFT_CALF, ago=0, focus=[{"reference": "Patient/q"}]))
    own = known(0, observation("calf_swelling", site=LEFT_CALF, ago=0))
    resources = [patient(id="p"), own, about, *(visit(days + 0.5) for days in range(3))]
    kept = scanned(service.content, written(tmp_path / "in", *resources))["p"]
    answers = assert_each_opening_as_alone(service, kept, resources, Options("in", tmp_path))
    assert [answer.assessment.record.others_of_concern for answer in answers] == [1, 1, 1]


def test_what_a_visit_names_is_known_while_it_goes_on_and_later(service: Noting, tmp_path: Path) -> None:
    ends = {"start": at(0.5), "end": at(1)}
    named_in_words = [{"text": "Deep vein thrombosis of the leg"}]
    visits = [{**visit(0.5), "period": ends, "reasonCode": named_in_words}, visit(2), visit(3)]
    resources = [patient(id="p"), known(0, observation("calf_swelling", site=LEFT_CALF, ago=0)), *visits]
    kept = scanned(service.content, written(tmp_path / "in", *resources))["p"]
    answers = assert_each_opening_as_alone(service, kept, resources, Options("in", tmp_path))
    assert [len(answer.assessment.record.unread) for answer in answers] == [1, 1, 1]


def test_a_row_is_read_once_for_all_later_openings(
    service: Noting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(raw: Any) -> Any:
        read.append(raw["id"])
        return build(raw)

    monkeypatch.setattr("cds_service.clinical.reading.rows.build", noted)
    sign = known(0, observation("calf_swelling", id="sign", site=LEFT_CALF, ago=0))
    resources = [patient(id="p"), sign, *(visit(days + 0.5) for days in range(5))]
    kept = scanned(service.content, written(tmp_path / "in", *resources))["p"]
    answers = assert_each_opening_as_alone(service, kept, resources, Options("in", tmp_path))
    assert all(answer.cards for answer in answers)
    assert len(read) == 1 + len(answers), "once for all openings, and for each chart alone"

"""Numbers that are too old for every rule are not read: nothing that is shown or kept open may change by that."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from functools import cache
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cds_service.base.errors import KneeCdsError, NothingToJudgeBy
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import RowState
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.service.evaluate import Answer, Service
from cds_service.service.examples import as_request, moved
from tests.cases import check_all
from tests.charts import LOINC, Resource, concept, days_ago, judged, named, observation, patient, read
from tests.conftest import NOW, bundle, one_in, shipped_service, stories
from tests.mutations import ANYTHING, FAULTS, HARMLESS, mutate

NAMES = sorted(stories())
VITALS = (
    ("8867-4", {"value": 128, "code": "/min"}),
    ("59408-5", {"value": 84, "code": "%"}),
    ("8310-5", {"value": 39.6, "code": "Cel"}),
    ("8310-5", {"value": 36.5, "code": "Cel"}),
    ("1988-5", {"value": 180, "code": "mg/L"}),
    ("39156-5", {"value": 41, "code": "kg/m2"}),
    ("48065-7", {"value": 2900, "code": "ng/mL{FEU}"}),
)
"""Each of them shows a finding when it is new, or denies one."""
LONG_AGO = 300
DAYS = (-1, 0, 6, 41)


def vital(code: str, quantity: Resource, ago: float, **fields: Any) -> Resource:
    value = {"system": "http://unitsofmeasure.org", "unit": quantity["code"], **quantity}
    return observation(concept((LOINC, code)), ago=ago, valueQuantity=value, **fields)


def old_heart_rate(**fields: Any) -> Resource:
    return vital("8867-4", {"value": 128, "code": "/min"}, LONG_AGO, **fields)


@cache
def looking_at_all() -> Service:
    """The shipped service, reading every number whatever its age."""
    service = shipped_service()
    content = replace(service.content)
    content.__dict__["looked_back"] = {}
    return replace(service, content=content)


def with_history(body: dict[str, Any], dice: Random) -> None:
    """Add numbers of every age to a chart."""
    who = body["context"]["patientId"]
    for _ in range(dice.randrange(1, 12)):
        code, quantity = dice.choice(VITALS)
        ago = dice.choice((0, 1, 2, 8, 13, 20, 41, 42, 43, 44, 45, 46, 60, 120, LONG_AGO, 2_000))
        row = vital(code, quantity, ago, subject={"reference": f"Patient/{who}"})
        found = body["prefetch"].get("observations") or {"resourceType": "Bundle", "type": "searchset"}
        body["prefetch"]["observations"] = {**found, "entry": [*found.get("entry", ()), {"resource": row}]}


def answer(service: Service, body: dict[str, Any], days: int = 0) -> Answer | str:
    """What comes of a call, ``days`` later."""
    try:
        request = HookRequest.model_validate(body)
        return service.answer(request, gather(request.prefetch), NOW + timedelta(days=days))
    except NothingToJudgeBy as error:
        return str(error)


def shown(found: Answer | str) -> Any:
    """All of an answer that somebody may see or that keeps a suspicion open."""
    if isinstance(found, str):
        return found
    assessment = found.assessment
    cards = [(replace(card, uuid="", suggestions=()).message(), len(card.suggestions)) for card in found.cards]
    return cards, assessment.legs, assessment.doubts, assessment.silent_because, assessment.care_plan


def ledger(found: Answer | str) -> dict[RowState, int]:
    if isinstance(found, str):
        return {}
    return {state: found.assessment.record.rows(state) for state in RowState}


def compare(body: dict[str, Any], days: int) -> int:
    """Whether both ways of reading show the same; how many rows were not read."""
    fast, whole = (answer(one, copy.deepcopy(body), days) for one in (shipped_service(), looking_at_all()))
    assert shown(fast) == shown(whole)
    left, right = ledger(fast), ledger(whole)
    if not left:
        return 0
    assert right[RowState.TOO_OLD] == 0
    assert sum(left.values()) == sum(right.values())
    assert all(left[state] <= right[state] for state in RowState if state is not RowState.TOO_OLD)
    return left[RowState.TOO_OLD]


@pytest.mark.parametrize("days", DAYS)
def test_an_example_with_a_history_of_numbers_shows_the_same(days: int) -> None:
    """Judged on one of these days in the normal profile, on each in the long one."""

    def check(name: str) -> None:
        body = as_request(moved(bundle(name), 0), str(uuid4()))
        with_history(body, Random(f"{name}{days}"))
        compare(body, days)

    check_all(one_in(len(DAYS), NAMES, DAYS.index(days)), check)


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_a_damaged_chart_with_a_history_of_numbers_shows_the_same(name: str, dice: Random) -> None:
    body = as_request(bundle(name), str(uuid4()))
    with_history(body, dice)
    mutate(dice, body, (*ANYTHING, *FAULTS, *HARMLESS), 6)
    try:
        compare(body, 0)
    except (KneeCdsError, ValidationError):
        return  # no chart at all: that is told before anything is read


def test_old_numbers_are_a_state_of_their_own(content: Content) -> None:
    record = read(content, observation("pain_calf"), old_heart_rate(), old_heart_rate())
    assert record.rows(RowState.TOO_OLD) == 2
    assert sum(line.count for line in record.ledger) == record.entries
    assert not [fact for fact in record.facts if fact.key == "tachycardia_or_hypoxia"]


@pytest.mark.parametrize(
    "odd",
    [
        {"effectiveDateTime": f"{days_ago(LONG_AGO)}T25:00:00Z"},
        {"effectiveDateTime": "2024-W10-1"},
        {"effectiveDateTime": days_ago(LONG_AGO)[:7]},
        {"effectiveDateTime": None, "issued": f"{days_ago(LONG_AGO)}T08:00:00Z"},
        {"effectiveDateTime": "1890-01-01"},
        {"effectiveDateTime": days_ago(20)},
        {"status": "entered-in-error"},
        {"status": "preliminary"},
        {"focus": [{"reference": "Patient/q"}]},
        {"modifierExtension": [{"url": "https://x.example/not"}]},
        {"category": [concept((LOINC, "8867-4"), ("http://snomed.info/sct", "300954003"))]},
        {"code": concept((LOINC, "8867-4"), ("http://snomed.info/sct", "300954003"))},
        {"component": []},
        {"valueQuantity": None},
    ],
)
def test_what_is_odd_in_any_way_is_read(content: Content, odd: Resource) -> None:
    row = {key: value for key, value in (old_heart_rate() | odd).items() if value is not None}
    assert read(content, row).rows(RowState.TOO_OLD) == 0


@pytest.mark.parametrize("born", ["2026-01-01", "1970", "soon", None])
def test_a_number_that_may_be_from_before_the_birth_is_read(content: Content, born: str | None) -> None:
    who = {key: value for key, value in (patient() | {"birthDate": born}).items() if value is not None}
    assert read(content, old_heart_rate(), who=who).rows(RowState.TOO_OLD) == 0


def test_a_number_that_a_panel_may_list_is_read(content: Content) -> None:
    panel = named("Observation", status="final", code=concept((LOINC, "85354-9")), hasMember=[{"reference": "#x"}])
    assert read(content, old_heart_rate(), panel).rows(RowState.TOO_OLD) == 0


def test_an_old_number_supersedes_its_earlier_version(content: Content) -> None:
    new = vital("8867-4", {"value": 128, "code": "/min"}, 0, id="v", meta={"lastUpdated": "2026-03-15T08:00:00Z"})
    corrected = old_heart_rate(id="v", meta={"lastUpdated": "2026-03-15T09:00:00Z"})
    assert "tachycardia_or_hypoxia" in {fact.key for fact in read(content, new).facts}
    assert not read(content, new, corrected).facts


def test_an_old_number_shows_that_the_chart_is_of_this_patient() -> None:
    body = as_request(bundle("nothing-at-all"), str(uuid4()))
    who = body["context"]["patientId"]
    rows = [old_heart_rate(subject={"reference": f"Patient/{who}"}), observation("pain_calf")]
    rows[1]["subject"] = {"reference": "Patient/somebody-else"}
    body["prefetch"]["observations"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": row} for row in rows],
    }
    for key in ("conditions", "procedures", "medications", "orders"):
        body["prefetch"][key] = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert compare(body, 0) == 1


def test_limits_are_derived(content: Content) -> None:
    """No limit is shorter than what reads it; what the DVT pathway reads by name, by role or at any age has none."""
    limits = content.looked_back
    assert {"fever", "tachycardia_or_hypoxia"} <= limits.keys()
    pathway = content.pathway
    for key, days in limits.items():
        finding = content.findings[key]
        assert finding.recency is not None
        assert days >= max(finding.recency.days, pathway.stale_sign.days, pathway.complaint.days)
        assert not any((finding.dvt.risk, finding.dvt.local_sign, finding.dvt.wells_item, finding.complaint))
    assert not limits.keys() & {"ddimer_positive", "calf_circumference_diff_3cm", "obesity", "mass_ge_5cm"}


def test_a_finding_that_a_rule_gains_loses_its_limit(content: Content) -> None:
    item = content.pathway.items[0].model_copy(update={"any": ("fever",)})
    pathway = content.pathway.model_copy(update={"items": (item, *content.pathway.items[1:])})
    assert "fever" not in replace(content, pathway=pathway).looked_back
    risk = content.findings["fever"].model_copy(update={"persists": True})
    assert "fever" not in replace(content, findings={**content.findings, "fever": risk}).looked_back


def test_an_old_fever_shows_nothing(content: Content) -> None:
    swollen = observation("knee_effusion")
    new, old = (judged(content, swollen, vital("8310-5", VITALS[2][1], ago)) for ago in (0, LONG_AGO))
    assert new.urgent
    assert not old.urgent


def test_a_birth_in_the_first_year_of_the_calendar_is_read(content: Content) -> None:
    assert read(content, observation("pain_calf"), who=patient(birth="0001-01-02")).facts

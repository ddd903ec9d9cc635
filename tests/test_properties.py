"""What must hold for every chart."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.cli.evaluate import judge
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.rendering.card import Card
from tests.cases import check_all
from tests.conftest import NOW, bundle, one_in, shipped_service, stories

STORIES = stories()
CONTENT = shipped_service().content
NAMES = sorted(STORIES)
names = st.sampled_from(NAMES)
seeds = st.integers(0, 2**32)
LEFT, RIGHT = "32153003", "62175007"


def run(chart: dict[str, Any]) -> tuple[tuple[Card, ...], Assessment]:
    return judge(shipped_service(), orjson.dumps(chart), NOW)


def plain(cards: tuple[Card, ...]) -> str:
    """Cards without their fresh uuids."""
    text = orjson.dumps([card.message().model_dump(mode="json") for card in cards]).decode()
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "uuid", text)


def with_finding(
    chart: dict[str, Any], key: str, *, present: bool, side: str | None = None, day: str = "2026-03-16"
) -> Any:
    """``chart`` and one more Observation."""
    patient = next(e["resource"]["id"] for e in chart["entry"] if e["resource"]["resourceType"] == "Patient")
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "added-by-test",
        "status": "final",
        "code": {"coding": [{"system": FINDING_SYSTEM, "code": key}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        "valueBoolean": present,
    }
    if side:
        observation["bodySite"] = {"coding": [{"system": "http://snomed.info/sct", "code": side}]}
    changed = copy.deepcopy(chart)
    changed["entry"].append({"fullUrl": "urn:uuid:0a0a0a0a-0000-4000-8000-000000000000", "resource": observation})
    return changed


def test_a_negative_self_test_changes_nothing() -> None:
    """Of one leg or of none in particular: one of the three for each example in the normal profile."""

    def check(name: str) -> None:
        chart = bundle(name)
        before = plain(run(chart)[0])
        for side in one_in(3, (None, LEFT, RIGHT), NAMES.index(name)):
            added = with_finding(chart, "homans_or_selftest_positive", present=False, side=side)
            assert plain(run(added)[0]) == before

    check_all(NAMES, check)


@given(name=names, seed=seeds)
def test_order_of_entries_never_matters(name: str, seed: int) -> None:
    chart = bundle(name)
    shuffled = copy.deepcopy(chart)
    random.Random(seed).shuffle(shuffled["entry"])
    assert plain(run(shuffled)[0]) == plain(run(chart)[0])


@given(name=names, seed=seeds)
def test_a_supporting_finding_never_lowers_its_cause(name: str, seed: int) -> None:
    dice = random.Random(seed)
    cause = dice.choice(sorted(k for k, c in CONTENT.causes.items() if c.ranked and c.supports))
    weights = [w for w in CONTENT.causes[cause].supports if (w.lr_present or 0) > 1]
    kinds = {key: finding.kind for key, finding in CONTENT.findings.items()}
    weights = [w for w in weights if kinds[w.finding] != "demographic"]
    weight = dice.choice(weights)
    side = dice.choice([LEFT, RIGHT])
    chart = bundle(name)
    before = posteriors(run(chart)[1], cause)
    after = posteriors(run(with_finding(chart, weight.finding, present=True, side=side))[1], cause)
    for leg, value in before.items():
        if leg in after:
            assert after[leg] >= value - 1e-12


def posteriors(assessment: Assessment, cause: str) -> dict[str, float]:
    return {one.side.value: one.posterior for one in assessment.differential if one.cause == cause}


_UNLESS = CONTENT.pathway.risk_outside_wells.unless
INJURIES = {*_UNLESS, *(term for key in _UNLESS for how in CONTENT.findings[key].implied_by for term in how.terms())}
"""What exempts new pain with a risk outside the Wells score, and from what it follows."""


@given(name=st.sampled_from([n for n in NAMES if STORIES[n]["dvt"] != "none"]), seed=seeds)
def test_nothing_hides_or_lowers_an_open_suspicion(name: str, seed: int) -> None:
    """Any further finding, present or absent, other than those that C.6 lets close or complete the pathway.

    Nor an injury, with which a risk outside the Wells score opens nothing (the switch of the pathway says why), nor
    the same pain in the other leg: of both legs alike it is no pain of one.
    """
    closing = {"us_proximal_dvt", "ddimer_positive", "on_anticoagulant", "alternative_diagnosis_asserted"} | INJURIES
    wells = set(CONTENT.wells_findings)
    keys = sorted(k for k, f in CONTENT.findings.items() if not f.general and k not in closing)
    dice = random.Random(seed)
    key = dice.choice(keys)
    present = dice.random() < 0.5
    if key in wells and not present:
        present = True  # a recorded absence of a Wells item may complete the score
    side = None if CONTENT.findings[key].kind == "symptom" else dice.choice([None, LEFT, RIGHT])
    rank = {"critical": 2, "warning": 1}
    before, _ = run(bundle(name))
    after, assessment = run(with_finding(bundle(name), key, present=present, side=side))
    assert rank[dvt_card(after).indicator] >= rank[dvt_card(before).indicator]
    assert any(flag.cause == "dvt" for flag in assessment.urgent)


@given(name=names, seed=seeds)
def test_no_open_suspicion_lacks_its_card(name: str, seed: int) -> None:
    chart = bundle(name)
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 4)):
        key = dice.choice(sorted(k for k, f in CONTENT.findings.items() if not f.general))
        side = dice.choice([None, LEFT, RIGHT])
        chart = with_finding(chart, key, present=dice.random() < 0.5, side=side)
        chart["entry"][-1]["resource"]["id"] = f"added-{len(chart['entry'])}"
    cards, assessment = run(chart)
    for leg in assessment.legs:
        if leg.dvt.suspected:
            assert cards[0].indicator in ("critical", "warning")
            assert any(flag.cause == "dvt" for flag in leg.red_flags)
    if any(leg.dvt.suspected for leg in assessment.legs) and not assessment.under_18:
        assert dvt_card(cards).indicator in ("critical", "warning")


def dvt_card(cards: Sequence[Card]) -> Card:
    """The card of a suspected DVT: its own, and the first of those that are as urgent and as quick."""
    (one,) = [card for card in cards if card.source.topic.code == "kneedvt1"]
    return one


def junk(dice: random.Random) -> Any:
    """Something that does not belong there."""
    return dice.choice(
        [None, True, False, 0, -1, 2**53, 1.5, "", "x", "2026", "Patient/q", "x" * 300, [], {}, [[]], [None]]
    )


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(node, dict):
        for key, inner in node.items():
            found += places(inner, (*path, key))
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            found += places(inner, (*path, index))
    return found


@given(name=names, seed=seeds)
def test_damaged_charts_never_crash(name: str, seed: int) -> None:
    chart = bundle(name)
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 3)):
        path = dice.choice(places(chart["entry"]))
        node: Any = chart["entry"]
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = junk(dice)
    try:
        cards, assessment = run(chart)
    except (UnusableInput, NothingToJudgeBy):
        return
    assert len(cards) <= 3
    assert cards or assessment.silent_because


def test_icd_conditions_and_snomed_components_give_the_same_card() -> None:
    one, first = run(bundle("dvt-icd10cm-conditions"))
    two, second = run(bundle("dvt-snomed-components"))
    assert one[0].summary == two[0].summary
    assert one[0].detail == two[0].detail
    assert one[0].indicator == two[0].indicator == "critical"
    assert [f.rule for f in first.urgent] == [f.rule for f in second.urgent]

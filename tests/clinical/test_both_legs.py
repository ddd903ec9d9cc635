"""Both legs swollen alike: what explains it, and what keeps it a warning."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from tests.charts import (
    ICD10CM,
    LEFT,
    RIGHT,
    RXNORM,
    SNOMED,
    concept,
    condition,
    days_ago,
    judged,
    named,
    observation,
    rules,
)  # fmt: skip

Resource = dict[str, Any]
BOTH = "51440002"
FAILURE = condition(concept((SNOMED, "84114007")), ago=400)
AMLODIPINE = named(
    "MedicationStatement",
    status="active",
    medicationCodeableConcept=concept((RXNORM, "17767")),
    effectivePeriod={"start": days_ago(300)},
)


def on(key: str, *, side: str = BOTH, **fields: Any) -> Resource:
    return observation(key, site=side, **fields)


SWOLLEN = {
    "both at once": [on("calf_swelling")],
    "each leg": [on("calf_swelling", side=LEFT), on("calf_swelling", side=RIGHT)],
    "swollen legs": [observation(concept((SNOMED, "275319005")))],
    "with calves that ache alike": [on("calf_swelling"), on("pain_calf")],
}


@pytest.mark.parametrize("swollen", SWOLLEN.values(), ids=SWOLLEN)
@pytest.mark.parametrize("why", [FAILURE, condition(concept((ICD10CM, "I50.9")), ago=400), AMLODIPINE])
def test_it_is_information_where_something_explains_it(
    content: Content, swollen: list[Resource], why: Resource
) -> None:
    if not any("275319005" in str(one) for one in swollen):
        assert rules(judged(content, *swollen)) == ["RF01"]
    assessment = judged(content, *swollen, why)
    assert not assessment.urgent
    assert all("swollen alike" in leg.dvt.closed_by for leg in assessment.legs)


@pytest.mark.parametrize(
    "beside",
    [
        on("pain_calf", side=LEFT),
        on("redness", side=LEFT),
        on("redness"),
        on("calf_circumference_diff_3cm", side=LEFT),
        on("deep_vein_tenderness"),
        observation("obesity"),
        observation("recent_surgery"),
        observation("syncope"),
        condition(concept((SNOMED, "432805000"))),
        on("homans_or_selftest_positive", side=LEFT),
    ],
)
def test_anything_worse_or_any_risk_keeps_the_suspicion(content: Content, beside: Resource) -> None:
    assert "RF01" in rules(judged(content, on("calf_swelling"), FAILURE, beside))


@pytest.mark.parametrize(
    "weaker",
    [
        condition(concept((SNOMED, "84114007")), ago=None),
        condition(concept((SNOMED, "84114007")), verification="provisional"),
        condition(concept((SNOMED, "84114007")), clinical="resolved"),
        condition(concept((SNOMED, "84114007")), verification="refuted"),
    ],
)
def test_what_is_not_sure_explains_nothing(content: Content, weaker: Resource) -> None:
    assert "RF01" in rules(judged(content, on("calf_swelling"), weaker))


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_one_swollen_leg_is_never_explained(content: Content, side: str) -> None:
    assert "RF01" in rules(judged(content, on("calf_swelling", side=side), FAILURE, AMLODIPINE))


def test_a_side_that_is_not_recorded_is_not_both(content: Content) -> None:
    assert "RF01" in rules(judged(content, observation("calf_swelling"), FAILURE))


def test_an_unread_row_that_may_contradict_it_does(content: Content) -> None:
    unread = observation(concept((SNOMED, "267038008")), valueString="see letter")
    assert "RF01" in rules(judged(content, on("calf_swelling"), FAILURE, unread))

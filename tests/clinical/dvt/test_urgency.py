"""How urgent an open suspicion of DVT is (evidence C.6; C.8 for old signs)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from tests.charts import LEFT, SNOMED, concept, condition, days_ago, judged, named, observation, patient, rules
from tests.clinical.dvt.signs import ALL_BUT_ONE, SIGNS, Chart, level, on


@pytest.mark.parametrize("sign", ["deep_vein_tenderness", "redness", "warmth"])
def test_one_soft_sign_alone_is_a_warning(content: Content, sign: str) -> None:
    assert level(content, on("pain_calf"), on(sign)) == "warning"
    assert level(content, on("pain_calf"), on(sign), on("calf_swelling")) == "critical"
    assert level(content, on("pain_calf"), on(sign), on("obesity")) == "critical"
    assert level(content, on("pain_calf"), on(sign), on("recent_surgery")) == "critical"


def test_redness_and_warmth_are_one_process(content: Content) -> None:
    assert level(content, on("pain_calf"), on("redness"), on("warmth")) == "warning"
    assert level(content, on("pain_calf"), on("redness"), on("deep_vein_tenderness")) == "critical"


@pytest.mark.parametrize("hard", ["calf_circumference_diff_3cm", "entire_leg_swollen", "pitting_oedema_one_leg"])
def test_a_sign_that_scores_by_what_is_seen_or_measured_stays_critical(content: Content, hard: str) -> None:
    assert level(content, on("pain_calf"), on(hard)) == "critical"


@pytest.mark.parametrize(
    ("code", "site"),
    [
        ("267038008", "30021000"),
        ("65124004", "30021000"),
        ("449615005", None),
        ("102572006", LEFT),
        ("267038008", LEFT),
    ],
)
def test_one_entry_is_one_sign(content: Content, code: str, site: str | None) -> None:
    """Oedema at the lower leg is the same picture as swelling of the lower leg."""
    assert level(content, on("pain_calf"), observation(concept((SNOMED, code)), site=site)) == "warning"


def test_two_entries_are_two_signs(content: Content) -> None:
    oedema = observation(concept((SNOMED, "267038008")), site="30021000")
    assert level(content, on("pain_calf"), oedema, on("deep_vein_tenderness")) == "critical"


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        ([on("previous_dvt"), on("calf_swelling")], "critical"),  # a point scored, can reach 2
        ([on("calf_swelling"), on("redness")], "critical"),  # two local signs
        ([on("redness"), on("oestrogen_use")], "critical"),  # one local sign and any risk
        ([on("redness")], "warning"),  # a lone soft sign
        ([on("redness"), on("pregnancy")], "critical"),
        ([on("redness"), on("postpartum_6w")], "critical"),
        ([on("redness"), on("iv_drug_use")], "critical"),
        ([on("redness"), on("active_cancer")], "critical"),
        ([on("thrombophilia")], "warning"),
    ],
)
def test_levels(content: Content, chart: Chart, expected: str) -> None:
    assert level(content, on("pain_calf"), *chart) == expected


@pytest.mark.parametrize(("ago", "expected"), [(14, "critical"), (15, "warning"), (42, "warning"), (43, None)])
def test_signs_grow_old(content: Content, ago: int, expected: str | None) -> None:
    chart = [on("pain_calf", min(ago, 42)), on("calf_swelling", ago), on("warmth", ago)]
    assert level(content, *chart) == expected


def test_undated_signs_count(content: Content) -> None:
    assert level(content, on("pain_calf", None), on("calf_swelling", None), on("redness", None)) == "critical"


@pytest.mark.parametrize(
    "extra",
    [
        on("homans_or_selftest_positive", present=False),
        on("redness", present=False),
        on("calf_focal_muscle_tender"),
        on("us_bakers_cyst"),
        on("worse_tiptoe"),
        observation("on_anticoagulant"),
        observation("activity_running"),
        condition(concept((SNOMED, "82675004"))),
        named(
            "ServiceRequest",
            status="active",
            intent="order",
            authoredOn=days_ago(0),
            code=concept((SNOMED, "134403003")),
        ),
    ],
)
def test_floor_nothing_lowers_an_open_suspicion(content: Content, extra: dict[str, Any]) -> None:
    chart = [on("pain_calf"), on("calf_swelling"), on("warmth")]
    assert level(content, *chart) == "critical"
    assert level(content, *chart, extra) == "critical"


def test_youth_lowers_nothing_in_adults(content: Content) -> None:
    young = judged(content, on("pain_calf"), on("calf_swelling"), on("warmth"), who=patient(birth="2007-01-01"))
    assert rules(young) == ["RF01"]


def test_cancer_codes_and_the_order_of_ids(content: Content) -> None:
    breast = condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "C50.911")), ago=30)
    assert level(content, on("pain_calf"), breast) == "critical"
    old = {**condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "C34.11")), ago=4000), "id": "a-old"}
    for name in ("0-new", "z-new"):
        new = {**condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "C18.9")), ago=30), "id": name}
        assert level(content, on("pain_calf"), old, new) == "critical"


def test_injecting_is_same_day_whatever_the_score(content: Content) -> None:
    low = [*SIGNS, *ALL_BUT_ONE, on("previous_dvt", present=False), on("ddimer_positive", 2, present=False)]
    assert level(content, *low, on("iv_drug_use", 100)) == "critical"

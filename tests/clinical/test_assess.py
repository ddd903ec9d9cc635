"""What counts as a complaint, what is never met with silence, and causes that must not push each other out."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from tests.charts import (
    CALF,
    ICD10CM,
    LEFT,
    POPLITEAL,
    RIGHT,
    SNOMED,
    concept,
    condition,
    days_ago,
    judged,
    observation,
    patient,
    read,
    rules,
)  # fmt: skip

Resource = dict[str, Any]


def on(key: str, ago: float | None = 1, *, side: str | None = LEFT, **fields: Any) -> Resource:
    return observation(key, ago=ago, site=side, **fields)


def shown(assessment: Assessment) -> list[str]:
    """Causes with a place on a card, in their order."""
    return [one.cause for one in assessment.differential if one.band != "low"]


TESTS = ("mcmurray_positive", "lachman_positive", "valgus_stress_laxity_30", "posterior_drawer_positive")
SIGNS = ("locking", "instability_giving_way", "knee_effusion", "haemarthrosis_4h", "knee_deformity")


@pytest.mark.parametrize("sign", [*SIGNS, *TESTS, "joint_line_tenderness"])
def test_a_sign_or_test_of_the_knee_is_a_complaint(content: Content, sign: str) -> None:
    assert judged(content, on(sign)).legs
    assert not judged(content, on(sign, valueBoolean=False)).legs


def test_an_old_test_is_none(content: Content) -> None:
    assert judged(content, on("lachman_positive", 42)).legs
    assert not judged(content, on("lachman_positive", 43)).legs


def test_a_locked_knee_lists_the_meniscus(content: Content) -> None:
    chart = [on("locking"), on("mcmurray_positive"), on("extension_loss_painful")]
    assessment = judged(content, *chart)
    assert shown(assessment)[0] == "meniscal_tear"
    assert [(flag.rule, flag.cause) for flag in assessment.urgent] == [("RF11", "meniscal_tear")]


@pytest.mark.parametrize(("onset", "written", "current"), [(56, 0, True), (400, 10, True), (56, 50, False)])
def test_an_active_problem_is_as_new_as_its_record(content: Content, onset: int, written: int, current: bool) -> None:
    pain = condition(concept((ICD10CM, "M25.561")), ago=onset, recordedDate=days_ago(written))
    assert bool(judged(content, pain).legs) == current


def test_a_problem_that_is_over_is_not(content: Content) -> None:
    pain = condition(concept((ICD10CM, "M25.561")), ago=56, clinical="resolved", recordedDate=days_ago(0))
    assert not judged(content, pain).legs


def test_an_onset_weeks_ago_is_no_new_pain(content: Content) -> None:
    """Written down today, it is a complaint; the risk road and the question of DVT go by the onset."""
    pain = condition(concept((SNOMED, "300954003")), ago=30, recordedDate=days_ago(0))
    (leg,) = judged(content, pain, on("active_cancer", side=None)).legs
    assert not leg.dvt.suspected
    assert not leg.unexplained


@pytest.mark.parametrize(
    "pain",
    [
        condition(concept((ICD10CM, "M79.662")), ago=3),
        observation("pain_behind_knee", site=LEFT),
        observation(concept((SNOMED, "30989003")), site="32361000"),
        observation(concept((SNOMED, "90834002")), site="53840002"),
    ],
)
def test_such_a_pain_is_never_met_with_silence(content: Content, pain: Resource) -> None:
    assessment = judged(content, pain)
    assert not assessment.silent_because
    (leg,) = assessment.legs
    assert shown(assessment) or (leg.unexplained and leg.at_prior)


def test_calf_pain_with_every_sign_absent_is_none_either(content: Content) -> None:
    signs = ("calf_swelling", "redness", "warmth", "deep_vein_tenderness", "pitting_oedema_one_leg")
    absent = [on(sign, valueBoolean=False) for sign in (*signs, "worse_tiptoe", "calf_focal_muscle_tender")]
    assessment = judged(content, on("pain_calf"), *absent)
    assert not assessment.silent_because
    assert not assessment.urgent


@pytest.mark.parametrize(
    "chart",
    [
        [observation("pain_behind_knee", site=LEFT, ago=15)],
        [observation(concept((SNOMED, "30989003")), site=LEFT)],
        [observation(concept((SNOMED, "10601006")), site=LEFT)],
        [observation("pain_behind_knee", site=LEFT, ago=None)],
    ],
)
def test_what_is_not_new_or_has_no_place_may_be(content: Content, chart: list[Resource]) -> None:
    assert judged(content, *chart).silent_because


def test_calf_pain_on_effort_opens_the_arteries_only(content: Content) -> None:
    effort = observation(concept((SNOMED, "63491006")), site=LEFT)
    older = judged(content, effort, on("foot_pulse_absent"), on("onset_gradual"), who=patient(birth="1950-01-01"))
    assert shown(older)[0] == "peripheral_arterial_disease"
    assert "hamstring_tendinopathy" not in shown(older)
    young = patient(birth="1996-01-01", gender="male")
    assert shown(judged(content, effort, observation("activity_running"), who=young))[0] == "popliteal_entrapment"


def test_posterior_thigh_pain_is_a_complaint_in_an_adult(content: Content) -> None:
    assert shown(judged(content, on("pain_posterior_thigh")))[0] == "hamstring_injury"


@pytest.mark.parametrize("known", ["known_aneurysm", "known_popliteal_aneurysm"])
def test_pain_behind_the_knee_with_a_known_aneurysm_names_it(content: Content, known: str) -> None:
    chart = [on("pain_behind_knee"), observation(known)]
    assert "popliteal_aneurysm" in shown(judged(content, *chart))
    assert "popliteal_aneurysm" not in shown(judged(content, on("pain_behind_knee")))


def test_a_ruptured_cyst_is_not_hidden_behind_the_cyst(content: Content) -> None:
    chart = [on("swelling_behind_knee"), on("pain_calf"), on("calf_swelling")]
    cyst = condition(concept((SNOMED, "82675004")), bodySite=[concept((SNOMED, LEFT))], ago=300)
    found = shown(judged(content, *chart, cyst))
    assert {"bakers_cyst", "bakers_cyst_ruptured"} <= set(found[:3])


@pytest.mark.parametrize("sign", ["joint_line_tenderness", "catching_clicking"])
def test_arthritis_on_the_list_does_not_push_out_the_meniscus(content: Content, sign: str) -> None:
    arthritis = condition(concept((SNOMED, "239873007")), bodySite=[concept((SNOMED, LEFT))], ago=700)
    knee = observation(concept((SNOMED, "30989003")), site=LEFT)
    assert {"knee_oa", "meniscal_tear"} <= set(shown(judged(content, knee, on(sign), arthritis)))


@pytest.mark.parametrize("sign", ["crepitus_grinding", "knee_effusion", "restricted_mobility"])
def test_knee_pain_over_50_with_one_sign_ranks_arthritis(content: Content, sign: str) -> None:
    knee = observation(concept((SNOMED, "30989003")), site=LEFT)
    assert "knee_oa" in shown(judged(content, knee, on(sign)))
    assert "knee_oa" not in shown(judged(content, knee, on(sign), who=patient(birth="1996-01-01")))


@pytest.mark.parametrize("both", [True, False])
def test_a_muscle_tear_is_no_lead_when_both_calves_ache(content: Content, both: bool) -> None:
    pains = [on("pain_calf", side="51440002")] if both else [on("pain_calf"), on("pain_calf", side=RIGHT)]
    assessment = judged(content, *pains)
    assert {leg.side.value for leg in assessment.legs} == {"right", "left"}
    assert "calf_tear" not in shown(assessment)
    one = judged(content, *pains, on("worse_tiptoe"), on("calf_focal_muscle_tender"))
    assert {leg.side.value for leg in one.legs for cause in leg.differential if cause.cause == "calf_tear"} == {"left"}


def test_bleeding_comes_before_a_strain_on_an_anticoagulant(content: Content) -> None:
    chart = [on("pain_calf"), on("calf_swelling"), on("bruising"), observation("on_anticoagulant")]
    found = shown(judged(content, *chart))
    assert found.index("calf_haematoma") < found.index("calf_tear")


def test_a_stated_hyperextension_comes_before_a_sprain(content: Content) -> None:
    found = shown(judged(content, on("pain_behind_knee"), on("mech_hyperextension")))
    assert found.index("hyperextension_injury") < found.index("ligament_sprain")


# --- under 18 ---


@pytest.mark.parametrize(("birth", "named"), [("2009-06-01", True), ("2010-03-01", True), ("2010-06-01", False)])
def test_sports_injuries_are_named_from_16(content: Content, birth: str, named: bool) -> None:
    chart = [on("pain_posterior_thigh"), on("mech_sprint_accel_change"), on("hamstring_resisted_flexion_pain")]
    assessment = judged(content, *chart, who=patient(birth=birth))
    assert ("hamstring_injury" in shown(assessment)) == named
    assert "knee_oa" not in shown(assessment)


@pytest.mark.parametrize(
    "signs",
    [("haemarthrosis_4h",), ("locking", "extension_loss_painful"), ("knee_effusion", "lachman_positive")],
)
@pytest.mark.parametrize("birth", ["2009-06-01", "2013-06-01"])
def test_an_injured_knee_of_a_child_is_seen(content: Content, signs: tuple[str, ...], birth: str) -> None:
    chart = [on("pain_behind_knee"), on("mech_twist_pivot"), *(on(sign) for sign in signs)]
    assert "RF11" in rules(judged(content, *chart, who=patient(birth=birth)))


def test_what_is_feared_in_a_child_is_what_the_facts_show(content: Content) -> None:
    who = patient(birth="2014-01-01")
    reasons = {
        ("calf_swelling",): "dvt",
        ("fever",): "septic_arthritis",
        ("mass_growing",): "soft_tissue_sarcoma",
        ("pain_night",): "soft_tissue_sarcoma",
        ("hip_rotation_pain",): "anterior_referred",
        ("unable_weight_bear",): "anterior_referred",
        ("unable_weight_bear", "mech_external_force"): "fracture",
    }
    for signs, cause in reasons.items():
        assessment = judged(content, on("pain_behind_knee"), *(on(sign, 0) for sign in signs), who=who)
        assert [flag.cause for flag in assessment.urgent if flag.rule == "RF17"] == [cause]


@pytest.mark.parametrize(("birth", "alarm"), [("2018-01-01", False), ("2012-01-01", True), ("2024-06-01", True)])
def test_evening_pains_of_both_legs_are_no_alarm_in_a_small_child(content: Content, birth: str, alarm: bool) -> None:
    legs = observation(concept((SNOMED, "10601006")), site="51440002")
    night = observation("pain_night")
    assert ("RF17" in rules(judged(content, legs, night, who=patient(birth=birth)))) == alarm
    with_sign = judged(content, legs, night, observation("fever"), who=patient(birth=birth))
    assert "RF17" in rules(with_sign)


def test_night_pain_of_one_leg_is_an_alarm_in_any_child(content: Content) -> None:
    pain = observation(concept((SNOMED, "10601006")), site=LEFT)
    assert "RF17" in rules(judged(content, pain, on("pain_night"), who=patient(birth="2018-01-01")))


def test_a_rare_cause_is_named_for_its_sign_behind_those_that_fit_better(content: Content) -> None:
    """The prior of a fabella syndrome is a guess; a positive test of it is not."""
    sign = [on("pain_behind_knee"), on("fabella_tender_extension")]
    (found,) = [one for one in judged(content, *sign).differential if one.cause == "fabella_syndrome"]
    assert found.posterior < content.reasoning.possible
    assert found.band == "possible"
    assert shown(judged(content, *sign, on("crepitus_grinding"), on("onset_gradual")))[-1] == "fabella_syndrome"


def test_a_weak_finding_names_no_rare_cause(content: Content) -> None:
    assert "gastrocnemius_tendinopathy" not in shown(judged(content, on("pain_behind_knee"), on("worse_tiptoe")))
    assert "soft_tissue_sarcoma" not in shown(judged(content, on("swelling_behind_knee")))


@pytest.mark.parametrize(("ago", "first"), [(10, "meniscal_tear"), (400, "ligament_sprain")])
def test_a_diagnosis_of_this_episode_leads(content: Content, ago: int, first: str) -> None:
    tear = condition(concept((SNOMED, "239720000")), bodySite=[concept((SNOMED, LEFT))], ago=ago)
    knee = [on("pain_behind_knee"), on("trauma_recent"), on("valgus_stress_pain_30")]
    assert shown(judged(content, *knee, tear))[0] == first


PAINS = ("83644001", "27635008", "274663001", "76948002", "36349006", "425423002")


@pytest.mark.parametrize("pain", PAINS)
@pytest.mark.parametrize(
    ("place", "complaint"),
    [(POPLITEAL, "pain_behind_knee"), (CALF, "pain_calf"), ("72696002", "knee_pain"), ("30021000", "lower_leg_pain")],
)
def test_a_pain_of_any_kind_is_the_complaint_of_its_place(
    content: Content, pain: str, place: str, complaint: str
) -> None:
    record = read(content, observation(concept((SNOMED, pain)), site=place))
    assert complaint in {fact.key for fact in record.facts}


SIGNS_ELSEWHERE = (
    "hip_rotation_pain", "pain_on_extension_after_sitting", "extension_loss_painful", "tightness_behind_knee",
    "popliteal_mass_fluctuates_flexion", "calf_focal_muscle_tender", "hamstring_focal_tenderness",
    "hamstring_resisted_flexion_pain", "tinel_fibular_neck", "rest_stiffness_sprain", "clarke_sign",
)  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS_ELSEWHERE)
def test_a_sign_that_only_a_sore_leg_has_is_a_complaint(content: Content, sign: str) -> None:
    assert judged(content, on(sign)).legs
    assert not judged(content, on(sign, valueBoolean=False)).legs


FOOT = "56459004"


def test_the_foot_shows_the_artery_and_is_no_calf(content: Content) -> None:
    cold, numb = (observation(concept((SNOMED, code)), site=FOOT) for code in ("771542000", "44077006"))
    assert "RF04" in rules(judged(content, on("pain_calf"), cold, numb))
    for code in ("65124004", "247441003", "102599008", "22253000"):
        entry = observation(concept((SNOMED, code)), site=FOOT)
        assert not judged(content, entry).legs
        assert not {"leg_swelling", "redness", "warmth", "leg_pain"} & {one.key for one in read(content, entry).facts}

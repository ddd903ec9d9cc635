"""Every red-flag rule of section D: each way it is satisfied, and what just misses it."""

from __future__ import annotations

import pytest

from cds_service.clinical.content.catalogue import Content
from tests.charts import LEFT, RIGHT, SNOMED, concept, condition, judged, observation, patient, rules

# Conditions as section D of the evidence has them: alternatives, each a set of findings that must all be there.
SATISFIED: dict[str, tuple[tuple[str, ...], ...]] = {
    "RF02": (("calf_swelling", "chest_pain_dyspnoea"),),
    "RF18": (("calf_swelling", "tachycardia_or_hypoxia"),),
    "RF03": (("leg_blue_massive",),),
    "RF04": (
        ("cold_pale_foot",),
        ("cold_foot", "pale_foot"),
        ("cold_foot", "foot_pulse_absent"),
        ("cold_foot", "foot_numb_weak"),
        ("cold_foot", "onset_sudden"),
        ("foot_pulse_absent", "foot_numb_weak"),
        ("foot_pulse_absent", "onset_sudden"),
        ("foot_numb_weak", "onset_sudden", "exertional_calf_claudication"),
    ),
    "RF05": (
        ("popliteal_mass_pulsatile", "cold_pale_foot"),
        ("known_aneurysm", "foot_pulse_absent"),
        ("known_popliteal_aneurysm", "foot_pulse_absent"),
        ("us_popliteal_aneurysm", "foot_numb_weak"),
    ),
    "RF06": (
        ("popliteal_mass_pulsatile",),
        ("swelling_behind_knee", "known_aneurysm"),
        ("swelling_behind_knee", "known_popliteal_aneurysm"),
        ("us_popliteal_aneurysm",),
    ),
    "RF07": (
        ("hot_red_joint",),
        ("fever", "knee_effusion"),
        ("rigors_chills", "knee_effusion"),
        ("prosthetic_knee", "warm_knee_joint"),
        ("prosthetic_knee", "warmth"),
        ("prosthetic_knee", "redness"),
        ("prosthetic_knee", "knee_effusion"),
        ("prosthetic_knee", "red_knee_joint"),
        ("prosthetic_knee", "skin_infection", "fever"),
        ("fever", "warm_knee_joint"),
        ("rigors_chills", "red_knee_joint"),
        ("warm_knee_joint", "knee_effusion"),
        ("red_knee_joint", "knee_effusion"),
        ("iv_drug_use", "knee_effusion", "restricted_mobility"),
        ("immunosuppressed", "knee_effusion", "restricted_mobility"),
        ("joint_surgery_recent", "knee_effusion", "restricted_mobility"),
    ),
    "RF08": (
        ("pain_out_of_proportion", "tense_calf"),
        ("pain_out_of_proportion", "trauma_recent"),
        ("tense_calf", "recent_surgery"),
        ("tense_calf", "leg_plaster_or_paralysis"),
        ("pain_out_of_proportion", "on_anticoagulant"),
        ("tense_calf", "high_energy_trauma"),
        ("tense_calf", "us_bakers_rupture"),
    ),
    "RF09": (
        ("trauma_recent", "ottawa_positive"),
        ("trauma_recent", "unable_weight_bear"),
        ("mech_twist_pivot", "unable_weight_bear"),
        ("mech_external_force", "unable_weight_bear"),
        ("mech_dashboard_fall_flexed", "ottawa_positive"),
    ),
    "RF10": (
        ("high_energy_trauma", "knee_deformity"),
        ("high_energy_trauma", "instability_giving_way"),
        ("high_energy_trauma", "foot_pulse_absent"),
        ("high_energy_trauma", "unable_weight_bear", "haemarthrosis_4h"),
        ("knee_deformity", "trauma_recent"),
        ("knee_deformity", "valgus_stress_laxity_30"),
        ("mech_hyperextension", "foot_drop"),
        ("mech_hyperextension", "foot_pulse_absent"),
        ("mech_hyperextension", "foot_numb_weak"),
        ("mech_hyperextension", "abi_lt_0_9"),
        ("lachman_positive", "posterior_drawer_positive"),
    ),
    "RF11": (("locking", "extension_loss_painful"), ("haemarthrosis_4h",), ("trauma_recent", "extensor_lag")),
    "RF12": (
        ("mass_growing",),
        ("mass_ge_5cm",),
        ("mass_deep_fixed_hard",),
        ("lump_recurred_after_excision",),
        ("us_mass_solid",),
        ("lump_fungating",),
        ("lump_in_radiotherapy_field",),
    ),
    "RF13": (("bone_pain_persistent",), ("pain_night", "weight_loss_unexplained")),
    "RF14": (("saddle_bladder_bowel",),),
    "RF15": (("foot_drop",),),
    "RF16": (("tender_cord_superficial",),),
    "RF19": tuple(
        (key,) for key in ("chest_pain_dyspnoea", "new_breathlessness", "new_chest_pain", "haemoptysis", "syncope")
    ),
    "RF20": (("pain_out_of_proportion",), ("tense_calf",)),
    "RF21": (("trauma_recent", "foot_drop"), ("mech_twist_pivot", "foot_drop")),
}


def name(value: str | tuple[str, ...]) -> str:
    """A readable test id."""
    return value if isinstance(value, str) else "+".join(value)


CASES = [(rule, keys) for rule, ways in SATISFIED.items() for keys in ways]


def fires(content: Content, keys: tuple[str, ...], *, side: str = LEFT) -> list[str]:
    """Rules that fire for pain behind the left knee with ``keys`` present."""
    shown = [observation(key, site=side if content.findings[key].side == "leg" else None, ago=0) for key in keys]
    return rules(judged(content, observation("pain_behind_knee", site=LEFT), *shown))


@pytest.mark.parametrize(("rule", "keys"), CASES, ids=name)
def test_each_way_to_satisfy_a_rule(content: Content, rule: str, keys: tuple[str, ...]) -> None:
    assert rule in fires(content, keys)


@pytest.mark.parametrize(
    ("rule", "keys"),
    [(rule, keys) for rule, keys in CASES if len(keys) > 1],
    ids=name,
)
def test_each_part_of_a_conjunction_is_needed(content: Content, rule: str, keys: tuple[str, ...]) -> None:
    alone = {way[0] for way in SATISFIED[rule] if len(way) == 1}
    for missing in keys:
        rest = tuple(key for key in keys if key != missing)
        if not alone & set(rest) and rest not in SATISFIED[rule]:
            assert rule not in fires(content, rest)


@pytest.mark.parametrize(("rule", "keys"), CASES, ids=name)
def test_the_other_leg_never_satisfies(content: Content, rule: str, keys: tuple[str, ...]) -> None:
    """Leg findings of the right leg say nothing about the left one (they may speak for the right one)."""
    if not any(content.findings[key].side == "leg" for key in keys):
        return
    shown = [observation(key, site=RIGHT if content.findings[key].side == "leg" else None, ago=0) for key in keys]
    assessment = judged(content, observation("pain_behind_knee", site=LEFT), *shown)
    assert not [flag for flag in assessment.urgent if flag.rule == rule and flag.side == "left"]


@pytest.mark.parametrize("code", ["48273005", "15649301000119103"])
def test_a_popliteal_aneurysm_of_the_other_leg_speaks_for_one_in_this(content: Content, code: str) -> None:
    """About half are in both legs: coded for the right leg, it counts for a lump behind the left knee."""
    known = condition(concept((SNOMED, code)), bodySite=[concept((SNOMED, RIGHT))])
    here = [observation(key, site=LEFT) for key in ("pain_behind_knee", "swelling_behind_knee")]
    assessment = judged(content, *here, known)
    assert [(flag.rule, flag.side.value) for flag in assessment.urgent] == [("RF06", "left")]
    (one,) = [one for one in assessment.differential if one.cause == "popliteal_aneurysm"]
    assert "known_popliteal_aneurysm" in [part.finding for part in one.contributions]


def test_every_rule_has_its_cases(content: Content) -> None:
    assert set(SATISFIED) | {"RF01", "RF17"} == set(content.red_flags)


@pytest.mark.parametrize(
    "sign", ["fever", "unable_weight_bear", "mass_growing", "pain_night", "calf_swelling", "hip_rotation_pain"]
)
def test_under_18(content: Content, sign: str) -> None:
    chart = [observation("pain_behind_knee", site=LEFT), observation(sign, ago=0)]
    assert "RF17" in rules(judged(content, *chart, who=patient(birth="2012-01-01")))
    assert "RF17" not in rules(judged(content, *chart))


def test_a_ruptured_cyst_on_record_is_a_compartment_risk(content: Content) -> None:
    chart = [observation("pain_calf", site=LEFT), observation("tense_calf", site=LEFT, ago=0)]
    assert "RF08" not in rules(judged(content, *chart))
    cyst = condition(concept((SNOMED, "240203005")), bodySite=[concept((SNOMED, LEFT))])
    assert "RF08" in rules(judged(content, *chart, cyst))


def test_foot_drop_is_sooner_after_injury(content: Content) -> None:
    chart = [observation("pain_behind_knee", site=LEFT), observation("foot_drop", site=LEFT)]
    (slow,) = judged(content, *chart).urgent
    assert slow.speed == "days"
    injured = judged(content, *chart, observation("trauma_recent", site=LEFT))
    assert [flag.speed for flag in injured.urgent if flag.rule == "RF15"] == ["same_day"]


def test_a_lump_in_a_child_is_a_matter_of_days(content: Content) -> None:
    chart = [observation("swelling_behind_knee", site=LEFT), observation("mass_growing", site=LEFT)]
    speeds = {f.rule: f.speed for f in judged(content, *chart, who=patient(birth="2012-01-01")).urgent}
    assert speeds["RF12"] == "days"
    assert {f.rule: f.speed for f in judged(content, *chart).urgent}["RF12"] == "two_weeks"


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        ("RF07", ("knee_effusion", "fever")),
        ("RF09", ("trauma_recent", "unable_weight_bear")),
        ("RF10", ("knee_deformity", "trauma_recent")),
        ("RF11", ("haemarthrosis_4h",)),
        ("RF12", ("mass_growing",)),
        ("RF16", ("tender_cord_superficial",)),
    ],
)
def test_knee_findings_open_the_red_flags_without_pain(content: Content, rule: str, keys: tuple[str, ...]) -> None:
    assessment = judged(content, *(observation(key, site=LEFT, ago=0) for key in keys))
    assert rule in rules(assessment)


def test_no_complaint_no_rule(content: Content) -> None:
    assessment = judged(content, observation("saddle_bladder_bowel"), observation("fever", ago=0))
    assert not assessment.urgent
    assert assessment.silent_because

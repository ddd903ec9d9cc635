"""Findings that follow from others: from which, for which leg, how long, and by whose name a card tells them."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.base.errors import ContentError
from cds_service.base.files import read_texts
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.load import load
from cds_service.clinical.derive import with_derived
from cds_service.clinical.record import Fact
from tests.charts import LEFT, RIGHT, SNOMED, concept, judged, observation, read, rules
from tests.conftest import NOW, ROOT

Resource = dict[str, Any]


def on(key: str, ago: float | None = 1, *, side: str | None = LEFT, **fields: Any) -> Resource:
    return observation(key, ago=ago, site=side, **fields)


def following(content: Content, key: str, *chart: Resource) -> list[Fact]:
    """Facts about ``key`` that no entry states."""
    facts = with_derived(content, read(content, *chart), NOW.date())
    return [fact for fact in facts if fact.key == key and fact.follows_from]


MECHANISMS = ("mech_twist_pivot", "mech_external_force", "mech_hyperextension", "mech_dashboard_fall_flexed")


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "high_energy_trauma"])
def test_a_mechanism_of_injury_is_a_recent_injury(content: Content, mechanism: str) -> None:
    (fact,) = following(content, "trauma_recent", on(mechanism))
    assert fact.side.value == "left"
    assert [one.key for one in fact.follows_from] == [mechanism]
    assert "RF09" in rules(judged(content, on("pain_behind_knee"), on(mechanism), on("unable_weight_bear")))


@pytest.mark.parametrize("other", ["mech_sprint_accel_change", "mech_push_off_dorsiflexion", "activity_running"])
def test_a_sprint_is_no_knee_injury(content: Content, other: str) -> None:
    assert not following(content, "trauma_recent", on(other))


def test_it_ends_with_the_window_of_what_it_rests_on(content: Content) -> None:
    assert following(content, "trauma_recent", on("mech_twist_pivot", 42))
    assert not following(content, "trauma_recent", on("mech_twist_pivot", 43))
    hot = [on("warm_knee_joint", 14), on("knee_effusion", 14)]
    assert following(content, "hot_red_joint", *hot)
    assert not following(content, "hot_red_joint", on("warm_knee_joint", 1), on("knee_effusion", 15))


def test_an_absent_or_unknown_part_gives_nothing(content: Content) -> None:
    assert not following(content, "trauma_recent", on("mech_twist_pivot", valueBoolean=False))
    unknown = concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown"))
    assert not following(content, "trauma_recent", on("mech_twist_pivot", dataAbsentReason=unknown))


@pytest.mark.parametrize(
    ("warm", "swollen", "leg"),
    [(LEFT, LEFT, "left"), (RIGHT, None, "right"), (None, RIGHT, "right"), (None, None, "unknown")],
)
def test_parts_go_together_when_they_are_of_one_leg(
    content: Content, warm: str | None, swollen: str | None, leg: str
) -> None:
    found = following(content, "hot_red_joint", on("warm_knee_joint", side=warm), on("knee_effusion", side=swollen))
    assert {fact.side.value for fact in found} == {leg}


def test_parts_of_different_legs_do_not(content: Content) -> None:
    assert not following(content, "hot_red_joint", on("warm_knee_joint"), on("knee_effusion", side=RIGHT))


def test_both_knees_give_both_legs(content: Content) -> None:
    chart = [on(key, side=side) for key in ("warm_knee_joint", "knee_effusion") for side in (LEFT, RIGHT)]
    assert {fact.side.value for fact in following(content, "hot_red_joint", *chart)} == {"left", "right"}


@pytest.mark.parametrize("skin", ["warm_knee_joint", "red_knee_joint"])
@pytest.mark.parametrize("swelling", ["knee_effusion", "248491001", "299322007"])
@pytest.mark.parametrize("known", [None, "gout_history", "rheumatoid_arthritis", "xray_oa"])
def test_a_warm_or_red_swollen_knee_is_a_hot_joint(
    content: Content, skin: str, swelling: str, known: str | None
) -> None:
    """Also without fever, and whatever else would explain it (BSR)."""
    code = concept((SNOMED, swelling)) if swelling.isdigit() else swelling
    chart = [on("pain_behind_knee"), on(skin), observation(code, site=LEFT, valueBoolean=True)]
    chart += [observation(known, site=LEFT)] if known else []
    assert "RF07" in rules(judged(content, *chart))


def test_a_swollen_knee_without_warmth_is_none(content: Content) -> None:
    chart = [on("pain_behind_knee"), observation(concept((SNOMED, "248491001")), site=LEFT)]
    assert not rules(judged(content, *chart))


def test_an_examiners_own_denial_stands_against_a_hot_joint(content: Content) -> None:
    hot = [on("pain_behind_knee"), on("warm_knee_joint"), on("knee_effusion")]
    denied = on("hot_red_joint", valueBoolean=False)
    assert not rules(judged(content, *hot, denied))
    older = on("hot_red_joint", 3, valueBoolean=False)
    other_leg = on("hot_red_joint", side=RIGHT, valueBoolean=False)
    preliminary = on("hot_red_joint", valueBoolean=False, status="preliminary")
    undated = on("hot_red_joint", None, valueBoolean=False)
    for weaker in (older, other_leg, preliminary, undated):
        assert rules(judged(content, *hot, weaker)) == ["RF07"]


@pytest.mark.parametrize("beside", ["pale_foot", "foot_pulse_absent", "foot_numb_weak", "onset_sudden"])
def test_a_cold_foot_needs_a_second_sign(content: Content, beside: str) -> None:
    cold = observation(concept((SNOMED, "771542000")), site=LEFT)
    assert "RF04" not in rules(judged(content, on("pain_calf"), cold))
    assert "RF04" in rules(judged(content, on("pain_calf"), cold, on(beside, 2)))
    old = observation(concept((SNOMED, "771542000")), site=LEFT, ago=20)
    assert "RF04" not in rules(judged(content, on("pain_calf"), old, on("pale_foot")))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("267036007", "New breathlessness"),
        ("29857009", "New chest pain"),
        ("66857006", "Coughing up blood"),
        ("271594007", "Fainting or collapse"),
        ("309585006", "Fainting or collapse"),
    ],
)
def test_each_chest_symptom_is_told_by_its_own_name(content: Content, code: str, name: str) -> None:
    chart = [on("pain_calf"), on("calf_swelling"), observation(concept((SNOMED, code)))]
    (flag,) = [flag for flag in judged(content, *chart).urgent if flag.rule == "RF02"]
    assert name in [content.findings[fact.key].name for fact in flag.facts]
    assert "chest_pain_dyspnoea" not in [fact.key for fact in flag.facts]


def test_no_surer_than_its_parts(content: Content) -> None:
    preliminary = on("warm_knee_joint", status="preliminary")
    (fact,) = following(content, "hot_red_joint", preliminary, on("knee_effusion"))
    assert fact.provisional


def test_as_new_as_the_newest_part(content: Content) -> None:
    (fact,) = following(content, "hot_red_joint", on("warm_knee_joint", 9), on("knee_effusion", 2))
    assert fact.when is not None
    assert (NOW.date() - fact.when.day).days == 2


def test_fever_that_has_gone_was_a_fever(content: Content) -> None:
    febrile = observation("fever", ago=3)
    cool = observation(
        concept(("http://loinc.org", "8310-5")),
        ago=0,
        valueQuantity={"value": 36.9, "unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"},
    )
    assessment = judged(content, on("pain_behind_knee"), on("knee_effusion"), febrile, cool)
    assert rules(assessment) == ["RF07"]
    (septic,) = [one for one in assessment.differential if one.cause == "septic_arthritis"]
    assert [part.fact.status.value for part in septic.contributions if part.finding == "fever"] == ["present"]


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ('{ any = ["swollen_knee"]', '{ any = ["knee_effusion"]', "follows from itself"),
        ('{ any = ["swollen_knee"]', '{ any = ["swolen_knee"]', "no finding is called `swolen_knee`"),
        ('{ any = ["swollen_knee"]', '{ any = ["hot_red_joint"]', "follows from itself"),
        ('not_at = ["popliteal_fossa", "popliteal_artery"]', 'not_at = ["moon"]', "no body site is called `moon`"),
    ],
)
def test_mistakes_are_told(old: str, new: str, hint: str) -> None:
    texts = dict(read_texts(ROOT / "cards", ".toml", ".tsv"))
    file = "findings/knee_joint.toml"
    assert old in texts[file]
    with pytest.raises(ContentError) as caught:
        load(texts | {file: texts[file].replace(old, new, 1)}, "uk_ng158")
    assert hint in str(caught.value)

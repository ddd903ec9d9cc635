"""What opens a suspicion of DVT (evidence C.4, C.5): new pain with a sign or a risk, or a suspicion that is stated."""

from __future__ import annotations

import pytest

from cds_service.base.files import read_texts
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.decisions import Change
from cds_service.clinical.content.loading.load import load
from tests.charts import CALF, LEFT, RIGHT, SNOMED, concept, condition, days_ago, judged, observation
from tests.clinical.dvt.signs import clot, level, on, verdict
from tests.conftest import ROOT

LOCAL_SIGNS = (
    "calf_swelling",
    "calf_circumference_diff_3cm",
    "entire_leg_swollen",
    "pitting_oedema_one_leg",
    "redness",
    "warmth",
    "deep_vein_tenderness",
    "collateral_veins",
)

MAJOR_RISKS = (
    "active_cancer",
    "previous_dvt",
    "bedrest_3d",
    "leg_plaster_or_paralysis",
    "recent_surgery",
    "pregnancy",
    "postpartum_6w",
    "thrombophilia",
    "iv_drug_use",
)


@pytest.mark.parametrize("sign", LOCAL_SIGNS)
@pytest.mark.parametrize("pain", ["pain_behind_knee", "pain_calf"])
def test_pain_and_a_local_sign(content: Content, pain: str, sign: str) -> None:
    assert level(content, on(pain), on(sign)) in ("critical", "warning")


@pytest.mark.parametrize("risk", MAJOR_RISKS)
def test_new_pain_and_a_major_risk(content: Content, risk: str) -> None:
    assert level(content, on("pain_behind_knee", 14), on(risk)) is not None
    assert level(content, on("pain_behind_knee", 15), on(risk)) is None


MINOR_RISKS = (
    "obesity", "long_haul_travel", "oestrogen_use", "family_history_vte", "varicose_veins", "recent_infection",
    "long_sitting",
)  # fmt: skip


@pytest.mark.parametrize("risk", MINOR_RISKS)
@pytest.mark.parametrize("pain", ["pain_behind_knee", "pain_calf"])
def test_a_minor_risk_opens_a_warning_with_new_pain_of_one_leg(content: Content, risk: str, pain: str) -> None:
    """The clinician's choice, as shipped: all 7 missed by Wells and D-dimer had a risk that the score leaves out."""
    assert level(content, on(pain, 14), on(risk)) == "warning"
    assert level(content, on(pain, 15), on(risk)) is None
    assert level(content, on(risk)) is None


def test_a_minor_risk_does_not_open_where_the_pain_is_explained_or_of_both_legs(content: Content) -> None:
    flight = on("long_haul_travel")
    assert level(content, on("pain_behind_knee"), flight, on("mech_twist_pivot")) is None
    assert level(content, on("pain_calf"), flight, on("mech_push_off_dorsiflexion")) is None
    assert level(content, on("pain_calf"), on("pain_calf", side=RIGHT), flight) is None
    knee = observation(concept((SNOMED, "30989003")), site=LEFT)
    assert level(content, knee, flight) is None


def test_the_choice_can_be_switched_off() -> None:
    texts = read_texts(ROOT / "cards", ".toml", ".tsv")
    change = Change(file="dvt/uk_ng158.toml", place="risk_outside_wells.opens", value=False)
    off = load(texts, "uk_ng158", changes=(change,))
    assert level(off, on("pain_calf"), on("obesity")) is None
    assert level(off, on("pain_calf"), on("calf_swelling"), on("obesity")) == "critical"


@pytest.mark.parametrize(("site", "opens"), [("49076000", False), ("64234005", False), (CALF, True), (None, True)])
@pytest.mark.parametrize("code", ["247441003", "444827008", "102599008"])
def test_an_understood_place_is_binding(content: Content, code: str, site: str | None, opens: bool) -> None:
    """Redness or warmth of the knee joint or the kneecap is no sign of the calf."""
    sign = observation(concept((SNOMED, code)), site=site)
    assert (level(content, on("pain_behind_knee"), sign) is not None) == opens


@pytest.mark.parametrize("pain", ["thigh", "groin", "buttock", "posterior", "leg"])
@pytest.mark.parametrize("state", ["pregnancy", "postpartum_6w"])
def test_in_pregnancy_pain_anywhere_in_the_leg_opens(content: Content, pain: str, state: str) -> None:
    """Left leg, iliac vein: pain of the whole leg, back or buttock counts (C.4)."""
    pains = {
        "thigh": observation(concept((SNOMED, "78514002")), site=LEFT),
        "groin": on("pain_groin"),
        "buttock": on("pain_buttock"),
        "posterior": on("pain_posterior_thigh"),
        "leg": observation(concept((SNOMED, "10601006")), site=LEFT),
    }
    assert level(content, pains[pain], on(state)) == "critical"
    assert level(content, pains[pain]) is None


def test_thigh_pain_opens_with_thigh_swelling_only(content: Content) -> None:
    pain = observation(concept((SNOMED, "78514002")), site=LEFT)
    assert judged(content, pain).silent_because.startswith("no current complaint")
    swollen = observation(concept((SNOMED, "65124004")), site="61396006")
    assert level(content, pain, swollen) == "warning"
    assert level(content, pain, observation("thigh_swelling", site=RIGHT)) == "warning"


def test_self_test_and_coded_suspicion_open(content: Content) -> None:
    assert level(content, on("pain_calf"), on("homans_or_selftest_positive")) == "warning"
    assert level(content, condition(concept((SNOMED, "432805000")))) == "warning"


def test_signs_without_a_complaint_do_not_open(content: Content) -> None:
    assert not judged(content, on("redness"), on("warmth")).legs
    assert level(content, on("pain_behind_knee", 43), on("redness")) is None


def test_the_other_leg_never_counts(content: Content) -> None:
    assert level(content, on("pain_behind_knee"), on("redness", side=RIGHT)) is None
    assert level(content, on("pain_behind_knee"), observation("redness")) is not None  # side unknown: the sore leg


def test_an_open_suspicion_stays_on_the_list(content: Content) -> None:
    assert level(content, clot(ago=20, verification="provisional")) is not None
    assert level(content, clot(ago=50, verification="provisional")) is None


def test_a_date_to_come_ends_nothing(content: Content) -> None:
    expecting = condition(
        concept(("http://hl7.org/fhir/sid/icd-10-cm", "Z33.1")), ago=90, abatementDateTime="2026-09-01"
    )
    assert verdict(content, on("pain_calf"), expecting).pregnant
    over = condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "Z33.1")), ago=280, abatementDateTime=days_ago(10))
    found = verdict(content, on("pain_calf"), over).pregnant
    assert found is not None
    assert found.key == "postpartum_6w"


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("http://hl7.org/fhir/sid/icd-10-cm", "I80.211"),
        ("http://hl7.org/fhir/sid/icd-10", "I80.2"),
        (SNOMED, "128053003"),
        (SNOMED, "132281000119108"),
    ],
)
def test_a_dvt_code_without_a_place_is_at_least_a_suspicion(content: Content, system: str, code: str) -> None:
    assert level(content, condition(concept((system, code)))) is not None


def test_a_clot_reported_by_an_observation(content: Content) -> None:
    report = observation(
        concept(("http://loinc.org", "39432-0")), valueCodeableConcept=concept((SNOMED, "404223003")), site=LEFT
    )
    assert level(content, report, on("pain_calf")) == "critical"


def test_swollen_legs_and_pain_without_a_place(content: Content) -> None:
    swollen = condition(concept((SNOMED, "275319005")))
    assert level(content, on("pain_calf"), swollen) is not None
    leg_pain = condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "M79.604")))
    assert level(content, leg_pain, on("previous_dvt", 900)) == "critical"


RIGHT_LUMP = [on("swelling_behind_knee", side=RIGHT)]


def test_a_risk_outside_the_score_counts_for_pain_of_one_leg(content: Content) -> None:
    """What else is wrong with the other leg does not make the pain one of both."""
    chart = [on("pain_calf"), on("oestrogen_use")]
    assert level(content, *chart) == "warning"
    assert level(content, *chart, *RIGHT_LUMP) == "warning"
    assert level(content, *chart, on("pain_calf", side=RIGHT)) is None


MECHANISMS = ("mech_sprint_accel_change", "mech_push_off_dorsiflexion", "mech_twist_pivot", "mech_hyperextension")


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "mech_dashboard_fall_flexed"])
def test_a_clear_and_recent_mechanism_explains_new_pain_with_a_risk_outside_the_score(
    content: Content, mechanism: str
) -> None:
    chart = [on("pain_calf"), on("oestrogen_use")]
    assert level(content, *chart, on(mechanism, 14)) is None
    assert level(content, *chart, on(mechanism, 15)) == "warning"
    assert level(content, *chart, on(mechanism, 14), on("calf_swelling")) is not None


@pytest.mark.parametrize("injury", ["trauma_recent", "mech_external_force", "high_energy_trauma", "bruising"])
def test_a_blow_or_an_injury_without_a_mechanism_does_not(content: Content, injury: str) -> None:
    assert level(content, on("pain_calf"), on("oestrogen_use"), on(injury)) == "warning"

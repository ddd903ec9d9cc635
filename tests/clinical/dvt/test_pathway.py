"""The DVT pathway: suspicion (C.5), level (C.6), time (C.8), special situations (C.4), closing and re-opening."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.base.files import read_texts
from cds_service.base.settings import Settings
from cds_service.clinical.assessment import DvtVerdict
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.decisions import Change
from cds_service.clinical.content.loading.load import load
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import Context
from cds_service.service.evaluate import Service, load_content
from tests.charts import (
    CALF,
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
    patient,
    rules,
)
from tests.conftest import NOW, ROOT

Chart = list[dict[str, Any]]


def on(key: str, ago: float | None = 1, *, side: str = LEFT, present: bool = True) -> dict[str, Any]:
    """One of our findings on a leg."""
    return observation(key, ago=ago, site=side, valueBoolean=present)


def verdict(content: Content, *chart: dict[str, Any], who: dict[str, Any] | None = None) -> DvtVerdict:
    return judged(content, *chart, who=who).legs[0].dvt


def level(content: Content, *chart: dict[str, Any]) -> str | None:
    assessment = judged(content, *chart)
    return next((flag.indicator for flag in assessment.urgent if flag.rule == "RF01"), None)


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


def test_after_thirty_days_or_on_an_anticoagulant_no_d_dimer(content: Content) -> None:
    assert verdict(content, on("pain_calf", 31), on("calf_swelling")).scan_only
    assert not verdict(content, on("pain_calf", 31), on("pain_behind_knee", 3), on("calf_swelling")).scan_only
    old = observation("pain_behind_knee", ago=31, site=LEFT)
    assert verdict(content, old, on("redness")).scan_only
    assert not verdict(content, observation("pain_behind_knee", ago=30, site=LEFT), on("redness")).scan_only
    assert verdict(content, on("pain_calf"), on("redness"), on("on_anticoagulant")).scan_only


def test_self_test_and_coded_suspicion_open(content: Content) -> None:
    assert level(content, on("pain_calf"), on("homans_or_selftest_positive")) == "warning"
    assert level(content, condition(concept((SNOMED, "432805000")))) == "warning"


def test_signs_without_a_complaint_do_not_open(content: Content) -> None:
    assert not judged(content, on("redness"), on("warmth")).legs
    assert level(content, on("pain_behind_knee", 43), on("redness")) is None


def test_the_other_leg_never_counts(content: Content) -> None:
    assert level(content, on("pain_behind_knee"), on("redness", side=RIGHT)) is None
    assert level(content, on("pain_behind_knee"), observation("redness")) is not None  # side unknown: the sore leg


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


ALL_BUT_ONE = [
    on(key, present=False)
    for key in (
        "active_cancer",
        "leg_plaster_or_paralysis",
        "bedrest_3d",
        "recent_surgery",
        "deep_vein_tenderness",
        "entire_leg_swollen",
        "calf_circumference_diff_3cm",
        "pitting_oedema_one_leg",
        "collateral_veins",
    )
]


def test_complete_and_low_is_a_warning(content: Content) -> None:
    chart = [on("pain_calf"), on("calf_swelling"), on("redness"), *ALL_BUT_ONE, on("previous_dvt")]
    found = verdict(content, *chart)
    assert found.wells is not None
    assert found.wells.complete
    assert (found.wells.least, found.wells.most) == (1, 1)
    assert found.level == "warning"


def test_bed_rest_and_surgery_share_one_point(content: Content) -> None:
    found = verdict(content, on("pain_calf"), on("bedrest_3d"), on("recent_surgery"))
    assert found.wells is not None
    assert found.wells.least == 1
    one_denied = verdict(content, on("pain_calf"), on("calf_swelling"), on("bedrest_3d", present=False))
    assert one_denied.wells is not None
    assert ("recent_surgery",) in [item.not_recorded for item in one_denied.wells.not_recorded]


def test_item_ten_only_when_asserted(content: Content) -> None:
    cyst = condition(concept((SNOMED, "82675004")))
    with_cyst = verdict(content, on("pain_calf"), on("calf_swelling"), cyst)
    assert with_cyst.wells is not None
    assert with_cyst.wells.least == 0
    asserted = verdict(content, on("pain_calf"), on("calf_swelling"), on("alternative_diagnosis_asserted"))
    assert asserted.wells is not None
    assert asserted.wells.least == -2
    assert asserted.suspected


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


def test_under_18_is_a_paediatric_matter(content: Content) -> None:
    child = patient(birth="2011-01-01")
    swollen = judged(content, on("pain_calf"), on("calf_swelling"), who=child)
    assert rules(swollen) == ["RF17"]
    assert swollen.legs[0].dvt.wells is None
    assert not swollen.differential
    assert rules(judged(content, on("pain_calf"), on("warmth"), who=child)) == ["RF17"]
    assert judged(content, on("pain_behind_knee"), on("worse_bending"), who=child).silent_because


def test_pregnancy_has_no_wells(content: Content) -> None:
    found = verdict(content, on("pain_calf"), on("calf_swelling"), on("pregnancy"))
    assert found.wells is None
    assert found.level == "critical"


SIGNS = [on("pain_calf", 4), on("calf_swelling", 4), on("warmth", 4)]


def negative_tests(scan_ago: float, d_dimer_ago: float, *, raised: bool = False) -> Chart:
    return [on("us_proximal_dvt", scan_ago, present=False), on("ddimer_positive", d_dimer_ago, present=raised)]


def test_scan_and_d_dimer_negative_close(content: Content) -> None:
    assert level(content, *SIGNS, *negative_tests(2, 2)) is None
    assert judged(content, *SIGNS, *negative_tests(2, 2)).legs[0].dvt.closed_by


def test_one_negative_test_does_not_close(content: Content) -> None:
    scan, d_dimer = negative_tests(2, 2)
    assert level(content, *SIGNS, scan) == "critical"
    assert level(content, *SIGNS, d_dimer) == "critical"
    raised = verdict(content, *SIGNS, *negative_tests(2, 2, raised=True))
    assert raised.level == "critical"
    assert raised.notes[0].kind == "repeat_scan_due"


def test_new_signs_and_new_risks_reopen(content: Content) -> None:
    assert level(content, *SIGNS, *negative_tests(3, 3), on("calf_swelling", 1)) is not None
    assert level(content, *SIGNS, *negative_tests(3, 3), on("bedrest_3d", 1)) is not None
    assert level(content, *SIGNS, *negative_tests(5, 5)) == "critical"  # the tests came before the signs


def test_low_score_and_d_dimer_close_but_not_with_cancer_or_anticoagulant(content: Content) -> None:
    low = [*SIGNS, *ALL_BUT_ONE, on("previous_dvt", present=False), on("ddimer_positive", 2, present=False)]
    assert level(content, *low) is None
    assert level(content, *low, observation("on_anticoagulant", ago=2)) == "warning"
    with_cancer = [one for one in low if one["code"]["coding"][0]["code"] != "active_cancer"]
    assert level(content, *with_cancer, on("active_cancer", 10)) == "critical"
    incomplete = [*SIGNS, on("ddimer_positive", 2, present=False)]
    assert level(content, *incomplete) == "critical"


def test_anticoagulant_makes_d_dimer_useless(content: Content) -> None:
    taking = observation("on_anticoagulant", ago=10)
    assert level(content, *SIGNS, taking, *negative_tests(2, 2)) == "critical"
    repeated = [on("us_proximal_dvt", 3, present=False), on("us_proximal_dvt", 10, present=False)]
    assert level(content, *SIGNS, taking, *repeated) == "critical"  # the signs came after the first scan
    older = [on("pain_calf", 12), on("calf_swelling", 12), taking, *repeated]
    assert level(content, *older) is None
    far_apart = [on("us_proximal_dvt", 1, present=False), on("us_proximal_dvt", 30, present=False)]
    assert level(content, on("pain_calf", 12), on("calf_swelling", 12), *far_apart) is not None


APIXABAN = named(
    "MedicationRequest",
    status="active",
    intent="order",
    authoredOn=days_ago(20),
    medicationCodeableConcept=concept((RXNORM, "1364430")),
)


def clot(**fields: Any) -> dict[str, Any]:
    return condition(concept((SNOMED, "404223003")), bodySite=[concept((SNOMED, LEFT))], **fields)


def test_treated_dvt_is_quiet_until_new(content: Content) -> None:
    old = [on("pain_calf", 20), on("calf_swelling", 20)]
    assert level(content, *old, clot(ago=20), APIXABAN) is None
    assert level(content, *old, clot(ago=20), APIXABAN, on("calf_swelling", 2)) is not None
    assert level(content, on("pain_calf", 20, side=RIGHT), on("calf_swelling", 20, side=RIGHT), clot(ago=20), APIXABAN)


def test_recorded_dvt_without_treatment_is_critical(content: Content) -> None:
    assert level(content, clot(ago=3)) == "critical"
    assert level(content, clot(ago=3, verification="refuted")) is None


def test_refuted_without_a_reason_does_not_close(content: Content) -> None:
    plain = clot(ago=None, verification="refuted", recordedDate=days_ago(1))
    assert level(content, *SIGNS, plain) == "critical"
    reasoned = clot(ago=None, verification="refuted", recordedDate=days_ago(1), note=[{"text": "scan seen"}])
    assert level(content, *SIGNS, reasoned) is None


def test_emergencies(content: Content) -> None:
    breathless = judged(content, *SIGNS, observation("chest_pain_dyspnoea"))
    assert rules(breathless) == ["RF01", "RF02"]
    assert breathless.legs[0].dvt.emergency
    blue = judged(content, *SIGNS, on("leg_blue_massive"))
    assert {"RF01", "RF03"} <= set(rules(blue))
    assert blue.legs[0].dvt.emergency
    fast = judged(content, *SIGNS, observation("tachycardia_or_hypoxia"))
    assert rules(fast) == ["RF01", "RF18"]
    assert not fast.legs[0].dvt.emergency


def test_both_legs(content: Content) -> None:
    both = judged(content, *SIGNS, on("pain_calf", side=RIGHT), on("calf_swelling", side=RIGHT), on("previous_dvt"))
    assert [leg.side for leg in both.legs if leg.dvt.suspected] == ["left", "right"]


def test_palliative_care_keeps_the_card_at_warning_without_orders(tmp_path: Path) -> None:
    local = tmp_path / "codes.toml"
    local.write_text(
        '[[code]]\nsystem = "https://site.example/codes"\ncode = "EOL"\nfinding = "palliative_care_only"\n'
    )
    service = Service.from_settings(Settings(local_codes=local))
    chart = [*SIGNS, condition(concept(("https://site.example/codes", "EOL")))]
    entries = tuple(ChartEntry(one) for one in (patient(), *chart))
    assessment = service.judge("p", entries, NOW)
    (card,) = service.cards(assessment, Context(userId="Practitioner/x", patientId="p"), NOW)
    assert card.indicator == "warning"
    assert "judge with the care plan" in card.detail
    assert card.suggestions == ()


def test_american_pathway_is_its_own(content: Content) -> None:
    american = load_content(Settings(pathway="us_ash2018"))
    assert american.pathway.excluded_by_d_dimer_at_most == 0
    assert content.pathway.excluded_by_d_dimer_at_most == 1
    score_1 = [*SIGNS, *ALL_BUT_ONE, on("previous_dvt", 400), on("ddimer_positive", 2, present=False)]
    assert level(content, *score_1) is None
    assert level(american, *score_1) == "warning"
    for text in (
        american.pathway.title,
        american.pathway.act,
        *(o for b in american.pathway.bands for o in b.options),
    ):
        assert "4 h" not in text
        assert "NICE" not in text


def test_an_old_closing_does_not_hide_a_new_clot(content: Content) -> None:
    refuted = clot(ago=None, verification="refuted", recordedDate=days_ago(30), note=[{"text": "scan seen"}])
    assert level(content, refuted, clot(ago=1), on("pain_calf")) == "critical"
    scans = [on("us_proximal_dvt", 25, present=False), on("us_proximal_dvt", 15, present=False)]
    assert level(content, *scans, on("us_proximal_dvt", 1), on("pain_calf")) == "critical"


def test_signs_after_the_scan_are_not_answered_by_a_later_d_dimer(content: Content) -> None:
    later = [on("calf_swelling", 1), on("entire_leg_swollen", 1), on("pain_calf", 7)]
    assert level(content, *later, *negative_tests(7, 0)) == "critical"


def test_symptoms_on_treatment_reopen(content: Content) -> None:
    treated = [clot(ago=20), APIXABAN]
    assert level(content, *treated, on("pain_calf", 1)) is not None
    breathless = judged(content, *treated, observation("chest_pain_dyspnoea", ago=0))
    assert rules(breathless) == ["RF01", "RF02"]


@pytest.mark.parametrize(
    "medicine",
    [
        {"status": "completed", "authoredOn": days_ago(25)},
        {"status": "stopped"},
        {"intent": "plan"},
    ],
)
def test_a_course_that_is_over_treats_nothing(content: Content, medicine: dict[str, Any]) -> None:
    assert level(content, clot(ago=4), {**APIXABAN, **medicine}) == "critical"
    ended = named(
        "MedicationStatement",
        status="active",
        effectivePeriod={"start": days_ago(90), "end": days_ago(10)},
        medicationCodeableConcept=concept((RXNORM, "1364430")),
    )
    assert level(content, clot(ago=4), ended) == "critical"


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
    "weak",
    [
        {"status": "preliminary"},
        {"effectiveDateTime": None},
        {"effectiveDateTime": "2026-03"},
        {"effectiveDateTime": "2026-06-01"},
    ],
)
def test_no_weak_statement_lowers_urgency(content: Content, weak: dict[str, Any]) -> None:
    def weakened(resource: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in {**resource, **weak}.items() if value is not None}

    base = [on("pain_calf"), on("calf_swelling"), on("deep_vein_tenderness"), on("entire_leg_swollen")]
    assert level(content, *base, weakened(on("alternative_diagnosis_asserted"))) == "critical"
    assert level(content, *base, *(weakened(one) for one in negative_tests(0, 0))) == "critical"
    low = [on("pain_calf"), on("calf_swelling"), on("redness"), *(weakened(one) for one in ALL_BUT_ONE)]
    assert level(content, *low) == "critical"


def test_cancer_codes_and_the_order_of_ids(content: Content) -> None:
    breast = condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "C50.911")), ago=30)
    assert level(content, on("pain_calf"), breast) == "critical"
    old = {**condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "C34.11")), ago=4000), "id": "a-old"}
    for name in ("0-new", "z-new"):
        new = {**condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "C18.9")), ago=30), "id": name}
        assert level(content, on("pain_calf"), old, new) == "critical"


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


def test_a_leg_with_a_clot_is_judged_whatever_hurts(content: Content) -> None:
    right = condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "I82.411")))
    both = judged(content, right, on("pain_behind_knee", side=LEFT))
    assert [flag.side for flag in both.urgent if flag.rule == "RF01"] == ["right"]
    sideless = [observation("pain_calf"), on("redness", side=RIGHT), on("deep_vein_tenderness", side=RIGHT)]
    found = judged(content, *sideless, on("pain_behind_knee", side=LEFT))
    assert "right" in [flag.side for flag in found.urgent if flag.rule == "RF01"]


def test_an_old_finding_does_not_name_the_leg(content: Content) -> None:
    chart = [observation("pain_calf"), observation("calf_swelling"), on("prosthetic_knee", 2000, side=RIGHT)]
    assert [leg.side for leg in judged(content, *chart).legs] == ["unknown"]


def test_swollen_legs_and_pain_without_a_place(content: Content) -> None:
    swollen = condition(concept((SNOMED, "275319005")))
    assert level(content, on("pain_calf"), swollen) is not None
    leg_pain = condition(concept(("http://hl7.org/fhir/sid/icd-10-cm", "M79.604")))
    assert level(content, leg_pain, on("previous_dvt", 900)) == "critical"


def test_injecting_is_same_day_whatever_the_score(content: Content) -> None:
    low = [*SIGNS, *ALL_BUT_ONE, on("previous_dvt", present=False), on("ddimer_positive", 2, present=False)]
    assert level(content, *low, on("iv_drug_use", 100)) == "critical"


def test_an_undated_running_statement_treats(content: Content) -> None:
    running = named("MedicationStatement", status="active", medicationCodeableConcept=concept((RXNORM, "1364430")))
    assert level(content, clot(ago=4), running) is None


RIGHT_LUMP = [on("swelling_behind_knee", side=RIGHT)]


def test_a_risk_outside_the_score_counts_for_pain_of_one_leg(content: Content) -> None:
    """What else is wrong with the other leg does not make the pain one of both."""
    chart = [on("pain_calf"), on("oestrogen_use")]
    assert level(content, *chart) == "warning"
    assert level(content, *chart, *RIGHT_LUMP) == "warning"
    assert level(content, *chart, on("pain_calf", side=RIGHT)) is None


@pytest.mark.parametrize(
    "newer",
    [
        {"ago": None, "recordedDate": "2026-03-16T13:00:00Z"},
        {"ago": 4, "recordedDate": "2026-03-16T13:00:00Z"},
        {"ago": None, "onsetDateTime": "2026-03-16T12:00:00Z"},
    ],
    ids=str,
)
def test_a_clot_that_is_written_down_after_the_refutation_is_open(content: Content, newer: dict[str, Any]) -> None:
    refuted = clot(ago=None, verification="refuted", recordedDate="2026-03-16T08:00:00Z", note=[{"text": "scan seen"}])
    assert level(content, *SIGNS, refuted) is None
    assert level(content, *SIGNS, refuted, clot(**newer)) == "critical"
    assert level(content, refuted, clot(**newer)) == "critical"


def test_a_suspicion_that_is_written_down_after_the_tests_is_open(content: Content) -> None:
    stated = clot(ago=4, recordedDate=days_ago(0), verification="provisional")
    signs = [on("pain_calf", 4), on("calf_swelling", 4)]
    assert level(content, *signs, *negative_tests(2, 2)) is None
    assert level(content, *signs, *negative_tests(2, 2), stated) is not None


def test_a_scan_that_denies_and_names_a_dvt_closes_nothing(content: Content) -> None:
    scan, d_dimer = negative_tests(2, 2)
    part = {"code": {"text": "calf veins"}, "valueCodeableConcept": concept((SNOMED, "404223003"))}
    signs = [on("pain_calf", 4), on("calf_swelling", 4)]
    assert level(content, *signs, scan, d_dimer) is None
    assert level(content, *signs, {**scan, "component": [part]}, d_dimer) == "critical"


def test_a_refutation_whose_code_names_another_leg_than_its_place_closes_nothing(content: Content) -> None:
    def refuted(code: str) -> dict[str, Any]:
        return condition(
            concept((ICD10CM, code)),
            ago=None,
            verification="refuted",
            recordedDate=days_ago(0),
            note=[{"text": "scan seen"}],
            bodySite=[concept((SNOMED, LEFT))],
        )

    assert level(content, *SIGNS, refuted("I82.402")) is None
    assert level(content, *SIGNS, refuted("I82.401")) == "critical"


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

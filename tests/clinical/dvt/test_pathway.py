"""The DVT pathway as a whole: special situations (evidence C.4), closing and re-opening."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import Context
from cds_service.service.evaluate import Service, load_content
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
    patient,
    rules,
)
from tests.clinical.dvt.signs import ALL_BUT_ONE, APIXABAN, SIGNS, clot, level, negative_tests, on, verdict
from tests.conftest import NOW


def test_after_thirty_days_or_on_an_anticoagulant_no_d_dimer(content: Content) -> None:
    assert verdict(content, on("pain_calf", 31), on("calf_swelling")).scan_only
    assert not verdict(content, on("pain_calf", 31), on("pain_behind_knee", 3), on("calf_swelling")).scan_only
    old = observation("pain_behind_knee", ago=31, site=LEFT)
    assert verdict(content, old, on("redness")).scan_only
    assert not verdict(content, observation("pain_behind_knee", ago=30, site=LEFT), on("redness")).scan_only
    assert verdict(content, on("pain_calf"), on("redness"), on("on_anticoagulant")).scan_only


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


def test_an_undated_running_statement_treats(content: Content) -> None:
    running = named("MedicationStatement", status="active", medicationCodeableConcept=concept((RXNORM, "1364430")))
    assert level(content, clot(ago=4), running) is None


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

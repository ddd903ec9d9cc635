"""The step that a DVT card names is that of the pathway for this chart, and no other (evidence C.2, C.4)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from tests.charts import LEFT, LEFT_CALF, RIGHT, RXNORM, SNOMED, concept, condition, days_ago, named, observation
from tests.clinical.dvt.signs import negative_tests, on
from tests.rendering.test_compose import cards, labels

LIKELY = [on(key, 5) for key in ("pain_calf", "calf_swelling", "deep_vein_tenderness", "pitting_oedema_one_leg")]
"""Two points are certain."""
LATER = negative_tests(3, 3, raised=True)
"""A negative scan and a raised D-dimer, two days after the signs."""


def dvt(service: Service, *chart: dict[str, Any]) -> Card:
    (card,) = (one for one in cards(service, *chart) if one.rule == "RF01")
    return card


def test_a_negative_scan_with_a_raised_d_dimer_is_repeated_not_today(service: Service) -> None:
    """NICE: stop interim anticoagulation, repeat the scan 6 to 8 days later. The suspicion stays as urgent."""
    card = dvt(service, *LIKELY, *LATER)
    assert card.indicator == "critical"
    assert "repeating the scan 6 to 8 days after" in card.summary
    assert "repeat scan due 19 Mar to 21 Mar" in card.detail
    assert "within 4 h" not in card.summary + card.detail
    assert "if not possible, interim" not in card.detail.lower()
    assert not [label for label in labels(card) if "uplex" in label or "D-dimer" in label]
    assert card.links[0].label.startswith("Referral order")


@pytest.mark.parametrize(
    "more",
    [
        [on("calf_swelling", 1)],  # a sign after the scan
        [on("calf_swelling", None)],  # or one of which nobody knows when
        [on("pain_calf", 1)],  # new pain after the scan
        [on("on_anticoagulant", 2)],
        [on("iv_drug_use", 5)],
        [on("chest_pain_dyspnoea", 3)],
        [observation({"coding": [{"system": "https://local.example", "code": "calf-7"}], "text": "swollen left calf"})],
        [condition(concept((SNOMED, "128053003")), ago=1, bodySite=[concept((SNOMED, LEFT))])],
    ],
)
def test_whatever_may_speak_against_waiting_asks_for_the_scan_today(
    service: Service, more: list[dict[str, Any]]
) -> None:
    card = dvt(service, *LIKELY, *LATER, *more)
    assert "repeating the scan" not in card.summary
    assert "until then" not in card.detail


@pytest.mark.parametrize(("scan", "waits"), [(1, True), (5, True), (6, False), (7, False)])
def test_when_the_day_of_the_repeat_has_come_it_is_today(service: Service, scan: int, waits: bool) -> None:
    signs = [{**one, "effectiveDateTime": "2026-03-08"} for one in LIKELY]
    card = dvt(service, *signs, *negative_tests(scan, scan, raised=True))
    assert ("repeating the scan" in card.summary) is waits


def test_who_injects_goes_to_hospital_whatever_the_score(service: Service) -> None:
    card = dvt(service, on("pain_calf"), on("calf_swelling"), on("iv_drug_use"))
    assert "Same-day hospital assessment and scan, whatever the score." in card.detail
    assert "Wells 1 or less" not in card.detail
    assert not [label for label in labels(card) if "D-dimer" in label]
    assert "injecting drug use" in card.detail


def test_an_emergency_asks_for_no_score(service: Service) -> None:
    card = dvt(service, *LIKELY, on("leg_blue_massive", 0))
    assert "call 999" in card.summary
    assert "Breathless or chest pain?" in card.detail
    assert "Not recorded" not in card.detail
    assert "alternative" not in card.detail


@pytest.mark.parametrize(
    ("flag", "urgent"), [("saddle_bladder_bowel", "RF14"), ("cold_pale_foot", "RF04"), ("haemoptysis", "RF19")]
)
def test_beside_an_emergency_nothing_competes(service: Service, flag: str, urgent: str) -> None:
    """No blood test first, no review in weeks, no physiotherapy under a card that says now."""
    pain = [observation("pain_calf", site=LEFT_CALF), observation("calf_focal_muscle_tender", site=LEFT_CALF)]
    found = cards(service, *pain, on(flag, 0), on("onset_sudden", 0))
    assert found[0].rule == urgent
    for info in found[1:]:
        assert "DVT suspected?" not in info.detail
        assert "1-2 weeks" not in info.detail
        assert not info.suggestions
    alone = cards(service, *pain)
    assert "DVT suspected?" in alone[0].detail
    assert "Review in 1-2 weeks." in alone[0].detail


RIGHT_SIGNS = [on("pain_calf", 5, side=RIGHT), on("calf_swelling", 5, side=RIGHT)]
DVT_ON_RECORD = concept((SNOMED, "404223003"))


@pytest.mark.parametrize(
    "other",
    [
        RIGHT_SIGNS,
        [*RIGHT_SIGNS, on("deep_vein_tenderness", 5, side=RIGHT)],
        [RIGHT_SIGNS[0], condition(DVT_ON_RECORD, ago=5, bodySite=[concept((SNOMED, RIGHT))])],
    ],
)
def test_a_leg_that_waits_does_not_make_the_other_leg_wait(service: Service, other: list[dict[str, Any]]) -> None:
    """Of the right leg nothing was scanned: its scan is for today, whatever the left leg's scan has shown."""
    tests = [
        observation("us_proximal_dvt", ago=3, site=LEFT, valueBoolean=False),
        observation("ddimer_positive", ago=3),
    ]
    card = dvt(service, *LIKELY, *tests, *other)
    assert card.leg == "both"
    assert "until then" not in card.detail
    assert "repeating" not in card.summary
    assert any("uplex" in label for label in labels(card))


@pytest.mark.parametrize("hour", ["08:59", "18:00"])
def test_the_hour_decides_whether_a_sign_is_newer_than_the_scan(service: Service, hour: str) -> None:
    """As for a closing: what may be later than the scan is not answered by it."""
    scan = {**on("us_proximal_dvt", 3, present=False), "effectiveDateTime": "2026-03-13T09:00:00Z"}
    sign = {**on("warmth", 3), "effectiveDateTime": f"2026-03-13T{hour}:00Z"}
    card = dvt(service, *LIKELY, sign, scan, on("ddimer_positive", 3))
    assert ("repeating the scan" in card.summary) is (hour == "08:59")


@pytest.mark.parametrize("risk", ["active_cancer", "recent_surgery", "leg_plaster_or_paralysis"])
def test_a_new_risk_since_the_scan_asks_for_today(service: Service, risk: str) -> None:
    card = dvt(service, *LIKELY, *LATER, on(risk, 1))
    assert "repeating the scan" not in card.summary


@pytest.mark.parametrize("change", [{"status": "preliminary"}, {"effectiveDateTime": None}])
def test_only_a_final_dated_d_dimer_lets_the_scan_wait(service: Service, change: dict[str, Any]) -> None:
    scan, d_dimer = LATER
    altered = {key: value for key, value in {**d_dimer, **change}.items() if value is not None}
    assert "repeating the scan" not in dvt(service, *LIKELY, scan, altered).summary


def test_a_dvt_without_a_side_counts_for_each_leg_that_hurts(service: Service) -> None:
    """The safe reading: only a closing needs a sure side (evidence F.1)."""
    pains = [on("pain_calf", 1), on("pain_calf", 1, side=RIGHT)]
    assert dvt(service, *pains, condition(DVT_ON_RECORD, ago=1)).indicator == "critical"


def test_a_scan_that_shows_a_dvt_is_judged_without_a_complaint(service: Service) -> None:
    scan = on("us_proximal_dvt", 1, side=RIGHT)
    assert dvt(service, scan).leg == "right"
    assert dvt(service, scan, observation("pain_behind_knee", site=LEFT)).leg == "right"
    assert cards(service, on("us_proximal_dvt", 60, side=RIGHT)) == ()


def _taking(ago: int) -> dict[str, Any]:
    begun = {"effectivePeriod": {"start": days_ago(ago)}, "status": "active"}
    return named("MedicationStatement", medicationCodeableConcept=concept((RXNORM, "1364430")), **begun)


@pytest.mark.parametrize(("begun", "opens"), [(1, False), (10, False), (400, True)])
def test_a_clot_in_spite_of_an_old_anticoagulant_is_not_treated_by_it(
    service: Service, begun: int, opens: bool
) -> None:
    """It was begun for something else (evidence C.4); one that began with this episode is its treatment."""
    found = cards(service, on("pain_calf", 3), on("us_proximal_dvt", 1), _taking(begun))
    assert [one.indicator for one in found if one.rule == "RF01"] == (["critical"] if opens else [])


def test_tests_of_one_leg_close_nothing_where_the_signs_name_no_leg(service: Service) -> None:
    """The signs may be of the other leg."""
    signs = [observation("pain_calf", ago=4), observation("calf_swelling", ago=4), observation("warmth", ago=4)]
    sided = negative_tests(2, 2)
    assert dvt(service, *signs, *sided)
    both = [{**sided[0], "bodySite": None}, sided[1]]
    unsided = [{key: value for key, value in one.items() if value is not None} for one in both]
    assert not [one for one in cards(service, *signs, *unsided) if one.rule == "RF01"]


def test_another_diagnosis_that_is_not_subtracted_is_said(service: Service) -> None:
    """Stated by a clinician, but a row that was not understood may contradict it (evidence C.1 item 10)."""
    stated = on("alternative_diagnosis_asserted", 1)
    odd = observation({"coding": [{"system": "https://local.example", "code": "calf-7"}], "text": "swollen left calf"})
    counted = dvt(service, *LIKELY, stated)
    withheld = dvt(service, *LIKELY, stated, odd)
    assert "not subtracted" not in counted.detail
    assert "stated, not subtracted" in withheld.detail
    assert "least as likely (" not in withheld.detail  # it is not asked again


def test_a_flag_that_can_wait_leaves_the_question_about_new_pain(service: Service) -> None:
    pain, lump = on("pain_behind_knee", 1), on("mass_growing", 20)
    found = cards(service, pain, lump)
    assert found[0].rule == "RF12"
    assert any("**DVT suspected?**" in one.detail and one.links for one in found)

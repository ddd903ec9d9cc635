"""What a clinician must see is on the card, however much there is to say: both legs, results, dangers, every rule."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import Context
from cds_service.rendering.card import Card
from cds_service.rendering.layout import DETAIL_LIMIT
from cds_service.service.evaluate import Service
from tests.charts import LEFT, LOINC, RIGHT, SNOMED, concept, condition, days_ago, named, observation, patient
from tests.conftest import NOW

CONTEXT = Context(userId="Practitioner/x", patientId="p", encounterId="e1")
DVT = [observation("pain_calf", site=LEFT), observation("calf_swelling", site=LEFT)]


def cards(service: Service, *chart: dict[str, Any], who: dict[str, Any] | None = None) -> tuple[Card, ...]:
    entries = tuple(ChartEntry(one) for one in (who or patient(), *chart))
    return service.cards(service.judge("p", entries, NOW), CONTEXT, NOW)


def d_dimer(value: float, ago: float = 0) -> dict[str, Any]:
    quantity = {"value": value, "unit": "ng/mL{FEU}", "system": "http://unitsofmeasure.org", "code": "ng/mL{FEU}"}
    return named(
        "Observation",
        status="final",
        code=concept((LOINC, "48065-7")),
        effectiveDateTime=days_ago(ago),
        valueQuantity=quantity,
    )


def labels(card: Card) -> list[str]:
    return [one.label for one in card.suggestions or ()]


def test_a_new_pain_of_one_leg_is_not_lost_behind_what_is_known_of_the_other(service: Service) -> None:
    arthritis = condition(concept((SNOMED, "239873007")), bodySite=[concept((SNOMED, LEFT))])
    old = [observation("pain_behind_knee", site=LEFT, ago=30), observation("crepitus_grinding", site=LEFT), arthritis]
    (alone,) = cards(service, *old)
    assert "left leg" in alone.summary
    for pain in ("pain_calf", "pain_behind_knee"):
        found = cards(service, *old, observation(pain, site=RIGHT, ago=1))
        assert any("right leg" in card.summary and "DVT suspected?" in card.detail for card in found), pain


def test_a_raised_d_dimer_is_shown_and_leads_to_the_scan(service: Service) -> None:
    (card, *_) = cards(service, *DVT, d_dimer(2000))
    assert card.rule == "RF01"
    assert "D-dimer 2,000 ng/mL FEU" in card.detail
    assert "D-dimer raised: proximal leg vein scan" in card.detail
    assert not any("D-dimer" in label for label in labels(card))
    (question, *_) = cards(service, observation("pain_calf", site=LEFT), d_dimer(2000))
    assert "D-dimer 2,000 ng/mL FEU" in question.detail
    assert "Leg vein scan today" in question.detail


def test_a_d_dimer_that_is_not_raised_changes_nothing(service: Service) -> None:
    assert any("D-dimer" in label for label in labels(cards(service, *DVT, d_dimer(300))[0]))


def test_what_is_ordered_for_one_leg_is_still_to_be_ordered_for_the_other(service: Service) -> None:
    both = [*DVT, observation("pain_calf", site=RIGHT), observation("calf_swelling", site=RIGHT)]
    (card, *_) = cards(service, *both)
    assert "Venous duplex today, both legs" in labels(card)
    for code, left in (("39432-0", "right leg"), ("39443-7", "left leg")):
        duplex = named(
            "ServiceRequest", status="active", intent="order", authoredOn=days_ago(0), code=concept((LOINC, code))
        )
        (card, *_) = cards(service, *both, duplex)
        assert f"Venous duplex today, {left}" in labels(card)
        assert "check the result" not in card.summary
        (button,) = [one for one in card.suggestions or () if one.label.startswith("Venous duplex")]
        assert f"Side: {left}." in button.resource["note"][0]["text"]


def test_an_emergency_has_no_steps_for_outpatients(service: Service) -> None:
    signs = [observation(key, site=LEFT, ago=0) for key in ("cold_pale_foot", "foot_pulse_absent")]
    (card,) = [card for card in cards(service, *DVT, *signs) if card.rule == "RF01"]
    assert "an ischaemic foot" in card.summary
    assert card.detail.startswith("**Consider now:**")
    assert "within 24 h" not in card.detail


FLAGS = (
    "cold_pale_foot", "foot_pulse_absent", "hot_red_joint", "tense_calf", "pain_out_of_proportion", "foot_drop",
    "haemarthrosis_4h", "mass_growing", "bone_pain_persistent", "tender_cord_superficial", "extensor_lag",
    "trauma_recent", "ottawa_positive",
)  # fmt: skip


@pytest.mark.parametrize("birth", ["1970-01-01", "2012-01-01"])
def test_the_longest_chart_still_has_its_cards(service: Service, birth: str) -> None:
    signs = [observation(key, site=side, ago=0) for key in FLAGS for side in (LEFT, RIGHT)]
    saddle = observation("saddle_bladder_bowel", ago=0)
    found = cards(service, *DVT, *signs, saddle, who=patient(birth=birth))
    assert len(found) == 3
    assert all(len(card.detail) <= DETAIL_LIMIT for card in found)
    assert all(card.detail.endswith("Not a diagnosis.") for card in found)


def test_every_rule_of_a_combined_card_is_named(service: Service) -> None:
    left = ("hot_red_joint", "foot_drop", "mass_growing", "bone_pain_persistent", "haemarthrosis_4h")
    found = cards(service, *DVT, *(observation(key, site=LEFT) for key in left))
    text = found[-1].detail
    for title in ("Suspicious lump", "Possible bone tumour"):
        assert title in text
    assert "RF12" in text
    assert "RF13" in text


def test_a_rule_that_fires_on_one_leg_does_not_name_both(service: Service) -> None:
    chart = [
        *(observation(key, site=LEFT) for key in ("swelling_behind_knee", "mass_growing")),
        *(observation(key, site=RIGHT) for key in ("pain_behind_knee", "bone_pain_persistent")),
    ]
    (card, *_) = cards(service, *chart)
    assert "both legs" not in card.summary
    assert "left leg" in card.detail
    assert "right leg" in card.detail
    assert any("x-ray" in label.lower() and "right leg" in label for label in labels(card))


def test_cancer_and_an_anticoagulant_are_both_said(service: Service) -> None:
    risks = [observation("active_cancer"), observation("on_anticoagulant")]
    signs = [observation(key, site=LEFT) for key in ("deep_vein_tenderness", "entire_leg_swollen", "warmth", "redness")]
    (card, *_) = cards(service, *DVT, *signs, *risks)
    assert "active cancer" in card.detail.lower()
    assert "anticoagulant" in card.detail


def test_a_dvt_that_may_be_treated_is_not_called_untreated(service: Service) -> None:
    recorded = condition(concept((SNOMED, "128053003")), bodySite=[concept((SNOMED, LEFT))])
    (untreated, *_) = cards(service, recorded, observation("pain_calf", site=LEFT))
    assert "without an anticoagulant" in untreated.summary
    preventive = named(
        "MedicationRequest",
        status="active",
        intent="order",
        medicationCodeableConcept=concept(("http://www.whocc.no/atc", "B01AB05")),
        dosageInstruction=[{"text": "40 mg VTE prophylaxis"}],
    )
    (unsure, *_) = cards(service, recorded, observation("pain_calf", site=LEFT), preventive)
    assert "without an anticoagulant" not in unsure.summary


def test_a_dvt_that_a_scan_shows_needs_no_other_test(service: Service) -> None:
    (card, *_) = cards(service, *DVT, observation("us_proximal_dvt", site=LEFT, ago=0))
    assert "Shown by a scan: DVT service for treatment today" in card.detail
    assert labels(card) == ["Same-day DVT referral, left leg"]


def test_a_red_flag_under_18_says_what_is_feared(service: Service) -> None:
    (card, *_) = cards(service, *DVT, observation("deep_vein_tenderness", site=LEFT), who=patient(birth="2009-05-05"))
    assert card.rule == "RF17"
    assert "deep vein thrombosis" in card.detail
    assert card.source.topic.display == "Red flag in someone under 18"


def test_a_rule_of_both_legs_is_ordered_for_both(service: Service) -> None:
    lumps = [observation(key, site=side) for key in ("swelling_behind_knee", "mass_growing") for side in (LEFT, RIGHT)]
    (card, *_) = cards(service, *lumps)
    assert "both legs" in card.summary
    assert "Ultrasound behind the knee, both legs" in labels(card)


def test_an_order_for_one_rule_does_not_answer_another(service: Service) -> None:
    """A card shrinks to a reminder without buttons only where every rule on it has its order."""
    chart = [observation(key, site=LEFT) for key in ("swelling_behind_knee", "mass_growing", "bone_pain_persistent")]
    ultrasound = named(
        "ServiceRequest",
        status="active",
        intent="order",
        authoredOn=days_ago(0),
        code=concept((LOINC, "39432-0")),
        bodySite=[concept((SNOMED, LEFT))],
    )
    (card, *_) = cards(service, *chart)
    code = next(one.resource["code"] for one in card.suggestions or () if one.label.startswith("Ultrasound"))
    (card, *_) = cards(service, *chart, {**ultrasound, "code": code})
    assert "ordered 16 Mar" in card.summary
    assert any("X-ray" in label for label in labels(card))
    assert card.standing == ""


def test_a_recorded_dvt_stays_in_the_headline_when_an_order_stands(service: Service) -> None:
    recorded = condition(concept((SNOMED, "128053003")), bodySite=[concept((SNOMED, LEFT))])
    duplex = named(
        "ServiceRequest", status="active", intent="order", authoredOn=days_ago(0), code=concept((LOINC, "39432-0"))
    )
    (card, *_) = cards(service, recorded, observation("pain_calf", site=LEFT), duplex)
    assert card.summary.startswith("DVT recorded without an anticoagulant")
    assert "already ordered 16 Mar" in card.detail

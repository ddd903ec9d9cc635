"""Cards as a clinician gets them: order, limits, what is already ordered, what may not be said."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from cds_service.cli.evaluate import judge
from cds_service.cli.inputs import understand
from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.record import Side
from cds_service.protocol.messages import Context
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from tests.charts import LEFT, LOINC, RIGHT, SNOMED, concept, condition, days_ago, named, observation, patient
from tests.conftest import EXAMPLES, NOW, ROOT

CONTEXT = Context(userId="Practitioner/x", patientId="p", encounterId="e1")
DVT = [observation("pain_calf", site=LEFT), observation("calf_swelling", site=LEFT), observation("warmth", site=LEFT)]


def cards(service: Service, *chart: dict[str, Any], who: dict[str, Any] | None = None) -> tuple[Card, ...]:
    entries = tuple(ChartEntry(one) for one in (who or patient(), *chart))
    return service.cards(service.judge("p", entries, NOW), CONTEXT, NOW)


def labels(card: Card) -> list[str]:
    return [suggestion.label for suggestion in card.suggestions or ()]


def order(card: Card, number: int = 0) -> dict[str, Any]:
    assert card.suggestions
    return card.suggestions[number].resource


def test_dvt_first_then_other_flags_then_causes(service: Service) -> None:
    found = cards(service, *DVT, observation("foot_drop", site=LEFT), observation("onset_sudden", site=LEFT))
    assert [card.indicator for card in found] == ["critical", "warning", "info"]
    assert "DVT" in found[0].summary
    assert "oot drop" in found[1].summary


def test_never_more_than_three_and_none_is_lost(service: Service) -> None:
    flags = ("foot_drop", "hot_red_joint", "mass_growing", "tender_cord_superficial", "haemarthrosis_4h")
    found = cards(service, *DVT, *(observation(key, site=LEFT) for key in flags))
    assert len(found) == 3
    text = found[2].summary + found[2].detail
    for word in ("oot drop", "lump", "vein", "knee"):
        assert word in text
    rules = ("RF07", "RF11", "RF12", "RF15", "RF16")
    assert sum(rule in found[1].detail + found[2].detail for rule in rules) == 5


@pytest.mark.parametrize(
    ("sign", "says"), [("chest_pain_dyspnoea", "call 999"), ("tachycardia_or_hypoxia", "assessing for PE now")]
)
def test_a_possible_embolism_and_the_dvt_are_one_card_for_now(service: Service, sign: str, says: str) -> None:
    """Never two critical cards for one act, and no steps for outpatients on it."""
    found = cards(service, *DVT, observation(sign, ago=0))
    (urgent,) = [card for card in found if card.indicator != "info"]
    assert urgent.rule == "RF01"
    assert urgent.indicator == "critical"
    assert says in urgent.summary
    assert order(urgent)["priority"] == "stat"
    assert urgent.detail.startswith("**Consider now:**")
    assert "D-dimer" not in urgent.detail
    assert service.content.short(sign) in urgent.detail


def test_a_suspected_dvt_keeps_its_card_behind_what_is_quicker(service: Service) -> None:
    """Sorted by speed: an ischaemic foot and an infected knee come first, the warning is not merged away."""
    quicker = ("cold_pale_foot", "hot_red_joint", "tense_calf", "pain_out_of_proportion")
    chart = [observation("pain_calf", site=LEFT), observation("calf_swelling", site=LEFT)]
    found = cards(service, *chart, *(observation(key, site=LEFT, ago=0) for key in quicker))
    assert len(found) == 3
    assert [card.rule for card in found].count("RF01") == 1


@pytest.mark.parametrize("what", ["anticoagulant", "old"])
def test_no_d_dimer_on_a_card_that_goes_to_the_scan(service: Service, what: str) -> None:
    chart = {
        "anticoagulant": [observation("pain_calf", site=LEFT), observation("on_anticoagulant")],
        "old": [observation("pain_behind_knee", site=LEFT, ago=36)],
    }[what]
    found = cards(service, *chart, observation("redness", site=LEFT))
    text = " ".join(f"{card.summary} {card.detail} {card.suggestions}" for card in found if card.rule == "RF01")
    assert "leg vein scan" in text
    assert "D-dimer, result" not in text  # that it can be falsely low is said
    assert "30882-1" not in text


def test_new_pain_without_a_cause_asks_about_dvt_and_links_to_the_referral(service: Service) -> None:
    absent = [
        observation(key, site=LEFT, valueBoolean=False) for key in ("calf_swelling", "redness", "deep_vein_tenderness")
    ]
    calf = observation("pain_calf", site=LEFT)
    tear = [observation(key, site=LEFT, valueBoolean=False) for key in ("worse_tiptoe", "calf_focal_muscle_tender")]
    (card,) = cards(service, calf, *absent, *tear)
    assert (card.rule, card.indicator) == ("new_pain", "info")
    assert "DVT suspected?" in card.detail
    assert "Safety net" in card.detail
    assert card.links
    assert card.links[0].label.startswith("Referral order")


def test_a_card_for_a_sixteen_year_old_says_so(service: Service) -> None:
    chart = [observation(key, site=LEFT) for key in ("pain_posterior_thigh", "mech_sprint_accel_change")]
    (card,) = cards(service, *chart, who=patient(birth="2009-06-01"))
    assert "Under 18: these tests and figures are from adults." in card.detail


def test_wells_is_a_range_until_all_is_recorded(service: Service) -> None:
    (card, *_) = cards(service, *DVT)
    assert "(Wells not yet scorable)" in card.summary
    assert "9 Wells items in all" in card.detail
    assert "**Check now:** Breathless or chest pain?" in card.detail
    assert "Another diagnosis at least as likely (\N{MINUS SIGN}2)?" in card.detail


def test_suggestions_by_level(service: Service) -> None:
    critical = cards(service, *DVT)[0]
    assert labels(critical)[0] == "Same-day DVT referral, left leg"
    assert order(critical)["priority"] == "asap"
    warning = cards(service, observation("pain_calf", site=LEFT), observation("redness", site=LEFT))[0]
    assert warning.indicator == "warning"
    assert labels(warning) == [
        "D-dimer, result today",
        "Same-day DVT referral, left leg",
        "Venous duplex today, left leg",
    ]
    assert order(warning)["priority"] == "asap"  # a warning of DVT is for today: `urgent` would say within 2 weeks


def test_no_d_dimer_in_pregnancy_or_on_an_anticoagulant(service: Service) -> None:
    pregnant = cards(service, *DVT, observation("pregnancy"))[0]
    assert labels(pregnant) == ["Same-day maternity triage, left leg", "Venous duplex today, left leg"]
    assert "Wells does not apply" in pregnant.detail
    taking = cards(service, *DVT, observation("on_anticoagulant"))[0]
    assert taking.indicator == "critical"
    assert "D-dimer, result today" not in labels(taking)
    assert "D-dimer can be falsely low" in taking.detail


def test_side_is_never_preset(service: Service) -> None:
    sideless = [observation(key) for key in ("pain_calf", "calf_swelling", "warmth")]
    card = cards(service, *sideless)[0]
    assert "side not recorded" in card.summary
    assert "bodySite" not in order(card)
    assert order(card, 1)["code"]["coding"][0]["code"] == "30881-7"
    assert card.links
    assert card.links[0].url.endswith("/orders/dvt_referral")
    assert card.links[0].draft is not None
    assert card.links[0].draft.side is Side.UNKNOWN


def test_order_content(service: Service) -> None:
    resource = order(cards(service, *DVT)[0], 1)
    assert resource["encounter"] == {"reference": "Encounter/e1"}
    assert resource["subject"] == {"reference": "Patient/p"}
    assert {r["reference"] for r in resource["reasonReference"]} == {f"Observation/{one['id']}" for one in DVT}
    assert resource["reasonCode"][0]["coding"][0]["code"] == "432805000"
    note = resource["note"][0]["text"]
    assert "Wells 0 to 9" in note
    assert "left leg" in note
    assert "not recorded" in note


def placed(code: tuple[str, str], **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"status": "active", "intent": "order", "authoredOn": days_ago(0)}
    return named("ServiceRequest", code=concept(code), **{**base, **fields})


DUPLEX_LEFT = (LOINC, "39432-0")


def test_no_order_twice(service: Service) -> None:
    card = cards(service, *DVT, placed(DUPLEX_LEFT))[0]
    assert "Venous duplex today, left leg" not in labels(card)
    assert "ultrasound already ordered 16 Mar" in card.detail
    assert "ultrasound ordered 16 Mar; check the result today" in card.summary
    assert card.indicator == "critical"


@pytest.mark.parametrize(
    "other",
    [
        placed((LOINC, "39443-7")),  # the right leg
        placed((LOINC, "30881-7")),  # no leg named
        placed(DUPLEX_LEFT, status="revoked"),
        placed(DUPLEX_LEFT, status="draft"),
        placed(DUPLEX_LEFT, intent="proposal"),
        placed(DUPLEX_LEFT, status="completed", authoredOn=days_ago(20)),  # before the signs
        placed((SNOMED, "134403003")),  # an urgent referral for anything
        placed((SNOMED, "134403003"), reasonCode=[concept((SNOMED, "363346000"))]),
    ],
)
def test_orders_that_do_not_answer(service: Service, other: dict[str, Any]) -> None:
    assert len(labels(cards(service, *DVT, other)[0])) == 3


def test_a_referral_for_suspected_dvt_is_recognised(service: Service) -> None:
    referral = placed((SNOMED, "134403003"), reasonCode=[concept((SNOMED, "432805000"))])
    card = cards(service, *DVT, referral)[0]
    assert "Same-day DVT referral, left leg" not in labels(card)
    assert "Same-day DVT assessment already ordered" in card.detail


def test_both_legs_on_one_dvt_card(service: Service) -> None:
    right = [observation("pain_calf", site=RIGHT), observation("redness", site=RIGHT)]
    found = cards(service, *DVT, *right)
    dvt = [card for card in found if "DVT" in card.summary]
    assert len(dvt) == 1
    assert "both legs" in dvt[0].summary
    assert "Signs also in the right leg." in dvt[0].detail


def test_known_and_treated_is_not_shown_again(service: Service) -> None:
    pain = observation("pain_behind_knee", site=LEFT)
    arthritis = condition(concept((SNOMED, "239873007")), bodySite=[concept((SNOMED, "82169009"))])
    shown = cards(service, pain, arthritis)
    assert "steoarthritis" in shown[0].summary
    assert "Diagnosis: knee osteoarthritis (" in shown[0].detail
    physio = placed((SNOMED, "308447003"), bodySite=[concept((SNOMED, "82169009"))])
    assert not cards(service, pain, arthritis, physio)


def test_differential_says_for_against_and_missing(service: Service) -> None:
    chart = [
        observation("pain_behind_knee", site=LEFT),
        observation("swelling_behind_knee", site=LEFT),
        observation("worse_bending", site=LEFT),
        observation("pain_calf", site=LEFT),
    ]
    (card,) = cards(service, *chart, who=patient(birth="1990-01-01"))
    assert card.indicator == "info"
    assert "**Baker's cyst, strong fit.** Swelling behind the knee (strong*)." in card.detail
    assert card.detail.count("*)") >= 1
    assert "Marked *: no study." in card.detail
    assert "%" not in card.detail


def test_minor_risk_with_pain_alone_names_the_signs(service: Service) -> None:
    """A pain that is no longer new opens nothing with a minor risk."""
    chart = [observation("pain_behind_knee", site=LEFT, ago=20), observation("swelling_behind_knee", site=LEFT)]
    found = cards(service, *chart, observation("long_haul_travel"))
    assert all("DVT" not in card.summary for card in found)
    assert "new calf swelling, redness or warmth needs same-day assessment" in found[0].detail


REASSURES = re.compile(r"dvt is unlikely|dvt excluded|no (?:sign of )?dvt|rules out|all clear\b|heart attack")


def test_no_card_ever_reassures(service: Service) -> None:
    for path in EXAMPLES.glob("*.json"):
        for card in judge(service, path.read_bytes(), NOW)[0]:
            assert not REASSURES.search(f"{card.summary} {card.detail}".lower()), path.stem


def test_no_message_reassures_either() -> None:
    """Also those that no example shows, such as what is said of a chart that did not come whole."""
    messages = (ROOT / "cards" / "text" / "en.toml").read_text(encoding="utf-8").lower()
    assert not REASSURES.search(messages)


def test_an_order_for_within_two_weeks_is_due_then(service: Service) -> None:
    """Its period agrees with its priority; what is for today ends tomorrow."""
    lump = (observation("swelling_behind_knee", site=LEFT), observation("known_popliteal_aneurysm", site=LEFT))
    [aneurysm] = [one for one in cards(service, *lump) if one.summary.startswith("Possible popliteal aneurysm")]
    draft = order(aneurysm)
    assert draft["priority"] == "urgent"
    assert days_of(draft["occurrencePeriod"]) == 14
    assert days_of(order(cards(service, *DVT)[0])["occurrencePeriod"]) == 1


@pytest.mark.parametrize(
    ("user", "named"),
    [("Practitioner/x", True), ("PractitionerRole/x", True), ("Patient/p", False), ("RelatedPerson/x", False)],
)
def test_every_draft_of_every_example_says_who_when_and_for_which_visit(
    service: Service, user: str, *, named: bool
) -> None:
    """What an EHR's order profile asks for and the call has told; a patient who opens the chart orders nothing."""
    seen = set()
    for path in EXAMPLES.glob("*.json"):
        given = understand(path.read_bytes())
        context = given.request.context.model_copy(update={"userId": user, "encounterId": "e1"})
        request = given.request.model_copy(update={"context": context})
        for card in service.answer(request, given.prefetched, NOW).cards:
            for suggestion in card.suggestions:
                drafted = suggestion.resource
                seen.add(suggestion.order)
                assert drafted["authoredOn"] == drafted["occurrencePeriod"]["start"] == "2026-03-16"
                assert ("end" in drafted["occurrencePeriod"]) is (drafted["priority"] != "routine")
                assert drafted["encounter"] == {"reference": "Encounter/e1"}
                assert drafted.get("requester") == ({"reference": user} if named else None)
                assert ("bodySite" in drafted) is (suggestion.side in ("left", "right", "both")), suggestion.label
    assert len(seen) > 10


def days_of(period: dict[str, str]) -> int:
    return (date.fromisoformat(period["end"]) - date.fromisoformat(period["start"])).days


BAND = re.compile(r"^\*\*[^*]+, (?:strong fit|fits|possible|confirmed)\.\*\*")


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.json")))
def test_a_card_says_nothing_twice_and_nothing_without_its_head(service: Service, name: str) -> None:
    for card in judge(service, (EXAMPLES / f"{name}.json").read_bytes(), NOW)[0]:
        parts = card.detail.split("\n\n")
        assert ("Marked *" in card.detail) == ("*)" in card.detail)  # the legend goes with the star
        asked = re.search(r"\*\*Check now:\*\* ([^.?]+)\.", card.detail)
        assert asked is None or f"Not recorded: {asked[1]}" not in card.detail
        assert all(BAND.match(one) for one in parts if re.search(r"\((?:strong|moderate|weak)\*?\)", one))
        first = re.match(r"\*\*Consider within 2 weeks:\*\* [^.]*", card.detail)
        assert first is None or "within 2 weeks" not in first[0].partition(":**")[2]


def test_an_emergency_of_the_spine_is_of_no_leg(service: Service) -> None:
    card = judge(service, (EXAMPLES / "red-flag-rf14.json").read_bytes(), NOW)[0][0]
    assert card.rule == "RF14"
    assert labels(card) == ["Send to emergency department"]
    sent = order(card)
    assert "bodySite" not in sent
    assert "MRI of the spine" in sent["note"][0]["text"]


def test_what_makes_it_urgent_is_in_the_headline_before_the_complaint(service: Service) -> None:
    card = judge(service, (EXAMPLES / "dvt-injecting-drugs.json").read_bytes(), NOW)[0][0]
    assert card.indicator == "critical"
    assert card.summary.endswith("; injecting drug use.")


_REASON = re.compile(r"(?:^|[.] )([^.*]+?) \((?:strong|moderate|weak)")


def test_a_reason_that_two_findings_share_is_given_once(service: Service) -> None:
    """A composite finding may rest on one fact alone, which counts by itself too."""
    for path in EXAMPLES.glob("*.json"):
        for card in judge(service, path.read_bytes(), NOW)[0]:
            for paragraph in card.detail.split("\n\n"):
                reasons = _REASON.findall(paragraph)
                assert len(reasons) == len(set(reasons)), (path.stem, paragraph)

"""What an urgent card says of a danger comes from what the chart shows, never from a branch that is left over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import Context
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from tests.charts import LEFT, SNOMED, concept, condition, observation, patient
from tests.conftest import NOW

CONTEXT = Context(userId="Practitioner/x", patientId="p", encounterId="e1")
DVT = [observation("pain_calf", site=LEFT), observation("calf_swelling", site=LEFT)]
WORDS = {"chest symptoms", "phlegmasia signs", "an ischaemic foot"}


def first(service: Service, *chart: dict[str, Any], who: dict[str, Any] | None = None) -> Card:
    entries = tuple(ChartEntry(one) for one in (who or patient(), *chart))
    return service.cards(service.judge("p", entries, NOW), CONTEXT, NOW)[0]


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        (["chest_pain_dyspnoea"], ["chest symptoms"]),
        (["leg_blue_massive"], ["phlegmasia signs"]),
        (["cold_pale_foot"], ["an ischaemic foot"]),
        (["known_aneurysm", "foot_pulse_absent"], ["an ischaemic foot"]),
        (["chest_pain_dyspnoea", "cold_pale_foot"], ["chest symptoms", "an ischaemic foot"]),
        (["leg_blue_massive", "cold_pale_foot"], ["phlegmasia signs", "an ischaemic foot"]),
        (["chest_pain_dyspnoea", "leg_blue_massive", "cold_pale_foot"], sorted(WORDS, key=len)),
    ],
)
def test_an_emergency_is_named_by_what_is_there(service: Service, signs: list[str], words: list[str]) -> None:
    summary = first(service, *DVT, *(observation(key, site=LEFT) for key in signs)).summary
    assert summary.startswith("Suspected DVT with ")
    assert "call 999 or send to ED now" in summary
    assert {one for one in WORDS if one in summary} == set(words)


def test_an_emergency_that_no_rule_has_words_for_is_not_given_others(service: Service) -> None:
    """Rules of the content can be changed; the headline then says less, and nothing that is not so."""
    content = service.content
    flags = {
        rule: flag.model_copy(update={"card": flag.card.model_copy(update={"danger": None})})
        for rule, flag in content.red_flags.items()
    }
    changed = replace(service, content=replace(content, red_flags=flags))
    summary = first(changed, *DVT, observation("chest_pain_dyspnoea")).summary
    assert summary.startswith("Suspected DVT, left leg: call 999 or send to ED now; ")


@pytest.mark.parametrize(("key", "words"), [("pregnancy", "in pregnancy"), ("postpartum_6w", "after delivery")])
def test_the_state_of_a_pregnancy_is_the_one_recorded(service: Service, key: str, words: str) -> None:
    card = first(service, *DVT, observation(key))
    assert card.summary.startswith(f"Suspected DVT {words}, left leg")
    assert "Wells does not apply in pregnancy or 6 weeks after." in card.detail


def test_a_card_that_rests_on_a_diagnosis_alone_names_it(service: Service) -> None:
    dvt = condition(concept((SNOMED, "128053003")), bodySite=[concept((SNOMED, LEFT))])
    card = first(service, dvt, who=patient(birth="2012-05-05"))
    assert "**Because:** diagnosis: deep vein thrombosis (15 Mar)." in card.detail
    assert "leg signs" not in card.detail

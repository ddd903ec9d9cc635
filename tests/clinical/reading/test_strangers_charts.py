"""Charts as strangers write them: words at a place, names in other spellings, answers and legs that contradict."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from tests.charts import (
    CALF,
    LEFT,
    LEFT_CALF,
    LOINC,
    POPLITEAL,
    RIGHT,
    RXNORM,
    SIDE_LEFT,
    SIDE_RIGHT,
    SNOMED,
    Resource,
    concept,
    condition,
    days_ago,
    judged,
    named,
    observation,
    read,
)

UNLISTED = "442672001"
"""A code of SNOMED CT ("Swelling") that is none of ours: stands for any general one that is not listed."""
ARM = "40983000"
LATERALITY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier"

QUALIFIED_RIGHT = {"url": LATERALITY, "valueCodeableConcept": concept((SNOMED, SIDE_RIGHT))}


def unlisted(display: str) -> Resource:
    return {"coding": [{"system": SNOMED, "code": UNLISTED, "display": display}]}


# --- a general code of no concern, and a place of ours


@pytest.mark.parametrize(
    ("display", "site", "key"),
    [
        ("Swelling", LEFT_CALF, "calf_swelling"),
        ("Localized swelling", LEFT, "leg_swelling"),
        ("Musculoskeletal pain", CALF, "pain_calf"),
        ("Schmerz", LEFT_CALF, "pain_calf"),
        ("Douleur", POPLITEAL, "pain_behind_knee"),
        ("Redness", LEFT_CALF, "redness"),
        ("Increased warmth", LEFT, "warmth"),
    ],
)
@pytest.mark.parametrize("as_problem", [True, False])
def test_words_at_a_place_of_ours_are_not_passed_over(
    content: Content, display: str, site: str, key: str, *, as_problem: bool
) -> None:
    place = concept((SNOMED, site))
    row = condition(unlisted(display), bodySite=[place]) if as_problem else observation(unlisted(display), site=place)
    record = read(content, row)
    assert not record.facts
    assert key in {named for one in record.unread for named in one.keys}


def test_a_finding_that_is_the_answer_counts_at_its_place(content: Content) -> None:
    row = observation(concept((LOINC, "8716-3")), site=LEFT_CALF, valueCodeableConcept=unlisted("Swelling"))
    assert "calf_swelling" in {named for one in read(content, row).unread for named in one.keys}


@pytest.mark.parametrize(
    "row",
    [
        condition(unlisted("Swelling"), bodySite=[concept((SNOMED, ARM))]),
        condition(unlisted("Swelling")),
        condition(unlisted("Scar"), bodySite=[concept((SNOMED, LEFT_CALF))]),
        condition(unlisted("Swelling"), bodySite=[concept((SNOMED, LEFT_CALF))], clinical="resolved"),
        observation(unlisted("Swelling"), site=LEFT_CALF, valueBoolean=False),
        observation(unlisted("Swelling"), site=LEFT_CALF, status="entered-in-error"),
    ],
    ids=["the arm", "no place", "no sign", "over", "denied", "in error"],
)
def test_what_is_said_of_nothing_of_ours_stays_silent(content: Content, row: Resource) -> None:
    assert not read(content, row).unread


# --- names of anticoagulants in other spellings


@pytest.mark.parametrize(
    "name",
    ["FENPROCOUMON TABLET 3MG", "Fenprokumon", "fenprocumone", "Mono-Embolex 3000", "Liquemin", "Hepariini",
     "Varfariini", "Warfaryna 5 mg", "OAC", "OAK nach Plan"],
)  # fmt: skip
@pytest.mark.parametrize("system", ["urn:oid:2.16.840.1.113883.2.4.4.10", RXNORM])
def test_a_name_in_another_spelling_is_a_possible_anticoagulant(content: Content, name: str, system: str) -> None:
    """Under a code that is none of ours it would else pass for another medicine."""
    coded = {"coding": [{"system": system, "code": "92924", "display": name}]}
    row = named("MedicationRequest", status="active", intent="order", authoredOn=days_ago(9),
                medicationCodeableConcept=coded)  # fmt: skip
    assert [one.keys for one in read(content, row).unread] == [("on_anticoagulant",)]


# --- what contradicts itself


@pytest.mark.parametrize(
    "site",
    [
        {**concept((SNOMED, LEFT)), "extension": [QUALIFIED_RIGHT]},
        concept((SNOMED, LEFT_CALF), (SNOMED, SIDE_RIGHT)),
        concept((SNOMED, CALF), (SNOMED, SIDE_LEFT), (SNOMED, SIDE_RIGHT)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("code", [(SNOMED, "404223003"), (SNOMED, "300954003")])
def test_a_leg_that_contradicts_itself_is_told(content: Content, site: Resource, code: tuple[str, str]) -> None:
    record = read(content, condition(concept(code), bodySite=[site]))
    assert any(one.reason == "its codes name different legs" for one in record.unread)


def test_two_places_are_two_legs_and_no_contradiction(content: Content) -> None:
    sites = [concept((SNOMED, LEFT)), concept((SNOMED, RIGHT))]
    assert not read(content, condition(concept((SNOMED, "404223003")), bodySite=sites)).unread


YES, NO, DETECTED = (SNOMED, "52101004"), (SNOMED, "2667000"), (LOINC, "LA11882-0")


@pytest.mark.parametrize("codes", [(YES, NO), (NO, YES), (DETECTED, NO)], ids=str)
def test_an_answer_of_yes_and_no_is_not_understood(content: Content, codes: Any) -> None:
    record = read(content, observation("calf_swelling", site=LEFT, valueCodeableConcept=concept(*codes)))
    assert not record.facts
    assert [one.keys for one in record.unread] == [("calf_swelling",)]


# --- words of signs and of a clot


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("opgezwollen kuit links", "calf_swelling"),
        ("bloedprop in been", "dvt"),
        ("Wadenziehen", "pain_calf"),
        ("TBVT?", "dvt"),
        ("calf induration", "calf_swelling"),
        ("sospetto tromboembolismo venoso", "dvt"),
    ],
)
def test_a_complaint_in_words_of_its_own_language_is_named(content: Content, text: str, key: str) -> None:
    assert key in {named for one in judged(content, condition({"text": text})).doubts.complaint for named in one.keys}


def test_a_clot_of_a_central_vein_is_none_of_the_leg(content: Content) -> None:
    assert not judged(content, condition({"text": "Zentralvenenthrombose"})).doubts.complaint

"""The assessment as a Questionnaire: valid, complete, of our own codes, and no second meaning for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.questionnaire import Questionnaire

from cds_service.clinical.answers import OF_PATHWAY
from cds_service.clinical.content.catalogue import Content
from cds_service.rendering.questionnaire import assessment_code_system, questionnaire, standard_codings
from tests.conftest import Server

BASE = "https://posterior-knee-cds.example/fhir"


def items(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every item, however deep."""
    for item in node.get("item", ()):
        yield item
        yield from items(item)


def test_it_is_valid_and_has_a_canonical_address(content: Content) -> None:
    found = questionnaire(content)
    Questionnaire.model_validate(found)
    CodeSystem.model_validate(assessment_code_system(content))
    assert found["url"] == f"{BASE}/Questionnaire/{found['id']}"
    assert found["version"] == assessment_code_system(content)["version"] == content.version


def test_it_asks_what_the_page_may_ask_of_a_suspected_dvt(content: Content) -> None:
    found = {item["linkId"]: item for item in items(questionnaire(content))}
    assert len(found) == len(list(items(questionnaire(content)))), "each linkId once"
    scored = [key for item in content.pathway.items for key in item.any]
    assert {*scored, *OF_PATHWAY, "side", "anticoagulant-contraindicated"} <= set(found)
    for key in (*scored, *OF_PATHWAY):
        options = [one["valueCoding"]["code"] for one in found[key]["answerOption"]]
        assert options == ["373066001", "373067005"], "yes and no; not examined is no answer"
        assert found[key]["code"][0] == {
            "system": f"{BASE}/CodeSystem/finding",
            "code": key,
            "display": content.findings[key].name,
        }
        assert "initial" not in found[key]
    assert found["alternative_diagnosis_asserted"]["prefix"] == "-2"
    assert found["active_cancer"]["prefix"] == "+1"
    girths = found["calf_circumference_diff_3cm"]["item"]
    assert {one["type"] for one in girths} == {"decimal"}


def test_its_own_codes_are_published(content: Content) -> None:
    """Every code of ours in it stands in one of our two code systems."""
    known = {one["code"] for one in assessment_code_system(content)["concept"]} | set(content.findings)
    used = [code for item in items(questionnaire(content)) for code in item.get("code", ())]
    assert {one["code"] for one in used if one["system"].startswith(BASE)} <= known
    assert {one["code"] for one in questionnaire(content)["code"]} <= known


@pytest.mark.parametrize(
    ("key", "codes"),
    [
        ("active_cancer", []),  # chemotherapy shows a cancer; its "no" would say nothing of one
        ("recent_surgery", []),
        ("previous_dvt", ["161508001"]),
        ("pregnancy", ["77386006"]),
        ("deep_vein_tenderness", []),
    ],
)
def test_a_standard_code_says_just_the_same(content: Content, key: str, codes: list[str]) -> None:
    assert [one["code"] for one in standard_codings(content, key)] == codes


def test_it_is_served(server: Server, content: Content) -> None:
    assert server.get("/fhir/Questionnaire/dvt-assessment").json() == questionnaire(content)
    assert server.get("/fhir/CodeSystem/assessment").json() == assessment_code_system(content)

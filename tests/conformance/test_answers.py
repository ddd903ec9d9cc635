"""Rows R, K, S, L and E2 to E4: every answer to every example, looked at field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from markdown_it import MarkdownIt

from cds_service.service.examples import as_request
from tests.conftest import Server, bundle, stories
from tests.web.test_hook import request_for

CARD = {
    "uuid",
    "summary",
    "detail",
    "indicator",
    "source",
    "suggestions",
    "selectionBehavior",
    "overrideReasons",
    "links",
}
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
PLAIN = MarkdownIt("commonmark")


@pytest.fixture(scope="module")
def answers(server: Server) -> dict[str, dict[str, Any]]:
    """Every example that is a lawful call, by name."""
    found = {}
    for name in stories():
        answer = server.call(as_request(bundle(name), "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"))
        assert answer.status_code == 200, name
        found[name] = answer.json()
    assert len(found) > 100
    return found


def cards(answers: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for answer in answers.values():
        yield from answer["cards"]


def suggestions(answers: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for card in cards(answers):
        yield from card.get("suggestions", ())


def actions(answers: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for suggestion in suggestions(answers):
        yield from suggestion["actions"]


def links(answers: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for card in cards(answers):
        yield from card.get("links", ())


def values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, node
    if isinstance(node, dict):
        for key, inner in node.items():
            yield from values(inner, f"{path}.{key}")
    elif isinstance(node, list):
        for inner in node:
            yield from values(inner, f"{path}[]")


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == value != ""


@pytest.mark.row("R1", "R2", "R3", "R5")
def test_the_answer_is_cards_and_perhaps_an_extension(answers: dict[str, dict[str, Any]]) -> None:
    for name, answer in answers.items():
        assert set(answer) <= {"cards", "extension"}, name
        assert isinstance(answer["cards"], list)


@pytest.mark.row("R6")
def test_nothing_to_say_is_an_empty_list(answers: dict[str, dict[str, Any]]) -> None:
    silent = [name for name, story in stories().items() if story["silent"]]
    assert silent
    for name in silent:
        assert answers[name]["cards"] == []


@pytest.mark.row("H2", "H3")
def test_nothing_is_null_or_empty(answers: dict[str, dict[str, Any]], server: Server) -> None:
    offered = server.get("/cds-services").json()
    for body in (*answers.values(), offered, server.call({}).json()):
        for path, value in values(body):
            assert value is not None, path
            assert value not in ("", [], {}) or path == ".cards", path


@pytest.mark.row("E2", "E3", "E4")
def test_extensions_are_objects_with_names_of_our_own(answers: dict[str, dict[str, Any]]) -> None:
    seen = 0
    for answer in answers.values():
        if "extension" in answer:
            seen += 1
            assert isinstance(answer["extension"], dict)
            assert all(re.fullmatch(r"com\.posterior-knee-cds\.[a-z]+", name) for name in answer["extension"])
    assert seen


@pytest.mark.row("K1", "S2")
def test_uuids_are_new_and_unique(answers: dict[str, dict[str, Any]], server: Server) -> None:
    found = [one["uuid"] for one in (*cards(answers), *suggestions(answers))]
    again = server.call(request_for("dvt-likely")).json()["cards"]
    found += [card["uuid"] for card in again] + [one["uuid"] for card in again for one in card.get("suggestions", ())]
    assert len(found) == len(set(found))
    assert all(str(UUID(one)) == one for one in found)


@pytest.mark.row("K3", "K4", "K5", "K8", "K9", "K10", "R5")
def test_cards_have_what_they_must(answers: dict[str, dict[str, Any]]) -> None:
    for card in cards(answers):
        assert set(card) <= CARD
        assert is_text(card["summary"])
        assert len(card["summary"]) < 140
        assert is_text(card["detail"])
        assert card["indicator"] in ("info", "warning", "critical")
        assert set(card["source"]) == {"label", "url", "topic"}
        assert is_text(card["source"]["label"])


@pytest.mark.row("K4")
def test_summaries_are_one_plain_sentence(answers: dict[str, dict[str, Any]]) -> None:
    for card in cards(answers):
        summary = card["summary"]
        assert "\n" not in summary
        assert summary.endswith((".", "..."))
        assert not re.search(r"[.!?] [A-Z]", summary), summary
        (block,) = [token for token in PLAIN.parse(summary) if token.type == "inline"]
        assert {child.type for child in block.children or ()} == {"text"}, summary


ALLOWED = {"paragraph_open", "paragraph_close", "inline", "bullet_list_open", "bullet_list_close", "list_item_open",
           "list_item_close", "text", "strong_open", "strong_close", "softbreak", "code_inline"}  # fmt: skip


@pytest.mark.row("K6", "K7")
def test_details_are_markdown_without_html(answers: dict[str, dict[str, Any]]) -> None:
    for card in cards(answers):
        tokens = MARKDOWN.parse(card["detail"])
        kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or ()}
        assert kinds <= ALLOWED, (kinds - ALLOWED, card["detail"])
        assert "<" not in card["detail"]


@pytest.mark.row("K11", "K13")
def test_sources_lead_somewhere_and_have_a_topic(answers: dict[str, dict[str, Any]]) -> None:
    for card in cards(answers):
        parts = urlsplit(card["source"]["url"])
        assert parts.scheme in ("http", "https")
        assert parts.netloc
        topic = card["source"]["topic"]
        assert set(topic) == {"system", "code", "display"}
        assert re.fullmatch(r"[A-Za-z0-9]{1,100}", topic["code"])


@pytest.mark.row("K14", "K15", "K16", "K19", "S3", "S4")
def test_lists_are_not_empty_and_selection_goes_with_suggestions(answers: dict[str, dict[str, Any]]) -> None:
    for card in cards(answers):
        for key in ("suggestions", "links", "overrideReasons"):
            assert key not in card or card[key]
        assert ("suggestions" in card) == ("selectionBehavior" in card)
        assert card.get("selectionBehavior", "any") in ("any", "at-most-one")
        assert not any("isRecommended" in one for one in card.get("suggestions", ()))


@pytest.mark.row("K17", "K18")
def test_override_reasons_are_whole_codings(answers: dict[str, dict[str, Any]]) -> None:
    seen = 0
    for card in cards(answers):
        for reason in card.get("overrideReasons", ()):
            seen += 1
            assert set(reason) == {"code", "system", "display"}
            assert all(is_text(value) for value in reason.values())
    assert seen


@pytest.mark.row("S1", "S5", "S6", "S7", "S8", "V6")
def test_suggestions_are_a_button_and_one_action(answers: dict[str, dict[str, Any]]) -> None:
    for one in suggestions(answers):
        assert set(one) == {"label", "uuid", "actions"}
        assert is_text(one["label"])
        assert len(one["label"]) <= 80
        (action,) = one["actions"]
        assert set(action) == {"type", "description", "resource"}
        assert action["type"] == "create"
        assert is_text(action["description"])


@pytest.mark.row("S9", "S13", "S14")
def test_orders_are_whole_drafts_about_the_patient(answers: dict[str, dict[str, Any]]) -> None:
    seen = 0
    for name, answer in answers.items():
        patient = as_request(bundle(name), "x")["context"]["patientId"]
        for action in actions({name: answer}):
            seen += 1
            resource = action["resource"]
            assert resource["resourceType"] == "ServiceRequest"
            ServiceRequest.model_validate(resource)
            assert "id" not in resource
            assert (resource["status"], resource["intent"]) == ("draft", "proposal")
            assert resource["subject"] == {"reference": f"Patient/{patient}"}
    assert seen > 100


@pytest.mark.row("L1", "L2", "L3", "L4", "L6")
def test_links_are_absolute_and_tell_no_patient(answers: dict[str, dict[str, Any]]) -> None:
    seen = 0
    for name, answer in answers.items():
        for link in links({name: answer}):
            seen += 1
            assert set(link) == {"label", "url", "type"}
            assert is_text(link["label"])
            assert link["type"] == "absolute"
            parts = urlsplit(link["url"])
            assert parts.scheme in ("http", "https")
            assert parts.netloc
            assert name not in link["url"]
            assert re.fullmatch(r"draft=[\w\-.]+", parts.query)
    assert seen


@pytest.mark.row("K7", "L2")
def test_nothing_typed_into_a_chart_comes_back(server: Server) -> None:
    canary = "Zyxwv<b>x</b>[x](http://evil.example)"
    body = request_for("dvt-likely")
    for key in ("observations", "conditions"):
        for entry in (body["prefetch"][key] or {}).get("entry", ()):
            entry["resource"]["note"] = [{"text": canary}]
            entry["resource"].get("code", {})["text"] = canary
            for coding in entry["resource"].get("code", {}).get("coding", ()):
                coding["display"] = canary
    body["prefetch"]["patient"]["name"] = [{"text": canary, "family": canary}]
    text = server.call(body).text
    assert '"cards":[{' in text
    assert "Zyxwv" not in text

"""Every invented patient over HTTP, against what its story says must and must not be shown."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.servicerequest import ServiceRequest
from markdown_it import MarkdownIt

from cds_service.cli.evaluate import judge
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request, bundles, moved, reference_day
from tests.cases import check_all
from tests.conftest import EXAMPLES, NOW, Server, bundle, stories

STORIES = stories()
NAMES = sorted(STORIES)


def test_at_least_sixty_and_each_with_a_story() -> None:
    files = {path.stem for path in EXAMPLES.glob("*.json")}
    assert files == set(NAMES)
    assert len(files) >= 60
    for story in STORIES.values():
        assert story["story"]
        assert "\n" not in story["story"]


def test_every_record_shape_is_there() -> None:
    shapes = {shape for story in STORIES.values() for shape in story["shapes"]}
    assert {"component", "valueBoolean", "valueCodeableConcept", "project-code", "standard-code"} <= shapes
    assert len(shapes) >= 20


def test_every_one_loads_into_a_fhir_server() -> None:
    def check(name: str) -> None:
        raw = bundle(name)
        Bundle.model_validate(raw)
        assert raw["type"] == "transaction"
        for entry in raw["entry"]:
            resource = entry["resource"]
            assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
            assert entry["fullUrl"].endswith(f"/{resource['resourceType']}/{resource['id']}")

    check_all(NAMES, check)


def test_what_is_shown(service: Service) -> None:
    check_all(NAMES, lambda name: check_shown(service, name))


def check_shown(service: Service, name: str) -> None:
    story = STORIES[name]
    cards, assessment = judge(service, (EXAMPLES / f"{name}.json").read_bytes(), NOW)
    assert sorted({flag.rule for flag in assessment.urgent}) == sorted(story["urgent"])
    levels = [flag.indicator for flag in assessment.urgent if flag.rule == "RF01"]
    assert (levels[0] if levels else "none") == story["dvt"]
    urgent = {flag.cause for flag in assessment.urgent}
    assert set(story["shown"]) <= urgent | {one.cause for one in assessment.differential}
    likely = urgent | {one.cause for one in assessment.differential if one.band != "low"}
    assert not set(story["not_shown"]) & likely
    assert (not cards) == story["silent"]
    assert bool(assessment.silent_because) == (not cards)


def test_over_http(server: Server) -> None:
    check_all(NAMES, lambda name: check_over_http(server, name))


def check_over_http(server: Server, name: str) -> None:
    story = STORIES[name]
    answer = server.call(as_request(bundle(name), str(uuid4())))
    assert answer.status_code == 200
    body = answer.json()
    check_cards(body["cards"], bundle(name))
    assert (not body["cards"]) == story["silent"]
    if story["dvt"] != "none":
        first = body["cards"][0]
        assert first["indicator"] == story["dvt"]
        assert "DVT" in first["summary"]
        assert first["links"][0]["url"].startswith("http://127.0.0.1")
        assert len(first["suggestions"]) >= 1


def check_cards(cards: list[dict[str, Any]], chart: dict[str, Any]) -> None:
    """Rows K, S and L of the standard, as far as an answer shows them, and this project's own limits."""
    assert len(cards) <= 3
    order = [["critical", "warning", "info"].index(card["indicator"]) for card in cards]
    assert order[-1:] == [2] or 2 not in order
    ids = [card["uuid"] for card in cards]
    for card in cards:
        UUID(card["uuid"])
        assert len(card["summary"]) < 140
        assert not re.search(r"[<>\[\]`\n]|\.\s+\S", card["summary"].rstrip("."))
        assert len(card["detail"]) <= 1200
        html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(card["detail"])
        assert not re.search(r"<(?!/?(p|strong|ul|li|code|br)\b)", html)
        assert set(card["source"]) == {"label", "url", "topic"}
        assert card["source"]["topic"]["code"].isalnum()
        if card["indicator"] != "info":
            assert len(card["overrideReasons"]) == 6
        for suggestion in card.get("suggestions", []):
            ids.append(suggestion["uuid"])
            check_order(suggestion["actions"], chart)
        assert ("suggestions" in card) == (card.get("selectionBehavior") == "any")
        for link in card.get("links", []):
            assert link["type"] == "absolute"
            assert link["label"]
        assert "" not in card.values()
    assert len(set(ids)) == len(ids)


def check_order(actions: list[dict[str, Any]], chart: dict[str, Any]) -> None:
    """A draft of the right patient that refers only to what is in the chart."""
    (action,) = actions
    assert action["type"] == "create"
    assert action["description"]
    resource = action["resource"]
    ServiceRequest.model_validate(resource)
    known = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in chart["entry"]}
    assert resource["status"] == "draft"
    assert resource["intent"] == "proposal"
    assert resource["subject"]["reference"] in known
    for reference in [*resource.get("reasonReference", []), *resource.get("supportingInfo", [])]:
        assert reference["reference"] in known
    text = str(chart)
    for coding in [c for site in resource.get("bodySite", []) for c in site["coding"]]:
        assert coding["display"].startswith("Structure of ")
    assert resource["note"][0]["text"]
    assert text


def test_files_move_to_another_day() -> None:
    day = reference_day(EXAMPLES)
    assert day == date(2026, 3, 16) == NOW.date()
    shifted = dict(bundles(EXAMPLES, date(2027, 3, 16)))
    assert len(shifted) == len(NAMES)
    assert moved({"a": ["2026-03-14T09:30:00+00:00", "2026-03-14", "2026-03", "x 2026-03-14"]}, 365) == {
        "a": ["2027-03-14T09:30:00+00:00", "2027-03-14", "2026-03", "x 2026-03-14"]
    }


def test_never_stale(service: Service) -> None:
    """Moved to another day and judged on it, an example says the same."""
    import orjson

    later = NOW.replace(year=2027)
    for name, shifted in bundles(EXAMPLES, later.date()):
        then, _ = judge(service, (EXAMPLES / f"{name}.json").read_bytes(), NOW)
        now, _ = judge(service, orjson.dumps(shifted), later)
        assert [c.indicator for c in now] == [c.indicator for c in then], name

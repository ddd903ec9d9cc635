"""Rows D, and P1 to P6: what discovery offers."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.conftest import Server
from tests.web.test_hook import request_for

TOKEN = re.compile(r"\{\{(.*?)\}\}")
CONTEXT_TOKENS = {"context.patientId", "context.userId", "context.encounterId"}
USER_TOKENS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}


@pytest.fixture(scope="module")
def offered(server: Server) -> dict[str, Any]:
    answer = server.get("/cds-services")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def templates(offered: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = offered["services"][0]["prefetch"]
    return found


@pytest.mark.row("D1", "D7", "H6")
def test_it_is_there_and_stays_the_same(server: Server) -> None:
    first, second = server.get("/cds-services"), server.get("/cds-services")
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.headers["content-type"] == "application/json"


@pytest.mark.row("D2", "D4", "D5", "D8", "D9")
def test_every_service_is_described(offered: dict[str, Any]) -> None:
    assert isinstance(offered["services"], list)
    for entry in offered["services"]:
        assert set(entry) == {"hook", "id", "title", "description", "usageRequirements", "prefetch"}
        for key in ("hook", "id", "title", "description", "usageRequirements"):
            assert isinstance(entry[key], str)
            assert entry[key].strip()
    named = [(entry["hook"], entry["id"]) for entry in offered["services"]]
    assert len(named) == len(set(named))


@pytest.mark.row("D6")
def test_the_id_fits_a_url_and_takes_posts(server: Server, offered: dict[str, Any]) -> None:
    for entry in offered["services"]:
        assert re.fullmatch(r"[A-Za-z0-9\-._~]+", entry["id"])
        url = f"{server.url}/cds-services/{entry['id']}"
        assert requests.post(url, json=request_for("dvt-likely"), timeout=10).status_code == 200


@pytest.mark.row("P1", "P2")
def test_templates_are_relative_reads_and_searches(templates: dict[str, str]) -> None:
    assert templates
    for key, template in templates.items():
        assert key
        path = template.partition("?")[0]
        assert re.fullmatch(r"[A-Z][A-Za-z]+(/\{\{context\.(patientId|encounterId)\}\})?", path), template


@pytest.mark.row("P3", "C4")
def test_tokens_are_fields_of_the_context(templates: dict[str, str]) -> None:
    for template in templates.values():
        tokens = TOKEN.findall(template)
        assert tokens
        assert set(tokens) <= CONTEXT_TOKENS | USER_TOKENS
        assert "(" not in template


@pytest.mark.row("P5", "P6")
def test_searches_keep_to_the_small_subset(templates: dict[str, str]) -> None:
    for template in templates.values():
        for part in template.partition("?")[2].split("&") if "?" in template else ():
            name, _, value = part.partition("=")
            assert name in ("patient", "category", "code", "intent", "status", "_sort", "_count", "code:in"), part
            assert "." not in name
            assert value in ("-date", "-recorded-date", "-authoredon", "-authored") or not value.startswith("-"), part


@pytest.mark.row("V5")
def test_the_version_is_told(offered: dict[str, Any]) -> None:
    assert offered["version"] == "2.0"
    assert set(offered) == {"version", "services"}

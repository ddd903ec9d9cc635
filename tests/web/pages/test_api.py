"""The API page tells what the OpenAPI document tells; a missing page is a page for people and JSON for programs."""

from __future__ import annotations

import re
from html import unescape

import pytest

from cds_service.web.pages.api import models, operations
from tests.conftest import Server

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def test_every_operation_and_object_stands_on_the_page(server: Server) -> None:
    document, page = server.get("/openapi.json").json(), server.get("/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert address.startswith(("/", "#"))
    seen = " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            assert f"{method.upper()} {path} {one['summary']}" in seen
            for answer in one["responses"].values():
                assert answer["description"] in seen
    for name, schema in document["components"]["schemas"].items():
        assert f'id="{name}"' in page.text
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in page.text
    for target in re.findall(r'href="#([^"]+)"', page.text):
        assert f'id="{target}"' in page.text


def test_what_an_operation_and_an_object_take(server: Server) -> None:
    document = server.get("/openapi.json").json()
    found = {(one.method, one.path): one for one in operations(document)}
    call = found["post", "/cds-services/posterior-knee-pain"]
    assert (call.body, call.parameters) == ("PatientViewRequest", ())
    assert {answer.status: answer.model for answer in call.answers}["412"] == "OperationOutcome"
    fields = {one.name: {field.name: field for field in one.fields} for one in models(document)}
    assert fields["PatientViewRequest"]["hook"].more == 'always "patient-view"'
    finding = found["get", "/fhir/ValueSet/{key}"].parameters[0]
    assert (finding.name, finding.needed, finding.more) == ("key", True, "in the address")
    assert fields["FeedbackCall"]["feedback"].kind == "array of object"
    assert fields["FeedbackCall"]["feedback"].model == "Item"


@pytest.mark.parametrize("path", ["/nothing", "/evidence/nothing", "/orders/nothing", "/static/nothing.css"])
def test_a_missing_page_is_a_page_for_people(server: Server, path: str) -> None:
    page = server.get(path, headers={"Accept": CHROME})
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Vary"] == "Accept"
    assert "Page not found" in page.text
    assert "nothing" not in re.sub(r"<[^>]+>", " ", page.text)


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/json", "application/json, text/html;q=0.5", "text/html;q=0", "text/html;q=x",
     "application/fhir+json, text/html;q=0.9"],
)  # fmt: skip
def test_a_missing_page_is_json_for_programs(server: Server, accept: str) -> None:
    answer = server.get("/nothing", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.json()["issue"][0]["code"] == "not-found"
    assert answer.headers["Vary"] == "Accept"


def test_what_is_json_stays_json(server: Server) -> None:
    assert server.get("/evidence/nothing.json", headers={"Accept": CHROME}).json()["resourceType"] == "OperationOutcome"
    assert server.call({}, headers={"Accept": CHROME}).json()["resourceType"] == "OperationOutcome"

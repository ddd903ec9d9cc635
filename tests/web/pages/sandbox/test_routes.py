"""The sandbox over HTTP: charts that are opened, judged over both roads, changed, answered, and gone."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.observation import Observation

from cds_service.base.errors import UnusableInput
from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.record import Fact, Record, Side, Status, When
from cds_service.service.evaluate import Service
from cds_service.web.pages.sandbox import patients, switches
from cds_service.web.pages.sandbox.charts import MAX_CHARTS, Chart, ChartGone, Charts, loaded
from tests.cases import check_all
from tests.charts import SNOMED, concept, condition, days_ago, observation, patient
from tests.conftest import EXAMPLES, NOW, Server, bundle, one_in, run_server, shipped_service, stories
from tests.web.test_hook import is_outcome, request_for

NAMES = sorted(stories())
FHIR = "http://127.0.0.1:1/sandbox/fhir"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Server]:
    """Waits for its FHIR server as long as it may: on a busy machine a search can be late."""
    yield from run_server(Settings(sandbox=True, auth="open", fhir_deadline_ms=10_000))


def opened(server: Server, name: str = "dvt-likely") -> str:
    """The address of a chart that has just been opened."""
    answer = requests.post(f"{server.url}/sandbox/charts", data={"patient": name}, allow_redirects=False, timeout=20)
    assert answer.status_code == 303
    return server.url + answer.headers["location"]


def asked(server: Server, chart: str, road: str = "prefetch", reader: str = "1") -> dict[str, Any]:
    """The answer to the call of a chart, as its page makes it."""
    call = requests.get(f"{chart}/request", params={"road": road, "reader": reader}, timeout=20).json()
    answer = server.call(call)
    return {"status": answer.status_code, "ms": 12.0, "road": road, "answer": answer.json()}


def drawn(server: Server, chart: str, road: str = "prefetch", reader: str = "1") -> str:
    """The HTML of its cards, facts and reasons."""
    answer = requests.post(f"{chart}/drawn", json=asked(server, chart, road, reader), timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.text


def same_for_all(cards: list[dict[str, Any]]) -> str:
    """Cards without what is new in every call, or names its reader."""
    return re.sub(r"'uuid': '[^']+'|\?draft=[\w.-]+|(?:Encounter|Practitioner)/[\w-]+", "", str(cards))


# Switched on or not.


@pytest.mark.parametrize(
    "path", ["/sandbox", "/sandbox/charts/x", "/sandbox/fhir/metadata", "/sandbox/charts/x/request"]
)
def test_off_unless_switched_on(server: Server, path: str) -> None:
    assert server.get(path).status_code == 404
    assert server.get(path).json()["issue"][0]["diagnostics"] == "Not Found"


def test_on_and_not_in_the_document(sandbox: Server) -> None:
    page = sandbox.get("/sandbox")
    assert page.status_code == 200
    assert "Open a patient with a suspected DVT" in page.text
    for story in stories().values():
        assert story["story"].split('"')[0].split("'")[0] in page.text
    assert "style-src 'self'; script-src 'self'" in page.headers["content-security-policy"]
    assert "/sandbox" not in sandbox.get("/openapi.json").text


def test_never_beside_real_callers() -> None:
    with pytest.raises(ValueError, match="for trying out"):
        Settings(sandbox=True, auth="required")


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("10.1.2.3", "http://10.1.2.3:8000"),
    ],
)
def test_the_service_reaches_its_own_sandbox(host: str, root: str) -> None:
    assert Settings(host=host, public_url="https://cds.example/").sandbox_fhir_root == f"{root}/sandbox"


# Every example over both roads.


@pytest.mark.parametrize("part", range(3))
def test_the_cards_are_those_of_a_plain_call(sandbox: Server, part: int) -> None:
    """Of every third example in the normal profile: what is judged is the same everywhere, only the road is new."""
    check_all(one_in(3, NAMES)[part::3], lambda name: check_both_roads(sandbox, name))


def check_both_roads(sandbox: Server, name: str) -> None:
    plain = sandbox.call(request_for(name)).json()["cards"]
    chart = opened(sandbox, name)
    assert same_for_all(asked(sandbox, chart)["answer"]["cards"]) == same_for_all(plain)
    over_fhir = asked(sandbox, chart, "fhir", reader="2")
    assert over_fhir["status"] == 200
    # A visit's reason in words is read over FHIR only: the plain call does not send the visit.
    others = ("MedicationStatement", "Encounter")
    searched = not any(entry["resource"]["resourceType"] in others for entry in bundle(name)["entry"])
    if searched and name != "other-patients-data":  # a search finds neither statements nor what is another patient's
        assert same_for_all(over_fhir["answer"]["cards"]) == same_for_all(plain)
        assert "notAvailable" not in str(over_fhir["answer"])
    page = drawn(sandbox, chart, reader="2")
    assert ("No card. Silence is not an all-clear." in page) == (plain == [])


def test_over_fhir_nothing_is_sent_along(sandbox: Server) -> None:
    chart = opened(sandbox)
    call = requests.get(f"{chart}/request?road=fhir", timeout=20).json()
    assert "prefetch" not in call
    assert call["fhirServer"].endswith("/fhir")
    call["fhirAuthorization"]["access_token"] = "another"
    assert sandbox.call(call).status_code == 412


def test_statements_of_medicines_come_with_the_prefetch_only_and_the_page_says_so(sandbox: Server) -> None:
    chart = opened(sandbox, "dvt-known-treated")
    assert "holds medicines as MedicationStatement" not in drawn(sandbox, chart)
    assert "holds medicines as MedicationStatement" in drawn(sandbox, chart, "fhir")


# Opening and losing charts.


def test_an_unknown_patient_is_not_opened(sandbox: Server) -> None:
    assert requests.post(f"{sandbox.url}/sandbox/charts", data={"patient": "nobody"}, timeout=20).status_code == 404
    big = requests.post(f"{sandbox.url}/sandbox/charts", data={"patient": "x" * 50_000}, timeout=20)
    assert big.status_code == 413


def test_a_chart_that_is_gone_says_so(sandbox: Server) -> None:
    page = sandbox.get("/sandbox/charts/0123456789abcdef")
    assert page.status_code == 404
    assert "This chart is gone" in page.text
    assert "Open the patient again" in page.text
    request = sandbox.get("/sandbox/charts/0123456789abcdef/request")
    assert request.status_code == 404
    assert "no longer open" in request.json()["issue"][0]["diagnostics"]


def test_the_longest_untouched_chart_gives_way() -> None:
    charts = Charts()
    first = charts.open("a", "", "p", [patient()])
    second = charts.open("b", "", "p", [patient()])
    for _ in range(MAX_CHARTS - 2):
        charts.open("c", "", "p", [patient()])
    charts.find(first.id)
    charts.open("d", "", "p", [patient()])
    assert charts.find(first.id) is first
    with pytest.raises(ChartGone):
        charts.find(second.id)


def test_large_charts_give_way_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.web.pages.sandbox.charts.MAX_BYTES", 1000)
    charts = Charts()
    first = charts.open("a", "x" * 10, "p", [patient(text="x" * 600)])
    charts.open("b", "", "p", [patient(text="x" * 600)])
    with pytest.raises(ChartGone):
        charts.find(first.id)


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_change_nothing(sandbox: Server, headers: dict[str, str]) -> None:
    chart = opened(sandbox)
    before = requests.get(f"{chart}/request", timeout=20).json()["prefetch"]
    url = sandbox.url
    posts: list[tuple[str, Any]] = [
        (f"{url}/sandbox/own", {"resourceType": "Bundle"}),
        (f"{chart}/facts", {"finding": "calf_swelling", "status": "not recorded"}),
        (f"{chart}/removed", {"source": "Observation/dvt-likely-o2"}),
        (f"{chart}/reset", {}),
        (f"{chart}/orders", {}),
        (f"{chart}/signed", {"order": "x"}),
        (f"{chart}/drawn", {}),
    ]
    for address, body in posts:
        assert requests.post(address, json=body, headers=headers, timeout=20).status_code == 403, address
    form = requests.post(f"{url}/sandbox/charts", data={"patient": "dvt-likely"}, headers=headers, timeout=20)
    assert form.status_code == 403
    assert requests.get(f"{chart}/request", timeout=20).json()["prefetch"] == before


def test_the_form_of_a_page_that_tells_no_origin_is_taken(sandbox: Server) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    form = requests.post(f"{sandbox.url}/sandbox/charts", data={"patient": "dvt-likely"}, headers=headers, timeout=20)
    assert form.status_code == 200


# Bundles of one's own.


def test_a_bundle_of_ones_own(sandbox: Server) -> None:
    answer = requests.post(f"{sandbox.url}/sandbox/own", json=bundle("dvt-likely"), timeout=20)
    assert answer.status_code == 201
    cards = asked(sandbox, sandbox.url + answer.json()["url"])["answer"]["cards"]
    assert cards[0]["indicator"] == "critical"


def test_a_bundle_is_taken_in_as_a_fhir_server_would() -> None:
    who = "urn:uuid:0a8fca2c-6d1b-4d0e-9c3d-3e1b0a6a1a11"
    person = {"resourceType": "Patient", "gender": "male"}
    sign = observation("calf_swelling") | {"subject": {"reference": who}}
    del sign["id"]
    identity, resources = loaded(
        {"resourceType": "Bundle", "entry": [{"fullUrl": who, "resource": person}, {"resource": sign}]}
    )
    assert [one["id"] for one in resources] == [identity, "entry-2"]
    assert resources[1]["subject"]["reference"] == f"Patient/{identity}"


BAD: dict[str, tuple[str, str]] = {
    "not JSON": ('{"resourceType"}', "not JSON"),
    "another thing": ('{"resourceType": "Patient", "id": "p"}', "not a FHIR Bundle"),
    "a list": ("[]", "not a FHIR Bundle"),
    "nobody": ('{"resourceType": "Bundle", "entry": []}', "holds no patient"),
    "two": (
        '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"a"}},'
        '{"resource":{"resourceType":"Patient","id":"b"}}]}',
        "holds several patients",
    ),
    "no resource": (
        '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"a"}},{"resource":5}]}',
        "entry 2 of the Bundle is not a FHIR resource",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_bundle_is_told_clearly(sandbox: Server, name: str) -> None:
    text, words = BAD[name]
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{sandbox.url}/sandbox/own", data=text, headers=headers, timeout=20)
    assert answer.status_code == 400
    assert words in answer.json()["issue"][0]["diagnostics"]


# The FHIR servers.


def lent(chart: str) -> dict[str, str]:
    token = requests.get(f"{chart}/request", timeout=20).json()["fhirAuthorization"]["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_a_chart_is_read_with_its_token_only(sandbox: Server) -> None:
    chart, other = opened(sandbox), opened(sandbox)
    url = f"{chart}/fhir/Patient/dvt-likely"
    assert requests.get(url, headers=lent(chart), timeout=20).json()["resourceType"] == "Patient"
    for headers in ({}, lent(other), {"Authorization": "Bearer x"}):
        refused = requests.get(url, headers=headers, timeout=20)
        assert refused.status_code == 401
        assert is_outcome(refused)
        assert refused.headers["www-authenticate"] == "Bearer"
    assert requests.get(f"{chart}/fhir/metadata", timeout=20).status_code == 200


def test_search_and_pages(sandbox: Server) -> None:
    whole = sandbox.get("/sandbox/fhir/Observation?patient=dvt-likely&_sort=-date&_count=500").json()
    Bundle.model_validate(whole)
    assert whole["total"] == len(whole["entry"]) > 4
    assert all(Observation.model_validate(entry["resource"]) for entry in whole["entry"])
    assert [link["relation"] for link in whole["link"]] == ["self"]
    found, url = [], f"{sandbox.url}/sandbox/fhir/Observation?subject=Patient/dvt-likely&_count=3"
    while url:
        page = requests.get(url, timeout=20).json()
        found += page["entry"]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert found == whole["entry"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("Patient?_id=dvt-likely,dvt-cancer", 2),
        ("Patient?_id=nobody", 0),
        (f"Observation?patient=dvt-likely&code={SNOMED}|300954003", 1),
        ("Observation?patient=dvt-likely&code=300954003,1", 1),
        ("Observation?patient=dvt-likely&code=http://loinc.org|300954003", 0),
        ("ServiceRequest?patient=dvt-already-ordered&status=active,on-hold", 1),
        ("ServiceRequest?patient=dvt-already-ordered&status=draft", 0),
        ("Encounter?patient=dvt-likely", 1),
    ],
)
def test_what_a_search_finds(sandbox: Server, query: str, count: int) -> None:
    answer = sandbox.get(f"/sandbox/fhir/{query}")
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.json()["total"] == count


def test_what_is_not_searched_by_is_told(sandbox: Server) -> None:
    told = sandbox.get("/sandbox/fhir/Condition?patient=dvt-likely&colour=red").json()["entry"][-1]
    assert told["search"]["mode"] == "outcome"
    assert told["resource"]["issue"][0]["diagnostics"] == "not searched by: colour"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Patient/nobody", 404),
        ("Immunization", 404),
        ("Observation?_count=many", 400),
        ("Observation?date=2026-03-01", 400),
        ("", 404),
        ("Patient/a/b", 404),
    ],
)
def test_errors_of_the_fhir_server(sandbox: Server, path: str, status: int) -> None:
    answer = sandbox.get(f"/sandbox/fhir/{path}")
    assert answer.status_code == status
    assert is_outcome(answer)


def test_metadata_and_read_only(sandbox: Server) -> None:
    CapabilityStatement.model_validate(sandbox.get("/sandbox/fhir/metadata").json())
    assert requests.post(f"{sandbox.url}/sandbox/fhir/Patient", json={}, timeout=20).status_code == 405


def posted_search(sandbox: Server, kind: str, **form: str) -> requests.Response:
    return requests.post(f"{sandbox.url}/sandbox/fhir/{kind}/_search", data=form, timeout=20)


def test_a_search_may_come_as_a_form(sandbox: Server) -> None:
    found = posted_search(sandbox, "Observation", patient="dvt-likely", _count="3").json()
    asked = sandbox.get("/sandbox/fhir/Observation?patient=dvt-likely&_count=3").json()
    assert found == asked
    assert len(found["entry"]) == 3
    assert posted_search(sandbox, "Observation?code=300954003", patient="dvt-likely").status_code == 405
    both = requests.post(
        f"{sandbox.url}/sandbox/fhir/Observation/_search?code=300954003", data={"patient": "dvt-likely"}, timeout=20
    )
    assert both.json()["total"] == 1
    refused = requests.post(f"{sandbox.url}/sandbox/fhir/Observation/_search", json={}, timeout=20)
    assert refused.status_code == 415
    chart = opened(sandbox)
    url = f"{chart}/fhir/Observation/_search"
    assert requests.post(url, data={"patient": "dvt-likely"}, timeout=20).status_code == 401
    lawful = requests.post(url, data={"patient": "dvt-likely"}, headers=lent(chart), timeout=20)
    assert lawful.json()["total"] == len(lawful.json()["entry"]) > 0


MATCHES: dict[str, Callable[[dict[str, Any]], str]] = {
    # a search parameter -> where its value stands in a resource
    "_id": lambda one: one["id"],
    "patient": lambda one: one["subject"]["reference"].removeprefix("Patient/"),
    "subject": lambda one: one["subject"]["reference"],
    "code": lambda one: (one.get("code") or one["medicationCodeableConcept"])["coding"][0]["code"],
    "category": lambda one: one["category"][0]["coding"][0]["code"],
    "status": lambda one: one["status"],
    "intent": lambda one: one["intent"],
    "date": lambda one: "ge" + (one.get("effectiveDateTime") or one["performedDateTime"])[:10],
}
NO_MATCH = {"date": "ge2999-01-01"}
OTHERS_OF_R4 = {
    "identifier",
    "encounter",
    "performer",
    "clinical-status",
    "medication",
    "authored",
    "onset-date",
    "date",
}


def value_of(resources: list[dict[str, Any]], name: str) -> str | None:
    """A value by which one of them can be found."""
    for one in resources:
        try:
            return MATCHES[name](one)
        except (KeyError, IndexError):
            continue
    return None


def test_the_statement_says_what_the_server_does(sandbox: Server) -> None:
    """Each interaction and parameter works, and what is not named is refused or told as not searched by."""
    (rest,) = sandbox.get("/sandbox/fhir/metadata").json()["rest"]
    assert rest["resource"]
    for told in rest["resource"]:
        kind = told["type"]
        assert [one["code"] for one in told["interaction"]] == ["read", "search-type"]
        whole = sandbox.get(f"/sandbox/fhir/{kind}?_count=500").json()
        resources = [entry["resource"] for entry in whole.get("entry", ()) if entry["search"]["mode"] == "match"]
        for one in resources[:3]:
            assert sandbox.get(f"/sandbox/fhir/{kind}/{one['id']}").json() == one
        named = {one["name"] for one in told["searchParam"]}
        for name in named:
            none = posted_search(sandbox, kind, **{name: NO_MATCH.get(name, "none-such")}).json()
            assert (none["total"], none["entry"]) == (0, []), f"{kind}.{name}"
            value = value_of(resources, name)
            if value is not None:
                some = posted_search(sandbox, kind, **{name: value}).json()
                assert 0 < some["total"] <= whole["total"], f"{kind}.{name}={value}"
        for name in OTHERS_OF_R4 - named:
            entries = posted_search(sandbox, kind, **{name: "x", "_count": "0"}).json()["entry"]
            assert entries[0]["resource"]["issue"][0]["diagnostics"] == f"not searched by: {name}"
        url = f"{sandbox.url}/sandbox/fhir/{kind}"
        assert requests.post(url, json={}, timeout=20).status_code == 405
        for method in ("PUT", "DELETE", "PATCH"):
            assert requests.request(method, f"{url}/x", json={}, timeout=20).status_code == 405


def test_the_statement_names_everything_that_is_there(sandbox: Server) -> None:
    (rest,) = sandbox.get("/sandbox/fhir/metadata").json()["rest"]
    kinds = {entry["resource"]["resourceType"] for name in NAMES for entry in bundle(name)["entry"]}
    assert kinds <= {one["type"] for one in rest["resource"]}


def test_the_first_calls_after_a_start_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where reading the examples takes longer than a call may wait for a FHIR server."""

    def slowly(name: str, today: date) -> list[dict[str, Any]]:
        time.sleep(0.01)
        return read(name, today)

    read = patients.resources
    monkeypatch.setattr(patients, "resources", slowly)
    for cold in run_server(Settings(sandbox=True, auth="open")):
        for name in (
            "dvt-likely",
            "dvt-pregnant",
            "red-flag-rf07",
            "bakers-cyst-typical",
            "other-site-pain",
            "dvt-cancer",
        ):
            call = request_for(name) | {"fhirServer": f"{cold.url}/sandbox/fhir"}
            call |= {
                "fhirAuthorization": {
                    "access_token": "x",
                    "token_type": "Bearer",
                    "expires_in": 300,
                    "scope": "patient/*.rs",
                    "subject": "x",
                }
            }
            del call["prefetch"]
            answer = cold.call(call)
            assert answer.status_code == 200, answer.text
            assert "parts" not in answer.json().get("extension", {}).get("com.posterior-knee-cds.reading", {}), name


# Answering cards.


def answer_card(sandbox: Server, item: dict[str, Any]) -> None:
    kept = sandbox.call_feedback({"feedback": [item | {"outcomeTimestamp": "2026-03-16T14:02:00Z"}]})
    assert kept.status_code == 200


def test_accepted_then_signed_then_already_ordered(sandbox: Server) -> None:
    chart = opened(sandbox)
    card = asked(sandbox, chart)["answer"]["cards"][0]
    suggestion = card["suggestions"][1]
    order = requests.post(f"{chart}/orders", json=suggestion["actions"][0]["resource"], timeout=20)
    assert order.status_code == 201
    answer_card(
        sandbox, {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [{"id": suggestion["uuid"]}]}
    )
    unsigned = drawn(sandbox, chart)
    assert "Draft orders, unsigned" in unsigned
    assert "Still open: Suspected DVT" in unsigned
    assert "already ordered" not in drawn(sandbox, chart, reader="2")  # a draft is no order
    assert requests.post(f"{chart}/signed", json={"order": order.json()["id"]}, timeout=20).status_code == 200
    for road in ("prefetch", "fhir"):
        for reader in ("1", "2"):
            assert "Leg vein duplex ultrasound already ordered 16 Mar" in drawn(sandbox, chart, road, reader)
    assert "Draft orders, unsigned" not in drawn(sandbox, chart)


def test_what_one_visitor_answers_keeps_no_other_chart_quiet(sandbox: Server) -> None:
    first, second = opened(sandbox), opened(sandbox)
    card = asked(sandbox, first)["answer"]["cards"][0]
    answer_card(
        sandbox,
        {"card": card["uuid"], "outcome": "overridden", "overrideReason": {"reason": card["overrideReasons"][0]}},
    )
    assert asked(sandbox, first)["answer"]["cards"][0]["summary"].startswith("Still open")
    assert asked(sandbox, first, reader="2")["answer"]["cards"][0]["indicator"] == "critical"
    assert asked(sandbox, second)["answer"]["cards"][0]["indicator"] == "critical"


@pytest.mark.parametrize(
    "order",
    [
        [],
        {"resourceType": "Observation", "status": "draft", "subject": {"reference": "Patient/dvt-likely"}},
        {"resourceType": "ServiceRequest", "status": "active", "subject": {"reference": "Patient/dvt-likely"}},
        {"resourceType": "ServiceRequest", "status": "draft", "subject": {"reference": "Patient/other"}},
        {"resourceType": "ServiceRequest", "status": "draft", "subject": "Patient/dvt-likely"},
    ],
)
def test_only_a_draft_for_this_patient_goes_into_its_chart(sandbox: Server, order: Any) -> None:
    assert requests.post(f"{opened(sandbox)}/orders", json=order, timeout=20).status_code == 400


def test_a_chart_holds_only_so_many_orders(service: Service) -> None:
    chart = Chart("", "", "p", (patient(),))
    draft = {"resourceType": "ServiceRequest", "status": "draft", "subject": {"reference": "Patient/p"}}
    for _ in range(50):
        chart.add_order(draft, NOW)
    with pytest.raises(UnusableInput, match="at most 50"):
        chart.add_order(draft, NOW)


@pytest.mark.parametrize("order", ["nothing", "dvt-already-ordered-s1"])
def test_only_a_draft_can_be_signed(sandbox: Server, order: str) -> None:
    chart = opened(sandbox, "dvt-already-ordered")
    assert requests.post(f"{chart}/signed", json={"order": order}, timeout=20).status_code == 400


# What was drawn.


def test_a_failure_is_drawn_as_no_judgement(sandbox: Server) -> None:
    chart = opened(sandbox)
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "too <busy>"}]}
    for status, answer, words in (
        (503, outcome, "HTTP 503: too &lt;busy&gt;"),
        (0, None, "did not answer"),
        (200, {"cards": "none"}, "not one of CDS Hooks"),
        (500, "x", "HTTP 500."),
    ):
        sent = {"status": status, "ms": 3, "road": "prefetch", "answer": answer}
        page = requests.post(f"{chart}/drawn", json=sent, timeout=20).text
        assert "No judgement was made. This is not an all-clear." in page
        assert words in page
        assert "No card." not in page


def test_nothing_in_an_answer_becomes_markup(sandbox: Server) -> None:
    evil = "<img src=x onerror=alert(1)>"
    card = {
        "uuid": f'"{evil}',
        "summary": evil,
        "detail": f"{evil} [x](javascript:alert(1)) ![i](http://evil.example/i.png)",
        "indicator": "info",
        "source": {"label": evil, "url": "javascript:alert(1)"},
        "suggestions": [{"label": evil, "uuid": evil, "actions": []}],
        "links": [{"label": evil, "url": "javascript:alert(1)"}, {"label": "b", "url": 'https://x/"><script>'}],
        "overrideReasons": [{"code": evil, "display": evil}],
    }
    sent = {"status": 200, "ms": 3, "answer": {"cards": [card]}}
    page = requests.post(f"{opened(sandbox)}/drawn", json=sent, timeout=20).text
    assert "<img" not in page
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert page.count("&lt;img") >= 6


def test_the_urgent_card_comes_first(sandbox: Server) -> None:
    chart = opened(sandbox)
    sent = asked(sandbox, chart)
    sent["answer"]["cards"].reverse()
    page = requests.post(f"{chart}/drawn", json=sent, timeout=20).text
    assert page.index(">Urgent<") < page.index(">For information<")


@pytest.mark.parametrize("body", [[], {}, {"status": "x", "ms": 1}, {"status": 200, "ms": -1}])
def test_only_what_the_page_sends_is_drawn(sandbox: Server, body: Any) -> None:
    assert requests.post(f"{opened(sandbox)}/drawn", json=body, timeout=20).status_code == 400


# Switches.


def switch(chart: str, **body: Any) -> requests.Response:
    return requests.post(f"{chart}/facts", json=body, timeout=20)


def wells(page: str) -> str:
    found = re.search(r'class="wells-range">([^<]+)<', page)
    assert found
    return found[1]


def test_switches_move_the_range_and_the_ranking(sandbox: Server) -> None:
    chart = opened(sandbox)
    assert wells(drawn(sandbox, chart)) == "4 to 9"
    switch(chart, finding="calf_circumference_diff_3cm", status="absent", side="left", days=1)
    page = drawn(sandbox, chart)
    assert wells(page) == "3 to 8"
    assert "was 4 to 9" in page
    switch(chart, finding="active_cancer", status="present", days=10)
    assert wells(drawn(sandbox, chart)) == "4 to 8"
    requests.post(f"{chart}/reset", json={}, timeout=20)
    page = drawn(sandbox, chart)
    assert wells(page) == "4 to 9"
    assert "was" not in re.findall(r'class="(\w+)"', page)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"finding": "nothing", "status": "present"}, "finding"),
        ({"finding": "calf_swelling", "status": "maybe"}, "status"),
        ({"finding": "calf_swelling", "status": "present", "side": "up"}, "side"),
        ({"finding": "calf_swelling", "status": "present", "side": "left", "days": -1}, "days"),
        ({"finding": "calf_swelling", "status": "present", "side": "left", "days": True}, "days"),
        ({"finding": "age_over_50", "status": "present"}, "is derived from"),
        ({"finding": "homans_or_selftest_positive", "status": "absent", "side": "left"}, "never read"),
        ([], "finding"),
    ],
)
def test_a_switch_that_is_none(sandbox: Server, body: Any, words: str) -> None:
    answer = requests.post(f"{opened(sandbox)}/facts", json=body, timeout=20)
    assert answer.status_code == 400
    assert words in answer.json()["issue"][0]["diagnostics"]


CHARTS = ("dvt-likely", "dvt-cancer", "dvt-snomed-components", "dvt-icd10cm-conditions")


def test_every_switch_is_read_back_as_set(service: Service, content: Content) -> None:
    """Every finding, status and side on charts of different shapes; the other facts stay or are told as lost."""
    charts = {name: patients.resources(name, NOW.date()) for name in CHARTS}
    records = {
        name: Chart("", "", name, tuple(chart)).judged(service, NOW, FHIR).record for name, chart in charts.items()
    }
    turns = 0
    for key, finding in content.findings.items():
        if not switches.can_be_stated(content, key):
            continue
        for status in (Status.PRESENT, Status.ABSENT):
            for side in (Side.BODY,) if finding.side == "body" else switches.SIDES:
                if status is Status.ABSENT and finding.absence_ignored:
                    continue
                turns += 1
                name = CHARTS[turns % len(CHARTS)]
                _read_back(service, charts[name], records[name], switches.Switch(key, status, side, 3))
    assert turns > 800


def test_every_recorded_finding_of_every_example_can_be_changed(service: Service) -> None:
    for name in NAMES:
        resources = patients.resources(name, NOW.date())
        before = Chart("", "", name, tuple(resources)).judged(service, NOW, FHIR).record
        for key in {fact.key for fact in before.facts}:
            _read_back(service, resources, before, switches.Switch(key, None, Side.UNKNOWN, None))


def _read_back(service: Service, resources: list[Any], before: Record, wanted: switches.Switch) -> None:
    """``before``: the chart of ``resources`` as it is read before the switch."""
    content = service.content
    name = before.patient.id
    chart = Chart("", "", name, tuple(resources))
    switches.apply(content, chart, before, wanted, NOW.date())
    after = chart.judged(service, NOW, FHIR).record
    found = [(f.status, f.side, f.when and f.when.text) for f in after.facts if f.key == wanted.finding]
    assert found == ([] if wanted.status is None else [(wanted.status, wanted.side, days_ago(3))]), (name, wanted)
    told = set(switches.lost(content, before, after, wanted))
    for fact in before.facts:
        if fact.key != wanted.finding and content.name(fact.key) not in told:
            assert any((f.key, f.status, f.side) == (fact.key, fact.status, fact.side) for f in after.facts), fact
    assert {fact.key for fact in after.facts} <= {fact.key for fact in before.facts} | {wanted.finding}


def without_time(when: When | None) -> When | None:
    return replace(when, at=None) if when else None


def in_days(fact: Fact) -> Fact:
    """The page states days: the time of day goes, and with it nothing that a card says."""
    return replace(fact, source="", clinical=without_time(fact.clinical), recorded=without_time(fact.recorded))


def test_what_an_entry_says_besides_is_stated_anew(service: Service) -> None:
    codes = concept((SNOMED, "300954003"), (FINDING_SYSTEM, "calf_swelling"))
    leg = concept((SNOMED, "722115008"))
    for one in (
        observation(codes, valueBoolean=True, bodySite=leg, ago=5),
        observation(codes, valueBoolean=False, bodySite=leg, ago=None, issued="2026-03-10T08:00:00Z"),
        observation(codes, valueBoolean=True, bodySite=leg, status="preliminary"),
        condition(codes, ago=5, bodySite=[leg]),
        condition(codes, ago=None, bodySite=[leg], recordedDate="2026-03", verification="provisional"),
    ):
        chart = Chart("", "", "p", (patient(), one))
        before = chart.judged(service, NOW, FHIR).record
        assert {fact.key for fact in before.facts} == {"pain_calf", "calf_swelling"}
        gone = switches.Switch("pain_calf", None, Side.UNKNOWN, None)
        switches.apply(service.content, chart, before, gone, NOW.date())
        (after,) = chart.judged(service, NOW, FHIR).record.facts
        (was,) = [fact for fact in before.facts if fact.key == "calf_swelling"]
        assert in_days(after) == in_days(was)


def test_diagnoses_and_orders_can_be_removed(sandbox: Server) -> None:
    chart = opened(sandbox, "dvt-already-ordered")
    page = drawn(sandbox, chart)
    (source,) = set(re.findall(r'data-remove="(ServiceRequest/[^"]+)"', page))
    assert "already ordered" in page
    assert requests.post(f"{chart}/removed", json={"source": source}, timeout=20).status_code == 200
    assert "already ordered" not in drawn(sandbox, chart)
    for wrong in ("Patient/dvt-already-ordered", "Observation/none", ""):
        assert requests.post(f"{chart}/removed", json={"source": wrong}, timeout=20).status_code == 400


# The explanation.


def test_the_explanation_names_what_the_rules_saw(sandbox: Server) -> None:
    page = drawn(sandbox, opened(sandbox))
    assert f"{len(shipped_service().content.red_flags) - 1} rules did not fire" in page
    assert "Wells score is in the likely range on recorded items alone" in page
    assert "DVT suspected on the pathway: <strong>present</strong>" in page
    assert 'aria-label="Wells score 4 to 9 on a scale from -2 to 9; likely from 2"' in page
    assert "Ask or examine next" in page
    differential = page[page.index("<h4>Differential") :]
    assert "%" not in re.sub(r"<[^>]+>", "", differential)


def test_silence_is_explained(sandbox: Server) -> None:
    page = drawn(sandbox, opened(sandbox, "other-site-pain"))
    assert "No card. Silence is not an all-clear." in page
    assert "Silent because no current complaint" in page


def test_what_was_not_read_or_set_aside_is_named(sandbox: Server) -> None:
    assert ">Not understood<" in drawn(sandbox, opened(sandbox, "unreadable-parts"))
    assert ">Set aside<" in drawn(sandbox, opened(sandbox, "entered-in-error"))


def test_the_preview_follows_the_files_and_tells_mistakes(tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    shutil.copytree(Settings().cards, cards)
    (tmp_path / "fhir_examples").symlink_to(EXAMPLES)
    rule = next((cards / "red_flags").glob("RF07-*.toml"))
    before = rule.read_text(encoding="utf-8")
    for served in run_server(Settings(sandbox=True, auth="open", cards=cards)):
        page = f"{served.url}/sandbox/preview"
        assert "Look</button>" in requests.get(page, timeout=20).text
        first = requests.get(page, {"key": "RF07"}, timeout=20).text
        assert "red-flag-rf07" in first
        assert "Steroid injection." in first
        rule.write_text(before.replace("Steroid injection.", "A steroid injection."), encoding="utf-8")
        assert "A steroid injection." in requests.get(page, {"key": "RF07"}, timeout=20).text
        assert "Infiltración de corticoide." in requests.get(page, {"key": "RF07", "language": "es"}, timeout=20).text
        rule.write_text(before.replace('speed = "same_day"', 'speed = "at once"'), encoding="utf-8")
        wrong = unescape(requests.get(page, {"key": "RF07"}, timeout=20).text)
        assert f"red_flags/{rule.name}" in wrong
        assert "speed" in wrong
        rule.write_text(before, encoding="utf-8")
        assert "Did you mean `bakers_cyst`?" in unescape(requests.get(page, {"key": "bakers_cist"}, timeout=20).text)

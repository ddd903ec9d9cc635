"""Rows P and H4: what the prefetch holds, and when there is nothing to judge by."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.answers import response_extension
from tests.conftest import Server
from tests.web.test_hook import FAILED, is_outcome, request_for, without

NO_COMPLAINT = "nothing-at-all"


def cards(server: Server, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = server.call(body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["cards"]
    return found


@pytest.mark.row("P4", "P11")
def test_a_searchset_with_everything_it_may_hold(server: Server) -> None:
    """Included resources, a warning and the same resource twice: the matches count once, and nothing is missing."""
    body = request_for("dvt-likely")
    plain = cards(server, body)[0]
    bundle = body["prefetch"]["observations"]
    found = list(bundle["entry"])
    bundle["total"] = len(found)
    bundle["entry"] = [
        *[{**entry, "search": {"mode": "match"}} for entry in found],
        copy.deepcopy(found[0]),
        {"resource": {"resourceType": "Practitioner", "id": "p"}, "search": {"mode": "include"}},
        {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]},
         "search": {"mode": "outcome"}},
    ]  # fmt: skip
    bundle["link"] = [{"relation": "self", "url": "https://ehr.example/fhir/Observation?patient=x"}]
    answer = server.call(body).json()
    assert answer["cards"][0]["detail"] == plain["detail"]
    assert "notAvailable" not in str(answer.get("extension", ""))


@pytest.mark.row("P8", "H4", "P15")
@pytest.mark.parametrize(
    "body",
    [
        without("observations", "conditions"),
        without("observations", "conditions", "patient", "procedures", "medications", "orders"),
        without(observations=FAILED, conditions=FAILED),
    ],
)
def test_nothing_to_judge_by(server: Server, body: dict[str, Any]) -> None:
    answer = server.call(body)
    assert answer.status_code == 412
    assert is_outcome(answer)
    assert "observations" in answer.text
    assert "conditions" in answer.text


@pytest.mark.row("P8", "P15")
@pytest.mark.parametrize("key", ["patient", "procedures", "medications", "orders"])
def test_a_missing_key_is_told_on_the_card(server: Server, key: str) -> None:
    first = cards(server, without(key))[0]
    assert "Not available: " in first["detail"]


@pytest.mark.row("P9", "P10", "H4", "R6")
def test_nothing_found_is_an_answer(server: Server) -> None:
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    for value in (None, empty, {**empty, "entry": []}):
        nothing = dict.fromkeys(("observations", "conditions", "procedures", "medications", "orders"), value)
        answer = server.call(without(**nothing))
        assert answer.status_code == 200
        assert answer.json()["cards"] == []
        assert not response_extension(answer.json())


@pytest.mark.row("P11")
def test_a_failed_search_is_not_an_empty_one(server: Server) -> None:
    answer = server.call(without(procedures=FAILED)).json()
    assert "Not available: procedures." in answer["cards"][0]["detail"]
    entry = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": FAILED, "search": {"mode": "outcome"}}],
    }
    answer = server.call(without(procedures=entry)).json()
    assert "Not available: procedures." in answer["cards"][0]["detail"]


@pytest.mark.row("P11", "P10")
def test_the_note_that_goes_with_no_results_is_no_failure(server: Server) -> None:
    issue = {"severity": "warning", "code": "processing", "details": {"coding": [{"code": "4101"}]}}
    rows = [{"resource": {"resourceType": "OperationOutcome", "issue": [issue]}, "search": {"mode": "outcome"}}]
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": rows}
    answer = server.call(without(procedures=empty, orders=empty)).json()
    assert "Not available" not in answer["cards"][0]["detail"]
    assert not response_extension(answer)


@pytest.mark.row("P12")
def test_a_page_is_not_the_whole(server: Server) -> None:
    for page in ({"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}, {"total": 900},
                 {"link": [{"relation": "next"}]}):  # fmt: skip
        body = request_for("dvt-likely")
        body["prefetch"]["observations"].update(page)
        assert "Not available: observations (not all)." in cards(server, body)[0]["detail"]
        silent = request_for(NO_COMPLAINT)
        silent["prefetch"]["observations"] = {"resourceType": "Bundle", "type": "searchset", **page}
        assert server.call(silent).status_code == 412


@pytest.mark.row("P11", "P12")
@pytest.mark.parametrize("code", ["incomplete", "suppressed", "throttled", "forbidden", "of-no-list"])
@pytest.mark.parametrize("severity", ["information", "warning", "error"])
def test_a_search_that_says_it_is_not_whole_is_never_silence(server: Server, severity: str, code: str) -> None:
    """Whatever its severity: with nothing found it is no answer, and beside a finding it is named."""
    told = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}
    rows = [{"resource": told, "search": {"mode": "outcome"}}]
    silent = request_for(NO_COMPLAINT)
    silent["prefetch"]["observations"] = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": rows}
    answer = server.call(silent)
    assert answer.status_code == 412
    assert is_outcome(answer)
    body = request_for("dvt-likely")
    body["prefetch"]["observations"]["entry"] += rows
    card = cards(server, body)[0]
    assert card["indicator"] == "critical"
    assert "Not available: observations (not all)." in card["detail"]


NOT_WHOLE: dict[str, Any] = {
    "a husk": {"resourceType": "Bundle"},
    "entries that are an object": {"resourceType": "Bundle", "type": "searchset", "entry": {}},
    "a row that was not answered": {
        "resourceType": "Bundle", "type": "batch-response", "entry": [{"response": {"status": "503 Try later"}}],
    },
    "a row without a resource": {"resourceType": "Bundle", "type": "searchset", "entry": [{"fullUrl": "urn:uuid:1"}]},
    "a Bundle in a Bundle": {
        "resourceType": "Bundle", "type": "searchset",
        "entry": [{"resource": {"resourceType": "Bundle", "type": "searchset", "total": 0}}],
    },
    "a total as text": {"resourceType": "Bundle", "type": "searchset", "total": "5"},
    "a decimal total": {"resourceType": "Bundle", "type": "searchset", "total": 5.0},
    "a link as an object": {"resourceType": "Bundle", "type": "searchset", "link": {"relation": "next", "url": "x"}},
    "a subset": {"resourceType": "Bundle", "type": "searchset", "meta": {"tag": [{"code": "SUBSETTED"}]}},
    "rules of its own": {"resourceType": "Bundle", "type": "searchset", "implicitRules": "https://x.example/rules"},
}  # fmt: skip


@pytest.mark.row("P10", "P12", "P13")
@pytest.mark.parametrize("what", sorted(NOT_WHOLE))
def test_what_is_not_understood_is_not_known_to_be_none(server: Server, what: str) -> None:
    for key in ("observations", "conditions"):
        body = request_for(NO_COMPLAINT)
        body["prefetch"][key] = NOT_WHOLE[what]
        answer = server.call(body)
        assert answer.status_code == 412, answer.text
        assert key in answer.text
    first = cards(server, without(procedures=NOT_WHOLE[what]))[0]
    assert "Not available: procedures" in first["detail"]


@pytest.mark.row("P7", "P13")
def test_a_chart_under_other_names_is_read(server: Server) -> None:
    """Keys are taken by what they hold: a site may have cut its chart otherwise."""
    plain = cards(server, request_for("dvt-likely"))[0]
    for names in (("signs",), ("encounters", "x"), ("Observations",), ("", "reports")):
        body = request_for("dvt-likely")
        found = body["prefetch"].pop("observations")["entry"]
        for number, name in enumerate(names):
            body["prefetch"][name] = {
                "resourceType": "Bundle", "type": "searchset", "entry": found[number :: len(names)],
            }  # fmt: skip
        answer = server.call(body).json()
        assert answer["cards"][0]["summary"] == plain["summary"]
        assert "unusedKeys" not in answer["extension"]["com.posterior-knee-cds.reading"]
    body = request_for("dvt-likely")
    body["prefetch"] |= {"<b>secret</b>": FAILED, "two": "text", "three": 7, "four": None}
    answer = server.call(body)
    assert response_extension(answer.json()) == {"unusedKeys": ["(name not shown)", "two", "three"]}
    assert "secret" not in answer.text


WRONG: tuple[Any, ...] = (
    "text",
    7,
    True,
    [],
    {},
    {"resourceType": 7},
    {"resourceType": "Unknown"},
    [None],
    {"entry": []},
)


@pytest.mark.row("P13")
@pytest.mark.parametrize("key", ["patient", "observations", "conditions", "procedures", "medications", "orders"])
def test_a_value_of_another_kind_is_told(server: Server, key: str) -> None:
    for value in WRONG:
        answer = server.call(without(**{key: value}))
        assert answer.status_code in (200, 412), value
        told = answer.text if answer.status_code == 412 else str(answer.json()["extension"])
        assert key in told, value


@pytest.mark.row("P13")
def test_entries_of_any_kind_are_counted(server: Server) -> None:
    body = request_for("dvt-likely")
    no_codes = {"resourceType": "Observation", "status": 5, "code": []}
    entries: list[Any] = [None, 7, "x", [], {}, {"resource": None}, {"resource": 7}, {"resource": no_codes}]
    entries.append({"resource": {"resourceType": "Observation"}})
    body["prefetch"]["observations"]["entry"] += entries
    answer = server.call(body).json()
    assert answer["cards"][0]["indicator"] == "critical"
    assert sum(answer["extension"]["com.posterior-knee-cds.reading"]["unread"].values()) >= 7
    assert "Not read: " in answer["cards"][0]["detail"]


@pytest.mark.row("P14")
def test_another_patient(server: Server) -> None:
    body = request_for("dvt-likely")
    body["prefetch"]["patient"]["id"] = "somebody-else"
    answer = server.call(body)
    assert answer.status_code == 400
    assert is_outcome(answer)
    body = request_for("dvt-likely")
    for entry in body["prefetch"]["observations"]["entry"]:
        entry["resource"]["subject"] = {"reference": "https://ehr.example/fhir/Patient/somebody-else"}
    # All that is of concern is somebody else's: this is the wrong chart, and no answer would be "no concern".
    refused = server.call(body)
    assert refused.status_code == 412
    assert is_outcome(refused)


@pytest.mark.row("P4")
def test_filters_are_applied_again(server: Server) -> None:
    """A server that ignores what it was asked for sends too much: wrong status, wrong date, wrong type."""
    body = request_for("dvt-likely")
    for entry in body["prefetch"]["observations"]["entry"]:
        entry["resource"]["status"] = "entered-in-error"
    assert cards(server, body) == []
    body = request_for("dvt-likely")
    for entry in body["prefetch"]["observations"]["entry"]:
        entry["resource"]["effectiveDateTime"] = "2019-01-01"
    assert cards(server, body) == []

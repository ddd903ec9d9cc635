"""What the prefetch lacks is read from the EHR's FHIR server, in time, and from no other server."""

from __future__ import annotations

import copy
import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
import requests
import trustme

from cds_service.base.settings import Settings
from cds_service.protocol.queries import MAX_QUERY_LENGTH
from cds_service.web.app import create_app
from tests import fhir_server as fhir
from tests.answers import response_extension
from tests.conftest import Server, run_server
from tests.fhir_server import FhirServer
from tests.web.test_hook import is_outcome, request_for

TOKEN = "canary-token-5f1c"
ALL = ("patient", "observations", "conditions", "procedures", "medications", "orders")
OBSERVED = 3
"""Searches that bring all Observations."""
READING = "com.posterior-knee-cds.reading"


@pytest.fixture(scope="module")
def ehr() -> Iterator[FhirServer]:
    """One FHIR server for the module; each test sets its behaviours."""
    with fhir.running() as running:
        yield running


@pytest.fixture(scope="module")
def reading(ehr: FhirServer) -> Iterator[Server]:
    """The service, allowed to read that server."""
    yield from run_server(Settings(fhir_servers=(ehr.url,)))


@pytest.fixture(autouse=True)
def afresh(ehr: FhirServer) -> None:
    ehr.behaviours.clear()
    ehr.asked.clear()
    ehr.prefetch = request_for("dvt-likely")["prefetch"]


def lent(patient: str | None = None) -> dict[str, Any]:
    token = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": "cds"}
    return token | ({"patient": patient} if patient else {})


def call_without(ehr: FhirServer, *missing: str, **values: Any) -> dict[str, Any]:
    body = request_for("dvt-likely")
    body["fhirServer"], body["fhirAuthorization"] = ehr.url, lent()
    for key in missing:
        del body["prefetch"][key]
    body["prefetch"].update(values)
    return body


def bare(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cards without what is new in every call."""
    text = re.sub(r'"uuid": "[^"]+"|\?draft=[^"]+', "", str(cards).replace("'", '"'))
    return [text] if text else []  # type: ignore[list-item]


def full_answer(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.call(request_for("dvt-likely")).json()
    return found


# The same chart, five ways of sending it.


def test_everything_sent(reading: Server, ehr: FhirServer) -> None:
    answer = reading.call(call_without(ehr)).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])
    assert not response_extension(answer)
    assert ehr.asked == []


def test_only_the_patient_and_a_server(reading: Server, ehr: FhirServer) -> None:
    answer = reading.call(call_without(ehr, *ALL[1:])).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])
    assert not response_extension(answer)
    assert set(ehr.keys_asked()) == {*ALL[1:], "reports", "medication_statements", "encounter"}


def test_null_is_none_known_and_not_asked_again(reading: Server, ehr: FhirServer) -> None:
    """The chart's empty keys as null: the same answer. All null: nothing known, so silence, and no read."""
    nulls = {key: None for key, value in ehr.prefetch.items() if not (value or {}).get("entry") and key != "patient"}
    assert nulls
    answer = reading.call(call_without(ehr, **nulls)).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])
    assert not response_extension(answer)
    assert reading.call(call_without(ehr, **dict.fromkeys(ALL[1:]))).json()["cards"] == []
    assert ehr.asked == []


def test_an_operation_outcome_is_a_failure_and_not_tried_again(reading: Server, ehr: FhirServer) -> None:
    answer = reading.call(call_without(ehr, procedures=fhir.outcome(), medications=fhir.outcome())).json()
    first = answer["cards"][0]
    assert first["indicator"] == "critical"
    assert "Not available: procedures and medicines." in first["detail"]
    assert answer["extension"][READING]["parts"]["procedures"] == {"state": "failed", "why": "operation_outcome"}
    nothing = reading.call(call_without(ehr, **dict.fromkeys(ALL[1:], fhir.outcome())))
    assert nothing.status_code == 412
    assert is_outcome(nothing)
    assert "observations (the sender reported an error)" in nothing.text
    assert ehr.asked == []


def paged(ehr: FhirServer, *, absolute: bool = True) -> dict[str, Any]:
    """The observations as pages of one entry: the first as prefetch, the others on the server."""
    entries = ehr.prefetch["observations"]["entry"]
    assert len(entries) > 2
    pages: list[dict[str, Any]] = []
    for number, entry in enumerate(entries):
        page: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": [entry]}
        if number + 1 < len(entries):
            url = f"{ehr.url if absolute else '.'}/page/{number + 1}?state=a%7Cb"
            page["link"] = [{"relation": "next", "url": url}]
        pages.append(page)
        ehr.behaviours[f"/fhir/page/{number}"] = fhir.body(page)
    return pages[0]


def test_pages_are_followed(reading: Server, ehr: FhirServer) -> None:
    answer = reading.call(call_without(ehr, observations=paged(ehr))).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])
    assert not response_extension(answer)
    assert len(ehr.asked) == len(ehr.prefetch["observations"]["entry"]) - 1
    assert {one.headers["authorization"] for one in ehr.asked} == {f"Bearer {TOKEN}"}


def test_pages_of_a_key_that_is_read(reading: Server, ehr: FhirServer) -> None:
    ehr.behaviours["observations"] = fhir.body(paged(ehr))
    answer = reading.call(call_without(ehr, "observations")).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])


def test_a_total_without_a_next_page_is_read_anew(reading: Server, ehr: FhirServer) -> None:
    found = ehr.prefetch["observations"]["entry"]
    short = {**ehr.prefetch["observations"], "entry": found[:1], "total": len(found)}
    answer = reading.call(call_without(ehr, observations=short)).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])
    assert ehr.keys_asked() == ["observations"]


def test_a_total_that_is_never_reached_is_not_forgotten(reading: Server, ehr: FhirServer) -> None:
    """Announced in the prefetch, on the first page, or on a later one only."""
    whole = ehr.prefetch["observations"]
    found = whole["entry"]
    more = len(found) + 1
    link = [{"relation": "next", "url": f"{ehr.url}/page/1"}]
    first, last = {**whole, "entry": found[:2]}, {**whole, "entry": found[2:]}
    cases: list[tuple[dict[str, Any], dict[str, fhir.Behaviour]]] = [
        ({**first, "total": more}, {}),
        ({**first, "total": more, "link": link}, {"/fhir/page/1": fhir.body(last)}),
        ({**first, "link": link}, {"/fhir/page/1": fhir.body({**last, "total": more})}),
        ({**first, "total": len(found), "link": link}, {"/fhir/page/1": fhir.body({**last, "total": more})}),
        ({**first, "total": len(found), "link": link}, {"/fhir/page/1": fhir.body(first)}),
    ]
    for sent, behaviours in cases:
        ehr.behaviours.clear()
        ehr.behaviours |= behaviours
        answer = reading.call(call_without(ehr, observations=sent)).json()
        assert answer["extension"][READING]["parts"]["observations"] == {"state": "truncated", "why": "page"}
        assert "observations (not all)" in answer["cards"][0]["detail"]
    for number, (first_total, last_total) in enumerate(((more, None), (None, more), (3, more))):
        ehr.behaviours |= {
            "observations": fhir.body({**first, "total": first_total, "link": link}),
            "/fhir/page/1": fhir.body({**last, "total": last_total}),
        }
        answer = reading.call(call_without(ehr, "observations")).json()
        assert answer["extension"][READING]["parts"]["observations"]["state"] == "truncated", number


def test_what_has_no_id_is_not_counted_twice(reading: Server, ehr: FhirServer) -> None:
    """The same row, prefetched and read anew, is not the second one that was announced."""
    found = copy.deepcopy(ehr.prefetch["observations"])
    for one in found["entry"]:
        del one["resource"]["id"]
    ehr.behaviours["observations"] = fhir.body(found)
    answer = reading.call(call_without(ehr, observations={**found, "total": len(found["entry"]) + 1})).json()
    assert answer["extension"][READING]["parts"]["observations"] == {"state": "truncated", "why": "page"}


def test_a_flaw_of_the_prefetch_is_mended_by_reading_anew(reading: Server, ehr: FhirServer) -> None:
    """Not by reading on: what is wrong is on the page that came."""
    link = [{"relation": "next", "url": f"{ehr.url}/page/1"}]
    flaws: tuple[dict[str, Any], ...] = (
        {"meta": {"tag": [{"code": "SUBSETTED"}]}},
        {"total": "9"},
        {"link": {}},
        {"total": -1, "link": link},
    )
    for flaw in flaws:
        ehr.asked.clear()
        answer = reading.call(call_without(ehr, observations={**ehr.prefetch["observations"], **flaw})).json()
        assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])
        assert not response_extension(answer)
        assert [one.path for one in ehr.asked] == ["/fhir/Observation"]


PAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a subset": ({"meta": {"tag": [{"code": "SUBSETTED"}]}}, "subset"),
    "a total as text": ({"total": "9"}, "not_understood"),
    "a link as an object": ({"link": {"relation": "self"}}, "page"),
    "a row without a resource": ({"entry": [{"fullUrl": "urn:uuid:1"}]}, "not_understood"),
    "rules of its own": ({"implicitRules": "https://x.example/rules"}, "not_understood"),
    "an outcome": ({"entry": [{"resource": fhir.outcome("information")}]}, "operation_outcome"),
    "a row refused": ({"entry": [{"response": {"status": "403"}}]}, "operation_outcome"),
    "a husk": ({"type": None}, "wrong_type"),
}


@pytest.mark.parametrize("what", sorted(PAGES))
def test_a_page_that_is_not_understood_is_not_the_end(reading: Server, ehr: FhirServer, what: str) -> None:
    """From the server as in the prefetch, on the only page and on a later one."""
    change, why = PAGES[what]
    page = {"resourceType": "Bundle", "type": "searchset"} | change
    link = [{"relation": "next", "url": f"{ehr.url}/page/1"}]
    ehr.behaviours |= {"procedures": fhir.body(page), "/fhir/page/1": fhir.body(page)}
    ehr.behaviours["observations"] = fhir.body({**ehr.prefetch["observations"], "link": link})
    answer = reading.call(call_without(ehr, "procedures", "observations")).json()
    parts = answer["extension"][READING]["parts"]
    assert parts["procedures"]["why"] == parts["observations"]["why"] == why
    assert parts["observations"]["state"] == "truncated"
    assert answer["cards"][0]["indicator"] == "critical"


def test_the_end_of_a_search_that_says_there_are_no_results(reading: Server, ehr: FhirServer) -> None:
    issue = {"severity": "warning", "code": "processing", "details": {"coding": [{"code": "4101"}]}}
    none = {"resourceType": "OperationOutcome", "issue": [issue]}
    for value in (none, {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": [{"resource": none}]}):
        ehr.behaviours["procedures"] = fhir.body(value)
        assert not response_extension(reading.call(call_without(ehr, "procedures")).json())


# What is asked.


def test_the_queries_are_the_templates(reading: Server, ehr: FhirServer) -> None:
    body = call_without(ehr, *ALL)
    body["context"]["encounterId"] = "visit-1"
    reading.call(body)
    offered = reading.get("/cds-services").json()["services"][0]["prefetch"]
    asked = [(one.path, {name: values[0] for name, values in {**one.query, **one.form}.items()}) for one in ehr.asked]
    assert len(asked) == len(offered)
    for template in offered.values():
        filled = template.replace("{{context.patientId}}", "dvt-likely").replace("{{context.encounterId}}", "visit-1")
        path, _, query = filled.partition("?")
        wanted = {name: values[0] for name, values in parse_qs(query).items()}
        path += "/_search" if len(query) > MAX_QUERY_LENGTH else ""
        (sent,) = [found for where, found in asked if where == f"/fhir/{path}" and wanted.items() <= found.items()]
        added = {"_count": "500"} if query else {}
        added |= {"date": "ge2024-03-16"} if "vital-signs" in query else {}
        assert sent == wanted | added
    for one in ehr.asked:
        assert one.method == ("POST" if one.path.endswith("_search") else "GET")
        assert one.headers["authorization"] == f"Bearer {TOKEN}"
        assert "json" in one.headers["accept"]


NEVER_ASKED: dict[str, Callable[[dict[str, Any], FhirServer], object]] = {
    "no server named": lambda b, _: b.pop("fhirServer") and b.pop("fhirAuthorization"),
    "no token": lambda b, _: b.pop("fhirAuthorization"),
    "a token for another patient": lambda b, _: b.update(fhirAuthorization=lent("somebody-else")),
    "another port": lambda b, e: b.update(fhirServer=f"http://127.0.0.1:{e.port + 1}/fhir"),
    "a longer name": lambda b, e: b.update(fhirServer=f"{e.url}x"),
    "the path above": lambda b, e: b.update(fhirServer=f"http://127.0.0.1:{e.port}"),
    "another name of the host": lambda b, e: b.update(fhirServer=f"http://localhost:{e.port}/fhir"),
    "userinfo": lambda b, e: b.update(fhirServer=f"http://127.0.0.1:{e.port}@127.0.0.1:{e.port}/fhir"),
    "dots": lambda b, e: b.update(fhirServer=f"http://127.0.0.1:{e.port}/x/../fhir"),
    "escapes": lambda b, e: b.update(fhirServer=f"http://127.0.0.1:{e.port}/%66hir"),
    "https": lambda b, e: b.update(fhirServer=f"https://127.0.0.1:{e.port}/fhir"),
}


@pytest.mark.parametrize("what", sorted(NEVER_ASKED))
def test_servers_that_are_never_asked(reading: Server, ehr: FhirServer, what: str) -> None:
    body = call_without(ehr, *ALL[1:])
    before = ehr.connections
    NEVER_ASKED[what](body, ehr)
    answer = reading.call(body)
    assert answer.status_code == 412
    assert "observations (not sent, and" in answer.text
    assert ehr.asked == []
    assert ehr.connections == before


def test_a_token_for_this_patient_is_used(reading: Server, ehr: FhirServer) -> None:
    for patient in ("dvt-likely", "Patient/dvt-likely"):
        body = call_without(ehr, "procedures") | {"fhirAuthorization": lent(patient)}
        assert not response_extension(reading.call(body).json())
    assert len(ehr.asked) == 2


BROKEN_TOKENS = [" ", "a b", "a\tb", "a\r\nX-Injected: 1", "a\nb", "a\x00b", "tokén", "\u2028"]


@pytest.mark.parametrize("token", BROKEN_TOKENS)
def test_a_token_that_is_none_goes_nowhere(reading: Server, ehr: FhirServer, token: str) -> None:
    body = call_without(ehr, "procedures") | {"fhirAuthorization": lent() | {"access_token": token}}
    answer = reading.call(body).json()
    assert answer["extension"][READING]["parts"]["procedures"] == {"state": "missing", "why": "no_token"}
    assert answer["cards"][0]["indicator"] == "critical"
    assert ehr.asked == []


def test_a_chart_of_another_patient_is_not_read_on(reading: Server, ehr: FhirServer) -> None:
    body = call_without(ehr, "procedures")
    body["prefetch"]["patient"]["id"] = "somebody-else"
    assert reading.call(body).status_code == 400
    assert ehr.asked == []


def test_next_pages_that_are_no_address_in_the_prefetch(reading: Server, ehr: FhirServer) -> None:
    for url in ("http://[", "//[x", "http://[::1]evil/fhir", 7, None, {"a": 1}):
        page = {**ehr.prefetch["observations"], "link": [{"relation": "next", "url": url}]}
        answer = reading.call(call_without(ehr, observations=page))
        assert answer.status_code == 200, url
        assert answer.json()["cards"][0]["indicator"] == "critical"


def test_no_list_no_reading(server: Server, ehr: FhirServer) -> None:
    assert server.call(call_without(ehr, *ALL[1:])).status_code == 412
    assert ehr.asked == []


# What the server may answer.

BAD_ANSWERS: dict[str, tuple[fhir.Behaviour, str]] = {
    "401": (fhir.raw(401, b"{}"), "refused"),
    "403": (fhir.raw(403, b"{}"), "refused"),
    "404": (fhir.raw(404, b"{}"), "not_found"),
    "429": (fhir.raw(429, b"{}"), "limited"),
    "500": (fhir.raw(500, b"oops"), "server_error"),
    "503": (fhir.raw(503, b""), "server_error"),
    "204": (fhir.raw(204, b""), "server_error"),
    "HTML": (fhir.raw(200, b"<html>Sign in</html>", "text/html"), "not_fhir"),
    "HTML called JSON": (fhir.raw(200, b"<html>"), "not_fhir"),
    "broken JSON": (fhir.raw(200, b'{"resourceType": "Bundle", '), "not_fhir"),
    "NaN": (fhir.raw(200, b'{"resourceType": NaN}'), "not_fhir"),
    "infinite": (fhir.raw(200, b'{"resourceType": "Bundle", "type": "searchset", "total": Infinity}'), "not_fhir"),
    "a key twice": (fhir.raw(200, b'{"resourceType":"Bundle","type":"searchset","total":9,"total":0}'), "not_fhir"),
    "a key twice, deep": (
        fhir.raw(200, b'{"resourceType":"Bundle","type":"searchset","meta":{"tag":[{"code":"SUBSETTED","code":"x"}]}}'),
        "not_fhir",
    ),
    "a key twice, escaped": (
        fhir.raw(200, b'{"resourceType":"Bundle","type":"searchset","entry":[{}],"\\u0065ntry":[]}'),
        "not_fhir",
    ),
    "nested too deep": (
        fhir.raw(200, b'{"resourceType":"Bundle","type":"searchset","x":' + b"[" * 70 + b"]" * 70 + b"}"),
        "not_fhir",
    ),
    "nothing": (fhir.raw(200, b""), "not_fhir"),
    "null": (fhir.raw(200, b"null"), "wrong_type"),
    "another resource": (fhir.body({"resourceType": "Patient", "id": "x"}), "wrong_type"),
    "a list": (fhir.body([]), "wrong_type"),
    "OperationOutcome": (fhir.body(fhir.outcome()), "operation_outcome"),
    "closed half-way": (fhir.closes_half_way, "cut_short"),
    "chunks cut": (fhir.chunked({"resourceType": "Bundle", "x": "y" * 2000}, cut=True), "cut_short"),
    "no gzip in gzip": (fhir.raw(200, b"{}", "application/json", "Content-Encoding: gzip"), "not_fhir"),
    "always reset": (fhir.resets, "unreachable"),
    "no HTTP": (fhir.speaks_something_else, "unreachable"),
    "never": (fhir.never, "timeout"),
    "stalled body": (fhir.stalls_in_the_body, "timeout"),
    "drip": (fhir.drips, "timeout"),
    "late": (fhir.after(0.7, fhir.body(fhir.empty())), "timeout"),
}


@pytest.mark.parametrize("what", sorted(BAD_ANSWERS))
def test_a_bad_answer_is_named_and_the_rest_is_judged(reading: Server, ehr: FhirServer, what: str) -> None:
    behaviour, why = BAD_ANSWERS[what]
    ehr.behaviours["procedures"] = behaviour
    answer = reading.call(call_without(ehr, "procedures", "medications"))
    assert answer.status_code == 200
    parts = answer.json()["extension"][READING]["parts"]
    assert list(parts) == ["procedures"]
    assert parts["procedures"]["why"] == why
    first = answer.json()["cards"][0]
    assert first["indicator"] == "critical"
    assert "Not available: procedures." in first["detail"]
    assert "smtp" not in answer.text
    # the same key is read at once when the server is well again
    del ehr.behaviours["procedures"]
    assert not response_extension(reading.call(call_without(ehr, "procedures")).json())


GOOD_ANSWERS: dict[str, Callable[[Any], fhir.Behaviour]] = {
    "gzip": fhir.zipped,
    "chunked": fhir.chunked,
    "plain JSON type": lambda value: fhir.raw(200, orjson.dumps(value), "application/json"),
    "reset once": lambda value: fhir.once(fhir.resets, fhir.body(value)),
    "a little late": lambda value: fhir.after(0.2, fhir.body(value)),
}


@pytest.mark.parametrize("what", sorted(GOOD_ANSWERS))
def test_good_answers_in_every_wrapping(reading: Server, ehr: FhirServer, what: str) -> None:
    ehr.behaviours["observations"] = GOOD_ANSWERS[what](ehr.prefetch["observations"])
    answer = reading.call(call_without(ehr, "observations")).json()
    assert bare(answer["cards"]) == bare(full_answer(reading)["cards"])


def test_no_retry_but_after_a_reset(reading: Server, ehr: FhirServer) -> None:
    for behaviour, times in ((fhir.raw(503, b""), 1), (fhir.closes_half_way, 1), (fhir.resets, 2)):
        ehr.asked.clear()
        ehr.behaviours["procedures"] = behaviour
        reading.call(call_without(ehr, "procedures"))
        assert ehr.keys_asked() == ["procedures"] * times


def test_redirects_are_not_followed(reading: Server, ehr: FhirServer) -> None:
    with fhir.running(ehr.prefetch) as other:
        for status in (301, 302, 303, 307, 308):
            ehr.behaviours["procedures"] = fhir.raw(status, b"", "text/plain", f"Location: {other.url}/Procedure")
            parts = reading.call(call_without(ehr, "procedures")).json()["extension"][READING]["parts"]
            assert parts["procedures"]["why"] == "redirect"
        assert other.connections == 0


def test_next_pages_elsewhere_are_not_followed(reading: Server, ehr: FhirServer) -> None:
    with fhir.running(ehr.prefetch) as other:
        for url in (f"{other.url}/page/1", f"http://127.0.0.1:{ehr.port}/admin?x=1", f"//127.0.0.1:{other.port}/fhir/p",
                    f"http://127.0.0.1:{ehr.port}@127.0.0.1:{other.port}/fhir/p", "file:///etc/passwd", "javascript:1",
                    f"{ehr.url}/../admin", "", "http://[", "//[x", "http://[::1]evil/fhir"):  # fmt: skip
            first = {**ehr.prefetch["observations"], "link": [{"relation": "next", "url": url}]}
            ehr.behaviours["observations"] = fhir.body(first)
            answer = reading.call(call_without(ehr, "observations")).json()
            assert answer["extension"][READING]["parts"]["observations"] == {"state": "truncated", "why": "page"}
            assert answer["cards"][0]["indicator"] == "critical"
            assert "observations (not all)" in answer["cards"][0]["detail"]
        assert other.connections == 0
        assert {one.path for one in ehr.asked} <= {
            "/fhir/Observation",
            "/fhir/Observation/_search",
            "/fhir/DiagnosticReport",
        }


def test_pages_without_end_end(reading: Server, ehr: FhirServer) -> None:
    page = {**ehr.prefetch["observations"], "link": [{"relation": "next", "url": f"{ehr.url}/Observation?page=again"}]}
    ehr.behaviours["observations"] = fhir.body(page)
    answer = reading.call(call_without(ehr, "observations")).json()
    assert answer["extension"][READING]["parts"]["observations"]["why"] == "page"
    assert ehr.keys_asked().count("observations") == 2 * OBSERVED
    numbers = iter(range(1000))

    def always_another(connection: Any, asked: Any) -> bool:
        link = [{"relation": "next", "url": f"{ehr.url}/Observation?page={next(numbers)}"}]
        return fhir.body({**fhir.empty(), "total": 900, "link": link})(connection, asked)

    ehr.asked.clear()
    ehr.behaviours["observations"] = always_another
    answer = reading.call(call_without(ehr, "observations"))
    assert answer.status_code == 412
    assert "observations (only one page was received)" in answer.text
    assert ehr.keys_asked().count("observations") == 20 * OBSERVED


def test_a_page_that_fails_loses_no_page_before_it(reading: Server, ehr: FhirServer) -> None:
    first = {**ehr.prefetch["observations"], "link": [{"relation": "next", "url": f"{ehr.url}/page/1"}]}
    for behaviour, why in ((fhir.raw(500, b""), "server_error"), (fhir.never, "timeout")):
        ehr.behaviours |= {"observations": fhir.body(first), "/fhir/page/1": behaviour}
        answer = reading.call(call_without(ehr, "observations")).json()
        assert answer["extension"][READING]["parts"]["observations"] == {"state": "truncated", "why": why}
        assert answer["cards"][0]["summary"] == full_answer(reading)["cards"][0]["summary"]


def test_another_patient_is_refused(reading: Server, ehr: FhirServer) -> None:
    ehr.behaviours["patient"] = fhir.body({"resourceType": "Patient", "id": "somebody-else", "birthDate": "2020-01-01"})
    answer = reading.call(call_without(ehr, "patient")).json()
    assert answer["extension"][READING]["parts"]["patient"] == {"state": "failed", "why": "another_patient"}
    strangers = copy.deepcopy(ehr.prefetch["observations"])
    for entry in strangers["entry"]:
        entry["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    ehr.behaviours["observations"] = fhir.body(strangers)
    assert reading.call(call_without(ehr, "observations")).status_code == 412


def test_too_much_is_cut_off(reading: Server, ehr: FhirServer) -> None:
    bomb = {"resourceType": "Bundle", "type": "searchset", "x": "0" * 25_000_000}
    ehr.behaviours["procedures"] = fhir.zipped(bomb)
    parts = reading.call(call_without(ehr, "procedures")).json()["extension"][READING]["parts"]
    assert parts["procedures"]["why"] in ("too_large", "timeout")


def test_cookies_are_not_kept(reading: Server, ehr: FhirServer) -> None:
    ehr.behaviours["procedures"] = fhir.raw(403, b"", "text/plain", "Set-Cookie: session=abc; Path=/")
    for _ in range(2):
        reading.call(call_without(ehr, "procedures"))
    assert not any("cookie" in one.headers for one in ehr.asked)


def test_the_token_is_seen_nowhere_else(reading: Server, ehr: FhirServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for behaviour in (fhir.raw(401, TOKEN.encode()), fhir.resets, fhir.never, fhir.body(fhir.empty())):
            ehr.behaviours["procedures"] = behaviour
            assert TOKEN not in reading.call(call_without(ehr, "procedures")).text
        nothing = reading.call(call_without(ehr, *ALL[1:]) | {"fhirServer": "https://elsewhere.example/fhir"})
        assert TOKEN not in nothing.text
    assert TOKEN not in caplog.text
    assert "dvt-likely" not in caplog.text


# Time.


def test_the_deadline_holds_for_everything_together(reading: Server, ehr: FhirServer) -> None:
    """Six keys that never answer cost one deadline, and what came in time is used."""
    for key in ALL:
        ehr.behaviours[key] = fhir.never
    started = time.monotonic()
    answer = reading.call(call_without(ehr, *ALL))
    assert time.monotonic() - started < 2
    assert answer.status_code == 412
    assert "observations (the FHIR server did not answer in time)" in answer.text
    del ehr.behaviours["observations"]
    answer = reading.call(call_without(ehr, *ALL))
    first = answer.json()["cards"][0]
    assert first["summary"].startswith("Suspected DVT, left leg")
    assert "Not available: patient details, problems, procedures, medicines and orders." in first["detail"]


def test_observations_that_do_not_come_are_said_first(reading: Server, ehr: FhirServer) -> None:
    ehr.prefetch = request_for("bakers-cyst-typical")["prefetch"]
    ehr.behaviours["observations"] = fhir.drips
    body = request_for("bakers-cyst-typical") | {"fhirServer": ehr.url, "fhirAuthorization": lent()}
    del body["prefetch"]["observations"]
    (card,) = reading.call(body).json()["cards"]
    assert card["summary"] == "DVT cannot be excluded, left leg: observations not available to this service."


def test_stalled_calls_leave_nothing_behind(reading: Server, ehr: FhirServer) -> None:
    """More stalled reads than there are threads, and the next call is served at once."""
    for key in ALL:
        ehr.behaviours[key] = fhir.drips
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(reading.call, call_without(ehr, *ALL)) for _ in range(60)]
        assert {one.result().status_code for one in calls} == {412}
    ehr.behaviours.clear()
    assert not response_extension(reading.call(call_without(ehr, *ALL)).json())


def test_many_at_once_are_all_served(ehr: FhirServer) -> None:
    """One after the other they would need four times the deadline, which leaves room for a busy machine."""
    for key in ALL:
        ehr.behaviours[key] = fhir.after(0.4, fhir.body(ehr.prefetch[key] or fhir.empty()))
    for reading in run_server(Settings(fhir_servers=(ehr.url,), fhir_deadline_ms=2_000)):
        with ThreadPoolExecutor(20) as pool:
            answers = [one.result() for one in [pool.submit(reading.call, call_without(ehr, *ALL)) for _ in range(20)]]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.json()["cards"][0]["indicator"] == "critical"


def test_connections_are_used_again(reading: Server, ehr: FhirServer) -> None:
    for _ in range(3):
        reading.call(call_without(ehr, "procedures"))
    before = ehr.connections
    for _ in range(5):
        reading.call(call_without(ehr, "procedures"))
    assert ehr.connections == before


def test_an_open_sandbox_is_read_without_a_token(ehr: FhirServer, tmp_path: Any) -> None:
    clients = tmp_path / "clients.toml"
    clients.write_text(f'[client.sandbox]\nprofile = "sandbox"\nfhir_servers = ["{ehr.url}"]\n')
    for open_one in run_server(Settings(fhir_servers=(ehr.url,), clients=clients)):
        body = call_without(ehr, *ALL[1:])
        del body["fhirAuthorization"]
        answer = open_one.call(body)
        assert answer.json()["cards"][0]["indicator"] == "critical"
    assert not any("authorization" in one.headers for one in ehr.asked)
    for unlisted in run_server(Settings(clients=clients)):
        (card,) = unlisted.call(body).json()["cards"]  # a card instead of 412: the profile hides errors
        assert card["summary"].startswith("Not judged: ")


def test_an_authorization_without_a_server_does_not_disturb(server: Server) -> None:
    body = request_for("dvt-likely") | {"fhirAuthorization": lent()}
    assert requests.post(f"{server.url}/cds-services/posterior-knee-pain", json=body, timeout=10).status_code == 200


# TLS.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate and the file of the CA that signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, file


def test_a_server_over_tls(certificates: tuple[ssl.SSLContext, Path], ehr: FhirServer) -> None:
    context, authority = certificates
    with fhir.running(ehr.prefetch, context) as secured:
        for own in run_server(Settings(fhir_servers=(secured.url,), fhir_ca_bundle=authority)):
            for _ in range(2):
                answer = own.call(call_without(secured, *ALL[1:])).json()
                assert answer["cards"][0]["indicator"] == "critical"
                assert not response_extension(answer)
            for behaviour in (fhir.never, fhir.stalls_in_the_body, fhir.drips):
                secured.behaviours["procedures"] = behaviour
                parts = own.call(call_without(secured, "procedures")).json()["extension"][READING]["parts"]
                assert parts["procedures"]["why"] == "timeout"
            secured.behaviours.clear()
            assert not response_extension(own.call(call_without(secured, "procedures")).json())


def test_a_certificate_of_nobody_known_is_refused(certificates: tuple[ssl.SSLContext, Path], ehr: FhirServer) -> None:
    with fhir.running(ehr.prefetch, certificates[0]) as secured:
        for own in run_server(Settings(fhir_servers=(secured.url,))):
            answer = own.call(call_without(secured, *ALL[1:]))
            assert answer.status_code == 412
            assert "could not be reached" in answer.text
        assert secured.asked == []


def test_certificates_that_are_not_there_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        create_app(Settings(fhir_ca_bundle=tmp_path / "none.pem", database_url=f"sqlite:///{tmp_path}/x.db"))

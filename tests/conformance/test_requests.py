"""Rows Q, C, E1 and some of P: what comes in, lawful or not."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import response_extension
from tests.conftest import LONG, Server
from tests.web.test_fhir_access import lent
from tests.web.test_hook import broken, is_outcome, request_for

Change = Callable[[dict[str, Any]], object]


def dropped(server: Server, body: dict[str, Any], *names: str) -> None:
    """The chart came whole and is judged; what could not be used is told by its name, never by what it held."""
    answer = server.call(body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["cards"][0]["indicator"] == "critical"
    assert response_extension(answer.json()) == {"dropped": list(names)}


def refused(server: Server, change: Change) -> None:
    answer = server.call(broken(change))
    assert answer.status_code == 400, answer.text
    assert is_outcome(answer)


WRONG_VALUES: tuple[Any, ...] = (None, "", 0, 7, True, [], {}, ["x"], {"x": "y"})


@pytest.mark.row("Q1", "Q3", "Q10", "Q12")
@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
def test_required_fields(server: Server, field: str) -> None:
    refused(server, lambda body: body.pop(field))
    for value in WRONG_VALUES:
        refused(server, lambda body, value=value: body.update({field: value}))  # type: ignore[misc]


@pytest.mark.row("C1", "C2", "Q12")
@pytest.mark.parametrize("field", ["userId", "patientId"])
def test_required_fields_of_the_context(server: Server, field: str) -> None:
    refused(server, lambda body: body["context"].pop(field))
    for value in WRONG_VALUES:
        refused(server, lambda body, value=value: body["context"].update({field: value}))  # type: ignore[misc]


@pytest.mark.row("Q2")
@pytest.mark.parametrize("hook", ["order-sign", "Patient-View", "PATIENT-VIEW", "patient-view ", "patient_view"])
def test_another_hook(server: Server, hook: str) -> None:
    refused(server, lambda body: body.update(hook=hook))


@pytest.mark.row("Q4")
def test_hook_instances(server: Server) -> None:
    body = request_for("dvt-likely")
    cards = []
    for instance in (str(uuid4()), str(uuid4()).upper(), "c9bf9e57-1685-11ee-be56-0242ac120002", body["hookInstance"]):
        for _ in range(2):  # a retry
            answer = server.call(body | {"hookInstance": instance})
            assert answer.status_code == 200
            cards.append(answer.json()["cards"][0]["summary"])
    assert len(set(cards)) == 1
    for wrong in ("7", "not-a-uuid", "d1577c69-dfbe-44ad-ba6d", "urn:x:d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"):
        refused(server, lambda body, wrong=wrong: body.update(hookInstance=wrong))  # type: ignore[misc]


@pytest.mark.row("Q5", "Q6", "Q7", "Q11")
def test_server_authorization_and_prefetch_are_optional(server: Server) -> None:
    full = request_for("dvt-likely")
    for more in ({}, {"fhirServer": "https://ehr.example/fhir"}, {"fhirAuthorization": lent()},
                 {"fhirServer": "https://ehr.example/fhir", "fhirAuthorization": lent()},
                 {"fhirServer": None, "fhirAuthorization": None}):  # fmt: skip
        answer = server.call(full | more)
        assert answer.status_code == 200
        assert answer.json()["cards"][0]["indicator"] == "critical"
    urls: tuple[Any, ...] = ("", "nonsense", 7, [], "//ehr.example", {}, True)
    for url in urls:
        dropped(server, full | {"fhirServer": url}, "fhirServer")
    others: tuple[Any, ...] = ([], "x", 7, True)
    for prefetch in others:
        refused(server, lambda body, prefetch=prefetch: body.update(prefetch=prefetch))  # type: ignore[misc]
    assert server.call({key: value for key, value in full.items() if key != "prefetch"}).status_code == 412


@pytest.mark.row("Q8")
@pytest.mark.parametrize("field", ["access_token", "token_type", "expires_in", "scope", "subject"])
def test_fields_of_the_authorization(server: Server, field: str) -> None:
    full = request_for("dvt-likely") | {"fhirServer": "https://ehr.example/fhir"}
    name = f"fhirAuthorization.{field}"
    dropped(server, full | {"fhirAuthorization": {k: v for k, v in lent().items() if k != field}}, name)
    values: list[Any] = [None, [], {}, "", True]
    of_their_own: dict[str, list[Any]] = {"token_type": ["Basic", "Bearer "], "expires_in": [1.5, "300"]}
    values += of_their_own.get(field, [7])
    for value in values:
        dropped(server, full | {"fhirAuthorization": lent() | {field: value}}, name)


@pytest.mark.row("Q8", "Q9")
def test_an_authorization_that_is_none_is_as_good_as_not_sent(server: Server) -> None:
    full = request_for("dvt-likely") | {"fhirServer": "https://ehr.example/fhir"}
    values: tuple[Any, ...] = ([], "x", 7, True, ["Bearer"])
    for value in values:
        dropped(server, full | {"fhirAuthorization": value}, "fhirAuthorization")
    patients: tuple[Any, ...] = ([], {}, 7, True)
    for patient in patients:
        dropped(server, full | {"fhirAuthorization": lent() | {"patient": patient}}, "fhirAuthorization.patient")
    wrong = {"access_token": "", "expires_in": "300", "scope": None, "token_type": "Bearer", "subject": "x"}
    named = ("fhirAuthorization.access_token", "fhirAuthorization.expires_in", "fhirAuthorization.scope")
    dropped(server, full | {"fhirAuthorization": wrong}, *named)
    lacking = full | {"fhirAuthorization": lent() | {"expires_in": "300"}, "prefetch": {}}
    answer = server.call(lacking)
    assert answer.status_code == 412  # as if none had been sent
    assert "observations (not sent, and" in answer.text
    for kind in ("bearer", "BEARER", "bEARER"):
        assert not response_extension(server.call(full | {"fhirAuthorization": lent() | {"token_type": kind}}).json())


@pytest.mark.row("Q12")
def test_what_cannot_be_used_never_hides_what_else_is_wrong(server: Server) -> None:
    broken_around = {"fhirServer": "nonsense", "fhirAuthorization": []}
    no_user = {"userId": "x", "patientId": "p"}
    others: tuple[dict[str, Any], ...] = ({"hook": "x"}, {"hookInstance": 7}, {"context": no_user}, {"prefetch": []})
    for wrong in others:
        refused(server, lambda body, wrong=wrong: body.update(broken_around | wrong))  # type: ignore[misc]


@pytest.mark.row("C1")
@pytest.mark.parametrize("user", ["Practitioner/a", "PractitionerRole/b", "Patient/c", "RelatedPerson/d"])
def test_every_kind_of_user(server: Server, user: str) -> None:
    body = request_for("dvt-likely")
    body["context"]["userId"] = user
    assert server.call(body).json()["cards"]


NO_USERS = (
    "a", "Practitioner", "Practitioner/", "Device/a", "practitioner/a", "Practitioner/a b",
    "https://ehr.example/Practitioner/a", "Practitioner/a/_history/1",
)  # fmt: skip


@pytest.mark.row("C1")
@pytest.mark.parametrize("user", NO_USERS)
def test_other_users_are_refused(server: Server, user: str) -> None:
    refused(server, lambda body: body["context"].update(userId=user))


NO_PATIENTS = (
    "Patient/", "Patient/a/b", "Group/a", "patient/a", "https://ehr.example/Patient/a", "a b", "a/b", "x" * 65, "a_b",
    "é", "../x", "a\n",
)  # fmt: skip


@pytest.mark.row("C2")
@pytest.mark.parametrize("patient", NO_PATIENTS)
def test_patient_ids_that_are_none(server: Server, patient: str) -> None:
    refused(server, lambda body: body["context"].update(patientId=patient))


@pytest.mark.row("C2")
def test_a_patient_id_with_its_type(server: Server) -> None:
    body = request_for("dvt-likely")
    plain = server.call(body).json()["cards"][0]
    body["context"]["patientId"] = "Patient/dvt-likely"
    answer = server.call(body).json()
    assert answer["cards"][0]["summary"] == plain["summary"]
    assert not response_extension(answer)
    body["context"]["patientId"] = "Patient/somebody-else"
    assert server.call(body).status_code == 400


@pytest.mark.row("C3")
def test_the_encounter_is_optional(server: Server) -> None:
    body = request_for("dvt-likely")
    body["context"].pop("encounterId", None)
    without = server.call(body).json()["cards"][0]
    assert "encounter" not in without["suggestions"][0]["actions"][0]["resource"]
    body["context"]["encounterId"] = "e-1"
    order = server.call(body).json()["cards"][0]["suggestions"][0]["actions"][0]["resource"]
    assert order["encounter"] == {"reference": "Encounter/e-1"}
    body["context"]["encounterId"] = "Encounter/e-1"
    order = server.call(body).json()["cards"][0]["suggestions"][0]["actions"][0]["resource"]
    assert order["encounter"] == {"reference": "Encounter/e-1"}
    values: tuple[Any, ...] = ("", 7, [], {}, "e 1", "Patient/e-1", "x" * 65)
    for value in values:
        body["context"]["encounterId"] = value
        dropped(server, body, "context.encounterId")
        order = server.call(body).json()["cards"][0]["suggestions"][0]["actions"][0]["resource"]
        assert "encounter" not in order


@pytest.mark.row("C5", "E1", "P7", "E6", "V2")
def test_what_is_new_disturbs_nothing(server: Server) -> None:
    body = request_for("dvt-likely")
    plain = server.call(body).json()["cards"][0]["summary"]
    extension = {"com.example.deep": {"a": [1, None, {"b": "c"}]}}
    body["extension"] = body["context"]["extension"] = extension
    body["context"]["encounterClass"] = {"new": True}
    body["version"] = "3.0.0"
    body["somethingNew"] = [1, 2, 3]
    body["prefetch"]["another-services-key"] = {"resourceType": "Bundle", "entry": "nonsense"}
    body["fhirServer"] = "https://ehr.example/fhir"
    body["fhirAuthorization"] = lent() | {"extension": extension, "scope": "patient/Observation.rs user/*.cruds"}
    answer = server.call(body)
    assert answer.status_code == 200
    assert answer.json()["cards"][0]["summary"] == plain
    assert response_extension(answer.json()) == {"unusedKeys": ["another-services-key"]}


OLD: dict[str, dict[str, Any]] = {
    "user in place of the context's userId": {
        "user": "Practitioner/a",
        "patient": "p1",
        "context": {"patientId": "p1"},
    },
    "context a list of resources": {"context": [{"resourceType": "Patient", "id": "p1"}]},
    "preOperation": {"hook": "patient-view", "operation": "x"},
}


@pytest.mark.row("Q12", "V8")
@pytest.mark.parametrize("what", sorted(OLD))
def test_requests_of_versions_before_one_are_refused_clearly(server: Server, what: str) -> None:
    answer = server.call({"hook": "patient-view", "hookInstance": str(uuid4()), **OLD[what]})
    assert answer.status_code == 400
    assert is_outcome(answer)


@pytest.mark.row("P13")
def test_prefetch_as_it_was_before_one_is_never_taken_for_empty(server: Server) -> None:
    """Then each value was wrapped with the status of its own response."""
    body = request_for("dvt-likely")
    body["prefetch"] = {
        key: {"response": {"status": "200 OK"}, "resource": value} for key, value in body["prefetch"].items()
    }
    answer = server.call(body)
    assert answer.status_code == 412
    assert is_outcome(answer)


@pytest.mark.row("E6", "C3")
def test_a_request_of_version_one(server: Server) -> None:
    """1.0 and 1.1 clients send the same fields, without encounter or version."""
    body = {key: value for key, value in request_for("dvt-likely").items()
            if key in ("hook", "hookInstance", "context", "prefetch")}  # fmt: skip
    assert server.call(body).json()["cards"][0]["indicator"] == "critical"


NOISE = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]), st.just({}), st.just([[]]),
                  st.just({"resourceType": "OperationOutcome"}), st.just({"resourceType": 7}))  # fmt: skip


@given(seed=st.integers(0, 10**9), values=st.lists(NOISE, min_size=1, max_size=4))
@settings(max_examples=800 if LONG else 40)
def test_no_request_is_a_fault(server: Server, seed: int, values: list[Any]) -> None:
    """Something else at random places of a request: an answer with cards, or an OperationOutcome, and never 5xx."""
    chance = random.Random(seed)
    body = copy.deepcopy(request_for("dvt-likely"))
    for value in values:
        node: Any = body
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = chance.choice(keys)
            if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.8:
                node = node[key]
                continue
            node[key] = copy.deepcopy(value)
            break
    answer = server.call(body)
    assert answer.status_code in (200, 400, 412), (answer.status_code, body)
    assert isinstance(answer.json()["cards"], list) if answer.status_code == 200 else is_outcome(answer)


@pytest.mark.row("H6", "H7", "H8")
def test_the_address_is_exact(server: Server) -> None:
    own = "/cds-services/posterior-knee-pain"
    for path in ("/cds-services/", f"{own}/", "//cds-services", own.title(), "/CDS-services", f"{own}/feedback/"):
        url = server.url + path
        for answer in (requests.get(url, timeout=10), requests.post(url, json={}, timeout=10)):
            assert answer.status_code in (404, 405), path
            assert is_outcome(answer)
            assert not answer.history

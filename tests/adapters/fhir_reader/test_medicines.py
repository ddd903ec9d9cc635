"""A Medication that did not come along is read from the EHR's FHIR server: in the same time, from no other server."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.adapters.fhir_reader.medicines import MAX_MEDICINES
from cds_service.base.settings import Settings
from tests import fhir_server as fhir
from tests.charts import RXNORM, days_ago, named, patient
from tests.clinical.reading.test_medicine_identity import CLOSED, UNLISTED, said
from tests.conftest import Server, run_server
from tests.fhir_server import FhirServer
from tests.web.test_fhir_access import TOKEN, lent
from tests.web.test_hook import request_for

APIXABAN = said(RXNORM, "1364447", "Eliquis 5 MG Oral Tablet")
LISINOPRIL = said(RXNORM, "314076", "lisinopril 10 MG Oral Tablet")
DEADLINE_MS = 400


@pytest.fixture(scope="module")
def ehr() -> Iterator[FhirServer]:
    with fhir.running() as running:
        yield running


@pytest.fixture(scope="module")
def reading(ehr: FhirServer) -> Iterator[Server]:
    yield from run_server(Settings(fhir_servers=(ehr.url,), fhir_deadline_ms=DEADLINE_MS))


@pytest.fixture(autouse=True)
def afresh(ehr: FhirServer) -> None:
    ehr.behaviours.clear()
    ehr.asked.clear()
    ehr.prefetch = {}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def prescribed(reference: str, **fields: Any) -> dict[str, Any]:
    base = {"status": "active", "intent": "order", "authoredOn": days_ago(5)}
    return named("MedicationRequest", **{**base, **fields}, medicationReference={"reference": reference})


def call_with(ehr: FhirServer, *medicines: dict[str, Any]) -> dict[str, Any]:
    """A chart in which a D-dimer closes the suspicion unless an anticoagulant may be taken."""
    body = copy.deepcopy(request_for("dvt-likely"))
    body["context"]["patientId"] = "p"
    body["fhirServer"], body["fhirAuthorization"] = ehr.url, lent()
    body["prefetch"] = {
        "patient": patient(),
        "observations": bundle(*CLOSED),
        **{key: bundle() for key in ("conditions", "procedures", "orders")},
        "medications": bundle(*medicines),
    }
    return body


def serve(ehr: FhirServer, identity: str, code: dict[str, Any]) -> None:
    found = {"resourceType": "Medication", "id": identity, "code": code}
    ehr.behaviours[f"/fhir/Medication/{identity}"] = fhir.body(found)


def is_urgent(server: Server, body: dict[str, Any]) -> bool:
    cards = server.call(body).json()["cards"]
    return any(card["indicator"] in ("critical", "warning") for card in cards)


def text_of(server: Server, body: dict[str, Any]) -> str:
    return str(server.call(body).json())


def paths(ehr: FhirServer) -> list[str]:
    return [one.path for one in ehr.asked]


def test_what_is_read_decides(reading: Server, ehr: FhirServer) -> None:
    serve(ehr, "m1", LISINOPRIL)
    assert not is_urgent(reading, call_with(ehr, prescribed("Medication/m1")))
    serve(ehr, "m1", APIXABAN)
    assert is_urgent(reading, call_with(ehr, prescribed("Medication/m1")))
    assert "Not read" not in text_of(reading, call_with(ehr, prescribed("Medication/m1")))
    assert set(paths(ehr)) == {"/fhir/Medication/m1"}
    assert ehr.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "reference", ["Medication/m1/_history/2", "{base}/Medication/m1", "{base}/Medication/m1/_history/3"]
)
def test_other_ways_to_refer(reading: Server, ehr: FhirServer, reference: str) -> None:
    serve(ehr, "m1", LISINOPRIL)
    assert not is_urgent(reading, call_with(ehr, prescribed(reference.format(base=ehr.url))))
    assert paths(ehr) == ["/fhir/Medication/m1"]


@pytest.mark.parametrize(
    "reference",
    [
        "https://elsewhere.example/fhir/Medication/m1",
        "Medication/../Patient/q",
        "Medication/m1?x=1",
        "Medication/a b",
        "Medication/",
        "Substance/m1",
        "m1",
        "#m1",
        "urn:uuid:6c1e4d4c-5f1b-4a7e-8a59-2f0c3a1d9b11",
    ],
)
def test_nothing_else_is_asked_for(reading: Server, ehr: FhirServer, reference: str) -> None:
    serve(ehr, "m1", LISINOPRIL)
    assert is_urgent(reading, call_with(ehr, prescribed(reference)))
    assert paths(ehr) == []


@pytest.mark.parametrize(
    "behaviour",
    [
        fhir.raw(404, b"{}"),
        fhir.raw(403, b"{}"),
        fhir.body(fhir.outcome()),
        fhir.body({"resourceType": "Medication", "id": "another", "code": LISINOPRIL}),
        fhir.body({"resourceType": "Substance", "id": "m1", "code": LISINOPRIL}),
        fhir.body([]),
        fhir.raw(200, b"no json"),
        fhir.body({"resourceType": "Medication", "id": "m1", "code": said(RXNORM, UNLISTED)}),
    ],
)
def test_what_does_not_come_stays_unknown(reading: Server, ehr: FhirServer, behaviour: fhir.Behaviour) -> None:
    """It is named, and a D-dimer does not close."""
    ehr.behaviours["/fhir/Medication/m1"] = behaviour
    body = call_with(ehr, prescribed("Medication/m1"))
    assert is_urgent(reading, body)
    assert "Not read: 1 medicine" in text_of(reading, body)


def test_a_slow_server_costs_no_more_than_the_deadline(reading: Server, ehr: FhirServer) -> None:
    ehr.behaviours["/fhir/Medication/slow"] = fhir.drips
    serve(ehr, "m1", LISINOPRIL)
    body = call_with(ehr, prescribed("Medication/slow"), prescribed("Medication/m1"))
    began = time.monotonic()
    assert "Not read: 1 medicine" in text_of(reading, body)
    assert time.monotonic() - began < 3 * DEADLINE_MS / 1000


def test_each_is_read_once_and_those_that_count(reading: Server, ehr: FhirServer) -> None:
    serve(ehr, "m1", LISINOPRIL)
    beside = {"resourceType": "Medication", "id": "here", "code": LISINOPRIL}
    body = call_with(
        ehr,
        prescribed("Medication/m1"),
        prescribed("Medication/m1"),
        prescribed("Medication/here"),
        prescribed("Medication/cancelled", status="cancelled"),
        prescribed("Medication/proposed", intent="proposal"),
    )
    body["prefetch"]["medications"]["entry"].append({"resource": beside, "search": {"mode": "include"}})
    assert not is_urgent(reading, body)
    assert paths(ehr) == ["/fhir/Medication/m1"]


def test_no_more_than_a_bound(reading: Server, ehr: FhirServer) -> None:
    many = [f"m{number}" for number in range(MAX_MEDICINES + 5)]
    for one in many:
        serve(ehr, one, LISINOPRIL)
    body = call_with(ehr, *(prescribed(f"Medication/{one}") for one in many))
    assert "Not read: 5 medicines" in text_of(reading, body)
    assert len(paths(ehr)) == MAX_MEDICINES


def test_what_the_server_brings_may_refer_to_more(reading: Server, ehr: FhirServer) -> None:
    ehr.prefetch = {"medications": bundle(prescribed("Medication/m1"))}
    serve(ehr, "m1", LISINOPRIL)
    body = call_with(ehr)
    del body["prefetch"]["medications"]
    assert not is_urgent(reading, body)
    assert sorted(paths(ehr)) == ["/fhir/Medication/m1", "/fhir/MedicationRequest", "/fhir/MedicationStatement"]


def test_a_server_that_may_not_be_read_is_not_asked(reading: Server, ehr: FhirServer) -> None:
    serve(ehr, "m1", LISINOPRIL)
    body = call_with(ehr, prescribed("Medication/m1"))
    for without in ({"fhirAuthorization": None}, {"fhirServer": "http://127.0.0.1:9/fhir"}):
        changed = {key: value for key, value in {**body, **without}.items() if value is not None}
        assert is_urgent(reading, changed)
    assert paths(ehr) == []


def test_a_medicine_alone_is_nothing_to_judge_by(reading: Server, ehr: FhirServer) -> None:
    """That Medications could be read does not make up for problems and observations that could not."""
    serve(ehr, "m1", LISINOPRIL)
    for key in ("observations", "conditions"):
        ehr.behaviours[key] = fhir.raw(500, b"{}")
    body = call_with(ehr, prescribed("Medication/m1"))
    for key in ("observations", "conditions"):
        del body["prefetch"][key]
    assert reading.call(body).status_code == 412

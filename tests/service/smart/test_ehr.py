"""What the order page asks of an EHR's server, against a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.adapters.http import Transport
from cds_service.adapters.http_terms import Terms
from cds_service.base.networks import Networks
from cds_service.service.smart.ehr import Ehr, EhrRefused
from cds_service.service.smart.launches import Launch
from tests import ehr as servers
from tests.ehr import Call, fails, hangs_up, running_ehr

MARK = [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:o-1"}]
ORDER: dict[str, Any] = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "subject": {"reference": "Patient/p"},
    "identifier": MARK,
}


@pytest.fixture
def server() -> Iterator[servers.Ehr]:
    with running_ehr() as running:
        running.tokens.add("token")
        yield running


@pytest.fixture
def ehr(server: servers.Ehr) -> Iterator[Ehr]:
    transport = Transport(Terms(size=2, per_call=5, ca_bundle=None, networks=Networks()))
    launch = Launch(
        client="north", iss=server.iss, verifier="", nonce="", token_url="", jwks_url="", issuer="", order="o-1",
        token="token", patient="p",
    )  # fmt: skip
    yield Ehr(transport, launch)
    transport.close()


def test_an_order_that_is_there_is_not_sent_also_to_a_server_that_knows_no_conditions(
    server: servers.Ehr, ehr: Ehr
) -> None:
    server.put({**ORDER, "id": "there"})
    placing = ehr.place(ORDER)
    assert (placing.outcome, placing.order) == ("placed", {"id": "there", "status": "active"})
    assert server.posts() == 0


def test_a_search_that_ignores_what_it_is_asked_for(server: servers.Ehr, ehr: Ehr) -> None:
    """Orders of others in the answer are not taken for ours."""
    others = [
        {**ORDER, "id": "1", "identifier": [{**MARK[0], "value": "urn:uuid:o-2"}]},
        {**ORDER, "id": "2", "subject": {"reference": "Patient/q"}},
        {**ORDER, "id": "3", "subject": {"reference": "Patient/xp"}},
        {**ORDER, "id": "4", "subject": "Patient/p"},
        {**ORDER, "id": 5},
    ]

    def everything(call: Call) -> None:
        call.answer(200, {"resourceType": "Bundle", "entry": [*({"resource": one} for one in others), None, {}]})

    server.faults["GET /fhir/ServiceRequest"] = everything
    assert ehr.find() is None


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (fails(401), "expired"),
        (fails(403), "forbidden"),
        (fails(429), "no_answer"),
        (fails(500), "no_answer"),
        (hangs_up, "no_answer"),
    ],
)
def test_reads_that_fail(server: servers.Ehr, ehr: Ehr, fault: Any, why: str) -> None:
    server.faults["GET /fhir/Patient/p"] = fault
    with pytest.raises(EhrRefused) as refused:
        ehr.patient()
    assert refused.value.why == why


def test_nothing_listens(ehr: Ehr, server: servers.Ehr) -> None:
    """What cannot have been sent is told from what may have been."""
    server.faults["POST /fhir/ServiceRequest"] = hangs_up
    server.faults["GET /fhir/ServiceRequest"] = fails(403)
    assert ehr.place(ORDER).outcome == "unsure"
    gone = Ehr(ehr.transport, Launch(**{**_fields(ehr.launch), "iss": "http://127.0.0.1:9/fhir"}))
    assert gone.place(ORDER).outcome == "not_sent"


def _fields(launch: Launch) -> dict[str, Any]:
    return {name: getattr(launch, name) for name in Launch.__dataclass_fields__}


@pytest.mark.parametrize("subject", [None, {"reference": "Patient/p"}, {"reference": "https://x/Patient/p"}, {}, "x"])
def test_encounters_that_fit(server: servers.Ehr, ehr: Ehr, subject: Any) -> None:
    server.put({"resourceType": "Encounter", "id": "e", "subject": subject})
    assert Ehr(ehr.transport, Launch(**{**_fields(ehr.launch), "encounter": "e"})).encounter_fits()

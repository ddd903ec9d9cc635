"""Connections: whose they are, and that none outlives its call."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.adapters.http_client import Client
from cds_service.adapters.http_terms import Deadline, Terms
from cds_service.base.networks import Networks
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from tests import fhir_server as fhir
from tests.web.test_fhir_access import lent
from tests.web.test_hook import request_for


def test_a_connection_given_back_is_not_cut_by_its_last_user() -> None:
    client = Client(Terms(networks=Networks(), size=5, per_call=2, ca_bundle=None))
    with fhir.running() as ehr:
        first = Deadline(time.monotonic() + 2)
        client.get(f"{ehr.url}/Observation?patient=x", None, first)
        first.cut()
        client.get(f"{ehr.url}/Observation?patient=x", None, Deadline(time.monotonic() + 2))
        assert ehr.connections == 1
    client.close()


def test_a_cut_read_takes_up_what_has_arrived() -> None:
    """Cut before its thread looked at the answer: what the socket holds still counts."""
    client = Client(Terms(networks=Networks(), size=5, per_call=2, ca_bundle=None))
    with fhir.running() as ehr:
        deadline = Deadline(time.monotonic() + 2)

        def answers_and_cuts(connection: socket.socket, asked: fhir.Asked) -> bool:
            fhir.body(fhir.empty())(connection, asked)
            time.sleep(0.05)
            deadline.cut()
            return True

        ehr.behaviours["observations"] = answers_and_cuts
        assert client.get(f"{ehr.url}/Observation?patient=x", None, deadline) == fhir.empty()
    client.close()


def test_a_call_that_is_given_up_leaves_no_read_behind() -> None:
    with fhir.running() as ehr:
        for key in fhir.KEYS.values():
            ehr.behaviours[key] = fhir.drips
        reader = FhirReader((ehr.url,), deadline=20)
        body = request_for("dvt-likely") | {"fhirServer": ehr.url, "fhirAuthorization": lent(), "prefetch": {}}
        request = HookRequest.model_validate(body)

        async def give_up() -> None:
            call = asyncio.create_task(reader.complete(request, gather({})))
            while len(ehr.asked) < len(gather({}).to_read) - 1:  # the call names no encounter
                await asyncio.sleep(0.01)
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call

        asyncio.run(give_up())
        end = time.monotonic() + 10
        while ehr.open:
            assert time.monotonic() < end, "a read goes on"
            time.sleep(0.02)
        reader.close()

"""AuditEvents: valid R4, what BALP asks for, and nothing that tells who the patient is."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from cds_service.adapters.audit import codes, events
from cds_service.adapters.audit.events import (
    Call,
    CardDisposition,
    DraftOrder,
    Event,
    Feedback,
    FhirRead,
    HookCall,
    Sender,
    SignedOrder,
)
from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.protocol.messages import Context
from cds_service.protocol.prefetch import KEYS
from cds_service.protocol.queries import WHOLE

NOON = datetime(2026, 3, 16, 12, 0, tzinfo=UTC)
SERVER = "https://ehr.north.example/fhir"
SERVICE = "https://cds.example"
CONTEXT = Context(userId="Practitioner/p1", patientId="patient-4711", encounterId="encounter-9")
KEYED = KeyedHash("k" * 16)
REQUESTER = KEYED.requester("north", SERVER, CONTEXT)
CALL = Call(
    NOON,
    SERVICE,
    Sender("north", "https://ehr.north.example/oauth", "192.0.2.7"),
    REQUESTER,
    KEYED.of("instance", "i-1"),
)
NOBODY = Call(NOON, SERVICE, Sender("default"))
VERSIONS = events.Versions("0.1.0", "2026.3", "uk_ng158")
CARDS = (CardDisposition("c-1", "RF01", "shown"), CardDisposition("c-2", "D01", "quiet"))


def read_of(key: str, why: str = "", call: Call = CALL) -> FhirRead:
    return FhirRead(call, SERVER, key, WHOLE.search(key).template, why)


ALL = {
    "hook call": events.hook_call(HookCall(CALL, 200, VERSIONS, CARDS)),
    "silent call": events.hook_call(HookCall(CALL, 200, VERSIONS)),
    "failed call": events.hook_call(HookCall(CALL, 412, VERSIONS, why="nothing_to_judge_by")),
    "malformed call": events.hook_call(HookCall(NOBODY, 400, VERSIONS)),
    "read": events.fhir_read(read_of("patient")),
    "search": events.fhir_read(read_of("observations")),
    "failed search": events.fhir_read(read_of("observations", "timeout")),
    "failed read": events.fhir_read(read_of("patient", "refused")),
    "read for nobody": events.fhir_read(read_of("patient", call=NOBODY)),
    "draft order": events.draft_order(DraftOrder(CALL, "c-1", "s-1", "venous_duplex")),
    "signed order": events.signed_order(SignedOrder(CALL, SERVER, "o-1", "dvt_referral", "placed")),
    "order not placed": events.signed_order(SignedOrder(CALL, SERVER, "o-1", "dvt_referral", "forbidden")),
    "uncertain order": events.signed_order(SignedOrder(CALL, SERVER, "o-1", "dvt_referral", "unsure")),
    "feedback": events.feedback(Feedback(NOBODY, "c-1", "overridden")),
    "lost": events.lost(NOON, 17, NOON - timedelta(minutes=1), NOON),
    "torn": events.torn(NOON, file="audit-1.ndjson.torn-1", size=12, digest="0" * 64),
}


def roles(event: Event) -> dict[str, Event]:
    return {agent["type"]["coding"][0]["code"]: agent for agent in event["agent"]}


def entities(event: Event, code: str) -> list[Event]:
    return [entity for entity in event["entity"] if entity["type"]["code"] == code]


def details(entity: Event) -> dict[str, str]:
    return {one["type"]: one["valueString"] for one in entity["detail"]}


@pytest.mark.parametrize("event", ALL.values(), ids=ALL)
def test_each_is_a_valid_audit_event(event: dict[str, Any]) -> None:
    AuditEvent.model_validate_json(orjson.dumps(event))


@pytest.mark.parametrize("event", ALL.values(), ids=ALL)
def test_none_tells_who_the_patient_is(event: dict[str, Any]) -> None:
    text = orjson.dumps(event).decode()
    text += "".join(b64decode(entity["query"]).decode() for entity in event["entity"] if "query" in entity)
    assert "4711" not in text
    assert "encounter-9" not in text


def test_every_code_is_written_as_its_source_has_it() -> None:
    """Read together, code and display, in IHE/ITI.BasicAudit's profiles and examples; ``operation`` in oops_fhir."""
    seen = {
        ("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "Restful Operation"),
        ("http://hl7.org/fhir/restful-interaction", "read", "read"),
        ("http://hl7.org/fhir/restful-interaction", "search-type", "search-type"),
        ("http://hl7.org/fhir/restful-interaction", "create", "create"),
        ("http://hl7.org/fhir/restful-interaction", "operation", "operation"),
        ("http://dicom.nema.org/resources/ontology/DCM", "110153", "Source Role ID"),
        ("http://dicom.nema.org/resources/ontology/DCM", "110152", "Destination Role ID"),
        ("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", "information recipient"),
        ("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server"),
        ("http://terminology.hl7.org/CodeSystem/audit-entity-type", "1", "Person"),
        ("http://terminology.hl7.org/CodeSystem/audit-entity-type", "2", "System Object"),
        ("http://terminology.hl7.org/CodeSystem/object-role", "1", "Patient"),
        ("http://terminology.hl7.org/CodeSystem/object-role", "3", "Report"),
        ("http://terminology.hl7.org/CodeSystem/object-role", "4", "Domain Resource"),
        ("http://terminology.hl7.org/CodeSystem/object-role", "24", "Query"),
    }

    def codings(value: Any) -> set[tuple[str, str, str]]:
        if isinstance(value, list):
            return set().union(*(codings(one) for one in value))
        if not isinstance(value, dict):
            return set()
        if {"system", "code"} <= set(value):
            return {(value["system"], value["code"], value["display"])}
        return set().union(*(codings(one) for one in value.values()))

    used = set().union(*(codings(event) for event in ALL.values()))
    assert {one for one in used if one[0] != codes.OWN} == seen


@pytest.mark.parametrize("key", [key for key in KEYS if key != "patient"])
def test_a_search_is_a_balp_patient_query(key: str) -> None:
    """BALP 1.1.4, Query and PatientQuery: what must be there, and what must not."""
    event = events.fhir_read(read_of(key))
    assert event["meta"]["profile"] == [
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientQuery"
    ]
    assert event["type"]["code"] == "rest"
    assert [one["code"] for one in event["subtype"]] == ["search-type"]  # one of search, search-type, search-system
    assert (event["action"], event["outcome"]) == ("E", "0")
    assert event["recorded"] == "2026-03-16T12:00:00.000Z"
    client, server, user = (roles(event)[role] for role in ("110153", "110152", "IRCP"))
    assert client["who"]["display"] == client["network"]["address"] == SERVICE  # who and network: 1..1
    assert server["who"]["display"] == server["network"]["address"] == SERVER
    assert user["who"] == {"reference": "Practitioner/p1"}
    assert user["requestor"] is True
    assert "network" not in user
    assert not any("media" in agent for agent in event["agent"])
    (asked,) = entities(event, "2")  # the slice goes by type, and takes one
    assert asked["role"]["code"] == "24"
    assert not {"what", "lifecycle", "detail"} & set(asked)
    assert b64decode(asked["query"]).decode().startswith(f"GET {SERVER}/")
    assert "?patient={{context.patientId}}" in b64decode(asked["query"]).decode()
    (patient,) = entities(event, "1")
    assert patient["role"]["code"] == "1"
    assert patient["what"] == {
        "type": "Patient",
        "identifier": {"system": codes.KEYED_HASH, "value": REQUESTER.patient_key},
    }
    assert event["source"]["observer"]["display"] == SERVICE


def test_a_query_too_long_for_an_address_is_kept_as_the_form_that_was_sent() -> None:
    codes_asked = ",".join(str(number) for number in range(1000, 2000))
    template = f"Observation?patient={{{{context.patientId}}}}&code={codes_asked}"
    event = events.fhir_read(FhirRead(CALL, SERVER, "observations_by_code", template))
    (asked,) = entities(event, "2")
    assert b64decode(asked["query"]).decode() == f"POST {SERVER}/Observation/_search\n\n{template.partition('?')[2]}"
    assert len(asked["description"]) < 200


def test_the_encounter_of_the_call_is_a_read() -> None:
    event = events.fhir_read(read_of("encounter"))
    assert [one["code"] for one in event["subtype"]] == ["read"]
    assert event["action"] == "R"
    assert "Encounter/{{context.encounterId}}" in entities(event, "2")[0]["description"]


def test_the_patient_alone_is_a_balp_patient_read() -> None:
    """BALP 1.1.4, Read and PatientRead: here the server is the source."""
    event = events.fhir_read(read_of("patient"))
    assert event["meta"]["profile"] == [
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"
    ]
    assert [one["code"] for one in event["subtype"]] == ["read"]
    assert (event["action"], event["outcome"]) == ("R", "0")
    client, server = (roles(event)[role] for role in ("110152", "110153"))
    assert client["network"]["address"] == SERVICE
    assert server["network"]["address"] == SERVER
    (data,) = entities(event, "2")
    assert data["role"]["code"] == "4"  # of RestObjectRoles: 3, 4, 20
    assert data["what"]["identifier"]["value"] == REQUESTER.patient_key
    (patient,) = entities(event, "1")
    assert patient["what"]["identifier"]["value"] == REQUESTER.patient_key


@pytest.mark.parametrize(("why", "outcome"), [("timeout", "8"), ("server_error", "8"), ("refused", "4")])
def test_a_failed_read_claims_no_profile(why: str, outcome: str) -> None:
    """The profiles are for what went well."""
    for key in ("patient", "observations"):
        event = events.fhir_read(read_of(key, why))
        assert "meta" not in event
        assert (event["outcome"], event["outcomeDesc"]) == (outcome, why)
    assert "meta" not in ALL["read for nobody"]


def test_a_hook_call_says_who_what_and_how_it_ended() -> None:
    event = ALL["hook call"]
    assert "meta" not in event
    assert [one["code"] for one in event["subtype"]] == ["operation", "hook-call"]
    ehr = roles(event)["110153"]
    assert ehr["who"]["identifier"] == {"system": "https://ehr.north.example/oauth", "value": "north"}
    assert ehr["network"] == {"address": "192.0.2.7", "type": "2"}
    assert roles(event)["110152"]["who"]["display"] == SERVICE
    assert roles(event)["IRCP"]["who"] == {"reference": "Practitioner/p1"}
    content, *cards = entities(event, "2")
    assert content["what"]["identifier"]["value"] == "2026.3"
    assert details(content) == {"service": "0.1.0", "pathway": "uk_ng158"}
    assert [(card["what"]["identifier"]["value"], details(card)) for card in cards] == [
        ("urn:uuid:c-1", {"rule": "RF01", "fate": "shown"}),
        ("urn:uuid:c-2", {"rule": "D01", "fate": "quiet"}),
    ]
    (instance,) = entities(event, "hook-instance")
    assert instance["what"]["identifier"]["value"] == CALL.instance_key


@pytest.mark.parametrize(("status", "outcome"), [(200, "0"), (400, "4"), (412, "4"), (500, "8"), (503, "8")])
def test_the_outcome_follows_the_status(status: int, outcome: str) -> None:
    for event in (
        events.hook_call(HookCall(CALL, status, VERSIONS)),
        events.feedback(Feedback(NOBODY, "c-1", "accepted", status)),
    ):
        assert event["outcome"] == outcome
        assert event["outcomeDesc"] == f"HTTP {status}"
    assert ALL["failed call"]["outcomeDesc"] == "HTTP 412: nothing_to_judge_by"


def test_a_user_who_is_no_professional_is_a_hash() -> None:
    patient = KEYED.requester("north", SERVER, CONTEXT.model_copy(update={"userId": "Patient/patient-4711"}))
    event = events.hook_call(HookCall(replace(CALL, requester=patient), 200, VERSIONS))
    who = roles(event)["IRCP"]["who"]
    assert who == {"identifier": {"system": codes.KEYED_HASH, "value": patient.user_key}}
    assert "4711" not in orjson.dumps(event).decode()


def test_who_is_not_known_is_left_out() -> None:
    event = ALL["malformed call"]
    assert "IRCP" not in roles(event)
    assert not entities(event, "1")
    assert roles(event)["110153"]["who"]["identifier"] == {"value": "default"}
    assert "network" not in roles(event)["110153"]


def test_a_draft_is_not_taken_for_an_order() -> None:
    event = ALL["draft order"]
    assert "meta" not in event
    assert event["action"] == "E"  # C is "such as placing an order"
    assert [one["code"] for one in event["subtype"]] == ["draft-order"]
    (draft,) = entities(event, "2")
    assert draft["what"]["type"] == "ServiceRequest"
    assert draft["description"].endswith("not placed")
    assert details(draft) == {"order": "venous_duplex", "card": "c-1"}
    assert entities(event, "1")


def test_feedback_names_card_and_outcome_only() -> None:
    (card,) = ALL["feedback"]["entity"]
    assert card["what"]["identifier"]["value"] == "urn:uuid:c-1"
    assert details(card) == {"outcome": "overridden"}
    assert ALL["feedback"]["subtype"][1]["code"] == "feedback"


def test_times_are_in_utc() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    event = events.hook_call(HookCall(replace(CALL, when=east), 200, VERSIONS))
    assert event["recorded"] == "2026-03-16T12:00:00.000Z"
    assert ALL["lost"]["period"] == {"start": "2026-03-16T11:59:00.000Z", "end": "2026-03-16T12:00:00.000Z"}
    assert details(ALL["lost"]["entity"][0]) == {"lost": "17"}


def test_a_signed_order_says_what_became_of_it() -> None:
    """Only a placed one is a success; one of which nobody knows is the worst."""
    outcomes = [ALL[name]["outcome"] for name in ("signed order", "order not placed", "uncertain order")]
    assert outcomes == [codes.SUCCESS, codes.MINOR_FAILURE, codes.SERIOUS_FAILURE]
    [order] = [one for one in entities(ALL["signed order"], "2") if "detail" in one]
    assert order["what"]["identifier"]["value"] == "urn:uuid:o-1"
    assert details(order) == {"order": "dvt_referral", "fate": "placed"}
    assert ALL["signed order"]["action"] == "C"

"""Builds FHIR R4 ``AuditEvent`` resources in the form of IHE's Basic Audit Log Patterns (BALP).

A successful FHIR read is a BALP PatientQuery or PatientRead and names the profile in ``meta.profile``. BALP has no
pattern for a hook call, a proposed draft or feedback: those use the same agents and entities but claim no profile.
Patients are always keyed hashes. BALP asks for the raw query; ours has the placeholder of the prefetch template in
place of the patient's id.
"""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cds_service.adapters.audit import codes
from cds_service.adapters.pseudonyms import Requester
from cds_service.protocol.queries import MAX_QUERY_LENGTH, PATIENT

Event = dict[str, Any]
_REFUSED = frozenset({"refused", "limited", "not_found", "not_allowed", "no_token", "token_of_another_patient"})


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a call.

    Attributes:
        client: its name in the clients file.
        issuer: issuer of its token, if it sent one.
        address: its IP address, if known.
    """

    client: str
    issuer: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call to this service.

    Attributes:
        service: public base URL of this service.
        requester: None if the call was too malformed to read it, and for feedback, which names no user.
        instance_key: keyed hash of the hookInstance.
    """

    when: datetime
    service: str
    sender: Sender
    requester: Requester | None = None
    instance_key: str | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of the service and content that made the response, and the pathway."""

    service: str
    content: str
    pathway: str


@dataclass(frozen=True, slots=True)
class CardDisposition:
    """A card and its disposition. ``disposition``: ``shown``, ``quiet``, ``reminder`` or ``silent``."""

    uuid: str
    rule: str
    disposition: str


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook call and its response. ``status``: of HTTP. ``why``: one of our codes if it failed, never free text."""

    call: Call
    status: int
    versions: Versions
    cards: Sequence[CardDisposition] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class FhirRead:
    """A prefetch key that was read from a FHIR server.

    Attributes:
        server: the configured base URL.
        key: the prefetch key.
        asked: the query template of the key.
        why: as in ``Part.why``.
    """

    call: Call
    server: str
    key: str
    asked: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """A suggestion with a draft ServiceRequest that was sent with a card. ``order``: key of our order."""

    call: Call
    card: str
    suggestion: str
    order: str


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order that a clinician signed on the order page.

    Attributes:
        server: base URL of the FHIR server that it was sent to.
        uuid: its identifier.
        order: key of our order.
        outcome: as in ``Placing.outcome``.
    """

    call: Call
    server: str
    uuid: str
    order: str
    outcome: str


@dataclass(frozen=True, slots=True)
class SavedAssessment:
    """A completed assessment that a clinician has saved in the chart. Its fields are as for orders."""

    call: Call
    server: str
    uuid: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback on one card. ``outcome``: ``accepted`` or ``overridden``. The comment is never included."""

    call: Call
    card: str
    outcome: str
    status: int = 200


def hook_call(hook: HookCall) -> Event:
    """Return the event of a hook call, with agents as in a BALP query: the EHR, this service and the user."""
    call = hook.call
    content = {
        "what": {"identifier": {"value": hook.versions.content}, "display": "clinical content"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "detail": _detail(service=hook.versions.service, pathway=hook.versions.pathway),
    }
    return _event(
        call,
        [codes.OPERATION, codes.HOOK_CALL],
        outcome=_outcome(hook.status),
        description=_status_words(hook.status, hook.why),
        agents=[_ehr(call, codes.SOURCE_ROLE), _us(call, codes.DESTINATION_ROLE), *_user(call)],
        entities=[content, *(_card(card.uuid, rule=card.rule, fate=card.disposition) for card in hook.cards)],
    )


def fhir_read(read: FhirRead) -> Event:
    """Return the event of a FHIR read: BALP PatientRead for a read by id, PatientQuery for a search."""
    call = read.call
    server = {"who": {"display": read.server}, "requestor": False, "network": _network(read.server)}
    if "?" not in read.asked:
        profile, subtype, action = codes.PATIENT_READ, codes.READ, codes.READ_ACTION
        ours, theirs = codes.DESTINATION_ROLE, codes.SOURCE_ROLE
        what = _patient(call) if read.key == PATIENT else {"display": "the encounter of the call"}
        entity: Event = {"what": what, "role": codes.DOMAIN_RESOURCE}
    else:
        # In a search the query is transferred, so BALP makes its sender the source.
        profile, subtype, action = codes.PATIENT_QUERY, codes.SEARCH_TYPE, codes.EXECUTE
        ours, theirs = codes.SOURCE_ROLE, codes.DESTINATION_ROLE
        entity = {"role": codes.QUERY, "query": b64encode(_http(read).encode()).decode()}
    event = _event(
        call,
        [subtype],
        action=action,
        outcome=_read_outcome(read.why),
        description=read.why,
        agents=[_us(call, ours), {"type": _concept(theirs), **server}, *_user(call)],
        entities=[{"type": codes.SYSTEM_OBJECT, **entity, "description": _in_short(read)}],
    )
    if not read.why and call.requester is not None:  # the profiles are for successful reads and require a patient
        event["meta"] = {"profile": [profile]}
    return event


def _http(read: FhirRead) -> str:
    """Return the HTTP request in the form that BALP asks for."""
    address, _, query = read.asked.partition("?")
    if len(query) > MAX_QUERY_LENGTH:
        return f"POST {read.server}/{address}/_search\n\n{query}"
    return f"GET {read.server}/{read.asked}"


def _in_short(read: FhirRead) -> str:
    asked = read.asked if len(read.asked) <= MAX_QUERY_LENGTH else f"{read.asked[:100]}..."
    return f"prefetch key {read.key}: {asked}"


def draft_order(proposed: DraftOrder) -> Event:
    """Return the event of a draft order. Like BALP PatientCreate, but without ``create``: no order was placed."""
    call = proposed.call
    draft = {
        "what": {
            "type": "ServiceRequest",
            "identifier": _uuid(proposed.suggestion),
            "display": "draft in a suggestion",
        },
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "description": "draft ServiceRequest, proposed with a card; not placed",
        "detail": _detail(order=proposed.order, card=proposed.card),
    }
    return _event(
        call,
        [codes.DRAFT_ORDER],
        agents=[_us(call, codes.SOURCE_ROLE), _ehr(call, codes.DESTINATION_ROLE), *_user(call)],
        entities=[draft],
    )


def signed_order(signed: SignedOrder) -> Event:
    """Return the event of a signed order, also of one that failed.

    Like BALP PatientCreate: this service is the source, the EHR's server the destination.
    """
    entity = {
        "what": {"type": "ServiceRequest", "identifier": _uuid(signed.uuid), "display": "signed order"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "detail": _detail(order=signed.order, fate=signed.outcome),
    }
    return _created(signed.call, signed.server, signed.outcome, codes.SIGNED_ORDER, entity)


def saved_assessment(saved: SavedAssessment) -> Event:
    """Return the event of a saved assessment, built as for a signed order. It does not contain the answers."""
    entity = {
        "what": {"type": "Observation", "identifier": _uuid(saved.uuid), "display": "saved assessment"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "detail": _detail(fate=saved.outcome),
    }
    return _created(saved.call, saved.server, saved.outcome, codes.SAVED_ASSESSMENT, entity)


def _created(call: Call, address: str, outcome: str, code: codes.Coding, entity: Event) -> Event:
    server = {"who": {"display": address}, "requestor": False, "network": _network(address)}
    coded = {"placed": codes.SUCCESS, "unsure": codes.SERIOUS_FAILURE}.get(outcome, codes.MINOR_FAILURE)
    return _event(
        call,
        [codes.CREATE, code],
        action=codes.CREATE_ACTION,
        outcome=coded,
        description="" if outcome == "placed" else outcome,
        agents=[_us(call, codes.SOURCE_ROLE), {"type": _concept(codes.DESTINATION_ROLE), **server}, *_user(call)],
        entities=[entity],
    )


def feedback(statement: Feedback) -> Event:
    """Return the event of feedback on a card."""
    call = statement.call
    return _event(
        call,
        [codes.OPERATION, codes.FEEDBACK],
        outcome=_outcome(statement.status),
        description=_status_words(statement.status, ""),
        agents=[_ehr(call, codes.SOURCE_ROLE), _us(call, codes.DESTINATION_ROLE)],
        entities=[_card(statement.card, outcome=statement.outcome)],
    )


def lost(when: datetime, count: int, since: datetime, until: datetime) -> Event:
    """Return the event that ``count`` events of the journal were lost."""
    return {
        **_of_journal(when, codes.LOST, codes.SERIOUS_FAILURE, _detail(lost=str(count))),
        "period": {"start": _instant(since), "end": _instant(until)},
    }


def torn(when: datetime, *, file: str, size: int, digest: str) -> Event:
    """Return the event that a crash left an incomplete line of ``size`` bytes, which was moved to ``file``."""
    detail = _detail(file=file, bytes=str(size), sha256=digest)
    return _of_journal(when, codes.TORN, codes.MINOR_FAILURE, detail)


def _of_journal(when: datetime, subtype: codes.Coding, outcome: str, detail: list[Event]) -> Event:
    journal = {"display": "audit journal"}
    return {
        "resourceType": "AuditEvent",
        "type": codes.JOURNAL,
        "subtype": [subtype],
        "action": codes.EXECUTE,
        "recorded": _instant(when),
        "outcome": outcome,
        "agent": [{"who": journal, "requestor": False}],
        "source": {"observer": journal, "type": [codes.APPLICATION_SERVER]},
        "entity": [{"what": journal, "type": codes.SYSTEM_OBJECT, "detail": detail}],
    }


def _event(
    call: Call,
    subtypes: Sequence[codes.Coding],
    *,
    agents: Sequence[Event],
    entities: Sequence[Event],
    action: str = codes.EXECUTE,
    outcome: str = codes.SUCCESS,
    description: str = "",
) -> Event:
    about: list[Event] = []
    if call.requester is not None:
        about.append({"what": _patient(call), "type": codes.PERSON, "role": codes.PATIENT})
    if call.instance_key is not None:
        about.append({"what": {"identifier": _hashed(call.instance_key)}, "type": codes.INSTANCE})
    event: Event = {
        "resourceType": "AuditEvent",
        "type": codes.REST,
        "subtype": list(subtypes),
        "action": action,
        "recorded": _instant(call.when),
        "outcome": outcome,
        "agent": list(agents),
        "source": {"observer": {"display": call.service}, "type": [codes.APPLICATION_SERVER]},
        "entity": [*about, *entities],
    }
    return {**event, "outcomeDesc": description} if description else event


def _us(call: Call, role: codes.Coding) -> Event:
    who = {"display": call.service}
    return {"type": _concept(role), "who": who, "requestor": False, "network": _network(call.service)}


def _ehr(call: Call, role: codes.Coding) -> Event:
    sender = call.sender
    named = {"value": sender.client} | ({"system": sender.issuer} if sender.issuer else {})
    agent = {"type": _concept(role), "who": {"identifier": named, "display": sender.client}, "requestor": False}
    return agent if sender.address is None else {**agent, "network": _network(sender.address)}


def _user(call: Call) -> list[Event]:
    if call.requester is None:
        return []
    user = call.requester.user
    who: Event = {"reference": user} if "/" in user else {"identifier": _hashed(user)}
    return [{"type": _concept(codes.RECIPIENT), "who": who, "requestor": True}]


def _patient(call: Call) -> Event:
    if call.requester is None:
        return {"type": "Patient", "display": "not known"}
    return {"type": "Patient", "identifier": _hashed(call.requester.patient_key)}


def _card(uuid: str, **detail: str) -> Event:
    what = {"identifier": _uuid(uuid), "display": "card"}
    return {"what": what, "type": codes.SYSTEM_OBJECT, "role": codes.REPORT, "detail": _detail(**detail)}


def _hashed(value: str) -> Event:
    return {"system": codes.KEYED_HASH, "value": value}


def _uuid(value: str) -> Event:
    return {"system": codes.URIS, "value": f"urn:uuid:{value}"}


def _concept(coding: codes.Coding) -> Event:
    return {"coding": [coding]}


def _detail(**pairs: str) -> list[Event]:
    return [{"type": name, "valueString": value} for name, value in pairs.items()]


def _network(address: str) -> Event:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return {"address": address, "type": codes.URI_ADDRESS}
    return {"address": address, "type": codes.IP_ADDRESS}


def _instant(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _outcome(status: int) -> str:
    if status < 400:
        return codes.SUCCESS
    return codes.MINOR_FAILURE if status < 500 else codes.SERIOUS_FAILURE


def _status_words(status: int, why: str) -> str:
    return f"HTTP {status}" + (f": {why}" if why else "")


def _read_outcome(why: str) -> str:
    if not why:
        return codes.SUCCESS
    return codes.MINOR_FAILURE if why in _REFUSED else codes.SERIOUS_FAILURE

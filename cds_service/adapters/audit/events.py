"""What happened, as FHIR R4 ``AuditEvent`` resources in the shape of IHE's Basic Audit Log Patterns (BALP).

A FHIR read that went well is a BALP PatientQuery or PatientRead and says so in ``meta.profile``. BALP has no pattern
for a hook call, a draft that is only proposed, or feedback: those follow its agents and entities and claim no profile.
Patients are keyed hashes everywhere. Where BALP wants the raw query, ours has the placeholder of the prefetch template
in place of the patient's id.
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
from cds_service.protocol.queries import LONGEST_ADDRESS, PATIENT

Event = dict[str, Any]
_REFUSED = frozenset({"refused", "limited", "not_found", "not_allowed", "no_token", "token_of_another_patient"})


@dataclass(frozen=True, slots=True)
class Sender:
    """Who called. ``client``: its name in the clients file. ``issuer``: of its token. ``address``: IP, if known."""

    client: str
    issuer: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call to this service.

    Attributes:
        service: public base URL of this service.
        requester: None where the call was too malformed to tell, and for feedback, which names nobody.
        instance_key: keyed hash of the hookInstance.
    """

    when: datetime
    service: str
    sender: Sender
    requester: Requester | None = None
    instance_key: str | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """What the answer was made with."""

    service: str
    content: str
    pathway: str


@dataclass(frozen=True, slots=True)
class CardDisposition:
    """A card and what became of it: ``shown``, ``quiet``, ``reminder`` or ``silent``."""

    uuid: str
    rule: str
    fate: str


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook call that was answered. ``status``: HTTP. ``why``: a short code of our own if it failed, never a text."""

    call: Call
    status: int
    versions: Versions
    cards: Sequence[CardDisposition] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class FhirRead:
    """A prefetch key read from a FHIR server. ``server``: its configured base URL.

    ``asked``: the template of the key. ``why``: as in ``Part.why``.
    """

    call: Call
    server: str
    key: str
    asked: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """A suggestion with a draft ServiceRequest that went out with a card. ``order``: our name of it."""

    call: Call
    card: str
    suggestion: str
    order: str


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order that a clinician has signed on the order page. ``server``: where it was sent. ``fate``: as in
    ``Placing.fate``. ``uuid``: its identifier."""

    call: Call
    server: str
    uuid: str
    order: str
    fate: str


@dataclass(frozen=True, slots=True)
class SavedAssessment:
    """A completed assessment that a clinician has saved in the chart. ``server``, ``fate``, ``uuid``: as for orders."""

    call: Call
    server: str
    uuid: str
    fate: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """One statement on a card. ``outcome``: ``accepted`` or ``overridden``; the comment is never part of it."""

    call: Call
    card: str
    outcome: str
    status: int = 200


def hook_call(one: HookCall) -> Event:
    """Agents as in a BALP query: the EHR asks, this service answers, the user receives."""
    call = one.call
    content = {
        "what": {"identifier": {"value": one.versions.content}, "display": "clinical content"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "detail": _detail(service=one.versions.service, pathway=one.versions.pathway),
    }
    return _event(
        call,
        [codes.OPERATION, codes.HOOK_CALL],
        outcome=_outcome(one.status),
        said=_said(one.status, one.why),
        agents=[_ehr(call, codes.SOURCE_ROLE), _us(call, codes.DESTINATION_ROLE), *_user(call)],
        entities=[content, *(_card(card.uuid, rule=card.rule, fate=card.fate) for card in one.cards)],
    )


def fhir_read(one: FhirRead) -> Event:
    """BALP PatientRead for what is read by its id, PatientQuery for what is searched."""
    call = one.call
    server = {"who": {"display": one.server}, "requestor": False, "network": _network(one.server)}
    if "?" not in one.asked:
        profile, subtype, action = codes.PATIENT_READ, codes.READ, codes.READ_ACTION
        ours, theirs = codes.DESTINATION_ROLE, codes.SOURCE_ROLE
        what = _patient(call) if one.key == PATIENT else {"display": "the encounter of the call"}
        entity: Event = {"what": what, "role": codes.DOMAIN_RESOURCE}
    else:
        # In a search the query is what flows: BALP has its sender as the source.
        profile, subtype, action = codes.PATIENT_QUERY, codes.SEARCH_TYPE, codes.EXECUTE
        ours, theirs = codes.SOURCE_ROLE, codes.DESTINATION_ROLE
        entity = {"role": codes.QUERY, "query": b64encode(_http(one).encode()).decode()}
    event = _event(
        call,
        [subtype],
        action=action,
        outcome=_read_outcome(one.why),
        said=one.why,
        agents=[_us(call, ours), {"type": _concept(theirs), **server}, *_user(call)],
        entities=[{"type": codes.SYSTEM_OBJECT, **entity, "description": _in_short(one)}],
    )
    if not one.why and call.requester is not None:  # the profiles are for what went well, and ask for a patient
        event["meta"] = {"profile": [profile]}
    return event


def _http(one: FhirRead) -> str:
    """The request, in the words of BALP."""
    address, _, query = one.asked.partition("?")
    if len(query) > LONGEST_ADDRESS:
        return f"POST {one.server}/{address}/_search\n\n{query}"
    return f"GET {one.server}/{one.asked}"


def _in_short(one: FhirRead) -> str:
    asked = one.asked if len(one.asked) <= LONGEST_ADDRESS else f"{one.asked[:100]}..."
    return f"prefetch key {one.key}: {asked}"


def draft_order(one: DraftOrder) -> Event:
    """As BALP PatientCreate, but for its ``create``: nothing was placed, and no search for creates may find it."""
    call = one.call
    draft = {
        "what": {"type": "ServiceRequest", "identifier": _uuid(one.suggestion), "display": "draft in a suggestion"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "description": "draft ServiceRequest, proposed with a card; not placed",
        "detail": _detail(order=one.order, card=one.card),
    }
    return _event(
        call,
        [codes.DRAFT_ORDER],
        agents=[_us(call, codes.SOURCE_ROLE), _ehr(call, codes.DESTINATION_ROLE), *_user(call)],
        entities=[draft],
    )


def signed_order(one: SignedOrder) -> Event:
    """As BALP PatientCreate: this service is the source, the EHR's server the destination. Also when it failed."""
    entity = {
        "what": {"type": "ServiceRequest", "identifier": _uuid(one.uuid), "display": "signed order"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "detail": _detail(order=one.order, fate=one.fate),
    }
    return _created(one.call, one.server, one.fate, codes.SIGNED_ORDER, entity)


def saved_assessment(one: SavedAssessment) -> Event:
    """As for a signed order; what was answered is in the EHR and not here."""
    entity = {
        "what": {"type": "Observation", "identifier": _uuid(one.uuid), "display": "saved assessment"},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.DOMAIN_RESOURCE,
        "detail": _detail(fate=one.fate),
    }
    return _created(one.call, one.server, one.fate, codes.SAVED_ASSESSMENT, entity)


def _created(call: Call, address: str, fate: str, code: codes.Coding, entity: Event) -> Event:
    server = {"who": {"display": address}, "requestor": False, "network": _network(address)}
    outcome = {"placed": codes.SUCCESS, "unsure": codes.SERIOUS_FAILURE}.get(fate, codes.MINOR_FAILURE)
    return _event(
        call,
        [codes.CREATE, code],
        action=codes.CREATE_ACTION,
        outcome=outcome,
        said="" if fate == "placed" else fate,
        agents=[_us(call, codes.SOURCE_ROLE), {"type": _concept(codes.DESTINATION_ROLE), **server}, *_user(call)],
        entities=[entity],
    )


def feedback(one: Feedback) -> Event:
    """What the EHR told us about a card."""
    call = one.call
    return _event(
        call,
        [codes.OPERATION, codes.FEEDBACK],
        outcome=_outcome(one.status),
        said=_said(one.status, ""),
        agents=[_ehr(call, codes.SOURCE_ROLE), _us(call, codes.DESTINATION_ROLE)],
        entities=[_card(one.card, outcome=one.outcome)],
    )


def lost(when: datetime, count: int, since: datetime, until: datetime) -> Event:
    """The journal itself: ``count`` events could not be kept."""
    return {
        **_of_journal(when, codes.LOST, codes.SERIOUS_FAILURE, _detail(lost=str(count))),
        "period": {"start": _instant(since), "end": _instant(until)},
    }


def torn(when: datetime, *, file: str, size: int, digest: str) -> Event:
    """The journal itself: a crash left ``size`` bytes at the end that are no whole line; they are in ``file`` now."""
    found = _detail(file=file, bytes=str(size), sha256=digest)
    return _of_journal(when, codes.TORN, codes.MINOR_FAILURE, found)


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
    said: str = "",
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
    return {**event, "outcomeDesc": said} if said else event


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


def _card(uuid: str, **said: str) -> Event:
    what = {"identifier": _uuid(uuid), "display": "card"}
    return {"what": what, "type": codes.SYSTEM_OBJECT, "role": codes.REPORT, "detail": _detail(**said)}


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


def _said(status: int, why: str) -> str:
    return f"HTTP {status}" + (f": {why}" if why else "")


def _read_outcome(why: str) -> str:
    if not why:
        return codes.SUCCESS
    return codes.MINOR_FAILURE if why in _REFUSED else codes.SERIOUS_FAILURE

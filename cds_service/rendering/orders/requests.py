"""Builds ServiceRequests from an order template, a leg and the facts behind the order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from cds_service.base.errors import ContentError, Problem
from cds_service.clinical.assessment import LegAssessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import URI
from cds_service.clinical.content.models import OrderCode, OrderTemplate, Priority
from cds_service.clinical.content.names import DVT, PULMONARY_EMBOLISM, SUSPECTED_DVT
from cds_service.clinical.record import Fact, PlacedOrder, Side, Status
from cds_service.protocol.messages import Coding, Context
from cds_service.rendering.call import Call
from cds_service.rendering.card import Link, Suggestion
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.valid import check_order
from cds_service.rendering.wording import Wording, capital

SITE_OF_LEG = {
    Side.LEFT: ("32153003", "Structure of left lower limb"),
    Side.RIGHT: ("62175007", "Structure of right lower limb"),
}
_SOURCE = re.compile(r"(Observation|Condition|Procedure|MedicationRequest|MedicationStatement)/[A-Za-z0-9\-.]{1,64}")
_PLACER = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}
_AS_REASON = ("Observation", "Condition")
_MAX_REFERENCES = 12
_WHO_ORDERS = ("Practitioner/", "PractitionerRole/")
"""Users who may place orders. Patients and relatives may open a chart too, but cannot order."""


@dataclass(frozen=True, slots=True)
class OrderReason:
    """Why an order is drafted.

    Attributes:
        cause: key of the suspected cause.
        words: the reason in a few words.
        facts: the facts behind it.
        note: the facts in our words, without text of the chart and without the leg.
    """

    cause: str
    words: str
    facts: tuple[Fact, ...]
    note: str
    priority: Priority


def suggest(call: Call, key: str, side: Side, reason: OrderReason) -> Suggestion:
    """Return a button that creates the draft order ``key`` for one leg."""
    content = call.content
    template, texts = content.orders[key], content.texts.order
    label, sided = with_side(content, template, template.button, side), side.value if template.sided else ""
    if call.only_words:
        return Suggestion(label=label, uuid="", order=key, side=sided, description="", resource={})
    resource = draft(content, key, side, reason, call.context, call.assessment.today)
    title = with_side(content, template, template.title, side)
    description = texts.describe.fill(title=title, reason=reason.words, tells=template.tells)
    return Suggestion(label=label, uuid=str(uuid4()), order=key, side=sided, description=description, resource=resource)


def with_side(content: Content, template: OrderTemplate, title: str, side: Side) -> str:
    """Return ``title``, with the leg if the order is for one leg."""
    if not template.sided:
        return title
    return content.texts.order.with_side.fill(title=title, side=Wording(content, date.min).side(side))


def check_templates(content: Content) -> None:
    """Draft and validate every order for every leg and cause, so that the service does not start with a bad template.

    Raises:
        ContentError: a draft is not a valid ServiceRequest.
    """
    context = Context(userId="Practitioner/check", patientId="check", encounterId="check")
    fact = Fact(next(iter(content.findings)), Status.PRESENT, Side.LEFT, None, None, "Observation/check")
    cases = [(key, DVT, side) for key in content.orders for side in (Side.LEFT, Side.RIGHT, Side.UNKNOWN)]
    cases += [(next(iter(content.orders)), cause, Side.UNKNOWN) for cause in content.causes]
    problems = []
    for key, cause, side in cases:
        reason = OrderReason(cause, "check", (fact,), "check", "urgent")
        try:
            check_order(draft(content, key, side, reason, context, date(2026, 1, 1)))
        except ValidationError as error:
            wrong = "; ".join(str(mistake["msg"]) for mistake in error.errors())
            problems.append(Problem(f"orders/{key}.toml", cause, f"does not make a valid ServiceRequest: {wrong}"))
    if problems:
        raise ContentError(tuple(problems))


def draft(content: Content, key: str, side: Side, reason: OrderReason, context: Context, today: date) -> dict[str, Any]:
    """Return a ServiceRequest with status draft and intent proposal: only the clinician can make it an order."""
    template = content.orders[key]
    resource: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "priority": reason.priority,
        "category": [{"coding": [_coding(template.category)]}],
        "code": _code(content, template, side),
        "subject": {"reference": f"Patient/{context.patientId}"},
        "authoredOn": today.isoformat(),
        "occurrencePeriod": _when(template, reason, today),
        "reasonCode": [_reason_code(content, reason)],
        "note": [{"text": f"{template.question} {_note(content, side, reason)}"}],
    }
    if context.userId.startswith(_WHO_ORDERS):
        resource["requester"] = {"reference": context.userId}
    if context.encounterId:
        resource["encounter"] = {"reference": f"Encounter/{context.encounterId}"}
    if template.sided and (sites := _sites(side)):
        resource["bodySite"] = sites
    return resource | _references(references(reason.facts))


def _when(template: OrderTemplate, reason: OrderReason, today: date) -> dict[str, str]:
    """Return the period of the order: it starts today, and ends unless the order is routine."""
    if reason.priority == "routine" and not template.same_day:
        return {"start": today.isoformat()}
    in_two_weeks = reason.priority == "urgent" and not template.same_day
    until = today + timedelta(days=14 if in_two_weeks else 1)
    return {"start": today.isoformat(), "end": until.isoformat()}


def _note(content: Content, side: Side, reason: OrderReason) -> str:
    """Return the note with the leg in front, also for a service that is not for one leg."""
    return content.texts.order.side_and_note.fill(side=Wording(content, date.min).side(side), note=reason.note)


def signed_order(
    content: Content,
    key: str,
    side: Side,
    signed: OrderDraft,
    context: Context,
    own_code: Coding | None,
    order: str,
    now: datetime,
) -> dict[str, Any]:
    """Return the ServiceRequest that a clinician has signed.

    ``signed.note``: the whole text of the order. ``context``: the patient and the user who signs. ``own_code``: the
    site's code for the service. ``order``: the uuid of the order, which makes repeated sending harmless.

    Raises:
        ValueError: the result is not valid FHIR.
    """
    reason = OrderReason(signed.cause, signed.words, (), signed.note, signed.priority)
    resource = draft(content, key, side, reason, context, now.date())
    resource |= {
        "status": "active",
        "intent": "order",
        "identifier": [{"type": {"coding": [_PLACER]}, "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{order}"}],
        "authoredOn": now.isoformat(timespec="seconds"),
        "requester": {"reference": context.userId},
        "note": [{"text": signed.note}],
        **_references(signed.references),
    }
    if own_code is not None:
        code = resource["code"]
        resource["code"] = {**code, "coding": [own_code.model_dump(), *code["coding"]]}
    check_order(resource)
    return resource


def _sites(side: Side) -> list[dict[str, Any]]:
    legs = (Side.LEFT, Side.RIGHT) if side is Side.BOTH else (side,)
    found = [SITE_OF_LEG[leg] for leg in legs if leg in SITE_OF_LEG]
    return [{"coding": [{"system": URI["snomed"], "code": code, "display": display}]} for code, display in found]


def _code(content: Content, template: OrderTemplate, side: Side) -> dict[str, Any]:
    sided = {Side.LEFT: template.left, Side.RIGHT: template.right}.get(side)
    text = with_side(content, template, template.title, side)
    return {"coding": [_coding(sided or template.code)], "text": text}


def _coding(code: OrderCode) -> dict[str, str]:
    return {"system": URI[code.system], "code": code.code, "display": code.display}


def _reason_code(content: Content, reason: OrderReason) -> dict[str, Any]:
    concept: dict[str, Any] = {"text": reason.words}
    if not reason.cause:
        return concept
    entries = content.findings[SUSPECTED_DVT].codes if reason.cause == DVT else content.causes[reason.cause].codes
    snomed = (entry for entry in entries if entry.system == "snomed")
    exact = next((entry for entry in snomed if entry.relation == "exact" and entry.side is None), None)
    if exact:
        concept["coding"] = [{"system": URI[exact.system], "code": exact.code, "display": exact.display}]
    return concept


def _references(known: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """Split references: Observations and Conditions are reasons, others supporting information. Omit empty lists."""
    reasons = [{"reference": name} for name in known if name.startswith(_AS_REASON)]
    supporting = [{"reference": name} for name in known if not name.startswith(_AS_REASON)]
    both = {"reasonReference": reasons, "supportingInfo": supporting}
    return {name: listed for name, listed in both.items() if listed}


def already_placed(
    content: Content, key: str, leg: LegAssessment, cause: str, today: date, newest: date | None
) -> PlacedOrder | None:
    """Return an existing order of the same service for the same leg; None if there is none.

    A completed order counts for a month, and only if it was placed on or after the day of the newest fact. An order
    for another leg or without a leg does not count. A service with many purposes counts only with our reason.
    """
    template = content.orders[key]
    for placed in leg.orders:
        if placed.order != key or not _same_leg(template, placed, leg.side):
            continue
        if template.needs_reason and not _same_reason(cause, placed):
            continue
        if placed.completed and not _still_answers(content, placed, today, newest):
            continue
        if template.same_day and not _is_of_these_days(content, placed, today):
            continue
        return placed
    return None


def _same_reason(cause: str, placed: PlacedOrder) -> bool:
    suspects_dvt = cause in (DVT, PULMONARY_EMBOLISM) and SUSPECTED_DVT in placed.reasons
    return cause in placed.reasons or suspects_dvt


def _is_of_these_days(content: Content, placed: PlacedOrder, today: date) -> bool:
    """Return whether a same-day order is recent. One that has been active for weeks was probably forgotten."""
    return placed.when is not None and (today - placed.when.day).days <= content.pathway.test_valid.days


def _same_leg(template: OrderTemplate, placed: PlacedOrder, side: Side) -> bool:
    if not template.sided or side is Side.UNKNOWN:
        return True
    # A referral for suspected DVT rarely names the leg, but its reason names the problem.
    return placed.side in (side, Side.BOTH) or (template.needs_reason and placed.side is Side.UNKNOWN)


def _still_answers(content: Content, placed: PlacedOrder, today: date, newest: date | None) -> bool:
    if placed.when is None:
        return False
    recent = (today - placed.when.day).days <= content.reasoning.order_valid.days
    return recent and (newest is None or placed.when.day >= newest)


def placed_sentence(wording: Wording, placed: Iterable[PlacedOrder], *, active_only: bool = False) -> str:
    """Return the existing orders as a sentence; empty if there are none. ``active_only``: leave out completed ones."""
    words = [placed_words(wording, order) for order in placed if order.active or not active_only]
    return capital("; ".join(words)) + "." if words else ""


def placed_words(wording: Wording, placed: PlacedOrder) -> str:
    """Return an existing order in words: ``leg vein duplex ultrasound already ordered 14 Mar``."""
    message = wording.texts.order.done if placed.completed else wording.texts.order.placed
    return message.fill(title=wording.content.orders[placed.order].title, day=wording.day(placed.when))


def order_link(content: Content, proposed: OrderDraft, base_url: str, site_template: str | None) -> Link:
    """Return a link to the site's order entry, or to this service's order page. The URL holds no patient data."""
    key, side = proposed.orders[0], proposed.side
    title = with_side(content, content.orders[key], content.orders[key].title, side)
    label = content.texts.order.link.fill(title=title)
    if site_template:
        leg = side.value if content.orders[key].sided and side in SITE_OF_LEG else "unknown"
        return Link(label=label, url=site_template.format(order=key, side=leg), draft=proposed, to_site=True)
    return Link(label=label, url=f"{base_url}/orders/{key}", draft=proposed)


def references(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Return the resources behind ``facts`` as ``Type/id``, each once. Other resource types are left out."""
    names = dict.fromkeys(fact.source.split("#")[0] for fact in facts)
    return tuple(name for name in names if _SOURCE.fullmatch(name))[:_MAX_REFERENCES]

"""The canary: regular calls for an invented patient with suspected DVT. A missing card is an incident.

Alerts that stop firing are the hardest to notice (Wright 2016, PMC5070518). So the canary calls the service like an
EHR. Its cards are not counted in the metrics or in the reports on cards that clinicians saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from cds_service.base.settings import shipped
from cds_service.protocol.messages import CANARY_USER, HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request, one_bundle

CANARY_PATIENT = "dvt-likely"


def is_canary(request: HookRequest) -> bool:
    """Return whether the call is from the canary, which has its own user."""
    return request.context.userId == CANARY_USER


def canary_call(now: datetime, fhir_server: str | None = None) -> dict[str, Any]:
    """Return the call, with dates around ``now``. ``fhir_server``: identifies the client if callers need no token."""
    bundle = one_bundle(shipped("fhir_examples"), CANARY_PATIENT, now.date())
    call = as_request(bundle, str(uuid4()))
    call["context"]["userId"] = CANARY_USER
    return call | ({"fhirServer": fhir_server} if fhir_server else {})


def expected(service: Service, call: Mapping[str, Any], now: datetime) -> tuple[Card, ...]:
    """Return the cards that this installation's content gives for the call."""
    request = HookRequest.model_validate(call)
    return service.answer(request, gather(request.prefetch), now).cards


def mistakes(answer: Any, wanted: Sequence[Card]) -> list[str]:
    """Return what is wrong with a response, in words; empty if it is correct.

    ``answer``: the JSON of a response with status 200. Summaries and urgency must match exactly; ids differ each time.
    """
    cards = answer.get("cards") if isinstance(answer, dict) else None
    if not isinstance(cards, list) or not all(isinstance(card, dict) for card in cards):
        return ["the answer holds no list of cards"]
    if not cards:
        return ["there is no card: no rule fires, or this client is silent or has rules switched off"]
    received = [(card.get("indicator"), card.get("summary")) for card in cards]
    expected_pairs = [(card.indicator, card.summary) for card in wanted]
    wrong = [
        f"missing card, {indicator}: {summary}"
        for indicator, summary in expected_pairs
        if (indicator, summary) not in received
    ]
    wrong += [
        f"unexpected card, {indicator}: {summary}"
        for indicator, summary in received
        if (indicator, summary) not in expected_pairs
    ]
    urgent = [card for card in cards if card.get("indicator") == "critical"]
    if not all(card.get("detail") and card.get("links") for card in urgent):
        wrong.append("the urgent card has no detail or no link to the order")
    return wrong

"""The canary: an invented patient with a DVT to suspect, called for now and then. No card for it is an incident.

Alerts that stop firing are the hardest to notice (Wright 2016, PMC5070518), so the whole way is tried as an EHR would
go it. What is shown to the canary counts neither in the metrics nor in the reports of what clinicians saw.
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
from cds_service.service.examples import as_request, bundles

CANARY_PATIENT = "dvt-likely"


def is_canary(request: HookRequest) -> bool:
    """Whether the call is the canary's, as told by its user."""
    return request.context.userId == CANARY_USER


def canary_call(now: datetime, fhir_server: str | None = None) -> dict[str, Any]:
    """The call, its dates around ``now``. ``fhir_server``: by which a service without tokens tells its client."""
    bundle = dict(bundles(shipped("fhir_examples"), now.date()))[CANARY_PATIENT]
    call = as_request(bundle, str(uuid4()))
    call["context"]["userId"] = CANARY_USER
    return call | ({"fhirServer": fhir_server} if fhir_server else {})


def expected(service: Service, call: Mapping[str, Any], now: datetime) -> tuple[Card, ...]:
    """The cards that the content of this installation makes of the call."""
    request = HookRequest.model_validate(call)
    return service.answer(request, gather(request.prefetch), now).cards


def mistakes(answer: Any, wanted: Sequence[Card]) -> list[str]:
    """What is wrong with an answer, in words; empty if it is as it should be.

    ``answer``: the JSON of an answer with status 200. Texts and urgency must be to the letter; ids are new each time.
    """
    cards = answer.get("cards") if isinstance(answer, dict) else None
    if not isinstance(cards, list) or not all(isinstance(card, dict) for card in cards):
        return ["the answer holds no list of cards"]
    if not cards:
        return ["there is no card: either nothing fires, or this client is silent or has rules switched off"]
    found = [(card.get("indicator"), card.get("summary")) for card in cards]
    told = [
        f"missing card, {one.indicator}: {one.summary}" for one in wanted if (one.indicator, one.summary) not in found
    ]
    known = {(one.indicator, one.summary) for one in wanted}
    told += [
        f"unexpected card, {indicator}: {summary}" for indicator, summary in found if (indicator, summary) not in known
    ]
    urgent = [card for card in cards if card.get("indicator") == "critical"]
    if not all(card.get("detail") and card.get("links") for card in urgent):
        told.append("the urgent card has no detail or no link to the order")
    return told

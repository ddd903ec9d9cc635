"""The chart behind a launch, read anew with the EHR's token, and the order it asks for now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.base.urls import Address
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.record import PlacedOrder
from cds_service.protocol.messages import Context, FhirAuthorization, HookRequest
from cds_service.protocol.prefetch import Prefetched, gather
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.requests import placed_words
from cds_service.rendering.wording import Wording
from cds_service.service.evaluate import Answer, Service
from cds_service.service.smart.launches import Launch

Basis = Literal["card", "chart", "changed", "none", "unread"]
SAME_ORDER_DAYS = 7
_NOBODY = "Practitioner/not-told"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page shows of the chart.

    Attributes:
        draft: the order that the card proposed, as the chart stands now.
        basis: ``card`` if the chart still asks for it; ``chart`` if the page was opened without a card and the chart
            asks for this; ``changed`` if it asks for this instead of what the card proposed; ``none`` if it asks for
            no urgent order; ``unread`` if it could not be judged.
        parts: of the chart, as they came.
        same: orders of the same services in the last seven days, in words.
    """

    draft: OrderDraft
    basis: Basis
    parts: Prefetched
    same: tuple[str, ...] = ()

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Parts of the chart that did not come whole, in words."""
        return tuple(part.words for part in self.parts.incomplete)


def context_of(launch: Launch) -> Context:
    """The patient of the chart and the user who reads it."""
    return Context(userId=launch.user or _NOBODY, patientId=launch.patient, encounterId=launch.encounter or None)


async def read_chart(reader: FhirReader, service: Service, caller: Caller, launch: Launch, now: datetime) -> Reading:
    """The chart as it is now. Parts that cannot be had are named, never passed over."""
    request = HookRequest(
        hook=POSTERIOR_KNEE_PAIN.hook,
        hookInstance=uuid4(),
        context=context_of(launch),
        fhirServer=launch.iss,
        fhirAuthorization=FhirAuthorization(
            access_token=launch.token,
            token_type="Bearer",  # noqa: S106  # nosec B106 - its name
            expires_in=1,
            scope=launch.scope or "none",
            subject=launch.client,
        ),
    )
    prefetched = await reader.complete(
        request, gather(None, service.plan(caller)), launched_from=Address.parse(launch.iss), today=now.date()
    )
    try:
        answer = service.answer(request, prefetched, now, caller)
    except (NothingToJudgeBy, UnusableInput):
        return Reading(_bare(service, launch), "unread", prefetched)
    draft, basis = _draft(service, answer, launch)
    return Reading(draft, basis, prefetched, tuple(_same_orders(service, answer.assessment, draft, now)))


def _draft(service: Service, answer: Answer, launch: Launch) -> tuple[OrderDraft, Basis]:
    drafts = [link.draft for card in answer.cards for link in card.links if link.draft]
    if not drafts:
        return _bare(service, launch), "none"
    if launch.wanted is None:
        return drafts[0], "chart"
    same = next((one for one in drafts if one.rule == launch.wanted["rule"]), None)
    return (same, "card") if same else (drafts[0], "changed")


def _bare(service: Service, launch: Launch) -> OrderDraft:
    wanted = launch.wanted["order"] if launch.wanted else ""
    order = wanted if wanted in service.content.orders else service.content.dvt_orders[0]
    return OrderDraft.bare(service.content, order)


def _same_orders(service: Service, assessment: Assessment, draft: OrderDraft, now: datetime) -> Iterator[str]:
    """Whatever their side and reason: the clinician judges whether they are the same."""
    since = now.date() - timedelta(days=SAME_ORDER_DAYS)
    for placed in assessment.record.orders:
        if placed.order in draft.orders and (placed.when is None or placed.when.day >= since):
            yield _order_words(service, placed, now)


def _order_words(service: Service, placed: PlacedOrder, now: datetime) -> str:
    wording = Wording(service.content, now.date())
    return f"{placed_words(wording, placed)} ({wording.side(placed.side)}; {placed.source})"


def patient_words(patient: Mapping[str, Any]) -> str:
    """Name, birth date, sex and record number, as far as the Patient has them."""
    parts = [_name(patient.get("name")), _born(patient), _word(patient.get("gender")), _number(patient)]
    return ", ".join(part for part in parts if part)


def _name(names: Any) -> str:
    listed = [one for one in names if isinstance(one, dict)] if isinstance(names, list) else []
    listed.sort(
        key=lambda one: ("official", "usual").index(one["use"]) if one.get("use") in ("official", "usual") else 2
    )
    for one in listed:
        if text := _word(one.get("text")):
            return text
        given = one.get("given")
        words = [*(given if isinstance(given, Sequence) and not isinstance(given, str) else ()), one.get("family")]
        if full := " ".join(word for word in map(_word, words) if word):
            return full
    return ""


def _born(patient: Mapping[str, Any]) -> str:
    born = _word(patient.get("birthDate"))
    return f"born {born}" if born else ""


def _number(patient: Mapping[str, Any]) -> str:
    """The medical record number (type ``MR``), else the first identifier."""
    listed = patient.get("identifier")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    found.sort(key=lambda one: '"MR"' not in str(one.get("type")).replace("'", '"'))
    value = next((word for one in found if (word := _word(one.get("value")))), "")
    return f"number {value}" if value else ""


def _word(value: Any) -> str:
    """A text of the chart on one line, without what does not print; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(one if one.isprintable() else " " for one in value[:120]).split())

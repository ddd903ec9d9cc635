"""Reads the chart of a launch with the EHR's token, and returns the order that it needs now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from cds_service.adapters.clients.model import Caller
from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.base.urls import Address
from cds_service.clinical.answers import Answers, leg_of
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.reading.performers import clinician_name
from cds_service.clinical.record import PlacedOrder, Record, Side
from cds_service.protocol.messages import Context, FhirAuthorization, HookRequest
from cds_service.protocol.prefetch import KeyState, Part, Prefetched, gather
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.rendering.gaps import IncompletePart
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.requests import placed_words
from cds_service.rendering.wording import Wording
from cds_service.service.assessment.form import AssessForm, asked
from cds_service.service.assessment.observation import entry_of, with_treatment
from cds_service.service.evaluate import Answer, Service
from cds_service.service.smart.launches import Launch

Basis = Literal["card", "chart", "changed", "none", "unread"]
SAME_ORDER_DAYS = 7
_NOBODY = "Practitioner/unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the order page shows about the chart.

    Attributes:
        draft: the proposed order, from the present chart.
        basis: ``card`` if the chart still needs the order of the card; ``chart`` if the page was opened without a card
            and the chart needs this order; ``changed`` if the chart needs this order instead of that of the card;
            ``none`` if it needs no urgent order; ``unread`` if it could not be assessed.
        parts: the parts of the chart.
        same: orders of the same services in the last seven days, in words.
        record: what the chart says, without the answers of the assessment page; None if it could not be judged.
    """

    draft: OrderDraft
    basis: Basis
    parts: Prefetched
    same: tuple[str, ...] = ()
    record: Record | None = None

    @property
    def incomplete(self) -> tuple[IncompletePart, ...]:
        """The incomplete parts of the chart, also of one that could not be judged."""
        return tuple(IncompletePart(part.key, part.came_in_part) for part in self.parts.incomplete)


def context_of(launch: Launch) -> Context:
    """Return the patient, encounter and user of a launch."""
    return Context(userId=launch.user or _NOBODY, patientId=launch.patient, encounterId=launch.encounter or None)


async def read_chart(reader: FhirReader, service: Service, caller: Caller, launch: Launch, now: datetime) -> Reading:
    """Read the present chart, and return the order that it needs with the answers stored in the launch.

    Parts that cannot be read are named in the result.
    """
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
        record = answer.assessment.record
        answers = _answers(service, launch, record, now)
        if answers is not None and not answers.is_empty:
            answered = Part("", KeyState.PRESENT, (entry_of(service.content, answers, launch.patient, now),))
            with_it = replace(prefetched, others=(*prefetched.others, answered))
            answer = service.answer(request, with_it, now, caller)
    except (NothingToJudgeBy, UnusableInput):
        return Reading(_bare(service, launch), "unread", prefetched)
    draft, basis = _draft(service, answer, launch)
    if answers is not None:
        draft = with_treatment(service.words_for(caller), draft, answers, leg_of(answer.assessment, draft.side))
    return Reading(draft, basis, prefetched, tuple(_same_orders(service, answer.assessment, draft, now)), record)


def side_of(launch: Launch) -> Side:
    """Return the leg that the card was about; UNKNOWN if the page was opened without a card."""
    return Side(launch.wanted["side"]) if launch.wanted else Side.UNKNOWN


def _answers(service: Service, launch: Launch, record: Record, now: datetime) -> Answers | None:
    """Return the answers from the assessment page of this launch; None if there are none, or for another leg."""
    if not launch.answers:
        return None
    form = AssessForm.read(launch.answers)
    found = asked(service.content, record, side_of(launch), form, now)
    return found.answers if found is not None and found.is_for(form) else None


def _draft(service: Service, answer: Answer, launch: Launch) -> tuple[OrderDraft, Basis]:
    drafts = [link.draft for card in answer.cards for link in card.links if link.draft]
    if not drafts:
        return _bare(service, launch), "none"
    if launch.wanted is None or launch.wanted["rule"] in service.content.causes:  # the card proposed no order
        return drafts[0], "chart"
    same = next((draft for draft in drafts if draft.rule == launch.wanted["rule"]), None)
    return (same, "card") if same else (drafts[0], "changed")


def _bare(service: Service, launch: Launch) -> OrderDraft:
    wanted = launch.wanted["order"] if launch.wanted else ""
    order = wanted if wanted in service.content.orders else service.content.dvt_orders[0]
    return OrderDraft.bare(service.content, order)


def _same_orders(service: Service, assessment: Assessment, draft: OrderDraft, now: datetime) -> Iterator[str]:
    """Yield recent orders of the same services, with any side and reason. The clinician decides if they match."""
    since = now.date() - timedelta(days=SAME_ORDER_DAYS)
    for placed in assessment.record.orders:
        if placed.order in draft.orders and (placed.when is None or placed.when.day >= since):
            yield _order_words(service, placed, now)


def _order_words(service: Service, placed: PlacedOrder, now: datetime) -> str:
    wording = Wording(service.content, now.date())
    return f"{placed_words(wording, placed)} ({wording.side(placed.side)}; {placed.source})"


def patient_words(patient: Mapping[str, Any]) -> str:
    """Return name, birth date, sex and record number, as far as the Patient has them."""
    parts = [_name(patient.get("name")), _born(patient), _word(patient.get("gender")), _number(patient)]
    return ", ".join(part for part in parts if part)


def user_words(user: Mapping[str, Any]) -> str:
    """Return the name in a Practitioner or PractitionerRole, if it has the form of one; else empty."""
    practitioner = user.get("practitioner")
    named = practitioner.get("display") if isinstance(practitioner, dict) else None
    return clinician_name(_name(user.get("name")) or named)


def _name(names: Any) -> str:
    listed = [name for name in names if isinstance(name, dict)] if isinstance(names, list) else []
    listed.sort(
        key=lambda name: ("official", "usual").index(name["use"]) if name.get("use") in ("official", "usual") else 2
    )
    for name in listed:
        if text := _word(name.get("text")):
            return text
        given = name.get("given")
        words = [*(given if isinstance(given, Sequence) and not isinstance(given, str) else ()), name.get("family")]
        if full := " ".join(word for word in map(_word, words) if word):
            return full
    return ""


def _born(patient: Mapping[str, Any]) -> str:
    born = _word(patient.get("birthDate"))
    return f"born {born}" if born else ""


def _number(patient: Mapping[str, Any]) -> str:
    """Return the medical record number (type ``MR``), else the first identifier."""
    listed = patient.get("identifier")
    identifiers = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    identifiers.sort(key=lambda identifier: '"MR"' not in str(identifier.get("type")).replace("'", '"'))
    value = next((word for identifier in identifiers if (word := _word(identifier.get("value")))), "")
    return f"number {value}" if value else ""


def _word(value: Any) -> str:
    """Return a text of the chart on one line, without characters that do not print; empty if it is not a text."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(char if char.isprintable() else " " for char in value[:120]).split())

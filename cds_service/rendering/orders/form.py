"""The form of the order page: preset values, missing fields, the order as text, and the signed ServiceRequest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Priority
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import Side
from cds_service.protocol.messages import Coding, Context
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.requests import signed_order

PRIORITIES: tuple[Priority, ...] = ("stat", "asap", "urgent", "routine")
"""FHIR R4 request priorities, the most urgent first."""
SIDES = ("left", "right", "both")
ANTICOAGULANT = ("taking", "none", "unknown")
_MAX_LENGTHS = {"indication": 200, "question": 400, "contact": 120, "note": 1500}
_MAX_SENT_LENGTH = 4_000


@dataclass(frozen=True, slots=True)
class OrderForm:
    """The fields as typed by the clinician. ``side`` is empty until it is stated."""

    service: str
    priority: str
    side: str
    indication: str
    question: str
    anticoagulant: str
    contact: str
    note: str

    @classmethod
    def preset(cls, content: Content, draft: OrderDraft) -> OrderForm:
        """Return the form filled from the chart. Side and anticoagulant are preset only if the chart states them."""
        return cls(
            service=draft.orders[0],
            priority=draft.priority,
            side=draft.side.value if draft.side in (Side.LEFT, Side.RIGHT) else "",
            indication=draft.words,
            question=content.orders[draft.orders[0]].question,
            anticoagulant="taking" if draft.anticoagulated else "none" if draft.asked_and_none else "unknown",
            contact="",
            note=draft.note,
        )

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> OrderForm:
        """Read the form as sent by a browser, without characters that do not print."""
        return cls(**{field.name: _clean(sent.get(field.name, "")) for field in fields(cls)})

    def mistakes(self, content: Content) -> dict[str, str]:
        """Return what is wrong, by field; empty if the order can be sent."""
        wrong: dict[str, str] = {}
        template, texts = content.orders.get(self.service), content.texts.form.mistakes
        if template is None:
            wrong["service"] = texts.service.fill()
        if self.priority not in PRIORITIES:
            wrong["priority"] = texts.priority.fill()
        if (template is None or template.sided) and self.side not in SIDES:
            wrong["side"] = texts.side.fill()
        if not self.indication:
            wrong["indication"] = texts.indication.fill()
        if self.anticoagulant not in ANTICOAGULANT:
            wrong["anticoagulant"] = texts.anticoagulant.fill()
        for name, limit in _MAX_LENGTHS.items():
            if len(str(getattr(self, name))) > limit:
                wrong[name] = texts.too_long.fill(most=limit)
        return wrong

    def as_dict(self) -> dict[str, str]:
        """Return the values by field."""
        return asdict(self)

    def text(self, content: Content, patient: str) -> str:
        """Return the order as text for any order entry. ``patient``: the patient in words; empty if unknown."""
        template, texts = content.orders.get(self.service), content.texts.form
        lines = [texts.service.fill(service=template.title if template else texts.not_chosen.fill())]
        if patient:
            lines.append(texts.patient.fill(patient=patient))
        lines.append(texts.priority.fill(priority=priorities(content).get(self.priority, texts.not_chosen.fill())))
        if template is None or template.sided:
            lines.append(texts.side.fill(side=sides(content).get(self.side, texts.side_not_stated.fill())))
        lines.append(texts.indication.fill(indication=self.indication or texts.not_stated.fill()))
        lines.append(texts.question.fill(question=self.question))
        if self.note:
            lines.append(texts.findings.fill(findings=self.note))
        lines.append(texts.anticoagulant.fill(anticoagulant=self._anticoagulant(content)))
        if self.contact:
            lines.append(texts.contact.fill(contact=self.contact))
        if template:
            lines.append(texts.please_note.fill(text=template.tells))
        if template and template.same_day and not template.tells_to_telephone:
            lines.append(texts.telephone.fill())
        return "\n".join(lines)

    def _anticoagulant(self, content: Content) -> str:
        """Return the anticoagulant answer in words. Any value that is not a choice counts as unknown."""
        choices = anticoagulants(content)
        return choices.get(self.anticoagulant, choices["unknown"])


def priorities(content: Content) -> dict[str, str]:
    """Return the words of each priority, the most urgent first."""
    return _choices(content.texts.form.priorities, PRIORITIES)


def sides(content: Content) -> dict[str, str]:
    """Return the words of each side."""
    return _choices(content.texts.form.sides, SIDES)


def anticoagulants(content: Content) -> dict[str, str]:
    """Return the words of each answer to the question about anticoagulants."""
    return _choices(content.texts.form.anticoagulants, ANTICOAGULANT)


def _choices(texts: BaseModel, names: Sequence[str]) -> dict[str, str]:
    messages: dict[str, Message] = {name: getattr(texts, name) for name in names}
    return {name: message.fill() for name, message in messages.items()}


def _clean(text: str) -> str:
    """Return the clinician's text on one line, without characters that do not print."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[:_MAX_SENT_LENGTH]).split())


def service_request(
    content: Content,
    form: OrderForm,
    draft: OrderDraft,
    context: Context,
    site_code: Coding | None,
    order: str,
    now: datetime,
) -> dict[str, Any]:
    """Return the signed order as a ServiceRequest.

    ``form``: must have no mistakes. ``order``: the uuid of the order, which stays the same if it is sent again.
    ``site_code``: the site's own code for the service, if it has one.

    Raises:
        ValueError: the result is not valid FHIR.
    """
    template, texts = content.orders[form.service], content.texts.form
    side = Side(form.side) if template.sided else Side.UNKNOWN
    note = " ".join(
        part
        for part in (
            form.question,
            form.note,
            texts.anticoagulant.fill(anticoagulant=anticoagulants(content)[form.anticoagulant].lower()) + ".",
            texts.contact.fill(contact=form.contact) + "." if form.contact else "",
        )
        if part
    )
    return signed_order(
        content,
        form.service,
        side,
        replace(draft, words=form.indication, note=note, priority=form.priority),  # type: ignore[arg-type]
        context,
        site_code,
        order,
        now,
    )

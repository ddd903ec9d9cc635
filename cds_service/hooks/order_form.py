"""The order as a clinician fills it in: what is preset, what is missing, its text, and the resource it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from cds_service.clinical.content import Content
from cds_service.clinical.record import Side
from cds_service.hooks.clients.model import Caller
from cds_service.hooks.messages import Context
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import signed_order

PRIORITIES = {
    "stat": "Now",
    "asap": "Same day",
    "urgent": "Within 2 weeks",
    "routine": "Routine",
}
"""FHIR R4 request priorities, the most urgent first, in the words of a practice."""
SIDES = {"left": "Left leg", "right": "Right leg", "both": "Both legs"}
ANTICOAGULANT = {"taking": "Taking an anticoagulant", "none": "Not taking one", "unknown": "Not known"}
_LONGEST = {"indication": 200, "question": 400, "contact": 120, "note": 1500}
_LONGEST_SENT = 4_000
_SIDE_NOT_STATED = "NOT STATED - state left or right"


@dataclass(frozen=True, slots=True)
class OrderForm:
    """The fields as typed. ``side`` is empty until somebody states it."""

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
        """What the chart says; the side and the anticoagulant only if it says them (unknown is not absent)."""
        return cls(
            service=draft.orders[0],
            priority=draft.priority,
            side=draft.side.value if draft.side in (Side.LEFT, Side.RIGHT) else "",
            indication=draft.words,
            question=content.orders[draft.orders[0]].question,
            anticoagulant="taking" if draft.anticoagulated else "unknown",
            contact="",
            note=draft.note,
        )

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> OrderForm:
        """As sent by a browser, without what no text may hold."""
        return cls(**{one.name: _clean(sent.get(one.name, "")) for one in fields(cls)})

    def mistakes(self, content: Content) -> dict[str, str]:
        """Field -> what is wrong with it; empty if the order can go out."""
        found: dict[str, str] = {}
        template = content.orders.get(self.service)
        if template is None:
            found["service"] = "Choose what to order."
        if self.priority not in PRIORITIES:
            found["priority"] = "Choose how urgent it is."
        if (template is None or template.sided) and self.side not in SIDES:
            found["side"] = "State the side: the order must say which leg."
        if not self.indication:
            found["indication"] = "Say why this is ordered."
        if self.anticoagulant not in ANTICOAGULANT:
            found["anticoagulant"] = "Say whether an anticoagulant is taken."
        for name, most in _LONGEST.items():
            if len(str(getattr(self, name))) > most:
                found[name] = f"At most {most} characters."
        return found

    def as_dict(self) -> dict[str, str]:
        """Field -> value."""
        return asdict(self)

    def text(self, content: Content, patient: str) -> str:
        """The order to copy into any order entry. ``patient``: who it is for, where this page knows it."""
        template = content.orders.get(self.service)
        lines = [f"Service: {template.title if template else 'NOT CHOSEN'}"]
        if patient:
            lines.append(f"Patient: {patient}")
        lines.append(f"Priority: {PRIORITIES.get(self.priority, 'NOT CHOSEN')}")
        if template is None or template.sided:
            lines.append(f"Side: {SIDES.get(self.side, _SIDE_NOT_STATED)}")
        lines += [f"Indication: {self.indication or 'NOT STATED'}", f"Question: {self.question}"]
        if self.note:
            lines.append(f"Findings: {self.note}")
        lines.append(f"Anticoagulant: {ANTICOAGULANT.get(self.anticoagulant, ANTICOAGULANT['unknown'])}")
        if self.contact:
            lines.append(f"Contact: {self.contact}")
        if template:
            lines.append(f"Please note: {template.tells}")
        if template and template.same_day and "telephone" not in template.tells:
            lines.append("Telephone as well: a same-day assessment must not wait for the order to be processed.")
        return "\n".join(lines)


def _clean(text: str) -> str:
    """The clinician's own words, on one line: only what does not print is taken out."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:_LONGEST_SENT]).split())


def service_request(
    content: Content, form: OrderForm, draft: OrderDraft, context: Context, caller: Caller, order: str, now: datetime
) -> dict[str, Any]:
    """The signed order. ``form`` has no mistakes; ``order``: its uuid, the same however often it is sent.

    Raises:
        ValueError: it would be no valid FHIR.
    """
    template = content.orders[form.service]
    side = Side(form.side) if template.sided else Side.UNKNOWN
    note = " ".join(
        part
        for part in (
            form.question,
            form.note,
            f"Anticoagulant: {ANTICOAGULANT[form.anticoagulant].lower()}.",
            f"Contact: {form.contact}." if form.contact else "",
        )
        if part
    )
    return signed_order(
        content,
        form.service,
        side,
        replace(draft, words=form.indication, note=note, priority=form.priority),  # type: ignore[arg-type]
        context,
        caller.order_coding(form.service, form.side),
        order,
        now,
    )

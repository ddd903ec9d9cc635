"""What every card shares: its frame, override reasons, closing lines and the facts of the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content import Content, Priority, Speed
from cds_service.clinical.record import UnreadKind
from cds_service.hooks.messages import Card, Coding, Context, Link, Source, Suggestion
from cds_service.hooks.wording import cut, listed

DETAIL_LIMIT = 1200
SUMMARY_LIMIT = 139
TOPICS = "https://posterior-knee-cds.example/fhir/CodeSystem/card-topic"
_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"

OVERRIDE_REASONS = tuple(
    Coding(system=_REASONS, code=code, display=display)
    for code, display in (
        ("action-completed", "Already assessed or ordered"),
        ("cds-not-applicable", "Does not apply to this patient"),
        ("patient-contraindication", "Not suitable for this patient"),
        ("patient-refuses", "Patient declines"),
        ("recipient-disagrees-evidence", "I judge it unlikely"),
        ("service-not-available", "Service not available here"),
    )
)
"""Six of the reasons of HL7's NonAdherenceReasonClinical value set, in our words for the button."""


@dataclass(frozen=True, slots=True)
class Call:
    """What composing needs to know besides the verdicts."""

    content: Content
    assessment: Assessment
    context: Context
    now: datetime
    base_url: str
    order_url: str | None
    layout: Literal["differential", "per_cause"]


def priority_for(speed: Speed, indicator: Literal["critical", "warning"]) -> Priority:
    """``stat`` for emergencies, ``asap`` for other critical cards, ``urgent`` for warnings."""
    if speed == "now":
        return "stat"
    return "asap" if indicator == "critical" else "urgent"


def card(
    call: Call,
    *,
    key: str,
    topic: str,
    summary: str,
    detail: str,
    indicator: Literal["info", "warning", "critical"],
    source: str,
    suggestions: Sequence[Suggestion] = (),
    links: Sequence[Link] = (),
) -> Card:
    """A whole card. ``key``: the rule or cause of its evidence page. ``topic``: the same for every call."""
    return Card(
        uuid=str(uuid4()),
        summary=cut(summary, SUMMARY_LIMIT),
        detail=detail,
        indicator=indicator,
        source=Source(
            label=source,
            url=f"{call.base_url}/evidence/{key}",
            topic=Coding(system=TOPICS, code=topic, display=_TOPIC_NAMES.get(topic, "Posterior knee pain")),
        ),
        suggestions=tuple(suggestions) or None,
        selectionBehavior="any" if suggestions else None,
        overrideReasons=OVERRIDE_REASONS if indicator != "info" else None,
        links=tuple(links) or None,
    )


_TOPIC_NAMES = {
    "kneedvt1": "Suspected DVT",
    "kneecauses1": "Causes of pain behind the knee",
    "kneeunread1": "Chart not readable",
}


def closing_line(call: Call, rule: str) -> str:
    """Rule, content version, time of the data, and what this is not."""
    return (
        f"Rule {rule}, content {call.content.version}, data as of {call.now:%H:%M}. "
        "Decision support for clinicians; not a diagnosis."
    )


def lacking_line(call: Call) -> str:
    """What the chart did not bring or could not be read; empty when nothing is lacking."""
    record = call.assessment.record
    said = []
    if record.not_available:
        said.append(f"Not available to this service: {listed(record.not_available)}.")
    others = sum(one.kind is UnreadKind.OTHER_PATIENT for one in record.unread)
    count = len(record.unread) - others
    if count:
        said.append(f"{count} {'entry' if count == 1 else 'entries'} of this chart could not be read.")
    if others:
        said.append(f"{others} {'entry' if others == 1 else 'entries'} not about this patient left out.")
    return " ".join(said)


def care_plan_line(call: Call) -> str:
    """For palliative care only: the one thing that may lower an urgent card (evidence F.5)."""
    return "**Palliative care only is recorded:** judge with the care plan." if call.assessment.care_plan else ""

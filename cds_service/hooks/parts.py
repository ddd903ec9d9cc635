"""What every card shares: its frame, override reasons, closing lines and the facts of the call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content import Content, Priority, Speed
from cds_service.clinical.leg import is_order
from cds_service.clinical.names import MALIGNANCY
from cds_service.clinical.record import Fact, RowState, Side, Status, Unread
from cds_service.ground.clock import moment_words
from cds_service.hooks.messages import Card, Coding, Context, Link, Source, Suggestion
from cds_service.hooks.not_understood import about, counted, why
from cds_service.hooks.order_draft import OrderDraft
from cds_service.hooks.orders import OrderReason, references
from cds_service.hooks.prefetch import DVT_NEEDS, JUDGED_BY, Part
from cds_service.hooks.wording import capital, cut, fact_words, fit, listed

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
    """What composing needs to know besides the verdicts.

    Attributes:
        lacking: parts of the chart that did not come whole.
        switched_off: rules and causes that make no card at this site.
        takes: the orders that the EHR takes as a suggestion; None if it takes all.
    """

    content: Content
    assessment: Assessment
    context: Context
    now: datetime
    base_url: str
    order_url: str | None
    layout: Literal["differential", "per_cause"]
    lacking: tuple[Part, ...] = ()
    switched_off: frozenset[str] = frozenset()
    takes: frozenset[str] | None = None


def priority_for(speed: Speed, indicator: Literal["critical", "warning"]) -> Priority:
    """``stat`` for now, ``urgent`` for within two weeks, else ``asap``; a critical card is never less than ``asap``."""
    if speed == "now":
        return "stat"
    return "urgent" if speed == "two_weeks" and indicator == "warning" else "asap"


def proposed(
    call: Call,
    rule: str,
    reason: OrderReason,
    orders: Sequence[str],
    side: Side,
    *,
    note: str,
    unknown: Sequence[str] = (),
    anticoagulated: bool,
) -> OrderDraft:
    """The order that the link of an urgent card leads to. ``orders``: the preferred one first.

    ``note``: what is recorded, without side and anticoagulant.
    """
    today = call.assessment.today
    facts: dict[str, Fact] = {}
    for fact in reason.facts:
        facts.setdefault(fact.key, fact)
    return OrderDraft(
        rule=rule,
        cause=reason.cause,
        orders=tuple(orders),
        side=side,
        priority=reason.priority,
        words=reason.words,
        note=note,
        why=tuple(fact_words(call.content, fact, today, side) for fact in facts.values()),
        unknown=tuple(unknown),
        anticoagulated=anticoagulated,
        references=references(reason.facts),
    )


def card(
    call: Call,
    *,
    key: str,
    leg: Side,
    topic: str,
    summary: str,
    lines: Sequence[tuple[int, str]],
    indicator: Literal["info", "warning", "critical"],
    source: str,
    facts: Sequence[Fact] = (),
    verdicts: Sequence[str] = (),
    suggestions: Sequence[Suggestion] = (),
    links: Sequence[Link] = (),
    standing: str = "",
) -> Card:
    """A whole card. ``key``: the rule or cause of its evidence page. ``topic``: the same for every call.

    ``lines``: the detail, each with its rank for ``fit``, the closing line last.
    ``facts`` and ``verdicts`` are what it rests on: as long as they stay, it says nothing new.
    """
    taken = tuple(one for one in suggestions if call.takes is None or one.order in call.takes)
    by_hand = [one.label for one in suggestions if one not in taken]
    if by_hand:
        lines = [*lines[:-1], (0, f"**To order by hand** - {'; '.join(by_hand)}."), lines[-1]]
    return Card(
        uuid=str(uuid4()),
        rule=key,
        leg=leg.value,
        standing=standing,
        basis=tuple(sorted({*_basis_of(facts), *verdicts, *_doubtful(call)})),
        summary=cut(summary, SUMMARY_LIMIT),
        detail=fit(lines, DETAIL_LIMIT),
        indicator=indicator,
        source=Source(
            label=source,
            url=f"{call.base_url}/evidence/{key}",
            topic=Coding(system=TOPICS, code=topic, display=_TOPIC_NAMES.get(topic, "Posterior knee pain")),
        ),
        suggestions=taken or None,
        selectionBehavior="any" if taken else None,
        overrideReasons=OVERRIDE_REASONS if indicator != "info" else None,
        links=tuple(links) or None,
    )


def _doubtful(call: Call) -> Iterator[str]:
    """Rows that were not understood and may matter: another one is news, also on a card that was answered."""
    return (f"not understood: {row_verdict(one)}" for one in call.assessment.doubts.of_concern)


def row_verdict(one: Unread) -> str:
    """A row that was not understood, for a fingerprint: which one, why, and by its digest what stood in it."""
    return f"{one.source} {one.reason} {one.digest}"


def _basis_of(facts: Iterable[Fact]) -> Iterator[str]:
    """The facts; that an order was placed for a suspicion is an answer to the card, and no reason to show it anew."""
    return (_basis(fact) for fact in facts if not is_order(fact))


def _basis(fact: Fact) -> str:
    """A fact by what it says, not by the resource that says it: a copy of the same statement is no news."""
    when = fact.when.text if fact.when else "undated"
    return f"{fact.key} {fact.status.value} {fact.side.value} {when}"


_TOPIC_NAMES = {
    "kneedvt1": "Suspected DVT",
    "kneecauses1": "Causes of pain behind the knee",
    "kneeunread1": "Chart not readable",
    "kneegap1": "Chart not complete",
    "kneepain1": "New pain without a cause",
}


def closing_line(call: Call, rule: str) -> str:
    """Rule, content version, day and time of the data with their zone, and what this is not."""
    return (
        f"Rule {rule}, content {call.content.version}, data as of {moment_words(call.now)}. "
        "Decision support for clinicians; not a diagnosis."
    )


def lacking_line(call: Call) -> str:
    """What the chart did not bring or what was not understood; empty when nothing is lacking.

    What keeps DVT from being excluded comes first.
    """
    record = call.assessment.record
    gap = dvt_gap(call)
    others = [name for name in record.not_available if name not in gap.parts]
    said = []
    if gap:
        said.append(f"**DVT cannot be excluded:** {gap.words}.")
    if others:
        said.append(f"{'Also not' if gap.parts else 'Not'} available to this service: {listed(others)}.")
    patients = [one for one in record.unread if one.resource == "Patient"]
    rest = [one for one in (*patients, *call.assessment.doubts.on_card) if one not in gap.rows]
    if rest:
        names = about(call.content, rest)
        naming = f" (may be about {listed(names[:3])})" if names else ""
        said.append(f"{capital(counted(rest))} of this chart could not be read{naming}.")
    strangers = record.rows(RowState.ANOTHER_PATIENT)
    if strangers:
        said.append(f"{strangers} {'entry' if strangers == 1 else 'entries'} not about this patient left out.")
    return " ".join(said)


@dataclass(frozen=True, slots=True)
class Gap:
    """Why DVT cannot be excluded: parts of the chart that did not come, and rows that were not understood."""

    parts: tuple[str, ...] = ()
    rows: tuple[Unread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.rows)

    @property
    def words(self) -> str:
        """``problems not available to this service; 1 observation not understood``."""
        said = [f"{listed(self.parts)} not available to this service"] if self.parts else []
        said += [f"{counted(self.rows)} {why(self.rows)}"] if self.rows else []
        return "; ".join(said)

    @property
    def short(self) -> str:
        """The same for a summary."""
        said = [f"{listed(self.parts)} not available"] if self.parts else []
        said += [f"{counted(self.rows)} not understood"] if self.rows else []
        return "; ".join(said)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For the fingerprint of a card: what it says is news as soon as another row or part is missing."""
        return (*self.parts, *map(row_verdict, self.rows))


def dvt_gap(call: Call) -> Gap:
    """What keeps DVT from being excluded; nothing when it is suspected anyway.

    A local sign may be an observation or a problem. A procedure is only a risk, and a risk alone opens a suspicion
    for a new pain only (evidence C.5); so is a medicine that shows a cancer on record to be under treatment.
    """
    verdicts = [leg.dvt for leg in call.assessment.legs]
    if not verdicts or any(verdict.suspected for verdict in verdicts):
        return Gap()
    needed: tuple[str, ...] = JUDGED_BY
    doubts = call.assessment.doubts
    rows = doubts.signs
    if any(verdict.new_pain for verdict in verdicts):
        facts = call.assessment.record.facts
        cancer = any(fact.key == MALIGNANCY and fact.status is Status.PRESENT for fact in facts)
        # A medicine may be a risk that opens it by itself, where the pathway's choice says so.
        any_risk = any(verdict.any_risk_opens for verdict in verdicts)
        needed = (*DVT_NEEDS, "medications") if cancer or any_risk else DVT_NEEDS
        rows = tuple(dict.fromkeys((*doubts.signs, *(doubts.risks if any_risk else doubts.major_risks))))
    return Gap(tuple(part.words for part in call.lacking if part.key in needed), rows)


def care_plan_line(call: Call) -> str:
    """For palliative care only: the one thing that may lower an urgent card (evidence F.5)."""
    return "**Palliative care only is recorded:** judge with the care plan." if call.assessment.care_plan else ""

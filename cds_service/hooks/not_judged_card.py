"""The card instead of an error, for EHRs that show an error like an empty answer: what could not be judged, and why."""

from __future__ import annotations

from cds_service.clinical.record import Side
from cds_service.hooks.messages import Card
from cds_service.hooks.parts import Call, card, closing_line, lacking_line

_SUMMARY = "Not judged: the chart did not come whole to this service. This is not an all-clear."
_WHAT_NOW = (
    "**No judgement was made** - neither for nor against a DVT. Judge the leg as if there were no such service, and "
    "tell whoever looks after your EHR if this shows again."
)
_SOURCE = "Posterior knee pain service: reading of the chart"


def not_judged_card(call: Call) -> Card:
    """One line that says so, without an order: nothing is known that could ask for one."""
    return card(
        call,
        key="gap",
        leg=Side.UNKNOWN,
        topic="kneegap1",
        summary=_SUMMARY,
        lines=[(0, lacking_line(call)), (0, _WHAT_NOW), (0, closing_line(call, "gap"))],
        indicator="info",
        source=_SOURCE,
        verdicts=("not_judged",),
    )

"""The card that replaces an error, for EHRs that show an error like an empty response. It says what is missing."""

from __future__ import annotations

from cds_service.clinical.record import Side
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card
from cds_service.rendering.frame import card
from cds_service.rendering.layout import Item, part


def not_judged_card(call: Call) -> Card:
    """Return a short card that says the chart could not be assessed. It offers no order, as nothing is known."""
    texts = call.content.texts.chart
    return card(
        call,
        key="gap",
        leg=Side.UNKNOWN,
        topic="kneegap1",
        summary=texts.not_judged_summary.fill(),
        parts=[part("", Item(texts.not_judged.fill()), Item(texts.not_judged_advice.fill()))],
        indicator="info",
        source=texts.source_label.fill(),
        verdicts=("not_judged",),
    )

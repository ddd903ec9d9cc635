"""The final pass over cards, and what is logged of it: the same for a client, a terminal and a replay."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.base.logs import get_log
from cds_service.protocol.messages import Card
from cds_service.rendering.sanitize import Stray, inert

log = get_log()


def checked(cards: Sequence[Card], own_urls: Sequence[str]) -> tuple[tuple[Card, ...], tuple[Stray, ...]]:
    """The final pass. What it takes out is a fault of ours, so it is logged by place and kind, without the text."""
    kept, found = inert(cards, own_urls)
    for one in found:
        log.error("text_taken_out_of_a_card", rule=one.rule, field=one.field, kind=one.kind)
    return kept, found

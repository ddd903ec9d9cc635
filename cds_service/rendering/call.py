"""The data of one call that the rendering functions share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.messages import Context
from cds_service.rendering.wording import Wording


@dataclass(frozen=True)
class Call:
    """The assessment of one chart and everything else that is needed to compose its cards.

    Attributes:
        context: user, patient and encounter of the call.
        now: with the site's time zone.
        base_url: public URL of this service, without a trailing slash.
        order_url: template of the site's order entry; None for this service's own page.
        layout: one differential card, or one card per cause.
        switched_off: rules and causes for which this site shows no card.
        supported_orders: the orders that the EHR accepts as a suggestion; None if it accepts all.
        only_words: compose only what the cards say. Suggestions have no draft orders then, and there are no links and
            no reasons to override a card.
    """

    content: Content
    assessment: Assessment
    context: Context
    now: datetime
    base_url: str
    order_url: str | None
    layout: Literal["differential", "per_cause"]
    switched_off: frozenset[str] = frozenset()
    supported_orders: frozenset[str] | None = None
    only_words: bool = False

    @cached_property
    def wording(self) -> Wording:
        """The wording of this response, in the language of the content."""
        return Wording(self.content, self.assessment.today)

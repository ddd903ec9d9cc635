"""The facts of one call that composing needs besides the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.messages import Context
from cds_service.protocol.prefetch import Part as ChartPart
from cds_service.rendering.wording import Wording


@dataclass(frozen=True)
class Call:
    """What composing needs to know besides the verdicts.

    Attributes:
        incomplete: parts of the chart that did not come whole.
        switched_off: rules and causes that make no card at this site.
        supported_orders: the orders that the EHR takes as a suggestion; None if it takes all.
    """

    content: Content
    assessment: Assessment
    context: Context
    now: datetime
    base_url: str
    order_url: str | None
    layout: Literal["differential", "per_cause"]
    incomplete: tuple[ChartPart, ...] = ()
    switched_off: frozenset[str] = frozenset()
    supported_orders: frozenset[str] | None = None

    @cached_property
    def wording(self) -> Wording:
        """The words of this answer."""
        return Wording(self.content, self.assessment.today)

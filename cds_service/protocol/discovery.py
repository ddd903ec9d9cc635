"""The discovery answer."""

from __future__ import annotations

from typing import Any

from cds_service.protocol import services
from cds_service.protocol.queries import Plan

SPECIFICATION = "2.0"
"""The version of CDS Hooks spoken here. The 3.0 ballot asks for it; to a 2.0 client it is one unknown field."""


def discovery(plan: Plan) -> dict[str, Any]:
    """What this installation offers and which parts of the chart it asks for, as ``plan`` has them."""
    return {
        "version": SPECIFICATION,
        "services": [
            {
                "hook": service.hook,
                "id": service.id,
                "title": service.title,
                "description": service.description,
                "usageRequirements": service.usage,
                "prefetch": plan.templates(),
            }
            for service in services.SERVICES
        ],
    }

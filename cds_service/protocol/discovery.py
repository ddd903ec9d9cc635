"""The discovery response."""

from __future__ import annotations

from typing import Any

from cds_service.protocol import services
from cds_service.protocol.queries import Plan

SPECIFICATION = "2.0"
"""The supported version of CDS Hooks. The 3.0 ballot requires this field; 2.0 clients ignore it."""


def discovery(plan: Plan) -> dict[str, Any]:
    """Return the services of this installation with the prefetch templates of ``plan``."""
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

"""The discovery answer."""

from __future__ import annotations

from typing import Any

from cds_service.protocol.messages import HOOK, SERVICE_ID
from cds_service.protocol.queries import Plan

SPECIFICATION = "2.0"
"""The version of CDS Hooks spoken here. The 3.0 ballot asks for it; to a 2.0 client it is one unknown field."""


def discovery(plan: Plan) -> dict[str, Any]:
    """What this service offers and which parts of the chart it asks for, as ``plan`` has them."""
    return {
        "version": SPECIFICATION,
        "services": [
            {
                "hook": HOOK,
                "id": SERVICE_ID,
                "title": "Pain behind the knee",
                "description": (
                    "For clinicians assessing adults with pain behind the knee or in the calf: matches the chart to "
                    "suspected DVT and other red flags, then to the causes that fit, each with its reasons and draft "
                    "orders. Usually silent. Silence does not mean that DVT has been excluded."
                ),
                "usageRequirements": (
                    "Call when a chart with a knee, calf or leg complaint is opened. Works from prefetch; keys that "
                    "are not sent are read from fhirServer where the site allows it, or else named on the card. Not "
                    "for emergencies without a clinician present."
                ),
                "prefetch": plan.templates(),
            }
        ],
    }

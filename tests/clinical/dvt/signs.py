"""The charts of a suspected DVT that the tests of the pathway vary."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.assessment import DvtVerdict
from cds_service.clinical.content.catalogue import Content
from tests.charts import LEFT, RXNORM, SNOMED, concept, condition, days_ago, judged, named, observation

Chart = list[dict[str, Any]]


def on(key: str, ago: float | None = 1, *, side: str = LEFT, present: bool = True) -> dict[str, Any]:
    """One of our findings on a leg."""
    return observation(key, ago=ago, site=side, valueBoolean=present)


def verdict(content: Content, *chart: dict[str, Any], who: dict[str, Any] | None = None) -> DvtVerdict:
    return judged(content, *chart, who=who).legs[0].dvt


def level(content: Content, *chart: dict[str, Any]) -> str | None:
    assessment = judged(content, *chart)
    return next((flag.indicator for flag in assessment.urgent if flag.rule == "RF01"), None)


ALL_BUT_ONE = [
    on(key, present=False)
    for key in (
        "active_cancer",
        "leg_plaster_or_paralysis",
        "bedrest_3d",
        "recent_surgery",
        "deep_vein_tenderness",
        "entire_leg_swollen",
        "calf_circumference_diff_3cm",
        "pitting_oedema_one_leg",
        "collateral_veins",
    )
]

SIGNS = [on("pain_calf", 4), on("calf_swelling", 4), on("warmth", 4)]


def negative_tests(scan_ago: float, d_dimer_ago: float, *, raised: bool = False) -> Chart:
    return [on("us_proximal_dvt", scan_ago, present=False), on("ddimer_positive", d_dimer_ago, present=raised)]


APIXABAN = named(
    "MedicationRequest",
    status="active",
    intent="order",
    authoredOn=days_ago(20),
    medicationCodeableConcept=concept((RXNORM, "1364430")),
)


def clot(**fields: Any) -> dict[str, Any]:
    return condition(concept((SNOMED, "404223003")), bodySite=[concept((SNOMED, LEFT))], **fields)

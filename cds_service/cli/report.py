"""An assessment as JSON, with the keys of the content."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cds_service.clinical.assessment import Assessment, LegAssessment, RankedCause
from cds_service.clinical.record import Fact, RowState
from cds_service.rendering.card import Card
from cds_service.rendering.gaps import incomplete_parts


def as_json(assessment: Assessment, cards: Sequence[Card]) -> dict[str, Any]:
    """Return the cards and the assessment of one chart."""
    return {
        "patient": assessment.patient.id,
        "cards": [card.message().model_dump(mode="json", exclude_none=True) for card in cards],
        "assessment": {
            "urgent": [
                {
                    "cause": flag.cause,
                    "rule": flag.rule,
                    "side": flag.side.value,
                    "indicator": flag.indicator,
                    "speed": flag.speed,
                }
                for flag in assessment.urgent
            ],
            "differential": [_cause(cause) for cause in assessment.differential],
            "dvt": _dvt(assessment),
            "unread": [
                {"source": row.source, "kind": row.kind.value, "reason": row.reason, "about": list(row.keys)}
                for row in assessment.record.unread
            ],
            "rows": {state.value: assessment.record.rows(state) for state in RowState},
            "silent_because": assessment.silent_because or None,
        },
    }


def _cause(cause: RankedCause) -> dict[str, Any]:
    return {
        "cause": cause.cause,
        "side": cause.side.value,
        "band": cause.band,
        "for": [part.finding for part in cause.for_it],
        "against": [part.finding for part in cause.against_it],
        "missing": list(cause.missing),
    }


def _dvt(assessment: Assessment) -> dict[str, Any]:
    """Return the DVT state of the most urgent leg; nulls if no leg was judged or the Wells score does not apply."""
    leg = next((leg for leg in assessment.legs if leg.dvt.suspected), None)
    leg = leg or next(iter(assessment.legs), None)
    if leg is None:
        return {"side": None, "suspected": False, "wells_min": None, "wells_max": None, "not_recorded": []}
    wells = leg.dvt.wells
    return {
        "side": leg.side.value,
        "suspected": leg.dvt.suspected,
        "wells_min": wells.least if wells else None,
        "wells_max": wells.most if wells else None,
        "not_recorded": [key for item in wells.not_recorded for key in item.not_recorded] if wells else [],
    }


def explained(assessment: Assessment) -> dict[str, Any]:
    """Return the whole reasoning: facts, rows not read, and every number."""
    return {
        "content_version": assessment.content_version,
        "facts": [fact_row(fact) for fact in assessment.record.facts],
        "diagnoses": [
            {
                "cause": diagnosis.cause,
                "state": diagnosis.state.value,
                "side": diagnosis.side.value,
                "source": diagnosis.source,
            }
            for diagnosis in assessment.record.diagnoses
        ],
        "orders": [
            {"order": order.order, "side": order.side.value, "completed": order.completed, "source": order.source}
            for order in assessment.record.orders
        ],
        "stops": [
            {"finding": stop.key, "substance": stop.substance or None, "date": stop.when.text if stop.when else None}
            for stop in assessment.record.stops
        ],
        "ledger": [
            {"state": line.state.value, "resource": line.resource, "reason": line.reason, "count": line.count}
            for line in assessment.record.ledger
        ],
        "set_aside": [{"why": why, "count": count} for why, count in assessment.record.set_aside],
        "not_available": [part.name for part in incomplete_parts(assessment.record)],
        "legs": [_leg(leg) for leg in assessment.legs],
    }


def fact_row(fact: Fact) -> dict[str, Any]:
    """Return a fact as plain values."""
    return {
        "finding": fact.key,
        "status": fact.status.value,
        "side": fact.side.value,
        "date": fact.when.text if fact.when else None,
        "date_is": "clinical" if fact.clinical else ("recorded" if fact.recorded else "unknown"),
        "provisional": fact.provisional,
        "source": fact.source,
    }


def _leg(leg: LegAssessment) -> dict[str, Any]:
    wells = leg.dvt.wells
    return {
        "side": leg.side.value,
        "complaints": [fact_row(fact) for fact in leg.complaints],
        "dvt": {
            "suspected": leg.dvt.suspected,
            "level": leg.dvt.level,
            "why": leg.dvt.why_level,
            "emergency": leg.dvt.emergency,
            "closed_by": leg.dvt.closed_by or None,
            "opened_by": [fact.key for fact in leg.dvt.opened_by],
            "wells": [
                {"item": item.number, "name": item.name, "status": item.status.value, "points": item.points}
                for item in (wells.items if wells else ())
            ],
            "likelihood_sum": numbers(leg.dvt_explained),
        },
        "red_flags": [
            {"rule": flag.rule, "facts": [fact.key for fact in flag.facts], "speed": flag.speed}
            for flag in leg.red_flags
        ],
        "differential": [numbers(cause) for cause in leg.differential],
        "ask_next": leg.ask_next,
        "treated": list(leg.treated_causes),
    }


def numbers(cause: RankedCause) -> dict[str, Any]:
    """Return prior, sum and posterior of one cause, with every contribution."""
    return {
        "cause": cause.cause,
        "band": cause.band,
        "prior": cause.prior,
        "sum_log_lr": round(cause.sum_log_lr, 4),
        "posterior": round(cause.posterior, 4),
        "contributions": [
            {
                "finding": part.finding,
                "status": part.fact.status.value,
                "log_lr": None if math.isinf(part.log_lr) else round(part.log_lr, 4),
                "counted": part.counted,
            }
            for part in cause.contributions
        ],
    }

"""An assessment as JSON for scripts, with the keys of the content."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cds_service.clinical.assessment import Assessment, LegAssessment, RankedCause
from cds_service.clinical.record import Fact, RowState
from cds_service.rendering.card import Card


def as_json(assessment: Assessment, cards: Sequence[Card]) -> dict[str, Any]:
    """Cards and assessment of one chart."""
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
            "differential": [_cause(one) for one in assessment.differential],
            "dvt": _dvt(assessment),
            "unread": [
                {"source": one.source, "kind": one.kind.value, "reason": one.reason, "about": list(one.keys)}
                for one in assessment.record.unread
            ],
            "rows": {state.value: assessment.record.rows(state) for state in RowState},
            "silent_because": assessment.silent_because or None,
        },
    }


def _cause(one: RankedCause) -> dict[str, Any]:
    return {
        "cause": one.cause,
        "side": one.side.value,
        "band": one.band,
        "for": [part.finding for part in one.for_it],
        "against": [part.finding for part in one.against_it],
        "missing": list(one.missing),
    }


def _dvt(assessment: Assessment) -> dict[str, Any]:
    """The worst leg's DVT state; nulls where no leg was judged or the Wells score does not apply."""
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
    """The whole reasoning: facts, what was not read, every number."""
    return {
        "content_version": assessment.content_version,
        "facts": [fact_row(fact) for fact in assessment.record.facts],
        "diagnoses": [
            {"cause": one.cause, "state": one.state.value, "side": one.side.value, "source": one.source}
            for one in assessment.record.diagnoses
        ],
        "orders": [
            {"order": one.order, "side": one.side.value, "completed": one.completed, "source": one.source}
            for one in assessment.record.orders
        ],
        "stops": [
            {"finding": one.key, "substance": one.substance or None, "date": one.when.text if one.when else None}
            for one in assessment.record.stops
        ],
        "ledger": [
            {"state": line.state.value, "resource": line.resource, "reason": line.reason, "count": line.count}
            for line in assessment.record.ledger
        ],
        "set_aside": [{"why": why, "count": count} for why, count in assessment.record.set_aside],
        "not_available": list(assessment.record.not_available),
        "legs": [_leg(leg) for leg in assessment.legs],
    }


def fact_row(fact: Fact) -> dict[str, Any]:
    """One fact as plain values."""
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
        "differential": [numbers(one) for one in leg.differential],
        "ask_next": leg.ask_next,
        "treated": list(leg.treated_causes),
    }


def numbers(one: RankedCause) -> dict[str, Any]:
    """Prior, sum and posterior of one cause with every contribution."""
    return {
        "cause": one.cause,
        "band": one.band,
        "prior": one.prior,
        "sum_log_lr": round(one.sum_log_lr, 4),
        "posterior": round(one.posterior, 4),
        "contributions": [
            {
                "finding": part.finding,
                "status": part.fact.status.value,
                "log_lr": None if math.isinf(part.log_lr) else round(part.log_lr, 4),
                "counted": part.counted,
            }
            for part in one.contributions
        ],
    }

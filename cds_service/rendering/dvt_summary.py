"""The first line of the DVT card: the act by the pathway, and the score as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Wells
from cds_service.clinical.content.names import POST_PARTUM, PREGNANCY
from cds_service.clinical.record import Fact, PlacedOrder
from cds_service.rendering.call import Call
from cds_service.rendering.dvt_view import emergency_rule, goes_to_scan, medicines_lack
from cds_service.rendering.wording import in_sentence

_WIDE = 8
"""A score that may still be anything is no score: from this width on it is told as not yet scorable."""


def lead_of(call: Call, leg: LegAssessment, where: str, placed: Sequence[PlacedOrder]) -> str:
    """What is suspected, in which leg and what to do. ``where``: the leg or legs, in words."""
    asks = emergency_rule(call, leg)
    if asks and not call.assessment.care_plan and not leg.dvt.emergency:
        return asks.summary.format(side=where)
    texts, pathway, verdict, wording = call.content.texts.dvt, call.content.pathway, leg.dvt, call.wording
    if call.assessment.care_plan:
        return texts.summary_palliative.fill(side=where)
    if verdict.emergency:
        dangers = _dangers(call, leg)
        if dangers:
            return texts.summary_danger.fill(dangers=dangers, side=where, act=pathway.emergency_call)
        return texts.summary_no_score.fill(side=where, act=pathway.emergency_call)
    if verdict.recorded_dvt is not None:
        known = not (verdict.anticoagulant or call.assessment.doubts.medicines or medicines_lack(call))
        return (texts.summary_untreated if known else texts.summary_recorded).fill(side=where)
    if ordered := _awaited(call, placed):
        title = in_sentence(call.content.orders[ordered.order].title)
        return texts.summary_ordered.fill(side=where, order=title, day=wording.day(ordered.when))
    if verdict.pregnant:
        return texts.summary_pregnant.fill(state=_state(call, verdict.pregnant), side=where, act=pathway.act_pregnant)
    if verdict.only_stale and verdict.level == "warning":
        sign = verdict.unresolved[0]
        return texts.summary_stale.fill(side=where, sign=wording.fact(sign), day=wording.day(sign.when))
    return _scored(call, verdict, where)


def _scored(call: Call, verdict: DvtVerdict, where: str) -> str:
    texts, act = call.content.texts.dvt, _act(call, verdict)
    if verdict.wells is None:
        return texts.summary_no_score.fill(side=where, act=act)
    message = texts.summary if verdict.level == "critical" else texts.summary_low
    return message.fill(side=where, score=_short_score(call, verdict.wells), act=act)


def _act(call: Call, verdict: DvtVerdict) -> str:
    """What to consider by the pathway, with the score as far as it is known."""
    pathway, wells = call.content.pathway, verdict.wells
    likely = wells is not None and wells.least >= pathway.critical_at
    if verdict.level == "critical":
        return pathway.act if likely else pathway.act_open
    if goes_to_scan(verdict) or verdict.cancer or (wells and wells.least > pathway.excluded_by_d_dimer_at_most):
        return pathway.act_scan
    if verdict.soft_alone and wells and not wells.complete:
        return pathway.act_score
    return pathway.act_d_dimer


def _awaited(call: Call, placed: Sequence[PlacedOrder]) -> PlacedOrder | None:
    """An order that is being carried out, the preferred one of the pathway first."""
    return next((one for one in placed if one.active and call.content.orders[one.order].same_day), None)


def _state(call: Call, pregnant: Fact) -> str:
    """Pregnancy or childbed, by the fact that was found."""
    texts = call.content.texts.dvt
    states = {PREGNANCY: texts.in_pregnancy, POST_PARTUM: texts.after_delivery}
    return states[pregnant.key].fill()


def _dangers(call: Call, leg: LegAssessment) -> str:
    """What makes it an emergency, by the rules that fire for this leg; empty if no rule has words for it."""
    cards = [call.content.red_flags[rule].card for rule in sorted(flag.rule for flag in leg.red_flags)]
    dangers = list(dict.fromkeys(one.danger for one in cards if one.danger))
    return call.wording.listed(dangers)


def _short_score(call: Call, wells: Wells) -> str:
    """The score for a summary: ``Wells at least 4``; a range that holds nearly every score is said to be none."""
    texts = call.content.texts.score
    if wells.complete:
        return texts.exact.fill(points=wells.least)
    if wells.least >= call.content.pathway.critical_at:
        return texts.at_least.fill(points=wells.least)
    if wells.most - wells.least >= _WIDE:
        return texts.open.fill()
    return texts.between.fill(least=wells.least, most=wells.most)

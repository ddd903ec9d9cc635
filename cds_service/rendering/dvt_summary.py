"""The summary of the DVT card: what to do according to the pathway, and the score as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.clinical.assessment import DvtVerdict, LegAssessment, Wells
from cds_service.clinical.content.names import POST_PARTUM, PREGNANCY
from cds_service.clinical.record import Fact, PlacedOrder
from cds_service.rendering.call import Call
from cds_service.rendering.dvt_questions import emergency_rule, goes_to_scan, medicines_lack
from cds_service.rendering.wording import in_sentence

_WIDE = 8
"""Points. A score with at least this range is too uncertain to show and is called not yet scorable."""


def lead_of(call: Call, leg: LegAssessment, where: str, placed: Sequence[PlacedOrder]) -> str:
    """Return what is suspected, in which leg and what to do. ``where``: the leg or legs, in words."""
    emergency = emergency_rule(call, leg)
    if emergency and not call.assessment.care_plan and not leg.dvt.emergency:
        return emergency.summary.format(side=where)
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
    if act == call.content.pathway.act_score and _is_wide(verdict.wells):
        return texts.summary_unscored.fill(side=where, act=act)  # "scoring Wells now" says that it is not scored
    message = texts.summary if verdict.level == "critical" else texts.summary_low
    return message.fill(side=where, score=_short_score(call, verdict.wells), act=act)


def _act(call: Call, verdict: DvtVerdict) -> str:
    """Return what to consider according to the pathway and the score as far as it is known."""
    pathway, wells = call.content.pathway, verdict.wells
    likely = wells is not None and wells.least >= pathway.critical_at
    if verdict.awaits_repeat:
        return pathway.act_repeat
    if verdict.level == "critical":
        return pathway.act if likely else pathway.act_open
    if goes_to_scan(verdict) or verdict.cancer or (wells and wells.least > pathway.excluded_by_d_dimer_at_most):
        return pathway.act_scan
    if verdict.soft_alone and wells and not wells.complete:
        return pathway.act_score
    return pathway.act_d_dimer


def _awaited(call: Call, placed: Sequence[PlacedOrder]) -> PlacedOrder | None:
    """Return the first active same-day order; None if there is none. The pathway's preferred order comes first."""
    return next((order for order in placed if order.active and call.content.orders[order.order].same_day), None)


def _state(call: Call, pregnant: Fact) -> str:
    """Return in words whether the patient is pregnant or has given birth recently."""
    texts = call.content.texts.dvt
    states = {PREGNANCY: texts.in_pregnancy, POST_PARTUM: texts.after_delivery}
    return states[pregnant.key].fill()


def _dangers(call: Call, leg: LegAssessment) -> str:
    """Return the dangers that make it an emergency, from the rules that fire for this leg; empty if none names one."""
    cards = [call.content.red_flags[rule].card for rule in sorted(flag.rule for flag in leg.red_flags)]
    dangers = list(dict.fromkeys(card.danger for card in cards if card.danger))
    return call.wording.listed(dangers)


def _short_score(call: Call, wells: Wells) -> str:
    """Return the score for a summary: ``Wells at least 4``. A very wide range is given as not yet scorable."""
    texts = call.content.texts.score
    if wells.complete:
        return texts.exact.fill(points=wells.least)
    if wells.least >= call.content.pathway.critical_at:
        return texts.at_least.fill(points=wells.least)
    if _is_wide(wells):
        return texts.open.fill()
    return texts.between.fill(least=wells.least, most=wells.most)


def _is_wide(wells: Wells) -> bool:
    return wells.most - wells.least >= _WIDE

"""The words of the DVT card about a score that a clinician has completed on the assessment page."""

from __future__ import annotations

from datetime import datetime, time

from cds_service.clinical.assessment import Wells
from cds_service.clinical.record import Fact
from cds_service.rendering.call import Call


def completed_words(call: Call, wells: Wells | None) -> str:
    """``Wells 3 of 9, completed 28 Nov 10:12 UTC by Dr North.``

    Empty unless every item is known and counted, and the last of them comes from an assessment page and has a time of
    day. Without a name in the chart, the words name nobody.
    """
    facts = [item.fact for item in wells.items if item.fact is not None] if wells is not None else []
    if wells is None or not wells.settled or not facts:
        return ""
    last = max(facts, key=lambda fact: _moment(call, fact))
    if last.assessed_by is None or last.when is None or last.when.at is None:
        return ""
    most = sum(item.points for item in wells.items if item.points > 0)
    moment = call.wording.moment(_moment(call, last))
    texts = call.content.texts.assess
    if not last.assessed_by:
        return texts.completed.fill(points=wells.least, most=most, moment=moment)
    return texts.completed_by.fill(points=wells.least, most=most, moment=moment, name=last.assessed_by)


def _moment(call: Call, fact: Fact) -> datetime:
    """Return the time of a fact for sorting: without a time of day, the start of its day. Undated facts come first."""
    zone = call.now.tzinfo
    if fact.when is None:
        return datetime.min.replace(tzinfo=zone)
    return fact.when.at.astimezone(zone) if fact.when.at else datetime.combine(fact.when.day, time(), zone)

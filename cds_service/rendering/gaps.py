"""What the chart did not bring or what was not understood, and whether it keeps DVT from being excluded."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.clinical.content.names import MALIGNANCY
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import RowState, Status, Unread
from cds_service.protocol.prefetch import DVT_NEEDS, JUDGED_BY
from cds_service.protocol.prefetch import Part as ChartPart
from cds_service.rendering.call import Call
from cds_service.rendering.layout import Item, Part, part
from cds_service.rendering.not_understood import about, counted, row_verdict, why
from cds_service.rendering.wording import Wording

MAX_NAMES = 3
"""Findings and causes that an entry may be about, by name."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Why DVT cannot be excluded: parts of the chart that did not come, and rows that were not understood."""

    parts: tuple[ChartPart, ...] = ()
    rows: tuple[Unread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.rows)

    def words(self, wording: Wording) -> str:
        """``problems not available to this service; 1 observation not understood``."""
        texts = wording.texts.chart
        said = [texts.parts_missing.fill(parts=self._missing(wording))] if self.parts else []
        if self.rows:
            said.append(texts.rows_why.fill(rows=counted(wording, self.rows), why=why(wording, self.rows)))
        return "; ".join(said)

    def short(self, wording: Wording) -> str:
        """The same for a summary."""
        texts = wording.texts.chart
        said = [texts.short_missing.fill(parts=self._missing(wording))] if self.parts else []
        said += [texts.short_rows.fill(rows=counted(wording, self.rows))] if self.rows else []
        return "; ".join(said)

    def _missing(self, wording: Wording) -> str:
        return wording.listed([part_words(wording, one) for one in self.parts])

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For the fingerprint of a card: what it says is news as soon as another row or part is missing."""
        return (*(one.words for one in self.parts), *map(row_verdict, self.rows))


def dvt_gap(call: Call) -> Gap:
    """What keeps DVT from being excluded; nothing when it is suspected anyway.

    A local sign may be an observation or a problem. A procedure is only a risk, and a risk alone opens a suspicion
    for a new pain only (evidence C.5); so is a medicine that shows a cancer on record to be under treatment.
    """
    verdicts = [leg.dvt for leg in call.assessment.legs]
    if not verdicts or any(verdict.suspected for verdict in verdicts):
        return Gap()
    needed: tuple[str, ...] = JUDGED_BY
    doubts = call.assessment.doubts
    rows = doubts.signs
    if any(verdict.new_pain for verdict in verdicts):
        facts = call.assessment.record.facts
        cancer = any(fact.key == MALIGNANCY and fact.status is Status.PRESENT for fact in facts)
        # A medicine may be a risk that opens it by itself, where the pathway's choice says so.
        any_risk = any(verdict.any_risk_opens for verdict in verdicts)
        needed = (*DVT_NEEDS, "medications") if cancer or any_risk else DVT_NEEDS
        rows = tuple(dict.fromkeys((*doubts.signs, *(doubts.risks if any_risk else doubts.major_risks))))
    return Gap(tuple(one for one in call.incomplete if one.key in needed), rows)


def gap_part(call: Call) -> Part:
    """What keeps DVT from being excluded, where it is not suspected anyway."""
    lead = call.content.texts.lead.cannot_exclude.fill()
    return part(lead, Item(dvt_gap(call).words(call.wording)), end=".")


def lacking_part(call: Call) -> Part:
    """What else the chart did not bring or what was not understood; empty when nothing is lacking."""
    texts, gap = call.content.texts.chart, dvt_gap(call)
    others = [part_words(call.wording, one) for one in call.incomplete if one not in gap.parts]
    missing = texts.also_missing if gap.parts else texts.missing
    left = missing.fill(parts=call.wording.listed(others)) if others else ""
    return part("", Item(left), Item(_not_read(call, gap)), Item(_strangers(call)))


def part_words(wording: Wording, one: ChartPart) -> str:
    """``procedures``, ``observations (not all)``."""
    message: Message = getattr(wording.texts.chart.parts, one.key)
    return wording.texts.chart.parts.not_all.fill(part=message.fill()) if one.came_in_part else message.fill()


def _not_read(call: Call, gap: Gap) -> str:
    texts, record = call.content.texts.chart, call.assessment.record
    patients = [one for one in record.unread if one.resource == "Patient"]
    rest = [one for one in (*patients, *call.assessment.doubts.on_card) if one not in gap.rows]
    if not rest:
        return ""
    rows = counted(call.wording, rest)
    names = about(call.content, rest)[:MAX_NAMES]
    if not names:
        return texts.not_read.fill(rows=rows)
    return texts.not_read_about.fill(rows=rows, names=call.wording.listed(names))


def _strangers(call: Call) -> str:
    count = call.assessment.record.rows(RowState.ANOTHER_PATIENT)
    return call.wording.say(call.content.texts.chart.strangers, count=count) if count else ""

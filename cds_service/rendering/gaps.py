"""Missing parts of the chart and rows that were not understood, and whether DVT can be excluded without them."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import MALIGNANCY
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import Record, RowState, Status, Unread
from cds_service.protocol.prefetch import DVT_NEEDS, JUDGED_BY, KEYS, part_name
from cds_service.rendering.call import Call
from cds_service.rendering.layout import Item, Part, part
from cds_service.rendering.not_understood import about, counted, row_verdict, why
from cds_service.rendering.wording import Wording

MAX_NAMES = 3
"""Limit for the names of findings and causes that a row may be about."""


@dataclass(frozen=True, slots=True)
class IncompletePart:
    """A part of the chart that is missing or incomplete. ``in_part``: some of it was received."""

    key: str
    in_part: bool

    @property
    def name(self) -> str:
        """The name of the part for an integrator."""
        return part_name(self.key, came_in_part=self.in_part)


def incomplete_parts(record: Record) -> tuple[IncompletePart, ...]:
    """Return the incomplete parts of the chart. The cards of a call and the pages behind them all use this."""
    return tuple(IncompletePart(key, key in record.came_in_part) for key in KEYS if key in record.not_whole)


@dataclass(frozen=True, slots=True)
class Gap:
    """Why DVT cannot be excluded: incomplete parts of the chart, and rows that were not understood."""

    parts: tuple[IncompletePart, ...] = ()
    rows: tuple[Unread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.rows)

    def words(self, wording: Wording) -> str:
        """Return the gap in words: ``problems not available to this service; 1 observation not understood``."""
        texts = wording.texts.chart
        phrases = [texts.parts_missing.fill(parts=self._missing(wording))] if self.parts else []
        if self.rows:
            phrases.append(texts.rows_why.fill(rows=counted(wording, self.rows), why=why(wording, self.rows)))
        return "; ".join(phrases)

    def short(self, wording: Wording) -> str:
        """Return the gap in fewer words, for a summary."""
        texts = wording.texts.chart
        phrases = [texts.short_missing.fill(parts=self._missing(wording))] if self.parts else []
        phrases += [texts.short_rows.fill(rows=counted(wording, self.rows))] if self.rows else []
        return "; ".join(phrases)

    def _missing(self, wording: Wording) -> str:
        return wording.listed([part_words(wording.content, incomplete) for incomplete in self.parts])

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Texts for the fingerprint of a card: another missing part or row makes the card news again."""
        return (*(incomplete.name for incomplete in self.parts), *map(row_verdict, self.rows))


def dvt_gap(call: Call) -> Gap:
    """Return the gap because of which DVT cannot be excluded; an empty gap if DVT is suspected anyway.

    A local sign may be an observation or a problem. A procedure is only a risk, and a risk alone opens a suspicion
    only for a new pain (evidence C.5). The same is true for a medicine that shows that a recorded cancer is treated.
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
        # In some pathways a medicine is a risk that opens a suspicion by itself.
        any_risk = any(verdict.any_risk_opens for verdict in verdicts)
        needed = (*DVT_NEEDS, "medications") if cancer or any_risk else DVT_NEEDS
        rows = tuple(dict.fromkeys((*doubts.signs, *(doubts.risks if any_risk else doubts.major_risks))))
    missing = (incomplete for incomplete in incomplete_parts(call.assessment.record) if incomplete.key in needed)
    return Gap(tuple(missing), rows)


def gap_part(call: Call) -> Part:
    """Return the paragraph on why DVT cannot be excluded; empty if it can be or is suspected anyway."""
    lead = call.content.texts.lead.cannot_exclude.fill()
    return part(lead, Item(dvt_gap(call).words(call.wording)), end=".")


def incomplete_part(call: Call) -> Part:
    """Return the paragraph on other missing parts and rows that were not understood; empty if there are none."""
    texts, gap = call.content.texts.chart, dvt_gap(call)
    others = [
        part_words(call.content, incomplete)
        for incomplete in incomplete_parts(call.assessment.record)
        if incomplete not in gap.parts
    ]
    missing = texts.also_missing if gap.parts else texts.missing
    left = missing.fill(parts=call.wording.listed(others)) if others else ""
    return part("", Item(left), Item(_not_read(call, gap)), Item(_other_patients_rows(call)))


def part_words(content: Content, incomplete: IncompletePart) -> str:
    """Return the name of a part of the chart, for a clinician: ``procedures``, ``observations (not all)``."""
    parts = content.texts.chart.parts
    message: Message = getattr(parts, incomplete.key)
    return parts.not_all.fill(part=message.fill()) if incomplete.in_part else message.fill()


def _not_read(call: Call, gap: Gap) -> str:
    texts, record = call.content.texts.chart, call.assessment.record
    patients = [row for row in record.unread if row.resource == "Patient"]
    named = frozenset(gap.rows)
    rest = [row for row in (*patients, *call.assessment.doubts.on_card) if row not in named]
    if not rest:
        return ""
    rows = counted(call.wording, rest)
    names = about(call.content, rest)[:MAX_NAMES]
    if not names:
        return texts.not_read.fill(rows=rows)
    return texts.not_read_about.fill(rows=rows, names=call.wording.listed(names))


def _other_patients_rows(call: Call) -> str:
    count = call.assessment.record.rows(RowState.ANOTHER_PATIENT)
    return call.wording.say(call.content.texts.chart.strangers, count=count) if count else ""

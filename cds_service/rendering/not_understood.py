"""Describes rows of a chart that were not understood: their kinds, their number and what they may be about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import MEDICINES, Unread, UnreadKind
from cds_service.rendering.wording import Wording

_ROWS = {
    "Observation": "observation",
    "Condition": "problem",
    "Procedure": "procedure",
    **dict.fromkeys(MEDICINES, "medicine"),
    "ServiceRequest": "order",
    "DiagnosticReport": "report",
    "Encounter": "visit",
    "QuestionnaireResponse": "questionnaire",
}


def counted(wording: Wording, unread: Iterable[Unread]) -> str:
    """Return the number of rows by kind, each row once: ``2 problems and 1 observation``."""
    unread, texts = list(unread), wording.texts.chart.rows
    kinds = {row.source.split("#")[0]: _ROWS.get(row.resource, "entry") for row in unread if row.resource != "Patient"}
    counts = Counter(kinds[source] for source in sorted(kinds))  # sorted: the same chart must give the same order
    words = [wording.say(getattr(texts, kind), count=count) for kind, count in counts.most_common()]
    if any(row.resource == "Patient" for row in unread):
        words.append(texts.patient.fill())
    return wording.listed(words)


def why(wording: Wording, unread: Sequence[Unread]) -> str:
    """Return what is wrong with the rows if it is the same for all; else only that they were not understood."""
    kinds, texts = {row.kind for row in unread}, wording.texts.chart
    if kinds == {UnreadKind.SYSTEM} and not any(row.resource in MEDICINES for row in unread):
        return texts.unknown_system.fill()
    if kinds == {UnreadKind.UNCODED}:
        return texts.in_words_only.fill()
    if kinds == {UnreadKind.SUBJECT}:
        return texts.unclear_subject.fill()
    return texts.not_understood.fill()


def why_one(wording: Wording, row: Unread) -> str:
    """Return why this row did not become facts."""
    message: Message = getattr(wording.texts.chart.why, row.kind.value)
    return message.fill()


def about(content: Content, unread: Iterable[Unread]) -> list[str]:
    """Return the findings and causes that the rows may be about, each once, in our words."""
    keys = dict.fromkeys(key for row in unread for key in row.keys)
    measured = [content.measures[key].finding if key in content.measures else key for key in keys]
    return [content.short(key) for key in dict.fromkeys(measured) if key in content.findings or key in content.causes]


def row_verdict(row: Unread) -> str:
    """Return a row that was not understood as text for a fingerprint: its source, the reason and its digest."""
    return f"{row.source} {row.reason} {row.digest}"

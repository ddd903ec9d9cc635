"""What was not understood of a chart, in words: by kind and count, and what it keeps open."""

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


def counted(wording: Wording, found: Iterable[Unread]) -> str:
    """``2 problems and 1 observation``; each row once."""
    found, texts = list(found), wording.texts.chart.rows
    rows = {one.source.split("#")[0]: _ROWS.get(one.resource, "entry") for one in found if one.resource != "Patient"}
    counts = Counter(rows[source] for source in sorted(rows))  # in an order that is the same for the same chart
    words = [wording.say(getattr(texts, kind), count=count) for kind, count in counts.most_common()]
    if any(one.resource == "Patient" for one in found):
        words.append(texts.patient.fill())
    return wording.listed(words)


def why(wording: Wording, found: Sequence[Unread]) -> str:
    """In a few words what is wrong, if one thing is wrong with all of them; otherwise that they were not understood."""
    kinds, texts = {one.kind for one in found}, wording.texts.chart
    if kinds == {UnreadKind.SYSTEM} and not any(one.resource in MEDICINES for one in found):
        return texts.unknown_system.fill()
    if kinds == {UnreadKind.UNCODED}:
        return texts.in_words_only.fill()
    if kinds == {UnreadKind.SUBJECT}:
        return texts.unclear_subject.fill()
    return texts.not_understood.fill()


def why_one(wording: Wording, one: Unread) -> str:
    """Why this entry did not become facts."""
    message: Message = getattr(wording.texts.chart.why, one.kind.value)
    return message.fill()


def about(content: Content, found: Iterable[Unread]) -> list[str]:
    """The findings and causes that they may be about, each once, in our words."""
    keys = dict.fromkeys(key for one in found for key in one.keys)
    measured = [content.measures[key].finding if key in content.measures else key for key in keys]
    return [content.short(key) for key in dict.fromkeys(measured) if key in content.findings or key in content.causes]


def row_verdict(one: Unread) -> str:
    """A row that was not understood, for a fingerprint: which one, why, and by its digest what stood in it."""
    return f"{one.source} {one.reason} {one.digest}"

"""What was not understood of a chart, in words: by kind and count, and what it keeps open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cds_service.clinical.content import Content
from cds_service.clinical.record import Unread, UnreadKind
from cds_service.hooks.wording import listed, short_name

_NOUNS = {
    "Observation": ("observation", "observations"),
    "Condition": ("problem", "problems"),
    "Procedure": ("procedure", "procedures"),
    "MedicationRequest": ("medicine", "medicines"),
    "MedicationStatement": ("medicine", "medicines"),
    "MedicationAdministration": ("medicine", "medicines"),
    "MedicationDispense": ("medicine", "medicines"),
    "Medication": ("medicine", "medicines"),
    "ServiceRequest": ("order", "orders"),
    "DiagnosticReport": ("report", "reports"),
    "Encounter": ("visit", "visits"),
    "QuestionnaireResponse": ("questionnaire", "questionnaires"),
}
_ENTRY = ("entry", "entries")


def counted(found: Iterable[Unread]) -> str:
    """``2 problems and 1 observation``; each row once."""
    found = list(found)
    rows = {one.source.split("#")[0]: _NOUNS.get(one.resource, _ENTRY) for one in found if one.resource != "Patient"}
    counts = Counter(rows[source] for source in sorted(rows))  # in an order that is the same for the same chart
    words = [f"{count} {nouns[count > 1]}" for nouns, count in counts.most_common()]
    if any(one.resource == "Patient" for one in found):
        words.append("patient details")
    return listed(words)


def why(found: Sequence[Unread]) -> str:
    """In a few words what is wrong, if one thing is wrong with all of them; otherwise that they could not be read."""
    kinds = {one.kind for one in found}
    if kinds == {UnreadKind.SYSTEM} and not any(one.resource.startswith("Medication") for one in found):
        return "in a coding system that this service does not know"
    if kinds == {UnreadKind.UNCODED}:
        return "in words only"
    if kinds == {UnreadKind.SUBJECT}:
        return "not clearly about this patient"
    return "not understood"


def about(content: Content, found: Iterable[Unread]) -> list[str]:
    """The findings and causes that they may be about, each once, in our words."""
    keys = dict.fromkeys(key for one in found for key in one.keys)
    measured = [content.measures[key].finding if key in content.measures else key for key in keys]
    return [
        short_name(content, key) for key in dict.fromkeys(measured) if key in content.findings or key in content.causes
    ]

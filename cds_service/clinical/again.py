"""Assess a chart that was assessed at an earlier moment. If nothing that counts has changed, neither has the result."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from operator import attrgetter

from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import Record

_COUNTS = ("ledger", "entries", "others_of_concern")
"""What a record counts of its rows. No judgement uses it."""
_what_counts = attrgetter(*(field.name for field in fields(Record) if field.name not in _COUNTS))


def assess_again(content: Content, record: Record, today: date, earlier: Assessment | None) -> Assessment:
    """Return what ``assess`` returns. ``earlier``: an assessment by the same content; None if there is none.

    The chart must say the same as then. If it says anything with a date, the day must be the same too; else only the
    age counts, which has to be the same.
    """
    if earlier is None or not _says_the_same(earlier.record, record):
        return assess(content, record, today)
    if today != earlier.today and (_says_something(record) or _age(record, today) != _age(record, earlier.today)):
        return assess(content, record, today)
    return replace(earlier, today=today, record=record)


def _says_the_same(earlier: Record, now: Record) -> bool:
    """Whether two records are equal in everything but the counts of their rows."""
    if _what_counts(earlier) != _what_counts(now):
        return False
    # Rows that are equal may differ in their digests.
    return all(row.digest == its_like.digest for row, its_like in zip(earlier.unread, now.unread, strict=True))


def _says_something(record: Record) -> bool:
    return bool(record.facts or record.diagnoses or record.orders or record.unread or record.stops)


def _age(record: Record, today: date) -> int | None:
    return record.patient.age_on(today)

"""Assessing a chart again is the same as assessing it, whatever the earlier assessment was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.clinical import again
from cds_service.clinical.again import assess_again
from cds_service.clinical.assess import assess
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import Record
from tests.charts import ICD10CM, LEFT_CALF, concept, condition, observation, patient, read
from tests.conftest import NOW, bundle, stories

TODAY = NOW.date()


def records(content: Content) -> Iterator[Record]:
    """The record of each example, and those of its rows in part: as a chart grows."""
    for name in sorted(stories())[::3]:
        entries = [ChartEntry(entry["resource"]) for entry in bundle(name)["entry"]]
        who = next(entry.identity or "" for entry in entries if entry.kind == "Patient")
        for count in (1, len(entries) // 2, len(entries)):
            yield read_record(content, who, entries[:count], NOW)
    yield read(content, condition(concept((ICD10CM, "I82.402")), ago=2), who=patient(birth="1970-03-10"))
    yield read(content, observation({"text": "Pain in the left calf"}, ago=0))


def test_every_chart_is_assessed_as_if_it_had_not_been_assessed_before(content: Content) -> None:
    """Each after each state of the same chart and on several days, among them a birthday and the end of a window."""
    last = None
    days = [TODAY + timedelta(days=ahead) for ahead in (0, 0, 1, 15, 300, 400)]
    for record in records(content):
        for today in days:
            last = assess_again(content, record, today, last)
            assert last == assess(content, record, today)
            assert last.record is record


def test_a_chart_that_says_nothing_is_assessed_once_for_each_age(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    assessed: list[date] = []

    def noted(content: Content, record: Record, today: date) -> Any:
        assessed.append(today)
        return assess(content, record, today)

    monkeypatch.setattr(again, "assess", noted)
    record, last = read(content, who=patient(birth="2008-03-18")), None
    for ahead in range(5):
        today = TODAY + timedelta(days=ahead)
        last = assess_again(content, replace(record, entries=ahead), today, last)
        assert (last.today, last.record.entries) == (today, ahead)
        assert last.under_18 is (today < date(2026, 3, 18))
    assert assessed == [TODAY, date(2026, 3, 18)]


def test_a_chart_that_says_the_same_on_the_same_day_is_assessed_once(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read(content, observation("calf_swelling", site=LEFT_CALF))
    earlier = assess(content, record, TODAY)
    monkeypatch.delattr(again, "assess")
    found = assess_again(content, replace(record, entries=9), TODAY, earlier)
    assert found == replace(earlier, record=found.record)
    assert found.legs


def test_an_edited_row_that_was_not_understood_is_assessed_again(content: Content) -> None:
    """Its digest is on the card's basis, although rows are equal without it."""
    words = {"text": "Calf pain"}, {"text": "Calf pains"}
    one, other = (read(content, observation(text, id="w", ago=0)) for text in words)
    assert one.unread == other.unread
    found = assess_again(content, other, TODAY, assess(content, one, TODAY))
    assert [row.digest for row in found.doubts.complaint] == [row.digest for row in other.unread]


def test_every_part_of_a_record_that_counts_is_compared(content: Content) -> None:
    record = read(content, observation("calf_swelling", site=LEFT_CALF))
    parts = again._what_counts(record)
    assert len(parts) + len(again._COUNTS) == len(fields(Record))

"""A reason in words that only says again what is coded is no news; one that says more, or is newer, is."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.doubt import Doubts, doubts_of
from tests.charts import Resource, days_ago, read
from tests.clinical.dvt.signs import SIGNS, level, negative_tests, on
from tests.clinical.reading.test_reports import order, visit
from tests.conftest import NOW


def reason(words: str, *, ago: float = 1) -> Resource:
    return visit({"text": words}, period={"start": days_ago(ago)})


def doubts(content: Content, *rows: Any) -> Doubts:
    return doubts_of(content, read(content, *rows), NOW.date())


SAME = ["Painful calf", "calf pain", "Pain in the left calf", "Wadenschmerz links", "douleur au mollet gauche"]
MORE = [
    "calf pain and swelling of the calf",
    "calf pain, DVT?",
    "pain in the right calf",
    "pain in both calves",
    "Wadenschmerz rechts",
]


@pytest.mark.parametrize("words", SAME)
def test_what_is_read_already_is_not_said_again(content: Content, words: str) -> None:
    assert doubts(content, reason(words)).complaint  # alone, it is all that is known of the complaint
    assert doubts(content, on("pain_calf"), reason(words)) == Doubts()
    assert doubts(content, on("pain_calf"), order(reasonCode=[{"text": words}])) == Doubts()


@pytest.mark.parametrize("words", MORE)
def test_what_says_more_or_of_another_leg_is_said(content: Content, words: str) -> None:
    found = doubts(content, on("pain_calf"), reason(words))
    assert found.on_card
    assert found.closing


def test_what_is_no_new_pain_any_more_does_not_answer_for_today(content: Content) -> None:
    """With a previous DVT, new pain is a suspicion: a row of three weeks ago must not silence it."""
    assert doubts(content, on("pain_calf", 20), on("previous_dvt", 900), reason("calf pain", ago=0)).complaint
    assert doubts(content, on("pain_calf", 5), on("pain_calf", 3, present=False), reason("calf pain", ago=0)).complaint


def test_a_later_hour_of_the_day_is_newer(content: Content) -> None:
    def at(hour: int) -> dict[str, Any]:
        return {"effectiveDateTime": f"2026-03-16T{hour:02d}:00:00Z"}

    signs = [{**on(key), **at(7)} for key in ("pain_calf", "calf_swelling")]
    tests = [{**one, **at(8)} for one in negative_tests(0, 0)]
    assert level(content, *signs, *tests) is None
    for hour, closed in ((12, False), (7, True), (6, True)):
        later = visit({"text": "swollen painful calf"}, period={"start": f"2026-03-16T{hour:02d}:00:00Z"})
        assert (level(content, *signs, *tests, later) is None) is closed


def test_what_is_long_ago_does_not_answer_for_today(content: Content) -> None:
    assert doubts(content, on("pain_calf", 60), reason("calf pain", ago=0)).complaint


def test_a_denial_is_not_what_is_said_again(content: Content) -> None:
    assert doubts(content, on("pain_calf", present=False), reason("calf pain")).complaint


def test_a_newer_one_keeps_a_suspicion_open(content: Content) -> None:
    """Tests of yesterday answer the pain of yesterday; the pain that is today's reason may be a new one (C.6)."""
    signs = [on("pain_calf", 3), on("calf_swelling", 3)]
    tests = negative_tests(1, 1)
    assert level(content, *signs, *tests) is None
    assert level(content, *signs, *tests, reason("swollen painful calf", ago=3)) is None
    assert level(content, *signs, *tests, reason("swollen painful calf", ago=0)) is not None
    undated = reason("swollen painful calf")
    undated.pop("period")
    assert level(content, *signs, *tests, undated) is not None


def test_what_could_not_be_taken_apart_repeats_nothing(content: Content) -> None:
    odd = visit({"text": "calf pain"}, modifierExtension=[{"url": "https://x.example/not"}])
    assert doubts(content, *SIGNS, odd).closing

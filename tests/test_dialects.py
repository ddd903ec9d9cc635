"""One picture of DVT, transplanted into the dialects of the world: the same card in all of them."""

from __future__ import annotations

import pytest

from tests.dialects import DIALECTS, NO_SIDE, REFERENCE, TABLE, Dialect, answer, expected, judged, table


@pytest.mark.parametrize("on", [False, True], ids=["off apixaban", "on apixaban"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_the_same_card_in_every_dialect(dialect: Dialect, on: bool) -> None:
    assert answer(dialect, on=on) == expected(dialect, on=on)


@pytest.mark.parametrize("reference", [REFERENCE, NO_SIDE], ids=lambda one: one.name)
def test_what_all_are_compared_with(reference: Dialect) -> None:
    """The picture is a critical DVT card; apixaban changes what it advises."""
    off, on = (answer(reference, on=on) for on in (False, True))
    for one in (off, on):
        assert one.indicator == "critical"
        assert one.summary.startswith("Suspected DVT")
        assert not one.unread
    assert ("left leg" in off.summary) is reference.sided
    assert "On an anticoagulant" in on.advice
    assert "On an anticoagulant" not in off.advice
    assert off.orders != on.orders


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_no_dialect_goes_without_a_word(dialect: Dialect) -> None:
    """Where codes are missing the card still asks, or what was not understood is named."""
    for on in (False, True):
        cards, assessment = judged(dialect, on=on)
        assert cards
        assert assessment.urgent or assessment.record.unread


def test_there_are_at_least_twelve() -> None:
    assert len({one.name for one in DIALECTS}) == len(DIALECTS) >= 12


def test_the_table_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "run python -m tests.dialects"

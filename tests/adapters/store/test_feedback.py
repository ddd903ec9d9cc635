"""Reading feedback: what the standard and what Epic sends, and what is wrong with the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.adapters.store.feedback import MAX_COMMENT_LENGTH, MAX_ITEMS, understand
from cds_service.adapters.store.rows import FeedbackRow
from cds_service.base.errors import UnusableInput

NOW = datetime(2026, 3, 16, 14, 2, tzinfo=UTC)
CARD = "f6b95768-b1c8-40dc-8385-bf3504b82ffb"
BASE: dict[str, Any] = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": "2026-03-16T13:00:00Z"}


def read(*items: Any) -> tuple[FeedbackRow, ...]:
    found = understand({"feedback": list(items)}, "knee", NOW)
    assert found.wrong == ()
    return found.rows


def wrong(item: Any) -> str:
    found = understand({"feedback": [item]}, "knee", NOW)
    assert found.rows == ()
    (said,) = found.wrong
    return said


def test_an_accepted_suggestion() -> None:
    item = {**BASE, "outcome": "accepted", "acceptedSuggestions": [{"id": "B"}, {"id": "a", "extension": {"x": 1}}]}
    (row,) = read(item)
    assert (row.card, row.outcome, row.accepted, row.received_at) == (CARD, "accepted", ("B", "a"), NOW)
    assert (row.reason_code, row.comment) == (None, None)


def test_an_override_with_and_without_a_reason() -> None:
    (row,) = read(BASE)
    assert (row.outcome, row.reason_code, row.comment, row.accepted) == ("overridden", None, None, ())
    reason = {"code": "own-code-77", "system": "https://ehr.example/reasons"}
    (row,) = read({**BASE, "overrideReason": {"reason": reason, "userComment": "scan done"}})
    assert (row.reason_code, row.reason_system, row.reason_display) == (
        "own-code-77",
        "https://ehr.example/reasons",
        None,
    )
    assert row.comment == "scan done"
    (row,) = read({**BASE, "overrideReason": {"userComment": "only a comment"}})
    assert (row.reason_code, row.comment) == (None, "only a comment")


def test_epic_names_it_override_reasons() -> None:
    reason = {"code": "contraindicated", "display": "bad", "system": "http://example.org/reasons"}
    for given_as in ({"reason": reason, "userComment": "x"}, [{"reason": reason, "userComment": "x"}]):
        (row,) = read({**BASE, "card": "123456", "overrideReasons": given_as})
        assert (row.card, row.reason_code, row.reason_display, row.comment) == ("123456", "contraindicated", "bad", "x")


def test_epics_own_acknowledgement_reasons() -> None:
    name = "com.epic.cdshooks.feedback.overrideReason."
    extension = {
        f"{name}reasonCategory": "45",
        f"{name}reasonDisplay": "Not met",
        f"{name}reasonTitle": "T",
    }
    (row,) = read({**BASE, "overrideReasons": {"extension": extension, "userComment": "x"}})
    assert (row.reason_code, row.reason_display) == ("45", "Not met")
    assert row.reason_system == f"{name}reasonCategory"


def test_several_reasons_lose_no_comment() -> None:
    several = [{"userComment": "first"}, {"reason": {"code": "a"}, "userComment": "second"}, {"reason": {"code": "b"}}]
    (row,) = read({**BASE, "overrideReasons": several})
    assert (row.reason_code, row.comment) == ("a", "first\nsecond")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-03-16T13:00:00Z", datetime(2026, 3, 16, 13, tzinfo=UTC)),
        ("2026-03-16t13:00:00z", datetime(2026, 3, 16, 13, tzinfo=UTC)),
        ("2026-03-16T13:00:00.5Z", datetime(2026, 3, 16, 13, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-16T13:00:00.123456789Z", datetime(2026, 3, 16, 13, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-16T23:00:00-05:00", datetime(2026, 3, 17, 4, tzinfo=UTC)),
        ("2026-03-16T13:00:00+05:45", datetime(2026, 3, 16, 7, 15, tzinfo=UTC)),
        ("2026-03-16T23:59:60Z", datetime(2026, 3, 16, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times(sent: str, meant: datetime) -> None:
    assert read({**BASE, "outcomeTimestamp": sent})[0].outcome_at == meant


@pytest.mark.parametrize(
    "sent",
    ["2026-03-16T13:00:00", "2026-03-16", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "now", "", 5, None, True,
     "2026-03-16T25:00:00Z", "2026-03-16T13:00Z", "9999-12-31T23:59:59-14:00", "2026-03-16T13:00:00+99:00", []],
)  # fmt: skip
def test_what_is_no_time(sent: Any) -> None:
    assert wrong({**BASE, "outcomeTimestamp": sent}).startswith("feedback[0].outcomeTimestamp: ")


ACCEPTED = {**BASE, "outcome": "accepted"}
WRONG: dict[str, tuple[Any, str]] = {
    "no card": ({key: value for key, value in BASE.items() if key != "card"}, "feedback[0].card: is missing"),
    "empty card": ({**BASE, "card": ""}, "feedback[0].card"),
    "card a number": ({**BASE, "card": 7}, "feedback[0].card"),
    "card endless": ({**BASE, "card": "x" * 201}, "feedback[0].card"),
    "no outcome": ({key: value for key, value in BASE.items() if key != "outcome"}, "feedback[0].outcome"),
    "ignored is no outcome": ({**BASE, "outcome": "ignored"}, "feedback[0].outcome"),
    "accepted nothing": (ACCEPTED, "feedback[0]: acceptedSuggestions must name"),
    "accepted empty": ({**ACCEPTED, "acceptedSuggestions": []}, "feedback[0]: acceptedSuggestions must name"),
    "accepted no id": ({**ACCEPTED, "acceptedSuggestions": [{}]}, "feedback[0].acceptedSuggestions[0].id"),
    "accepted text": ({**ACCEPTED, "acceptedSuggestions": ["x"]}, "feedback[0].acceptedSuggestions[0]"),
    "reason a text": ({**BASE, "overrideReason": {"reason": "x"}}, "feedback[0].overrideReason.reason"),
    "reason without code": ({**BASE, "overrideReason": {"reason": {"system": "x"}}}, "feedback[0].overrideReason"),
    "comment endless": (
        {**BASE, "overrideReason": {"userComment": "x" * (MAX_COMMENT_LENGTH + 1)}},
        "feedback[0].overrideReason.userComment",
    ),
    "an item that is text": ("x", "feedback[0]: "),
    "an item that is null": (None, "feedback[0]: "),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_what_is_wrong_is_named_and_not_repeated(what: str) -> None:
    item, place = WRONG[what]
    said = wrong(item)
    assert said.startswith(place)
    assert "xxx" not in said


@pytest.mark.parametrize("body", [None, [], "x", 7, {}, {"feedback": None}, {"feedback": {}}, {"feedback": BASE}])
def test_a_call_without_the_array_is_no_feedback(body: Any) -> None:
    with pytest.raises(UnusableInput, match="feedback must be an array"):
        understand(body, "knee", NOW)


def test_an_empty_array_is_lawful_and_an_endless_one_is_not() -> None:
    assert read() == ()
    with pytest.raises(UnusableInput, match="at most"):
        understand({"feedback": [BASE] * (MAX_ITEMS + 1)}, "knee", NOW)


def test_the_lawful_items_of_a_mixed_call_are_kept() -> None:
    found = understand({"feedback": [BASE, {"card": "x"}, {**BASE, "card": "other"}]}, "knee", NOW)
    assert [row.card for row in found.rows] == [CARD, "other"]
    assert {one.split(".")[0] for one in found.wrong} == {"feedback[1]"}


def test_what_a_database_cannot_hold_is_replaced() -> None:
    (row,) = read({**BASE, "overrideReason": {"userComment": "a\x00b\ud800c"}})
    assert row.comment == "a\ufffdb\ufffdc"


def test_a_repeat_has_the_same_identity_and_anything_else_another() -> None:
    (first,) = read({**BASE, "card": CARD.upper(), "outcomeTimestamp": "2026-03-16T14:00:00+01:00"})
    (again,) = read(BASE)
    assert first.id == again.id
    others = [
        {**BASE, "card": "x"},
        {**BASE, "outcomeTimestamp": "2026-03-16T13:00:00.000001Z"},
        {**BASE, "overrideReason": {"reason": {"code": "a"}}},
        {**BASE, "overrideReason": {"reason": {"code": "a", "system": "s"}}},
        {**BASE, "overrideReason": {"userComment": "a"}},
        {**BASE, "outcome": "accepted", "acceptedSuggestions": [{"id": "a"}]},
        {**BASE, "outcome": "accepted", "acceptedSuggestions": [{"id": "a"}, {"id": "b"}]},
    ]
    assert len({row.id for item in others for row in read(item)} | {again.id}) == len(others) + 1
    assert understand({"feedback": [BASE]}, "another service", NOW).rows[0].id != again.id


@given(
    comment=st.text(max_size=300),
    code=st.text(min_size=1, max_size=50),
    when=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)),
    hours=st.integers(-12, 14),
)
def test_any_lawful_override_comes_through_whole(comment: str, code: str, when: datetime, hours: int) -> None:
    sent = f"{when.isoformat(timespec='microseconds')}{'-' if hours < 0 else '+'}{abs(hours):02}:00"
    reason = {"reason": {"code": code}, "userComment": comment}
    (row,) = read({**BASE, "outcomeTimestamp": sent, "overrideReason": reason})
    assert row.outcome_at == when.replace(tzinfo=UTC) - timedelta(hours=hours)
    assert row.reason_code == code.replace("\x00", "\ufffd")
    assert row.comment == (comment.replace("\x00", "\ufffd") or None)


KEYS = [*BASE, "overrideReason", "overrideReasons", "reason", "acceptedSuggestions", "id", "code", "extension"]
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(item=ANYTHING | st.builds(lambda more: {**BASE, **more}, st.dictionaries(st.sampled_from(KEYS[3:]), ANYTHING)))
def test_nothing_that_is_sent_is_a_fault(item: Any) -> None:
    found = understand({"feedback": [item]}, "knee", NOW)
    assert bool(found.rows) != bool(found.wrong)

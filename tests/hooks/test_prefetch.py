"""The state of each prefetch key, whatever came under its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.hooks.prefetch import KEYS, KeyState, Part, gather, query, read_part

OBSERVATION = {"resourceType": "Observation", "id": "o1"}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
INCLUDED = {"resource": {"resourceType": "Patient"}, "search": {"mode": "include"}}
NOTE = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "value"}]}


def bundle(*resources: Any, mode: str | None = None, **more: Any) -> dict[str, Any]:
    search = {"search": {"mode": mode}} if mode else {}
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": r, **search} for r in resources],
        **more,
    }


def next_page(url: str | None) -> list[dict[str, Any]]:
    return [{"relation": "self", "url": "x"}, {"relation": "next"} | ({"url": url} if url else {})]


STATES: dict[str, tuple[Any, KeyState, int]] = {
    "null": (None, KeyState.EMPTY, 0),
    "an empty searchset": ({"resourceType": "Bundle", "type": "searchset", "total": 0}, KeyState.EMPTY, 0),
    "an empty list of entries": (bundle(), KeyState.EMPTY, 0),
    "only a note": (bundle(NOTE, mode="outcome", total=0), KeyState.EMPTY, 0),
    "one match": (bundle(OBSERVATION), KeyState.PRESENT, 1),
    "one match, counted": (bundle(OBSERVATION, total=1), KeyState.PRESENT, 1),
    "a match twice": (bundle(OBSERVATION, OBSERVATION, total=1), KeyState.PRESENT, 2),
    "a match and a note": (bundle(OBSERVATION, NOTE, total=1), KeyState.PRESENT, 1),
    "the resource itself": (OBSERVATION, KeyState.PRESENT, 1),
    "an outcome": (ERROR, KeyState.FAILED, 0),
    "even a note instead of a searchset": (NOTE, KeyState.FAILED, 0),
    "an outcome as an entry": (bundle(ERROR, mode="outcome"), KeyState.FAILED, 0),
    "an outcome beside matches": (bundle(OBSERVATION, ERROR), KeyState.FAILED, 1),
    "another resource": ({"resourceType": "Patient", "id": "x"}, KeyState.FAILED, 0),
    "only other resources": (bundle({"resourceType": "Condition", "id": "c"}), KeyState.FAILED, 0),
    "no resource": ({}, KeyState.FAILED, 0),
    "text": ("x", KeyState.FAILED, 0),
    "a number": (7, KeyState.FAILED, 0),
    "a list": ([OBSERVATION], KeyState.FAILED, 0),
    "entries that are no list": ({"resourceType": "Bundle", "entry": {"resource": OBSERVATION}}, KeyState.FAILED, 0),
    "a next page": (bundle(OBSERVATION, link=next_page("https://x")), KeyState.TRUNCATED, 1),
    "a next page without an address": (bundle(OBSERVATION, link=next_page(None)), KeyState.TRUNCATED, 1),
    "a next page and nothing on this one": (bundle(link=next_page("https://x")), KeyState.TRUNCATED, 0),
    "a greater total": (bundle(OBSERVATION, total=2), KeyState.TRUNCATED, 1),
    "a total that includes make up": (
        bundle(total=2) | {"entry": [{"resource": OBSERVATION}, INCLUDED]},
        KeyState.TRUNCATED, 2,
    ),
    "a total that is no number": (bundle(OBSERVATION, total="9"), KeyState.PRESENT, 1),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(STATES))
def test_states(what: str) -> None:
    value, state, entries = STATES[what]
    part = read_part("observations", value)
    assert (part.state, len(part.entries)) == (state, entries)
    assert bool(part.why) == (state in (KeyState.FAILED, KeyState.TRUNCATED))


def test_a_key_that_was_not_sent_is_missing_and_others_are_ignored() -> None:
    found = gather({"observations": None, "another-services-key": bundle(OBSERVATION)})
    assert [part.key for part in found.parts] == list(KEYS)
    assert {part.key: part.state for part in found.parts} == {
        key: KeyState.EMPTY if key == "observations" else KeyState.MISSING for key in KEYS
    }
    assert found.entries == ()


def test_what_failed_is_not_read_again() -> None:
    sent = {"observations": ERROR, "conditions": bundle(OBSERVATION), "procedures": None, "orders": bundle(total=3)}
    found = gather(sent)
    assert [part.key for part in found.to_read] == ["patient", "medications", "orders"]
    assert [part.key for part in found.lacking] == [
        "patient", "observations", "conditions", "medications", "orders",
    ]  # fmt: skip


def test_a_part_of_a_part_is_called_so() -> None:
    assert Part("orders", KeyState.MISSING).words == "orders"
    assert read_part("orders", bundle({"resourceType": "ServiceRequest"}, total=2)).words == "orders (not all)"
    assert read_part("orders", bundle({"resourceType": "ServiceRequest"}, ERROR)).words == "orders (not all)"
    assert read_part("orders", bundle(total=2)).words == "orders (not all)"


def test_queries_name_the_patient() -> None:
    assert query("patient", "p.1-a") == "Patient/p.1-a"
    for key in KEYS[1:]:
        assert "?patient=p.1-a&" in query(key, "p.1-a")
        assert "{" not in query(key, "p.1-a")


NAMES = ["resourceType", "entry", "resource", "link", "relation", "url", "total", "search", "mode", "issue"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "entry", "resource", "link", "relation", "url", "total", "search", "mode", "issue"]
            ),
            inner | st.sampled_from(["Bundle", "Observation", "OperationOutcome", "next", "include", "error"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(value=ANY, key=st.sampled_from(KEYS))
def test_any_value_has_a_state_and_nothing_of_it_is_lost(value: Any, key: str) -> None:
    part = read_part(key, value)
    if part.state is KeyState.EMPTY:
        rows = value.get("entry") if isinstance(value, dict) else None
        assert value is None or not rows or all(_is_outcome(row) for row in rows)
    if part.state is KeyState.PRESENT:
        assert part.entries


def _is_outcome(row: Any) -> bool:
    resource = row.get("resource") if isinstance(row, dict) else None
    is_outcome = isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome"
    return is_outcome or (isinstance(row, dict) and "resource" not in row and row.get("response") is not None)


@pytest.mark.parametrize("wrong", [0, "", False, {}, "x", {"resource": OBSERVATION}])
def test_entries_that_are_no_array_are_not_known_to_be_none(wrong: Any) -> None:
    assert read_part("observations", {"resourceType": "Bundle", "entry": wrong}).state is KeyState.FAILED

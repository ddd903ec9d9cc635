"""The state of each prefetch key, whatever came under its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.errors import UnusableInput
from cds_service.protocol.prefetch import KEYS, KeyState, Part, gather, read_part
from cds_service.protocol.queries import WHOLE
from tests.conftest import NOW

OBSERVATION = {"resourceType": "Observation", "id": "o1"}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
INCLUDED = {"resource": {"resourceType": "Patient"}, "search": {"mode": "include"}}
NOTE = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
ODD = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "value"}]}


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


def row(resource: Any = OBSERVATION, **more: Any) -> dict[str, Any]:
    return {"resource": resource, **more}


def answers(*rows: Any, kind: str = "batch-response") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(rows)}


OK, GONE = {"status": "200 OK"}, {"status": "404 Not Found"}
SUBSET = {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]}

STATES: dict[str, tuple[Any, KeyState, int]] = {
    "null": (None, KeyState.EMPTY, 0),
    "an empty searchset": ({"resourceType": "Bundle", "type": "searchset", "total": 0}, KeyState.EMPTY, 0),
    "a searchset that says no more": ({"resourceType": "Bundle", "type": "searchset"}, KeyState.EMPTY, 0),
    "an empty list of entries": (bundle(), KeyState.EMPTY, 0),
    "a total of none": ({"resourceType": "Bundle", "total": 0}, KeyState.EMPTY, 0),
    "only a note": (bundle(NOTE, mode="outcome", total=0), KeyState.EMPTY, 1),
    "one match": (bundle(OBSERVATION), KeyState.PRESENT, 1),
    "one match, counted": (bundle(OBSERVATION, total=1), KeyState.PRESENT, 1),
    "a match twice": (bundle(OBSERVATION, OBSERVATION, total=1), KeyState.PRESENT, 2),
    "a match and a note": (bundle(OBSERVATION, NOTE, total=1), KeyState.PRESENT, 2),
    "the resource itself": (OBSERVATION, KeyState.PRESENT, 1),
    "an outcome": (ERROR, KeyState.FAILED, 0),
    "even a note instead of a searchset": (NOTE, KeyState.FAILED, 0),
    "an outcome as an entry": (bundle(ERROR, mode="outcome"), KeyState.FAILED, 1),
    "an outcome beside matches": (bundle(OBSERVATION, ERROR), KeyState.FAILED, 2),
    "an outcome that calls itself a match": (bundle(OBSERVATION, ODD, mode="match"), KeyState.FAILED, 2),
    "an outcome that calls itself included": (bundle(ODD, mode="include"), KeyState.FAILED, 1),
    "another resource": ({"resourceType": "Patient", "id": "x"}, KeyState.FAILED, 1),
    "only other resources": (bundle({"resourceType": "Condition", "id": "c"}), KeyState.FAILED, 1),
    "no resource": ({}, KeyState.FAILED, 0),
    "text": ("x", KeyState.FAILED, 0),
    "a number": (7, KeyState.FAILED, 0),
    "a list": ([OBSERVATION], KeyState.FAILED, 0),
    "entries that are no list": ({"resourceType": "Bundle", "entry": {"resource": OBSERVATION}}, KeyState.FAILED, 1),
    "a next page": (bundle(OBSERVATION, link=next_page("https://x")), KeyState.TRUNCATED, 1),
    "a next page without an address": (bundle(OBSERVATION, link=next_page(None)), KeyState.TRUNCATED, 1),
    "a next page and nothing on this one": (bundle(link=next_page("https://x")), KeyState.TRUNCATED, 0),
    "a greater total": (bundle(OBSERVATION, total=2), KeyState.TRUNCATED, 1),
    "a total that includes make up": (
        bundle(total=2) | {"entry": [{"resource": OBSERVATION}, INCLUDED]},
        KeyState.TRUNCATED, 2,
    ),
    "a bare Bundle": ({"resourceType": "Bundle"}, KeyState.FAILED, 0),
    "a Bundle of nothing but a name": ({"resourceType": "Bundle", "id": "b", "meta": {}}, KeyState.FAILED, 0),
    "no answer to a batch": (answers(), KeyState.FAILED, 0),
    "a type of no list": (answers(kind="Searchset"), KeyState.FAILED, 0),
    "a type that is none": ({"resourceType": "Bundle", "type": ["searchset"]}, KeyState.FAILED, 0),
    "a batch with its answer": (answers(row(response=OK)), KeyState.PRESENT, 1),
    "a batch, one refused": (answers(row(response=OK), {"response": GONE}), KeyState.FAILED, 2),
    "a batch, one broken": (answers(row(response={"status": "500"})), KeyState.FAILED, 1),
    "a batch, one with a number": (answers(row(response={"status": 403})), KeyState.FAILED, 1),
    "a batch, one without a status": (answers(row(response={"etag": "1"})), KeyState.FAILED, 1),
    "a batch, one moved": (answers(row(response={"status": "301"})), KeyState.FAILED, 1),
    "a batch, one with a text": (answers(row(response="200 OK")), KeyState.FAILED, 1),
    "a batch, one with an error": (answers(row(response={**OK, "outcome": ERROR})), KeyState.FAILED, 1),
    "a batch, one with a note": (answers(row(response={**OK, "outcome": NOTE})), KeyState.PRESENT, 1),
    "a batch, one with a wrong outcome": (answers(row(response={**OK, "outcome": "fine"})), KeyState.FAILED, 1),
    "a batch, one without a resource": (answers(row(response=OK), {"response": OK}), KeyState.TRUNCATED, 2),
    "a searchset in a batch": (answers(row(bundle(OBSERVATION), response=OK)), KeyState.FAILED, 1),
    "a Bundle in a Bundle": (bundle(OBSERVATION, bundle(OBSERVATION)), KeyState.TRUNCATED, 2),
    "an included Bundle": (bundle(bundle(OBSERVATION), mode="include"), KeyState.TRUNCATED, 1),
    "a row of an address": (answers(row(), {"fullUrl": "urn:uuid:1"}, kind="searchset"), KeyState.TRUNCATED, 2),
    "a row of null": (answers(row(), None, kind="searchset"), KeyState.TRUNCATED, 2),
    "a row with null": (answers(row(), row(None), kind="searchset"), KeyState.TRUNCATED, 2),
    "a row with no type": (answers(row(), row({"id": "x"}), kind="searchset"), KeyState.TRUNCATED, 2),
    "a row with a type that is none": (answers(row({"resourceType": 7}), kind="searchset"), KeyState.TRUNCATED, 1),
    "a row with a modifier": (answers(row(modifierExtension=[{"url": "x"}])), KeyState.TRUNCATED, 1),
    "a total as text": (bundle(OBSERVATION, total="1"), KeyState.TRUNCATED, 1),
    "a total of none as text": (bundle(total="0"), KeyState.TRUNCATED, 0),
    "a decimal total": (bundle(OBSERVATION, total=1.0), KeyState.TRUNCATED, 1),
    "a total of truth": (bundle(OBSERVATION, total=True), KeyState.TRUNCATED, 1),
    "a total below none": (bundle(total=-1), KeyState.TRUNCATED, 0),
    "a total in a list": (bundle(total=[0]), KeyState.TRUNCATED, 0),
    "no total": (bundle(OBSERVATION, total=None), KeyState.PRESENT, 1),
    "one link": (bundle(OBSERVATION, link=next_page("https://x")[1]), KeyState.TRUNCATED, 1),
    "a link to itself as an object": (bundle(OBSERVATION, link={"relation": "self"}), KeyState.TRUNCATED, 1),
    "a link as text": (bundle(OBSERVATION, link="https://x?page=2"), KeyState.TRUNCATED, 1),
    "links that are none": (bundle(OBSERVATION, link=[None]), KeyState.TRUNCATED, 1),
    "a link that says not whereto": (bundle(OBSERVATION, link=[{"url": "https://x"}]), KeyState.TRUNCATED, 1),
    "a next page in capitals": (bundle(OBSERVATION, link=[{"relation": "NEXT"}]), KeyState.TRUNCATED, 1),
    "a next page with blanks": (bundle(OBSERVATION, link=[{"relation": " next"}]), KeyState.TRUNCATED, 1),
    "a next page in a list": (bundle(OBSERVATION, link=[{"relation": ["next"]}]), KeyState.TRUNCATED, 1),
    "links to itself and the first": (
        bundle(OBSERVATION, link=[{"relation": "self", "url": "x"}, {"relation": "first"}]), KeyState.PRESENT, 1,
    ),
    "a subset": (bundle(OBSERVATION, meta=SUBSET), KeyState.TRUNCATED, 1),
    "a subset of nothing": (bundle(meta=SUBSET), KeyState.TRUNCATED, 0),
    "a subset by one tag": (bundle(OBSERVATION, meta={"tag": {"code": "subsetted"}}), KeyState.TRUNCATED, 1),
    "another tag": (bundle(OBSERVATION, meta={"tag": [{"code": "ACTIONABLE"}]}), KeyState.PRESENT, 1),
    "rules of its own": (bundle(OBSERVATION, implicitRules="https://x.example/rules"), KeyState.FAILED, 1),
    "rules of its own for nothing": (bundle(implicitRules="https://x.example/rules"), KeyState.FAILED, 0),
    "rules that are none": (bundle(OBSERVATION, implicitRules={}), KeyState.FAILED, 1),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(STATES))
def test_states(what: str) -> None:
    value, state, entries = STATES[what]
    part = read_part("observations", value)
    assert (part.state, len(part.entries)) == (state, entries)
    assert bool(part.why) == (state in (KeyState.FAILED, KeyState.TRUNCATED))


def issue(severity: Any, code: Any, *details: Any, **more: Any) -> dict[str, Any]:
    coding = {"details": {"coding": [{"code": one} for one in details]}} if details else {}
    return {"severity": severity, "code": code, **coding, **more}


NONE = (
    issue("warning", "processing", "4101"),
    issue("information", "not-found", "4101"),
    issue("information", "not-found"),
)
"""Issues that say: no results."""
NOTES = (issue("information", "informational"), issue("warning", "informational"), issue("information", "success"))
TROUBLE: tuple[Any, ...] = (
    *(
        issue(severity, code)
        for severity in ("information", "warning", "error", "fatal")
        for code in (
            "incomplete", "suppressed", "throttled", "timeout", "transient", "too-costly", "security", "no-store",
            "exception", "forbidden", "login", "expired", "lock-error", "processing", "not-supported", "value",
            "deleted", "conflict", "multiple-matches", "of-no-list", "", None, 7, ["informational"],
        )
    ),
    issue("error", "informational"), issue("fatal", "success"), issue("warning", "not-found"), issue(None, "success"),
    issue("Information", "informational"), issue("error", "processing", "4101"), issue("warning", "suppressed", "4101"),
    issue("warning", "processing", "4119"), issue("warning", "processing", "4101", "4119"),
    issue("warning", "processing", "4101", None), issue("warning", "processing", details={"coding": {"code": "4101"}}),
    issue("warning", "processing", details="4101"), issue("information", "success", modifierExtension=[{"url": "x"}]),
    # A note in words may say that something was left out.
    issue("information", "informational", diagnostics="Some results were omitted"),
    issue("information", "informational", diagnostics="You are not authorized to see all conditions"),
    issue("warning", "informational", details={"text": "results limited to 100"}),
    {}, None, "informational", [],
)  # fmt: skip


def outcome(*issues: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues), **more}


@pytest.mark.parametrize("said", [*NONE, *NOTES], ids=str)
def test_outcomes_that_take_nothing_away(said: Any) -> None:
    assert read_part("orders", bundle(outcome(said), total=0)).state is KeyState.EMPTY
    assert read_part("observations", bundle(OBSERVATION, outcome(said, *NOTES))).state is KeyState.PRESENT
    alone = read_part("observations", outcome(said))
    assert alone.state is (KeyState.EMPTY if said in NONE else KeyState.FAILED)
    assert read_part("patient", outcome(said)).state is KeyState.FAILED


@pytest.mark.parametrize("said", TROUBLE, ids=str)
def test_any_other_outcome_means_that_not_all_came(said: Any) -> None:
    for issues in ([said], [NOTES[0], said], [said, NONE[0]]):
        trouble = outcome(*issues)
        for value in (trouble, bundle(trouble, total=0), bundle(OBSERVATION, trouble), bundle(trouble, mode="outcome")):
            part = read_part("observations", value)
            assert (part.state, part.why) == (KeyState.FAILED, "operation_outcome")
        assert read_part("observations", bundle(OBSERVATION, trouble)).entries[0].identity == "o1"


@pytest.mark.parametrize(
    "value",
    [
        outcome(),
        {"resourceType": "OperationOutcome"},
        outcome() | {"issue": NOTES[0]},
        outcome() | {"issue": "none"},
        outcome(NONE[0], implicitRules="https://x.example/rules"),
    ],
)
def test_outcomes_without_a_clear_issue(value: Any) -> None:
    for sent in (value, bundle(value, total=0)):
        assert read_part("conditions", sent).state is KeyState.FAILED


def test_every_row_is_handed_on() -> None:
    rows = [row(), None, "x", {}, row(ERROR), {"response": GONE}, row({"resourceType": "Bundle"}), row(7)]
    part = read_part("observations", answers(*rows))
    kinds = ["Observation", None, None, None, "OperationOutcome", None, "Bundle", None]
    assert [entry.kind for entry in part.entries] == kinds


def test_a_key_that_was_not_sent_is_missing() -> None:
    found = gather({"observations": None})
    assert [part.key for part in found.parts] == list(KEYS)
    assert {part.key: part.state for part in found.parts} == {
        key: KeyState.EMPTY if key == "observations" else KeyState.MISSING for key in KEYS
    }
    assert found.entries == ()


def test_keys_of_the_sites_own_are_read_by_what_they_hold() -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    sent = {
        "everything": bundle({"resourceType": "Patient", "id": "other"}, OBSERVATION, NOTE),
        "encounters": bundle({"resourceType": "Encounter", "id": "e"}),
        "report": {"resourceType": "DiagnosticReport", "id": "r"},
        "none": None,
        "empty": bundle(),
        "patient": patient,
    }
    found = gather(sent)
    kinds = ["Patient", "Patient", "Observation", "OperationOutcome", "Encounter", "DiagnosticReport"]
    assert [entry.kind for entry in found.entries] == kinds
    assert found.entries[0].resource == patient
    assert (found.unused, [part.key for part in found.others]) == ((), [""] * 5)
    found.check_patient("p")
    found.check("p")


UNUSABLE: tuple[Any, ...] = (
    ERROR, NOTE, {}, "x", 7, [], [OBSERVATION], {"resourceType": "Bundle"}, bundle(ERROR), bundle(None),
    bundle(bundle()), bundle(total="0"), {"resourceType": "Bundle", "entry": "nonsense"},
)  # fmt: skip


@pytest.mark.parametrize("value", UNUSABLE, ids=str)
def test_keys_of_the_sites_own_that_bring_nothing_are_named(value: Any) -> None:
    found = gather({"observations": bundle(OBSERVATION), "x": value, "y": None, "z": value})
    assert found.unused == ("x", "z")
    assert len([entry for entry in found.entries if entry.kind != "Bundle"]) == 1


def test_a_name_that_is_no_plain_word_is_not_shown() -> None:
    names = ("site_scans-2", "Eva Muster", "<b>", "", "a" * 65, "b" * 64, "\u00fc")
    found = gather({"observations": bundle(OBSERVATION), **dict.fromkeys(names, 7)})
    hidden = "(name not shown)"
    assert found.unused == ("site_scans-2", hidden, hidden, hidden, hidden, "b" * 64, hidden)
    many = gather({f"k{number}": 7 for number in range(30)})
    assert many.unused == (*(f"k{number}" for number in range(20)), "(and 10 more)")


def test_a_key_of_another_kind_is_read_all_the_same() -> None:
    condition = {"resourceType": "Condition", "id": "c"}
    for value in (condition, bundle(condition)):
        found = gather({"observations": value})
        assert [entry.identity for entry in found.entries] == ["c"]
        assert found.parts[1].words == "observations"
    found = gather({"patient": bundle({"resourceType": "Patient", "id": "p"})})
    assert found.parts[0].state is KeyState.PRESENT
    found.check_patient("p")
    with pytest.raises(UnusableInput):
        found.check_patient("q")


def test_what_failed_is_not_read_again() -> None:
    sent = {"observations": ERROR, "conditions": bundle(OBSERVATION), "procedures": None, "orders": bundle(total=3)}
    found = gather(sent)
    assert [part.key for part in found.to_read] == ["patient", "medications", "medication_statements", "orders"]
    assert [part.key for part in found.incomplete] == [
        "patient", "observations", "conditions", "medications", "orders",
    ]  # fmt: skip


def test_a_part_of_a_part_is_called_so() -> None:
    assert read_part("patient", bundle({"resourceType": "Patient"}, ERROR)).words == "patient details"
    assert Part("orders", KeyState.MISSING).words == "orders"
    assert read_part("orders", bundle({"resourceType": "ServiceRequest"}, total=2)).words == "orders (not all)"
    assert read_part("orders", bundle({"resourceType": "ServiceRequest"}, ERROR)).words == "orders (not all)"
    assert read_part("orders", bundle(total=2)).words == "orders (not all)"


def test_queries_name_the_patient() -> None:
    for search in WHOLE.searches:
        asked = search.asked("p.1-a", "e1", NOW.date())
        assert asked is not None
        assert asked.startswith(("Patient/p.1-a", "Encounter/e1")) or "?patient=p.1-a&" in asked
        assert "{" not in asked


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "type", "entry", "resource", "link", "relation", "url", "total", "response", "issue"]
            ),
            inner | st.sampled_from(["Bundle", "Observation", "OperationOutcome", "next", "searchset", "error"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(value=ANY, key=st.sampled_from(KEYS))
def test_any_value_has_a_state_and_nothing_of_it_is_lost(value: Any, key: str) -> None:
    part = read_part(key, value)
    rows = value.get("entry") if isinstance(value, dict) else None
    if isinstance(rows, list) and value.get("resourceType") == "Bundle":
        assert len(part.entries) == len(rows)
    if part.state is KeyState.EMPTY:
        is_known = value is None or value.get("type") or value.get("total") == 0 or rows is not None
        assert is_known or value.get("resourceType") == "OperationOutcome"
        assert not rows or all(map(_is_outcome, rows))
    if part.state is KeyState.PRESENT:
        assert part.entries


def _is_outcome(row: Any) -> bool:
    resource = row.get("resource") if isinstance(row, dict) else None
    return isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome"


@pytest.mark.parametrize("wrong", [0, "", False, {}, "x", {"resource": OBSERVATION}])
def test_entries_that_are_no_array_are_not_known_to_be_none(wrong: Any) -> None:
    assert read_part("observations", {"resourceType": "Bundle", "entry": wrong}).state is KeyState.FAILED

"""A body read by its rows says the same as the body read whole, whatever its layout and whatever is wrong with it."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.errors import KneeCdsError, TooLarge, UnusableInput
from cds_service.base.strict_json import JsonLimits, parse
from cds_service.clinical.reading import read_record
from cds_service.clinical.record import Record
from cds_service.protocol.body import read_call_body
from cds_service.protocol.bundle_rows import Rows, UnparsedEntry
from cds_service.protocol.prefetch import Prefetched, gather
from cds_service.service.examples import as_request
from tests.bench.bodies import body, relevant_of
from tests.conftest import NOW, bundle, shipped_service, stories
from tests.mutations import ANYTHING, FAULTS, HARMLESS, mutate, written

LIMITS = JsonLimits(64, 10_000)
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


def chart(value: Any) -> tuple[Prefetched, Record]:
    """What came, and what it says."""
    prefetched = gather(value["prefetch"])
    who = value["context"]["patientId"]
    return prefetched, read_record(shipped_service().content, who, prefetched.entries, NOW)


def states(prefetched: Prefetched) -> list[Any]:
    every = (*prefetched.parts, *prefetched.others)
    return [(one.key, one.state, one.why, one.next_page, one.matches, one.total, len(one.entries)) for one in every]


def check_the_same(raw: bytes) -> None:
    by_rows, whole = chart(read_call_body(raw, LIMITS)), chart(parse(raw, LIMITS))
    assert states(by_rows[0]) == states(whole[0])
    assert by_rows[1] == whole[1]


def rows_of(value: Any) -> list[str]:
    return [
        key for key, one in value["prefetch"].items() if isinstance(one, dict) and isinstance(one.get("entry"), Rows)
    ]


LAYOUTS = {
    "compact": lambda value: orjson.dumps(value),
    "with blanks": lambda value: json.dumps(value).encode(),
    "indented": lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2),
    "escaped": lambda value: json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode(),
    "tabs": lambda value: json.dumps(value, indent="\t").encode(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", sorted(stories())[::7])
def test_every_layout(name: str, layout: str) -> None:
    value = as_request(bundle(name), INSTANCE)
    value["prefetch"]["patient"]["name"] = [{"family": "Inventée", "text": 'of "quotes" \\ and {brackets]'}]
    check_the_same(LAYOUTS[layout](value))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_cut_out_of_common_layouts_and_only_what_concerns_is_parsed(layout: str) -> None:
    value = read_call_body(LAYOUTS[layout](orjson.loads(body(200, relevant_of(200)))), LIMITS)
    assert rows_of(value) == ["observations"]
    prefetched, record = chart(value)
    parsed = [one for one in prefetched.entries if isinstance(one, UnparsedEntry) and one._resource is not None]
    assert len(parsed) == relevant_of(200) == len(record.facts)
    of_concern = [one for one in prefetched.entries if isinstance(one, UnparsedEntry) and one._head is not None]
    assert len(of_concern) == relevant_of(200)  # a glance is enough for the others
    check_the_same(LAYOUTS[layout](orjson.loads(body(200, 3))))


ODD_ROWS: tuple[Any, ...] = (
    {"response": {"status": "200 OK"}}, {"response": {"status": "404"}}, {"response": "x"}, {"response": {}},
    {"modifierExtension": [{"url": "x"}]}, {"resource": None}, {"resource": {"resourceType": "Bundle"}},
    {"resource": {"resourceType": "OperationOutcome", "issue": []}}, {"fullUrl": 7}, {"search": "match"},
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD_ROWS, ids=str)
def test_rows_that_are_odd(odd: dict[str, Any]) -> None:
    """In place of a row's own parts, under a key of ours and one of the site's own."""
    value = orjson.loads(body(30, 3))
    value["prefetch"]["observations"]["entry"][7] |= odd
    value["prefetch"]["more"] = orjson.loads(orjson.dumps(value["prefetch"]["observations"]))
    raw = orjson.dumps(value)
    assert rows_of(read_call_body(raw, LIMITS)) == ["observations", "more"]
    check_the_same(raw)


@pytest.mark.parametrize("kind", ["Observation", "bundle", None, 7], ids=str)
def test_what_looks_like_rows_in_something_else(kind: Any) -> None:
    """It is looked at whole, so that what it may be about is seen."""
    value = orjson.loads(body(30, 3))
    value["prefetch"]["observations"]["resourceType"] = kind
    raw = orjson.dumps(value)
    assert rows_of(read_call_body(raw, LIMITS)) == []
    check_the_same(raw)


@given(st.sampled_from(sorted(stories())), st.randoms(use_true_random=True))
def test_damaged_charts(name: str, dice: Random) -> None:
    value = orjson.loads(orjson.dumps(as_request(bundle(name), INSTANCE)))
    mutate(dice, value, (*ANYTHING, *FAULTS, *HARMLESS), 4)
    raw = written(value)
    try:
        whole = parse(raw, LIMITS)
        expected = chart(whole)
    except (KneeCdsError, AttributeError, TypeError, KeyError):
        return  # no chart at all, or refused as a whole; what rows may skip is told in the next tests
    found = chart(read_call_body(raw, LIMITS))
    assert states(found[0]) == states(expected[0])
    assert found[1] == expected[1]


def spoilt(old: bytes, new: bytes, count: int = 1, *, observations: int = 30) -> bytes:
    raw = body(observations, 3)
    assert raw.count(old) >= count
    return raw.replace(old, new, count)


@pytest.mark.parametrize(
    "raw",
    [
        spoilt(b'"hook":', b'"hook":"x","hook":'),
        spoilt(b'"observations":', b'"observations":null,"observations":'),
        spoilt(b'"entry":', b'"entry":[],"entry":'),
        spoilt(b'"valueBoolean":true', b'"valueBoolean":false,"valueBoolean":true'),
        spoilt(b'"resource":{', b'"resource":{"resourceType":"X"},"resource":{'),
    ],
    ids=["top", "prefetch", "rows", "a relevant resource", "a relevant row"],
)
def test_a_key_twice_in_what_is_read(raw: bytes) -> None:
    with pytest.raises(UnusableInput, match="a duplicate key"):
        chart(read_call_body(raw, LIMITS))


def test_the_same_rows_twice_under_one_key() -> None:
    raw = body(30, 3)
    start, end = raw.index(b'"entry":['), raw.index(b'},"conditions"')
    twice = raw[:start] + raw[start:end] + b"," + raw[start:]
    with pytest.raises(UnusableInput, match="a duplicate key"):
        read_call_body(twice, LIMITS)


def test_the_same_rows_elsewhere_are_not_taken_for_those_of_the_chart() -> None:
    value = orjson.loads(body(30, 3))
    rows = value["prefetch"]["observations"]["entry"]
    elsewhere = orjson.dumps({"extension": {"x": rows}, **value})
    assert not rows_of(read_call_body(elsewhere, LIMITS))
    check_the_same(elsewhere)


def test_limits_hold_for_rows_too() -> None:
    with pytest.raises(TooLarge, match="at most 100 resources"):
        read_call_body(body(101, 3), JsonLimits(64, 100))
    shapes = b'{"coding":[' + b",".join([b"{}"] * 700_000) + b"]}"
    with pytest.raises(TooLarge, match="objects and arrays"):
        read_call_body(spoilt(b'"category":', b'"method":' + shapes + b',"category":'), LIMITS)
    deep = b"[" * 70 + b"]" * 70
    with pytest.raises(UnusableInput, match="nested deeper"):
        chart(read_call_body(spoilt(b'"valueBoolean":true', b'"x":' + deep + b',"valueBoolean":true'), LIMITS))
    endless = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(UnusableInput, match="nested deeper"):
        read_call_body(spoilt(b'"category":', b'"x":' + endless + b',"category":'), LIMITS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"Invented Nurse"', b'"Invented \xff"'),
        (b'"versionId":"1"', b'"versionId":01'),
        (b'"versionId":"1"', b'"versionId":NaN'),
        (b'"versionId":"1"', b'"versionId":"\x01"'),
        (b'"versionId":"1"', b'"versionId":"1",'),
    ],
)
def test_what_is_skipped_is_json_all_the_same(old: bytes, new: bytes) -> None:
    raw = body(30, 3)
    last = raw.rindex(old)  # in a row of no concern
    with pytest.raises(UnusableInput, match="not JSON"):
        read_call_body(raw[:last] + new + raw[last + len(old) :], LIMITS)


def test_a_code_of_the_wrong_type_in_any_row_is_named() -> None:
    raw = body(30, 3)
    place = raw.rindex(b'"code":{"coding"')
    spoilt_row = raw[:place] + b'"code":7,"x":{"coding"' + raw[place + len(b'"code":{"coding"') :]
    assert [one.kind.value for one in chart(read_call_body(spoilt_row, LIMITS))[1].unread] == ["invalid"]
    check_the_same(spoilt_row)


@pytest.mark.parametrize("status", [["active"], {}, [], 7, None], ids=str)
def test_a_document_with_a_status_of_the_wrong_type_does_not_end_the_call(status: Any) -> None:
    """FHIR's status is one word. A sender's mistake in one row must not lose the cards of the whole chart."""
    value = orjson.loads(body(30, 3))
    owner = {"reference": f"Patient/{value['context']['patientId']}"}
    row = {"resourceType": "CarePlan", "id": "plan", "status": status, "subject": owner}
    value["prefetch"]["observations"]["entry"].append({"resource": row})
    raw = orjson.dumps(value)
    check_the_same(raw)
    assert chart(parse(raw, LIMITS))[1].ledger

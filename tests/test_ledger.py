"""The ledger: every row is accounted for, and no row that became unintelligible removes a card unreported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.base.errors import KneeCdsError, NothingToJudgeBy
from cds_service.clinical.record import Record, RowState
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Answer
from cds_service.service.examples import as_request
from tests.cases import check_all
from tests.charts import LOINC, UCUM, concept, observation
from tests.conftest import LONG, NOW, bundle, one_in, shipped_service, stories
from tests.mutations import ANYTHING, FAULTS, HARMLESS, mutate, written
from tests.unintelligible import WAYS

NAMES = sorted(stories())
URGENT = [name for name in NAMES if stories()[name]["urgent"]]
ROWS_OF_CONCERN = (
    "Observation",
    "Condition",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
    "ServiceRequest",
)
SAYS_WHY = (
    "Not read",
    "Not available",
    "cannot be excluded",
    "Not judged",
    "not understood",
    "not available",
    "could not be identified",
)


def judged(body: dict[str, Any]) -> Answer:
    """The answer to a call. Raises NothingToJudgeBy for 412."""
    request = HookRequest.model_validate(orjson.loads(orjson.dumps(body)))
    return shipped_service().answer(request, gather(request.prefetch), NOW)


def rows_of(body: dict[str, Any]) -> list[tuple[list[Any], int]]:
    """Each row of the prefetched Bundles as its list and its place."""
    lists = [value["entry"] for value in body["prefetch"].values() if isinstance(value, dict) and "entry" in value]
    return [(entries, place) for entries in lists for place in range(len(entries))]


def balance(record: Record) -> None:
    assert sum(line.count for line in record.ledger) == record.entries
    assert all(line.count > 0 for line in record.ledger)
    assert len({(line.state, line.resource, line.reason) for line in record.ledger}) == len(record.ledger)


def test_every_row_of_an_example_is_accounted_for() -> None:
    def check(name: str) -> None:
        body = as_request(bundle(name), str(uuid4()))
        record = judged(body).assessment.record
        balance(record)
        assert record.entries == len(rows_of(body)) + 1  # and the Patient

    check_all(NAMES, check)


def test_each_state_is_reached() -> None:
    bodies = [as_request(bundle(name), str(uuid4())) for name in NAMES]
    entries = next(body["prefetch"]["observations"]["entry"] for body in bodies if body["prefetch"]["observations"])
    entries.append({"resource": old_number(entries[0]["resource"]["subject"])})
    reached = {line.state for body in bodies for line in judged(body).assessment.record.ledger}
    assert reached == set(RowState)


def old_number(subject: dict[str, Any]) -> dict[str, Any]:
    """A heart rate that no rule looks at any more; what an example holds is recent."""
    value = {"value": 71, "unit": "/min", "system": UCUM, "code": "/min"}
    return observation(concept((LOINC, "8867-4")), ago=400, valueQuantity=value) | {"subject": subject}


def check_balance(name: str, dice: Random) -> None:
    """However a chart is damaged, the sum of the ledger is the number of its rows."""
    body = as_request(bundle(name), str(uuid4()))
    mutate(dice, body, (*ANYTHING, *FAULTS, *HARMLESS), 6)
    try:
        request = HookRequest.model_validate(orjson.loads(written(body)))
        prefetched = gather(request.prefetch)
        record = shipped_service().answer(request, prefetched, NOW).assessment.record
    except (KneeCdsError, ValueError):  # refused as a whole, with an error
        return
    balance(record)
    assert record.entries == len(prefetched.entries)


@given(name=st.sampled_from(NAMES), dice=st.randoms(use_true_random=True))
@settings(max_examples=150)
def test_the_ledger_balances_for_damaged_charts(name: str, dice: Random) -> None:
    check_balance(name, dice)


@pytest.mark.long
@given(name=st.sampled_from(NAMES), dice=st.randoms(use_true_random=True))
@settings(max_examples=20_000)
def test_the_ledger_balances_for_many_more(name: str, dice: Random) -> None:
    check_balance(name, dice)


def changed(name: str, place: int, way: str) -> dict[str, Any]:
    """A call with one row of an example made unintelligible."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(as_request(bundle(name), str(uuid4()))))
    entries, at = rows_of(body)[place]
    entries[at] = WAYS[way](entries[at])
    return body


def check_states(name: str, place: int, way: str) -> None:
    """A row of concern ends as read or as not understood, whatever was done to it."""
    whole = as_request(bundle(name), str(uuid4()))
    before = judged(whole).assessment.record
    try:
        after = judged(changed(name, place, way)).assessment.record
    except NothingToJudgeBy:
        return
    for state in (RowState.NO_CONCERN, RowState.ANOTHER_PATIENT, RowState.ENDED):
        assert after.rows(state) <= before.rows(state), f"{way}: one more row is {state}"


def silent_about(before: tuple[Card, ...], after: tuple[Card, ...]) -> str:
    """What is wrong with the cards of a damaged chart; empty if nothing is."""
    if not after:
        return "no card at all"
    lost = {card.rule for card in before if card.indicator != "info"} - {card.rule for card in after}
    lowered = [
        card.rule
        for card in before
        if card.indicator == "critical" and card.rule in {c.rule for c in after if c.indicator == "warning"}
    ]
    if not (lost or lowered):
        return ""
    words = " ".join(f"{card.summary} {card.detail}" for card in after)
    return "" if any(said in words for said in SAYS_WHY) else f"{sorted(lost) or lowered} lost unreported"


def ways_for(name: str, place: int) -> Sequence[str]:
    """Otherwise than in the long profile every tenth, beginning elsewhere for each row and chart: all are met often."""
    return one_in(10, sorted(WAYS), URGENT.index(name) + place)


def check_cards(name: str) -> Counter[str]:
    """Make each row of an example unintelligible, in one way at a time. Returns the ways of the charts judged."""
    before = judged(as_request(bundle(name), str(uuid4()))).cards
    places = len(rows_of(as_request(bundle(name), str(uuid4()))))
    wrong, tried = [], Counter[str]()
    for place in range(places):
        for way in ways_for(name, place):
            tried[way] += 1
            try:
                after = judged(changed(name, place, way)).cards
            except NothingToJudgeBy:
                continue  # 412 is an answer that says what is lacking
            if said := silent_about(before, after):
                wrong.append(f"row {place}, {way}: {said}")
    assert not wrong, f"{name}: {len(wrong)} of {tried.total()}: " + "; ".join(wrong[:8])
    return tried


@pytest.mark.parametrize("part", range(4))
def test_no_unintelligible_row_hides_an_urgent_card(part: int) -> None:
    tried = Counter[str]()
    check_all(URGENT[part::4], lambda name: tried.update(check_cards(name)))
    assert set(tried) == set(WAYS)
    assert min(tried.values()) >= 5


@given(name=st.sampled_from(URGENT), place=st.integers(0, 60), way=st.sampled_from(sorted(WAYS)))
@settings(max_examples=3000 if LONG else 100)
def test_a_row_of_concern_is_read_or_not_understood(name: str, place: int, way: str) -> None:
    kinds = [entries[at]["resource"]["resourceType"] for entries, at in rows_of(as_request(bundle(name), "x"))]
    place %= len(kinds)
    if kinds[place] in ROWS_OF_CONCERN:
        check_states(name, place, way)

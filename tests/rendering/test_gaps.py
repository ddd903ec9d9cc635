"""What a part of the chart that did not come does to the answer: never a silence that reads as "no DVT"."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.base.errors import NothingToJudgeBy
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import DVT_NEEDS, KEYS, gather
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request
from tests.conftest import LONG, NOW, bundle, shipped_service, stories

FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def cards_of(service: Service, name: str, *missing: str, **values: Any) -> tuple[Card, ...]:
    """The cards for an example without some prefetch keys, others replaced."""
    body = as_request(bundle(name), str(uuid4()))
    body["prefetch"] = {key: value for key, value in body["prefetch"].items() if key not in missing} | values
    request = HookRequest.model_validate(body)
    return service.answer(request, gather(request.prefetch), NOW).cards


WITH_DVT = [name for name, story in stories().items() if "RF01" in story["urgent"]]
SUBSETS = [
    lost for count in (1, 2, 3) for lost in itertools.combinations(("observations", "conditions", "procedures"), count)
]


def test_examples_with_a_dvt_card_are_known() -> None:
    assert len(WITH_DVT) > 20


@pytest.mark.parametrize("name", WITH_DVT)
def test_a_missed_part_never_hides_a_dvt_in_silence(service: Service, name: str) -> None:
    for lost in SUBSETS:
        try:
            cards = cards_of(service, name, *lost)
        except NothingToJudgeBy as error:
            assert set(error.keys) <= set(lost)  # noqa: PT017 - either answer is lawful here
            continue
        shown = {card.rule for card in cards}
        said = cards and cards[0].detail.startswith("**DVT cannot be excluded:**")
        assert "RF01" in shown or "RF17" in shown or said, f"{name} without {lost}: {shown}"


def test_the_gap_comes_first_on_the_card_there_is(service: Service) -> None:
    (card,) = cards_of(service, "worked-case-4", "conditions")
    assert card.summary.startswith("DVT cannot be excluded, right leg (problems not available); fitting: ")
    assert card.detail.startswith("**DVT cannot be excluded:** problems not available to this service.")


def test_procedures_count_for_new_pain_only(service: Service) -> None:
    """An operation is a risk, and a risk alone opens a suspicion for a new pain only (evidence C.5)."""
    (new,) = cards_of(service, "worked-case-4", "procedures")
    (old,) = cards_of(service, "worked-case-1", "procedures")
    assert new.detail.startswith("**DVT cannot be excluded:** procedures")
    assert "Not available: procedures." in old.detail
    assert "cannot be excluded" not in old.summary


def test_medicines_count_when_a_cancer_is_on_record(service: Service) -> None:
    """They may show it to be under treatment, which is a major risk (NG158)."""
    cancer = {
        "resourceType": "Condition",
        "id": "cancer",
        "subject": {"reference": "Patient/worked-case-4"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "onsetDateTime": "2020-01-01",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C50.911"}]},
    }
    with_cancer = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": cancer}]}
    (without,) = cards_of(service, "worked-case-4", "medications")
    (card,) = cards_of(service, "worked-case-4", "medications", conditions=with_cancer)
    assert "Not available: medicines." in without.detail
    assert card.detail.startswith("**DVT cannot be excluded:** medicines not available to this service.")


def test_what_dvt_does_not_need_is_only_named(service: Service) -> None:
    (card,) = cards_of(service, "worked-case-4", "orders", medications=FAILED)
    assert "Not available: medicines and orders." in card.detail


def test_a_complaint_without_any_other_card_says_so(service: Service) -> None:
    (card,) = cards_of(service, "bakers-cyst-typical", "observations")
    assert (card.rule, card.indicator, card.source.topic.code) == ("gap", "info", "kneegap1")
    assert card.summary == "DVT cannot be excluded, left leg: observations not available to this service."
    assert "**Recorded:** pain behind the knee" in card.detail


def test_new_pain_without_its_signs_is_asked_about_with_the_link_and_the_safety_net(service: Service) -> None:
    """A gap must not cost what new pain gets in any case (evidence G, first row)."""
    asked = set()
    for name in stories():
        for lost in SUBSETS[:3]:
            body = as_request(bundle(name), str(uuid4()))
            prefetch = {key: value for key, value in body["prefetch"].items() if key not in lost}
            request = HookRequest.model_validate(body | {"prefetch": prefetch})
            try:
                answer = service.answer(request, gather(request.prefetch), NOW)
            except NothingToJudgeBy:
                continue
            for card in answer.cards:
                if card.rule == "gap" and "**DVT suspected?**" in card.detail:
                    assert "**Safety net:**" in card.detail
                    assert card.links
                    asked.add(name)
                elif card.rule == "gap":
                    # The question is for adults with a pain of 14 days or less.
                    adult = not answer.assessment.under_18
                    assert not (adult and any(leg.dvt.new_pain for leg in answer.assessment.legs)), (name, lost)
    assert asked


def test_a_suspicion_that_stands_is_not_weakened(service: Service) -> None:
    card = cards_of(service, "dvt-likely", "procedures", "conditions")[0]
    assert card.rule == "RF01"
    assert card.indicator == "critical"
    assert "Not available: problems and procedures." in card.detail


@pytest.mark.parametrize("lost", ["observations", "conditions"])
def test_no_complaint_in_half_a_chart_is_no_answer(service: Service, lost: str) -> None:
    assert cards_of(service, "nothing-at-all") == ()
    with pytest.raises(NothingToJudgeBy) as caught:
        cards_of(service, "nothing-at-all", lost)
    assert list(caught.value.keys) == [lost]
    page = {"resourceType": "Bundle", "type": "searchset", "total": 5, "entry": []}
    with pytest.raises(NothingToJudgeBy, match="only one page was received"):
        cards_of(service, "nothing-at-all", **{lost: page})


def test_no_complaint_and_a_lesser_part_missing_is_silence(service: Service) -> None:
    assert cards_of(service, "nothing-at-all", "procedures", "medications", "orders", "patient") == ()


def test_every_key_the_dvt_decision_needs_is_a_key() -> None:
    assert set(DVT_NEEDS) < set(KEYS)


def spoilt(value: Any, how: str, kept: int) -> Any:
    """One key as it may come: whole, not at all, failed, or only some of its entries."""
    if how == "failed":
        return FAILED
    entries = (value or {}).get("entry", []) if isinstance(value, dict) else []
    if how == "page" and entries:
        return {**value, "entry": entries[: kept % (len(entries) + 1)], "total": len(entries) + 1}
    return value


@given(
    name=st.sampled_from(WITH_DVT),
    how=st.lists(st.sampled_from(["whole", "missing", "failed", "page"]), min_size=6, max_size=6),
    kept=st.integers(0, 20),
)
@settings(max_examples=3000 if LONG else 100)
def test_no_state_of_the_keys_hides_a_dvt_in_silence(name: str, how: list[str], kept: int) -> None:
    body = as_request(bundle(name), str(uuid4()))
    states = dict(zip(KEYS, how, strict=True))
    values = {key: spoilt(body["prefetch"][key], states[key], kept) for key in body["prefetch"]}
    missing = [key for key, state in states.items() if state == "missing"]
    try:
        cards = cards_of(shipped_service(), name, *missing, **{k: v for k, v in values.items() if k not in missing})
    except NothingToJudgeBy:
        return
    assert cards, states
    shown = {card.rule for card in cards}
    assert shown & {"RF01", "RF17"} or cards[0].detail.startswith("**DVT cannot be excluded:**"), (states, shown)


def test_every_summary_with_a_gap_is_one_whole_sentence(service: Service) -> None:
    for name in stories():
        for lost in SUBSETS[:3]:
            try:
                cards = cards_of(service, name, *lost)
            except NothingToJudgeBy:
                continue
            for card in cards:
                assert len(card.summary) < 140
                assert card.summary.endswith(".")
                assert not card.summary.endswith("...")
                assert ". " not in card.summary

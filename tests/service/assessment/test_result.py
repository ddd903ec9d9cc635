"""Answers judged with the chart: what they may raise, what they may lower, and that the card reads what is written."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.errors import NothingToJudgeBy
from cds_service.cli.inputs import understand
from cds_service.clinical.answers import Answers, Question, leg_of, questions_of
from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment, RedFlagVerdict
from cds_service.clinical.content.names import DVT_RULE
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import Diagnosis, DiagnosisState, Record, RowState, Side, Status, When
from cds_service.protocol.messages import Context
from cds_service.protocol.queries import plan_of
from cds_service.service.assessment.observation import Signed, entry_of, judged, observation, wells_of, with_answers
from tests.cases import check_all
from tests.charts import LEFT, SNOMED, concept, condition, patient
from tests.charts import observation as observation_of
from tests.conftest import EXAMPLES, NOW, shipped_service

CONTENT = shipped_service().content
ASSERTED = "alternative_diagnosis_asserted"
SIGNED = Signed("p-1", "e-1", "Practitioner/dr-north", "5d2f0a52-94cf-4c7a-8b7c-6d1f8f1c1a11")


@cache
def records() -> dict[str, Record]:
    """Every example of which a leg is judged."""
    found = {}
    for path in sorted(EXAMPLES.glob("*.json")):
        given_ = understand(path.read_bytes())
        try:
            answer = shipped_service().answer(given_.request, given_.prefetched, NOW)
        except NothingToJudgeBy:
            continue
        if answer.assessment.legs:
            found[path.stem] = answer.assessment.record
    return found


def entries(name: str) -> tuple[ChartEntry, ...]:
    return understand((EXAMPLES / f"{name}.json").read_bytes()).entries


def chart_of(name: str) -> Assessment:
    return assess(CONTENT, records()[name], NOW.date())


def open_questions(name: str) -> list[Question]:
    found = chart_of(name)
    return [one for one in questions_of(CONTENT, found, found.legs[0]) if not one.shown]


def urgency_of(flag: RedFlagVerdict) -> tuple[int, int]:
    """Level and speed: the higher, the more urgent."""
    levels, speeds = {"warning": 1, "critical": 2}, {"two_weeks": 1, "days": 2, "same_day": 3, "now": 4}
    return levels[flag.indicator], speeds[flag.speed]


def urgency(found: Assessment) -> tuple[int, int]:
    """That of the worst flag."""
    return max(map(urgency_of, found.urgent), default=(0, 0))


@st.composite
def answered(draw: st.DrawFn, replies: tuple[bool, ...] = (True, False)) -> tuple[str, Answers]:
    """An example, and answers to any of what is open."""
    name = draw(st.sampled_from(sorted(records())))
    side = chart_of(name).legs[0].side
    keys = sorted(one.finding for one in open_questions(name))
    said = draw(st.dictionaries(st.sampled_from(keys), st.sampled_from(replies))) if keys and replies else {}
    calves = draw(st.none() | st.tuples(st.sampled_from([34.0, 38.0, 40.5]), st.just(36.0)))
    if side not in (Side.LEFT, Side.RIGHT) or "calf_circumference_diff_3cm" not in keys or True not in replies:
        calves = None
    return name, Answers(side, said, calves)


@given(answered())
def test_what_was_not_examined_is_at_least_as_urgent_as_what_was_denied(case: tuple[str, Answers]) -> None:
    """For every example, all answers and each item: unanswered never gives less urgency than "no"."""
    name, answers = case
    record = records()[name]
    for key in [one.finding for one in open_questions(name)]:
        without = Answers(answers.side, {k: v for k, v in answers.said.items() if k != key}, answers.calves)
        denied = Answers(answers.side, {**without.said, key: False}, answers.calves)
        assert urgency(judged(CONTENT, record, without, NOW)) >= urgency(judged(CONTENT, record, denied, NOW)), key


@given(answered())
def test_a_yes_never_lowers(case: tuple[str, Answers]) -> None:
    """But for the one item that takes points away, which is a clinician's own judgement (evidence C.1 item 10)."""
    name, answers = case
    record = records()[name]
    for key in [one.finding for one in open_questions(name) if one.finding != ASSERTED]:
        without = Answers(answers.side, {k: v for k, v in answers.said.items() if k != key}, answers.calves)
        shown = Answers(answers.side, {**without.said, key: True}, answers.calves)
        assert urgency(judged(CONTENT, record, shown, NOW)) >= urgency(judged(CONTENT, record, without, NOW)), key


@given(answered())
def test_only_a_score_that_cannot_be_likely_lowers(case: tuple[str, Answers]) -> None:
    """Less urgent than the chart alone: DVT only, and only where every open item together stays in the lowest band."""
    name, answers = case
    record, before = records()[name], chart_of(name)
    after = judged(CONTENT, record, answers, NOW)
    for flag in before.urgent:
        # Two signs of one danger are its stronger rule (RF08 for RF20); one rule may name another cause (RF11).
        here = [one for one in after.urgent if one.side == flag.side]
        same = [urgency_of(one) for one in here if one.cause == flag.cause or one.rule == flag.rule]
        assert flag.rule == DVT_RULE or max(same, default=(0, 0)) >= urgency_of(flag), flag.rule
    leg, was = leg_of(after, answers.side), leg_of(before, answers.side)
    assert leg
    assert was
    if urgency(after) < urgency(before):
        assert leg.dvt.wells is not None
        assert leg.dvt.wells.most < CONTENT.pathway.critical_at
    if was.dvt.suspected and not leg.dvt.suspected:
        assert leg.dvt.wells is not None
        assert leg.dvt.wells.complete
        assert leg.dvt.closed_by == CONTENT.texts.dvt.closed.score_and_d_dimer.fill()


@given(answered(replies=()))
def test_nothing_answered_changes_nothing(case: tuple[str, Answers]) -> None:
    name, answers = case
    assert judged(CONTENT, records()[name], answers, NOW) == chart_of(name)


@given(answered())
def test_a_reason_against_an_anticoagulant_is_no_fact(case: tuple[str, Answers]) -> None:
    name, answers = case
    for told in (True, False):
        with_it = replace(answers, contraindicated=told)
        assert judged(CONTENT, records()[name], with_it, NOW) == judged(CONTENT, records()[name], answers, NOW)
        assert observation(CONTENT, with_it, None, NOW) == observation(CONTENT, answers, None, NOW)


def test_of_a_known_dvt_no_medicine_is_asked() -> None:
    """ "Taking an anticoagulant" would make a DVT on record a treated one, and close the suspicion by one press."""
    known = Diagnosis("dvt", DiagnosisState.CURRENT, Side.LEFT, day_of("2026-03-15"), None, "Condition/known")
    record = replace(records()["dvt-likely"], diagnoses=(known,))
    found = assess(CONTENT, record, NOW.date())
    assert found.legs[0].dvt.recorded_dvt == known
    assert "on_anticoagulant" not in [one.finding for one in questions_of(CONTENT, found, found.legs[0])]
    assert "on_anticoagulant" in [one.finding for one in open_questions("dvt-likely")]


def day_of(text: str) -> When:
    return When(date.fromisoformat(text), text, date.fromisoformat(text))


def test_never_asked() -> None:
    """No self-test, no result of a test, nothing twice, and while DVT is suspected no injury that would explain it."""

    def check(name: str) -> None:
        found = chart_of(name)
        asked = [one.finding for leg in found.legs for one in questions_of(CONTENT, found, leg)]
        assert {"homans_or_selftest_positive", "suspected_dvt_coded", "palliative_care_only"}.isdisjoint(asked)
        assert not {key for key in asked if CONTENT.findings[key].kind in ("lab", "imaging", "demographic")}
        for leg in found.legs:
            own = [one.finding for one in questions_of(CONTENT, found, leg)]
            assert len(own) == len(set(own))
            if leg.dvt.suspected:
                assert set(CONTENT.pathway.risk_outside_wells.unless).isdisjoint(own)

    check_all(sorted(records()), check)


@given(answered())
def test_the_next_card_reads_what_was_written(case: tuple[str, Answers]) -> None:
    """The resource in the chart gives the very facts that the page was judged by, and nothing not understood."""
    name, answers = case
    if answers.is_empty:
        return
    record = records()[name]
    wells = wells_of(judged(CONTENT, record, answers, NOW), answers.side)
    signed = Signed(record.patient.id, "", "Practitioner/dr-north", SIGNED.uuid)
    written = {**observation(CONTENT, answers, wells, NOW, signed), "id": "written-1"}
    Observation.model_validate(written)
    later = NOW + timedelta(hours=1)
    again = read_record(CONTENT, record.patient.id, (*entries(name), ChartEntry(written)), later)
    assert again.unread == read_record(CONTENT, record.patient.id, entries(name), later).unread
    on_page = with_answers(CONTENT, record, answers, NOW)

    def told(facts: Record) -> set[tuple[Any, ...]]:
        return {(one.key, one.status, one.side, one.measured) for one in facts.facts}

    assert told(again) == told(on_page)
    assert urgency(assess(CONTENT, again, later.date())) == urgency(judged(CONTENT, record, answers, NOW))


def test_a_complete_low_score_leads_to_the_d_dimer() -> None:
    """Wells 0 to 1 with every item known is the D-dimer road, and the suspicion stays open."""
    name = "dvt-likely"
    keys = [one.finding for one in open_questions(name) if one.group == "score"]
    found = chart_of(name)
    assert found.legs[0].dvt.wells
    assert not found.legs[0].dvt.wells.complete
    after = judged(CONTENT, records()[name], Answers(Side.LEFT, dict.fromkeys(keys, False)), NOW)
    wells = after.legs[0].dvt.wells
    assert wells is not None
    assert wells.complete
    assert after.legs[0].dvt.suspected


def test_the_difference_of_the_calves_is_measured() -> None:
    record = records()["dvt-likely"]
    larger = with_answers(CONTENT, record, Answers(Side.LEFT, {}, (39.2, 36.0)), NOW).facts[-1]
    assert (larger.key, larger.status) == ("calf_circumference_diff_3cm", Status.PRESENT)
    assert larger.measured
    assert larger.measured.value == pytest.approx(3.2)
    smaller = with_answers(CONTENT, record, Answers(Side.LEFT, {}, (38.9, 36.0)), NOW).facts[-1]
    assert smaller.status is Status.ABSENT


def test_the_resource() -> None:
    """Who, whose, which leg, what was seen; the total only when the score is complete, and the chart it rests on."""
    found = observation(CONTENT, Answers(Side.LEFT, {"active_cancer": False}, (38.0, 34.0)), None, NOW, SIGNED)
    assert found["subject"] == {"reference": "Patient/p-1"}
    [category] = found["category"][0]["coding"]
    searches = [one.template for one in plan_of(CONTENT, "by_category").searches]
    assert any(re.search(rf"category=[a-z,-]*\b{category['code']}\b", one) for one in searches)
    assert found["performer"] == [{"reference": "Practitioner/dr-north"}]
    assert found["identifier"][0]["value"] == f"urn:uuid:{SIGNED.uuid}"
    assert found["bodySite"]["coding"][0]["display"] == "Structure of left lower limb"
    assert "valueInteger" not in found
    assert [one["code"]["coding"][0]["code"] for one in found["component"]] == [
        "active_cancer",
        "calf_circumference_diff_3cm",
    ]
    assert re.search(r"38(\.0)? cm.*34(\.0)? cm", found["note"][0]["text"])
    record = records()["dvt-likely"]
    keys = [one.finding for one in open_questions("dvt-likely") if one.group == "score"]
    answers = Answers(Side.LEFT, dict.fromkeys(keys, False))
    wells = wells_of(judged(CONTENT, record, answers, NOW), Side.LEFT)
    assert wells
    whole = observation(CONTENT, answers, wells, NOW, SIGNED)
    assert whole["valueInteger"] == wells.least
    assert {one["reference"] for one in whole["derivedFrom"]} <= {one.source for one in record.facts}


def test_what_is_only_on_the_page_is_no_reference() -> None:
    """An order must not point to a resource that is not in the chart."""
    row = entry_of(CONTENT, Answers(Side.LEFT, {"deep_vein_tenderness": True}), "p-1", NOW)
    found = read_record(CONTENT, "p-1", (row,), NOW)
    [fact] = found.facts
    assert not re.match(r"Observation/[A-Za-z0-9\-.]+$", fact.source.split("#")[0])
    assert found.rows(RowState.READ) == 1


def card_of(record: Record) -> str:
    found = assess(CONTENT, record, NOW.date())
    context = Context(userId="Practitioner/a", patientId=record.patient.id)
    return shipped_service().cards(found, context, NOW)[0].detail


def test_only_a_score_that_was_completed_is_said_to_be() -> None:
    """By what the last answer gave; not where the chart itself holds all, nor where an item is still open."""
    assert "completed" not in card_of(records()["dvt-unlikely-complete"])
    record = records()["dvt-likely"]
    keys = [one.finding for one in open_questions("dvt-likely") if one.group == "score" and one.finding != ASSERTED]
    most, last = Answers(Side.LEFT, dict.fromkeys(keys[:-1], False)), Answers(Side.LEFT, {keys[-1]: False})
    almost = with_answers(CONTENT, record, most, NOW - timedelta(hours=1))
    assert "completed" not in card_of(almost)
    assert "Wells 4 of 9, completed 16 Mar 14:02 UTC." in card_of(with_answers(CONTENT, almost, last, NOW))


@pytest.mark.parametrize(
    ("display", "said"),
    [
        ("Ada Northolt", " by Ada Northolt."),
        ("  Dr.\tJosé  O\u2019Néill-Søby, MD ", " by Dr. José O\u2019Néill-Søby, MD."),
        (None, "."),
        ("<b>Ada</b>", "."),
        ("[Ada](https://elsewhere.example)", "."),
        ("Ada\u202eNortholt", "."),
        ("D" * 51, "."),
        ("No DVT: score 0", "."),
        ("so many words that it is no name", "."),
        ("- .", "."),
    ],
)
def test_a_completed_score_names_who_completed_it(display: str | None, said: str) -> None:
    """Only what has the form of a name; anything else is left out as a whole."""
    name = "dvt-likely"
    keys = [one.finding for one in open_questions(name) if one.group == "score"]
    answers, patient = Answers(Side.LEFT, dict.fromkeys(keys, False)), records()[name].patient.id
    written = {**observation(CONTENT, answers, None, NOW, replace(SIGNED, patient=patient)), "id": "written-1"}
    if display is not None:
        written["performer"] = [{"reference": "Practitioner/dr-north"}, {"display": display}]
    again = read_record(CONTENT, patient, (*entries(name), ChartEntry(written)), NOW)
    assert f"Wells 4 of 9, completed 16 Mar 14:02 UTC{said}\n" in f"{card_of(again)}\n"


def test_only_our_own_entry_is_an_assessment() -> None:
    """Any panel may have components: one of another code completes nothing and names nobody."""
    name = "dvt-likely"
    keys = [one.finding for one in open_questions(name) if one.group == "score"]
    answers, patient = Answers(Side.LEFT, dict.fromkeys(keys, False)), records()[name].patient.id
    signed = replace(SIGNED, patient=patient, name="Ada Northolt")
    panel = {**observation(CONTENT, answers, None, NOW, signed), "id": "panel-1", "code": {"text": "Leg examination"}}
    again = read_record(CONTENT, patient, (*entries(name), ChartEntry(panel)), NOW)
    detail = card_of(again)
    assert assess(CONTENT, again, NOW.date()).legs[0].dvt.wells.complete  # type: ignore[union-attr]
    assert "completed" not in detail
    assert "Northolt" not in detail


@pytest.mark.parametrize("days_before", [0, 2])
def test_an_anticoagulant_said_on_the_page_does_not_treat_a_dvt(days_before: int) -> None:
    """The answer is about a suspicion. A DVT that is recorded later is not treated by it (evidence C.4, C.6)."""
    said = Answers(Side.LEFT, {"on_anticoagulant": True})
    saved = entry_of(CONTENT, said, "p", NOW - timedelta(days=days_before, hours=3))
    dvt_found = condition(concept((SNOMED, "404223003")), ago=0, bodySite=[concept((SNOMED, LEFT))])
    rows = [ChartEntry(one) for one in (patient(), observation_of("pain_calf", site=LEFT), dvt_found)]
    for chart in ([*rows, saved], rows):
        found = assess(CONTENT, read_record(CONTENT, "p", chart, NOW), NOW.date())
        assert [flag.indicator for flag in found.urgent if flag.rule == DVT_RULE] == ["critical"]


def test_a_score_with_an_item_that_is_not_counted_is_not_saved_as_a_total() -> None:
    """Its own entry would contradict it: the sum of its answers is another one."""
    record = records()["dvt-likely"]
    before = judged(CONTENT, record, Answers(Side.LEFT), NOW)
    said = {one.finding: False for one in questions_of(CONTENT, before, before.legs[0]) if one.group == "score"}
    answers = Answers(Side.LEFT, {**said, ASSERTED: True})
    wells = wells_of(judged(CONTENT, record, answers, NOW), Side.LEFT)
    assert wells is not None
    assert wells.complete
    saved = observation(CONTENT, answers, wells, NOW, SIGNED)
    assert ("valueInteger" in saved) is (wells.not_counted is None)
    assert wells.not_counted is not None  # in this example a row in words forbids to subtract

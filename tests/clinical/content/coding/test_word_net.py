"""The net of words: what is said in words only, or by types that are not read, is not passed over."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import RowState
from tests.charts import RXNORM, SNOMED, condition, days_ago, judged, named, observation


@pytest.mark.parametrize("text", ["Acute DVT of left leg", "suspected DVT", "DVT left thigh", "?DVT"])
def test_an_acronym_is_a_name(content: Content, text: str) -> None:
    (unread,) = judged(content, condition({"text": text})).record.unread
    assert "dvt" in unread.keys
    assert judged(content, condition({"text": text})).doubts.complaint


@pytest.mark.parametrize("text", ["Right shoulder pain", "Essential hypertension", "Fracture of wrist"])
def test_other_words_raise_nothing(content: Content, text: str) -> None:
    assert not judged(content, condition({"text": text})).doubts.complaint


@pytest.mark.parametrize("status", ["completed", "amended", "in-progress"])
def test_a_questionnaire_that_is_completed_is_not_over(content: Content, status: str) -> None:
    item = [{"linkId": "1", "text": "Calf swelling", "answer": [{"valueBoolean": True}]}]
    row = named("QuestionnaireResponse", status=status, item=item, authored="2026-03-14")
    assert judged(content, row).doubts.complaint


@pytest.mark.parametrize("status", ["completed", "in-progress"])
def test_neither_is_an_impression(content: Content, status: str) -> None:
    row = named("ClinicalImpression", status=status, summary="Acute DVT likely", date="2026-03-14")
    assert judged(content, row).doubts.complaint


UNLISTED = "38341003"
"""A SNOMED CT concept, Hypertensive disorder, that is no code of ours: stands for any that is not listed."""


def problem(text: str, *, coded: bool) -> dict[str, Any]:
    """A problem in words only, or with a code of a known system that is none of ours and these words as its display."""
    if not coded:
        return condition({"text": text})
    return condition({"coding": [{"system": SNOMED, "code": UNLISTED, "display": text}]})


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Swelling of left calf", "calf_swelling"),
        ("Schmerzen in der Wade", "pain_calf"),
        ("no evidence of DVT", "dvt"),
        ("Suspicion de thrombose veineuse profonde", "dvt"),
        ("History of DVT", "previous_dvt"),
        ("Family history of thrombosis", "thrombophilia"),
        ("borstkanker", "malignancy_on_record"),
        ("gravid i uke 20", "pregnancy"),
    ],
)
def test_a_problem_in_words_is_possible_and_no_more(content: Content, text: str, key: str, *, coded: bool) -> None:
    """It keeps a suspicion open and is named; it proves nothing."""
    found = judged(content, problem(text, coded=coded))
    (unread,) = found.record.unread
    assert key in unread.keys
    assert found.doubts.forbid_closing
    assert not found.record.facts
    assert not found.record.diagnoses
    assert not found.urgent
    assert found.record.rows(RowState.NOT_UNDERSTOOD) == 1


@pytest.mark.parametrize("text", ["DVT prophylaxis", "Breast cancer screening", "Coronary thrombosis", "Shoulder pain"])
def test_a_problem_with_a_code_and_other_words_is_of_no_concern(content: Content, text: str) -> None:
    found = judged(content, problem(text, coded=True))
    assert not found.record.unread
    assert not found.doubts.forbid_closing


@pytest.mark.parametrize("text", ["DVT prophylaxis", "Family history of cancer", "Shoulder pain", "Thromboserisiko"])
def test_words_of_another_matter_raise_no_card_but_are_not_understood(content: Content, text: str) -> None:
    """A problem in unknown words may be anything: it keeps a suspicion open, and nothing is guessed about it."""
    found = judged(content, problem(text, coded=False))
    (unread,) = found.record.unread
    assert not unread.keys
    assert not found.doubts.complaint
    assert not found.doubts.on_card
    assert found.doubts.forbid_closing


@pytest.mark.parametrize("text", ["Family history of DVT", "mother had DVT", "FH: DVT"])
def test_family_history_is_a_risk_and_no_dvt(content: Content, text: str) -> None:
    found = judged(content, problem(text, coded=False))
    (unread,) = found.record.unread
    assert unread.keys == ("thrombophilia",)
    assert found.doubts.major_risks
    assert not found.doubts.complaint


def test_what_is_over_names_nothing(content: Content) -> None:
    row = problem("Swelling of left calf", coded=True)
    row["clinicalStatus"]["coding"][0]["code"] = "resolved"
    assert not judged(content, row).record.unread


def test_a_long_answer_is_read_to_its_end(content: Content) -> None:
    """A note of 20 pages, with the sign in its last line."""
    note = "Feels well. Sleeps well. " * 2_000 + "Left calf is swollen."
    row = observation({"coding": [{"system": SNOMED, "code": UNLISTED}]}, valueString=note)
    (unread,) = judged(content, row).record.unread
    assert "calf_swelling" in unread.keys


# --- medicines ---

PARACETAMOL, NOT_LISTED = "161", "99999999"


def taking(*codings: tuple[str, str], text: str = "") -> dict[str, Any]:
    """A medicine that is taken: codes of RxNorm with their displays, and words."""
    medicine: dict[str, Any] = {"coding": [{"system": RXNORM, "code": a, "display": b} for a, b in codings if b]}
    medicine["coding"] += [{"system": RXNORM, "code": a} for a, b in codings if not b]
    medicine |= {"text": text} if text else {}
    status = {"status": "active", "effectiveDateTime": days_ago(1)}
    return named("MedicationStatement", medicationCodeableConcept=medicine, **status)


@pytest.mark.parametrize(
    "medicine",
    [
        taking(text="Eliquis 2,5 mg"),
        taking(text="ELIQUIS® 5MG TABS"),
        taking(text="Clexane 40"),
        taking(text="enoxaparin"),
        taking((NOT_LISTED, "apixaban 5 MG Oral Tablet")),
        taking((PARACETAMOL, "acetaminophen"), text="Apixaban 5 mg"),
        taking((PARACETAMOL, "acetaminophen"), (NOT_LISTED, "rivaroxaban")),
        taking((NOT_LISTED, "blood thinners")),
        taking((NOT_LISTED, "Gerinnungshemmer")),
        taking((NOT_LISTED, "Blutverdünner")),
        taking((NOT_LISTED, "NOAC")),
        taking((NOT_LISTED, "DOAK 1-0-1")),
        taking((NOT_LISTED, "Antikoagulanzien, oral")),
        taking((NOT_LISTED, "anticoagulant oral")),
        taking((NOT_LISTED, "bloedverdunners")),
        taking((NOT_LISTED, "blodförtunnande medicin")),
        taking((NOT_LISTED, "blodfortyndende")),
        taking((NOT_LISTED, "verenohennuslääkkeet")),
        taking((NOT_LISTED, "LMWH")),
        taking((NOT_LISTED, "NMH s.c. 1x tgl.")),
        taking((NOT_LISTED, "HBPM 6000 UI")),
        taking((NOT_LISTED, "VKA")),
        taking((NOT_LISTED, "AVK (INR 2-3)")),
        taking((NOT_LISTED, "AOD")),
        taking((NOT_LISTED, "NACO")),
        taking((NOT_LISTED, "UFH perfusor")),
        taking((NOT_LISTED, "vitamin K antagonist")),
        taking((NOT_LISTED, "Antivitamine K")),
        taking((NOT_LISTED, "blodfortynnende")),
        taking((NOT_LISTED, "Waran 2,5 mg")),
        taking((NOT_LISTED, "antikoagulans")),
        taking((NOT_LISTED, "antistollingsmiddel")),
        taking((NOT_LISTED, "volgens trombosedienst")),
        taking((NOT_LISTED, "heparin infusion, then heparin flush")),
    ],
)
def test_words_make_a_medicine_a_possible_anticoagulant(content: Content, medicine: dict[str, Any]) -> None:
    """Whatever its code says: it is named, it keeps a suspicion open, and it is no treatment."""
    found = judged(content, medicine)
    (unread,) = found.record.unread
    assert unread.keys == ("on_anticoagulant",)
    assert found.doubts.medicines
    assert found.doubts.forbid_closing
    assert not found.record.facts


@pytest.mark.parametrize("medicine", [taking((NOT_LISTED, "")), taking(text="one tablet"), taking(text=" ")])
def test_a_medicine_that_is_not_identified_keeps_a_suspicion_open(content: Content, medicine: dict[str, Any]) -> None:
    found = judged(content, medicine)
    (unread,) = found.record.unread
    assert unread.anything
    assert found.doubts.medicines
    assert found.doubts.forbid_closing


@pytest.mark.parametrize(
    "display", ["Paracetamol 500 mg", "Heparin flush", "heparin lock flush 10 units/ml", "Heparinoid cream", "Clarinex"]
)
def test_another_medicine_is_identified_by_code_and_words(content: Content, display: str) -> None:
    found = judged(content, taking((NOT_LISTED, display)))
    assert not found.record.unread
    assert not found.doubts.forbid_closing


@pytest.mark.parametrize(("ago", "is_current"), [(1, True), (3_000, False)])
def test_a_visit_is_as_old_as_its_start(content: Content, ago: int, *, is_current: bool) -> None:
    """A visit without an end is no visit without a date."""
    reason = [{"text": "Calf pain"}]
    row = named("Encounter", status="in-progress", period={"start": days_ago(ago)}, reasonCode=reason)
    row["class"] = {"code": "AMB"}
    assert bool(judged(content, row).doubts.complaint) is is_current

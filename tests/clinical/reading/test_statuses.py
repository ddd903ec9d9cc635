"""Statuses: only the words of FHIR's own lists say that something counts, or does not (FHIR R4; evidence F.5)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import RowState, UnreadKind
from tests.charts import LEFT, SNOMED, Resource, concept, days_ago, judged, named, read
from tests.clinical.dvt.signs import APIXABAN, clot, on

NO_WORDS: list[Any] = [
    "Entered in error", "ENTERED-IN-ERROR", "entered_in_error", "CANCELLED", "canceled", "Final", "pending", "done",
    " final", "", 7, True, ["final"], {"code": "final"}, None,
]  # fmt: skip
ROWS: dict[str, Resource] = {
    "Observation": on("calf_swelling"),
    "MedicationRequest": APIXABAN,
    "MedicationStatement": {**APIXABAN, "resourceType": "MedicationStatement"},
    "Procedure": named(
        "Procedure",
        code=concept((SNOMED, "387713003")),
        category=concept((SNOMED, "387713003")),
        performedDateTime=days_ago(9),
    ),
    "ServiceRequest": named(
        "ServiceRequest", intent="order", code={"text": "scan"}, reasonCode=[concept((SNOMED, "432805000"))]
    ),
    "DiagnosticReport": named(
        "DiagnosticReport", code={"text": "scan"}, conclusionCode=[concept((SNOMED, "404223003"))]
    ),
    "Encounter": named("Encounter", reasonCode=[concept((SNOMED, "281792000"))]),
}  # fmt: skip
del ROWS["MedicationStatement"]["intent"], ROWS["MedicationStatement"]["authoredOn"]


def with_status(kind: str, status: Any) -> Resource:
    row = {**ROWS[kind], "status": status, "class": {"code": "AMB"} if kind == "Encounter" else None}
    return {key: value for key, value in row.items() if value is not None}


def state_of(content: Content, row: Resource) -> RowState:
    (line,) = (line for line in read(content, row).ledger if line.resource != "Patient")
    return line.state


@pytest.mark.parametrize("status", NO_WORDS, ids=repr)
@pytest.mark.parametrize("kind", ROWS)
def test_a_status_that_is_no_word_of_the_list_is_not_understood(content: Content, kind: str, status: Any) -> None:
    row = with_status(kind, status)
    record = read(content, row)
    assert state_of(content, row) is RowState.NOT_UNDERSTOOD
    assert not (record.facts)
    assert not (record.diagnoses)
    assert not (record.orders)
    assert not (record.stops)
    assert [bool(one.keys) for one in record.unread] == [True]
    shadow = {**row, "_status": {"extension": [{"url": "https://x.example/s", "valueCode": "final"}]}}
    assert state_of(content, shadow) is RowState.NOT_UNDERSTOOD


COUNTING = {
    "Observation": ("final", "amended", "corrected", "preliminary", "unknown"),
    "MedicationRequest": ("active", "completed", "stopped", "on-hold"),
    "MedicationStatement": ("active", "completed", "not-taken", "stopped", "on-hold"),
    "Procedure": ("completed", "in-progress"),
    "ServiceRequest": ("active", "on-hold", "completed"),
    "DiagnosticReport": ("final", "amended", "corrected", "appended", "preliminary", "partial"),
    "Encounter": ("planned", "arrived", "triaged", "in-progress", "onleave", "finished"),
}
NOT_COUNTING = {
    "Observation": ("cancelled", "entered-in-error"),
    "MedicationRequest": ("cancelled", "draft", "entered-in-error"),
    "MedicationStatement": ("intended", "entered-in-error"),
    "Procedure": ("preparation", "not-done", "entered-in-error"),
    "ServiceRequest": ("draft", "revoked", "entered-in-error"),
    "DiagnosticReport": ("cancelled", "entered-in-error"),
    "Encounter": ("cancelled", "entered-in-error"),
}


@pytest.mark.parametrize(("kind", "status"), [(kind, one) for kind, every in COUNTING.items() for one in every])
def test_the_words_that_count(content: Content, kind: str, status: str) -> None:
    assert state_of(content, with_status(kind, status)) is RowState.READ


@pytest.mark.parametrize(("kind", "status"), [(kind, one) for kind, every in NOT_COUNTING.items() for one in every])
def test_the_words_that_do_not_count(content: Content, kind: str, status: str) -> None:
    record = read(content, with_status(kind, status))
    assert state_of(content, with_status(kind, status)) is RowState.ENDED
    assert not (record.facts)
    assert not (record.diagnoses)
    assert not (record.orders)
    assert not (record.unread)


@pytest.mark.parametrize("intent", ["Order", "ORDER", "request", "", 3, None])
@pytest.mark.parametrize("kind", ["MedicationRequest", "ServiceRequest"])
def test_an_intent_that_is_no_word_of_the_list_is_not_understood(content: Content, kind: str, intent: Any) -> None:
    row = {key: value for key, value in {**with_status(kind, "active"), "intent": intent}.items() if value is not None}
    assert state_of(content, row) is RowState.NOT_UNDERSTOOD


# --- the verification of a problem

VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def verified(*codings: Any, **fields: Any) -> Resource:
    fields.setdefault("note", [{"text": "scan seen"}])
    return {**clot(ago=2, **fields), "verificationStatus": {"coding": list(codings)}}


def word(code: Any, system: str | None = VERIFICATION) -> Resource:
    return {"system": system, "code": code} if system else {"code": code}


@pytest.mark.parametrize(
    "codings",
    [
        [word("probable")],
        [word("Refuted")],
        [word("entered in error")],
        [word("ruled-out")],
        [word("refuted", "https://local.example/status")],
        [word("refuted"), word("confirmed")],
        [word("confirmed"), word("refuted")],
        [word("entered-in-error"), word("confirmed")],
        [word("provisional"), word("refuted")],
        [word("refuted"), word("refuted-by-phone")],
        [{"display": "Refuted"}],
        [],
    ],
    ids=repr,
)
def test_a_verification_that_is_not_known_neither_closes_nor_voids(content: Content, codings: list[Any]) -> None:
    """It is at least a suspicion: a DVT that may be refuted may be there."""
    problem = verified(*codings)
    record = read(content, problem)
    assert [one.kind for one in record.unread] == [UnreadKind.STATUS]
    assert state_of(content, problem) is RowState.READ
    found = judged(content, problem, on("pain_calf"))
    assert found.legs[0].dvt.suspected


@pytest.mark.parametrize("system", [VERIFICATION, f"{VERIFICATION}/", "http://hl7.org/fhir/condition-ver-status", None])
def test_known_words_of_the_verification_count_in_every_spelling_of_their_system(
    content: Content, system: str | None
) -> None:
    pain = on("pain_calf", 4)
    assert not judged(content, pain, verified(word("refuted", system))).legs[0].dvt.suspected
    assert judged(content, pain, verified(word("confirmed", system))).legs[0].dvt.recorded_dvt
    assert state_of(content, verified(word("entered-in-error", system))) is RowState.ENDED


@pytest.mark.parametrize("side", [LEFT])
def test_a_local_word_beside_the_standard_one_takes_nothing_away(content: Content, side: str) -> None:
    local = word("ausgeschlossen", "https://local.example/status")
    for codings in ([local, word("refuted")], [word("refuted"), local]):
        assert not judged(content, on("pain_calf", 4), verified(*codings)).legs[0].dvt.suspected


@pytest.mark.parametrize("wrong", [["active"], {"code": "active"}, [["active"]], 7.5, True], ids=repr)
@pytest.mark.parametrize("kind", ["MedicationRequest", "MedicationStatement", "Observation", "Encounter", "Condition"])
def test_a_status_of_any_shape_is_taken_in_rows_of_any_code(content: Content, kind: str, wrong: Any) -> None:
    """None of them may end the whole call: there is a chart beside this row."""
    strange = {"coding": [{"system": "https://local.example/codes", "code": "Q"}]}
    for code in (strange, concept((SNOMED, "404223003"))):
        row = named(kind, status=wrong, code=code, medicationCodeableConcept=code, reasonCode=[code])
        row["clinicalStatus"] = {"coding": [{"code": wrong}]}
        row["verificationStatus"] = {"coding": [{"code": wrong, "system": wrong}]}
        assert judged(content, on("pain_calf"), on("calf_swelling"), row).legs[0].dvt.suspected
    drug = {"resourceType": "Medication", "id": "m", "status": wrong, "code": strange}
    pointing = {**APIXABAN, "medicationReference": {"reference": "Medication/m"}}
    del pointing["medicationCodeableConcept"]
    assert read(content, drug, pointing).unread

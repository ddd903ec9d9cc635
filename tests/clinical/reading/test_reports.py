"""Where records keep a complaint, a scan or a suspicion beside findings: reports, visits, questionnaires, orders."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.doubt import doubts_of
from cds_service.clinical.reading.resource_types import MAY_SAY_SOMETHING
from cds_service.clinical.record import DiagnosisState, RowState
from tests.charts import ICD10CM, LEFT, LOINC, SNOMED, Resource, concept, days_ago, judged, named, read
from tests.clinical.dvt.signs import SIGNS, level, negative_tests, on
from tests.conftest import NOW

CLOT = concept((SNOMED, "404223003"))
DVT_CODES = [(SNOMED, "404223003"), (ICD10CM, "I82.412"), (SNOMED, "128053003")]
SUSPICIONS = [(SNOMED, "432805000"), (FINDING_SYSTEM, "suspected_dvt_coded"), *DVT_CODES]
CHEST_CT = concept((LOINC, "24627-2"))
UNKNOWN = {"coding": [{"system": "https://local.example/codes", "code": "R-1"}]}


def report(**fields: Any) -> Resource:
    base = {"status": "final", "code": CHEST_CT, "effectiveDateTime": days_ago(1), "conclusionCode": [CLOT]}
    return named("DiagnosticReport", **{**base, **fields})


def visit(*reasons: Any, **fields: Any) -> Resource:
    base = {"status": "finished", "class": {"code": "AMB"}, "period": {"start": days_ago(1)}}
    return named("Encounter", **{**base, "reasonCode": list(reasons) or None, **fields})


def order(**fields: Any) -> Resource:
    base = {"status": "active", "intent": "order", "authoredOn": days_ago(1), "code": CHEST_CT}
    return named("ServiceRequest", **{**base, **fields})


def state_of(content: Content, row: Resource) -> RowState:
    (line,) = (line for line in read(content, row).ledger if line.resource != "Patient")
    return line.state


def named_in_doubt(content: Content, row: Resource) -> set[str]:
    """What the unread rows that a clinician is told of may be about."""
    return {key for one in doubts_of(content, read(content, row), NOW.date()).on_card for key in one.keys}


# --- reports


@pytest.mark.parametrize("code", DVT_CODES)
def test_a_conclusion_is_read(content: Content, code: tuple[str, str]) -> None:
    found = judged(content, report(conclusionCode=[concept(code)]), on("pain_calf"))
    assert found.legs[0].dvt.suspected


@pytest.mark.parametrize("status", ["preliminary", "partial", "registered", "unknown"])
def test_an_early_conclusion_is_a_suspicion(content: Content, status: str) -> None:
    record = read(content, report(status=status))
    assert not [one for one in record.diagnoses if one.state is DiagnosisState.CURRENT]
    assert level(content, report(status=status)) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"conclusionCode": None, "conclusion": "Acute deep vein thrombosis of the left popliteal vein."},
        {"conclusionCode": [{"text": "Deep vein thrombosis"}]},
        {"conclusionCode": [UNKNOWN], "conclusion": "Left leg: deep vein thrombosis"},
        {"conclusionCode": [{"text": "DVT? deep vein thrombosis"}], "code": UNKNOWN},
        {"conclusionCode": CLOT},
        {"conclusionCode": [[CLOT]]},
        {"status": "Final"},
        {"modifierExtension": [{"url": "https://x.example/not"}]},
        {"subject": None},
    ],
    ids=str,
)
def test_a_conclusion_that_cannot_be_read_is_named(content: Content, fields: dict[str, Any]) -> None:
    row = {key: value for key, value in report(**fields).items() if value is not None}
    assert state_of(content, row) is RowState.NOT_UNDERSTOOD
    assert "dvt" in named_in_doubt(content, row)


def test_a_report_in_words_closes_nothing_and_keeps_open(content: Content) -> None:
    words = report(conclusionCode=None, conclusion="No deep vein thrombosis.", code=concept((SNOMED, "404223003")))
    assert level(content, *SIGNS, words) == "critical"
    assert level(content, *SIGNS, *negative_tests(2, 2)) is None
    assert level(content, *SIGNS, *negative_tests(2, 2), words) == "critical"


@pytest.mark.parametrize(
    "row",
    [
        report(conclusionCode=[concept((SNOMED, "17621005"))]),
        report(conclusionCode=None),
        report(conclusionCode=None, conclusion="Normal chest."),
        report(conclusionCode=None, result=[{"reference": "Observation/elsewhere"}]),
        visit(concept((SNOMED, "195662009"))),
        visit({"text": "Annual check"}),
        visit(),
        order(reasonCode=[concept((SNOMED, "195662009"))]),
        order(reasonCode=[{"text": "cough"}]),
        order(),
    ],
)
def test_what_is_about_something_else_is_on_no_card(content: Content, row: Resource) -> None:
    assert not named_in_doubt(content, row)
    assert not judged(content, row).legs
    assert not judged(content, row).doubts.complaint


# --- visits


@pytest.mark.parametrize(
    "code", [(SNOMED, "281792000"), (FINDING_SYSTEM, "pain_calf"), (FINDING_SYSTEM, "pain_behind_knee")]
)
@pytest.mark.parametrize("status", ["arrived", "triaged", "in-progress", "finished", "planned"])
def test_the_reason_for_a_visit_is_a_complaint(content: Content, code: tuple[str, str], status: str) -> None:
    found = judged(content, visit(concept(code), status=status), on("warmth"))
    assert found.legs
    assert found.legs[0].dvt.suspected


@pytest.mark.parametrize("code", SUSPICIONS)
def test_a_suspicion_as_the_reason_for_a_visit(content: Content, code: tuple[str, str]) -> None:
    assert level(content, visit(concept(code))) is not None
    assert level(content, visit(concept(code), subject={"reference": "Patient/q"})) is None


@pytest.mark.parametrize(
    "reason",
    [
        {"text": "Calf swelling, left"},
        {"text": "? deep vein thrombosis"},
        {**UNKNOWN, "text": "pain in calf, calf swelling"},
        {"coding": [{"code": "281792000", "system": "https://local.example/codes"}]},
        {"coding": {"system": SNOMED, "code": "281792000"}},
        [concept((SNOMED, "281792000"))],
    ],
    ids=str,
)
def test_a_reason_that_cannot_be_read_is_named(content: Content, reason: Any) -> None:
    row = visit(reason)
    assert state_of(content, row) is RowState.NOT_UNDERSTOOD
    assert {"calf_swelling", "dvt"} & named_in_doubt(content, row)


# --- orders


@pytest.mark.parametrize("code", SUSPICIONS)
@pytest.mark.parametrize("status", ["active", "on-hold", "completed"])
def test_an_order_for_dvt_is_a_stated_suspicion(content: Content, code: tuple[str, str], status: str) -> None:
    assert level(content, order(status=status, reasonCode=[concept(code)])) is not None


def test_the_leg_of_the_order_is_the_leg_of_the_suspicion(content: Content) -> None:
    row = order(reasonCode=[concept((SNOMED, "432805000"))], bodySite=[concept((SNOMED, LEFT))])
    assert [(flag.rule, flag.side) for flag in judged(content, row).urgent] == [("RF01", "left")]


@pytest.mark.parametrize(
    "fields",
    [
        {"reasonCode": [{"text": "suspected deep vein thrombosis"}]},
        {"reasonCode": [{**UNKNOWN, "text": "exclude deep vein thrombosis"}]},
        {"reasonCode": [{"coding": [{"code": "432805000", "system": "https://local.example/codes"}]}]},
        {"reasonCode": concept((SNOMED, "432805000"))},
        {"reasonCode": [CLOT], "status": "Active"},
        {"reasonCode": [CLOT], "intent": "asap"},
        {"reasonCode": [CLOT], "subject": {"display": "him"}},
        {
            "reasonReference": [{"reference": "#c"}],
            "contained": [
                {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"}, "code": CLOT}
            ],
        },
    ],
    ids=str,
)
def test_an_order_whose_reason_cannot_be_read_is_named(content: Content, fields: dict[str, Any]) -> None:
    row = order(**fields)
    assert state_of(content, row) is RowState.NOT_UNDERSTOOD
    assert {"dvt", "suspected_dvt_coded"} & named_in_doubt(content, row)


@pytest.mark.parametrize(
    "fields",
    [{"status": "draft"}, {"status": "revoked"}, {"intent": "proposal"}, {"intent": "option"},
     {"status": "revoked", "intent": "plan"}, {"status": "draft", "intent": "plan"}],
)  # fmt: skip
def test_an_order_that_does_not_stand_states_nothing(content: Content, fields: dict[str, Any]) -> None:
    """Among them are the drafts that our own card has proposed."""
    row = order(reasonCode=[CLOT], **fields)
    assert state_of(content, row) is RowState.ENDED
    assert level(content, row) is None


@pytest.mark.parametrize("fields", [{"intent": "plan"}, {"intent": "directive", "status": "on-hold"}])
def test_a_plan_states_the_suspicion_that_is_its_reason(content: Content, fields: dict[str, Any]) -> None:
    """Nobody has ordered it yet: it is no order that stands, and its reason stands all the same."""
    row = order(reasonCode=[CLOT], **fields)
    assert state_of(content, row) is RowState.READ
    assert level(content, row) == "warning"
    assert not read(content, row).orders


@pytest.mark.parametrize(
    "said",
    [{"reasonCode": [CLOT]}, {"note": [{"text": "suspected DVT, left leg"}]}, {"outcome": {"text": "DVT found"}}],
)
def test_a_procedure_that_names_a_dvt_is_not_passed_over(content: Content, said: dict[str, Any]) -> None:
    row = named("Procedure", status="completed", performedDateTime=days_ago(1), code=CHEST_CT, **said)
    assert "dvt" in named_in_doubt(content, row)
    assert state_of(content, named("Procedure", status="completed", code=CHEST_CT)) is RowState.NO_CONCERN


# --- types that are looked through


def holding(kind: str, inside: dict[str, Any], **fields: Any) -> Resource:
    """A resource of a type that is not read, with ``inside`` where this type keeps what it says."""
    whose = "patient" if kind in ("DetectedIssue", "EpisodeOfCare") else "subject"
    row: Resource = {"resourceType": kind, "id": "u1", "status": "active", whose: {"reference": "Patient/p"}}
    places: dict[str, Resource] = {
        "QuestionnaireResponse": {"item": [{"linkId": "1", "item": [{"linkId": "2", "answer": [inside]}]}]},
        "RiskAssessment": {"prediction": [{"outcome": inside}]},
        "ClinicalImpression": {"finding": [{"itemCodeableConcept": inside}]},
        "AdverseEvent": {"event": inside},
        "EpisodeOfCare": {"type": [inside]},
    }
    return {**row, **places.get(kind, {"code": inside}), **fields}


SAID: list[dict[str, Any]] = [
    CLOT,
    {"valueCoding": {"system": SNOMED, "code": "404223003"}},
    {"text": "deep vein thrombosis"},
    {"valueString": "Suspected deep vein thrombosis, left"},
    {"coding": [{"code": "404223003"}]},
]


@pytest.mark.parametrize("kind", sorted(MAY_SAY_SOMETHING))
@pytest.mark.parametrize("inside", SAID, ids=str)
def test_a_code_or_name_of_ours_in_another_type_is_named(content: Content, kind: str, inside: dict[str, Any]) -> None:
    row = holding(kind, inside)
    assert state_of(content, row) is RowState.NOT_UNDERSTOOD
    (unread,) = read(content, row).unread
    assert "dvt" in unread.keys
    assert "dvt" in named_in_doubt(content, row)


@pytest.mark.parametrize("kind", sorted(MAY_SAY_SOMETHING))
def test_nothing_of_ours_and_somebody_elses(content: Content, kind: str) -> None:
    assert state_of(content, holding(kind, {"text": "spring pollen"})) is RowState.NO_CONCERN
    whose = "patient" if kind in ("DetectedIssue", "EpisodeOfCare") else "subject"
    assert state_of(content, holding(kind, CLOT, **{whose: {"reference": "Patient/q"}})) is RowState.ANOTHER_PATIENT


@pytest.mark.parametrize("kind", ["FamilyMemberHistory", "Account", "Immunization"])
def test_types_that_cannot_state_a_finding_of_the_patient(content: Content, kind: str) -> None:
    """A family's thrombosis is not the patient's (evidence F.5)."""
    assert state_of(content, {"resourceType": kind, "id": "f", "condition": [{"code": CLOT}]}) is RowState.NO_CONCERN


# --- what a visit, an order or a scan says beside a complaint

STATES = [
    ((SNOMED, "77386006"), "pregnancy"),
    ((ICD10CM, "O80"), "postpartum_6w"),
    ((SNOMED, "11466000"), "postpartum_6w"),
]


@pytest.mark.parametrize(("code", "key"), STATES)
@pytest.mark.parametrize("status", ["arrived", "in-progress", "finished"])
def test_a_risk_is_stated_by_a_visit_that_has_begun(
    content: Content, code: tuple[str, str], key: str, status: str
) -> None:
    assert key in {fact.key for fact in read(content, visit(concept(code), status=status)).facts}


@pytest.mark.parametrize(("code", "key"), STATES)
def test_a_planned_visit_states_no_birth(content: Content, code: tuple[str, str], key: str) -> None:
    assert not read(content, visit(concept(code), status="planned")).facts


DUPLEX, D_DIMER = concept((LOINC, "39432-0")), concept((LOINC, "48065-7"))


@pytest.mark.parametrize("code", [DUPLEX, D_DIMER])
def test_a_test_for_dvt_whose_reason_is_in_a_system_unknown_is_named(content: Content, code: Resource) -> None:
    assert "dvt" in named_in_doubt(content, order(code=code, reasonCode=[UNKNOWN]))
    other = concept((SNOMED, "195967001"))
    assert not named_in_doubt(content, order(code=code, reasonCode=[other]))
    assert not named_in_doubt(
        content, order(code=code, reasonCode=[{**UNKNOWN, "coding": [*UNKNOWN["coding"], *other["coding"]]}])
    )


@pytest.mark.parametrize(
    "answer",
    [{"valueString": "see text"}, {"valueCodeableConcept": UNKNOWN}, {"valueBoolean": True}, {"valueInteger": 1}],
)
def test_a_scan_whose_answer_is_not_understood_is_named(content: Content, answer: dict[str, Any]) -> None:
    scan = named("Observation", status="final", code=DUPLEX, effectiveDateTime=days_ago(1), **answer)
    assert "dvt" in named_in_doubt(content, scan)


@pytest.mark.parametrize("answer", [{}, {"valueBoolean": False}])
def test_a_scan_without_an_answer_or_with_a_no_is_not(content: Content, answer: dict[str, Any]) -> None:
    scan = named("Observation", status="final", code=DUPLEX, effectiveDateTime=days_ago(1), **answer)
    assert not named_in_doubt(content, scan)

"""Why a visit, an order or an appointment was made, where it stands in no element that is read: counted and named.

Other versions of FHIR keep reasons elsewhere than R4, people write them into notes, and some types are not read at
all. None of it proves anything, and none of it is passed over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.doubt import Doubts, doubts_of
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import RowState
from tests.charts import LOINC, SNOMED, Resource, concept, condition, days_ago, judged, named, patient, read
from tests.clinical.dvt.signs import SIGNS, level, negative_tests, on
from tests.clinical.reading.test_reports import CHEST_CT, CLOT, order, report, state_of, visit
from tests.conftest import NOW

KNEE_PAIN = concept((SNOMED, "30989003"))
ELSEWHERE: dict[str, Resource] = {
    "visit, R5": visit(reason=[{"use": [{"text": "chief complaint"}], "value": [{"concept": CLOT}]}]),
    "visit, STU3": visit(reason=[CLOT]),
    "visit, STU3 in words": visit(reason=[{"text": "Suspected DVT, left leg"}]),
    "visit, DSTU2": visit(reason=CLOT),
    "visit, the diagnosis by its name": visit(diagnosis=[{"condition": {"display": "Deep vein thrombosis"}}]),
    "visit, a reason by its name": visit(reasonReference=[{"reference": "Condition/x", "display": "DVT"}]),
    "visit, a reason of ours beside it": visit(KNEE_PAIN, reason=[{"value": [{"concept": CLOT}]}]),
    "order, R5": order(code=None, reason=[{"concept": CLOT}]),
    "order, a note": order(note=[{"text": "calf swollen, DVT?"}]),
    "order, a note beside a reason of ours": order(reasonCode=[KNEE_PAIN], note=[{"text": "DVT?"}]),
    "report, STU3": report(conclusionCode=None, codedDiagnosis=[CLOT]),
    "report, R6": report(conclusionCode=[{"concept": CLOT}]),
    "appointment": named("Appointment", status="booked", start=days_ago(0), reasonCode=[CLOT], subject=None,
                         participant=[{"actor": {"reference": "Patient/p"}}]),
    "appointment, in words": named("Appointment", status="booked", start=days_ago(0), description="DVT clinic: DVT?"),
    "communication": named("Communication", status="completed", sent=days_ago(1),
                           payload=[{"contentString": "Please scan today: deep vein thrombosis?"}]),
    "study": named("ImagingStudy", status="available", started=days_ago(1), description="Leg veins: DVT"),
    "task": named("Task", status="requested", intent="order", reasonCode=CLOT, authoredOn=days_ago(1), subject=None,
                  **{"for": {"reference": "Patient/p"}}),
}  # fmt: skip


def doubts(content: Content, *rows: Any) -> Doubts:
    return doubts_of(content, read(content, *rows), NOW.date())


@pytest.mark.parametrize("row", ELSEWHERE.values(), ids=ELSEWHERE)
def test_it_is_counted_as_a_suspicion_that_was_not_understood(content: Content, row: Resource) -> None:
    assert any("dvt" in one.keys for one in read(content, row).unread)
    assert any("dvt" in one.keys for one in doubts(content, row).signs)


@pytest.mark.parametrize("row", ELSEWHERE.values(), ids=ELSEWHERE)
def test_it_keeps_a_suspicion_open(content: Content, row: Resource) -> None:
    chart = [*SIGNS, *negative_tests(0, 0)]
    assert level(content, *chart) is None
    assert level(content, *chart, row) is not None


@pytest.mark.parametrize("row", ELSEWHERE.values(), ids=ELSEWHERE)
def test_it_opens_no_alarm_by_itself(content: Content, row: Resource) -> None:
    """A net, never a proof."""
    assert not any(leg.dvt.suspected for leg in judged(content, row).legs)


OTHERS: dict[str, Resource] = {
    "appointment": named("Appointment", status="booked", reasonCode=[CLOT], subject=None,
                         participant=[{"actor": {"reference": "Patient/q"}},
                                      {"actor": {"reference": "Practitioner/d"}}]),
    "task": named("Task", status="requested", reasonCode=CLOT, subject=None, **{"for": {"reference": "Patient/q"}}),
    "communication": named("Communication", reasonCode=[CLOT], subject={"reference": "Patient/q"}),
}  # fmt: skip


@pytest.mark.parametrize("row", OTHERS.values(), ids=OTHERS)
def test_another_patients_is_another_patients(content: Content, row: Resource) -> None:
    assert state_of(content, row) is RowState.ANOTHER_PATIENT


QUIET: dict[str, Resource] = {
    "visit": visit(type=[{"text": "Office visit"}], diagnosis=[{"condition": {"display": "Acute bronchitis"}}]),
    "visit, R5": visit(reason=[{"value": [{"concept": concept((SNOMED, "10509002"))}]}]),
    "visit called off": visit(status="cancelled", reason=[CLOT]),
    "order": order(code=CHEST_CT, note=[{"text": "please call when done"}]),
    "study of the knee": named("ImagingStudy", status="available", started=days_ago(1),
                               series=[{"uid": "1", "bodySite": {"system": SNOMED, "code": "72696002"}}]),
    "appointment": named("Appointment", status="booked", start=days_ago(0), description="Flu vaccination"),
    "appointment entered in error": named("Appointment", status="entered-in-error", reasonCode=[CLOT]),
    "weight": named("Observation", status="final", code=concept((LOINC, "29463-7")), valueString="70"),
}  # fmt: skip


@pytest.mark.parametrize("row", QUIET.values(), ids=QUIET)
def test_what_names_nothing_of_ours_is_silent(content: Content, row: Resource) -> None:
    assert state_of(content, row) in (RowState.NO_CONCERN, RowState.ENDED)
    assert doubts(content, row) == Doubts()


@pytest.mark.parametrize("row", ["visit, STU3", "appointment", "study", "communication"])
def test_one_of_years_ago_raises_nothing(content: Content, row: str) -> None:
    dates = {"period": {"start": days_ago(900), "end": days_ago(899)}, "start": days_ago(900),
             "started": days_ago(900), "sent": days_ago(900)}  # fmt: skip
    old = {**ELSEWHERE[row], **{key: value for key, value in dates.items() if key in ELSEWHERE[row]}}
    found = doubts(content, old)
    assert (found.complaint, found.signs, found.on_card) == ((), (), ())


def test_the_patient_is_not_asked_for_where_only_the_patient_came(content: Content) -> None:
    assert read(content, who=patient()).unread == ()


def test_a_sign_is_still_read_from_a_visit_that_names_more(content: Content) -> None:
    found = judged(content, visit(concept((SNOMED, "10601006")), note=[{"text": "DVT?"}]), on("pain_calf"))
    assert any(fact.source.startswith("Encounter/") for fact in found.record.facts)


# --- notes and evidence of other problems; documents, lists and plans

CELLULITIS = concept((SNOMED, "128045006"))
HYPERTENSION = concept((SNOMED, "38341003"))
ICD_PROBLEM = concept(("http://hl7.org/fhir/sid/icd-10-cm", "I10"))
BESIDE: list[Resource] = [
    {"note": [{"text": "DVT not excluded"}]},
    {"note": [{"text": "Verdacht auf TVT"}]},
    {"note": [{"text": "seen today"}, {"text": "phlebitis? deep vein thrombosis?"}]},
    {"evidence": [{"code": [CLOT]}]},
    {"evidence": [{"code": [{"text": "thrombose veineuse profonde"}]}]},
    {"evidence": [{"detail": [{"display": "Duplex: DVT"}]}]},
]


@pytest.mark.parametrize("fields", BESIDE, ids=str)
@pytest.mark.parametrize("code", [CELLULITIS, HYPERTENSION, ICD_PROBLEM, {"text": "red leg"}], ids=str)
def test_a_dvt_in_the_notes_or_evidence_of_a_problem_is_named(content: Content, code: Resource, fields: Any) -> None:
    row = condition(code, ago=1, **fields)
    assert any("dvt" in one.keys for one in read(content, row).unread)
    assert doubts(content, row).complaint
    assert level(content, *SIGNS, *negative_tests(2, 2), row) is not None
    assert not any("dvt" in one.keys for one in read(content, condition(code, ago=1)).unread)


@pytest.mark.parametrize(
    "fields",
    [
        {"clinical": "resolved", "note": [{"text": "DVT?"}]},
        {"verification": "refuted", "note": [{"text": "DVT?"}]},
        {"verification": "entered-in-error", "note": [{"text": "DVT?"}]},
        {"note": [{"text": "on DVT prophylaxis"}]},
        {"note": [{"text": "calf pain since Monday"}]},
        {"note": [{"text": "family history of DVT"}]},
    ],
    ids=str,
)
def test_other_notes_name_no_dvt(content: Content, fields: Any) -> None:
    assert not any("dvt" in one.keys for one in read(content, condition(HYPERTENSION, ago=1, **fields)).unread)


def document(**fields: Any) -> Resource:
    return named("DocumentReference", **{"status": "current", "date": f"{days_ago(1)}T10:00:00Z", **fields})


DOCUMENTS: list[Resource] = [
    document(description="Duplex: DVT left leg"),
    document(type={"text": "Arztbrief: V.a. TVT"}),
    document(content=[{"attachment": {"title": "deep vein thrombosis - letter"}}]),
    named("CarePlan", status="active", intent="plan", created=days_ago(1), addresses=[{"display": "DVT"}]),
    named("CarePlan", status="active", intent="plan", created=days_ago(1),
          activity=[{"detail": {"reasonCode": [CLOT]}}]),
    named("List", status="current", mode="working", date=days_ago(1), entry=[{"item": {"display": "Acute DVT"}}]),
    named("List", status="current", mode="working", date=days_ago(1),
          entry=[{"item": {"reference": "Condition/gone", "display": "Deep vein thrombosis"}}]),
    named("Composition", status="final", date=days_ago(1), section=[{"entry": [{"display": "TVT links"}]}]),
    named("Goal", lifecycleStatus="active", startDate=days_ago(1), description={"text": "treat DVT"}),
    named("DeviceRequest", status="active", intent="order", authoredOn=days_ago(1), reasonCode=[CLOT]),
]  # fmt: skip


@pytest.mark.parametrize("row", DOCUMENTS, ids=lambda row: str(row)[-90:])
def test_a_dvt_in_a_document_a_list_or_a_plan_is_named(content: Content, row: Resource) -> None:
    found = doubts(content, row)
    assert ["dvt" in one.keys for one in found.complaint] == [True]
    assert level(content, *SIGNS, *negative_tests(2, 2), row) is not None
    assert state_of(content, {**row, "subject": {"reference": "Patient/q"}}) is RowState.ANOTHER_PATIENT
    status = "lifecycleStatus" if row["resourceType"] == "Goal" else "status"
    if status == "status":
        assert state_of(content, {**row, status: "entered-in-error"}) is RowState.ENDED


def test_an_old_document_keeps_nothing_open(content: Content) -> None:
    old = document(description="Duplex: DVT left leg", date="2019-05-01T10:00:00Z")
    assert level(content, *SIGNS, *negative_tests(2, 2), old) is None
    assert not doubts(content, old).complaint


@pytest.mark.parametrize("text", ["calf pain leaflet", "VTE prophylaxis plan", "family history: DVT", "Blood pressure"])
def test_a_document_about_anything_else_is_of_no_concern(content: Content, text: str) -> None:
    assert state_of(content, document(description=text)) is RowState.NO_CONCERN


@pytest.mark.parametrize("reference", ["Condition/old", "http://localhost/fhir/Condition/old", "urn:uuid:c"])
def test_a_list_of_rows_that_came_says_nothing_more(content: Content, reference: str) -> None:
    """What the row itself says counts: here that the DVT is over."""
    row = {**condition(CLOT, ago=900, clinical="resolved"), "id": "old"}
    listed = named(
        "List", status="current", date=days_ago(0), entry=[{"item": {"reference": reference, "display": "DVT"}}]
    )
    entries = [ChartEntry(patient()), ChartEntry(row, "urn:uuid:c"), ChartEntry(listed)]
    record = read_record(content, "p", entries, NOW, fhir_server="http://localhost/fhir")
    assert not record.unread
    alone = read_record(content, "p", [ChartEntry(patient()), ChartEntry(listed)], NOW)
    assert [one.keys for one in alone.unread] == [("dvt",)]


def test_words_are_searched_anew_with_another_content(content: Content) -> None:
    """A replay reads the same entries at many moments and with two contents. What words mean is the content's."""
    entries = [ChartEntry(patient()), ChartEntry(visit(reason=[{"text": "Thrombose der Beinvene"}]))]
    without_words = replace(content, words=(), problem_words={}, word_contexts={})
    for one, unread in ((content, 1), (without_words, 0), (content, 1)):
        assert len(read_record(one, "p", entries, NOW).unread) == unread

"""Courses of an anticoagulant: which ones run for sure, and what ends them (evidence C.4, C.6; FHIR R4 statuses)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from tests.charts import RXNORM, SNOMED, Resource, concept, days_ago, judged, named, observation, read
from tests.clinical.dvt.signs import APIXABAN, clot, level, on

OLD = [on("pain_calf", 20), on("calf_swelling", 20), clot(ago=20)]
APIXABAN_CODES = [(RXNORM, "1364430"), (RXNORM, "1364445"), (SNOMED, "698090000")]
OTHER_DRUGS = [(RXNORM, "11289"), (RXNORM, "1114195"), (SNOMED, "712778008")]
CLASS_CODES = [(FINDING_SYSTEM, "on_anticoagulant"), (SNOMED, "81839001"), (SNOMED, "372862008")]


def statement(status: str, drug: tuple[str, str] = APIXABAN_CODES[0], **fields: Any) -> Resource:
    return named("MedicationStatement", status=status, medicationCodeableConcept=concept(drug), **fields)


def request(status: str, drug: tuple[str, str] = APIXABAN_CODES[0], **fields: Any) -> Resource:
    fields.setdefault("intent", "order")
    return named("MedicationRequest", status=status, medicationCodeableConcept=concept(drug), **fields)


def treated(content: Content, *rows: Any) -> bool:
    return level(content, *OLD, *rows) is None


def test_a_running_course_treats(content: Content) -> None:
    """What the others of this file take away; without this one they would prove nothing."""
    assert level(content, *OLD) == "critical"
    assert treated(content, APIXABAN)
    assert treated(content, statement("active"))
    for drug in (*APIXABAN_CODES, *OTHER_DRUGS):
        assert treated(content, request("active", drug, authoredOn=days_ago(20))), drug


ENDS = [
    lambda drug, ago: statement("not-taken", drug, dateAsserted=days_ago(ago)),
    lambda drug, ago: statement("not-taken", drug, effectiveDateTime=days_ago(ago)),
    lambda drug, ago: statement("stopped", drug, dateAsserted=days_ago(ago)),
    lambda drug, ago: statement("on-hold", drug, effectivePeriod={"start": days_ago(60), "end": days_ago(ago)}),
    lambda drug, ago: statement("stopped", drug, effectivePeriod={"start": days_ago(60), "end": days_ago(ago)}),
    lambda drug, ago: statement("completed", drug, effectivePeriod={"start": days_ago(60), "end": days_ago(ago)}),
    lambda drug, ago: request("stopped", drug, authoredOn=days_ago(ago)),
    lambda drug, ago: request("on-hold", drug, authoredOn=days_ago(ago)),
    lambda drug, ago: request("active", drug, authoredOn=days_ago(ago), doNotPerform=True),
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("drug", APIXABAN_CODES)
def test_a_later_end_of_the_same_drug_ends_it_however_it_is_coded(
    content: Content, end: Any, drug: tuple[str, str]
) -> None:
    assert not treated(content, APIXABAN, end(drug, 3))
    assert not treated(content, APIXABAN, end(drug, 20))  # the same day, without times
    assert treated(content, APIXABAN, end(drug, 30))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("drug", OTHER_DRUGS)
def test_the_end_of_another_drug_ends_nothing(content: Content, end: Any, drug: tuple[str, str]) -> None:
    assert treated(content, APIXABAN, end(drug, 3))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("drug", CLASS_CODES)
def test_the_end_of_the_class_ends_every_drug_of_it(content: Content, end: Any, drug: tuple[str, str]) -> None:
    assert not treated(content, APIXABAN, end(drug, 3))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("drug", [*OTHER_DRUGS, APIXABAN_CODES[0]])
def test_a_course_of_the_class_ends_with_any_drug_of_it(content: Content, end: Any, drug: tuple[str, str]) -> None:
    some = request("active", CLASS_CODES[1], authoredOn=days_ago(20))
    assert treated(content, some)
    assert not treated(content, some, end(drug, 3))


@pytest.mark.parametrize(
    "undated",
    [statement("not-taken"), statement("stopped"), statement("on-hold"), request("stopped"), request("on-hold")],
)
def test_an_undated_end_may_be_of_today(content: Content, undated: Resource) -> None:
    assert not treated(content, APIXABAN, undated)


@pytest.mark.parametrize(
    ("start", "end", "runs"),
    [
        ("T12:00:00Z", "T08:00:00Z", True),
        ("T08:00:00Z", "T12:00:00Z", False),
        ("T12:00:00+02:00", "T11:00:00Z", False),
        ("T12:00:00Z", "T13:30:00+02:00", True),
        ("T08:00:00Z", "T08:00:00Z", False),
        ("", "T08:00:00Z", False),
        ("T08:00:00Z", "", False),
    ],
)
def test_start_and_end_of_one_day(content: Content, start: str, end: str, runs: bool) -> None:
    begun = request("active", authoredOn=days_ago(20) + start)
    for ended in (
        request("stopped", authoredOn=days_ago(20) + end),
        statement("not-taken", dateAsserted=days_ago(20) + end),
    ):
        assert treated(content, begun, ended) is runs


def test_an_end_ends_earlier_courses_only(content: Content) -> None:
    again = request("active", authoredOn=days_ago(2))
    stopped = statement("stopped", dateAsserted=days_ago(10))
    assert treated(content, APIXABAN, stopped, again)
    assert not treated(content, APIXABAN, stopped, again, statement("not-taken", dateAsserted=days_ago(1)))


@pytest.mark.parametrize("switched_to", OTHER_DRUGS)
def test_a_switch_of_drugs_is_a_treatment(content: Content, switched_to: tuple[str, str]) -> None:
    stop = request("stopped", authoredOn=days_ago(10))
    assert treated(content, APIXABAN, stop, request("active", switched_to, authoredOn=days_ago(10)))


# --- what never was a treatment


def by_medication(status: Any, *, contained: bool, **fields: Any) -> list[Resource]:
    """A running request for a Medication resource that has this status."""
    drug = {"resourceType": "Medication", "id": "m", "code": concept(APIXABAN_CODES[0]), **fields}
    if status is not None:
        drug["status"] = status
    pointer = {"reference": "#m" if contained else "Medication/m"}
    row = {**APIXABAN, "medicationCodeableConcept": None, "medicationReference": pointer}
    row = {key: value for key, value in row.items() if value is not None}
    return [{**row, "contained": [drug]}] if contained else [row, drug]


@pytest.mark.parametrize("contained", [True, False])
def test_the_status_of_the_medicine_itself_counts(content: Content, contained: bool) -> None:
    for status in ("active", None):
        assert treated(content, *by_medication(status, contained=contained))
    for wrong in ("entered-in-error", "inactive", "Active", "draft", "", 7):
        rows = by_medication(wrong, contained=contained)
        assert not treated(content, *rows), wrong
        assert [one.source for one in read(content, *rows).unread] == [f"MedicationRequest/{APIXABAN['id']}"]


MODIFIER = {"modifierExtension": [{"url": "https://x.example/negated", "valueBoolean": True}]}


@pytest.mark.parametrize("contained", [True, False])
def test_a_modifier_in_the_medicine_counts(content: Content, contained: bool) -> None:
    assert not treated(content, *by_medication("active", contained=contained, **MODIFIER))
    part = {"itemCodeableConcept": {"text": "filler"}, **MODIFIER}
    assert not treated(content, *by_medication("active", contained=contained, ingredient=[part]))
    batch = {"lotNumber": "4", **MODIFIER}
    assert not treated(content, *by_medication("active", contained=contained, batch=batch))


@pytest.mark.parametrize(
    "fields",
    [
        MODIFIER,
        {"dosageInstruction": [{"text": "1-0-1", **MODIFIER}]},
        {"dosageInstruction": [{"timing": {"event": [days_ago(1)], **MODIFIER}}]},
        {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 5, **MODIFIER}}]}]},
        {"dispenseRequest": {"numberOfRepeatsAllowed": 1, **MODIFIER}},
        {"substitution": {"allowedBoolean": False, **MODIFIER}},
    ],
)
def test_a_modifier_at_any_depth_of_a_request(content: Content, fields: dict[str, Any]) -> None:
    row = {**APIXABAN, **fields}
    assert not treated(content, row)
    assert read(content, row).unread


@pytest.mark.parametrize("when", [days_ago(-1), days_ago(-40), "2026-03-16T18:00:00Z", "2026-03-17T09:00:00Z", "2027"])
def test_what_is_written_after_now_treats_nobody_yet(content: Content, when: str) -> None:
    assert not treated(content, request("active", authoredOn=when))
    assert not treated(content, statement("active", effectivePeriod={"start": when}))
    assert not treated(content, statement("active", dateAsserted=when))


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "draft"},
        {"status": "cancelled"},
        {"status": "entered-in-error"},
        {"status": "completed", "authoredOn": days_ago(60)},
        {"status": "unknown"},
        {"status": "Active"},
        {"status": None},
        {"intent": "proposal"},
        {"intent": "option"},
        {"intent": "plan"},
        {"intent": "Order"},
        {"intent": None},
        {"doNotPerform": True},
        {"doNotPerform": "true"},
        {"subject": {"reference": "Patient/q"}},
        {"subject": None},
        {"dispenseRequest": {"validityPeriod": {"start": days_ago(60), "end": days_ago(2)}}},
        {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": days_ago(2)}}}}]},
    ],
)
def test_a_request_that_nobody_takes_treats_nothing(content: Content, fields: dict[str, Any]) -> None:
    row = {key: value for key, value in {**APIXABAN, **fields}.items() if value is not None}
    assert not treated(content, row)


@pytest.mark.parametrize(
    "fields",
    [
        {"dispenseRequest": {"validityPeriod": {"start": days_ago(60), "end": days_ago(-30)}}},
        {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"start": days_ago(20)}}}}]},
        {"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": days_ago(-90)}}}}]},
        {
            "dosageInstruction": [
                {"sequence": 1, "timing": {"repeat": {"boundsPeriod": {"end": days_ago(13)}}}},
                {"sequence": 2, "text": "5 mg twice a day"},
            ]
        },
        {"doNotPerform": False},
        {"intent": "filler-order"},
        {"intent": "plan", "reportedBoolean": True},
    ],
)
def test_a_request_that_goes_on_treats(content: Content, fields: dict[str, Any]) -> None:
    assert treated(content, {**APIXABAN, **fields})


@pytest.mark.parametrize("status", ["intended", "completed", "entered-in-error", "unknown", "Active", "taking"])
def test_a_statement_that_does_not_say_active_treats_nothing(content: Content, status: str) -> None:
    assert not treated(content, statement(status, effectivePeriod={"start": days_ago(60), "end": days_ago(25)}))


def test_a_denial_in_an_observation_counts_for_the_class(content: Content) -> None:
    said = observation("on_anticoagulant", ago=2, valueBoolean=False)
    assert not treated(content, APIXABAN, said)
    assert treated(content, request("active", authoredOn=days_ago(1)), said)


@pytest.mark.parametrize(
    "unknown",
    [
        request("active", ("https://local.example/drugs", "77"), authoredOn=days_ago(4)),
        statement("active", ("https://local.example/drugs", "77")),
        {**request("active", authoredOn=days_ago(4)), "medicationCodeableConcept": {"text": "Tablet A"}},
        {**by_medication("active", contained=False)[0], "id": "pointing-nowhere"},
        {**statement("not-taken"), "status": "NOT TAKEN"},
    ],
)
def test_a_medicine_that_is_not_identified_keeps_a_treated_dvt_open(content: Content, unknown: Resource) -> None:
    """It may be the order to stop, or it may be nothing: the card says so."""
    found = judged(content, *OLD, APIXABAN, unknown).legs[0].dvt
    assert found.suspected
    assert found.not_closed_by


NO_DOSE: list[Resource] = [
    request("active", dosageInstruction=[{"doseAndRate": [{"doseQuantity": {"value": 0, "unit": "mg"}}]}]),
    statement("active", dosage=[{"doseAndRate": [{"doseQuantity": {"value": 0}}]}]),
    statement("active", dosage=[{"text": "pause"}, {"doseAndRate": [{"doseQuantity": {"value": 0.0}}]}]),
]


@pytest.mark.parametrize("row", NO_DOSE, ids=str)
def test_a_dose_of_nothing_treats_nothing_and_is_still_an_anticoagulant_on_record(content: Content, row: Any) -> None:
    assert not treated(content, row)
    record = read(content, row)
    assert [fact.key for fact in record.facts] == ["on_anticoagulant"]
    assert [one.keys for one in record.unread] == [("on_anticoagulant",)]


def test_a_dose_of_something_treats(content: Content) -> None:
    dose = [{"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}]
    assert treated(content, request("active", authoredOn=days_ago(20), dosageInstruction=dose))
    assert treated(content, statement("active", dosage=dose))


@pytest.mark.parametrize("status", ["stopped", "on-hold", "not-taken", "completed"])
@pytest.mark.parametrize(
    "period",
    [
        {"start": days_ago(60)},
        {"start": days_ago(60), "end": days_ago(0)},
        {"start": days_ago(60), "end": days_ago(-3)},
    ],
    ids=str,
)
def test_when_a_period_began_does_not_tell_when_it_was_stopped(
    content: Content, status: str, period: dict[str, str]
) -> None:
    """That a course runs has to be proved, that it has ended not."""
    assert not treated(content, APIXABAN, statement(status, effectivePeriod=period))


NOT_NOW: list[dict[str, Any]] = [
    {"timing": {"repeat": {"boundsPeriod": {"start": "2026-05-01"}}}},
    {"timing": {"event": ["2026-05-01"]}},
    {"timing": {"event": [days_ago(20)]}},
    {"timing": {"event": [days_ago(20)], "repeat": {"count": 1}}},
    {"doseAndRate": [{"doseRange": {"low": {"value": 0}, "high": {"value": 0}}}]},
]


@pytest.mark.parametrize("dosage", NOT_NOW, ids=str)
def test_what_is_for_other_days_or_of_no_dose_treats_nothing(content: Content, dosage: dict[str, Any]) -> None:
    assert not treated(content, request("active", authoredOn=days_ago(20), dosageInstruction=[dosage]))


NOW_TOO: list[dict[str, Any]] = [
    {"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}},
    {"timing": {"repeat": {"boundsPeriod": {"start": days_ago(20)}}}},
    {"timing": {"event": [days_ago(20), days_ago(0)]}},
    {"text": "twice daily"},
]


@pytest.mark.parametrize("dosage", NOW_TOO, ids=str)
def test_what_is_for_today_treats(content: Content, dosage: dict[str, Any]) -> None:
    assert treated(content, request("active", authoredOn=days_ago(20), dosageInstruction=[dosage]))


# --- what is no proof that it is taken as a treatment now


def length(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def repeat(**fields: Any) -> dict[str, Any]:
    return {"dosageInstruction": [{"timing": {"repeat": fields}}]}


TWICE_A_DAY: dict[str, Any] = {"frequency": 2, "period": 1, "periodUnit": "d"}
NO_PROOF: list[dict[str, Any]] = [
    repeat(boundsDuration=length(10, "d")),
    repeat(boundsDuration=length(2, "wk")),
    repeat(boundsDuration=length(48, "h")),
    repeat(boundsDuration={"value": 5}),
    repeat(boundsRange={"low": length(7, "d"), "high": length(30, "d")}),
    repeat(count=1),
    repeat(count=20, **TWICE_A_DAY),
    repeat(count=6),
    {"dispenseRequest": {"expectedSupplyDuration": length(14, "d")}},
    {"dispenseRequest": {"expectedSupplyDuration": length(5, "d"), "numberOfRepeatsAllowed": 2}},
    {"dispenseRequest": {"quantity": {"value": 0}}},
    {"dosageInstruction": [{"text": "5 mg once"}]},
    {"dosageInstruction": [{"text": "STAT dose only"}]},
    {"dosageInstruction": [{"timing": {"code": {"text": "once"}}}]},
    {"dosageInstruction": [{"text": "einmalig 5 mg"}]},
    {"dosageInstruction": [{"text": "VTE prophylaxis 2.5 mg"}]},
    {"dosageInstruction": [{"patientInstruction": "Thromboseprophylaxe"}]},
    {"dosageInstruction": [{"additionalInstruction": [{"text": "STOP on 3 March"}]}]},
    {"reasonCode": [{"text": "tromboprofylax"}]},
    {"reasonCode": [{"coding": [{"system": SNOMED, "code": "1", "display": "Deep vein thrombosis prophylaxis"}]}]},
    {"note": [{"text": "stopped by GP"}]},
    {"note": [{"text": "seit Montag abgesetzt"}]},
    {"note": [{"text": "Paused before the operation"}]},
    {"note": [{"text": "patient is not taking it"}]},
    {"note": [{"text": "arrêté le 3 mars"}]},
    {"note": [{"text": "seponert"}]},
    {"dosageInstruction": [{"text": "line flush"}]},
]


@pytest.mark.parametrize("fields", NO_PROOF, ids=str)
def test_what_may_be_over_or_no_treatment_is_on_record_and_proves_nothing(content: Content, fields: Any) -> None:
    """Written down with the clot and long before it: it stays on record as an anticoagulant, and is never "none"."""
    for ago in (20, 300):
        row = request("active", authoredOn=days_ago(ago), **fields)
        found = judged(content, *OLD, row).legs[0].dvt
        assert found.suspected
        assert not found.anticoagulated
        assert found.anticoagulant is not None
        assert not read(content, row).unread


@pytest.mark.parametrize(
    "dosage", [one["dosageInstruction"] for one in NO_PROOF if "dosageInstruction" in one], ids=str
)
def test_the_same_holds_for_a_statement(content: Content, dosage: Any) -> None:
    row = statement("active", dosage=dosage, effectivePeriod={"start": days_ago(20)})
    assert treated(content, statement("active", effectivePeriod={"start": days_ago(20)}))
    assert not treated(content, row)


@pytest.mark.parametrize("words", ["Hepflush", "Heparin line flush 50 units", "catheter lock", "Heparin-Spülung"])
def test_a_product_that_keeps_a_line_open_is_no_treatment(content: Content, words: str) -> None:
    heparin = request("active", (RXNORM, "5224"), authoredOn=days_ago(20))
    assert treated(content, heparin)
    named_so = {**concept((RXNORM, "5224")), "text": words}
    assert not treated(content, {**heparin, "medicationCodeableConcept": named_so})


GOES_ON: list[dict[str, Any]] = [
    repeat(boundsDuration=length(3, "mo"), **TWICE_A_DAY),
    repeat(boundsDuration=length(21, "d")),
    repeat(count=60, **TWICE_A_DAY),
    {
        "dosageInstruction": [
            {"timing": {"repeat": {"boundsDuration": length(7, "d")}}},
            {"text": "then 5 mg twice daily"},
        ]
    },
    {"dispenseRequest": {"expectedSupplyDuration": length(30, "d"), "quantity": {"value": 60}}},
    {"dispenseRequest": {"expectedSupplyDuration": length(10, "d"), "numberOfRepeatsAllowed": 3}},
    {"dosageInstruction": [{"text": "15 mg once daily"}]},
    {"dosageInstruction": [{"text": "one tablet once every evening"}]},
    {"dosageInstruction": [{"text": "einmal täglich"}]},
    {"dosageInstruction": [{"patientInstruction": "Do not stop without asking your doctor"}]},
    {"dosageInstruction": [{"text": "nicht absetzen!"}]},
    {"reasonCode": [{"text": "deep vein thrombosis, left leg"}]},
]


@pytest.mark.parametrize("fields", GOES_ON, ids=str)
def test_what_reaches_to_today_treats(content: Content, fields: Any) -> None:
    assert treated(content, request("active", authoredOn=days_ago(20), **fields))


PARACETAMOL = {"coding": [{"system": RXNORM, "code": "161", "display": "acetaminophen"}]}
STOPPED_PERHAPS: dict[str, Resource] = {
    "a brand in words": {**statement("stopped"), "medicationCodeableConcept": {"text": "Eliquis"}},
    "under a local code": statement("stopped", ("https://local.example/drugs", "77"), dateAsserted=days_ago(1)),
    "not taken, in words": {**statement("not-taken"), "medicationCodeableConcept": {"text": "Blutverdünner"}},
    "on hold, nothing said": {**request("on-hold"), "medicationCodeableConcept": {"text": "Tablet A"}},
    "a status of no list": statement("Stopped", dateAsserted=days_ago(1)),
    "a status that says nothing": statement("unknown", dateAsserted=days_ago(1)),
}  # fmt: skip


@pytest.mark.parametrize("end", STOPPED_PERHAPS.values(), ids=STOPPED_PERHAPS)
def test_a_dvt_is_not_surely_treated_beside_what_may_be_the_stop(content: Content, end: Resource) -> None:
    """Also without any sign: a treatment that may have ended is none that is proved."""
    assert level(content, clot(ago=20), APIXABAN) is None
    assert level(content, clot(ago=20), APIXABAN, end) == "critical"


@pytest.mark.parametrize(
    "row",
    [
        {**statement("active"), "medicationCodeableConcept": {"text": "Tablet A"}},
        statement("active", ("https://local.example/drugs", "77")),
        {**statement("stopped", dateAsserted=days_ago(900)), "medicationCodeableConcept": {"text": "Xarelto"}},
        {**statement("stopped", dateAsserted=days_ago(1)), "medicationCodeableConcept": PARACETAMOL},
    ],
    ids=str,
)
def test_what_is_no_stop_of_it_leaves_it_treated(content: Content, row: Resource) -> None:
    assert level(content, clot(ago=20), APIXABAN, row) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"note": [{"text": "do not give until reviewed"}]},
        {"note": [{"text": "patient refused"}]},
        {"note": [{"text": "Patientin verweigert die Einnahme"}]},
        {"note": [{"text": "never started"}]},
        {"note": [{"text": "ne prend plus"}]},
        {"statusReason": {"text": "ran out"}},
        {"dosageInstruction": [{"asNeededBoolean": True}]},
        {"dosageInstruction": [{"asNeededCodeableConcept": {"text": "before flights"}}]},
    ],
    ids=str,
)
def test_what_may_never_be_taken_proves_no_treatment(content: Content, fields: dict[str, Any]) -> None:
    assert not treated(content, {**APIXABAN, **fields})


def test_one_regular_dose_beside_one_as_needed_treats(content: Content) -> None:
    dosage = [{"text": "5 mg twice a day"}, {"asNeededBoolean": True}]
    assert treated(content, {**APIXABAN, "dosageInstruction": dosage})

"""Every element of a row in every wrong shape: the row ends in the ledger, and the chart beside it is judged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import ChartEntry, read_record, resource_types
from tests.charts import CALF, LEFT, LEFT_CALF, SNOMED, Resource, concept, days_ago, judged, named, observation, patient
from tests.clinical.dvt.signs import APIXABAN, on
from tests.conftest import NOW, one_in
from tests.mutations import places

WRONG: tuple[Any, ...] = (
    5, -1.5, True, None, "x", {}, [], [None], [[]], [{}], {"x": 1}, {"coding": 5}, {"coding": [5]}, {"coding": {}},
    {"code": {}}, {"reference": 5}, {"resourceType": []},
)  # fmt: skip
IN_WORDS = {"text": "Deep vein thrombosis of left leg"}
UNKNOWN = {"coding": [{"system": SNOMED, "code": "404684003"}], "text": "Deep vein thrombosis of left leg"}
INSIDE = [{"resourceType": "Observation", "id": "i", "status": "final", "code": concept((SNOMED, "449614009"))}]
STATUSES: Resource = {
    "clinicalStatus": concept(("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")),
    "verificationStatus": concept(("http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted")),
}
ROWS = {
    "problem in words": named("Condition", code=IN_WORDS, onsetDateTime=days_ago(2), **STATUSES),
    "problem with words beside a code": named("Condition", code=UNKNOWN, onsetDateTime=days_ago(2), **STATUSES),
    "problem": named(
        "Condition",
        code=concept((SNOMED, "404223003")),
        bodySite=[concept((SNOMED, CALF))],
        abatementDateTime=days_ago(1),
        evidence=[{"code": [concept((SNOMED, "404684003"))]}],
        note=[{"text": "seen"}],
        **STATUSES,
    ),
    "observation": {**on("calf_swelling"), "contained": INSIDE, "focus": [{"reference": "Patient/p"}]},
    "panel": named(
        "Observation",
        status="final",
        code=concept((SNOMED, "404684003")),
        category=[concept(("http://terminology.hl7.org/CodeSystem/observation-category", "exam"))],
        hasMember=[{"reference": "Observation/none"}],
        component=[{"code": concept((SNOMED, "449614009")), "valueCodeableConcept": concept((SNOMED, LEFT))}],
        contained=INSIDE,
    ),
    "medicine": {**APIXABAN, "contained": INSIDE, "meta": {"lastUpdated": f"{days_ago(1)}T10:00:00Z"}},
    "order": named(
        "ServiceRequest",
        status="active",
        intent="order",
        code=concept((SNOMED, "404684003")),
        bodySite=[concept((SNOMED, LEFT_CALF))],
        reasonCode=[concept((SNOMED, "432805000"))],
    ),
    "report": named(
        "DiagnosticReport",
        status="final",
        code=concept((SNOMED, "404684003")),
        conclusionCode=[concept((SNOMED, "404223003"))],
        conclusion="DVT",
    ),
    "visit": named("Encounter", status="in-progress", reasonCode=[concept((SNOMED, "281792000"))]),
}  # fmt: skip


def with_wrong(row: Resource, path: tuple[Any, ...], wrong: Any) -> Resource:
    changed = copy.deepcopy(row)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = copy.deepcopy(wrong)
    return changed


@pytest.mark.parametrize("name", ROWS)
def test_no_wrong_shape_ends_the_call_or_loses_the_row(content: Content, name: str) -> None:
    """Each shape in each place in the long profile, every fourth in the normal one."""
    row = ROWS[name]
    for first, path in enumerate(places(row)):
        for wrong in one_in(4, WRONG, first):
            found = judged(content, on("pain_calf"), on("calf_swelling"), with_wrong(row, path, wrong))
            assert found.legs[0].dvt.suspected, (path, wrong)
            assert sum(line.count for line in found.record.ledger) == 4, (path, wrong)


ELEMENTS = (
    "status", "subject", "patient", "for", "participant", "actor", "code", "category", "reasonCode", "reason", "meta",
    "text", "note", "contained", "extension", "identifier", "focus", "hasMember", "medicationReference", "intent",
    "doNotPerform", "valueCodeableConcept", "conclusionCode", "component", "bodySite", "effectiveDateTime", "issued",
    "clinicalStatus", "verificationStatus", "period", "dosage", "item", "content", "link", "birthDate",
    "deceasedBoolean",
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(resource_types.ALL))
def test_no_element_of_a_wrong_type_ends_the_reading(content: Content, kind: str) -> None:
    """Whatever one row holds, the other rows are read, and the row itself ends in one state."""
    rows = [
        {"resourceType": kind, "id": f"{element}-{number}", "subject": {"reference": "Patient/p"}, element: value}
        for element in ELEMENTS
        for number, value in enumerate(WRONG)
    ]
    chart = [patient(), *rows, observation("pain_calf")]
    record = read_record(content, "p", [ChartEntry(row) for row in chart], NOW)
    assert sum(line.count for line in record.ledger) == len(chart)
    assert "pain_calf" in {fact.key for fact in record.facts}


def test_rows_not_understood_for_the_same_reason_have_a_fixed_order(content: Content) -> None:
    """Rows may share an id, for example those of two servers. Their order must not depend on the process."""
    rows = [observation("calf_swelling", id="same", subject=None, ago=days) for days in range(12)]
    unread = read_record(content, "p", [ChartEntry(row) for row in (patient(id="p"), *rows)], NOW).unread
    digests = [row.digest for row in unread]
    assert len(set(digests)) == len(rows)
    assert digests == sorted(digests)

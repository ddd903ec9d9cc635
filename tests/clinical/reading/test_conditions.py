"""Whether a problem is over: a status of FHIR's list or a past date, and nothing that says otherwise (evidence F.5)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import UnreadKind
from tests.charts import LEFT_CALF, SNOMED, Resource, concept, condition, days_ago, facts, judged, patient, read
from tests.conftest import NOW

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
UCUM = "http://unitsofmeasure.org"
HERE = ("calf_swelling", "present", "left")


def swelling(**fields: Any) -> Resource:
    return condition(concept((SNOMED, "281792000")), bodySite=[concept((SNOMED, LEFT_CALF))], **fields)


def years(value: float) -> Resource:
    return {"value": value, "unit": "a", "system": UCUM, "code": "a"}


def statuses(*codes: str, system: str | None = CLINICAL) -> Resource:
    return {"coding": [{"system": system, "code": code} if system else {"code": code} for code in codes]}


STILL_THERE: list[dict[str, Any]] = [
    {"abatementString": "ongoing"},
    {"abatementString": "not yet"},
    {"abatementString": "resolved last week"},
    {"abatementAge": years(90)},
    {"abatementAge": years(57)},
    {"abatementRange": {"low": years(50), "high": years(60)}},
    {"abatementPeriod": {"start": days_ago(5)}},
    {"abatementPeriod": {"start": days_ago(5), "end": days_ago(-20)}},
    {"abatementDateTime": days_ago(-1)},
    {"abatementDateTime": "2026-03-16T18:00:00Z"},
    {"abatementDateTime": "2027"},
    {"abatementDateTime": "2026-03"},
    {"abatementDateTime": "2026"},
]


@pytest.mark.parametrize("abatement", STILL_THERE, ids=str)
@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse"])
def test_an_active_problem_is_there_until_a_date_or_age_that_is_past(
    content: Content, clinical: str, abatement: dict[str, Any]
) -> None:
    assert HERE in facts(read(content, swelling(clinical=clinical, **abatement)))


@pytest.mark.parametrize("abatement", STILL_THERE, ids=str)
def test_without_a_status_too(content: Content, abatement: dict[str, Any]) -> None:
    assert HERE in facts(read(content, swelling(clinical=None, **abatement)))


@pytest.mark.parametrize(
    "abatement",
    [
        {"abatementDateTime": days_ago(1)},
        {"abatementDateTime": "2026-03-16T09:00:00Z"},
        {"abatementDateTime": "2026-02"},
        {"abatementDateTime": "2025"},
        {"abatementPeriod": {"end": days_ago(2)}},
        {"abatementAge": years(40)},
    ],
    ids=str,
)
def test_a_date_or_age_that_is_past_ends_it(content: Content, abatement: dict[str, Any]) -> None:
    for clinical in ("active", None):
        assert not facts(read(content, swelling(clinical=clinical, **abatement)))


@pytest.mark.parametrize("words", [{"abatementString": "gone"}, {"abatementAge": years(99)}, {"abatementAge": {}}])
def test_words_alone_are_named(content: Content, words: dict[str, Any]) -> None:
    record = read(content, swelling(clinical=None, **words))
    assert {one.kind for one in record.unread} <= {UnreadKind.STATUS, UnreadKind.INVALID}
    assert record.unread
    assert HERE in facts(record) or any("calf_swelling" in one.keys for one in record.unread)


def test_an_age_is_that_of_the_patient(content: Content) -> None:
    assert NOW.year == 2026
    for birth, there in (("1990-01-01", True), ("1970-01-01", False)):
        found = read(content, swelling(abatementAge=years(45)), who=patient(birth=birth))
        assert (HERE in facts(found)) is there
    unborn = {"resourceType": "Patient", "id": "p"}
    assert HERE in facts(read(content, swelling(abatementAge=years(45)), who=unborn))


@pytest.mark.parametrize(
    "codes",
    [
        ("resolved", "active"),
        ("active", "resolved"),
        ("relapse", "remission"),
        ("inactive", "recurrence"),
        ("inactive", "resolved", "active"),
        ("resolved", "Resolved"),
        ("closed",),
        ("Resolved",),
        ("resolved", "archived"),
        (),
    ],
    ids=str,
)
def test_statuses_that_contradict_or_are_no_words_leave_it_active(content: Content, codes: tuple[str, ...]) -> None:
    for system in (CLINICAL, None):
        record = read(content, {**swelling(), "clinicalStatus": statuses(*codes, system=system)})
        assert HERE in facts(record)
        assert [one.kind for one in record.unread] == [UnreadKind.STATUS]


@pytest.mark.parametrize("codes", [("resolved",), ("inactive", "resolved"), ("remission",), ("resolved", "inactive")])
def test_statuses_that_agree_end_it(content: Content, codes: tuple[str, ...]) -> None:
    record = read(content, {**swelling(), "clinicalStatus": statuses(*codes)})
    assert not facts(record)
    assert not record.unread


@pytest.mark.parametrize("status", [{"text": "resolved"}, statuses("413322009", system=SNOMED), {"coding": []}, {}])
def test_a_status_in_words_or_another_system_is_not_known(content: Content, status: dict[str, Any]) -> None:
    record = read(content, {**swelling(), "clinicalStatus": status})
    assert HERE in facts(record) or any("calf_swelling" in one.keys for one in record.unread)
    assert record.unread


@pytest.mark.parametrize("code", ["404223003", "432805000", "128053003"])
@pytest.mark.parametrize("end", [{"abatementDateTime": days_ago(1)}, {"abatementAge": years(40)}], ids=str)
@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse"])
def test_a_clot_that_is_still_called_active_stays_open(
    content: Content, code: str, end: dict[str, Any], clinical: str
) -> None:
    """Evidence F.5: of a problem that has abated no card, but a suspected DVT whose code is still open stays."""
    clot = condition(concept((SNOMED, code)), bodySite=[concept((SNOMED, LEFT_CALF))], clinical=clinical, **end)
    found = judged(content, clot)
    assert found.legs[0].dvt.suspected
    assert {one.kind for one in found.record.unread} == {UnreadKind.STATUS}


@pytest.mark.parametrize("clinical", ["resolved", "inactive", "remission", None])
def test_a_clot_that_nothing_calls_active_is_over(content: Content, clinical: str | None) -> None:
    clot = condition(concept((SNOMED, "404223003")), clinical=clinical, abatementDateTime=days_ago(1))
    assert judged(content, clot).legs == ()


@pytest.mark.parametrize("clinical", ["recurrence", "relapse"])
def test_what_has_come_back_is_as_new_as_its_record(content: Content, clinical: str) -> None:
    code = concept((SNOMED, "404223003"))
    back = condition(code, ago=None, clinical=clinical, onsetDateTime="2015-01-01", recordedDate=days_ago(1))
    assert judged(content, back).legs[0].dvt.suspected


def test_an_age_lasts_until_the_next_birthday(content: Content) -> None:
    """The patient of these charts is 55: at 55 may be yesterday."""
    now = condition(concept((SNOMED, "404223003")), ago=None, onsetAge=years(55))
    assert judged(content, now).legs[0].dvt.suspected
    assert not judged(content, {**now, "onsetAge": years(50)}).legs[0].dvt.suspected


def test_a_date_long_before_the_birth_is_not_understood(content: Content) -> None:
    record = read(content, condition(concept((SNOMED, "404223003")), ago=None, onsetDateTime="1926-03-15"))
    assert [one.kind for one in record.unread] == [UnreadKind.DATE]
    assert record.diagnoses[0].when is None

"""A site's own codes that stand for standard ones: diagnoses, and medicines, of ours or not."""

from __future__ import annotations

import pytest

from cds_service.base.errors import ContentError
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.local_codes import added
from cds_service.clinical.content.models import LocalCode, StandardCode
from cds_service.clinical.record import UnreadKind
from tests.charts import RXNORM, SNOMED, Resource, condition, facts, named, read

SITE = "https://hospital.example/formulary"
ATC = "http://www.whocc.no/atc"


def same(code: str, system: str, standard: str) -> LocalCode:
    return LocalCode.model_validate({"system": SITE, "code": code, "same_as": {"system": system, "code": standard}})


LOCAL = (
    same("1", ATC, "B01AF02"),
    same("2", ATC, "A10BA02"),
    same("3", SNOMED, "404223003"),
    same("4", ATC, "B01AC06"),
)


def taken(code: str, display: str | None = None, status: str = "active") -> Resource:
    coding = {"system": SITE, "code": code} | ({"display": display} if display else {})
    concept = {"coding": [coding]}
    return named("MedicationRequest", status=status, intent="order", medicationCodeableConcept=concept)


def coded(code: str) -> Resource:
    return condition({"coding": [{"system": SITE, "code": code}]})


@pytest.fixture(scope="module")
def mapped(content: Content) -> Content:
    return added(content, LOCAL)


def test_a_diagnosis_is_mapped(mapped: Content) -> None:
    assert [one.cause for one in read(mapped, coded("3")).diagnoses] == ["dvt"]


def test_a_medicine_of_ours_is_mapped_with_its_substance(mapped: Content) -> None:
    record = read(mapped, taken("1"))
    assert {key for key, _, _ in facts(record)} == {"on_anticoagulant"}
    stop = read(mapped, taken("1", status="stopped")).stops
    assert [(one.key, one.substance) for one in stop] == [("on_anticoagulant", "apixaban")]


@pytest.mark.parametrize("code", ["2", "4"])
def test_a_medicine_that_is_none_of_ours_is_identified(content: Content, mapped: Content, code: str) -> None:
    assert [one.kind for one in read(content, taken(code)).unread] == [UnreadKind.SYSTEM]
    record = read(mapped, taken(code))
    assert not record.facts
    assert not record.unread


def test_words_identify_the_rest_of_a_formulary_that_is_mapped(mapped: Content) -> None:
    assert not read(mapped, taken("9", "Paracetamol 500 mg")).unread
    assert [one.keys for one in read(mapped, taken("9", "Eliquis 5 mg")).unread] == [("on_anticoagulant",)]
    assert len(read(mapped, taken("9")).unread) == 1, "a bare code tells nothing"


def test_a_missing_standard_code_may_stand_for_another_under_any_address(content: Content) -> None:
    code = LocalCode(
        system="urn:oid:2.16.840.1.113883.6.88", code="99999", same_as=StandardCode(system=ATC, code="B01AA03")
    )
    record = read(
        added(content, (code,)),
        named(
            "MedicationStatement",
            status="active",
            medicationCodeableConcept={"coding": [{"system": RXNORM, "code": "99999"}]},
        ),
    )
    assert {key for key, _, _ in facts(record)} == {"on_anticoagulant"}


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ((same("1", "https://other.example", "X"),), "not a code that this service knows"),
        ((same("1", ATC, "not a code"),), "not a code that this service knows"),
        ((same("1", ATC, "B01AF02"), same("1", ATC, "A10BA02")), "means B01AF02"),
        ((LocalCode(system=ATC, code="B01AF02", same_as=StandardCode(system=ATC, code="A10BA02")),), "already means"),
        (
            (LocalCode(system=SNOMED, code="404223003", same_as=StandardCode(system=ATC, code="A10BA02")),),
            "already means",
        ),
    ],
)
def test_what_cannot_be_mapped(content: Content, codes: tuple[LocalCode, ...], said: str) -> None:
    with pytest.raises(ContentError, match=said):
        added(content, codes)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"finding": "fever", "same_as": {"system": ATC, "code": "B01AF02"}},
        {"side": "left", "same_as": {"system": SNOMED, "code": "404223003"}},
        {"same_as": {"system": ATC}},
    ],
)
def test_what_is_no_mapping(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="1"):
        LocalCode.model_validate({"system": SITE, "code": "1", **fields})

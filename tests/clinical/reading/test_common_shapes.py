"""Ordinary resources are a strict subset of FHIR: what they accept, ``fhir.resources`` reads the same way."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.reading import ChartEntry, read_record, resources
from cds_service.clinical.reading.common_shapes import ordinary
from cds_service.clinical.reading.resources import build
from cds_service.clinical.record import Record
from tests.bench.bodies import DVT_PICTURE
from tests.cases import check_all
from tests.charts import observation, patient
from tests.conftest import NOW, bundle, shipped_service, stories
from tests.mutations import ANYTHING, mutate, retype
from tests.mutations import resources as resources_of

ID = "invented"
EXTRAS: tuple[dict[str, Any], ...] = (
    {},
    {"meta": {"versionId": "3", "lastUpdated": "2026-03-01T08:00:00.123+01:00", "source": "#x"}},
    {"identifier": [{"use": "usual", "system": "urn:oid:1.2.3", "value": "7"}]},
    {"encounter": {"reference": "Encounter/1", "display": "Ward"}, "issued": "2026-03-01T08:00:00Z"},
    {"performer": [{"reference": "Practitioner/1", "type": "Practitioner"}], "note": [{"text": "x"}]},
    {"effectiveDateTime": "2026-03-01T23:59:59+14:00"},
    {"effectiveDateTime": "2026-02-28"},
    {"interpretation": [{"coding": [{"system": "http://x.example", "code": "N", "userSelected": True}]}]},
    {"referenceRange": [{"low": {"value": 1}, "high": {"value": 2.5, "unit": "mg"}, "text": "1-2"}]},
    {"valueQuantity": {"value": 38.5, "comparator": ">=", "unit": "C", "system": "http://unitsofmeasure.org"}},
    {"valueString": "seen"},
    {"component": [{"code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "valueBoolean": False}]},
    {"meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs|7.0.0"]}},
    {"language": "en-GB", "text": {"status": "generated", "div": "<div>Calf swollen</div>"}},
    {
        "derivedFrom": [{"reference": "Observation/9"}],
        "identifier": [{"value": "7", "period": {"start": "2026-01-01"}}],
    },
    {"method": {"text": "m"}, "specimen": {"reference": "Specimen/1"}, "basedOn": [{"reference": "ServiceRequest/1"}]},
)


ORIGIN = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
OMB = {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3", "display": "White"}
PEOPLE: tuple[dict[str, Any], ...] = (
    {},
    {"meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]}, "language": "en"},
    {"text": {"status": "generated", "div": "<div>Invented</div>"}, "multipleBirthBoolean": False},
    {"extension": [{"url": ORIGIN, "extension": [{"url": "ombCategory", "valueCoding": OMB},
                                                 {"url": "text", "valueString": "White"}]}]},
    {"extension": [{"url": "http://x.example/birthsex", "valueCode": "F"},
                   {"url": "http://x.example/place", "valueAddress": {"city": "Invented", "country": "XX"}}]},
    {"telecom": [{"system": "phone", "value": "5", "rank": 1, "period": {"start": "2020-01-01"}}],
     "name": [{"family": "Invented", "period": {"end": "2020-01-01"}}],
     "communication": [{"language": {"text": "English"}, "preferred": True}]},
)  # fmt: skip


def record(raw: dict[str, Any]) -> Record:
    if raw.get("resourceType") == "Patient":
        return read_record(shipped_service().content, patient()["id"], [ChartEntry(raw)], NOW)
    entries = [ChartEntry(patient()), ChartEntry(raw)]
    return read_record(shipped_service().content, patient()["id"], entries, NOW)


def both(raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Record, Record]:
    """As it is read, and as it is read by ``fhir.resources`` alone."""
    quick = record(raw)
    with monkeypatch.context() as patched:
        patched.setattr(resources, "ordinary", lambda _: None)
        return quick, record(raw)


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: ",".join(extra) or "plain")
def test_what_charts_are_full_of_is_ordinary_and_reads_the_same(
    extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in DVT_PICTURE:
        raw = observation(key)
        if any(name.startswith("value") or name == "component" for name in extra):
            raw.pop("valueBoolean", None)
        raw |= extra
        assert ordinary(raw) is not None, raw
        quick, whole = both(raw, monkeypatch)
        assert quick == whole


@pytest.mark.parametrize("extra", PEOPLE, ids=lambda extra: ",".join(extra) or "plain")
def test_patients_as_profiles_of_the_world_have_them_are_ordinary(
    extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = {**patient(), **extra}
    assert ordinary(raw) is not None, raw
    quick, whole = both(raw, monkeypatch)
    assert quick == whole


@given(st.randoms(use_true_random=True), st.sampled_from(PEOPLE))
def test_a_patient_that_is_ordinary_after_damage_is_valid_fhir(dice: Random, extra: dict[str, Any]) -> None:
    raw = spoilt(dice, {**patient(), **extra})
    if ordinary(raw) is None:
        return
    with pytest.MonkeyPatch.context() as patched:
        quick, whole = both(raw, patched)
        assert quick == whole, raw
        patched.setattr(resources, "ordinary", lambda _: None)
        assert build(raw)[1] == (), raw


def test_every_example_reads_the_same() -> None:
    content = shipped_service().content

    def check(name: str) -> None:
        entries = [ChartEntry(row["resource"], row.get("fullUrl")) for row in bundle(name)["entry"]]
        who = next(entry.identity for entry in entries if entry.kind == "Patient")
        quick = read_record(content, str(who), entries, NOW)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(resources, "ordinary", lambda _: None)
            assert quick == read_record(content, str(who), entries, NOW)

    check_all(sorted(stories()), check)


def spoilt(dice: Random, raw: dict[str, Any]) -> dict[str, Any]:
    """``raw`` after some damage; anything can have happened to it."""
    body = {
        "hook": "",
        "hookInstance": "",
        "context": {},
        "prefetch": {"observations": {"entry": [{"resource": copy.deepcopy(raw)}]}},
    }
    mutate(dice, body, ANYTHING if dice.random() < 0.7 else (retype,), 3)
    found = resources_of(body)
    return found[0] if found else raw


@given(st.randoms(use_true_random=True), st.sampled_from(EXTRAS), st.sampled_from(DVT_PICTURE))
def test_what_is_ordinary_after_damage_is_valid_fhir(dice: Random, extra: dict[str, Any], key: str) -> None:
    raw = spoilt(dice, {**observation(key), **extra})
    if ordinary(raw) is None:
        return
    with pytest.MonkeyPatch.context() as patched:
        quick, whole = both(raw, patched)
        assert quick == whole, raw
        patched.setattr(resources, "ordinary", lambda _: None)
        assert build(raw)[1] == (), raw

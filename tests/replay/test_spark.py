"""The same verdicts on Apache Spark."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import orjson
import pytest

from tests.charts import LEFT_CALF, observation
from tests.conftest import NOW
from tests.population import export
from tests.replay.runs import all_kept, replayed

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="the extra spark is not installed"),
    pytest.mark.filterwarnings("ignore"),
]


def test_spark_finds_what_duckdb_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    export(tmp_path / "in", 400, files=3)
    with (tmp_path / "in" / "Observation.001.ndjson").open("ab") as stream:
        stream.write(b"broken\n")
    drug = (
        b'{"resourceType": "Medication", "id": "d", "identifier": [{"system": "urn:oid:4", "value": "1"}]}\n'
        b'{"resourceType": "Medication", "id": "e", "identifier": [{"system": "urn:oid:4", "value": "2"}]}\n'
        b'{"resourceType": "Medication", "id": "f", "identifier": [{"system": "urn:oid:4", "value": "2"}]}\n'
    )
    (tmp_path / "in" / "Medication.ndjson").write_bytes(drug)
    (tmp_path / "in" / "more.ndjson").write_bytes(
        b'{"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order",'
        b' "subject": {"reference": "Patient/p000001"}, "medicationReference": {"reference": "Medication/d"}}\n'
        b'{"resourceType": "MedicationRequest", "id": "n", "status": "active", "intent": "order",'
        b' "subject": {"reference": "Patient/p000002"},'
        b' "medicationReference": {"identifier": {"system": "urn:oid:4", "value": "1"}}}\n'
        b'{"resourceType": "MedicationRequest", "id": "o", "status": "active", "intent": "order",'
        b' "subject": {"reference": "Patient/p000003"},'
        b' "medicationReference": {"identifier": {"system": "urn:oid:4", "value": "2"}}}\n'
    )
    who = {"system": "urn:oid:1.2.3", "value": "7"}
    visit = {"reference": "Patient/z"}, {"start": NOW.isoformat()}
    identified = [
        observation(key, site=LEFT_CALF, subject={"identifier": {**who, "value": value}})
        for key, value in (("pain_calf", "7"), ("calf_swelling", "7"), ("calf_swelling", "8"))
    ]
    rows = [
        *identified,
        {"resourceType": "Encounter", "id": "z1", "status": "finished", "subject": visit[0], "period": visit[1]},
        {"resourceType": "Patient", "id": "z", "birthDate": "1970-01-01", "identifier": [who]},
    ]
    (tmp_path / "in" / "identified.ndjson").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    plain = replayed(tmp_path / "in", tmp_path / "duckdb")
    assert plain["patients"] == 401
    spark = replayed(tmp_path / "in", tmp_path / "spark", engine="spark", workers=2)
    assert all_kept(tmp_path / "spark") == all_kept(tmp_path / "duckdb")
    same = ("patients", "openings", "cards_per_1000", "not_understood", "coverage", "input", "after_openings", "rows")
    assert {name: spark[name] for name in same} == {name: plain[name] for name in same}
    assert (tmp_path / "spark" / "not_grouped.ndjson").read_bytes() == (
        tmp_path / "duckdb" / "not_grouped.ndjson"
    ).read_bytes()

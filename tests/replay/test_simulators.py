"""Charts of a public simulator, if it is installed: every patient is counted, whichever way they are exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.replay.runs import kept, replayed

PATIENTS = 200
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cohort() -> Any:
    """Transactions of ``carebundle`` 0.5 (Apache-2.0): UUIDs as ``fullUrl``, and no ids."""
    simulator = pytest.importorskip("carebundle", reason="pip install carebundle")
    return list(simulator.generate_cohort(count=PATIENTS, seed=7))


def openings(out: Path) -> list[dict[str, Any]]:
    """What was seen at each opening. A Bundle of one patient also holds the practitioner, so its rows are more."""
    return [{name: value for name, value in row.items() if name != "rows"} for row in kept(out, "openings")]


def test_every_simulated_patient_is_counted_in_each_form(cohort: Any, tmp_path: Path) -> None:
    to_json = pytest.importorskip("carebundle.core.bundle").to_json
    to_ndjson = pytest.importorskip("carebundle").to_ndjson
    for name in ("one each", "together", "bulk"):
        (tmp_path / name).mkdir()
    together = []
    for number, bundle in enumerate(cohort):
        text = to_json(bundle)
        (tmp_path / "one each" / f"{number}.json").write_text(text, encoding="utf-8")
        together += orjson.loads(text)["entry"]
    everybody = orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": together})
    (tmp_path / "together" / "all.json").write_bytes(everybody)
    for kind, lines in to_ndjson(cohort).items():
        (tmp_path / "bulk" / f"{kind}.ndjson").write_text(lines, encoding="utf-8")
    rows = len(together)

    seen = []
    for name in ("one each", "together", "bulk"):
        report = replayed(tmp_path / name, tmp_path / f"out {name}")
        assert (report["patients"], report["patients_without_details"]) == (PATIENTS, 0)
        assert report["patients_not_judged"] == []
        assert (report["input"]["rows"], report["input"]["not_grouped_rows"]) == (rows, 0)
        assert report["openings"] == report["input"]["types"]["Encounter"]
        seen.append(openings(tmp_path / f"out {name}"))
    assert seen[0] == seen[1] == seen[2]

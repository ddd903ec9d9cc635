"""``knee-cds codes``: what a site's charts hold that looks like ours and is not mapped."""

from __future__ import annotations

import json
import re
import tomllib
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from cds_service.base.settings import Settings
from cds_service.cli.inputs import documents
from cds_service.cli.main import main
from cds_service.clinical.content.catalogue import Content
from cds_service.service.code_survey import Survey
from cds_service.service.evaluate import load_content

SITE = "https://hospital.example/codes"


def coded(code: str, display: str, system: str = SITE, kind: str = "Observation", **more: Any) -> dict[str, Any]:
    concept = {"coding": [{"system": system, "code": code, "display": display}]}
    return {"resourceType": kind, "code": concept, **more}


def listed(tmp_path: Path, capsys: pytest.CaptureFixture[str], *resources: Any, status: int = 0) -> str:
    (tmp_path / "charts").mkdir(exist_ok=True)
    lines = b"\n".join(json.dumps(one).encode() for one in resources)
    (tmp_path / "charts" / "all.ndjson").write_bytes(lines)
    assert main(["codes", str(tmp_path / "charts")]) == status
    return capsys.readouterr().out


def uncommented(text: str) -> list[dict[str, Any]]:
    """The file after a person has taken every # of an entry away."""
    entries = re.sub(r"^# (\[\[code\]\]|system|code|finding)", r"\1", text, flags=re.MULTILINE)
    found: list[dict[str, Any]] = tomllib.loads(entries).get("code", [])
    return found


def test_the_most_frequent_comes_first_and_nothing_counts_before_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    swelling, fever = coded("SW", "Calf swelling"), coded("F1", "Fever")
    text = listed(tmp_path, capsys, fever, swelling, swelling, coded("X", "Body height"))
    assert tomllib.loads(text) == {}
    entries = uncommented(text)
    assert [(one["code"], one["finding"]) for one in entries] == [("SW", "calf_swelling"), ("F1", "fever")]
    assert "4 x https://hospital.example/codes" in text
    file = tmp_path / "local.toml"
    file.write_text(text)
    monkeypatch.setenv("KNEE_CDS_LOCAL_CODES", str(file))
    assert not load_content(Settings()).local_codes, "the draft loads as it is"
    file.write_text(
        "".join(
            line.removeprefix("# ") if re.match(r"# (\[\[|system|code|finding)", line) else line
            for line in text.splitlines(True)
        )
    )
    monkeypatch.setenv("KNEE_CDS_LOCAL_CODES", str(file))
    assert load_content(Settings()).uses(SITE, "SW")[0].key == "calf_swelling"
    assert "SW" not in str(uncommented(listed(tmp_path, capsys, swelling))), "what is mapped is not listed again"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (coded("M25.999", "Pain", "http://hl7.org/fhir/sid/icd-10-cm", "Condition"), "by its ICD category"),
        (coded("30989003", "Schmerz", "https://x.example/sct"), "by the same code in a system of ours"),
        (coded("B1", "Left popliteal fossa"), "by its place"),
        (coded("D1", "Deep vein thrombosis", kind="Condition"), "May mean dvt"),
        (coded("D1", "Deep vein thrombosis", kind="Condition"), "# same_as = { system"),
        (coded("P", "Panel", component=[coded("C", "Calf swelling")]), 'code = "C"'),
        ({"resourceType": "Encounter", "reasonCode": [coded("R", "Calf swelling")["code"]]}, 'code = "R"'),
        ({"resourceType": "Bundle", "entry": [{"resource": coded("N", "Calf swelling")}]}, 'code = "N"'),
    ],
)
def test_each_way_of_looking_like_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], resource: Any, expected: str
) -> None:
    assert expected in listed(tmp_path, capsys, resource)


@pytest.mark.parametrize(
    "resource",
    [
        coded("H1", "Body height"),
        coded("30989003", "Knee pain", "http://snomed.info/sct"),
        coded("", "Calf swelling"),
        {"resourceType": "Observation", "code": {"text": "Calf swelling"}},
    ],
)
def test_what_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str], resource: Any) -> None:
    assert uncommented(listed(tmp_path, capsys, resource)) == []


def test_units_that_a_measure_does_not_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dimer = coded("48065-7", "D-dimer", "http://loinc.org", valueQuantity={"value": 1, "unit": "furlong"})
    good = coded("48065-7", "D-dimer", "http://loinc.org", valueQuantity={"value": 1, "code": "ng/mL{FEU}"})
    text = listed(tmp_path, capsys, dimer, good)
    assert "#   d_dimer_feu: furlong\n" in text
    assert "ng/mL" not in text


def test_hostile_words_stay_in_their_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = coded('a"\n[[code]]\nx = "', 'Calf swelling\n[[code]]\nsystem = "x"\u2028', SITE + '"\n')
    text = listed(tmp_path, capsys, evil)
    assert tomllib.loads(text) == {}
    (entry,) = uncommented(text)
    assert entry["code"] == 'a"\n[[code]]\nx = "'


def test_documents_that_are_no_charts_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = listed(tmp_path, capsys, coded("SW", "Calf swelling"), 7, [], {"a": 1}, status=1)
    assert [one["code"] for one in uncommented(text)] == ["SW"]


def test_memory_does_not_grow_with_rows(content: Content) -> None:
    def peak(rows: int) -> int:
        found = Survey(content)
        line = json.dumps(coded("SW", "Calf swelling")).encode()
        tracemalloc.start()
        for document in documents(BytesIO(b"\n".join([line] * 2))):
            found.take(document)
        for _ in range(rows):
            found.take(line)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.counts[SITE, "SW"] == rows + 2
        return used

    peak(10)
    assert peak(3_000) < peak(300) + 50_000


def test_a_folder_is_read_by_its_endings_and_the_rest_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "CHART.JSONL").write_bytes(json.dumps(coded("SW", "Calf swelling")).encode())
    (tmp_path / "export.ndjson.gz").write_bytes(b"")
    assert main(["codes", str(tmp_path)]) == 0
    out, said = capsys.readouterr()
    assert "Calf swelling" in out
    assert said.rstrip().endswith("being no .json, .ndjson or .jsonl file: export.ndjson.gz")
    (tmp_path / "CHART.JSONL").unlink()
    assert main(["codes", str(tmp_path)]) == 2

"""A replay at a moment finds what ``knee-cds evaluate`` finds of the same charts at that moment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import orjson
import pytest

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.cli.evaluate import judge
from tests.conftest import EXAMPLES, NOW, shipped_service
from tests.replay.runs import KEY, kept, replayed

Cards = dict[str, list[tuple[str, str, str]]]


@cache
def evaluated(folder: Path) -> Cards:
    """Rule, indicator and leg of every card that ``evaluate`` makes, by the patient's pseudonym."""
    found: Cards = {}
    for path in sorted(folder.glob("*.json")):
        cards, assessment = judge(shipped_service(), path.read_bytes(), NOW)
        patient = KeyedHash(KEY).of("patient", assessment.patient.id)
        found[patient] = [(card.rule, card.indicator, card.leg) for card in cards]
    return found


def cards_of(out: Path) -> Cards:
    found: Cards = {row["patient"]: [] for row in kept(out, "openings")}
    for row in sorted(kept(out, "cards"), key=lambda one: one["number"]):
        found[row["patient"]].append((row["rule"], row["indicator"], row["leg"]))
    return found


def as_export(folder: Path) -> None:
    """The examples as NDJSON by type, last patient first; a Medication stands in a file of its own."""
    folder.mkdir()
    lines: dict[str, list[bytes]] = {}
    for path in sorted(EXAMPLES.glob("*.json"), reverse=True):
        for entry in orjson.loads(path.read_bytes())["entry"]:
            lines.setdefault(entry["resource"]["resourceType"], []).append(orjson.dumps(entry["resource"]))
    for kind, some in lines.items():
        (folder / f"{kind}.ndjson").write_bytes(b"\n".join(some))


def test_bundles(tmp_path: Path) -> None:
    report = replayed(EXAMPLES, tmp_path / "out", at=NOW)
    wanted = evaluated(EXAMPLES)
    assert sum(map(len, wanted.values())) > 100
    assert cards_of(tmp_path / "out") == wanted
    assert report["patients"] == report["openings"] == len(list(EXAMPLES.glob("*.json")))


def test_an_export_of_the_same_charts(tmp_path: Path) -> None:
    as_export(tmp_path / "export")
    report = replayed(tmp_path / "export", tmp_path / "out", at=NOW)
    wanted = evaluated(EXAMPLES)
    found = cards_of(tmp_path / "out")
    # A row about somebody else, which evaluate finds in a patient's Bundle, is a patient of its own in an export.
    assert {patient: cards for patient, cards in found.items() if patient in wanted} == wanted
    assert report["patients"] == len(found)
    assert report["input"]["not_grouped_rows"] == 0


def test_charts_that_an_earlier_run_has_kept(tmp_path: Path) -> None:
    replayed(EXAMPLES, tmp_path / "first", at=NOW, keep_charts=True)
    replayed(tmp_path / "first" / "charts", tmp_path / "second", at=NOW)
    assert list(kept(tmp_path / "second", "cards")) == list(kept(tmp_path / "first", "cards"))


@pytest.mark.parametrize("name", ["dvt-likely", "knee-oa-typical", "well"])
def test_why_a_chart_is_silent_is_the_same(tmp_path: Path, name: str) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1970-05-05"}}],
    }
    text = orjson.dumps(bundle) if name == "well" else (EXAMPLES / f"{name}.json").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.json").write_bytes(text)
    replayed(tmp_path / "in", tmp_path / "out", at=NOW)
    cards, assessment = judge(shipped_service(), text, NOW)
    (row,) = kept(tmp_path / "out", "openings")
    assert row["cards"] == len(cards)
    assert row["silent_because"] == ("" if cards else assessment.silent_because)

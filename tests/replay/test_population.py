"""A population of which everything is known beforehand: each patient, opening and DVT card is counted, none twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.cli.codes import survey
from tests.conftest import shipped_service
from tests.population import Truth, bundles, export
from tests.replay.runs import all_kept, kept, replayed

PATIENTS = 120


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Truth, Path]:
    folder = tmp_path_factory.mktemp("export")
    return export(folder, PATIENTS), folder


@pytest.fixture(scope="module")
def run(truth: tuple[Truth, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("out") / "run"
    return replayed(truth[1], out), out


def test_every_patient_opening_and_row_is_counted(truth: tuple[Truth, Path], run: tuple[dict[str, Any], Path]) -> None:
    known, report = truth[0], run[0]
    assert all(known.stories[one] for one in ("suspected", "clot", "missed", "treated", "cancelled", "child"))
    assert report["patients"] == known.patients == PATIENTS
    assert report["openings"] == known.openings == 3 * PATIENTS
    assert report["input"]["types"] == dict(known.rows)
    assert report["input"]["not_grouped_rows"] == 0
    assert report["patients_not_judged"] == []
    assert len(list(kept(run[1], "openings"))) == known.openings


def test_dvt_cards_are_those_of_the_stories(truth: tuple[Truth, Path], run: tuple[dict[str, Any], Path]) -> None:
    known, (report, out) = truth[0], run
    assert report["openings_with_dvt_card"] == known.dvt_cards
    assert report["cards_per_1000"]["RF01"]["cards"] == known.dvt_cards
    assert report["cards_per_1000"]["RF01"]["value"] == round(1000 * known.dvt_cards / known.openings, 3)
    assert report["cards_per_1000"]["RF17"]["cards"] == known.stories["child"]
    # Nothing is shown at a first visit: what it finds is written down a quarter of an hour later.
    by_time = sorted(kept(out, "openings"), key=lambda row: row["at"], reverse=True)
    assert {row["cards"] for row in {row["patient"]: row for row in by_time}.values()} == {0}


def test_what_followed_is_what_the_stories_say(truth: tuple[Truth, Path], run: tuple[dict[str, Any], Path]) -> None:
    known, report = truth[0], run[0]
    found = report["after_openings"]["30"]
    assert (found["sensitivity"]["count"], found["sensitivity"]["of"]) == (known.clots_with_card, known.clots)
    shown = known.stories["suspected"] + known.clots_with_card  # who is treated already tells nothing
    assert (found["positive_predictive_value"]["count"], found["positive_predictive_value"]["of"]) == (
        known.clots_with_card,
        shown,
    )
    assert found["number_needed_to_alert"] == round(shown / known.clots_with_card, 2)


def test_nobody_can_be_named(run: tuple[dict[str, Any], Path]) -> None:
    for path in run[1].rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert b"Invented" not in text
            assert b"p000001" not in text
    rows = [row for kind in ("openings", "cards") for row in kept(run[1], kind)]
    values = {str(value) for row in rows for value in row.values()}
    assert not any("p0000" in one or "Person" in one or "Practitioner" in one for one in values)
    assert not (run[1] / "work").exists()


def test_bundles_files_order_and_workers_change_nothing(
    truth: tuple[Truth, Path], run: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    bundles(tmp_path / "bundles", PATIENTS)
    export(tmp_path / "packed", PATIENTS, files=3, packed=True)
    wanted = all_kept(run[1])
    for name, workers in (("bundles", 1), ("packed", 2)):
        report = replayed(tmp_path / name, tmp_path / f"out-{name}", workers=workers)
        assert report["patients"] == PATIENTS
        assert all_kept(tmp_path / f"out-{name}") == wanted


def test_codes_are_those_of_knee_cds_codes(truth: tuple[Truth, Path], run: tuple[dict[str, Any], Path]) -> None:
    found = survey(shipped_service().content, [truth[1]])
    coverage = run[0]["coverage"]
    assert coverage["resources"] == found.resources == truth[0].rows.total()
    assert {(one["system"], one["code"]): one["rows"] for one in coverage["codes"]} == {
        name: found.counts[name] for name in found.unmapped
    }
    assert {one["system"]: one["codes"] for one in coverage["systems"]} == dict(found.systems)

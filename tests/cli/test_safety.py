"""The safety case: the page is that of its file, and every test that a control names is there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from cds_service.cli.main import main
from cds_service.cli.safety import Hazard, page, read, risk
from tests.conftest import ROOT

FILE = ROOT / "deploy" / "safety" / "hazards.toml"
CASE = read(FILE)


@cache
def named_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_the_page_is_that_of_the_file() -> None:
    """To write it anew: ``knee-cds safety deploy/safety/hazards.toml > deploy/SAFETY.md``."""
    assert (ROOT / "deploy" / "SAFETY.md").read_text(encoding="utf-8") == page(CASE)


@pytest.mark.parametrize("hazard", CASE.hazard, ids=lambda one: str(one.id))
def test_every_control_and_every_test_that_proves_it_is_there(hazard: Hazard) -> None:
    for control in hazard.control:
        assert (ROOT / control.where).is_file(), control.where
        for named in control.tests:
            file, _, test = named.partition("::")
            assert test in named_in(file), named


def test_hazards_are_numbered_once_and_no_control_makes_a_risk_higher() -> None:
    assert [one.id for one in CASE.hazard] == [f"H{number:02}" for number in range(1, len(CASE.hazard) + 1)]
    for one in CASE.hazard:
        after = risk(one.residual_severity, one.residual_likelihood)
        assert after <= risk(one.severity, one.likelihood), one.id
        assert after < 4 or one.residual_why.startswith("Open: "), one.id


def test_many_controls_were_taken_out_to_see_their_test_fail() -> None:
    assert sum(bool(control.tried) for one in CASE.hazard for control in one.control) >= 8


def test_risk_grows_with_severity_and_likelihood() -> None:
    assert risk("minor", "very low") == 1
    assert risk("catastrophic", "very high") == 5
    assert risk("catastrophic", "very low") == 3


def test_mistakes_of_the_file_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "hazards.toml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace('severity = "minor"', 'severity = "small"', 1))
    assert main(["safety", str(wrong)]) == 2
    assert "severity" in capsys.readouterr().err

"""``knee-cds preview``: few cards at first, every card on request, and the names of the examples that are not shown."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.running import knee_cds
from tests.conftest import EXAMPLES, ROOT


def preview(*arguments: str) -> str:
    done = knee_cds("preview", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def refused(*arguments: str) -> str:
    done = knee_cds("preview", *arguments)
    assert done.returncode == 2
    return " ".join(done.stderr.decode().split())


def examples_shown(out: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"^─+ (\S+): \w+, \d+ words ─+$", out, re.MULTILINE)))


@pytest.mark.parametrize(
    ("key", "named"), [("RF07", "septic-arthritis-typical: RF07"), ("bakers_cyst", "bakers-cyst-typical: bakers_cyst")]
)
def test_the_cards_of_the_examples_of_a_rule_or_cause(key: str, named: str) -> None:
    assert named in preview(key, "--all")


def test_first_comes_one_example_of_each_kind_and_the_others_are_named() -> None:
    brief, whole = preview("RF01"), preview("RF01", "--all")
    first, every = examples_shown(brief), examples_shown(whole)
    assert len(brief.splitlines()) < 120 < 1000 < len(whole.splitlines())
    assert (len(first), len(every) > 40) == (2, True)
    others = re.findall(r"^  RF01, (?:critical|warning): (.+)$", brief, re.MULTILINE)
    assert len(others) == 2
    assert sorted([*first, *", ".join(others).split(", ")]) == every
    assert f"Not shown: {len(every) - 2} more" in brief
    assert "--example NAME" in brief
    assert "Not shown" not in whole


def test_one_example() -> None:
    assert examples_shown(preview("RF01", "--example", "dvt-likely")) == ["dvt-likely"]
    assert refused("RF01", "--example", "dvt-likly").endswith("Did you mean `dvt-likely`?")
    assert "No example patient of RF07 is called `dvt-likely`" in refused("RF07", "--example", "dvt-likely")


def test_another_language() -> None:
    assert "artritis" in preview("RF07", "--language", "es").lower()
    assert "text/fr.toml: this file is missing" in refused("RF07", "--language", "fr")


@pytest.mark.parametrize(
    ("key", "meant"), [("bakers_cist", "bakers_cyst"), ("DVT", "dvt"), ("rf07", "RF07"), ("Bakers_Cyst", "bakers_cyst")]
)
def test_a_key_that_is_not_there(key: str, meant: str) -> None:
    assert f"Did you mean `{meant}`?" in refused(key)


def test_an_example_without_a_card_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cards", tmp_path / "cards")
    shutil.copytree(EXAMPLES, tmp_path / "fhir_examples")
    nothing = (EXAMPLES / "nothing-at-all.json").read_bytes()
    (tmp_path / "fhir_examples/septic-arthritis-typical.json").write_bytes(nothing)
    done = knee_cds("preview", "RF07", KNEE_CDS_CARDS=str(tmp_path / "cards"))
    assert "Without any card: septic-arthritis-typical." in done.stdout.decode()

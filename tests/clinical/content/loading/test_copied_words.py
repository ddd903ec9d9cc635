"""Words that were copied from another language are named, without failing; chance is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cds_service.cli.main import main
from cds_service.clinical.content.loading.copied_words import HANDFUL, comparisons
from tests.conftest import ROOT


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``text`` of a copy of the content that the command line is pointed at."""
    shutil.copytree(ROOT / "cards", tmp_path / "cards")
    monkeypatch.setenv("KNEE_CDS_CARDS", str(tmp_path / "cards"))
    return tmp_path / "cards/text"


def checked(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["check"]) == 0
    said, warned = capfd.readouterr()
    return said, warned


def test_a_translation_has_its_total_and_no_warning(text: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said, warned = checked(capfd)
    found = re.search(r"Español: (\d+) texts of two words or more, (\d+) equal to the English\.", said)
    assert found
    assert (int(found[1]) > 1500, int(found[2]) <= HANDFUL) == (True, True)
    assert warned == ""
    assert text.is_dir()


def test_a_copied_folder_is_told_with_the_language_it_was_copied_from(
    text: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(text / "es", text / "fr")
    (text / "fr/pages.toml").write_bytes((text / "en/pages.toml").read_bytes())
    english = (text / "en.toml").read_text(encoding="utf-8").replace('name = "English"', 'name = "Français"')
    (text / "fr.toml").write_text(english, encoding="utf-8")
    said, warned = checked(capfd)
    assert re.search(r"Français: \d{4} texts of two words or more, \d+ equal to the English\.", said)
    of_english, of_spanish = re.findall(r"Warning: text/fr: (\d+) of (\d{4}) texts equal (.+?)\. Translate", warned)
    assert (of_english[2], of_spanish[2]) == ("the English ones", "those of text/es")
    assert of_english[1] == of_spanish[1]
    assert int(of_english[0]) + int(of_spanish[0]) - int(of_english[1]) in range(HANDFUL)
    named: dict[str, set[str]] = {}
    for file, places in re.findall(r"^  (text/fr\S+): (.+)$", warned, re.MULTILINE):
        named.setdefault(file, set()).update(places.split(", "))
    assert "score.open" in named["text/fr.toml"]
    assert "frame.skip" in named["text/fr/pages.toml"]
    assert "calf_swelling.short" in named["text/fr/findings.toml"]
    assert {"RF01.summary", "RF07.do.0"} <= named["text/fr/red_flags.toml"]
    assert {"uk_ng158.items.0.name", "us_ash2018.act"} <= named["text/fr/dvt.toml"]


def test_a_few_equal_texts_and_single_words_are_chance() -> None:
    english = {("findings", f"{number}.name"): f"swollen calf {'abcdefgh'[number]}" for number in range(8)}
    english |= {("", "side.left"): "{side} calf"}
    ours = {key: text if key[1] < f"{HANDFUL}" else f"autre {text}" for key, text in english.items()}
    (few,) = comparisons({"en": english, "fr": ours | {("", "side.left"): "{side} calf"}})
    assert (few.count, few.total, few.looks_copied) == (HANDFUL, 8, False)
    (more,) = comparisons({"en": english, "fr": ours | {("findings", "7.name"): "swollen calf h"}})
    assert (more.count, more.looks_copied) == (HANDFUL + 1, True)

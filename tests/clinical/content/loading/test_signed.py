"""What changed in the content: values read in their source, and the whole of it against another folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cds_service.base.errors import ContentError
from cds_service.cli.main import main
from cds_service.clinical.content.loading.load import load, parsed
from cds_service.clinical.content.loading.signed import SIGNED, differences, values_of, warnings, written
from tests.conftest import EXAMPLES, ROOT, texts_without_codes

CARDS = ROOT / "cards"
UK = "dvt/uk_ng158.toml"
SURGERY = "findings/clotting_risks.toml"


@pytest.fixture
def texts() -> dict[str, str]:
    return texts_without_codes()


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the content that the command line is pointed at, without the examples, which take most of the time."""
    folder = tmp_path / "cards"
    shutil.copytree(CARDS, folder)
    monkeypatch.setenv("KNEE_CDS_CARDS", str(folder))
    return folder


@pytest.fixture
def with_examples(copy: Path) -> Path:
    """The same, with the examples beside it."""
    shutil.copytree(EXAMPLES, copy.parent / "fhir_examples")
    return copy


def change(texts: dict[str, str], file: str, old: str, new: str) -> None:
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def warned(texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(one.file, one.place) for one in warnings(parsed(texts))]


# --- which values were read in their source ---


def test_a_value_has_the_status_of_the_block_around_it() -> None:
    found = values_of(
        {
            "status": "seen",
            "source": "a",
            "limit": 2,
            "window": {"days": 14, "source": "b", "status": "expert"},
            "items": [{"number": 1, "name": "x"}],
            "supports": [
                {"finding": "f", "lr_present": 3.0, "lr_absent": 1.0, "source": "c", "status_present": "seen"}
                | {"status_absent": "expert"}
            ],
        }
    )
    assert (found["limit"].is_seen, found["limit"].source) == (True, "a")
    assert (found["window.days"].is_seen, found["window.days"].source) == (False, "b")
    assert found["items.1.name"].is_seen
    assert found["supports.f.lr_present"].is_seen
    assert not found["supports.f.lr_absent"].is_seen
    assert found["supports.f.lr_present"].source == "c"


def test_the_shipped_content_is_as_it_was_signed(texts: dict[str, str]) -> None:
    assert not warned(texts)
    assert texts[SIGNED] == written(parsed(texts))
    assert texts[SIGNED].count("\n") > 300


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        (UK, "critical_at = 2", "critical_at = 3", "critical_at"),
        (UK, "repeat_scan_after = { days = 6", "repeat_scan_after = { days = 5", "repeat_scan_after.days"),
        (UK, "Active cancer: a low", "Cancer: a low", "cancer"),
        (
            UK,
            'orders = ["maternity_triage", "venous_duplex"',
            'orders = ["venous_duplex", "maternity_triage"',
            "pregnancy_orders",
        ),
        ("reasoning.toml", "cancer_current = { days = 183", "cancer_current = { days = 365", "cancer_current.days"),
        ("red_flags/RF04-possible-acute-limb-ischaemia.toml", 'speed = "now"', 'speed = "days"', "speed"),
        (UK, 'any = ["collateral_veins"]', 'any = ["warmth"]', "items.8.any"),
    ],
)
def test_a_changed_value_that_was_read_in_its_source(
    texts: dict[str, str], file: str, old: str, new: str, place: str
) -> None:
    change(texts, file, old, new)
    assert warned(texts) == [(file, place)]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (UK, "fresh_sign = { days = 14", "fresh_sign = { days = 10"),
        ("reasoning.toml", "order_valid = { days = 30", "order_valid = { days = 31"),
        ("causes/bakers_cyst.toml", "value = 0.2", "value = 0.21"),
    ],
)
def test_a_changed_expert_choice_is_no_warning(texts: dict[str, str], file: str, old: str, new: str) -> None:
    change(texts, file, old, new)
    assert not warned(texts)


def test_a_value_that_is_taken_out_or_comes_in_or_loses_its_status(texts: dict[str, str]) -> None:
    change(texts, UK, "repeat_scan_after = { days = 6,", "repeat_scan_after = {")
    change(
        texts,
        UK,
        'fresh_sign = { days = 14, source = "expert", status = "expert" }',
        'fresh_sign = { days = 14, source = "ng158", status = "seen" }',
    )
    change(
        texts,
        UK,
        'repeat_scan_before = { days = 8, source = "ng158", status = "seen"',
        'repeat_scan_before = { days = 8, source = "ng158", status = "recalled"',
    )
    said = {one.place: one.message for one in warnings(parsed(texts))}
    assert "gone" in said["repeat_scan_after.days"]
    assert "never signed" in said["fresh_sign.days"]
    assert said["repeat_scan_before.status"].startswith('"seen" -> "recalled"')
    assert "repeat_scan_before.days" not in said


def test_a_warning_names_file_place_source_and_both_values(texts: dict[str, str]) -> None:
    change(texts, UK, "repeat_scan_before = { days = 8", "repeat_scan_before = { days = 9")
    (only,) = map(str, warnings(parsed(texts)))
    assert only.startswith(f"{UK}: repeat_scan_before.days: 8 -> 9, signed as seen in `ng158`")


def test_without_the_file_it_says_that_nothing_can_be_told(texts: dict[str, str]) -> None:
    del texts[SIGNED]
    assert warned(texts) == [(SIGNED, "")]


def test_what_is_signed_is_no_content(texts: dict[str, str]) -> None:
    version = load(texts, "uk_ng158").version
    texts[SIGNED] = ""
    assert load(texts, "uk_ng158").version == version


# --- against another folder ---


def told(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [("SEEN " if one.is_seen else "") + str(one) for one in differences(parsed(old), parsed(new))]


def test_everything_that_differs(texts: dict[str, str]) -> None:
    old = dict(texts)
    change(texts, UK, "fresh_sign = { days = 14", "fresh_sign = { days = 10")
    change(texts, UK, "critical_at = 2", "critical_at = 3")
    change(texts, "orders/crp.toml", "sided = false", "sided = false\nsame_day = true")
    change(texts, "causes/fracture.toml", 'urgency = "', '#urgency = "')
    del texts["causes/cauda_equina.toml"]
    texts["causes/new_cause.toml"] = 'title = "New"\n'
    texts[SIGNED] = ""
    said = told(old, texts)
    assert f"{UK}: fresh_sign.days: 14 -> 10" in said
    assert f"SEEN {UK}: critical_at: 2 -> 3" in said
    assert "orders/crp.toml: same_day: added: true" in said
    assert any(one.startswith("causes/fracture.toml: urgency: removed: was ") for one in said)
    assert any(one.endswith("causes/cauda_equina.toml: removed") for one in said)
    assert "causes/new_cause.toml: added" in said
    assert len(said) == 6


def test_a_row_put_in_between_moves_no_other(texts: dict[str, str]) -> None:
    old = dict(texts)
    row = '  { finding = "fever", lr_present = 0.5, lr_absent = 1.0, source = "expert", '
    row += 'status_present = "expert", status_absent = "expert" },\n'
    assert 'finding = "fever"' not in texts["causes/bakers_cyst.toml"]
    change(texts, "causes/bakers_cyst.toml", "supports = [\n", "supports = [\n" + row)
    said = told(old, texts)
    assert said
    assert all(one.startswith("causes/bakers_cyst.toml: supports.fever.") for one in said)


@pytest.mark.parametrize(
    ("old", "new"),
    [("days = 6,", "days = 7,"), ('source = "ng158"', 'source = "ash2018"'), ('status = "seen"', 'status = "expert"')],
)
def test_values_and_sources_and_statuses_of_what_was_seen_are_marked(texts: dict[str, str], old: str, new: str) -> None:
    before = dict(texts)
    line = next(one for one in texts[UK].splitlines() if one.startswith("repeat_scan_after"))
    change(texts, UK, line, line.replace(old, new))
    (only,) = told(before, texts)
    assert only.startswith(f"SEEN {UK}: repeat_scan_after.")


def test_a_folder_that_is_no_toml(texts: dict[str, str]) -> None:
    texts[UK] = "title = "
    with pytest.raises(ContentError, match=UK):
        parsed(texts)


# --- the command line ---


def test_check_warns_and_still_ends_well(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert "Warning" not in capfd.readouterr().err
    edit(copy, UK, "repeat_scan_before = { days = 8", "repeat_scan_before = { days = 9")
    assert main(["check"]) == 0
    said = capfd.readouterr().err
    assert said.startswith(f"Warning: {UK}: repeat_scan_before.days: 8 -> 9, signed as seen in `ng158`")
    assert main(["check", "--sign"]) == 0
    assert main(["check"]) == 0
    assert "Warning" not in capfd.readouterr().err


def test_nothing_wrong_is_signed(copy: Path) -> None:
    edit(copy, UK, "critical_at = 2", "critical_at = 3")
    before = (copy / SIGNED).read_text(encoding="utf-8")
    assert main(["check", "--sign"]) == 2
    assert (copy / SIGNED).read_text(encoding="utf-8") == before


def test_check_against_another_folder(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--against", str(CARDS)]) == 0
    assert "0 difference(s)" in capfd.readouterr().out
    edit(copy, UK, "repeat_scan_before = { days = 8", "repeat_scan_before = { days = 9")
    edit(copy, "reasoning.toml", "order_valid = { days = 30", "order_valid = { days = 31")
    assert main(["check", "--against", str(CARDS)]) == 0
    out = capfd.readouterr().out
    assert "2 difference(s)" in out
    assert f"- SEEN {UK}: repeat_scan_before.days: 8 -> 9" in out
    assert "- reasoning.toml: order_valid.days: 30 -> 31" in out


def test_against_a_folder_that_is_not_there(copy: Path, tmp_path: Path) -> None:
    assert main(["check", "--against", str(tmp_path / "none")]) == 2


# --- example patients ---


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("cards/causes/bakers_cyst.toml", '"bakers-cyst-typical"', '"bakers-cyst-tipical"', "`bakers-cyst-typical`?"),
        ("cards/causes/anterior_referred.toml", '"under-18-knee-pain"', '"nobody"', "examples.not_shown"),
        ("cards/causes/calf_tear.toml", '"calf-tear-typical"', '""', "no example patient is called ``"),
        ("fhir_examples/stories.toml", 'urgent = ["RF01"]', 'urgent = ["RF91"]', "nothing called `RF91`"),
        ("fhir_examples/stories.toml", '"meniscal_tear"', '"meniscal_tare"', "did you mean `meniscal_tear`?"),
        (
            "fhir_examples/stories.toml",
            "[worked-case-3]",
            "[worked-case-33]",
            "there is no fhir_examples/worked-case-33",
        ),
    ],
)
def test_an_example_that_does_not_exist(
    with_examples: Path, capfd: pytest.CaptureFixture[str], file: str, old: str, new: str, words: str
) -> None:
    edit(with_examples.parent, file, old, new)
    assert main(["check"]) == 2
    assert words in capfd.readouterr().err


def test_a_site_without_examples_is_told(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(copy, "causes/bakers_cyst.toml", '"bakers-cyst-typical"', '"our-own-patient"')
    assert main(["check"]) == 0
    assert "example patients are not checked" in capfd.readouterr().out

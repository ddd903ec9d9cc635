"""Before and after: what another content would have shown otherwise, and what an earlier run did."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from cds_service.base.errors import ContentError, WrongSetting
from cds_service.base.settings import shipped
from cds_service.replay.against import against
from cds_service.replay.compare import verdict
from cds_service.replay.options import Options
from cds_service.replay.replay import replay
from cds_service.service.evaluate import content_version
from tests.conftest import NOW
from tests.population import export
from tests.replay.runs import all_kept, kept, replayed, settings

PATIENTS = 60
SIGN = "fresh_sign = { days = "


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    export(folder, PATIENTS)
    return folder


def other_content(folder: Path, name: str, old: str, new: str) -> Path:
    """The shipped content with one change."""
    shutil.copytree(shipped("cards"), folder)
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_the_same_content_changes_nothing(charts: Path, tmp_path: Path) -> None:
    same = shutil.copytree(shipped("cards"), tmp_path / "cards")
    changes = replayed(charts, tmp_path / "out", against=same)["changes"]
    assert changes["openings_compared"] == 3 * PATIENTS
    assert changes["openings_changed"] == 0
    assert changes["kinds"] == []
    assert changes["verdict"] == f"Nothing changes: all {3 * PATIENTS} openings show the same."


def test_words_that_change_are_no_change_of_rule(charts: Path, tmp_path: Path) -> None:
    rule = "red_flags/RF17-red-flag-in-someone-under-18.toml"
    text = (shipped("cards") / rule).read_text(encoding="utf-8")
    summary = next(line for line in text.splitlines() if line.startswith("summary"))
    before = other_content(tmp_path / "cards", rule, summary, summary.replace("under 18", "in a young person"))
    report = replayed(charts, tmp_path / "out", against=before)
    (kind,) = report["changes"]["kinds"]
    assert kind["kind"] == "other words only"
    assert kind["cards"] == report["cards_per_1000"]["RF17"]["cards"] > 0
    assert "as many cards of each urgency" in report["changes"]["verdict"]
    assert report["changes"]["content_before"] != report["content"]


def test_a_rule_that_was_not_there_is_new_cards(charts: Path, tmp_path: Path) -> None:
    """An earlier run of a site that had taken only visits at their start; this one judges by another content."""
    earlier = replayed(charts, tmp_path / "before")
    cards = tmp_path / "before" / "verdicts" / "cards"
    without_rule(cards, "RF17")
    report = replayed(charts, tmp_path / "out", against=tmp_path / "before")
    changes = report["changes"]
    count = earlier["cards_per_1000"]["RF17"]["cards"]
    (kind,) = changes["kinds"]
    assert (kind["kind"], kind["cards"], kind["openings"]) == ("new card", count, count)
    assert len(kind["examples"]) == min(20, count)
    assert {(one["rule"], one["before"]) for one in kind["examples"]} == {("RF17", None)}
    known = {row["patient"] for row in kept(tmp_path / "out", "cards") if row["rule"] == "RF17"}
    assert {one["patient"] for one in kind["examples"]} <= known
    assert "all from RF17" in changes["verdict"]
    assert changes["net_cards_by_rule"] == [
        {
            "rule": "RF17",
            "indicator": "critical",
            "cards": count,
            "per_10000": round(count * 10_000 / (3 * PATIENTS), 3),
        }
    ]


def without_rule(folder: Path, rule: str) -> None:
    with duckdb.connect() as connection:
        for path in folder.glob("*.parquet"):
            connection.execute(
                f"COPY (SELECT * FROM read_parquet('{path}') WHERE rule <> '{rule}') TO '{path}.new' (FORMAT parquet)"
            )
            Path(f"{path}.new").replace(path)


def test_a_run_under_another_key_cannot_be_compared(charts: Path, tmp_path: Path) -> None:
    other = settings().model_copy(update={"hash_key": None})
    replay(Options(str(charts), tmp_path / "before"), other)
    with pytest.raises(WrongSetting, match="no opening in common"):
        replayed(charts, tmp_path / "out", against=tmp_path / "before")


def test_a_folder_that_is_no_content_is_named(charts: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContentError) as error:
        replayed(charts, tmp_path / "out", against=tmp_path / "empty")
    assert str(tmp_path / "empty") in error.value.lead


def test_both_contents_judge_in_one_run_what_they_judge_alone(charts: Path, tmp_path: Path) -> None:
    before = other_content(tmp_path / "cards", "dvt/uk_ng158.toml", *_another_window())
    replayed(charts, tmp_path / "both", against=before)
    replay(Options(str(charts), tmp_path / "alone"), settings().model_copy(update={"cards": before}))
    alone = all_kept(tmp_path / "alone")
    assert list(kept(tmp_path / "both", "cards_before")) == alone["cards"]
    assert list(kept(tmp_path / "both", "openings_before")) == [
        {**row, "after_30_days": "", "after_90_days": ""} for row in alone["openings"]
    ]


def _another_window() -> tuple[str, str]:
    text = (shipped("cards") / "dvt" / "uk_ng158.toml").read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.startswith("title"))
    return line, 'title = "Another pathway"'


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (
            {("warning", "RF02"): 12},
            "12 more warnings per 10,000 openings, all from RF02.",
        ),
        (
            {("critical", "RF01"): -30, ("warning", "RF01"): 30},
            "30 fewer critical cards per 10,000 openings, all from RF01; 30 more warnings per 10,000 openings, all "
            "from RF01.",
        ),
        (
            {("warning", "RF06"): 5, ("warning", "RF02"): -5},
            "as many warnings, but from other rules (RF02, RF06).",
        ),
        (
            {("info", "knee_oa"): 3, ("info", "calf_tear"): -1},
            "2 more info cards per 10,000 openings, from knee_oa +3, calf_tear -1.",
        ),
    ],
)
def test_the_verdict_for_a_reviewer(net: dict[tuple[str, str], int], said: str) -> None:
    assert verdict(Counter(net), 10_000, 12) == f"{said} 12 of 10,000 openings change."


def as_wheel(cards: Path, wheel: Path) -> Path:
    """A wheel of this package with this content, and with code that must not be run."""
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cds_service/__init__.py", "raise SystemExit('code of the wheel was run')")
        for path in sorted(cards.rglob("*")):
            if path.is_file():
                archive.write(path, f"cds_service/shipped/cards/{path.relative_to(cards).as_posix()}")
    return wheel


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An earlier content, in which RF17 was a warning."""
    rule = "red_flags/RF17-red-flag-in-someone-under-18.toml"
    folder = tmp_path_factory.mktemp("earlier") / "cards"
    return other_content(folder, rule, 'indicator = "critical"', 'indicator = "warning"')


def test_a_wheel_is_compared_like_its_folder(charts: Path, earlier: Path, tmp_path: Path) -> None:
    of_folder = replayed(charts, tmp_path / "one", against=earlier)["changes"]
    wheel = as_wheel(earlier, tmp_path / "posterior_knee_cds-0.1.0-py3-none-any.whl")
    report = replayed(charts, tmp_path / "two", against=wheel, workers=2)
    assert report["changes"] == of_folder
    (kind,) = of_folder["kinds"]
    assert kind["kind"] == "more urgent"
    assert kind["cards"] == report["cards_per_1000"]["RF17"]["cards"] > 0


def test_a_wheel_that_cannot_be_read_is_named(charts: Path, earlier: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.whl"
    whole = as_wheel(earlier, tmp_path / "whole.whl").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    damaged = tmp_path / "damaged.whl"
    damaged.write_bytes(whole[:60_000] + bytes(3000) + whole[63_000:])
    other = as_wheel(tmp_path / "nothing", tmp_path / "other.whl")
    for wheel, said in (
        (broken, "broken.whl: cannot be read as a wheel"),
        (damaged, "damaged.whl: cannot be read as a wheel"),
        (other, "other.whl: holds no content in cds_service/shipped/cards/"),
        (tmp_path / "missing.whl", "missing.whl: cannot be read as a wheel"),
    ):
        with pytest.raises(ContentError, match=re.escape(said)) as error:
            replayed(charts, tmp_path / "out", against=wheel)
        assert error.value.lead.startswith(f"The content in {wheel} cannot be used")


def test_a_wheel_without_the_pathway_of_this_site_is_refused(charts: Path, earlier: Path, tmp_path: Path) -> None:
    fewer = shutil.copytree(earlier, tmp_path / "cards")
    (fewer / "dvt" / "us_ash2018.toml").unlink()
    wheel = as_wheel(fewer, tmp_path / "fewer.whl")
    site = settings().model_copy(update={"pathway": "us_ash2018"})
    with pytest.raises(ContentError, match=r"dvt/us_ash2018\.toml: the chosen DVT pathway is missing"):
        replay(Options(str(charts), tmp_path / "out", against=wheel), site)


def test_a_version_names_what_lies_beside_the_report(charts: Path, earlier: Path, tmp_path: Path) -> None:
    version = content_version(settings().model_copy(update={"cards": earlier}))
    out = tmp_path / "new"
    (tmp_path / "broken.whl").write_bytes(b"no zip")
    with pytest.raises(WrongSetting) as error:
        against(version, out, settings())
    assert "broken.whl" in str(error.value)
    assert content_version(settings()) in str(error.value)

    site = settings().model_copy(update={"cards": earlier})
    for name in ("run", "run again"):
        replay(Options(str(charts), tmp_path / name, at=NOW), site)
        if name == "run":
            assert against(version, out, settings()) == tmp_path / "run"
    with pytest.raises(WrongSetting, match="several replays"):
        against(version, out, settings())

    folder = shutil.copytree(earlier, tmp_path / "cards")
    assert against(version, out, settings()) == folder
    wheel = as_wheel(earlier, tmp_path / "posterior_knee_cds-0.1.0-py3-none-any.whl")
    assert against(version, out, settings()) == wheel


def test_a_path_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongSetting, match="no such folder or wheel"):
        against("some/folder", tmp_path / "out", settings())
    Path("some").mkdir()
    assert against("some", tmp_path / "out", settings()) == Path("some")
    Path("0123456789ab").mkdir()
    assert against("0123456789ab", tmp_path / "out", settings()) == Path("0123456789ab")

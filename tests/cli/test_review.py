"""``knee-cds review``: what is open for a clinician, and what each choice would change."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from cds_service.base.errors import ContentError
from cds_service.base.files import read_texts
from cds_service.base.settings import Settings
from cds_service.cli import review
from cds_service.cli.main import main
from cds_service.cli.open_page import effect_words
from cds_service.cli.review import written
from cds_service.cli.trying import Changed, ExampleCards, Examples, without
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.decisions import OPEN_PAGE, Alternative, Change
from cds_service.clinical.content.loading.load import load, parsed
from cds_service.clinical.content.loading.places import set_at, value_at
from cds_service.clinical.content.loading.signed import written as signed
from cds_service.service.evaluate import Service
from tests.clinical.content.conftest import nothing_is_read_twice as nothing_is_read_twice
from tests.conftest import EXAMPLES, ROOT, one_in

CARDS = ROOT / "cards"
PAGE = (CARDS / OPEN_PAGE).read_text(encoding="utf-8")
DECISIONS = "decisions.toml"
UK = "dvt/uk_ng158.toml"


@pytest.fixture(scope="module")
def examples(service: Service) -> Examples:
    return Examples(service, EXAMPLES)


@pytest.fixture
def texts() -> dict[str, str]:
    return dict(read_texts(CARDS, ".toml", ".tsv"))


def by_name(changed: list[Changed]) -> dict[str, Changed]:
    return {one.name: one for one in changed}


# --- the page ---


def test_the_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch, content: Content) -> None:
    """To write it anew: ``knee-cds review``.

    The normal profile tries every tenth alternative on the examples, and reads the whole page but for the effects of
    the others, which cost a judgement of every example each.
    """
    alternatives = [other for one in content.decisions.values() for other in one.alternatives if other.can_be_tried]
    tried = {id(other) for other in one_in(10, alternatives)}
    untried = [other for other in alternatives if id(other) not in tried]

    def load_or_not(texts: Mapping[str, str], pathway: str, *, changes: Sequence[Change]) -> Content | None:
        return (
            None
            if (pathway, changes) in [(of(other), other.changes) for other in untried]
            else load(texts, pathway, changes=changes)
        )

    monkeypatch.setattr(review, "load", load_or_not)
    by_content = Examples.by_content
    monkeypatch.setattr(Examples, "by_content", lambda self, new: by_content(self, new) if new else [])
    lines = zip_longest(*(without_effects(page, untried).splitlines() for page in (written(Settings()), PAGE)))
    assert [(new, old) for new, old in lines if new != old][:3] == []  # whole, pytest would compare it for minutes


def of(alternative: Alternative) -> str:
    return alternative.pathway or Settings().pathway


def without_effects(page: str, untried: list[Alternative]) -> str:
    for alternative in untried:
        words = re.escape(alternative.words[1:].rstrip("."))
        page, found = re.subn(rf"(^- \*\*Instead:\*\* .{words}\.? )\*.*\*$", r"\1", page, flags=re.MULTILINE)
        assert found == 1, alternative.words
    return page


def test_every_decision_stands_there_with_its_alternatives(content: Content) -> None:
    titles = re.findall(r"^#### \d+\. (.+)$", PAGE, re.MULTILINE)
    assert sorted(titles) == sorted(one.title for one in content.decisions.values())
    for one in content.decisions.values():
        part = PAGE.split(f". {one.title}\n")[1].split("\n#")[0]
        assert one.stands in part
        assert one.reason in part
        assert part.count("**Instead:**") == len(one.alternatives)
        assert part.count("not tried") == sum(not other.can_be_tried for other in one.alternatives)
        assert part.count("**Decision and name:**") == 1


def test_the_values_that_stand_are_repeated() -> None:
    assert "`complaint.days` = 42 in `dvt/uk_ng158.toml`" in PAGE
    assert "`supports.trauma_recent.lr_present` = 1.3 in `causes/dvt.toml`" in PAGE


def test_every_figure_without_a_study_stands_there_once() -> None:
    """Counted from the files: ratios other than 1 that an expert, the article or a policy chose."""
    chosen = {"expert", "article", "policy"}
    expected = 0
    for path in (CARDS / "causes").glob("*.toml"):
        cause = tomllib.loads(path.read_text(encoding="utf-8"))
        for one in cause["supports"]:
            sides = [side for side in ("present", "absent") if one[f"status_{side}"] in chosen]
            expected += any(one.get(f"lr_{side}", 1.0) != 1.0 for side in sides)
        if cause["prior"]["status"] in chosen:
            assert f"{cause['title']} {cause['prior']['value']:g}" in PAGE
    part = PAGE.split("## Part 2")[1].split("### How likely")[0]
    entries = [entry for line in re.findall(r"^- (.+)$", part, re.MULTILINE) for entry in _entries(line)]
    assert len(entries) == expected > 200


def _entries(line: str) -> list[str]:
    """The figures of a line: each names what it is if present or if absent."""
    _, _, figures = line.partition("**: ")
    figures = re.sub(r"\. (?:Other level|Other headline): .*$", "", figures)
    return re.findall(r"[^;]+ if (?:present|absent)(?:, [\d.]+ if absent)?", figures)


def test_nothing_that_is_open_is_signed(texts: dict[str, str]) -> None:
    files = parsed(texts)
    assert DECISIONS in files
    assert DECISIONS not in signed(files)


def test_the_command_writes_it_and_needs_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CARDS, tmp_path / "cards")
    monkeypatch.setenv("KNEE_CDS_CARDS", str(tmp_path / "cards"))
    assert main(["review"]) == 2
    (tmp_path / "fhir_examples").mkdir()
    for name in ("stories.toml", "dvt-likely.json", "flight-only.json"):  # the page as shipped is tried on all
        shutil.copy(EXAMPLES / name, tmp_path / "fhir_examples")
    path = tmp_path / "cards" / DECISIONS
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[minor_risks]")], encoding="utf-8")
    assert main(["review"]) == 0
    page = (tmp_path / "cards" / OPEN_PAGE).read_text(encoding="utf-8")
    assert re.findall(r"^#### .+$", page, re.MULTILINE) == [
        "#### 1. New calf or popliteal pain without any sign and without any risk"
    ]


# --- what is tried ---


def test_the_content_as_it_is_changes_nothing(examples: Examples, texts: dict[str, str]) -> None:
    assert examples.by_content(load(texts, "uk_ng158")) == []


def test_a_switch_changes_the_level_it_should(examples: Examples, texts: dict[str, str]) -> None:
    """Calf pain after a long flight: a warning today; with the choice the other way it is information."""
    change = Change(file=UK, place="risk_outside_wells.opens", value=False)
    changed = by_name(examples.by_content(load(texts, "uk_ng158", changes=(change,))))
    flight = changed["flight-only"]
    assert flight.before.levels == ("warning", "info")
    assert "DVT" in flight.before.heads[0][1]
    assert flight.after.levels == ("info",)
    assert "knee-oa-typical" not in changed


def test_what_is_tried_does_not_stay(texts: dict[str, str]) -> None:
    change = Change(file=UK, place="new_pain.days", value=7)
    assert load(texts, "uk_ng158", changes=(change,)).pathway.new_pain.days == 7
    assert load(texts, "uk_ng158").pathway.new_pain.days == 14


def test_a_weight_left_out_is_judged_as_if_the_file_said_so(examples: Examples, texts: dict[str, str]) -> None:
    """The quick way for weights finds what reading and judging everything anew finds."""
    content = examples.service.content
    quick = examples.by_weights(
        without(content, "calf_tear", "pain_calf", {"lr_present": 1.0, "lr_absent": 1.0}), frozenset({"pain_calf"})
    )
    changes = tuple(
        Change(file="causes/calf_tear.toml", place=f"supports.pain_calf.{side}", value=1.0)
        for side in ("lr_present", "lr_absent")
    )
    slow = examples.by_content(load(texts, "uk_ng158", changes=changes))
    assert quick == slow
    assert "cellulitis-typical" in by_name(quick)


def test_words_for_what_changes() -> None:
    def shown(*cards: tuple[str, str], more: str = "") -> ExampleCards:
        return ExampleCards(cards, tuple((*card, more) for card in cards))

    none, info, other = shown(), shown(("info", "a")), shown(("info", "b"))
    urgent, text = shown(("critical", "c"), ("info", "a")), shown(("info", "a"), more="x")
    assert effect_words([], 9) == "Changes no card of the 9 examples."
    assert effect_words([Changed("p", none, info), Changed("q", info, urgent)], 9) == (
        "Changes the cards of 2 of 9 examples. Other level in 2: p (no card becomes info), "
        "q (info becomes critical + info)."
    )
    assert effect_words([Changed("p", info, other), Changed("q", info, text)], 9) == (
        "Changes the cards of 2 of 9 examples. Other headline in 1: p. Other text below the headline in 1."
    )
    assert "and 2 more." in effect_words([Changed(f"p{n}", info, other) for n in range(6)], 9)


# --- mistakes in the decisions ---


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('place = "complaint.days" }]', 'place = "complaint.weeks" }]', "has nothing at `complaint.weeks`"),
        ('file = "causes/dvt.toml"', 'file = "causes/dvd.toml"', "causes/dvd.toml has nothing"),
        ('place = "new_pain.days", value = 7', 'place = "new_pain.days", value = 14', "already the current value"),
        ('pathway = "us_ash2018"', 'pathway = "us_ash2081"', "no DVT pathway is called `us_ash2081`"),
        ('source = "rahiminejad2014"', 'source = "rahimi"', "no source is called `rahimi`"),
        ('area = "emergency"', 'area = "danger"', "area"),
    ],
)
def test_mistakes_are_named(texts: dict[str, str], old: str, new: str, words: str) -> None:
    assert old in texts[DECISIONS]
    texts[DECISIONS] = texts[DECISIONS].replace(old, new, 1)
    with pytest.raises(ContentError) as caught:
        load(texts, "uk_ng158")
    assert caught.value.problems
    assert all(problem.file == DECISIONS for problem in caught.value.problems)
    assert any(words in str(problem) for problem in caught.value.problems)


def test_an_alternative_that_contradicts_the_content_is_refused(texts: dict[str, str]) -> None:
    """The words of a rule repeat the size of a lump, so another size alone is wrong content."""
    change = Change(file="vocabulary/measures.toml", place="lump_size.threshold", value=4.0)
    with pytest.raises(ContentError):
        load(texts, "uk_ng158", changes=(change,))


@pytest.mark.parametrize("place", ["a.x.c", "a.q", "z", "rows.fever.y", "rows.cough.x", "a.b.c"])
def test_places_that_are_not_there(place: str) -> None:
    data: dict[str, Any] = {"a": {"b": 1}, "rows": [{"finding": "fever", "x": 2}, {"finding": "rash", "x": 3}]}
    assert value_at(data, "rows.rash.x") == 3
    set_at(data, "rows.rash.x", 4)
    assert data["rows"][1]["x"] == 4
    with pytest.raises(KeyError):
        set_at(data, place, 1)

"""Figures with their evidence: the revised ones hold what was decided, and an interval holds its figure."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cds_service.base.errors import ContentError
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Studies, Weight
from cds_service.clinical.content.loading.load import load
from tests.conftest import texts_without_codes

_TABLE = (Path(__file__).parent / "revised_figures.tsv").read_text(encoding="utf-8")
DECIDED = list(csv.DictReader(_TABLE.splitlines(), delimiter="\t"))
"""Each figure of the revision as it was decided: its value, how far it goes, where it was read, and its intervals."""


def weight(content: Content, row: Mapping[str, str]) -> Weight:
    (found,) = [one for one in content.causes[row["cause"]].supports if one.finding == row["finding"]]
    return found


@pytest.mark.parametrize("row", DECIDED, ids=lambda row: f"{row['cause']}-{row['finding']}")
def test_a_revised_figure_is_as_decided(content: Content, row: dict[str, str]) -> None:
    one = weight(content, row)
    assert one.lr_present == float(row["lr_present"])
    assert one.lr_absent == float(row["lr_absent"])
    assert (one.status_present, one.status_absent) == (row["status_present"], row["status_absent"])
    assert one.source == row["source"]
    assert one.studies is not None
    assert one.population
    assert one.basis
    intervals = {f"{part.of} {part.low:g} {part.high:g}" for part in one.ci}
    assert set(filter(None, row["intervals"].split("; "))) <= intervals


def test_the_whole_revision_is_there() -> None:
    """73 decisions: two settle a figure again in another frame, three belong to a cause of their own."""
    assert len(DECIDED) == len({(row["cause"], row["finding"]) for row in DECIDED}) == 68
    assert sum(row["action"] in ("change", "frame") for row in DECIDED) == 34


def test_every_revised_figure_cites_what_was_read(content: Content) -> None:
    for row in DECIDED:
        citation = content.citations[row["source"]]
        assert citation.read in ("yes", "part"), row["source"]
        assert citation.url, row["source"]


def test_enough_of_the_evidence_was_read_and_the_rest_is_labelled(content: Content) -> None:
    weights = [one for cause in content.causes.values() for one in cause.supports]
    assert sum(one.read_at_source for one in weights) >= 80
    assert sum("seen" in (one.status_present, one.status_absent) for one in weights) >= 40
    for one in weights:
        if one.source == "expert":
            assert one.without_study, one.finding
        if one.without_study:
            assert not one.read_at_source


def test_what_may_not_pass_for_read() -> None:
    """Neither a figure from memory nor an expert's choice counts as read, whatever was read beside it."""
    evidence = {"studies": Studies(words="one review"), "population": "somebody"}
    for status in ("recalled", "expert", "article", "policy"):
        assert not _weight(status_present=status, status_absent=status, **evidence).read_at_source
    assert not _weight(status_present="adapted", status_absent="adapted").read_at_source
    assert _weight(status_present="adapted", status_absent="expert", **evidence).read_at_source
    assert _weight(status_present="recalled", status_absent="seen").read_at_source


def _weight(**changed: Any) -> Weight:
    plain = {
        "finding": "redness", "lr_present": 2.0, "lr_absent": 0.5, "source": "expert",
        "status_present": "adapted", "status_absent": "adapted",
    }  # fmt: skip
    return Weight(**{**plain, **changed})


_READ = {"studies": Studies(words="4 studies, 132 patients"), "population": "adults"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ci": ({"of": "lr_present", "low": 2.1, "high": 3.0},)}, r"\(2.1 to 3\) must contain 2"),
        ({"ci": ({"of": "lr_absent", "low": 0.1, "high": 0.4},)}, r"\(0.1 to 0.4\) must contain 0.5"),
        ({"ci": ({"of": "sensitivity", "low": 70.0, "high": 90.0, "value": 95.0},)}, "must contain 95"),
        ({"ci": ({"of": "sensitivity", "low": 70.0, "high": 90.0},)}, "needs `value`"),
        ({"ci": ({"of": "specificity", "low": 70.0, "high": 190.0, "value": 80.0},)}, "percent"),
        ({"ci": ({"of": "lr_present", "low": 3.0, "high": 2.0},)}, "has `low` 3, which is not below `high` 2"),
        ({"ci": ({"of": "lr_present", "low": 1.0, "high": 3.0},) * 2}, "more than one interval"),
        (
            {"ci": ({"of": "lr_present", "low": 1.0, "high": 3.0, "value": 2.5},), "status_present": "seen"},
            "has status `seen`",
        ),
        ({"ci": ({"of": "lr_present", "low": 1.0, "high": 3.0},), "studies": None, "population": ""}, "`ci` needs"),
        ({"population": ""}, "given together"),
        ({"studies": None}, "given together"),
        ({"confirms": True, "lr_present": None, "ci": ({"of": "lr_present", "low": 1.0, "high": 3.0},)}, "not given"),
    ],
)
def test_evidence_that_contradicts_itself_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        _weight(**{**_READ, **changed})


@pytest.mark.parametrize(("key", "count"), [("number", 5), ("patients", 1320)])
def test_counts_repeat_the_words(key: str, count: int) -> None:
    assert Studies(words="22 cohorts, 401 119 people", number=22, patients=401_119)
    with pytest.raises(ValidationError, match="is not in"):
        Studies(words="4 studies, 132 patients", **{key: count})


def test_the_loader_names_the_interval_that_is_wrong() -> None:
    texts = texts_without_codes()
    old = 'ci = [{ of = "lr_present", low = 1.48, high = 2.19 }]'
    assert old in texts["causes/dvt.toml"]
    texts["causes/dvt.toml"] = texts["causes/dvt.toml"].replace(old, old.replace("1.48", "1.88"))
    with pytest.raises(ContentError) as caught:
        load(texts, "uk_ng158")
    (problem,) = caught.value.problems
    assert problem.file == "causes/dvt.toml"
    assert "(1.88 to 2.19) must contain 1.8" in problem.message

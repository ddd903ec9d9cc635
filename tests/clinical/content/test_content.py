"""The shipped content: what must be in it, that every figure has a source, and that its manual explains every key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from cds_service.base.errors import ContentError
from cds_service.base.settings import Settings
from cds_service.cli.evaluate import judge
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content import decisions, figures, models
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.load import load
from cds_service.clinical.content.page_words import PageWords
from cds_service.clinical.content.texts import Texts
from cds_service.service.evaluate import Service, load_content
from tests.conftest import EXAMPLES, NOW, ROOT, texts_without_codes

CARDS = ROOT / "cards"
PATHWAYS = ("uk_ng158", "us_ash2018")
STATUSES = {"seen", "recalled", "adapted", "expert", "policy", "article"}
SELF_TEST = "homans_or_selftest_positive"
CLAIMS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "seed_claims.toml").read_text(encoding="utf-8"),
)["claim"]
CAUSE_FILES = sorted((CARDS / "causes").glob("*.toml"))


# --- the claims of the patient article ---


def test_all_claims_are_listed() -> None:
    assert [claim["id"] for claim in CLAIMS] == [f"S{number:02d}" for number in range(1, 75)]
    for claim in CLAIMS:
        assert claim["words"]
        assert claim["keys"]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: str(claim["id"]))
def test_what_a_claim_became_is_there(content: Content, service: Service, claim: dict[str, Any]) -> None:
    for key in claim["keys"]:
        if key == "rule_dvt":
            assert content.red_flags["RF01"].cause == "dvt"
        elif key == "rule_default_info":
            cards, assessment = judge(
                service,
                (EXAMPLES / "bakers-cyst-typical.json").read_bytes(),
                datetime(2026, 3, 16, tzinfo=UTC),
            )
            assert not assessment.urgent
            assert [card.indicator for card in cards] == ["info"]
        elif key.startswith("act_"):
            assert claim["id"] in content.actions[key].claims
        else:
            assert key in content.findings or key in content.causes


def test_claims_become_the_kind_they_say(content: Content) -> None:
    kinds = {"cause": content.causes, "prior": content.causes, "correction": content.causes, "action": content.actions}
    for claim in CLAIMS:
        if claim["becomes"] == "finding":
            assert any(key in content.findings for key in claim["keys"]), claim["id"]
        elif claim["becomes"] != "rule":
            assert any(key in kinds[claim["becomes"]] for key in claim["keys"]), claim["id"]


def test_actions_name_only_claims_that_exist(content: Content) -> None:
    known = {claim["id"] for claim in CLAIMS}
    for key, action in content.actions.items():
        assert set(action.claims) <= known, key


# --- how much there is ---


def test_counts(content: Content) -> None:
    assert len(content.causes) == 36
    assert sum(not finding.general for finding in content.findings.values()) == 187
    assert sorted(content.red_flags) == [f"RF{number:02d}" for number in range(1, 22)]


@pytest.mark.parametrize("pathway", PATHWAYS)
def test_both_pathways_load_with_ten_wells_items(pathway: str) -> None:
    loaded = load_content(Settings().model_copy(update={"pathway": pathway})).pathway
    assert [item.number for item in loaded.items] == list(range(1, 11))
    assert [item.points for item in loaded.items] == [1] * 9 + [-2]
    assert [band.at_least for band in loaded.bands] == sorted((b.at_least for b in loaded.bands), reverse=True)
    assert loaded.bands[-1].at_least == -2  # the lowest possible score still has its options


# --- every figure has a source and a status ---


def parts(value: object) -> Iterator[BaseModel]:
    """``value`` and every model inside it."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from parts(getattr(value, name))
    elif isinstance(value, Mapping):
        for inside in value.values():
            yield from parts(inside)
    elif isinstance(value, tuple):
        for inside in value:
            yield from parts(inside)


@pytest.mark.parametrize("pathway", PATHWAYS)
def test_every_figure_cites_a_source_and_says_how_far_to_trust_it(pathway: str) -> None:
    content = load_content(Settings().model_copy(update={"pathway": pathway}))
    cited = 0
    for part in parts(tuple(vars(content).values())):
        if "source" not in type(part).model_fields:
            continue
        cited += 1
        assert vars(part)["source"] in content.citations
        statuses = {getattr(part, name) for name in type(part).model_fields if name.startswith("status")}
        assert statuses
        assert statuses <= STATUSES
    assert cited > 500


def test_models_that_hold_figures_demand_a_source_and_a_status() -> None:
    demanding = (
        figures.Figure, figures.Weight, models.Prior, models.Measure, models.RedFlag, models.Action, models.Pathway,
        models.Reasoning, models.Derived, models.AgeFinding,
    )  # fmt: skip
    for model in demanding:
        assert model.model_fields["source"].is_required(), model
        statuses = [field for name, field in model.model_fields.items() if name.startswith("status")]
        assert statuses
        assert all(field.is_required() for field in statuses), model


def broken(texts: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(ContentError) as caught:
        load(texts, "uk_ng158")
    return tuple(str(problem) for problem in caught.value.problems)


def test_the_loader_refuses_every_source_that_does_not_exist() -> None:
    """All sources of all files are replaced by numbered ones; each number must be complained of."""
    replaced: dict[str, str] = {}

    def unknown(match: re.Match[str]) -> str:
        replaced[f"nowhere_{len(replaced)}_"] = name
        return f'source = "nowhere_{len(replaced) - 1}_"'

    texts = texts_without_codes()
    for name in texts:
        texts[name] = re.sub(r'\bsource = "[a-z0-9_]+"', unknown, texts[name])
    said = "\n".join(broken(texts))
    missed = {source: file for source, file in replaced.items() if f"`{source}`" not in said}
    assert len(replaced) > 500
    assert not missed, f"never checked: {sorted(set(missed.values()))}"


def test_the_loader_refuses_every_status_that_is_none() -> None:
    replaced = 0
    texts = texts_without_codes()
    for name in texts:
        texts[name], count = re.subn(r'\b(status(?:_present|_absent)?) = "[a-z]+"', r'\1 = "sure"', texts[name])
        replaced += count
    assert replaced > 500
    assert sum("status" in said for said in broken(texts)) == replaced


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("causes/calf_tear.toml", r', status_present = "[a-z]+"'),
        ("causes/calf_tear.toml", r', status_absent = "[a-z]+"'),
        ("causes/calf_tear.toml", r', source = "[a-z0-9_]+"'),
        ("red_flags/RF02-possible-pulmonary-embolism.toml", r'^source = "[a-z0-9_]+"\n'),
        ("red_flags/RF02-possible-pulmonary-embolism.toml", r'^status = "[a-z]+"\n'),
        ("actions.toml", r'^source = "[a-z0-9_]+"\n'),
        ("vocabulary/measures.toml", r'^status = "[a-z]+"\n'),
        ("findings/leg_veins_and_dvt.toml", r', source = "expert"'),
        ("dvt/us_ash2018.toml", r', status = "[a-z]+"'),
        ("reasoning.toml", r'^status = "[a-z]+"\n'),
    ],
)
def test_the_loader_refuses_a_figure_without(file: str, line: str) -> None:
    texts = texts_without_codes()
    texts[file], count = re.subn(line, "", texts[file], count=1, flags=re.MULTILINE)
    assert count == 1
    (said,) = [said for said in broken(texts) if said.startswith(file)]
    assert "is missing" in said


# --- the manual ---

ROOTS: tuple[type[BaseModel], ...] = (
    models.About, models.Leaflet, models.Citation, models.Finding, models.Cause, models.RedFlag, models.Pathway,
    models.OrderTemplate, models.Action, models.Measure, models.Answers, models.BodySite, models.Reasoning,
    models.LocalCode, models.SystemEntry, models.ProblemWords, models.WordContext, decisions.Decision,
)  # fmt: skip


def reachable(roots: tuple[type[BaseModel], ...]) -> set[type[BaseModel]]:
    """Every model that ``roots`` are made of, themselves included."""
    found: set[type[BaseModel]] = set()
    waiting = list(roots)
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += [inside for field in model.model_fields.values() for inside in models_in(field.annotation)]
    return found


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inside in get_args(annotation):
        yield from models_in(inside)


def explained(manual: str) -> dict[str, set[str]]:
    """The keys that the table behind each ``<!-- keys of Model -->`` explains."""
    tables = re.split(r"<!-- keys of (\w+) -->", manual)
    found = {}
    for model, text in zip(tables[1::2], tables[2::2], strict=True):
        table = re.match(r"\s*(?:\|[^\n]*\|\n)+", text)
        rows = re.findall(r"^\| `(\w+)` \| [^|\n]+ \| [^|\n]+ \|$", table.group() if table else "", flags=re.MULTILINE)
        found[model] = set(rows)
    return found


def unexplained(roots: tuple[type[BaseModel], ...], manual: str) -> list[str]:
    tables = explained(manual)
    return sorted(
        f"{model.__name__}.{key}"
        for model in reachable(roots)
        for key in model.model_fields
        if key not in tables.get(model.__name__, set())
    )


def content_models(*modules: ModuleType) -> set[type[BaseModel]]:
    """But for the messages of a language, which their own file explains."""
    named = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    found = {kind for kind in named if issubclass(kind, figures.ContentModel) and kind is not figures.ContentModel}
    return {kind for kind in found if kind not in (Texts, PageWords)}


def test_the_manual_explains_every_key() -> None:
    manual = (CARDS / "README.md").read_text(encoding="utf-8")
    assert reachable(ROOTS) == content_models(models, figures, decisions)
    assert unexplained(ROOTS, manual) == []


def test_the_manual_explains_no_key_that_is_gone() -> None:
    manual = (CARDS / "README.md").read_text(encoding="utf-8")
    fields = {model.__name__: set(model.model_fields) for model in content_models(models, figures, decisions)}
    assert explained(manual) == fields


class _Inner(figures.ContentModel):
    depth: int
    colour: str


class _Outer(figures.ContentModel):
    title: str
    inner: tuple[_Inner, ...] = ()
    chosen: _Inner | None = None


def test_a_key_missing_from_the_manual_is_noticed() -> None:
    manual = (
        "<!-- keys of _Outer -->\n\n| key | values | meaning |\n|---|---|---|\n"
        "| `title` | text | its name |\n| `inner` | list | what is in it |\n\n`chosen` is in the text only.\n"
        "<!-- keys of _Inner -->\n| `depth` | cm | how deep |\n| `colour` | | |\n"
    )
    assert unexplained((_Outer,), manual) == ["_Inner.colour", "_Outer.chosen"]
    assert unexplained((_Outer,), "`title` `inner` `chosen` `depth` `colour`") == [
        "_Inner.colour",
        "_Inner.depth",
        "_Outer.chosen",
        "_Outer.inner",
        "_Outer.title",
    ]


def test_the_manual_explains_every_status_and_every_folder() -> None:
    manual = (CARDS / "README.md").read_text(encoding="utf-8")
    for status in get_args(figures.FigureStatus):
        assert f"| `{status}` |" in manual
    for path in CARDS.iterdir():
        if path.name != "README.md":
            assert f"`{path.name}{'/' if path.is_dir() else ''}" in manual
    for path in (CARDS / "vocabulary").iterdir():
        assert f"`vocabulary/{path.name}`" in manual


# --- red flags and the self-test ---


def test_red_flags_name_only_what_exists(content: Content) -> None:
    virtual = {"dvt_suspected", "age_under_18", "bakers_cyst_ruptured_known", "new_leg_pain", "one_leg"}
    for rule, flag in content.red_flags.items():
        terms = {*flag.when.terms(), *flag.sooner_terms()}
        assert terms, rule
        assert terms <= {*content.findings, *virtual}, rule


@pytest.mark.parametrize("pathway", PATHWAYS)
def test_a_negative_self_test_never_counts(pathway: str) -> None:
    content = load_content(Settings().model_copy(update={"pathway": pathway}))
    assert content.findings[SELF_TEST].absence_ignored is True
    weights = [w for cause in content.causes.values() for w in cause.supports if w.finding == SELF_TEST]
    assert weights
    assert all(weight.lr_absent == 1.0 for weight in weights)
    for rule, flag in content.red_flags.items():
        assert SELF_TEST not in {*flag.when.terms(), *flag.sooner_terms()}, rule
    assert SELF_TEST not in content.wells_findings
    assert content.findings[SELF_TEST].dvt.wells_item is None


# --- the patients that prove the causes ---


@pytest.fixture(scope="module")
def assessments(service: Service) -> dict[str, Assessment]:
    return {path.stem: judge(service, path.read_bytes(), NOW)[1] for path in sorted(EXAMPLES.glob("*.json"))}


@pytest.mark.parametrize("path", CAUSE_FILES, ids=lambda path: str(path.stem))
def test_examples_prove_the_cause(path: Path, content: Content, assessments: dict[str, Assessment]) -> None:
    named = content.causes[path.stem].examples
    assert {*named.shown, *named.not_shown} <= set(assessments)
    assert not {*named.shown} & {*named.not_shown}
    for patient in named.shown:
        assessment = assessments[patient]
        urgent = {flag.cause for flag in assessment.urgent}
        assert path.stem in urgent | {one.cause for one in assessment.differential}, patient
    for patient in named.not_shown:
        assessment = assessments[patient]
        urgent = {flag.cause for flag in assessment.urgent}
        assert path.stem not in urgent | {one.cause for one in assessment.differential if one.band != "low"}, patient


def test_a_file_of_the_content_reads_without_a_wide_window() -> None:
    """One row of a table stays one line; addresses cannot be broken; everything else is at most 160 characters."""
    files = [path for path in CARDS.rglob("*.toml") if path.name != "signed.toml"]
    assert len(files) > 80
    long = [
        f"{path.relative_to(CARDS)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if len(line) > 160 and "{" not in line and not line.startswith("url")
    ]
    assert not long

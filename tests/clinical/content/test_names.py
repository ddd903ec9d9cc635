"""The names of the content that code depends on: each stands in one module, and content that lacks one is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import PurePosixPath

import pytest

from cds_service.base.errors import ContentError
from cds_service.clinical import explain
from cds_service.clinical.content import names
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.load import load
from cds_service.clinical.content.page_words import TermWords
from tests.conftest import ROOT, texts_without_codes

CARDS = ROOT / "cards"
PACKAGE = ROOT / "cds_service"
GROUPS = {
    "findings": names.FINDINGS,
    "causes": names.CAUSES,
    "red_flags": names.RED_FLAGS,
    "orders": names.ORDERS,
    "actions": names.ACTIONS,
    "sites": names.SITES,
    "word_contexts": names.CONTEXTS,
    "citations": names.SOURCES,
}
NEEDED = [(group, key) for group, keys in GROUPS.items() for key in keys]
RF01 = "red_flags/RF01-possible-deep-vein-thrombosis.toml"
OTHER_MEANINGS = {
    ("replay/compare.py", "leg"): "a column of the verdicts",
    ("replay/sections.py", "leg"): "a column of the verdicts",
    ("replay/verdicts.py", "leg"): "a column of the verdicts",
    ("replay/numbers.py", "dvt"): "a column of the tally",
    # Words of the models that happen to be the key of something else.
    ("clinical/assess.py", "knee"): "a kind of complaint",
    ("rendering/differential_card.py", "knee"): "a kind of complaint",
    ("clinical/doubt.py", "leg"): "a kind of complaint",
    ("clinical/doubt.py", "knee"): "a kind of complaint",
    ("clinical/leg.py", "leg"): "what a finding belongs to: leg or body",
    ("clinical/content/loading/load.py", "leg"): "what a finding belongs to: leg or body",
    ("clinical/content/loading/required_names.py", "leg"): "what a finding belongs to: leg or body",
    ("rendering/wording.py", "leg"): "what a finding belongs to: leg or body",
    ("service/assessment/form.py", "leg"): "a field of the form",
    ("clinical/content/loading/load.py", "dvt"): "the folder of the pathways",
    ("rendering/differential_card.py", "expert"): "the status of a figure",
    ("clinical/content/unstudied.py", "expert"): "the status of a figure",
    ("clinical/content/unstudied.py", "article"): "the status of a figure",
    # Keys of formats.
    ("cli/open_page.py", "dvt"): "what a decision is about",
    ("cli/report.py", "dvt"): "a key of the report",
    ("web/pages/sandbox/patients.py", "dvt"): "a key, and a group, of the examples' stories",
    ("adapters/store/migrations/versions/v0001_cards_and_feedback.py", "leg"): "a column of the card log",
    ("adapters/store/reports.py", "leg"): "a column of the card log",
    ("adapters/store/tables.py", "leg"): "a column of the card log",
    ("clinical/content/loading/languages.py", "dvt"): "a folder of the content",
    ("rendering/frame.py", "knee"): "how a code for a topic begins",
    ("web/pages/sandbox/explain.py", "leg"): "a key of the page",
}


# --- every name stands in names.py ---


def content_keys(content: Content) -> frozenset[str]:
    """Every key that something else can name: of findings, causes, rules, orders, actions, sites, measures, sources."""
    tables = [getattr(content, one.name) for one in fields(content)]
    return frozenset(key for table in tables if hasattr(table, "keys") for key in table) | names.VIRTUAL_TERMS


def words_in(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every text of a module but its docstrings and the texts of types, which mypy checks."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    types = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
        for inside in ast.walk(node)
    }
    no_names = bare | types
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in no_names:
            yield node


def named(text: str, keys: frozenset[str]) -> set[str]:
    """The keys that ``text`` is, or holds as a word of their own that is no English word."""
    found = {text} & keys
    return found | {word for word in re.findall(r"\w+", text) if word in keys and re.search(r"_|\d", word)}


@cache
def literals_in(source: str, keys: frozenset[str]) -> list[tuple[int, str]]:
    texts = ((node.lineno, str(node.value)) for node in words_in(ast.parse(source)))
    return [(line, key) for line, text in texts for key in sorted(named(text, keys))]


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "names.py")


def test_every_name_of_the_content_stands_in_one_module(content: Content) -> None:
    keys = content_keys(content)
    found = [
        f"{here}:{line}: {key}"
        for path in FILES
        if (here := path.relative_to(PACKAGE).as_posix())
        for line, key in literals_in(path.read_text(encoding="utf-8"), keys)
        if (here, key) not in OTHER_MEANINGS
    ]
    assert not found, "move these to cds_service/clinical/content/names.py: " + "; ".join(found)


def test_pages_and_scripts_name_nothing_of_the_content(content: Content) -> None:
    keys = frozenset(key for key in content_keys(content) if re.search(r"_|\d", key))
    pages = [path for path in PACKAGE.rglob("*") if path.suffix in (".html", ".js", ".css", ".toml")]
    assert len(pages) > 20
    found = {path.name: words for path in pages if (words := keys & set(re.findall(r"\w+", path.read_text("utf-8"))))}
    assert not found


def test_no_reason_is_left_over_for_a_name_that_is_gone(content: Content) -> None:
    keys = content_keys(content)
    stands = {
        (path.relative_to(PACKAGE).as_posix(), key)
        for path in FILES
        for _, key in literals_in(path.read_text(encoding="utf-8"), keys)
    }
    assert set(OTHER_MEANINGS) <= stands


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ('SCAN = "us_proximal_dvt"', "us_proximal_dvt"),
        ('if fact.key in ("fever", "warmth"): pass', "fever"),
        ('content.actions["safety_net"]', "safety_net"),
        ('words = f"see rule RF07 and {more}"', "RF07"),
        ('table = {"knee_oa": 1}', "knee_oa"),
    ],
)
def test_a_stray_name_would_be_seen(content: Content, source: str, key: str) -> None:
    assert key in {one for _, one in literals_in(source, content_keys(content))}


@pytest.mark.parametrize("source", ['"""About us_proximal_dvt."""', 'x: Literal["dvt", "leg"]', 'x = "the knee hurts"'])
def test_what_is_no_name(content: Content, source: str) -> None:
    assert not literals_in(source, content_keys(content))


def test_every_name_in_the_module_is_in_a_group() -> None:
    """A name in no group would not be checked at load."""
    texts = {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    grouped = [key for keys in GROUPS.values() for key in keys] + sorted(names.VIRTUAL_TERMS)
    assert sorted(texts.values()) == sorted(grouped)
    assert len(texts) > 25


# --- content without one is refused ---


def complaints(texts: dict[str, str]) -> list[str]:
    with pytest.raises(ContentError) as caught:
        load(texts, "uk_ng158")
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def texts() -> dict[str, str]:
    return texts_without_codes()


def change(texts: dict[str, str], file: str, old: str, new: str) -> None:
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)


def without(texts: dict[str, str], group: str, key: str) -> dict[str, str]:
    """The content with one entry deleted, and nothing else."""
    block = re.compile(rf"^\[{key}\]\n.*?(?=^\[\w+\]\n|\Z)", re.MULTILINE | re.DOTALL)
    kept = {
        name: block.sub("", text)
        for name, text in texts.items()
        if not (name.startswith(group + "/") and PurePosixPath(name).stem.split("-")[0] == key)
    }
    assert kept != texts
    return kept


def renamed(texts: dict[str, str], key: str) -> dict[str, str]:
    """The content with a key renamed wherever it stands, file names included: it agrees with itself."""
    new = f"{key[:2]}99" if key.startswith("RF") else f"{key}_new"
    word = re.compile(rf"(?<!\w){key}(?!\w)")
    # Also a part of a place, such as "supports.fever.lr_present".
    inside = rf'(?<=[".]){key}(?=\.\w+")|(?<=[".]){key}(?=\.dvt\.)'
    heading = re.compile(rf'^\[(?:evidence\.)?{key}\]|"{key}"|(?<=\t){key}(?=\t)|{inside}', re.MULTILINE)
    found = {}
    for name, text in texts.items():
        path = PurePosixPath(name)
        at_home = path.parent.name in ("causes", "orders", "red_flags")
        stem = word.sub(new, path.stem, count=1) if at_home else path.stem
        found[(path.parent / f"{stem}{path.suffix}").as_posix()] = heading.sub(
            lambda m: m.group().replace(key, new), text
        )
    assert found != texts
    return found


@pytest.mark.parametrize(("group", "key"), NEEDED)
def test_a_needed_name_that_is_deleted_is_refused(texts: dict[str, str], group: str, key: str) -> None:
    said = complaints(without(texts, group, key))
    assert any("the code needs the " in one and f"`{key}`" in one and "it is not in" in one for one in said)


@pytest.mark.parametrize(("group", "key"), NEEDED)
def test_a_needed_name_that_is_renamed_everywhere_is_refused(texts: dict[str, str], group: str, key: str) -> None:
    said = complaints(renamed(texts, key))
    assert any("the code needs the " in one and f"`{key}`" in one for one in said)


@pytest.mark.parametrize("key", ["knee_oa", "calf_swelling", "physiotherapy", "RF15", "act_physio", "popliteal_fossa"])
def test_a_name_that_code_does_not_need_can_be_renamed(texts: dict[str, str], key: str) -> None:
    assert load(renamed(texts, key), "uk_ng158").findings


@pytest.mark.parametrize("term", sorted(names.VIRTUAL_TERMS))
def test_a_finding_cannot_take_the_name_of_a_term_of_code(texts: dict[str, str], term: str) -> None:
    """Rules that name it would read the term, never the finding."""
    texts["findings/mine.toml"] = f'[{term}]\nname = "Mine"\nkind = "sign"\nside = "leg"\ngroup = "mine"\n'
    assert any(term in one and "another key" in one for one in complaints(texts))


RF = "red_flags/RF"


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        (f"{RF}01-possible-deep-vein-thrombosis.toml", 'cause = "dvt"', 'cause = "cellulitis"', "cause"),
        (f"{RF}01-possible-deep-vein-thrombosis.toml", "any = [", 'all = [\n  "fever",', "when"),
        (f"{RF}01-possible-deep-vein-thrombosis.toml", '"dvt_suspected"', '"calf_swelling"', "when"),
        (f"{RF}17-red-flag-in-someone-under-18.toml", 'cause = "dvt"', 'cause = "fracture"', "cause"),
        (f"{RF}02-possible-pulmonary-embolism.toml", 'danger = "chest symptoms"\n', "", "chest_pain_dyspnoea"),
        (f"{RF}02-possible-pulmonary-embolism.toml", 'speed = "now"', 'speed = "same_day"', "chest_pain_dyspnoea"),
        (f"{RF}02-possible-pulmonary-embolism.toml", '"dvt_suspected",', '"fever",', "chest_pain_dyspnoea"),
        (f"{RF}03-possible-phlegmasia-limb-threatening-dvt.toml", "leg_blue_massive", "warmth", "leg_blue_massive"),
        (f"{RF}04-possible-acute-limb-ischaemia.toml", 'speed = "now"', 'speed = "days"', "acute_limb_ischaemia"),
        (f"{RF}05-possible-thrombosed-popliteal-aneurysm.toml", 'danger = "an ischaemic foot"\n', "", "card.danger"),
        ("findings/clotting_risks.toml", 'dvt = { risk = "major", wells_item = 9 }', "", "previous_dvt"),
        ("findings/leg_veins_and_dvt.toml", "absence_ignored = true", "", "homans_or_selftest_positive"),
        ("causes/dvt.toml", "ranked = false", "ranked = true", "ranked"),
        ("reasoning.toml", 'all = ["malignancy_on_record", "cancer', 'all = ["cancer_treatment", "cancer', "derived"),
        ("dvt/us_ash2018.toml", '["maternity_triage"', '["venous_duplex"', "pregnancy_orders"),
        (
            "red_flags/RF01-possible-deep-vein-thrombosis.toml",
            '"dvt_referral", "venous_duplex", "d_dimer"]',
            '"d_dimer", "d_dimer"]',
            "card.consider",
        ),
    ],
)
def test_a_property_that_code_relies_on(texts: dict[str, str], file: str, old: str, new: str, place: str) -> None:
    change(texts, file, old, new)
    assert any(f"{place}: " in one for one in complaints(texts))


def test_a_broken_rule_is_no_missing_one(texts: dict[str, str]) -> None:
    change(texts, f"{RF}02-possible-pulmonary-embolism.toml", 'speed = "now"', 'speed = "soon"')
    (only,) = complaints(texts)
    assert "speed" in only


def test_the_keys_of_the_content_are_of_every_kind(content: Content) -> None:
    """What the search for stray names relies on."""
    assert {"fever", "dvt", "RF01", "d_dimer", "safety_net", "side_only", "expert"} <= content_keys(content)


def test_every_term_of_code_has_words_where_a_reader_sees_it() -> None:
    assert set(explain.VIRTUAL_WORDS) == set(TermWords.model_fields) == names.VIRTUAL_TERMS

"""The evidence pages over HTTP: every rule and cause, every number, all 13 attributes, and where cards lead."""

from __future__ import annotations

import re
import shutil
from html import escape, unescape
from pathlib import Path

import pytest
import requests

from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.load import load
from cds_service.service.examples import as_request
from cds_service.web.pages.evidence.explorer import explorer_of, shade_of
from cds_service.web.pages.evidence.model import evidence_of, logic_of
from cds_service.web.pages.evidence.sources import source_view
from tests.conftest import Server, bundle, run_server, shipped_service, stories, texts_without_codes

CONTENT = shipped_service().content
KEYS = [*CONTENT.red_flags, *CONTENT.causes, "unread", "gap"]
NAMES = [
    "Bibliographic citation",
    "Developer",
    "Funding source of the implementation",
    "Release and revision dates",
    "Race",
    "Ethnicity",
    "Language",
    "Sexual orientation",
    "Gender identity",
    "Sex",
    "Date of birth",
    "Social determinants of health data",
    "Health status assessments data",
]
"""45 CFR 170.315(b)(11)(iv)(A)(1) to (13), in its order."""


def words(page: requests.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


@pytest.mark.parametrize("key", KEYS)
def test_every_rule_and_cause_tells_all(server: Server, key: str) -> None:
    page, data = server.get(f"/evidence/{key}"), server.get(f"/evidence/{key}.json").json()
    assert page.status_code == 200
    seen = words(page)
    assert [one["name"] for one in data["attributes"]] == NAMES
    assert [one["number"] for one in data["attributes"]] == list(range(1, 14))
    for one in data["attributes"]:
        assert one["value"]
        assert f"{one['number']}. {one['name']} {' '.join(one['value'].split('; '))}" in seen.replace("; ", " ")
    assert data["review"]["by"] is None
    assert data["review"]["state"] == "not reviewed by a clinician"
    assert "Not reviewed by a clinician" in seen
    assert "not been tested together" in seen
    assert "CE-marked" in seen
    for one in data["accuracy"]:
        assert one["text"] in seen
    for one in data["sources"]:
        assert one["text"] in seen
        assert one["read"] in seen


@pytest.mark.parametrize("key", CONTENT.causes)
def test_every_number_of_a_cause_stands_there_with_its_status(server: Server, key: str) -> None:
    cause, data = CONTENT.causes[key], server.get(f"/evidence/{key}.json").json()
    seen = words(server.get(f"/evidence/{key}"))
    assert len(data["weights"]) == len(cause.supports)
    for weight, row in zip(cause.supports, data["weights"], strict=True):
        assert row["name"] == CONTENT.findings[weight.finding].name
        assert row["name"] in seen
        assert float(row["absent"]["value"]) == weight.lr_absent
        assert row["absent"]["status"] == weight.status_absent
        if weight.confirms:
            assert row["present"] is None
            continue
        assert float(row["present"]["value"]) == weight.lr_present
        assert row["present"]["status"] == weight.status_present
        assert (row["read"] or {}).get("population", "") == weight.population
        if weight.studies:
            assert f"Read: {weight.studies.words} ({weight.population})." in seen
        if weight.basis:
            assert weight.basis in seen
        for one in weight.ci:
            assert f"{one.low:g} to {one.high:g}" in seen
    assert f"Before any finding (prior): {cause.prior.value:g}" in seen


def test_where_every_card_leads(server: Server) -> None:
    seen: set[str] = set()
    for name in stories():
        answer = server.call(as_request(bundle(name), "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"))
        if answer.status_code == 200:
            seen |= {card["source"]["url"] for card in answer.json()["cards"]}
    assert len(seen) > 20
    for url in seen:
        assert requests.get(url, timeout=20).status_code == 200


def test_the_index_counts_the_long_lists_by_source(server: Server, content: Content) -> None:
    page = server.get("/evidence").text
    lists = {one["name"]: one for one in server.get("/evidence.json").json()["code_lists"]}
    assert lists.keys() == content.tables.keys()
    for name, table in content.tables.items():
        assert f"<strong>{name}</strong>: {len(table.rows)} rows in" in page
        assert sum(count for _, count in lists[name]["sources"]) == len(table.rows)
        assert all(f"<li>{escape(source)}: {count}</li>" in page for source, count in table.sources.items())


def test_no_unfilled_template_and_no_wall_of_semicolons(server: Server) -> None:
    """A reader sees what a placeholder stands for; many things are a list."""
    for path in (*(f"/evidence/{key}" for key in KEYS), "/evidence", "/evidence/open", "/evidence/explorer"):
        seen = words(server.get(path))
        assert not re.search(r"[{}]", seen), path
    for key in KEYS:
        blocks = re.findall(
            r"<(?:li|dd|p)[^>]*>((?:(?!<(?:li|dd|p|ul)\b).)*?)</(?:li|dd|p)>", server.get(f"/evidence/{key}").text
        )
        for block in blocks:
            assert unescape(re.sub(r"<[^>]+>", " ", block)).count("; ") < 8, block


def test_index_and_explorer(server: Server) -> None:
    listed = server.get("/evidence").text
    for key in KEYS:
        assert f'href="/evidence/{key}"' in listed
    data = server.get("/evidence.json").json()
    assert set(data["rules"]) | set(data["causes"]) == set(KEYS) - {"unread", "gap"}
    assert len(data["use"]["not_for"]) >= 3
    for path in [*data["rules"].values(), *data["causes"].values()]:
        assert server.get(path).status_code == 200
    table = server.get("/evidence/explorer").text
    assert table.count("<td><b") == sum(len(cause.supports) for cause in CONTENT.causes.values())
    for path in ("/evidence/nothing", "/evidence/nothing.json", "/evidence/RF01.xml"):
        assert server.get(path).status_code == 404


def test_the_explorer_holds_each_weight_in_its_place() -> None:
    explorer = explorer_of(CONTENT)
    found = {
        (explorer.causes[place][0], row.key): cell
        for kind in explorer.kinds
        for row in kind.rows
        for place, cell in enumerate(row.cells)
        if cell
    }
    for key, cause in CONTENT.causes.items():
        for weight in cause.supports:
            cell = found.pop((key, weight.finding))
            assert cell.absent == f"{weight.lr_absent:g}"
            assert cell.present == ("settles" if weight.confirms else f"{weight.lr_present:g}")
    assert not found


@pytest.mark.parametrize(
    ("ratio", "shade"),
    [(30, "f4"), (10, "f4"), (9.9, "f3"), (5, "f3"), (4.9, "f2"), (2, "f2"), (1.9, "f1"), (1.01, "f1"), (1, "n"),
     (0.99, "a1"), (0.51, "a1"), (0.5, "a2"), (0.21, "a2"), (0.2, "a3"), (0.11, "a3"), (0.1, "a4"), (0.05, "a4")],
)  # fmt: skip
def test_shades(ratio: float, shade: str) -> None:
    assert shade_of(ratio) == shade


def test_a_rule_in_words() -> None:
    """RF07's condition (evidence D), read aloud."""
    logic = logic_of(CONTENT, CONTENT.red_flags["RF07"].when)
    assert logic.kind == "any"
    first, second = logic.parts[0], logic.parts[1]
    assert first.words == CONTENT.findings["hot_red_joint"].name
    assert second.kind == "all"
    febrile, joint = second.parts
    assert {part.words for part in febrile.parts} == {CONTENT.name("fever"), CONTENT.name("rigors_chills")}
    signs = ("knee_effusion", "warm_knee_joint", "red_knee_joint")
    assert {part.words for part in joint.parts} == {CONTENT.name(key) for key in signs}


def test_intervals_in_words(server: Server) -> None:
    """As the sources print them: a ratio, one that the weight was made from, and a percentage."""
    dvt, ligament = words(server.get("/evidence/dvt")), words(server.get("/evidence/ligament_sprain"))
    assert "Interval: if present 1.48 to 2.19." in dvt
    assert "Interval: if present 1.45 (1.25 to 1.69)." in dvt
    assert "Intervals: sensitivity 81 (73 to 87) percent specificity 85 (73 to 92) percent" in ligament
    assert "read: secondary text with the figures" in dvt


@pytest.mark.parametrize(
    ("key", "years"),
    [
        ("goodacre2005", ("2005",)),
        ("ng158", ("2020", "2023")),
        ("sirico2019", ("2019",)),  # not its page 2071
        ("wood2011", ("2011",)),  # only in its name
        ("article", ("2024",)),
        ("qs201", ()),
        ("wells1997", ("1997",)),  # not its page 1795
    ],
)
def test_years(key: str, years: tuple[str, ...]) -> None:
    assert source_view(CONTENT, key).years == years


def attribute(key: str, number: int) -> str:
    found = evidence_of(CONTENT, key)
    assert found is not None
    return found.attributes[number - 1].value


def test_sex_birth_date_and_pregnancy_are_told_where_they_are_read() -> None:
    for number in (5, 6, 7, 8, 9, 12):
        assert {attribute(key, number) for key in KEYS} == {"not used"}
    by_sex = {age.finding for age in CONTENT.reasoning.ages if age.sex}
    readers = {key for key, cause in CONTENT.causes.items() if by_sex & {w.finding for w in cause.supports}}
    assert readers
    assert {key for key in CONTENT.causes if attribute(key, 10) != "not used"} == readers
    assert "pregnan" in attribute("RF01", 13)
    assert attribute("bakers_cyst", 13) == "not used"
    assert "below 18 years" in attribute("RF09", 11)


def _content(**changes: tuple[str, str]) -> Content:
    texts = texts_without_codes()
    for name, (old, new) in changes.items():
        file = {"about": "about.toml", "cause": "causes/bakers_cyst.toml"}[name]
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new)
    return load(texts, "uk_ng158")


def test_what_a_site_declares_is_told() -> None:
    changed = _content(about=('race = ""', 'race = "used in an example"'), cause=('by = ""', 'by = "Dr A. Example"'))
    found = evidence_of(changed, "bakers_cyst")
    assert found is not None
    assert found.attributes[4].value == "used in an example"
    assert found.review_words == "Reviewed by Dr A. Example"


def test_what_is_open_is_the_page_of_the_content(server: Server) -> None:
    page = server.get("/evidence/open")
    assert page.status_code == 200
    seen = words(page)
    for one in CONTENT.decisions.values():
        assert one.title in seen
        assert one.stands in seen
    assert "Not up to date" not in seen
    assert "Part 2: figures without a study" in seen
    assert 'href="/evidence/open"' in server.get("/evidence").text
    assert 'href="/evidence/open"' in server.get("/evidence/dvt").text


def test_what_is_open_says_when_it_is_of_other_content_or_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    shutil.copytree(Settings().cards, folder)
    about = folder / "about.toml"
    about.write_text(about.read_text(encoding="utf-8").replace("None declared.", "A grant."), encoding="utf-8")
    for other in run_server(Settings(cards=folder)):
        assert "Not up to date" in words(other.get("/evidence/open"))
    (folder / "OPEN.md").unlink()
    for other in run_server(Settings(cards=folder)):
        assert "Nobody has written this list" in words(other.get("/evidence/open"))


def test_causes_that_were_considered_are_on_the_page_and_open(server: Server, content: Content) -> None:
    page, still_open = server.get("/evidence").text, server.get("/evidence/open").text
    titles = {cause.title for cause in content.causes.values()}
    assert len(content.about.considered) >= 8
    for one in content.about.considered:
        assert one.title not in titles
        for text in (page, still_open):
            assert one.title in text
            assert one.instead in unescape(text)

"""The long lists of codes: what a row says, what is refused, and what loading them costs."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable

import pytest

from cds_service.base.errors import ContentError, Problem
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding import code_tables
from cds_service.clinical.content.coding.code_tables import COLUMNS, CodeTable, Known, lines_by_code
from cds_service.clinical.content.loading.load import load, parsed
from cds_service.clinical.content.loading.signed import differences
from tests.conftest import texts_without_codes

PATHWAY = "uk_ng158"
FILE = "codes/ours.tsv"
SNOMED, GM, ATC, LOINC = (
    "http://snomed.info/sct",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "http://www.whocc.no/atc",
    "http://loinc.org",
)


@pytest.fixture
def texts() -> dict[str, str]:
    """The shipped content without its tables."""
    return texts_without_codes()


def row(**cells: str) -> str:
    """A right row, with ``cells`` instead of its own."""
    own = {
        "system": "atc",
        "code": "B01AF",
        "finding": "on_anticoagulant",
        "relation": "narrower",
        "display": "Direct factor Xa inhibitors",
        "source": "owner/project:file.tsv",
    }
    return "\t".join({**own, **cells}.get(column, "") for column in COLUMNS)


def table(*rows: str) -> str:
    return "\n".join(["\t".join(COLUMNS), *rows]) + "\n"


def loaded(texts: dict[str, str], *rows: str) -> Content:
    return load({**texts, FILE: table(*rows)}, PATHWAY)


def mistakes(texts: dict[str, str], text: str) -> list[Problem]:
    with pytest.raises(ContentError) as error:
        load({**texts, FILE: text}, PATHWAY)
    return [problem for problem in error.value.problems if problem.file == FILE]


def keys(content: Content, system: str, code: str) -> list[str]:
    return [use.key for use in content.uses(system, code)]


# --- what a row says ---


def test_a_row_says_what_a_code_of_a_toml_file_does(texts: dict[str, str]) -> None:
    content = loaded(
        texts,
        row(system="snomed", code="111111107", finding="calf_swelling", side="left", relation="exact"),
        row(system="snomed", code="111111107", finding="redness", relation="broader", place="calf knee"),
        row(system="atc", code="B01AF02", substance="apixaban", status="past"),
    )
    swelling, redness = content.uses(SNOMED, "111111107")
    assert (swelling.kind, swelling.key, swelling.relation, swelling.side) == (
        "finding", "calf_swelling", "exact", "left",
    )  # fmt: skip
    assert (redness.key, redness.relation, redness.narrowed_by) == ("redness", "broader", ("calf", "knee"))
    (apixaban,) = content.uses(ATC, "b01af02 ")
    assert (apixaban.substance, apixaban.status) == ("apixaban", "past")
    assert content.concerns(ATC, "B01AF02")
    assert content.knows_system(ATC)
    assert not load(texts, PATHWAY).knows_system(ATC), "without a code of it the system is not understood"


@pytest.mark.parametrize(
    ("key", "kind"),
    [("calf_swelling", "finding"), ("dvt", "cause"), ("d_dimer_feu", "measure"), ("popliteal_fossa", "site")],
)
def test_a_row_is_of_any_kind(texts: dict[str, str], key: str, kind: str) -> None:
    content = loaded(texts, row(system="snomed", code="111111107", finding=key))
    assert [(use.kind, use.key) for use in content.uses(SNOMED, "111111107")] == [(kind, key)]


@pytest.mark.parametrize("code", ["C00", "C00.9", "C50", "c50.1", "C97", "C7A.00"])
def test_a_range_holds_all_its_codes_and_what_is_below(texts: dict[str, str], code: str) -> None:
    content = loaded(texts, row(system="icd10gm", code="C00", to="C97", finding="immunosuppressed"))
    assert "immunosuppressed" in keys(content, GM, code)
    assert content.may_concern(code)


@pytest.mark.parametrize("code", ["B99", "D00", "C98", "C9", "C"])
def test_a_range_holds_nothing_else(texts: dict[str, str], code: str) -> None:
    content = loaded(texts, row(system="icd10gm", code="C00", to="C97", finding="immunosuppressed"))
    assert "immunosuppressed" not in keys(content, GM, code)


def test_what_is_taken_out_is_out_with_all_below_it(texts: dict[str, str]) -> None:
    content = loaded(
        texts,
        row(code="B01A"),
        row(code="B01AC", relation="not"),
        row(code="B01AC99", relation="exact"),
    )
    assert keys(content, ATC, "B01AB05") == ["on_anticoagulant"]
    assert keys(content, ATC, "B01AC") == keys(content, ATC, "B01AC06") == []
    assert keys(content, ATC, "B01AC99") == ["on_anticoagulant"]
    assert not content.concerns(ATC, "B01AC06")


def test_the_closest_row_counts(texts: dict[str, str]) -> None:
    content = loaded(
        texts,
        row(system="icd10gm", code="R22", finding="swollen_legs"),
        row(system="icd10gm", code="R22.4", finding="swollen_legs", side="left"),
    )
    assert [use.side for use in content.uses(GM, "R22.41") if use.key == "swollen_legs"] == ["left"]
    assert [use.side for use in content.uses(GM, "R22.1") if use.key == "swollen_legs"] == [None]


def test_rows_are_part_of_the_version_and_counted_by_source(texts: dict[str, str]) -> None:
    one = loaded(texts, row(), row(code="B01AE", source="package icd10==1 (x)"), row(code="B01AA"))
    other = loaded(texts, row(display="Other words"))
    assert len({one.version, other.version, load(texts, PATHWAY).version}) == 3
    assert one.tables[FILE].sources == {"owner/project": 2, "package": 1}


def test_a_spreadsheet_may_end_lines_its_own_way(texts: dict[str, str]) -> None:
    content = load({**texts, FILE: table(row(), row(code="B01AE")).replace("\n", "\r\n")}, PATHWAY)
    assert len(content.tables[FILE].rows) == 2
    assert content.tables[FILE].rows[0].display == "Direct factor Xa inhibitors"


# --- what is refused ---


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"finding": "on_anticoagulants"}, "no finding, cause, measure or body site is called `on_anticoagulants`"),
        ({"system": "atx"}, "no code system is called `atx`"),
        ({"code": "B1AF"}, "B1AF: does not have the form of atc codes"),
        ({"system": "snomed", "code": "111111108"}, "111111108: the SNOMED CT check digit is wrong"),
        ({"system": "snomed", "code": "1.11111E+17"}, "does not have the form of snomed codes"),
        ({"system": "loinc", "code": "48065-8"}, "48065-8: the LOINC check digit is wrong"),
        ({"system": "icd10", "code": "M7966"}, "M7966: does not have the form of icd10 codes"),
        ({"relation": ""}, "`` is not a valid relation"),
        ({"relation": "wider"}, "`wider` is not a valid relation"),
        ({"side": "none"}, "`none` is not a valid side"),
        ({"status": "suspected"}, "`suspected` is not a valid status"),
        ({"substance": "Apixaban 5 mg"}, "`Apixaban 5 mg` is not a valid key of a substance"),
        ({"relation": "broader"}, "`place` is required for a broader code"),
        ({"place": "calf"}, "`place` is required for a broader code"),
        ({"relation": "broader", "place": "calv"}, "no body site is called `calv`"),
        ({"relation": "broader", "place": "calf_swelling"}, "no body site is called `calf_swelling`"),
        ({"display": ""}, "has no display"),
        ({"source": ""}, "has no source"),
        ({"to": "B01AA"}, "the range ends at `B01AA`, which is not after its start"),
        ({"to": "B01AF02"}, "the range ends at `B01AF02`, which is not after its start"),
        ({"to": "B01AF"}, "the range ends at `B01AF`"),
        ({"system": "snomed", "code": "111111107", "to": "111111202"}, "codes of snomed have no order"),
    ],
)
def test_a_wrong_row_is_refused(texts: dict[str, str], wrong: dict[str, str], words: str) -> None:
    (problem,) = mistakes(texts, table(row(code="B01AE"), row(**wrong)))
    assert words in problem.message
    assert problem.place == "line 3"


@pytest.mark.parametrize("change", [lambda line: line + "\t", lambda line: line.replace("\t", "", 1), lambda _: " "])
def test_a_line_of_another_shape_is_refused(texts: dict[str, str], change: object) -> None:
    (problem,) = mistakes(texts, table(row(code="B01AE"), change(row())))  # type: ignore[operator]
    assert problem.place == "line 3"


@pytest.mark.parametrize("header", ["", "system,code,finding", "\t".join(COLUMNS[:-1]), "\t".join(COLUMNS).upper()])
def test_another_header_is_refused(texts: dict[str, str], header: str) -> None:
    (problem,) = mistakes(texts, header + "\n" + row() + "\n")
    assert "header" in problem.message
    assert "system code to finding" in problem.hint


def test_all_mistakes_are_told_together(texts: dict[str, str]) -> None:
    found = mistakes(
        texts, table(row(finding="x"), row(system="y"), row(side="z"), *[row(code=f"{n}") for n in range(9)])
    )
    assert [problem.place for problem in found if "called `x`" in problem.message] == ["line 2"]
    assert {"line 3", "line 4"} <= {problem.place for problem in found}
    assert sum("does not have the form" in problem.message for problem in found) == 9


def test_the_same_mistake_of_many_rows_is_told_once(texts: dict[str, str]) -> None:
    (problem,) = mistakes(texts, table(*[row(finding="x", code=f"B01A{letter}") for letter in "ABCDEFG"]))
    assert problem.place == "line 2, 3, 4, 5, 6 and 2 more"


@pytest.mark.parametrize(
    "again",
    [row(), row(code="b01af".upper()), row(side="left"), row(relation="exact"), row(display="Other", source="x/y:z")],
)
def test_a_code_says_one_thing_of_a_finding(texts: dict[str, str], again: str) -> None:
    (problem,) = mistakes(texts, table(row(), row(code="B01AE"), again))
    assert (problem.place, "on_anticoagulant" in problem.message) == ("B01AF", True)


def test_a_code_says_one_thing_in_all_files(texts: dict[str, str]) -> None:
    other = {**texts, "codes/first.tsv": table(row())}
    assert [problem.place for problem in mistakes(other, table(row(code="B01AE"), row()))] == ["B01AF"]
    toml = mistakes(texts, table(row(system="snomed", code="281792000", finding="calf_swelling", relation="exact")))
    assert ["findings/leg_veins_and_dvt.toml" in problem.message for problem in toml] == [True]
    dotted = mistakes(texts, table(row(system="icd10", code="I26", finding="pulmonary_embolism")))
    assert ["causes/pulmonary_embolism.toml" in problem.message for problem in dotted] == [True]


def test_a_file_of_another_kind_is_not_lost_without_a_word(texts: dict[str, str]) -> None:
    with pytest.raises(ContentError, match="nothing reads a file of this name"):
        load({**texts, "codes/ours.csv": table(row())}, PATHWAY)


def test_what_differs_between_two_tables_is_told_row_by_row() -> None:
    old = parsed({FILE: table(row(), row(code="B01AE"), row(code="B01AX05"))})
    new = parsed({FILE: table(row(relation="exact"), row(code="B01AX05"), row(code="B01AA", to="B01AB"))})
    assert [str(one).split(":")[1].strip() for one in differences(old, new)] == [
        "atc B01AF on_anticoagulant",
        "atc B01AE on_anticoagulant",
        "atc B01AA B01AB on_anticoagulant",
    ]


# --- what it costs ---


def long_list(content: Content, rows: int) -> tuple[str, Known]:
    codes = (f"{number:06d}{check}" for number in range(100_000, 999_999) for check in range(10))
    system = content.systems.by_key["snomed"]
    good: Iterable[str] = (code for code in codes if not system.malformed([code]))
    display = "Product containing only apixaban in conventional release oral form (medicinal product form)"
    lines = [
        row(system="snomed", code=code, display=f"{display} {place}", source=f"owner/project:file-{place % 50}.json")
        for place, code in zip(range(rows), good, strict=False)
    ]
    return table(*lines), Known(content.systems.by_key, lambda key: "finding" if key == "on_anticoagulant" else None)


def test_long_lists_cost_little(content: Content) -> None:
    """The best of several runs: others may use the machine. Twice the aim, so that a slow one does not fail."""
    text, known = long_list(content, 20_000)
    seconds = []
    found: CodeTable | None = None
    for _ in range(5):
        begun = time.process_time()
        found, problems = code_tables.parse(FILE, text, known)
        assert not list(code_tables.repeated({FILE: found}, [], content.systems.by_key))
        seconds.append(time.process_time() - begun)
        assert not problems
    assert found is not None
    assert len(found.rows) == 20_000
    assert min(seconds) < 0.25
    tracemalloc.start()
    kept = code_tables.parse(FILE, text, known)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(kept[0].rows) == 20_000
    assert used < 15_000_000


# --- the list of systems ---

SYSTEMS = "vocabulary/systems.toml"


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ('"SCT", "SNOMED-CT"', '"SCT", "http://loinc.org"', "loinc", "is also an address of `snomed`"),
        ('"SCT", "SNOMED-CT"', '"SCT", "HTTPS://LOINC.org/|2.7"', "loinc", "is also an address of `snomed`"),
        ('base = "icd10"', 'base = "icd11x"', "icd10gm.base", "no code system is called `icd11x`"),
        ('base = "icd10"', 'base = "loinc"', "icd10gm.base", "`loinc` is not an independent hierarchy"),
        ('lender = "icd10cm"', 'lender = "icd10gm"', "icd10.lender", "`icd10gm` is not an independent hierarchy"),
        ('uri = "http://loinc.org"', 'uri = "http://loinc.example"', "loinc.uri", "the code needs `http://loinc.org`"),
        ("[v2-yes-no]", "[v2-yes]", "v2-yes-no", "the code needs the code system `v2-yes-no`"),
        ('shape = "[A-Z][0-9]{2}"', 'shape = "[A-Z"', "icpc2", "`shape` is not a valid pattern"),
        ('notation = "loinc"', 'notation = "loink"', "loinc.notation", "'loinc'"),
    ],
)
def test_a_wrong_system_is_refused(texts: dict[str, str], old: str, new: str, place: str, words: str) -> None:
    assert old in texts[SYSTEMS]
    with pytest.raises(ContentError) as error:
        load({**texts, SYSTEMS: texts[SYSTEMS].replace(old, new, 1)}, PATHWAY)
    told = [(problem.place, problem.message) for problem in error.value.problems if problem.file == SYSTEMS]
    assert any(at == place and words in message for at, message in told), told


WORDS, RULES, CONTEXTS = (f"vocabulary/{name}" for name in ("words.tsv", "problem_words.toml", "word_contexts.toml"))


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (RULES, "[pregnancy]", "[pregnanzy]", "no finding or cause is called `pregnanzy`"),
        (RULES, '[["calf", "pain"]]', '[["kalf", "pain"]]', "no group of words is called `kalf`"),
        (RULES, 'of_family = "thrombophilia"', 'of_family = "trombophilia"', "is called `trombophilia`"),
        (RULES, 'unless = ["to_prevent"', 'unless = ["to_prefent"', "no context is called `to_prefent`"),
        (RULES, 'named = [["after_birth"]]', "named = [[]]", "at least 1"),
        (CONTEXTS, "[tape]", "[tapes]", "no group of words is called `tapes`"),
        (CONTEXTS, '"one_side"', '"one_sides"', "no group of words is called `one_sides`"),
        (WORDS, "\tcalf\ten\t", "\tcalves\ten\t", "no rule and no context uses the group `calves`"),
        (WORDS, "\tcalf\ten\t", "\tcalf\t\t", "needs 4 filled cells"),
    ],
)
def test_words_of_problems_name_what_is_there(
    texts: dict[str, str], file: str, old: str, new: str, complaint: str
) -> None:
    assert old in texts[file]
    with pytest.raises(ContentError, match=complaint):
        load({**texts, file: texts[file].replace(old, new, 1)}, PATHWAY)


@pytest.mark.parametrize("file", [WORDS, "vocabulary/medicine_names.tsv"])
def test_a_table_of_words_that_is_missing_stops_the_start(texts: dict[str, str], file: str) -> None:
    """Without it rows would be skipped unreported."""
    del texts[file]
    with pytest.raises(ContentError) as error:
        load(texts, PATHWAY)
    assert [(one.file, one.message) for one in error.value.problems] == [(file, "this file is missing")]


def test_a_wrong_name_of_a_medicine_stops_the_start(texts: dict[str, str]) -> None:
    file = "vocabulary/medicine_names.tsv"
    with pytest.raises(ContentError, match="needs 4 filled cells"):
        load({**texts, file: texts[file] + "apixaban forte\ton_anticoagulant\n"}, PATHWAY)


def test_a_word_that_was_moved_is_a_difference(texts: dict[str, str]) -> None:
    """Who signs must see that a word or a name of a medicine is gone."""
    for file in (WORDS, "vocabulary/medicine_names.tsv"):
        lines = lines_by_code(texts[file])
        assert len(lines) == len(texts[file].splitlines()) - 1
    assert "calf calf" in lines_by_code(texts[WORDS])

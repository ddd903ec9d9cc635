"""Wrong content: every mistake is reported, together, with its file and what to do about it; nothing starts on it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text, read_texts
from cds_service.cli.main import main
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.coding.codes import URI
from cds_service.clinical.content.loading.load import load
from cds_service.service.evaluate import load_content
from tests.conftest import EXAMPLES, ROOT, texts_without_codes

CARDS = ROOT / "cards"
PATHWAY = "uk_ng158"
CYST = "causes/bakers_cyst.toml"
OWN = "https://hospital.example/codes"


@pytest.fixture
def texts() -> dict[str, str]:
    return texts_without_codes()


def change(texts: dict[str, str], file: str, old: str, new: str) -> None:
    """Replace the first ``old`` in ``file``."""
    assert old in texts[file], f"{file} no longer holds {old!r}"
    texts[file] = texts[file].replace(old, new, 1)


def mistakes(texts: Mapping[str, str], local: str | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ContentError) as caught:
        load(texts, PATHWAY, local)
    assert caught.value.problems, "refused, but without a reason"
    for problem in caught.value.problems:
        assert str(problem) in str(caught.value)
    return caught.value.problems


def one(problems: tuple[Problem, ...], file: str, *words: str) -> Problem:
    """The one problem of ``file`` whose text holds all ``words``."""
    found = [problem for problem in problems if problem.file == file and all(word in str(problem) for word in words)]
    listed = "\n".join(map(str, problems))
    assert len(found) == 1, f"{len(found)} of {file} with {words} in:\n{listed}"
    return found[0]


def test_the_good_content_has_none(texts: dict[str, str]) -> None:
    assert load(texts, PATHWAY).pathway.source == "ng158"


# --- each kind of mistake ---


def test_unknown_key(texts: dict[str, str]) -> None:
    change(texts, CYST, "lr_present = ", "lr_presnt = ")
    problem = one(mistakes(texts), CYST, "unknown key `lr_presnt`")
    assert problem.hint == "did you mean `lr_present`?"
    assert re.fullmatch(r"supports\.\d+\.lr_presnt", problem.place)


def test_unknown_key_that_resembles_none(texts: dict[str, str]) -> None:
    change(texts, CYST, "title = ", "zzzz9 = 1\ntitle = ")
    assert "cards/README.md" in one(mistakes(texts), CYST, "unknown key `zzzz9`").hint


def test_missing_key(texts: dict[str, str]) -> None:
    change(texts, "orders/d_dimer.toml", "sided = ", "#sided = ")
    problem = one(mistakes(texts), "orders/d_dimer.toml", "`sided` is missing")
    assert "cards/README.md" in problem.hint


@pytest.mark.parametrize(
    ("file", "old", "new", "hint"),
    [
        (CYST, 'finding = "pain_calf"', 'finding = "pain_clf"', "pain_calf"),
        ("red_flags/RF03-possible-phlegmasia-limb-threatening-dvt.toml", "leg_blue_massive", "leg_blue_masive", "leg_"),
        ("red_flags/RF15-foot-drop-possible-nerve-compression.toml", "onset_sudden", "onset_suden", "onset_sudden"),
        ("about.toml", '"postpartum_6w"', '"postpartum_6wk"', "postpartum_6w"),
        ("vocabulary/measures.toml", 'finding = "fever"', 'finding = "feverish"', "fever"),
        ("reasoning.toml", '"malignancy_on_record"', '"malignancy_on_recrd"', "malignancy_on_record"),
        ("reasoning.toml", 'finding = "age_over_50"', 'finding = "age_over_51"', "age_over_50"),
        ("dvt/uk_ng158.toml", 'any = ["collateral_veins"]', 'any = ["colateral_veins"]', "collateral_veins"),
        ("dvt/us_ash2018.toml", 'any = ["collateral_veins"]', 'any = ["colateral_veins"]', "collateral_veins"),
    ],
)
def test_unknown_finding(texts: dict[str, str], file: str, old: str, new: str, hint: str) -> None:
    change(texts, file, old, new)
    problem = one(mistakes(texts), file, "no finding is called")
    assert problem.hint.startswith(f"did you mean `{hint}")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (CYST, 'source = "hayashi2010"', 'source = "hayashi2011"', "did you mean `hayashi2010`?"),
        ("dvt/uk_ng158.toml", 'source = "ng158"', 'source = "ng15"', "no source is called `ng15`"),
        ("dvt/uk_ng158.toml", 'source = "expert"', 'source = "expret"', "did you mean `expert`?"),
        ("reasoning.toml", 'source = "nb_pitfall"', 'source = "nb_pitfal"', "did you mean `nb_pitfall`?"),
        ("about.toml", 'source = "geersing2014"', 'source = "geersing2015"', "did you mean `geersing2014`?"),
        ("about.toml", 'about = "fracture"', 'about = "fractur"', "did you mean `fracture`?"),
        ("reasoning.toml", 'source = "altman1986"', 'source = "altman1987"', "did you mean `altman1986`?"),
        (CYST, 'consider = ["knee_ultrasound"', 'consider = ["knee_ultrsound"', "did you mean `knee_ultrasound`?"),
        (CYST, '"act_physio"', '"act_fysio"', "did you mean `act_physio`?"),
        ("vocabulary/body_sites.toml", 'within = ["lower_leg"]', 'within = ["lowr_leg"]', "did you mean `lower_leg`?"),
        (CYST, 'narrowed_by = ["popliteal_fossa"]', 'narrowed_by = ["poplitea_fossa"]', "`popliteal_fossa`?"),
        ("red_flags/RF01-possible-deep-vein-thrombosis.toml", 'cause = "dvt"', 'cause = "dvt_"', "did you mean `dvt`?"),
    ],
)
def test_unknown_name(texts: dict[str, str], file: str, old: str, new: str, words: str) -> None:
    change(texts, file, old, new)
    one(mistakes(texts), file, words)


def test_wrong_check_digits_and_shapes(texts: dict[str, str]) -> None:
    change(texts, "findings/general.toml", '"30989003"', '"30989004"')
    change(texts, "findings/general.toml", '"M25.56"', '"M2556"')
    change(texts, "orders/venous_duplex.toml", '"30881-7"', '"30881-8"')
    problems = mistakes(texts)
    assert one(problems, "findings/general.toml", "30989004", "check digit").place.startswith("knee_pain.codes.0")
    one(problems, "findings/general.toml", "M2556", "looks like M25.56")
    one(problems, "orders/venous_duplex.toml", "30881-8", "check digit")


def test_invalid_toml(texts: dict[str, str]) -> None:
    change(texts, "findings/imaging.toml", "name = ", "name = = ")
    problem = one(mistakes(texts), "findings/imaging.toml", "not valid TOML")
    assert re.search(r"line \d+", problem.message)
    assert problem.hint


def test_the_same_key_in_two_files(texts: dict[str, str]) -> None:
    texts["findings/mine.toml"] = '[fever]\nname = "Fever"\nkind = "sign"\nside = "body"\ngroup = "systemic"\n'
    problem = one(mistakes(texts), "findings/mine.toml", "`fever` is already defined in findings/")
    assert problem.hint


@pytest.mark.parametrize(
    ("file", "copy"),
    [
        ("causes/dvt.toml", "causes/dvt-old.toml"),
        ("red_flags/RF01-possible-deep-vein-thrombosis.toml", "red_flags/RF01-copy.toml"),
        ("orders/d_dimer.toml", "orders/other/d_dimer.toml"),
    ],
)
def test_two_files_of_one_name(texts: dict[str, str], file: str, copy: str) -> None:
    """A forgotten copy must not silently take the place of the real one."""
    texts[copy] = texts[file]
    problems = mistakes(texts)
    assert any("already defined" in problem.message and problem.file in (file, copy) for problem in problems)


def test_a_broader_code_that_nothing_narrows(texts: dict[str, str]) -> None:
    change(texts, CYST, ', relation = "broader", narrowed_by = ["popliteal_fossa"]', ', relation = "broader"')
    assert "narrowed_by" in one(mistakes(texts), CYST, "240008008").message


@pytest.mark.parametrize(
    "text", ["<b>Bold</b> words", "see https://x.example", "[a](b)", "`code`", "a | b", "two\\nlines"]
)
def test_markup_in_card_text(texts: dict[str, str], text: str) -> None:
    change(texts, CYST, 'why = "', f'why = "{text} ')
    problem = one(mistakes(texts), CYST, "text for cards must not contain")
    assert problem.place == "card.why"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("lr_present = 0.8", "lr_present = -0.8", r"supports\.\d+\.lr_present"),
        ("lr_present = 0.8", "lr_present = 0.0", r"supports\.\d+\.lr_present"),
        ("lr_present = 0.8", "lr_present = 800.0", r"supports\.\d+\.lr_present"),
        ("lr_present = 0.8", 'lr_present = "0.8"', r"supports\.\d+\.lr_present"),
        ("lr_present = 0.8, ", "", r"supports\.\d+"),
        ("value = 0.2", "value = 20", r"prior\.value"),
        ('must_not_miss = "no"', 'must_not_miss = "maybe"', "must_not_miss"),
        ("due = 2027-06-30", 'due = "soon"', r"review\.due"),
    ],
)
def test_values_out_of_range(texts: dict[str, str], old: str, new: str, place: str) -> None:
    change(texts, CYST, old, new)
    (problem,) = mistakes(texts)
    assert problem.file == CYST
    assert re.fullmatch(place, problem.place)
    assert problem.message


def test_a_finding_weighed_twice(texts: dict[str, str]) -> None:
    change(texts, CYST, 'finding = "pain_posterior_thigh"', 'finding = "pain_calf"')
    one(mistakes(texts), CYST, "pain_calf", "weighed twice")


def test_a_rule_about_a_leg_that_does_not_name_it(texts: dict[str, str]) -> None:
    file = "red_flags/RF15-foot-drop-possible-nerve-compression.toml"
    change(texts, file, "{side}", "leg")
    assert "{side}" in one(mistakes(texts), file, "does not name the leg").hint


@pytest.mark.parametrize("summary", ["{side} and {sde}", "{side} {", "{side} {0}"])
def test_a_headline_that_cannot_be_filled_in(texts: dict[str, str], summary: str) -> None:
    """It would fail only when the urgent card is due."""
    file = "red_flags/RF15-foot-drop-possible-nerve-compression.toml"
    change(texts, file, "{side}", summary)
    assert any(problem.file == file and "summary" in problem.place for problem in mistakes(texts))


def test_revised_before_it_was_released(texts: dict[str, str]) -> None:
    change(texts, "about.toml", "revised = 2026", "revised = 2025")
    one(mistakes(texts), "about.toml", "is before `released`")


def test_wells_items_out_of_order(texts: dict[str, str]) -> None:
    file = "dvt/us_ash2018.toml"
    change(texts, file, "number = 3", "number = 4")
    one(mistakes(texts), file, "numbered 1 to 10")


@pytest.mark.parametrize("unit", ["mg/L", "ng/mL{DDU}", "%", "CM"])
def test_a_unit_of_a_measure_is_not_one_of_others(texts: dict[str, str], unit: str) -> None:
    """Or a D-dimer under a local code would be passed over."""
    change(texts, "vocabulary/answers.toml", '"mmol/L"', f'"{unit}"')
    one(mistakes(texts), "vocabulary/answers.toml", "other_units", unit)


@pytest.mark.parametrize(
    "file", ["vocabulary/answers.toml", "reasoning.toml", "about.toml", "actions.toml", "dvt/uk_ng158.toml"]
)
@pytest.mark.parametrize("left", [None, "", "# nothing yet\n"])
def test_missing_and_empty_files(texts: dict[str, str], file: str, left: str | None) -> None:
    if left is None:
        del texts[file]
    else:
        texts[file] = left
    assert any(problem.file == file for problem in mistakes(texts))


@pytest.mark.parametrize("rule", ["RF01-possible-deep-vein-thrombosis", "RF17-red-flag-in-someone-under-18"])
def test_rules_that_the_service_relies_on_cannot_be_taken_away(texts: dict[str, str], rule: str) -> None:
    """Without RF01 there would be no DVT card and no word of it; without RF17 a child's chart would be a fault."""
    del texts[f"red_flags/{rule}.toml"]
    assert any(rule[:4] in str(problem) for problem in mistakes(texts))


def test_the_safety_net_cannot_be_taken_away(texts: dict[str, str]) -> None:
    change(texts, "actions.toml", "[safety_net]", "[safety_nett]")
    one(mistakes(texts), "actions.toml", "safety_net")


def test_a_file_that_would_never_be_read(texts: dict[str, str]) -> None:
    texts["cause/new_cause.toml"] = texts[CYST]
    assert any(problem.file == "cause/new_cause.toml" for problem in mistakes(texts))


# --- all of them together ---


def test_all_mistakes_of_all_files_are_reported_together(texts: dict[str, str]) -> None:
    change(texts, CYST, "lr_present = ", "lr_presnt = ")
    change(texts, "orders/d_dimer.toml", "sided = ", "#sided = ")
    change(texts, "causes/calf_tear.toml", 'finding = "pain_sharp"', 'finding = "pain_shrp"')
    change(texts, "causes/knee_oa.toml", 'source = "article"', 'source = "artcle"')
    change(texts, "findings/general.toml", '"30989003"', '"30989004"')
    change(texts, "vocabulary/measures.toml", "[body_mass_index]", "[body_mass_index")
    texts["findings/mine.toml"] = '[fever]\nname = "Fever"\nkind = "sign"\nside = "body"\ngroup = "systemic"\n'
    change(texts, "causes/cellulitis.toml", ', relation = "broader", narrowed_by = ["leg"]', ', relation = "broader"')
    change(texts, "causes/fracture.toml", 'why = "', 'why = "<b>')
    flag = "red_flags/RF03-possible-phlegmasia-limb-threatening-dvt.toml"
    change(texts, flag, "leg_blue_massive", "leg_blue_masive")
    problems = mistakes(texts)
    wanted = (
        (CYST, ("`lr_presnt`", "did you mean `lr_present`?")),
        ("orders/d_dimer.toml", ("`sided` is missing", "cards/README.md")),
        ("causes/calf_tear.toml", ("no finding is called `pain_shrp`", "did you mean `pain_sharp`?")),
        ("causes/knee_oa.toml", ("no source is called `artcle`", "did you mean `article`?")),
        ("findings/general.toml", ("30989004", "check digit")),
        ("vocabulary/measures.toml", ("not valid TOML", "check quotes and brackets")),
        ("findings/mine.toml", ("`fever` is already defined", "keep one of the two")),
        ("causes/cellulitis.toml", ("`narrowed_by`",)),
        ("causes/fracture.toml", ("text for cards must not contain",)),
        (flag, ("no finding is called `leg_blue_masive`", "did you mean `leg_blue_massive`?")),
    )
    silent = [
        file
        for file, words in wanted
        if not any(problem.file == file and all(word in str(problem) for word in words) for problem in problems)
    ]
    assert not silent, f"not reported: {silent}"


def test_a_broken_file_brings_no_false_alarms(texts: dict[str, str]) -> None:
    """What a broken entry or file defines is still known, so nobody hunts mistakes that are none."""
    change(texts, "findings/general.toml", '"30989003"', '"30989004"')
    change(texts, "findings/imaging.toml", "name = ", "name = = ")
    assert {problem.file for problem in mistakes(texts)} == {"findings/general.toml", "findings/imaging.toml"}


# --- a site's own codes ---


def local(*rows: str) -> str:
    return "\n".join("[[code]]\n" + row for row in rows)


def row(system: str = OWN, code: str = "SW-R", finding: str = "calf_swelling", more: str = "") -> str:
    return f'system = "{system}"\ncode = "{code}"\nfinding = "{finding}"\n{more}\n'


def test_a_local_code_means_its_finding(texts: dict[str, str], content: Content) -> None:
    loaded = load(
        texts, PATHWAY, local(row(more='side = "right"\nnote = "ward chart"'), row(code="HOT", finding="fever"))
    )
    assert loaded.uses(OWN, "SW-R") == (CodeUse("finding", "calf_swelling", "exact", "right"),)
    assert [(use.kind, use.key, use.side) for use in loaded.uses(OWN, "HOT")] == [("finding", "fever", None)]
    assert loaded.uses("https://other.example/codes", "SW-R") == ()
    assert content.uses(OWN, "SW-R") == ()
    assert loaded.version != content.version


def test_local_code_of_an_unknown_finding(texts: dict[str, str]) -> None:
    problem = one(mistakes(texts, local(row(finding="calf_sweling"))), "local codes", "`calf_sweling`")
    assert problem.hint == "did you mean `calf_swelling`?"


@pytest.mark.parametrize(
    ("system", "code", "meaning"),
    [
        ("http://snomed.info/sct", "30989003", "`knee_pain`"),
        ("urn:oid:2.16.840.1.113883.6.96", "30989003", "`knee_pain`"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "I82.401", "`dvt`"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "I82.49", "`dvt`"),
        ("http://loinc.org", "48065-7", "`d_dimer_feu`"),
    ],
)
def test_a_local_code_cannot_change_a_shipped_meaning(
    texts: dict[str, str], system: str, code: str, meaning: str
) -> None:
    """The mistake names both meanings."""
    problem = one(mistakes(texts, local(row(system=system, code=code))), "local codes", "already means")
    assert meaning in str(problem)
    assert "`calf_swelling`" in str(problem)
    assert problem.hint


def test_a_missing_standard_code_may_be_added(texts: dict[str, str]) -> None:
    """Codes whose check digits hold and that are in no table here; what they mean is the site's own claim."""
    rows = [row(system="http://www.nlm.nih.gov/research/umls/rxnorm", code="99999999", finding="on_anticoagulant")]
    rows.append(row(system="http://loinc.org", code="8302-2", finding="calf_swelling"))
    rows.append(row(system="https://hospital.example/codes", code="SW", finding="calf_swelling"))
    loaded = load(texts, "uk_ng158", local("\n[[code]]\n".join(rows)))
    for uri, code, key in (
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "99999999", "on_anticoagulant"),
        ("urn:oid:2.16.840.1.113883.6.1", "8302-2", "calf_swelling"),
        ("https://hospital.example/codes", "SW", "calf_swelling"),
    ):
        assert [use.key for use in loaded.uses(uri, code)] == [key]


@pytest.mark.parametrize(
    ("system", "code", "words"),
    [
        ("http://snomed.info/sct", "30989004", "check digit"),
        ("http://loinc.org", "48065-8", "check digit"),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "eliquis", "does not have the form of rxnorm codes"),
        (URI["finding"], "calf_swelling_new", "cannot be added to"),
        (URI["interpretation"], "XYZ", "cannot be added to"),
        (URI["data-absent-reason"], "lost", "cannot be added to"),
    ],
)
def test_a_standard_code_that_cannot_be_one(texts: dict[str, str], system: str, code: str, words: str) -> None:
    assert one(mistakes(texts, local(row(system=system, code=code))), "local codes", words).hint


def test_a_local_code_with_two_meanings(texts: dict[str, str]) -> None:
    two = row() + "\n[[code]]\n" + row(finding="calf_pain_on_walking")
    assert any("calf_pain_on_walking" in str(problem) for problem in mistakes(texts, local(two)))
    two = row() + "\n[[code]]\n" + row(finding="pain_calf")
    problem = one(mistakes(texts, local(two)), "local codes", "one meaning")
    assert "`pain_calf`" in str(problem)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no [[code]] entry"),
        ("[[codes]]\n" + row(), "[[code]]"),
        (local(row()) + "\n[[codes]]\n" + row(code="SW-L"), "codes"),
        ("[[code]\n" + row(), "not valid TOML"),
        (local(row(more='sid = "right"')), "did you mean `side`?"),
        (local(row(more='side = "middle"')), "side"),
        (local('system = "https://x.example"\nfinding = "fever"\n'), "`code` is missing"),
        ("code = 5\n", "code"),
        ("code = [5]\n", "code"),
    ],
)
def test_mistakes_in_local_codes(texts: dict[str, str], text: str, words: str) -> None:
    problems = mistakes(texts, text)
    assert {problem.file for problem in problems} == {"local codes"}
    assert any(words in str(problem) for problem in problems)


def test_local_code_mistakes_come_with_the_others(texts: dict[str, str]) -> None:
    change(texts, CYST, 'finding = "pain_calf"', 'finding = "pain_clf"')
    problems = mistakes(texts, local(row(finding="calf_sweling")))
    assert {problem.file for problem in problems} == {CYST, "local codes"}


def test_a_local_code_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_text(None, "see KNEE_CDS_LOCAL_CODES") is None
    with pytest.raises(ContentError, match="KNEE_CDS_LOCAL_CODES"):
        read_text(tmp_path / "none.toml", "see KNEE_CDS_LOCAL_CODES")


# --- on disk and on the command line ---


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="does not exist"):
        read_texts(tmp_path / "none")
    with pytest.raises(ContentError, match=r"holds no \.toml file"):
        read_texts(tmp_path)
    (tmp_path / "latin.toml").write_bytes('name = "Ödem"'.encode("latin-1"))
    with pytest.raises(ContentError, match=r"latin\.toml.*UTF-8"):
        read_texts(tmp_path)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the content that the command line is pointed at."""
    folder = tmp_path / "cards"
    shutil.copytree(CARDS, folder)
    monkeypatch.setenv("KNEE_CDS_CARDS", str(folder))
    return folder


def test_check_accepts_good_content(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "uk_ng158: 36 causes" in said
    assert "us_ash2018: 36 causes" in said
    assert said.count("is in order") == 2


def test_check_says_in_plain_words_what_is_wrong(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = copy / CYST
    text = file.read_text(encoding="utf-8").replace("lr_present", "lr_presnt", 1).replace("value = 0.2", "value = 2.0")
    file.write_text(text, encoding="utf-8")
    assert main(["check"]) == 2
    out, said = capfd.readouterr()
    assert "in order" not in out
    assert re.search(
        rf"- {CYST}: supports\.\d+\.lr_presnt: unknown key `lr_presnt` \(did you mean `lr_present`\?\)", said
    )
    assert f"- {CYST}: prior.value: " in said
    assert "cannot be used" in said
    assert "Traceback" not in said
    assert "pydantic" not in said


def test_check_finds_mistakes_in_the_pathway_not_chosen(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = copy / "dvt/us_ash2018.toml"
    text = file.read_text(encoding="utf-8").replace('"maternity_triage"', '"maternity_triaje"')
    file.write_text(text, encoding="utf-8")
    assert main(["check"]) == 2
    assert "did you mean `maternity_triage`?" in capfd.readouterr().err


def test_check_refuses_words_with_which_a_card_is_too_long(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = copy / "dvt/uk_ng158.toml"
    text = file.read_text(encoding="utf-8")
    option = "proximal leg vein scan, result within 4 h."
    assert option in text
    file.write_text(text.replace(option, option[:-1] + " and so on" * 15 + "."), encoding="utf-8")
    shutil.copytree(EXAMPLES, copy.parent / "fhir_examples", dirs_exist_ok=True)
    assert main(["check"]) == 2
    said = capfd.readouterr().err
    assert "the card RF01 of the example dvt-likely: has " in said
    assert "the limit is 90" in said


def test_check_reads_the_local_codes(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "local.toml"
    monkeypatch.setenv("KNEE_CDS_LOCAL_CODES", str(file))
    file.write_text(local(row()), encoding="utf-8")
    assert main(["check"]) == 0
    file.write_text(local(row(finding="calf_sweling")), encoding="utf-8")
    assert main(["check"]) == 2
    assert "did you mean `calf_swelling`?" in capfd.readouterr().err


def test_nothing_starts_on_wrong_content(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from cds_service.base.settings import Settings

    (copy / CYST).write_text("title = ", encoding="utf-8")
    with pytest.raises(ContentError):
        load_content(Settings())
    assert main(["serve"]) == 2
    assert CYST in capfd.readouterr().err


def test_evidence_without_a_weight(texts: dict[str, str]) -> None:
    texts[CYST] += '\n[evidence.no_such_finding]\npopulation = "adults"\n'
    problem = one(mistakes(texts), CYST, "belongs to no weight of this cause")
    assert problem.place == "evidence.no_such_finding"

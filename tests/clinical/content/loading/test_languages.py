"""A translation is complete, says the same numbers and places, and changes no judgement."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cds_service.base.errors import ContentError
from cds_service.base.files import read_texts
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import in_language, languages_in
from cds_service.clinical.content.texts import Message
from tests.conftest import ROOT

FILES = read_texts(ROOT / "cards", ".toml", ".tsv")
UK = "uk_ng158"
OF_THE_CALF, CALF_SHORT = '"pantorrilla al menos 3 cm mayor"', "calf_circumference_diff_3cm.short"


def changed(file: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[file], old
    return {**FILES, file: FILES[file].replace(old, new, 1)}


def mistakes(content: Content, files: Mapping[str, str], language: str = "es") -> list[tuple[str, str, str]]:
    with pytest.raises(ContentError) as caught:
        in_language(content, UK, files, language)
    return [(one.file, one.place, one.message) for one in caught.value.problems]


def test_english_comes_first_and_every_file_of_messages_is_a_language() -> None:
    assert languages_in(FILES) == ("en", "es")
    assert languages_in({**FILES, "text/de.toml": ""}) == ("en", "de", "es")


def test_the_words_are_those_of_the_language_and_all_else_is_the_same(content: Content) -> None:
    spanish = in_language(content, UK, FILES, "es")
    assert spanish.findings["calf_swelling"].short == "pantorrilla hinchada"
    assert spanish.texts.language.is_unreviewed
    for key, finding in content.findings.items():
        same = {"name", "short", "parts"}
        assert spanish.findings[key].model_dump(exclude=same) == finding.model_dump(exclude=same)
    for key, cause in content.causes.items():
        assert spanish.causes[key].supports == cause.supports
        assert spanish.causes[key].card.consider == cause.card.consider
    for key, flag in content.red_flags.items():
        assert spanish.red_flags[key].when == flag.when
        assert spanish.red_flags[key].card.consider == flag.card.consider
    assert spanish.pathway.critical_at == content.pathway.critical_at
    assert [one.points for one in spanish.pathway.items] == [one.points for one in content.pathway.items]


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "message"),
    [
        ("text/es/findings.toml", "[calf_swelling]", "[calf_sweling]", "calf_swelling", "is not translated"),
        ("text/es/findings.toml", "[calf_swelling]", "[calf_sweling]", "calf_sweling", "there is nothing of this name"),
        (
            "text/es/findings.toml",
            'al menos 3 cm mayor"\n\n',
            'al menos 4 cm mayor"\n\n',
            "calf_circumference_diff_3cm.short",
            "other numbers",
        ),
        ("text/es/red_flags.toml", "{side}", "izquierda", "RF01.summary", "other placeholders in braces"),
        ("text/es/dvt.toml", "{range}", "2 o más", "uk_ng158.bands.0.score", "other numbers"),
        ("text/es.toml", "{moment}", "{momento}", "card_end", "there is no place {momento} here"),
        ("text/es.toml", "[fact]", "[fact]\nstrange = 'x'", "fact.strange", "unknown key"),
        ("text/es/measures.toml", "{value}", "valor", "calf_circumference.shown", "the place {value} is missing"),
    ],
)
def test_what_is_wrong_with_a_translation_is_said(
    content: Content, file: str, old: str, new: str, place: str, message: str
) -> None:
    found = mistakes(content, changed(file, old, new))
    assert any(one[:2] == (file, place) and message in one[2] for one in found), found


def test_a_list_has_as_many_texts_as_in_english(content: Content) -> None:
    file = "text/es/dvt.toml"
    start = FILES[file].index("items = [")
    first = FILES[file][start : FILES[file].index(",", start) + 1]
    found = mistakes(content, changed(file, first, "items = ["))
    assert (file, "uk_ng158.items", "must list 10 entries, in the same order") in found


def test_a_language_without_its_files_is_refused(content: Content) -> None:
    without = {name: text for name, text in FILES.items() if name != "text/es/orders.toml"}
    assert ("text/es/orders.toml", "", "this file is missing") in mistakes(content, without)
    assert mistakes(content, FILES, "fr") == [("text/fr.toml", "", "this file is missing")]


@pytest.mark.parametrize(
    ("file", "line", "hint"),
    [
        ("text/es.toml", 'body = "cuerpo"', "cards/text/en.toml explains it"),
        ("text/es/pages.toml", 'skip = "Ir al contenido"', "cards/text/en/pages.toml explains it"),
    ],
)
def test_a_text_that_is_missing_is_explained_by_the_english_file(
    content: Content, file: str, line: str, hint: str
) -> None:
    with pytest.raises(ContentError) as caught:
        in_language(content, UK, changed(file, f"\n{line}\n", "\n"), "es")
    assert [(one.file, one.hint) for one in caught.value.problems] == [(file, hint)]


def test_plural_forms_go_with_a_number() -> None:
    message = Message({"one": "1 more", "other": "{count} more"})
    assert (message.fill("one", count=1), message.fill("many", count=2_000)) == ("1 more", "2000 more")

"""Names of medicines as words: which are found, which are told apart, and a table that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.clinical.content.coding.medicine_names import COLUMNS, MedicineName, MedicineNames, parse

TABLE = Path(__file__).parents[4] / "cards" / "vocabulary" / "medicine_names.tsv"
TAKING = frozenset({"on_anticoagulant"})


def listed() -> list[MedicineName]:
    names, mistakes = parse(TABLE.read_text(encoding="utf-8"))
    assert not mistakes
    return names


@pytest.fixture(scope="module")
def names() -> MedicineNames:
    return MedicineNames(listed())


@pytest.mark.parametrize(
    "text",
    [
        "Eliquis 2,5 mg",
        "ELIQUIS",
        "Marcoumar",
        "marcoumar® 3mg Tabl.",
        "Warfarinnatrium 5 mg",
        "Natriumheparin / Heparin-Natrium-25000",
        "HÉPARINE CALCIQUE 5000 UI",
        "Énoxaparine",
        "enoxaparine sodique",
        "Tabl. apixabanum",
        "ワルファリン錠1mg",
        "ｴﾘｷｭｰｽ錠",
        "口服利伐沙班片",
        "Варфарин 2,5 мг",
        "Clarin",
        "an oral anticoagulant",
        "Antithrombotic: direct factor Xa inhibitors",
    ],
)
def test_found_in_a_medicine(names: MedicineNames, text: str) -> None:
    assert names.findings_in(text, in_medicine=True) == TAKING


@pytest.mark.parametrize(
    "text",
    [
        "lisinopril 10 MG Oral Tablet",
        "Heparinoid 0.3% cream",
        "Organo-Heparinoid gel",
        "heparinoid, combinations",
        "Hirudoid",
        "Clarinex 5 mg",
        "fluxumab",
        "arovit",
        "",
        "5 mg",
    ],
)
def test_nothing_is_found(names: MedicineNames, text: str) -> None:
    assert not names.findings_in(text, in_medicine=True)


def test_a_common_word_counts_in_a_medicine_only(names: MedicineNames) -> None:
    assert names.findings_in("exanta", in_medicine=True) == TAKING
    assert not names.findings_in("exanta", in_medicine=False)
    assert names.findings_in("started on Eliquis", in_medicine=False) == TAKING


@pytest.mark.parametrize("one", listed(), ids=lambda one: one.name)
def test_every_name_of_the_table(names: MedicineNames, one: MedicineName) -> None:
    """In any letter case, with a strength behind it, and in the middle of a sentence."""
    expected = TAKING if one.finding == "on_anticoagulant" else frozenset()
    for text in (one.name, one.name.upper(), f"{one.name} 5 mg", f"x ({one.name}), as before"):
        assert names.findings_in(text, in_medicine=True) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("name\tfinding\n", 1),
        ("\t".join(COLUMNS) + "\nwarfarin\ton_anticoagulant\tanywhere\n", 2),
        ("\t".join(COLUMNS) + "\nwarfarin\ton_anticoagulant\tsomewhere\tseen\n", 2),
        ("\t".join(COLUMNS) + "\nwarfarin\ton_anticoagulant\tanywhere\t\n", 2),
        ("\t".join(COLUMNS) + "\n--\ton_anticoagulant\tanywhere\tseen\n", 2),
        ("\t".join(COLUMNS) + "\na\tx\tanywhere\tseen\nÁ\tx\tanywhere\tseen\n", 3),
    ],
)
def test_a_wrong_table_is_refused(text: str, line: int) -> None:
    _, mistakes = parse(text)
    assert [number for number, _ in mistakes] == [line]

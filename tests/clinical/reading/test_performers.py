"""The name of who completed an assessment is the only text of a chart on a card, so it must have the form of a name."""

from __future__ import annotations

import pytest

from cds_service.clinical.reading.performers import clinician_name

NAMES = [
    "Ada North", "Dr. Ada North", "Prof. Dr. med. J. Weiß", "J.R. Hall", "Müller-Lüdenscheidt, A.", "Siobhán O'Neill",
    "Nguyễn Thị Hằng", "不二子",
]  # fmt: skip
NONE = [
    "Scan normal. No DVT. Discharge", "No DVT. Discharge", "www.evil.example", "a" + "\u0301" * 5, "\u3164",
    "<b>Ada</b>",
    "Ada North 12", "one two three four five six seven", "x" * 51, "", ".", None, 7,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept(name: str) -> None:
    assert clinician_name(name) == name


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_name_is_left_out_as_a_whole(text: object) -> None:
    assert clinician_name(text) == ""

"""Texts that fit: sentences, names in the middle of a sentence, dates and numbers of a language."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import When
from cds_service.rendering.wording import Wording, in_sentence, whole

DAY = date(2026, 3, 16)


def wording(content: Content, locale: str) -> Wording:
    texts = content.texts
    language = texts.language.model_copy(update={"locale": locale})
    return Wording(replace(content, texts=texts.model_copy(update={"language": language})), DAY)


def test_the_fullest_sentence_that_fits() -> None:
    assert whole(["a long one.", "short."], 8) == "short."
    assert whole(["a long one.", "short."], 20) == "a long one."


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Knee MRI", "knee MRI"),
        ("Leg vein duplex ultrasound", "leg vein duplex ultrasound"),
        ("DVT referral", "DVT referral"),
        ("D-dimer", "D-dimer"),
        ("", ""),
    ],
)
def test_a_title_in_the_middle_of_a_sentence(title: str, said: str) -> None:
    assert in_sentence(title) == said


@pytest.mark.parametrize(
    ("locale", "text", "said"),
    [
        ("en_GB", "2026-03-14", "14 Mar"),
        ("en_GB", "2025-03-14", "14 Mar 2025"),
        ("en_GB", "2025-03", "Mar 2025"),
        ("en_GB", "2025", "2025"),
        ("en_US", "2026-03-14", "Mar 14"),
        ("es", "2026-03-14", "14 mar"),
        ("es", "2025-03-14", "14 mar 2025"),
    ],
)
def test_days_are_as_precise_as_recorded_and_in_the_order_of_the_language(
    content: Content, locale: str, text: str, said: str
) -> None:
    day = date.fromisoformat((text + "-01-01")[:10] if len(text) == 4 else (text + "-01")[:10])
    assert wording(content, locale).day(When(day, text, day)) == said


def test_numbers_lists_and_moments_of_a_language(content: Content) -> None:
    english, spanish = wording(content, "en_GB"), wording(content, "es")
    assert [english.number(one) for one in (3.84, 118.0, 0.853, 1250.0)] == ["3.8", "118", "0.853", "1,250"]
    assert [spanish.number(one) for one in (3.84, 118.0, 0.853)] == ["3,8", "118", "0,853"]
    assert english.listed(["a", "b", "c"]) == "a, b and c"
    assert spanish.listed(["a", "b", "c"]) == "a, b y c"
    assert english.moment(datetime(2026, 11, 28, 6, 47, tzinfo=UTC)) == "28 Nov 06:47 UTC"


def test_a_number_decides_between_the_forms_of_a_message(content: Content) -> None:
    said = wording(content, "en_GB")
    rows = content.texts.chart.rows.problem
    assert said.say(rows, count=1) == "1 problem"
    assert said.say(rows, count=2) == "2 problems"

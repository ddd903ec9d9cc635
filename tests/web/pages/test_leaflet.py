"""The leaflet of each cause that has words for patients: plain, with the safety net, and linked."""

from __future__ import annotations

import re
from html import unescape

import pytest
import requests

from tests.conftest import Server, shipped_service
from tests.web.pages.order.test_copy import link_of

CONTENT = shipped_service().content
WITH = [key for key, cause in CONTENT.causes.items() if cause.card.tell_patient]
_SAFETY_NET = (
    "swells",
    "cold",
    "chest pain",
    "short of breath",
    "fever",
    "feel your foot",
    "numb",
    "bladder",
    "throbs",
)
"""What the safety net of every card names, in plain words."""


def grade(text: str) -> float:
    """The Flesch-Kincaid grade: the school year, from 1, in which a text is read. Age is about five more."""
    sentences = [one for one in re.split(r"[.!?:;]", text) if one.strip()]
    words = re.findall(r"[A-Za-z]+", text)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower())))) for word in words)
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


@pytest.mark.parametrize("key", WITH)
def test_a_leaflet(server: Server, key: str) -> None:
    page = server.get(f"/leaflets/{key}")
    assert page.status_code == 200
    seen = " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    assert CONTENT.causes[key].card.tell_patient in seen
    for words in _SAFETY_NET:
        assert words in seen
    assert "No clinician has reviewed this leaflet yet." in seen
    assert f'href="/leaflets/{key}"' in server.get(f"/evidence/{key}").text


@pytest.mark.parametrize("key", WITH)
def test_a_child_of_twelve_can_read_it(key: str) -> None:
    words = CONTENT.leaflet
    emergency = ". ".join(words.emergency)
    assert grade(f"{words.intro} {CONTENT.causes[key].card.tell_patient} {emergency}. {words.again}") <= 7


def test_the_grade_tells_easy_from_hard() -> None:
    assert grade("The leg is red. Go to bed.") < 3
    assert grade("Anticoagulation necessitates individualised deliberation regarding contraindications.") > 15


def test_without_words_for_patients_there_is_none(server: Server) -> None:
    without = next(key for key in CONTENT.causes if key not in WITH)
    assert server.get(f"/leaflets/{without}").status_code == 404
    assert server.get("/leaflets/nothing").status_code == 404
    assert "/leaflets/" not in server.get(f"/evidence/{without}").text


def test_the_order_page_links_the_leaflet(server: Server) -> None:
    assert 'href="/leaflets/dvt"' in requests.get(link_of(server), timeout=20).text

"""A client with another language gets the same judgement in its own words, and pages that say who drafted them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from cds_service.base.settings import Settings
from cds_service.cli.evaluate import judge
from cds_service.rendering.card import Card
from cds_service.rendering.frame import override_reasons
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request
from tests.cases import check_all
from tests.conftest import EXAMPLES, NOW, Server, bundle, run_server, shipped_service, stories

CLIENTS = '[default]\nlanguage = "es"\n'
ENGLISH = re.compile(
    r"\b(the|and|with|leg|consider|today|within|knee|pain|suspected|possible|because|avoid|chart|recorded|already)\b"
)
"""Words that no Spanish sentence holds. Names of guidelines and of UK services may stand in English."""


ENGLISH_REASONS = {one.display for one in override_reasons(shipped_service().content.texts.override)}


@pytest.fixture(scope="module")
def spanish_service() -> Service:
    return Service.from_settings(Settings(clients_toml=CLIENTS))


@pytest.fixture(scope="module")
def spanish() -> Iterator[Server]:
    yield from run_server(Settings(clients_toml=CLIENTS, auth="open"))


def same(card: Card) -> tuple[Any, ...]:
    """The parts of a card that are not words."""
    orders = [(one.order, one.side) for one in card.suggestions or ()]
    return card.indicator, card.rule, card.leg, card.basis, card.source.topic.code, orders, len(card.links or ())


def test_the_judgement_is_the_same_and_no_english_is_left(service: Service, spanish_service: Service) -> None:
    def check(name: str) -> None:
        document = (EXAMPLES / f"{name}.json").read_bytes()
        english, _ = judge(service, document, NOW)
        translated, _ = judge(spanish_service, document, NOW)
        assert [same(card) for card in translated] == [same(card) for card in english]
        for card in translated:
            labels = [one.label for one in card.suggestions or ()] + [one.label for one in card.links or ()]
            said = "\n".join([card.summary, card.detail, *labels]).lower()
            assert ENGLISH.findall(said) == []
            if card.override_reasons:
                assert {one.display for one in card.override_reasons}.isdisjoint(ENGLISH_REASONS)

    check_all(sorted(stories()), check)


def test_a_card_its_evidence_and_its_order_over_http(spanish: Server) -> None:
    answer = spanish.call(as_request(bundle("dvt-likely"), str(uuid4())))
    assert answer.status_code == 200
    card = answer.json()["cards"][0]
    assert card["summary"].startswith("Sospecha de TVP, pierna izquierda (Wells al menos 4): ")
    assert "+3,8 cm" in card["summary"]
    assert "16 mar 14:02" in card["detail"]
    assert card["source"]["url"].endswith("/evidence/RF01?language=es")
    page = requests.get(card["source"]["url"], timeout=20).text
    assert "Textos traducidos por máquina y no revisados por un clínico." in page
    assert "drafted by machine, not reviewed by a clinician" in page
    order = requests.get(card["links"][0]["url"], timeout=20).text
    assert "Lado: Pierna izquierda" in order
    note = card["suggestions"][0]["actions"][0]["resource"]["note"][0]["text"]
    assert "Lado: pierna izquierda" in note


def test_a_language_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(Exception, match=r"text/fr\.toml"):
        Service.from_settings(Settings(clients_toml='[default]\nlanguage = "fr"\n'))


def seen_on(url: str) -> str:
    """What a reader of a page sees or is read, in small letters."""
    page = requests.get(url, timeout=20)
    body = page.text.partition("<body>")[2]
    assert '<html lang="es">' in page.text
    labels = " ".join(re.findall(r'(?:aria-label|data-[a-z]+)="([^"]*)"', body))
    return f"{re.sub(r'<[^>]+>', ' ', body)} {labels}".lower()


def test_what_a_clinician_opens_from_a_card_is_in_one_language(spanish: Server) -> None:
    card = spanish.call(as_request(bundle("dvt-likely"), str(uuid4()))).json()["cards"][0]
    order = seen_on(card["links"][0]["url"])
    assert "esta página no conoce el nombre del paciente" in order
    assert "/leaflets/dvt?language=es" in requests.get(card["links"][0]["url"], timeout=20).text
    assert "/evidence/rf01?language=es" in requests.get(card["links"][0]["url"], timeout=20).text.lower()
    launch = seen_on(f"{spanish.url}/orders/launch?iss=https://nowhere.example&launch=1")
    pages = {
        "order": order,
        "expired": seen_on(card["links"][0]["url"].partition("?")[0] + "?draft=over"),
        "leaflet": seen_on(f"{spanish.url}/leaflets/dvt?language=es"),
        "explorer": seen_on(f"{spanish.url}/evidence/explorer?language=es"),
        "launch": launch,
    }
    left = {name: ENGLISH.findall(page.replace("posterior knee cds", "")) for name, page in pages.items()}
    assert [name for name, found in left.items() if found] == []
    evidence = seen_on(f"{spanish.url}/evidence/RF01?language=es")
    for heading in (
        "cuándo aparece",
        "con qué urgencia",
        "qué ofrece la tarjeta",
        "atributos de las fuentes",
        "no se usa",
    ):
        assert heading in evidence
    assert "evidencia" in seen_on(f"{spanish.url}/evidence")

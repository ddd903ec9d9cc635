"""Two hospitals on one service: neither sees, answers for or disturbs the other; and no call disturbs the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sqlalchemy import create_engine, text

from cds_service.adapters.store.reports import exported, report
from cds_service.adapters.store.store import Store
from cds_service.base.settings import Settings
from tests.conftest import Server, run_server
from tests.tokens import PATH, Signer, key_server
from tests.web.test_hook import request_for

KEY = "0123456789abcdef"
WHEN = "2026-03-16T14:02:00Z"


@dataclass
class Two:
    """A service with two clients, and its database."""

    server: Server
    database_url: str
    north: Signer
    south: Signer

    def call(self, signer: Signer, body: dict[str, Any]) -> requests.Response:
        return self.server.call(body, headers=signer.bearer(self.server.url + PATH))

    def override(self, signer: Signer, card: str) -> int:
        url = f"{self.server.url}{PATH}/feedback"
        said = {"feedback": [{"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN}]}
        return self.server.call_feedback(said, signer.bearer(url)).status_code


@pytest.fixture
def two(database_url: str) -> Iterator[Two]:
    north, south = Signer(issuer="https://north.example"), Signer(issuer="https://south.example")
    with ExitStack() as stack:
        text_of = "".join(
            f'[client.{name}.token]\nissuer = "{signer.issuer}"\n'
            f'jwks_url = "{stack.enter_context(key_server(signer.public())).url}"\n'
            for name, signer in (("north", north), ("south", south))
        )
        settings = Settings(auth="required", clients_toml=text_of, database_url=database_url, hash_key=KEY)
        for server in run_server(settings):
            yield Two(server, database_url, north, south)


def shown(answer: requests.Response) -> list[str]:
    return [card["source"]["topic"]["code"] for card in answer.json()["cards"]]


def test_feedback_counts_for_ones_own_cards_only(two: Two) -> None:
    """The south overrides a card of the north: it is kept apart, and nothing is hidden from the north."""
    chart = request_for("bakers-cyst-typical")
    first = two.call(two.north, chart)
    cards = [card["uuid"] for card in first.json()["cards"]]
    assert cards
    for card in cards:
        assert two.override(two.south, card) == 200
    assert shown(two.call(two.north, chart)) == shown(first), "a stranger's answer hides nothing"
    for card in cards:
        assert two.override(two.north, card) == 200
    assert shown(two.call(two.north, chart)) == [], "one's own does"
    store = Store.open(two.database_url)
    found = list(exported(store))
    counted = report(store)
    store.close()
    assert sorted(one["intervention"]["known"] for one in found) == [False] * len(cards) + [True] * len(cards)
    assert counted.unknown_cards == len(cards)
    assert sum(sum(line.overridden.values()) for line in counted.lines) == len(cards)


def test_equal_ids_of_two_clients_are_two_patients(two: Two) -> None:
    """The same ids everywhere: the other hospital's answer keeps nothing quiet here, and no hash is the same."""
    chart = request_for("bakers-cyst-typical")
    for card in two.call(two.north, chart).json()["cards"]:
        two.override(two.north, card["uuid"])
    assert shown(two.call(two.north, chart)) == []
    assert shown(two.call(two.south, chart)) != []
    until_registered(two)
    engine = create_engine(two.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT client, patient_key, user_key, encounter_key FROM card")).all()
    engine.dispose()
    hashes = {client: {one for row in rows if row[0] == client for one in row[1:] if one} for client, *_ in rows}
    assert set(hashes) == {"north", "south"}
    assert not hashes["north"] & hashes["south"]


def until_registered(two: Two) -> None:
    """Feedback takes the cards before it along into the database."""
    two.override(two.south, "none of ours")


def test_who_calls_is_told_by_the_token_alone(two: Two) -> None:
    """A fhirServer, a userId or an extension of the other hospital changes nothing."""
    chart = request_for("bakers-cyst-typical")
    chart |= {"fhirServer": "https://south.example/fhir", "extension": {"client": "south"}}
    assert two.call(two.north, chart).status_code == 200
    until_registered(two)
    engine = create_engine(two.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        clients = set(connection.execute(text("SELECT DISTINCT client FROM card")).scalars())
    engine.dispose()
    assert clients == {"north"}


def test_a_call_leaves_nothing_for_the_next(server: Server) -> None:
    """The same patient without the findings: no card is left over, whatever was shown before."""
    full, empty = request_for("dvt-likely"), request_for("dvt-likely")
    full["context"]["userId"] = empty["context"]["userId"] = "Practitioner/nothing-left"
    empty["prefetch"]["observations"] = None
    empty["prefetch"]["conditions"] = None
    for _ in range(2):
        assert server.call(full).json()["cards"][0]["indicator"] == "critical"
        assert server.call(empty).json()["cards"] == []


PAGES = ("/", "/evidence/RF01", "/evidence/bakers_cyst", "/evidence/gap")
HOSTILE = ("<script>alert(1)</script>", "left'\"><img src=x>", "%0d%0aX: y", "javascript:alert(1)")


@pytest.mark.parametrize("page", PAGES)
def test_pages_hold_no_script_and_take_no_orders(server: Server, page: str) -> None:
    answer = server.get(page)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'none'" in policy
    assert "base-uri 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    for tag in ("<script", "<form", "<iframe", "<input", "onload=", "javascript:"):
        assert tag not in answer.text
    for text_sent in HOSTILE:
        joined = "&" if "?" in page else "?"
        assert server.get(f"{page}{joined}x={text_sent}").text == answer.text
    assert requests.post(f"{server.url}{page}", data={"side": "left"}, timeout=10).status_code == 405


@pytest.mark.parametrize("page", [*PAGES, "/evidence", "/evidence/explorer", "/evidence/open", "/orders/venous_duplex"])
def test_no_page_has_script_or_style_in_it(server: Server, page: str) -> None:
    """Only files of our own; the policy would refuse the rest, and no page counts on it."""
    text = server.get(page).text
    for script in re.findall(r"<script[^>]*>.*?</script>", text, re.DOTALL):
        assert re.fullmatch(r'<script src="/static/[\w.-]+\?v=\w+" defer></script>', script)
    assert "<style" not in text
    assert not re.search(r"<[^>]+\s(style|on\w+)\s*=", text)


def test_the_order_page_shows_nothing_that_was_sent_in_its_address(server: Server) -> None:
    for text_sent in HOSTILE:
        page = server.get(f"/orders/venous_duplex?draft={text_sent}&side={text_sent}").text
        assert "alert(1)" not in page.replace(quote(text_sent), "")
        assert "<img src=x>" not in page

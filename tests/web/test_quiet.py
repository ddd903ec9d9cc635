"""What its reader has answered is not asked again; what is urgent is never hidden (evidence F.5)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select

from cds_service.ground.settings import Settings
from cds_service.hooks.register.store import Store
from cds_service.hooks.register.tables import cards
from tests.conftest import NOW, Server, run_server
from tests.web.test_feedback import FEEDBACK, override, wait_for
from tests.web.test_service import request_for

READING = "com.posterior-knee-cds.reading"


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def own(database_url: str, clock: Clock) -> Iterator[Server]:
    for server in run_server(Settings(database_url=database_url), clock):
        wait_for(server, "up")
        yield server


def visit(name: str, user: str = "Practitioner/a", encounter: str | None = "e1") -> dict[str, Any]:
    body = request_for(name)
    body["context"]["userId"] = user
    body["context"].pop("encounterId", None)
    if encounter:
        body["context"]["encounterId"] = encounter
    return body


def ask(server: Server, body: dict[str, Any]) -> dict[str, Any]:
    answer = server.call(body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def override_all(server: Server, cards: list[dict[str, Any]]) -> None:
    items = [override(card["uuid"]) for card in cards]
    assert requests.post(server.url + FEEDBACK, json={"feedback": items}, timeout=10).status_code == 200


def accept(server: Server, card: dict[str, Any]) -> None:
    item = {"card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": "2026-03-16T14:03:00Z",
            "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}  # fmt: skip
    assert requests.post(server.url + FEEDBACK, json={"feedback": [item]}, timeout=10).status_code == 200


def test_an_answered_differential_stays_away_for_its_reader_and_encounter(own: Server, clock: Clock) -> None:
    (card,) = ask(own, visit("worked-case-1"))["cards"]
    assert card["indicator"] == "info"
    override_all(own, [card])
    answer = ask(own, visit("worked-case-1"))
    assert answer["cards"] == []
    assert answer["extension"][READING]["quiet"] == ["kneecauses1"]
    assert len(ask(own, visit("worked-case-1", user="Practitioner/b"))["cards"]) == 1
    assert len(ask(own, visit("worked-case-1", encounter="e2"))["cards"]) == 1
    assert len(ask(own, visit("worked-case-1", encounter=None))["cards"]) == 1
    clock.now += timedelta(days=13)
    assert ask(own, visit("worked-case-1"))["cards"] == []
    clock.now += timedelta(days=2)
    assert len(ask(own, visit("worked-case-1"))["cards"]) == 1


def test_without_an_encounter_a_day_is_all(own: Server, clock: Clock) -> None:
    body = visit("worked-case-1", encounter=None)
    accept(own, ask(own, body)["cards"][0])
    clock.now += timedelta(hours=23)
    assert ask(own, body)["cards"] == []
    clock.now += timedelta(hours=2)
    assert len(ask(own, body)["cards"]) == 1


def test_an_answered_dvt_card_shrinks_and_does_not_vanish(own: Server, clock: Clock) -> None:
    full = ask(own, visit("dvt-likely"))["cards"]
    override_all(own, full[:1])
    small = ask(own, visit("dvt-likely"))["cards"][0]
    assert small["indicator"] == "info"
    assert small["summary"].startswith("Still open: Suspected DVT, left leg")
    assert small["uuid"] != full[0]["uuid"]
    assert small["source"]["topic"] == full[0]["source"]["topic"]
    assert [link["url"].split("?")[0] for link in small["links"]] == [f"{own.url}/orders/dvt_referral"]
    assert "suggestions" not in small
    assert "\n\n" not in small["detail"]
    assert "Answered by you on 16 Mar at 14:05 UTC" in small["detail"]
    # whoever else opens the chart sees it in full, and so does the reader in the next encounter's window of 24 hours
    for other in (visit("dvt-likely", user="Practitioner/b"), visit("dvt-likely", user="PractitionerRole/a")):
        assert ask(own, other)["cards"][0]["indicator"] == "critical"
    clock.now += timedelta(hours=23)
    assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "info"
    clock.now += timedelta(hours=2)
    assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "critical"


def test_answering_the_reminder_does_not_prolong_it(own: Server, clock: Clock, database_url: str) -> None:
    override_all(own, ask(own, visit("dvt-likely"))["cards"][:1])
    clock.now += timedelta(hours=20)
    reminder = ask(own, visit("dvt-likely"))["cards"][0]
    assert reminder["indicator"] == "info"
    override_all(own, [reminder])
    clock.now += timedelta(hours=5)
    assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "critical"
    store = Store.open(database_url)
    (row,) = store.stream(select(cards).where(cards.c.uuid == reminder["uuid"]))
    store.close()
    assert (row.rule, row.indicator, row.fingerprint, row.patient_key) == ("RF01", "info", None, None)


def copied(body: dict[str, Any]) -> dict[str, Any]:
    """The first observation of the chart once more, under another id."""
    entry = copy.deepcopy(body["prefetch"]["observations"]["entry"][0])
    entry["resource"]["id"] = str(uuid4())
    entry.pop("fullUrl", None)
    return entry  # type: ignore[no-any-return]


def test_new_facts_bring_the_whole_card_back(own: Server) -> None:
    body = visit("dvt-likely")
    override_all(own, ask(own, body)["cards"][:1])
    moved = copy.deepcopy(body)
    for entry in moved["prefetch"]["observations"]["entry"]:
        resource = entry["resource"]
        if "effectiveDateTime" in resource:
            resource["effectiveDateTime"] = "2026-03-16T09:00:00Z"
    assert ask(own, moved)["cards"][0]["indicator"] == "critical"


def test_a_copy_or_an_order_is_no_new_fact(own: Server) -> None:
    body = visit("dvt-likely")
    cards = ask(own, body)["cards"]
    override_all(own, cards[:1])
    later = copy.deepcopy(body)
    later["prefetch"]["observations"]["entry"].append(copied(body))
    duplex = copy.deepcopy(cards[0]["suggestions"][1]["actions"][0]["resource"])
    duplex |= {"id": "o1", "status": "active", "intent": "order", "authoredOn": "2026-03-16T14:03:00Z"}
    later["prefetch"]["orders"] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": duplex}]}
    assert ask(own, later)["cards"][0]["indicator"] == "info"


def test_the_same_ids_at_another_server_are_other_people(own: Server) -> None:
    here, there = ({"fhirServer": f"https://{name}.example/fhir"} for name in ("a", "b"))
    override_all(own, ask(own, visit("worked-case-1") | here)["cards"])
    assert ask(own, visit("worked-case-1") | here)["cards"] == []
    assert len(ask(own, visit("worked-case-1") | there)["cards"]) == 1
    assert len(ask(own, visit("worked-case-1"))["cards"]) == 1


def test_what_was_only_shown_is_shown_again(own: Server) -> None:
    for _ in range(3):
        assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "critical"
        assert len(ask(own, visit("worked-case-1"))["cards"]) == 1


def test_it_can_be_switched_off(database_url: str) -> None:
    for server in run_server(Settings(database_url=database_url, quiet=False)):
        wait_for(server, "up")
        override_all(server, ask(server, visit("worked-case-1"))["cards"])
        assert len(ask(server, visit("worked-case-1"))["cards"]) == 1


def test_without_the_database_everything_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for server in run_server(Settings(database_url=f"sqlite:///{folder}/register.db")):
        wait_for(server, "up")
        override_all(server, ask(server, visit("worked-case-1"))["cards"])
        assert ask(server, visit("worked-case-1"))["cards"] == []
        folder.rename(tmp_path / "gone")
        wait_for(server, "down")
        assert len(ask(server, visit("worked-case-1"))["cards"]) == 1


def test_two_processes_with_one_key_share_what_is_quiet(database_url: str) -> None:
    settings = Settings(database_url=database_url, hash_key="0123456789abcdef0123456789abcdef")
    for first in run_server(settings):
        wait_for(first, "up")
        override_all(first, ask(first, visit("worked-case-1"))["cards"])
        for second in run_server(settings):
            wait_for(second, "up")
            assert ask(second, visit("worked-case-1"))["cards"] == []
    for stranger in run_server(settings.model_copy(update={"hash_key": None})):
        wait_for(stranger, "up")
        assert len(ask(stranger, visit("worked-case-1"))["cards"]) == 1

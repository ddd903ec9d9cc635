"""What its reader has answered is not asked again; what is urgent is never hidden (evidence F.5)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select

from cds_service.adapters.pseudonyms import KeyedHash, Requester
from cds_service.adapters.store import writer
from cds_service.adapters.store.rows import Answered
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import cards
from cds_service.base.settings import Settings
from cds_service.protocol.bundles import one_chart
from cds_service.service.evaluate import Service
from cds_service.service.suppression import fingerprint, suppress
from tests.charts import LEFT_CALF, RIGHT_CALF, observation
from tests.conftest import NOW, Server, bundle, empty_database, run_server, shipped_service, stories
from tests.web.test_feedback import FEEDBACK, override, wait_for
from tests.web.test_hook import request_for

READING = "com.posterior-knee-cds.reading"


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def patient_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may not answer within the tenth of a second that a call waits; then every card is shown."""
    monkeypatch.setattr(writer, "LOOK_UP_SECONDS", 20.0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """PostgreSQL in the long run: the store's own tests ask both for what was answered. ``on_both`` asks here too."""
    return empty_database(request.param, request, tmp_path)


on_both = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


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


def accept(server: Server, card: dict[str, Any], *pressed: str, at: str = "2026-03-16T14:03:00Z") -> None:
    chosen = pressed or (card["suggestions"][0]["uuid"],)
    item = {"card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": at,
            "acceptedSuggestions": [{"id": one} for one in chosen]}  # fmt: skip
    assert requests.post(server.url + FEEDBACK, json={"feedback": [item]}, timeout=10).status_code == 200


@on_both
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


def test_an_overridden_dvt_card_shrinks_and_does_not_vanish(own: Server, clock: Clock) -> None:
    full = ask(own, visit("dvt-likely"))["cards"]
    override_all(own, full[:1])
    small = ask(own, visit("dvt-likely"))["cards"][0]
    assert small["indicator"] == "warning"
    assert small["summary"].startswith("Still open: Suspected DVT, left leg")
    assert small["uuid"] != full[0]["uuid"]
    assert small["source"]["topic"] == full[0]["source"]["topic"]
    addresses = [link["url"].split("?")[0] for link in small["links"]]
    assert addresses == [f"{own.url}/orders/dvt_referral", f"{own.url}/assess"]
    assert "\n\n" not in small["detail"]
    assert small["detail"].startswith(
        "You overrode this card on 16 Mar at 14:05; no active order is in the chart sent. Chart read"
    )
    # whoever else opens the chart sees it in full, and so does the reader after the window of 24 hours
    for other in (visit("dvt-likely", user="Practitioner/b"), visit("dvt-likely", user="PractitionerRole/a")):
        assert ask(own, other)["cards"][0]["indicator"] == "critical"
    clock.now += timedelta(hours=23)
    assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "warning"
    clock.now += timedelta(hours=2)
    assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "critical"


def buttons(card: dict[str, Any]) -> list[str]:
    return [one["label"] for one in card.get("suggestions", ())]


def urgent_examples() -> list[str]:
    """One example for each rule that makes an urgent card."""
    found: dict[str, str] = {}
    for name in stories():
        chart = one_chart(bundle(name), "Practitioner/a")
        service = shipped_service()
        for card in service.cards(service.judge(chart.context.patientId, chart.entries, NOW), chart.context, NOW):
            if card.indicator != "info":
                found.setdefault(card.rule, name)
    return sorted(set(found.values()))


def test_no_urgent_card_loses_its_buttons_before_an_order_is_in_the_chart(own: Server) -> None:
    """An accepted draft can be discarded without anybody hearing of it."""
    names = urgent_examples()
    assert len(names) > 10
    for name in names:
        full = ask(own, visit(name))["cards"]
        override_all(own, [card for card in full if card["indicator"] != "info"])
        for was, now in zip(full, ask(own, visit(name))["cards"], strict=True):
            if was["indicator"] == "info":
                continue
            assert now["summary"].startswith("Still open")
            assert (now["indicator"], name) == ("warning", name)
            assert buttons(now) == buttons(was)
            assert now.get("selectionBehavior") == was.get("selectionBehavior")
            assert now["overrideReasons"] == was["overrideReasons"]
            assert [one["label"] for one in now["links"]] == [one["label"] for one in was["links"]]


@pytest.mark.parametrize(
    ("pressed", "words"),
    [
        ((0,), 'You accepted the order "Same-day DVT assessment" on 16 Mar at 14:03;'),
        ((1,), 'You accepted the order "Leg vein duplex ultrasound" on 16 Mar at 14:03;'),
        (
            (0, 1),
            'You accepted the orders "Same-day DVT assessment" and "Leg vein duplex ultrasound" on 16 Mar at 14:03;',
        ),
        (("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",), "You accepted an order of this card on 16 Mar at 14:03;"),
    ],
)
def test_the_reminder_says_what_was_accepted_and_that_no_order_stands(
    own: Server, pressed: tuple[int | str, ...], words: str
) -> None:
    full = ask(own, visit("dvt-likely"))["cards"][0]
    accept(own, full, *(full["suggestions"][one]["uuid"] if isinstance(one, int) else one for one in pressed))
    small = ask(own, visit("dvt-likely"))["cards"][0]
    assert small["indicator"] == "warning"
    assert buttons(small) == buttons(full)
    assert small["detail"].startswith(f"{words} no active order is in the chart sent. ")


def test_the_answers_time_is_that_of_the_site(database_url: str) -> None:
    for server in run_server(Settings(database_url=database_url, time_zone="Asia/Kathmandu")):
        wait_for(server, "up")
        accept(server, ask(server, visit("dvt-likely"))["cards"][0])
        assert "on 16 Mar at 19:48; no active order" in ask(server, visit("dvt-likely"))["cards"][0]["detail"]


@on_both
def test_the_latest_answer_is_told_also_one_to_a_reminder(own: Server, clock: Clock) -> None:
    override_all(own, ask(own, visit("dvt-likely"))["cards"][:1])
    reminder = ask(own, visit("dvt-likely"))["cards"][0]
    accept(own, reminder, reminder["suggestions"][1]["uuid"], at="2026-03-16T15:10:00Z")
    again = ask(own, visit("dvt-likely"))["cards"][0]
    assert 'You accepted the order "Leg vein duplex ultrasound" on 16 Mar at 15:10;' in again["detail"]
    assert again["indicator"] == "warning"


def test_the_reminder_says_first_what_the_card_said_first(own: Server) -> None:
    """What was not available or could not be read comes before the reasons, and stays there."""
    unread = visit("dvt-likely")
    unread["prefetch"]["observations"]["entry"].append({"resource": "lost"})
    lacking = visit("dvt-likely")
    lacking["prefetch"]["medications"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    both = copy.deepcopy(unread)
    both["prefetch"]["orders"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    for body in (unread, lacking, both):
        full = ask(own, body)["cards"][0]
        (first,) = [one for one in full["detail"].split("\n\n") if one.startswith(("Not read", "Not available"))]
        override_all(own, [full])
        small = ask(own, body)["cards"][0]
        assert small["summary"].startswith("Still open")
        assert small["detail"].split("\n\n")[0] == first
        assert "**Because:**" not in small["detail"]


def test_a_card_of_several_rules_is_not_cut(service: Service) -> None:
    """Its detail is all there is on each of them."""
    keyed, requester = KeyedHash("0123456789abcdef"), Requester("north", "Practitioner/a", "p", "u", None)
    chart = one_chart(bundle("dvt-likely"), "Practitioner/a")
    card = service.cards(service.judge(chart.context.patientId, chart.entries, NOW), chart.context, NOW)[0]
    paragraphs = ("1 entry not read.", "**One** (now) - a.", "**Two** (today) - b.", "Rule x.")
    whole = replace(card, detail="\n\n".join(paragraphs), kept=paragraphs, several=True)
    said = Answered(card.source.topic.code, fingerprint(whole, keyed), None, NOW, "overridden", (), NOW)
    (small,) = suppress([whole], [said], requester, keyed, service.content, NOW).cards
    assert small.detail.split("\n\n")[:3] == whole.detail.split("\n\n")[:3]
    assert small.detail.endswith("You overrode this card on 16 Mar at 14:02; the facts have not changed. Rule x.")
    assert (small.indicator, small.suggestions) == ("warning", card.suggestions)


@on_both
def test_answering_the_reminder_does_not_prolong_it(own: Server, clock: Clock, database_url: str) -> None:
    override_all(own, ask(own, visit("dvt-likely"))["cards"][:1])
    clock.now += timedelta(hours=20)
    reminder = ask(own, visit("dvt-likely"))["cards"][0]
    assert reminder["indicator"] == "warning"
    override_all(own, [reminder])
    clock.now += timedelta(hours=5)
    assert ask(own, visit("dvt-likely"))["cards"][0]["indicator"] == "critical"
    store = Store.open(database_url)
    rows = {row.uuid: row for row in store.stream(select(cards).where(cards.c.rule == "RF01"))}
    store.close()
    first = min(rows.values(), key=lambda row: row.shown_at)
    row = rows[reminder["uuid"]]
    assert (row.indicator, row.fingerprint, row.quiet_until) == ("warning", first.fingerprint, first.quiet_until)


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


@pytest.mark.parametrize(
    ("name", "key", "site"),
    [
        ("dvt-likely", "ddimer_positive", None),
        ("dvt-likely", "tachycardia_or_hypoxia", None),
        ("dvt-bilateral", "warmth", RIGHT_CALF),
        ("dvt-bilateral", "warmth", LEFT_CALF),
    ],
)
def test_a_result_or_a_sign_of_either_leg_is_news(own: Server, name: str, key: str, site: str | None) -> None:
    """A raised D-dimer sends to the scan at once, and the card of both legs is about the other leg too."""
    body = visit(name)
    override_all(own, ask(own, body)["cards"][:1])
    assert ask(own, body)["cards"][0]["summary"].startswith("Still open")
    sign = {**observation(key, site=site, ago=0), "subject": {"reference": f"Patient/{name}"}}
    body["prefetch"]["observations"]["entry"].append({"resource": sign})
    fresh = ask(own, body)["cards"][0]
    assert not fresh["summary"].startswith("Still open")
    assert fresh["indicator"] == "critical"


def test_a_copy_is_no_new_fact(own: Server) -> None:
    body = visit("dvt-likely")
    override_all(own, ask(own, body)["cards"][:1])
    body["prefetch"]["observations"]["entry"].append(copied(body))
    assert ask(own, body)["cards"][0]["summary"].startswith("Still open")


@pytest.mark.parametrize(
    ("number", "change", "stands"),
    [
        (0, {"status": "active", "intent": "order"}, "Same-day DVT assessment already ordered 16 Mar."),
        (1, {"status": "active", "intent": "order"}, "Leg vein duplex ultrasound already ordered 16 Mar."),
        (1, {"status": "active", "intent": "original-order"}, "Leg vein duplex ultrasound already ordered 16 Mar."),
        (2, {"status": "active", "intent": "order"}, ""),  # a D-dimer alone does not answer a likely DVT (evidence C.2)
        (1, {"status": "draft", "intent": "order"}, ""),
        (1, {"status": "active", "intent": "proposal"}, ""),
        (0, {"status": "revoked", "intent": "order"}, ""),
        (0, {"status": "entered-in-error", "intent": "order"}, ""),
    ],
)
def test_only_an_order_that_stands_makes_the_reminder_small(
    own: Server, number: int, change: dict[str, str], stands: str
) -> None:
    body = visit("dvt-likely")
    full = ask(own, body)["cards"][0]
    accept(own, full, full["suggestions"][number]["uuid"])
    order = full["suggestions"][number]["actions"][0]["resource"]
    order |= {"id": "o1", "authoredOn": "2026-03-16T14:03:00Z", **change}
    body["prefetch"]["orders"] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": order}]}
    small = ask(own, body)["cards"][0]
    assert small["summary"].startswith("Still open")
    assert (small["indicator"], bool(buttons(small))) == (("info", False) if stands else ("warning", True))
    assert small["detail"].startswith(stands or "You accepted the order")
    assert ("no active order is in the chart sent" in small["detail"]) is not bool(stands)


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


def failed_look_ups(server: Server) -> float:
    (line,) = [
        line
        for line in server.get("/metrics").text.splitlines()
        if line.startswith("knee_cds_answered_look_ups_failed_t")
    ]
    return float(line.split()[-1])


def test_without_the_database_everything_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each call that could not look is counted; the log says once that it is so."""
    folder = tmp_path / "data"
    folder.mkdir()
    for server in run_server(Settings(database_url=f"sqlite:///{folder}/cards.db")):
        wait_for(server, "up")
        override_all(server, ask(server, visit("worked-case-1"))["cards"])
        assert ask(server, visit("worked-case-1"))["cards"] == []
        before = failed_look_ups(server)
        folder.rename(tmp_path / "gone")
        wait_for(server, "down")
        for _ in range(2):
            assert len(ask(server, visit("worked-case-1"))["cards"]) == 1
        assert failed_look_ups(server) == before + 2
        assert caplog.text.count("'event': 'answered_cards_not_looked_up'") == 1


@on_both
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

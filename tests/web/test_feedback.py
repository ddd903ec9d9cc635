"""Feedback over HTTP: kept before it is answered, whatever happens next."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import requests
from sqlalchemy import select

from cds_service.adapters.store.reports import exported, report
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import feedback
from cds_service.base.settings import Settings
from tests.conftest import LONG, Server, run_server
from tests.processes import serving
from tests.web.test_hook import is_outcome, request_for

FEEDBACK = "/cds-services/posterior-knee-pain/feedback"
AT = "2026-03-16T14:05:00Z"


def settings_for(url: str, **others: Any) -> Settings:
    return Settings(database_url=url, **others)


@pytest.fixture
def own(database_url: str) -> Iterator[Server]:
    yield from run_server(settings_for(database_url))


def send(server: Server, *items: Any, **kwargs: Any) -> requests.Response:
    return requests.post(server.url + FEEDBACK, json={"feedback": list(items)}, timeout=10, **kwargs)


def override(card: str, **reason: Any) -> dict[str, Any]:
    item: dict[str, Any] = {"card": card, "outcome": "overridden", "outcomeTimestamp": AT}
    return item | ({"overrideReason": reason} if reason else {})


def statements(url: str) -> list[dict[str, Any]]:
    store = Store.open(url)
    try:
        return list(exported(store))
    finally:
        store.close()


def test_from_the_card_to_the_export(own: Server, database_url: str) -> None:
    card = own.call(request_for("dvt-likely")).json()["cards"][0]
    duplex = card["suggestions"][1]
    accepted = {"card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": AT,
                "acceptedSuggestions": [{"id": duplex["uuid"]}]}  # fmt: skip
    answer = send(own, accepted)
    assert answer.status_code == 200
    assert answer.json() == {"extension": {"com.posterior-knee-cds.feedback": {"received": 1}}}
    (said,) = statements(database_url)
    assert said["intervention"]["rule"] == "RF01"
    assert said["intervention"]["indicator"] == "critical"
    assert said["intervention"]["topic"] == "kneedvt1"
    assert said["intervention"]["pathway"] == "uk_ng158"
    assert said["intervention"]["contentVersion"] == own.get("/health/ready").json()["content"]
    assert said["action"] == {
        "outcome": "accepted", "acceptedSuggestions": [duplex["uuid"]], "acceptedOrders": ["venous_duplex"],
    }  # fmt: skip
    assert said["date"] == AT
    assert said["user"] == "Practitioner/example"
    assert said["location"] == "default"


def test_the_register_knows_no_patient(own: Server, database_url: str, tmp_path: Path) -> None:
    body = request_for("dvt-likely")
    body["context"]["userId"] = "Patient/dvt-likely"
    body["context"]["encounterId"] = "enc-4711"
    card = own.call(body).json()["cards"][0]
    assert send(own, override(card["uuid"])).status_code == 200
    store = Store.open(database_url)
    held = orjson.dumps([list(map(str, row)) for table in ("card", "feedback") for row in _everything(store, table)])
    store.close()
    assert card["uuid"].encode() in held
    for secret in (b"dvt-likely", b"enc-4711", b"Exampleton", b"Patient/"):
        assert secret not in held
    if database_url.startswith("sqlite"):
        files = b"".join(path.read_bytes() for path in tmp_path.glob("cards.db*"))
        assert card["uuid"].encode() in files
        assert b"dvt-likely" not in files


def _everything(store: Store, table: str) -> list[Any]:
    from cds_service.adapters.store.tables import metadata

    return list(store.stream(select(metadata.tables[table])))


def test_repeats_are_one_statement_and_unknown_cards_are_kept(own: Server, database_url: str) -> None:
    unknown = override(str(uuid4()), reason={"code": "own-reason"})
    for _ in range(3):
        assert send(own, unknown, unknown).status_code == 200
    (said,) = statements(database_url)
    assert said["intervention"]["known"] is False
    assert said["feedback"]["reasonCode"] == "own-reason"
    store = Store.open(database_url)
    assert report(store).unknown_cards == 1
    store.close()


def test_a_mixed_call_is_400_and_says_what_was_kept(own: Server, database_url: str) -> None:
    answer = send(own, override("a"), {"card": "b", "outcome": "secret-word"}, override("c"))
    assert answer.status_code == 400
    assert is_outcome(answer)
    words = answer.json()["issue"][0]["diagnostics"]
    assert "feedback[1].outcome" in words
    assert words.endswith("The other 2 items were kept.")
    assert "secret-word" not in answer.text
    assert {said["intervention"]["card"] for said in statements(database_url)} == {"a", "c"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"feedback": {}}', b'{"feedback": [1]}', b"{", b"\xff"])
def test_malformed_calls_are_400(server: Server, body: bytes) -> None:
    answer = requests.post(server.url + FEEDBACK, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code == 400
    assert is_outcome(answer)


def test_the_rest_of_http(server: Server) -> None:
    assert requests.get(server.url + FEEDBACK, timeout=10).status_code == 405
    other = requests.post(server.url + "/cds-services/other/feedback", json={"feedback": []}, timeout=10)
    assert other.status_code == 404
    assert is_outcome(other)
    text = requests.post(server.url + FEEDBACK, data=b"{}", headers={"Content-Type": "text/plain"}, timeout=10)
    assert text.status_code == 415
    assert send(server).status_code == 200  # an empty array says nothing, lawfully


def test_a_database_that_is_down_stops_no_card(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    for own in run_server(settings_for(f"sqlite:///{folder}/cards.db")):
        wait_for(own, "down")
        answer = own.call(request_for("dvt-likely"))
        assert answer.status_code == 200
        card = answer.json()["cards"][0]
        assert card["indicator"] == "critical"
        refused = send(own, override(card["uuid"]))
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "5"
        assert is_outcome(refused)
        health = own.get("/health/ready")
        assert health.status_code == 200
        assert health.json()["database"]["error"] == "OperationalError"
        assert health.json()["database"]["waiting"] == len(answer.json()["cards"])
        assert "knee_cds_database_up 0.0" in own.get("/metrics").text
        folder.mkdir()
        wait_for(own, "up")
        assert send(own, override(card["uuid"])).status_code == 200
        until_registered(own)
        assert "knee_cds_database_up 1.0" in own.get("/metrics").text
    (said,) = statements(f"sqlite:///{folder}/cards.db")
    assert said["intervention"]["rule"] == "RF01"


def wait_for(server: Server, status: str) -> None:
    end = time.monotonic() + 20
    while server.get("/health/ready").json()["database"]["status"] != status:
        assert time.monotonic() < end
        time.sleep(0.05)


def until_registered(server: Server) -> None:
    end = time.monotonic() + 20
    while server.get("/health/ready").json()["database"]["waiting"]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_metrics_tell_no_patient(server: Server) -> None:
    server.call(request_for("dvt-likely"))
    send(server, override("x"))
    text = server.get("/metrics").text
    assert 'knee_cds_cards_total{fate="shown",indicator="critical",rule="RF01"}' in text
    assert 'knee_cds_feedback_total{outcome="overridden"}' in text
    assert 'knee_cds_answers_total{route="/cds-services/{service_id}",status="200"}' in text
    assert "dvt-likely" not in text


ITEMS, CLIENTS = (10_000 if LONG else 2_000), 16


def test_feedback_survives_a_kill(database_url: str, tmp_path: Path) -> None:
    """Thousands of items from 16 clients, the process killed at a random moment: what got its 200 is there, once."""
    chance = random.Random()
    batches = split_up([override(str(uuid4()), userComment=f"item {n}") for n in range(ITEMS)], chance)
    promised: set[str] = set()
    left = list(range(len(batches)))
    lock = threading.Lock()
    enough = threading.Event()
    kill_at = chance.randrange(ITEMS // 10, ITEMS * 9 // 10)

    def client(url: str) -> None:
        session = requests.Session()
        while True:
            with lock:
                if not left:
                    return
                number = left.pop()
            try:
                answer = session.post(url + FEEDBACK, json={"feedback": batches[number]}, timeout=20)
            except requests.RequestException:
                with lock:
                    left.append(number)
                return
            assert answer.status_code == 200, answer.text
            with lock:
                promised.update(item["card"] for item in batches[number])
                if len(promised) >= kill_at:
                    enough.set()

    settings = {"database_url": database_url, "log_level": "error"}
    with serving(tmp_path, **settings) as process, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, process.url) for _ in range(CLIENTS)]
        assert enough.wait(timeout=120)
        process.kill()
        for one in clients:
            one.result(timeout=60)
    assert left, "the process was killed after the last item"
    assert_each_once(database_url, promised, whole=False)
    with serving(tmp_path, **settings) as process, ThreadPoolExecutor(CLIENTS) as pool:
        for one in [pool.submit(client, process.url) for _ in range(CLIENTS)]:
            one.result(timeout=120)
    assert len(promised) == ITEMS
    assert_each_once(database_url, promised, whole=True)


def split_up(items: list[dict[str, Any]], chance: random.Random) -> list[list[dict[str, Any]]]:
    """Calls of one to twenty items."""
    found = []
    while items:
        size = chance.randint(1, 20)
        found.append(items[:size])
        items = items[size:]
    return found


def assert_each_once(url: str, promised: set[str], *, whole: bool) -> None:
    store = Store.open(url)
    cards = [row.card for row in store.stream(select(feedback.c.card))]
    store.close()
    assert len(cards) == len(set(cards))
    assert promised <= set(cards)
    if whole:
        assert set(cards) == promised


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path}/cards.db"
    yield from run_server(settings_for(url, max_unknown_feedback=100, max_unknown_feedback_bytes=300_000))


def strangers(count: int, comment: str = "x") -> list[dict[str, Any]]:
    return [override(str(uuid4()), reason={"code": "a"}, userComment=comment) for _ in range(count)]


def test_feedback_on_unknown_cards_has_a_bound_that_known_ones_do_not_feel(bounded: Server, tmp_path: Path) -> None:
    card = bounded.call(request_for("dvt-likely")).json()["cards"][0]
    wait_for(bounded, "up")
    assert send(bounded, *strangers(98)).status_code == 200
    answer = send(bounded, *strangers(3), override(card["uuid"]), {"card": "x"})
    assert answer.status_code == 429
    assert is_outcome(answer)
    words = answer.json()["issue"][0]["diagnostics"]
    assert words.startswith("feedback[2]: not kept, too much feedback today on cards that this service does not know.")
    assert "feedback[4]" in words
    assert words.endswith("The other 3 items were kept.")
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    assert send(bounded, override(card["uuid"])).status_code == 200
    found = statements(f"sqlite:///{tmp_path}/cards.db")
    assert sum(not one["intervention"]["known"] for one in found) == 100
    assert sum(one["intervention"]["known"] for one in found) == 1
    assert 'knee_cds_refused_total{reason="feedback_quota"} 1.0' in bounded.get("/metrics").text


def test_four_calls_no_longer_fill_the_disk(bounded: Server, tmp_path: Path) -> None:
    for _ in range(4):
        assert send(bounded, *strangers(700, "ü" * 4_000)).status_code == 429
    size = sum(file.stat().st_size for file in tmp_path.glob("cards.db*"))
    assert size < 5_000_000, size


@pytest.mark.parametrize(
    "why",
    [
        {"overrideReason": {"userComment": "x" * 4_001}},
        {"overrideReasons": [{"userComment": f"{number}" * 1_000} for number in range(1, 6)]},
        {"overrideReason": {"userComment": "a" * 2_001}, "overrideReasons": [{"userComment": "b" * 2_000}]},
        {"overrideReasons": [{"reason": {"code": "a"}}] * 21},
        {"outcome": "accepted", "acceptedSuggestions": [{"id": str(number)} for number in range(51)]},
    ],
)
def test_one_statement_has_a_length(own: Server, why: dict[str, Any]) -> None:
    answer = send(own, override(str(uuid4())) | why, *strangers(1))
    assert answer.status_code == 400
    assert "feedback[0]" in answer.json()["issue"][0]["diagnostics"]
    assert "The other 1 item was kept." in answer.json()["issue"][0]["diagnostics"]

"""Rows F and K2: feedback over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.conftest import Server
from tests.web.test_feedback import AT, FEEDBACK, override, send
from tests.web.test_hook import is_outcome, request_for


def new_card(server: Server) -> dict[str, Any]:
    """A card shown to somebody who opens no chart in any other test: answers keep cards quiet."""
    body = request_for("dvt-likely")
    body["context"]["userId"] = f"Practitioner/{uuid4()}"
    found: dict[str, Any] = server.call(body).json()["cards"][0]
    return found


def lawful(server: Server, *items: Any) -> None:
    answer = send(server, *items)
    assert answer.status_code == 200, answer.text
    assert answer.json()


def malformed(server: Server, *items: Any) -> None:
    answer = send(server, *items)
    assert answer.status_code == 400
    assert is_outcome(answer)


@pytest.mark.row("F1", "F2", "K2", "F6")
def test_feedback_on_a_card_just_shown(server: Server) -> None:
    card = new_card(server)
    item = {"card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": AT}
    lawful(server, item | {"acceptedSuggestions": [{"id": one["uuid"]} for one in card["suggestions"][:2]]})
    nothing_accepted: tuple[Any, ...] = (None, [], [{}], [{"id": ""}], [{"id": 7}], ["x"], {"id": "x"})
    for wrong in nothing_accepted:
        malformed(server, item | {"acceptedSuggestions": wrong})


@pytest.mark.row("F3", "F12", "V8")
def test_the_body_is_an_object_with_the_array(server: Server) -> None:
    lawful(server)
    bodies: tuple[Any, ...] = (
        [],
        {},
        {"feedback": None},
        {"feedback": {}},
        {"feedback": "x"},
        override("x"),
        None,
        "x",
    )
    for body in bodies:
        answer = requests.post(server.url + FEEDBACK, json=body, timeout=10)
        assert answer.status_code in (400, 415), body
        assert is_outcome(answer)


@pytest.mark.row("F4", "F5", "F7", "F12")
@pytest.mark.parametrize("field", ["card", "outcome", "outcomeTimestamp"])
def test_required_fields_of_an_item(server: Server, field: str) -> None:
    malformed(server, {key: value for key, value in override("x").items() if key != field})
    values: tuple[Any, ...] = (None, "", 7, [], {}, True)
    for value in values:
        malformed(server, override("x") | {field: value})


@pytest.mark.row("F5")
def test_moments(server: Server) -> None:
    for moment in ("2026-03-16T14:00:00Z", "2026-03-16T14:00:00.1Z", "2026-03-16T14:00:00.123456789Z",
                   "2026-03-16T15:00:00+01:00"):  # fmt: skip
        lawful(server, override("x") | {"outcomeTimestamp": moment})
    for moment in ("2026-03-16T14:00:00", "2026-03-16", "yesterday", "2026-13-01T00:00:00Z"):
        malformed(server, override("x") | {"outcomeTimestamp": moment})


@pytest.mark.row("F7")
def test_outcomes(server: Server) -> None:
    for outcome in ("ignored", "Accepted", "dismissed"):
        malformed(server, override("x") | {"outcome": outcome})


@pytest.mark.row("F8", "F9", "F10", "E1")
def test_reasons_and_comments(server: Server) -> None:
    lawful(server, override("a"))
    lawful(server, override("b", reason={"code": "my-own", "system": "https://ehr.example/reasons"}))
    lawful(server, override("c", reason={"code": "my-own"}, userComment="x"))
    lawful(server, override("d", userComment="only this"))
    lawful(server, override("e") | {"extension": {"com.example": {"x": 1}}, "new": [1]})


@pytest.mark.row("F11", "F13", "F12")
def test_many_cards_known_or_not_and_the_same_again(server: Server) -> None:
    card = new_card(server)["uuid"]
    known = send(server, override(card))
    unknown = send(server, override(str(uuid4())))
    assert known.status_code == unknown.status_code == 200
    assert known.json() == unknown.json()
    lawful(server, override(card), override(card), override("another"), override(str(uuid4())))
    lawful(server, override(card))


@pytest.mark.row("F14")
def test_feedback_for_another_service(server: Server) -> None:
    answer = requests.post(f"{server.url}/cds-services/other/feedback", json={"feedback": []}, timeout=10)
    assert answer.status_code == 404
    assert is_outcome(answer)

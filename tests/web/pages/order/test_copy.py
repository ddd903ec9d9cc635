"""The order as a text to copy, behind a plain link."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests

from cds_service.base.settings import Settings
from cds_service.service.examples import as_request
from tests.conftest import NOW, Server, bundle, run_server, stories
from tests.web.pages.launching import FILLED, words


class Clock:
    """A clock that a test can put on."""

    def __init__(self) -> None:
        self.now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> Iterator[Server]:
    yield from run_server(Settings(), clock)


def link_of(server: Server, example: str = "dvt-likely", number: int = 0) -> str:
    answer = server.call(as_request(bundle(example), "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"))
    url: str = answer.json()["cards"][number]["links"][0]["url"]
    return url


def test_the_link_leads_to_the_facts_of_the_card(server: Server) -> None:
    page = requests.get(link_of(server), timeout=20)
    assert page.status_code == 200
    seen = words(page)
    assert "Nothing has been ordered" in seen
    assert seen.index("Not recorded: active cancer") < seen.index("Recorded: calf +3.8 cm (15 Mar)")
    assert "one-sided pitting oedema (15 Mar)" in seen
    assert 'value="left" checked' in page.text
    assert "Side: Left leg" in seen
    assert "Sign and send" not in seen
    assert page.headers["Cache-Control"] == "no-store"


def test_every_urgent_card_has_one(server: Server) -> None:
    """Of every example: each link of an urgent card opens, and offers the order that the card's link names."""
    tried = 0
    for name, story in stories().items():
        if not story["urgent"]:
            continue
        answer = server.call(as_request(bundle(name), "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"))
        for card in answer.json()["cards"]:
            if card["indicator"] == "info":
                continue
            link, *others = card["links"]
            assert [urlsplit(one["url"]).path for one in others] in ([], ["/assess"])
            page = requests.get(link["url"], timeout=20)
            assert page.status_code == 200
            assert "Recorded:" in words(page) or "under 18" in card["detail"]
            title = re.sub(r", (left leg|right leg|both legs|side not recorded)$", "", link["label"])
            assert title.removeprefix("Referral order: ") in words(page)
            tried += 1
    assert tried > 30


def test_the_address_tells_nothing(server: Server) -> None:
    url = link_of(server)
    sealed = urlsplit(url).query.removeprefix("draft=")
    parts = sealed.split(".")
    assert len(parts) == 5  # an encrypted JWT is the only thing that looks like this
    readable = urlsafe_b64decode(parts[0] + "==") + url.encode()
    for word in (b"left", b"calf", b"RF01", b"dvt-likely", b"2026"):
        assert word not in readable
    assert len(url) < 1500
    assert url != link_of(server)


def test_the_facts_leave_the_address_after_half_an_hour(timed: Server, clock: Clock) -> None:
    url = link_of(timed)
    clock.now = NOW + timedelta(minutes=29)
    assert "Recorded:" in words(requests.get(url, timeout=20))
    clock.now = NOW + timedelta(minutes=31)
    late = requests.get(url, timeout=20)
    assert late.status_code == 200
    assert "no longer with this link" in words(late)
    assert "calf" not in late.text
    assert "does not say which leg" in words(late)
    assert "Same-day DVT assessment" in words(late)


@pytest.mark.parametrize(
    "change", [lambda s: s[:-4], lambda s: s.replace(".", "", 1), lambda _: "x", lambda s: s + "A" * 20_000]
)
def test_what_was_not_sealed_here_is_not_shown(server: Server, change: object) -> None:
    base, _, sealed = link_of(server).partition("?draft=")
    assert callable(change)
    page = requests.get(base, params={"draft": change(sealed)}, timeout=20)
    assert page.status_code in (200, 431)
    assert "calf" not in page.text


def test_another_site_cannot_open_it(server: Server) -> None:
    path = link_of(server).removeprefix(server.url)
    for other in run_server(Settings()):
        assert "no longer with this link" in words(other.get(path))


def test_the_text_follows_the_form(server: Server) -> None:
    url = f"{server.url}/orders/dvt_referral"
    text = requests.post(url, data={**FILLED, "action": "text"}, timeout=20)
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert text.text.splitlines() == [
        "Service: Same-day DVT assessment",
        "Priority: Same day",
        "Side: Left leg",
        "Indication: suspected DVT",
        "Question: Please assess today.",
        "Findings: Calf swelling.",
        "Anticoagulant: Not taking one",
        "Contact: bleep 12",
        "Please note: same day, suspected DVT; telephone the service, do not rely on the order alone",
    ]
    unstated = requests.post(url, data={"action": "text"}, timeout=20).text
    assert "Side: NOT STATED - state left or right" in unstated
    assert "Service: NOT CHOSEN" in unstated
    assert "Anticoagulant: Not known" in unstated


def test_the_form_works_without_script(server: Server) -> None:
    url = link_of(server)
    page = requests.post(url, data={**FILLED, "side": "right", "note": "<b>typed</b>", "action": "show"}, timeout=20)
    assert "Side: Right leg" in words(page)
    assert "&lt;b&gt;typed&lt;/b&gt;" in page.text
    assert "Recorded:" in words(page)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("{}", {"Content-Type": "application/json"}, 415),
        ("a=1&a=2", {}, 400),
        ("%ff=%fe", {}, 400),
        ("&".join(f"a{n}=1" for n in range(100)), {}, 400),
        ("note=" + "x" * 40_000, {}, 413),
    ],
)
def test_forms_that_are_none(server: Server, body: str, headers: dict[str, str], status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    answer = requests.post(f"{server.url}/orders/dvt_referral", data=body, headers=headers, timeout=20)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"

"""Nothing from the chart becomes markup: hostile texts in every string of every resource."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.cli.evaluate import judge
from cds_service.cli.report import as_json, explained
from cds_service.clinical.assessment import Assessment
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.card import Card
from cds_service.rendering.sanitize import sanitize
from cds_service.service.evaluate import response
from cds_service.service.examples import as_request
from tests.cases import check_all
from tests.conftest import NOW, Server, bundle, shipped_service, stories
from tests.hostile import (
    CANARY,
    HARMLESS,
    HOSTILE,
    NO_IDS,
    SAYS_NOTHING,
    check,
    intruders,
    is_any,
    is_free_text,
    is_meant,
    is_never_read,
    poisoned,
    rendered,
    shown_texts,
    with_room,
)

NAMES = sorted(stories())
URGENT = [name for name in NAMES if stories()[name]["urgent"]]
names = st.sampled_from(NAMES)
seeds = st.integers(0, 2**32)
HOOK_INSTANCE = str(UUID(int=1))
CALL = "/cds-services/posterior-knee-pain"


def told(chart: dict[str, Any], like: dict[str, Any]) -> tuple[tuple[Card, ...], dict[str, Any], Assessment | None]:
    """The answer to a call with ``chart``, as composed and as JSON. ``like``: the chart the context is taken from."""
    service = shipped_service()
    call = as_request(like, HOOK_INSTANCE)
    # Each resource under the key of what it was: the chart itself may no longer say what it is.
    new = {id(old["resource"]): entry for old, entry in zip(like["entry"], chart["entry"], strict=True)}
    for key, value in call["prefetch"].items():
        if key == "patient":
            call["prefetch"][key] = new[id(value)]["resource"]
        elif value is not None:
            value["entry"] = [new[id(row["resource"])] for row in value["entry"]]
    request = HookRequest.model_validate(call)
    try:
        answer = service.answer(request, gather(request.prefetch), NOW)
    except (UnusableInput, NothingToJudgeBy) as error:
        return (), {"diagnostics": str(error)}, None
    return answer.cards, response(answer.cards, answer.response_extension).as_json(), answer.assessment


def check_answer(chart: dict[str, Any], like: dict[str, Any]) -> tuple[Card, ...]:
    """Without the final pass: the cards are clean as composed, and so is whatever else is told."""
    service = shipped_service()
    cards, body, assessment = told(chart, like)
    assert CANARY not in orjson.dumps(body).decode()
    check(body.get("cards", []), service.base_url)
    assert sanitize(cards, service.own_urls) == (cards, ())
    if assessment is not None:  # what the command line writes with --json --explain
        report = {**as_json(assessment, cards), "explain": explained(assessment)}
        assert CANARY not in orjson.dumps({key: one for key, one in report.items() if key != "patient"}).decode()
    return cards


def test_the_corpus_is_wide_and_marked() -> None:
    assert len(set(HOSTILE)) >= 40
    assert all(CANARY in text for text in HOSTILE)
    for name in NAMES:
        assert CANARY not in orjson.dumps(bundle(name)).decode()


@given(name=names, seed=seeds)
def test_any_strings_at_all(name: str, seed: int) -> None:
    dice = random.Random(seed)
    share = dice.choice([0.02, 0.1, 0.5, 1.0])
    check_answer(poisoned(with_room(bundle(name)), dice, is_any, share=share, texts=NO_IDS), bundle(name))


@given(name=names, seed=seeds)
def test_ids_references_dates_and_codes(name: str, seed: int) -> None:
    dice = random.Random(seed)
    share = dice.choice([0.02, 0.1, 0.3, 1.0])
    check_answer(poisoned(bundle(name), dice, is_meant, share=share, texts=NO_IDS), bundle(name))


def gist(cards: tuple[Card, ...]) -> list[tuple[str, str, str]]:
    return [(card.rule, card.indicator, card.summary) for card in cards]


@given(name=names, seed=seeds)
def test_free_text_that_names_nothing_changes_nothing(name: str, seed: int) -> None:
    """All of it hostile: the same cards in the same words, the urgent ones first of all."""
    clean = bundle(name)
    before, _, _ = told(clean, clean)
    after = check_answer(poisoned(with_room(clean), random.Random(seed), is_never_read, texts=SAYS_NOTHING), clean)
    assert gist(after) == gist(before)


@given(name=names, seed=seeds)
def test_no_free_text_at_all_takes_an_urgent_card_away(name: str, seed: int) -> None:
    """Words may raise a doubt, and make a number unread; they never lower what the codes say."""
    clean = bundle(name)
    before, _, _ = told(clean, clean)
    after = check_answer(poisoned(with_room(clean), random.Random(seed), is_free_text), clean)
    urgent = {(card.rule, card.indicator) for card in before if card.indicator != "info"}
    assert urgent <= {(card.rule, card.indicator) for card in after}
    assert bool(after) or not before


@pytest.mark.parametrize("wrong", ["", " ", 5, None, [], {}, "\x0b"], ids=repr)
def test_no_wording_however_wrong_costs_an_urgent_card(wrong: Any) -> None:
    def reworded(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: wrong if key in ("display", "unit") else reworded(inner) for key, inner in node.items()}
        return [reworded(inner) for inner in node] if isinstance(node, list) else node

    def check(name: str) -> None:
        clean = bundle(name)
        after, _, _ = told(reworded(clean), clean)
        assert gist(after)[: len(urgent_of(name))] == list(urgent_of(name))

    check_all(URGENT, check)


@cache
def urgent_of(name: str) -> tuple[tuple[str, str, str], ...]:
    """The urgent cards of an example as it stands."""
    before, _, _ = told(bundle(name), bundle(name))
    return tuple(one for one in gist(before) if one[1] != "info")


@pytest.mark.parametrize("place", ["id", "fullUrl"])
def test_no_resource_is_called_by_anything_but_an_id(place: str) -> None:
    """Everything unread, so that each is named on the card that says so."""
    check_all(HOSTILE, lambda text: check_unread(place, text))


def check_unread(place: str, text: str) -> None:
    chart = bundle("dvt-likely")
    for entry in chart["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] in ("Observation", "Condition"):
            resource["status"] = ["wrong"]
            resource["id"] = text if place == "id" else None
            entry["fullUrl"] = f"urn:uuid:{text}" if place == "fullUrl" else None
    cards, _ = judge(shipped_service(), orjson.dumps(chart), NOW)
    (card,) = cards
    assert card.rule == "unread"
    if text in NO_IDS or place == "fullUrl":
        assert CANARY not in str(card)
    check([card.message().model_dump(mode="json", exclude_none=True)], shipped_service().base_url)


def test_an_id_may_look_like_a_host() -> None:
    """It is a lawful id, so it stays in references; where it is read, no viewer makes a link of it."""
    chart = bundle("dvt-likely")
    for entry in chart["entry"]:
        if entry["resource"]["resourceType"] in ("Observation", "Condition"):
            entry["resource"]["id"] = f"www.{CANARY}.example"
            entry["resource"]["status"] = ["wrong"]
    (card,) = judge(shipped_service(), orjson.dumps(chart), NOW)[0]
    check([card.message().model_dump(mode="json", exclude_none=True)], shipped_service().base_url)


def test_nor_do_requests_come_back(server: Server) -> None:
    """Ids, users, addresses, headers and paths of a call that is refused."""
    good = as_request(bundle("dvt-likely"), HOOK_INSTANCE)
    answers = []
    for text in NO_IDS:
        bodies = [{**good, key: text} for key in ("hook", "hookInstance", "fhirServer", "fhirAuthorization")]
        bodies += [
            {**good, "context": {**good["context"], key: text}} for key in ("userId", "patientId", "encounterId")
        ]
        answers += [server.call(body) for body in bodies]
        header = "".join(one for one in text if one.isascii() and one.isprintable()).strip()
        answers.append(server.call(good, headers={"Content-Encoding": header}))
        said = {"feedback": [{"card": text, "outcome": text, "outcomeTimestamp": text, "acceptedSuggestions": text}]}
        answers.append(requests.post(f"{server.url}{CALL}/feedback", json=said, timeout=20))
        answers.append(server.call(good, headers={"Content-Type": f"text/{header}"}))
    assert {answer.status_code for answer in answers} <= {200, 400, 415}  # 200: an address may be any
    for path in ("/orders/dvt_referral?side=", "/orders/", "/evidence/", "/fhir/ValueSet/", "/cds-services/", "/"):
        answers += [server.get(path + text.replace("#", "%23")) for text in HOSTILE]
    for answer in answers:
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)


@pytest.mark.parametrize("text", ["<", "urn:uuid:<b>", "\u202e", "00000000-0000-4000-8000-00000000000<"])
def test_not_even_a_letter_of_a_wrong_uuid(server: Server, text: str) -> None:
    answer = server.call({**as_request(bundle("dvt-likely"), HOOK_INSTANCE), "hookInstance": text})
    assert answer.json()["issue"][0]["diagnostics"].endswith("hookInstance: must be a UUID")


# --- in a browser ---


def hostile_cards() -> Iterator[Card]:
    """Cards that come in spite of hostile texts, and hostile cards behind the final pass."""
    service = shipped_service()
    for seed, name in enumerate(NAMES[::3]):
        dice = random.Random(seed)
        which = (is_free_text, is_any)[seed % 2]
        chart = poisoned(with_room(bundle(name)), dice, which, share=(1.0, 0.05)[seed % 2])
        yield from told(chart, bundle(name))[0]
    (clean, *_) = told(bundle("dvt-likely"), bundle("dvt-likely"))[0]
    for text in set(HOSTILE) - set(HARMLESS):
        card = replace(clean, detail=text, summary=text)
        yield from sanitize([card], service.own_urls)[0]


def page(bodies: list[str]) -> str:
    inside = "\n".join(f"<p></p>{body}" for body in bodies)
    return f'<!doctype html><html><head><meta charset="utf-8"></head><body><main>{inside}</main></body></html>'


def in_chromium(folder: Path, html: str) -> str:
    """The DOM that headless Chromium makes of ``html``."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium here: the texts are checked with a parser only")
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    flags = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000",
        f"--user-data-dir={folder / 'profile'}", "--dump-dom",
    ]  # fmt: skip
    running = subprocess.Popen(
        [program, *flags, file.as_uri()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
        start_new_session=True,
    )
    try:
        dom, _ = running.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)  # it and its own processes
        running.communicate()
        raise
    assert running.returncode == 0
    return dom.decode()


def test_only_our_tags_come_out_in_a_browser(tmp_path: Path) -> None:
    """Each text as a viewer with Markdown shows it, and as one that takes it for HTML."""
    texts = [text for card in hostile_cards() for _, text in shown_texts(card.message().model_dump(mode="json"))]
    assert len(texts) > 500
    bodies = [rendered(text) for text in texts] + texts
    dom = in_chromium(tmp_path, page(bodies))
    assert dom.count("</main>") == 1
    assert intruders(dom, inside="main") == []
    assert f"<title>{CANARY}" not in dom


def test_the_browser_would_show_what_got_through(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    swallow = ("</main>", "http-equiv", "<style>", "<!--")  # all that follows would be hidden or gone
    texts = [text for text in HOSTILE if not any(mark in text for mark in swallow)]
    dom = in_chromium(tmp_path, page([rendered(text) for text in texts]))
    found = " ".join(intruders(dom, inside="main"))
    for tag in ("<script", "<img", "<a href", "<form", "<details", "<h1", "<table", "<pre", "<iframe"):
        assert tag in found, found
    assert f"<title>{CANARY}</title>" in dom  # a script has run


def test_the_parser_would_notice() -> None:
    """Without the final pass, each of them on a card is seen."""
    card = told(bundle("dvt-likely"), bundle("dvt-likely"))[0][0]

    def is_noticed(text: str) -> None:
        for hostile in (replace(card, summary=text), replace(card, detail=text)):
            with pytest.raises(AssertionError):
                check([hostile.message().model_dump(mode="json", exclude_none=True)], shipped_service().base_url)

    check_all(sorted(set(HOSTILE) - set(HARMLESS)), is_noticed)

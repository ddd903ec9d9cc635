"""The final pass over every card: what it finds, what it leaves, and that no card is lost to it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.adapters.clients.loading import load_clients
from cds_service.adapters.clients.shape import shape
from cds_service.base.errors import ContentError
from cds_service.base.plain_text import IN_WORDS, WITHHELD, is_plain_url, stripped, unsafe_parts
from cds_service.base.settings import Settings
from cds_service.cli.evaluate import judge
from cds_service.clinical.content.loading.load import load
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.rendering.card import Card, Link
from cds_service.rendering.sanitize import UnsafePart, own_urls, sanitize
from cds_service.service import delivery
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request
from tests.cases import check_all
from tests.conftest import EXAMPLES, NOW, bundle, run_server, shipped_service, stories, texts_without_codes
from tests.hostile import CANARY, HARMLESS, HOSTILE, check, intruders, rendered

OWN = shipped_service().own_urls
BASE = shipped_service().base_url
each_hostile = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


@pytest.fixture(scope="module")
def card() -> Card:
    """The first card of a chart with a suspected DVT: it has all that a card can have."""
    return judge(shipped_service(), (EXAMPLES / "dvt-likely.json").read_bytes(), NOW)[0][0]


# --- the rules ---


@pytest.mark.parametrize(
    "text",
    [
        "Wells >=2", "Wells >= 2 and <5 cm", "< 5", "a<5", "at 14:02", "data as of 14:02.", "R&D", "A & B",
        "weak*; moderate*", "**Why this shows** - left leg", "(-2)?", "3.5 cm", "2 of 10", "1.5",
        "Fibrin D-dimer FEU [Mass/volume] in Blood", "Observation/a.b-c#1", "`Observation/1`: reason",
        "Überweisung, 5 µg, 38 °C", "", "a - b", "no@", "@ rest", "#1", "www", "Yes!", "tel: none",
    ],
)  # fmt: skip
def test_what_a_card_may_say(text: str) -> None:
    assert unsafe_parts(text, lines=True) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<b>", "html"), ("</p", "html"), ("<!--", "html"), ("<?php", "html"), ("x<a", "html"),
        ("![x", "link"), ("[x](y)", "link"), ("[x][y]", "link"), ("[x]: y", "link"),
        ("ftp://x", "address"), ("WwW.x", "address"), ("MailTo:x", "address"), ("javaScript:x", "address"),
        ("vbscript:x", "address"), ("data:x", "address"), ("tel:1", "address"), ("a@b", "address"),
        ("\\*", "escape"), ("&lt;", "escape"), ("&#60", "escape"), ("&#x3c;", "escape"), ("&frac12;", "escape"),
        ("a | b", "layout"), ("~~a~~", "layout"), ("a\n```", "layout"), ("a\n    b", "layout"), ("# a", "layout"),
        ("a\n###### b", "layout"), ("> a", "layout"), ("- > a", "layout"), (">=2", "layout"), ("- # a", "layout"),
        ("1. a", "layout"), ("2) a", "layout"), ("* a", "layout"), ("+ a", "layout"), ("a\n===", "layout"),
        ("a  \nb", "layout"), ("a\n-", "layout"), ("***", "layout"), ("_ _ _", "layout"),
        ("\x00", "control"), ("\r", "control"), ("\t", "control"), ("\x1b[0m", "control"), ("\x7f", "control"),
        ("\x85", "control"), ("\u00ad", "control"), ("\u200b", "control"), ("\u202e", "control"),
        ("\u2066", "control"), ("\ufeff", "control"), ("\u2028", "control"), ("\ue000", "control"),
        ("\ud800", "control"), ("\U000e0041", "control"), ("\uffff", "control"), ("\u00a0", "control"),
    ],
)  # fmt: skip
def test_what_it_may_not(text: str, kind: str) -> None:
    assert unsafe_parts(text, lines=True) == (kind,)
    assert unsafe_parts(stripped(text, lines=True), lines=True) == ()


def test_line_breaks_belong_into_a_detail_only() -> None:
    assert unsafe_parts("a\nb") == ("control",)
    assert unsafe_parts("a\nb", lines=True) == ()
    assert stripped("a\nb") == "a b"


tricky = st.lists(st.sampled_from([*"<>![](){}:/@&;#|~`*_-=+ \n\\w.", "www", "://", "script:", "\u202e", "a", "&lt;"]))


@given(text=st.one_of(tricky.map("".join), st.text(), st.sampled_from(HOSTILE)), lines=st.booleans())
def test_what_is_scrubbed_is_plain_and_no_longer(text: str, lines: bool) -> None:
    after = stripped(text, lines=lines)
    assert unsafe_parts(after, lines=lines) == ()
    assert after.strip()
    assert len(after) <= max(len(text), len(WITHHELD))
    if text.strip() and not unsafe_parts(text, lines=lines):
        assert after == text
    # Not even emphasis of our own kind makes anything but plain tags of it.
    assert set(intruders(rendered(after))) <= {"<em >", "</em>"}
    assert not intruders(after)


# --- the cards ---


def test_our_own_cards_pass_unchanged(service: Service) -> None:
    def check(name: str) -> None:
        request = HookRequest.model_validate(as_request(bundle(name), str(uuid4())))
        cards = service.answer(request, gather(request.prefetch), NOW).cards  # as composed, before any pass
        assert bool(cards) != stories()[name]["silent"]
        after, found = sanitize(cards, OWN)
        assert all(new is old for new, old in zip(after, cards, strict=True))
        assert found == ()

    check_all(sorted(stories()), check)


def fields(card: Card, text: str) -> dict[str, Card]:
    """``card`` with ``text`` in one field at a time, by the name of the field."""
    assert card.suggestions
    assert card.links
    assert card.override_reasons
    suggestion, link, reason = card.suggestions[0], card.links[0], card.override_reasons[0]
    resource, source = suggestion.resource, card.source
    code = resource["code"]

    def suggesting(**changes: Any) -> Card:
        return replace(card, suggestions=(replace(suggestion, **changes), *card.suggestions[1:]))

    def drafting(**changes: Any) -> Card:
        return suggesting(resource={**resource, **changes})

    topic = source.topic.model_copy(update={"display": text})
    return {
        "summary": replace(card, summary=text),
        "detail": replace(card, detail=text),
        "source.label": replace(card, source=source.model_copy(update={"label": text})),
        "source.topic.display": replace(card, source=source.model_copy(update={"topic": topic})),
        "override_reasons.display": replace(card, override_reasons=(reason.model_copy(update={"display": text}),)),
        "links.label": replace(card, links=(replace(link, label=text),)),
        "suggestions.label": suggesting(label=text),
        "suggestions.description": suggesting(description=text),
        "suggestions.resource.note.text": drafting(note=[{"text": text}]),
        "suggestions.resource.code.text": drafting(code={**code, "text": text}),
        "suggestions.resource.code.coding.display": drafting(
            code={**code, "coding": [{**code["coding"][0], "display": text}]}
        ),
        "suggestions.resource.patientInstruction": drafting(patientInstruction=text),
    }


@each_hostile
def test_hostile_text_in_any_field_is_made_inert_and_reported(card: Card, text: str) -> None:
    for name, hostile in fields(card, text).items():
        (after,), found = sanitize([hostile], OWN)
        reported = {(one.rule, one.field) for one in found}
        if text not in HARMLESS or ("\n" in text and name != "detail"):
            assert reported == {("RF01", name)}, name
        assert text not in str([one.kind for one in found])
        assert (after.rule, after.uuid, after.indicator, after.basis) == (
            card.rule,
            card.uuid,
            card.indicator,
            card.basis,
        )
        assert len(after.detail) <= max(len(hostile.detail), 20)
        assert len(after.summary) <= max(len(hostile.summary), 20)
        assert sanitize([after], OWN) == ((after,), ())
        if text not in HARMLESS:
            check([after.message().model_dump(mode="json", exclude_none=True)], BASE)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/", "javascript:alert(1)", "//evil.example", "/evidence/RF01", "", f"{BASE}.evil.example/",
        f"{BASE}@evil.example/", f"{BASE}1/x", f"{BASE}/ x", f'{BASE}/"onclick=', f"{BASE}/<b>", f"{BASE}/\u202ex",
        f"{BASE}/\n", f"{BASE}\\x", BASE.upper() + "/x", "https://orders.example.evil.example/",
    ],
)  # fmt: skip
def test_no_link_leads_elsewhere(card: Card, url: str) -> None:
    links = (Link(label="Referral order", url=url), *card.links)
    source = card.source.model_copy(update={"url": url})
    (after,), found = sanitize([replace(card, links=links, source=source)], OWN)
    assert {(one.field, one.kind) for one in found} == {("links.url", "url"), ("source.url", "url")}
    assert after.source.url == BASE
    assert [link.url for link in after.links] == [BASE, *(link.url for link in card.links)]


def test_links_lead_to_this_service_and_to_the_sites_order_entry() -> None:
    own = own_urls("https://cds.example/knee", "https://orders.example:8443/new?code={order}&leg={side}")
    assert own == ("https://cds.example/knee", "https://orders.example:8443")
    service = Service(
        shipped_service().content, shipped_service().clients, "https://cds.example/knee",
        "https://orders.example:8443/new?code={order}&leg={side}",
    )  # fmt: skip
    cards, _ = judge(service, (EXAMPLES / "dvt-likely.json").read_bytes(), NOW)
    assert service.own_urls == own
    assert sanitize(cards, own) == (cards, ())
    assert sanitize(cards, own[:1])[1] == (UnsafePart("RF01", "links.url", "url"),)


def test_codes_of_a_site_are_left_alone(card: Card) -> None:
    assert card.suggestions
    suggestion = card.suggestions[0]
    code = {"coding": [{"system": "urn:x|y", "code": "EAP^12\\3|<b>", "display": "Duplex"}]}
    resource = {**suggestion.resource, "code": code}
    changed = replace(card, suggestions=(replace(suggestion, resource=resource),))
    assert sanitize([changed], OWN) == ((changed,), ())


# --- where it stands ---


def test_every_answer_passes_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A fault that lets chart text through: the card goes out harmless, the log and the counter say so."""
    fault = f"<img src=x onerror=alert('{CANARY}')> [x](javascript:1)"
    monkeypatch.setattr(
        delivery, "shape", lambda cards, caller: tuple(
            replace(one, detail=f"{one.detail}\n\n{fault}") for one in shape(cards, caller)
        ),
    )  # fmt: skip
    with caplog.at_level(logging.ERROR):
        for server in run_server(Settings()):
            body = server.call(as_request(bundle("dvt-likely"), str(uuid4()))).json()
            counted = server.get("/metrics").text
    first = body["cards"][0]
    assert first["indicator"] == "critical"
    assert "DVT" in first["summary"]
    check(body["cards"], first["source"]["url"].removesuffix("/evidence/RF01"))
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert {
        "event": "text_taken_out_of_a_card",
        "level": "error",
        "rule": "RF01",
        "field": "detail",
        "kind": "html",
    } in said
    assert CANARY not in caplog.text
    for kind in ("html", "link", "address"):
        assert f'knee_cds_texts_mended_total{{kind="{kind}",rule="RF01"}} 1.0' in counted


def test_the_command_line_passes_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    service = shipped_service()
    real = Service.cards
    monkeypatch.setattr(
        Service, "cards", lambda *args, **kwargs: tuple(
            replace(one, summary="<script>") for one in real(*args, **kwargs)
        ),
    )  # fmt: skip
    for document in (bundle("dvt-likely"), as_request(bundle("dvt-likely"), str(uuid4()))):
        cards, _ = judge(service, orjson.dumps(document), NOW)
        assert cards
        assert {card.summary for card in cards} == {" script>"}


# --- what people write into files ---


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "words"),
    [
        ("orders/d_dimer.toml", 'title = "', 'title = "www.example.org ', "title", "a web or mail address"),
        ("orders/d_dimer.toml", 'display = "Fibrin', 'display = "<b>Fibrin', "code.display", "an HTML tag"),
        ("citations.toml", 'text = "', 'text = "[x](y) ', "text", "a Markdown link"),
        ("citations.toml", 'text = "', 'text = "\u202e', "text", "does not print"),
        ("citations.toml", 'url = "http', 'url = "javascript:http', "url", "must be an absolute http(s) address"),
    ],
)
def test_content_is_held_to_the_same(file: str, old: str, new: str, place: str, words: str) -> None:
    texts = texts_without_codes()
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    with pytest.raises(ContentError) as caught:
        load(texts, "uk_ng158")
    problems = [one for one in caught.value.problems if one.file == file]
    assert any(one.place.endswith(place) and words in one.message for one in problems), problems


@each_hostile
def test_a_sites_own_display_is_held_to_the_same(tmp_path: Path, service: Service, text: str) -> None:
    kinds = unsafe_parts(text)
    path = tmp_path / "clients.toml"
    escaped = '"' + "".join(f"\\U{ord(one):08x}" for one in text) + '"'
    path.write_text(f'[default.orders.d_dimer]\nsystem = "urn:x"\ncode = "1"\ndisplay = {escaped}\n', encoding="utf-8")
    if not kinds:
        load_clients(Settings(clients=path), service.content)
        return
    with pytest.raises(ContentError) as caught:
        load_clients(Settings(clients=path), service.content)
    (problem,) = caught.value.problems
    assert problem.place == "default.orders.d_dimer.display"
    assert all(IN_WORDS[kind] in problem.message for kind in kinds)
    assert CANARY not in str(problem)


@pytest.mark.parametrize(
    "url",
    ["javascript:{order}", "https://orders.example/a b", 'https://orders.example/"{order}', "https://x.example/<b>",
     "https://{order}.example/", "https://x.example/\u202e", "orders.example/{order}", "https://x.example/{patient}"],
)  # fmt: skip
def test_an_order_address_is_plain(url: str) -> None:
    with pytest.raises(ValueError, match="order_url"):
        Settings(order_url=url)


def test_plain_urls() -> None:
    assert is_plain_url("https://x.example/a?b=c&d=(e)#f")
    assert not is_plain_url("https://x.example/\\")

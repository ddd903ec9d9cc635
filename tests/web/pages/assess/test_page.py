"""The assessment page over HTTP: behind a plain link, and as a SMART app that saves what was answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from fhir.resources.R4B.observation import Observation
from pydantic import SecretStr

from cds_service.adapters.store.assessments import Assessments, uses
from cds_service.adapters.store.store import Store
from cds_service.base.settings import Settings
from cds_service.cli.feedback import show
from cds_service.service.examples import as_request
from cds_service.web.pages.assess import page as page_module
from tests.charts import LEFT, RIGHT
from tests.clinical.dvt.signs import on
from tests.conftest import NOW, Server, bundle, run_server
from tests.ehr import SCOPES, Call, Ehr, does_it_and_hangs_up, fails, hangs_up, routed
from tests.web.pages.launching import PATIENT, Visitor, card_link, ehr_and_service, first_card, words
from tests.web.pages.order.test_copy import Clock

Both = tuple[Ehr, Server]
MAY_SAVE = f"{SCOPES} patient/Observation.c"
_ASKED = re.compile(r'name="ask-([a-z0-9_]+)" value="yes"')
_HIDDEN = re.compile(r'<input type="hidden" name="(key|chart|leg)" value="([^"]*)"')
_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with ehr_and_service(tmp_path) as found:
        found[0].scope = MAY_SAVE
        yield found


def links_of(server: Server, example: str = "dvt-likely") -> list[dict[str, Any]]:
    answer = server.call(as_request(bundle(example), _INSTANCE))
    links: list[dict[str, Any]] = answer.json()["cards"][0]["links"]
    return links


def asked(page: requests.Response) -> list[str]:
    return _ASKED.findall(page.text)


def hidden(page: requests.Response) -> dict[str, str]:
    return {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}


def plain(page: str, action: str, **answers: str) -> requests.Response:
    return requests.post(page, data={"action": action, **answers}, timeout=20)


def opened(both: Both, visitor: Visitor | None = None) -> tuple[Visitor, requests.Response]:
    """The assessment page, launched from the card."""
    ehr, server = both
    visitor = visitor or Visitor()
    page = visitor.go(ehr.launch_url(server.url, card_link(server, ehr, 1)["appContext"]))
    assert page.status_code == 200, page.text
    return visitor, page


def send(visitor: Visitor, page: requests.Response, action: str, **answers: str) -> requests.Response:
    """The form of ``page`` with answers; redirects are followed."""
    answer = visitor.ask("POST", page.url, data={**hidden(page), "action": action, **answers})
    if answer.status_code == 303:
        return visitor.go(f"{page.url.split('/assess')[0]}{answer.headers['Location']}")
    answer.url = page.url
    return answer


def denied(page: requests.Response) -> dict[str, str]:
    """ "No" to all that is asked."""
    return {f"ask-{key}": "no" for key in asked(page)}


# Behind a plain link.


def test_the_second_link_leads_to_what_is_open(server: Server) -> None:
    order, assess = links_of(server)
    assert order["label"].startswith("Referral order")
    assert assess["label"] == "Complete the score: 5 items not recorded"
    page = requests.get(assess["url"], timeout=20)
    seen = words(page)
    assert page.status_code == 200
    assert "Nothing is saved in the chart" in seen
    assert "Calf +3.8 cm (15 Mar), Observation/" in seen
    assert "Wells 4 to 9" in seen
    assert {"active_cancer", "entire_leg_swollen", "alternative_diagnosis_asserted"} <= set(asked(page))
    assert {"calf_circumference_diff_3cm", "bedrest_3d", "recent_surgery"}.isdisjoint(asked(page))
    assert not re.search(r'value="(yes|no)" checked', page.text)
    assert page.headers["Cache-Control"] == "no-store"


def test_the_address_tells_nothing(server: Server) -> None:
    url = links_of(server)[1]["url"]
    assert len(url) < 2000
    for word in ("left", "calf", "1968", "dvt-likely"):
        assert word not in url


def test_answers_move_score_card_order_and_note(server: Server) -> None:
    url = links_of(server)[1]["url"]
    page = requests.get(url, timeout=20)
    part = plain(url, "part", **{**denied(page), "ask-entire_leg_swollen": "yes"})
    assert "<html" not in part.text
    seen = words(part)
    assert "Wells 5, left leg, 16 Mar" in seen
    assert "Yes: whole leg swollen." in seen
    assert "Suspected DVT, left leg (Wells 5)" in seen
    assert "Findings: Wells 5, all items." in seen
    assert "Anticoagulant: Not taking one" in seen
    assert "not recorded" not in seen.split("Note to copy")[1].split("The order")[0]
    assert plain(url, "part", **denied(page)).text != part.text


def test_the_order_has_the_completed_score(server: Server) -> None:
    url = links_of(server)[1]["url"]
    page = requests.get(url, timeout=20)
    order = plain(url, "order", **denied(page))
    assert urlsplit(order.url).path == "/orders/dvt_referral"
    assert "Findings: Wells 4, all items." in words(order)
    assert "not recorded" not in words(order)


def test_without_an_answer_nothing_changes(server: Server) -> None:
    url = links_of(server)[1]["url"]
    before = requests.get(url, timeout=20)
    for value in ("", "unknown", "No"):
        after = plain(url, "work", **{f"ask-{key}": value for key in asked(before)})
        assert words(before) == words(after)


@pytest.mark.parametrize(
    "forged", ["us_proximal_dvt", "ddimer_positive", "homans_or_selftest_positive", "trauma_recent"]
)
def test_what_is_not_asked_cannot_be_answered(server: Server, forged: str) -> None:
    url = links_of(server)[1]["url"]
    plain_page = words(plain(url, "part"))
    assert words(plain(url, "part", **{f"ask-{forged}": "no"})) == plain_page
    assert words(plain(url, "part", **{f"ask-{forged}": "yes"})) == plain_page


def test_girths(server: Server) -> None:
    url = links_of(server, "dvt-soft-sign-alone")[1]["url"]
    assert "10 cm below tibial tuberosity" in words(requests.get(url, timeout=20))
    assert "This calf is 3.2 cm larger." in words(plain(url, "part", here="39,2", other="36"))
    for here, other in (("39.2", ""), ("392", "36"), ("wide", "36"), ("nan", "36"), ("inf", "36")):
        wrong = plain(url, "work", here=here, other=other)
        assert wrong.status_code == 422
        assert "Give both girths in cm, from 10 to 100, or neither." in words(wrong)
        assert f'value="{here}"' in wrong.text


def test_the_leg_is_asked_where_the_chart_does_not_say(server: Server) -> None:
    url = links_of(server, "laterality-unknown-all")[1]["url"]
    page = requests.get(url, timeout=20)
    assert "The chart does not say which leg." in words(page)
    assert "left leg" in words(plain(url, "part", side="left", **{"ask-deep_vein_tenderness": "yes"}))


def test_no_link_where_no_score_applies_or_all_is_known(server: Server) -> None:
    for example in ("dvt-pregnant", "dvt-unlikely-complete"):
        assert [one["label"][:8] for one in links_of(server, example)] == ["Referral"], example


def test_other_red_flags_ask_for_their_own_findings(server: Server) -> None:
    links = links_of(server, "red-flag-rf07")
    assert links[1]["label"].startswith("Examine further")
    page = requests.get(links[1]["url"], timeout=20)
    assert "Other warning signs" in words(page)
    assert "No score applies" in words(page)


def test_a_differential_asks_for_what_tells_its_causes_apart(server: Server) -> None:
    """Its ranking moves with the answers; there is no score, no order and no treatment to ask about."""
    [card] = server.call(as_request(bundle("bakers-cyst-atypical"), _INSTANCE)).json()["cards"]
    assert card["indicator"] == "info"
    [link] = [one for one in card["links"] if one["label"].startswith("Tell the causes apart: ")]
    page = requests.get(link["url"], timeout=20)
    questions = asked(page)
    assert f"apart: {len(questions)} finding" in link["label"]
    seen = words(page)
    assert "To tell the causes apart" in seen
    assert "No score applies" in seen
    assert "speaks against an anticoagulant" not in seen
    assert "Go on to the order" not in seen, "it asks whether DVT is suspected, which is no urgent order"
    cards = {only_words(words(plain(link["url"], "part", **{f"ask-{questions[0]}": one}))) for one in ("yes", "no")}
    assert len({*cards, only_words(words(plain(link["url"], "part")))}) == 3


def test_no_link_to_a_differential_beside_an_urgent_card(server: Server) -> None:
    """The findings of the urgent card come first; its own link asks for those of the causes too."""
    cards = server.call(as_request(bundle("worked-case-9"), _INSTANCE)).json()["cards"]
    assert [card["indicator"] for card in cards] == ["critical", "info"]
    assert [[one["label"][:8] for one in card.get("links", ())] for card in cards] == [["Referral", "Complete"], []]


def test_a_site_with_its_own_order_entry(clock: Clock) -> None:
    """Its address and the text of the order are of one order: that of the card whose rule the page is about."""
    two = bundle("dvt-likely")
    two["entry"] += [one for one in bundle("red-flag-rf07")["entry"] if one["resource"]["resourceType"] != "Patient"]
    for one in two["entry"]:
        if one["resource"]["resourceType"] != "Patient":
            one["resource"]["subject"] = {"reference": f"Patient/{two['entry'][0]['resource']['id']}"}
    for server in run_server(Settings(order_url="https://orders.example/new?code={order}&leg={side}"), clock):
        cards = server.call(as_request(two, _INSTANCE)).json()["cards"]
        assert len([card for card in cards if card["indicator"] == "critical"]) == 2
        for card in cards[:2]:
            order, assess = card["links"]
            page = requests.get(assess["url"], timeout=20)
            assert f'href="{order["url"].replace("&", "&amp;")}"' in page.text
            assert "Go on to the order" in words(page)
            title = order["label"].removeprefix("Referral order: ").partition(",")[0]
            assert title in words(page).split("The order as it stands now")[1]


def test_a_reason_against_an_anticoagulant_is_told_and_changes_nothing(server: Server) -> None:
    """In the note and in the order, in words; score and cards stay as they are."""
    url = links_of(server)[1]["url"]
    assert 'name="against"' in requests.get(url, timeout=20).text
    silent, yes, no = (words(plain(url, "part", **one)) for one in ({}, {"against": "yes"}, {"against": "no"}))
    assert silent.split("Note to copy")[0] == yes.split("Note to copy")[0] == no.split("Note to copy")[0]
    assert "something speaks against an anticoagulant" in silent.split("Not examined:")[1]
    for said, sentence in ((yes, "Something speaks against"), (no, "Nothing known speaks against")):
        note, order = said.split("Note to copy")[1].split("The order as it stands now")
        assert f"{sentence} an anticoagulant." in note
        assert f"{sentence} an anticoagulant." in order
        assert "omething speaks against an anticoagulant" not in note.split("Not examined:")[1]
    order_page = plain(url, "order", against="yes")
    assert "Something speaks against an anticoagulant." in words(order_page)
    assert "speaks against" not in words(requests.get(links_of(server, "red-flag-rf07")[1]["url"], timeout=20))


def test_an_old_or_foreign_link_says_so_and_loses_nothing_typed(clock: Clock) -> None:
    for server in run_server(Settings(), clock):
        url = links_of(server)[1]["url"]
        clock.now = NOW + timedelta(minutes=31)
        late = plain(url, "work", **{"ask-active_cancer": "yes", "here": "39", "other": "36"})
        assert "The facts are no longer with this link" in words(late)
        assert "Yes: active cancer" in words(late)
        assert "this leg 39 cm, other leg 36 cm" in words(late)
        assert not asked(late)
        foreign = requests.get(f"{server.url}/assess?{urlencode({'draft': 'nonsense'})}", timeout=20)
        assert "no longer with this link" in words(foreign)


_OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
_STRANGER = {
    "resourceType": "Observation",
    "id": "anothers",
    "status": "final",
    "subject": {"reference": "Patient/another"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "300957008"}]},
}


def whole(_: dict[str, Any]) -> dict[str, Any]:
    return {}


def lacks(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda _: {key: _OUTCOME}


def in_part(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    more = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    empty = {"resourceType": "Bundle", "type": "searchset"}
    return lambda sent: {key: {**(sent[key] or empty), "link": more}}


def with_a_stranger(sent: dict[str, Any]) -> dict[str, Any]:
    observations = sent["observations"]
    return {"observations": {**observations, "entry": [*observations["entry"], {"resource": _STRANGER}]}}


_PARTS = ("observations", "conditions", "procedures", "medications", "orders", "patient")
_FLAWS = {
    "whole": whole,
    "a row of another patient": with_a_stranger,
    **{f"no {key}": lacks(key) for key in _PARTS},
    **{f"not all {key}": in_part(key) for key in _PARTS[:-1]},
}


def only_words(text: str) -> str:
    """Without the marks of Markdown and of HTML."""
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"<[^>]+>", " ", unescape(text))))


@pytest.mark.parametrize("example", ["dvt-likely", "red-flag-rf07", "worked-case-4"])
@pytest.mark.parametrize("flaw", sorted(_FLAWS))
def test_the_page_has_the_cards_of_the_hook(server: Server, example: str, flaw: str) -> None:
    """Also of a chart of which a part is missing, or has not all come: a gap must not be read as none."""
    body = as_request(bundle(example), _INSTANCE)
    body["prefetch"] |= _FLAWS[flaw](body["prefetch"])
    answer = server.call(body)
    cards = answer.json()["cards"] if answer.status_code == 200 else []
    links = [link["url"] for card in cards for link in card.get("links", ()) if "/assess?" in link["url"]]
    if not links:
        assert flaw != "whole"
        return
    page = requests.get(links[0], timeout=20)
    shown = [only_words(one) for one in re.findall(r"<h3>(.*?)</article>", page.text, re.S)]
    assert shown == [only_words(f"{card['summary']} {card['detail']}") for card in cards]
    named = flaw.removeprefix("not all ").removeprefix("no ")
    for answered in (page, plain(links[0], "work", **denied(page))):
        assert ("Not available from the chart:" in words(answered)) == (named in _PARTS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# As a SMART app.


def test_from_the_card_to_the_chart_and_back_to_the_card(both: Both) -> None:
    ehr, server = both
    visitor, page = opened(both)
    assert urlsplit(page.url).path.startswith("/assess/launched/")
    assert "Mabel Northcote, born 1961-05-04, female, number MRN-77" in words(page)
    assert ehr.posts("Observation") == 0
    done = send(visitor, page, "save", **denied(page))
    assert "Saved in the chart" in words(done)
    assert "Mabel Northcote" in words(done)
    assert "Observation/placed-1" in words(done)
    [saved] = ehr.created
    Observation.model_validate(saved)
    assert saved["subject"] == {"reference": f"Patient/{PATIENT['id']}"}
    assert saved["performer"] == [{"reference": "Practitioner/dr-north"}]
    assert saved["valueInteger"] == 4
    [mark] = saved["identifier"]
    assert ehr.conditions == [f"identifier={mark['system']}|{mark['value']}"]
    card = first_card(server, ehr)
    assert "Wells 4" in card["summary"]
    assert "Wells 4 of 9, completed 16 Mar 14:02 UTC." in card["detail"]
    assert [one["label"][:8] for one in card["links"]] == ["Referral"]


def test_the_next_card_says_who_completed_the_score(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By name where the EHR tells one. The name is the EHR's: no log line, audit event or row of ours has it."""
    database, audit = f"sqlite:///{tmp_path}/own.db", tmp_path / "audit"
    with ehr_and_service(tmp_path, database_url=SecretStr(database), audit_folder=audit) as (ehr, server):
        ehr.scope = MAY_SAVE
        ehr.put({"resourceType": "Practitioner", "id": "dr-north", "name": [{"given": ["Ada"], "family": "Northolt"}]})
        visitor, page = opened((ehr, server))
        send(visitor, page, "save", **denied(page))
        assert ehr.created[0]["performer"] == [{"reference": "Practitioner/dr-north", "display": "Ada Northolt"}]
        assert "Wells 4 of 9, completed 16 Mar 14:02 UTC by Ada Northolt." in first_card(server, ehr)["detail"]
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert len(kept) > 3
    assert not [content for content in kept if b"Northolt" in content]
    assert "Northolt" not in caplog.text


def test_a_chart_that_no_form_carries_is_read_again(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    ehr, _ = both
    monkeypatch.setattr(page_module, "MAX_CHART_IN_FORM", 10)
    visitor, page = opened(both)
    assert hidden(page)["chart"] == ""
    assert "Wells 4, left leg" in words(send(visitor, page, "part", **denied(page)))
    ehr.tokens.clear()
    ended = send(visitor, page, "work", **denied(page))
    assert "Your sign-in has ended" in words(ended)
    assert "No: active cancer" in words(ended)


def test_the_order_of_the_same_launch_has_the_completed_score(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    order = send(visitor, page, "order", **denied(page))
    assert urlsplit(order.url).path.startswith("/orders/launched/")
    assert "Findings: Wells 4, all items." in words(order)
    assert ehr.posts() == ehr.posts("Observation") == 0
    placed = visitor.send(order)
    assert "Order placed" in words(placed)
    [sent] = ehr.created
    assert {one["reference"] for one in sent["reasonReference"]} <= set(ehr.chart)
    back = visitor.go(page.url)
    assert 'name="ask-active_cancer" value="no" checked' in back.text


def test_a_reason_against_an_anticoagulant_is_ordered_with_and_not_saved(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    assert "Something speaks against an anticoagulant." in words(send(visitor, page, "order", against="yes"))
    assert "Nothing to save" in words(send(visitor, page, "save", against="yes"))
    send(visitor, page, "save", against="yes", **denied(page))
    [saved] = ehr.created
    assert "speaks against" not in json.dumps(saved)
    assert {one["code"]["coding"][0]["code"] for one in saved["component"]} == set(asked(page))


def test_working_out_asks_the_ehr_for_nothing(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    asked_so_far = len(ehr.asked)
    ehr.tokens.clear()
    part = send(visitor, page, "part", **denied(page))
    assert "Wells 4, left leg" in words(part)
    assert len(ehr.asked) == asked_so_far


def test_the_chart_of_one_launch_is_not_read_in_another(both: Both) -> None:
    """What a page carries opens only in the browser that began its launch, and only there."""
    ehr, _ = both
    first, page = opened(both)
    tender = next(key for key, one in ehr.chart.items() if "deep_vein_tenderness" in json.dumps(one))
    del ehr.chart[tender]
    visitor, second = opened(both, Visitor())
    assert "Wells 3 to 9" in words(second)
    sent = {**hidden(second), "chart": hidden(page)["chart"], "action": "part"}
    assert "Wells 3 to 9" in words(visitor.ask("POST", second.url, data=sent))
    assert "Wells 4 to 9" in words(send(first, page, "part"))
    stranger = Visitor().ask("GET", page.url)
    assert stranger.status_code == 403
    assert "Mabel" not in stranger.text
    assert first.ask("GET", page.url).status_code == 200


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "The EHR did not accept the assessment"),
        (403, "does not let this page write in the chart"),
        (401, "Your sign-in has ended: nothing has been saved"),
    ],
)
def test_a_failed_write_loses_nothing(both: Both, status: int, said: str) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    ehr.faults["POST /fhir/Observation"] = fails(status, "told by the server")
    failed = send(visitor, page, "save", **denied(page))
    assert said in words(failed)
    assert "told by the server" in words(failed)
    assert failed.text.count('value="no" checked') == len(asked(page))
    assert "No: " in words(failed)
    assert not ehr.created


def test_uncertain_then_found(both: Both) -> None:
    """Pressed again with another answer: what the chart holds is shown, and nothing is sent twice."""
    ehr, _ = both

    def does_it_and_goes_down(call: Call) -> None:
        does_it_and_hangs_up(call)
        ehr.faults["GET /fhir/Observation"] = hangs_up

    visitor, page = opened(both)
    ehr.faults["POST /fhir/Observation"] = does_it_and_goes_down
    unsure = send(visitor, page, "save", **{"ask-active_cancer": "no"})
    assert "It is not certain whether the assessment was saved" in words(unsure)
    ehr.faults.clear()
    again = send(visitor, unsure, "save", **{"ask-active_cancer": "yes"})
    assert "Saved in the chart" in words(again)
    assert len(ehr.created) == 1
    assert ehr.posts("Observation") == 1
    assert "Yes: active cancer" not in words(again)


def test_uncertain_then_not_found(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)

    def goes_down(call: Call) -> None:
        ehr.faults["GET /fhir/Observation"] = hangs_up
        call.close()

    ehr.faults["POST /fhir/Observation"] = goes_down
    unsure = send(visitor, page, "save", **{"ask-active_cancer": "no"})
    assert "not certain" in words(unsure)
    ehr.faults.clear()
    looked = send(visitor, unsure, "save", **{"ask-active_cancer": "no"})
    assert "The EHR does not have this assessment" in words(looked)
    assert "Saved in the chart" in words(send(visitor, looked, "save", **{"ask-active_cancer": "no"}))
    assert len(ehr.created) == 1


def test_pressed_twice_at_once(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: send(visitor, page, "save", **denied(page)), range(2)))
    assert all(one.status_code == 200 for one in answers)
    assert len(ehr.created) == 1


def test_saved_is_not_changed_from_here(both: Both) -> None:
    """In a second window of the same launch, and with the back button: what is shown is what the chart holds."""
    ehr, _ = both
    visitor, page = opened(both)
    send(visitor, page, "save", **{"ask-active_cancer": "no"})
    for action in ("save", "work", "part"):
        later = send(visitor, page, action, **{"ask-active_cancer": "yes"})
        assert "Yes: active cancer" not in words(later)
    assert len(ehr.created) == 1
    assert "Saved in the chart" in words(visitor.go(page.url))


def test_another_patient(both: Both) -> None:
    ehr, server = both
    context = card_link(server, ehr, 1)["appContext"]
    visitor, page = opened(both)
    ehr.faults["GET /fhir/Patient/dvt-1"] = lambda call: call.answer(200, {**PATIENT, "id": "other-2"})
    wrong = send(visitor, page, "save", **denied(page))
    assert wrong.status_code == 403
    assert "Another patient: nothing has been saved" in words(wrong)
    assert not ehr.created
    ehr.faults.clear()
    ehr.put({**PATIENT, "id": "other-2"})
    ehr.patient = "other-2"
    assert "Another patient" in words(Visitor().go(ehr.launch_url(server.url, context)))


def test_without_the_scope_it_is_a_note_to_copy(both: Both) -> None:
    ehr, _ = both
    ehr.scope = SCOPES
    visitor, page = opened(both)
    assert "Your EHR does not let this page write there" in words(page)
    assert "Save to the chart" not in words(page)
    worked = send(visitor, page, "work", **denied(page))
    assert "Save to the chart" not in words(worked)
    refused = send(visitor, page, "save", **denied(page))
    assert "does not let this page write there" in words(refused)
    assert not ehr.created


def test_a_form_of_another_site(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    forged = visitor.ask("POST", page.url, data={"action": "save", "key": "x", **denied(page)})
    assert forged.status_code == 403
    foreign = visitor.ask(
        "POST", page.url, data={**hidden(page), "action": "save"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert foreign.status_code == 403
    assert not ehr.created


def test_launched_without_a_card(both: Both) -> None:
    ehr, server = both
    address = ehr.launch_url(server.url).replace("/orders/launch", "/assess/launch")
    page = Visitor().go(address)
    assert urlsplit(page.url).path.startswith("/assess/launched/")
    assert "Wells 4 to 9" in words(page)


def test_nothing_of_the_patient_is_kept_readable(both: Both, tmp_path: Path) -> None:
    """Answers stand sealed in the row of the launch, which only this browser's cookie opens."""
    visitor, page = opened(both)
    send(visitor, page, "order", **denied(page))
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.suffix in (".db", ".db-wal"):
            content = file.read_bytes()
            assert b"active_cancer" not in content
            assert b"Northcote" not in content
    assert json.dumps(hidden(page)).count("active_cancer") == 0


def test_a_chart_that_cannot_be_read_is_not_an_unanswered_page(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving then says so with a fault of its own, keeps what was typed, and goes on once the EHR is back."""
    ehr, _ = both
    monkeypatch.setattr(page_module, "MAX_CHART_IN_FORM", 10)
    visitor, page = opened(both)
    ehr.faults["GET /fhir/Patient/dvt-1"] = hangs_up
    failed = send(visitor, page, "save", **{"ask-active_cancer": "yes"})
    assert failed.status_code == 502
    assert "The chart could not be read: nothing has been saved" in words(failed)
    assert "Yes: active cancer" in words(failed)
    assert "No question" not in words(failed)
    assert 'name="ask-active_cancer" value="yes" checked' not in visitor.go(page.url).text
    ehr.faults.clear()
    assert 'name="ask-active_cancer" value="yes" checked' in visitor.go(page.url).text
    fields = dict(re.findall(r'<input type="hidden" name="([a-z_-]+)" value="([^"]*)"', failed.text))
    again = visitor.ask("POST", page.url, data={**fields, "action": "work"})
    assert 'name="ask-active_cancer" value="yes" checked' in again.text
    assert not ehr.created


def test_another_window_was_first(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the answers are kept all the same. Twice: no order without them; the page says so and holds them."""
    visitor, page = opened(both)
    goes_on, busy = Store.continue_launch, [1]

    def taken(store: Store, *what: Any) -> bool:
        busy[0] -= 1
        return goes_on(store, *what) if busy[0] < 0 else False

    monkeypatch.setattr(Store, "continue_launch", taken)
    assert urlsplit(send(visitor, page, "order", **denied(page)).url).path.startswith("/orders/launched/")
    visitor, page = opened(both)
    busy[0] = 2
    refused = send(visitor, page, "order", **denied(page))
    assert refused.status_code == 409
    assert "Another window has changed this assessment" in words(refused)
    assert refused.text.count('value="no" checked') == len(asked(page))


def test_what_was_saved_is_shown_whatever_another_window_has_kept_since(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)

    def while_another_goes_on(call: Call) -> None:
        ehr.faults.clear()
        send(visitor, page, "order", **{"ask-active_cancer": "yes"})
        does_it_and_hangs_up(call)

    ehr.faults["POST /fhir/Observation"] = while_another_goes_on
    send(visitor, page, "save", **{"ask-active_cancer": "no"})
    later = visitor.go(page.url)
    assert "Saved in the chart" in words(later)
    assert "No: active cancer" in words(later)
    assert "Yes: active cancer" not in words(later)


def test_each_page_says_what_has_not_happened(both: Both) -> None:
    """And before the sign-in, when only the card knows which page it is, what holds for either."""
    ehr, server = both
    _, page = opened(both)
    ended = words(Visitor().ask("GET", page.url))
    assert "Nothing has been saved." in ended
    assert "placed" not in ended
    order = words(Visitor().ask("GET", page.url.replace("/assess/", "/orders/")))
    assert "Nothing has been placed." in order
    assert "saved" not in order
    assert "Nothing has been saved." in words(Visitor().go(f"{server.url}/assess/launch?iss=https://unknown.example"))
    assert "Nothing has been placed or saved." in words(
        Visitor().go(f"{server.url}/orders/launch?iss=https://x.example")
    )
    ehr.refuses = "access_denied"
    url = ehr.launch_url(server.url, card_link(server, ehr, 1)["appContext"])
    assert "Nothing has been placed or saved." in words(Visitor().go(url))


def test_nobody_to_sign(both: Both) -> None:
    ehr, _ = both
    ehr.lends["id_token"] = None
    visitor, page = opened(both)
    assert "Your EHR did not say who you are" in words(page)
    send(visitor, page, "save", **denied(page))
    assert not ehr.created


def test_what_it_was_used_for_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By day and rule; the report names how many scores were completed and what was answered most often."""
    store = Store.open(f"sqlite:///{tmp_path}/own.db")
    store.migrate()
    counts = Assessments(store)
    counts.count(NOW, "north", "RF01", "v1", ["active_cancer", "previous_dvt"], complete=True)
    counts.count(NOW, "north", "RF01", "v1", ["active_cancer"], complete=False)
    [use] = uses(store)
    assert (use.rule, use.used, use.completed) == ("RF01", 2, 1)
    assert use.most == [("active_cancer", 2), ("previous_dvt", 1)]
    show(store, tmp_path / "report.html", {"active_cancer": "active cancer"})
    assert "Assessments, RF01: 2, score completed 1; active cancer 2, previous_dvt 1" in capsys.readouterr().out
    assert "Used 2, score completed 1." in (tmp_path / "report.html").read_text(encoding="utf-8")
    list(store.purge(NOW + timedelta(days=1), NOW + timedelta(days=1)))
    assert uses(store) == ()
    store.close()


def test_each_launch_is_counted_once(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/counted.db"
    with ehr_and_service(tmp_path, database_url=SecretStr(database)) as (ehr, server):
        ehr.scope = MAY_SAVE
        visitor, page = opened((ehr, server))
        send(visitor, page, "order")
        assert uses(Store.open(database)) == ()
        visitor, page = opened((ehr, server))
        for action in ("part", "order", "order", "save"):
            send(visitor, page, action, **denied(page))
        [use] = uses(Store.open(database))
        assert (use.rule, use.used, use.completed, use.answered["active_cancer"]) == ("RF01", 1, 1, 1)


@pytest.mark.parametrize("fault", [fails(400), does_it_and_hangs_up])
def test_a_second_try_is_counted_too(tmp_path: Path, fault: Callable[[Call], None]) -> None:
    """Not accepted at first; or saved, but only found so when it is looked for."""
    database = f"sqlite:///{tmp_path}/counted.db"
    with ehr_and_service(tmp_path, database_url=SecretStr(database)) as (ehr, server):
        ehr.scope = MAY_SAVE
        visitor, page = opened((ehr, server))

        def at_first(call: Call) -> None:
            fault(call)
            ehr.faults["GET /fhir/Observation"] = hangs_up

        ehr.faults["POST /fhir/Observation"] = at_first
        send(visitor, page, "save", **denied(page))
        assert uses(Store.open(database)) == ()
        ehr.faults.clear()
        for _ in range(2):
            assert "Saved in the chart" in words(send(visitor, page, "save", **denied(page)))
        [use] = uses(Store.open(database))
        assert (use.used, use.completed, use.answered["active_cancer"]) == (1, 1, 1)


def test_saved_while_the_database_goes_away_is_still_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reader learns that it is in the chart; that nothing could be noted is in the log."""
    database = f"sqlite:///{tmp_path}/cards.db"

    def loses_its_tables(call: Call) -> None:
        store = Store.open(database)
        store.downgrade("base")
        store.close()
        routed(call)

    with ehr_and_service(tmp_path, database_url=SecretStr(database)) as (ehr, server):
        ehr.scope = MAY_SAVE
        visitor, page = opened((ehr, server))
        ehr.faults["POST /fhir/Observation"] = loses_its_tables
        saved = send(visitor, page, "save", **{"ask-active_cancer": "no"})
        assert "Saved in the chart" in words(saved)
        assert len(ehr.created) == 1
    assert "'event': 'assessment_not_noted'" in caplog.text


def _of_patient(one: dict[str, Any], identity: str) -> dict[str, Any]:
    category = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "exam"}]}]
    return {**one, "id": identity, "subject": {"reference": "Patient/dvt-1"}, "category": category}


def _drawn_for_the_left(ehr: Ehr, server: Server) -> tuple[Visitor, requests.Response]:
    """A page opened without a card, of a chart in which the left leg has signs."""
    ehr.scope = MAY_SAVE
    for name in [name for name in ehr.chart if not name.startswith("Patient/")]:
        del ehr.chart[name]
    ehr.put(*(_of_patient(on(key, 1), f"left-{at}") for at, key in enumerate(("pain_calf", "calf_swelling"))))
    visitor = Visitor()
    page = visitor.go(ehr.launch_url(server.url, "").replace("/orders/launch", "/assess/launch"))
    assert "left leg" in words(page)
    return visitor, page


def _worse_right_leg(ehr: Ehr) -> None:
    worse = ("pain_calf", "calf_swelling", "deep_vein_tenderness", "redness")
    ehr.put(*(_of_patient(on(key, 0, side=RIGHT), f"right-{at}") for at, key in enumerate(worse)))


def test_answers_are_saved_for_the_leg_that_the_page_was_drawn_for(both: Both) -> None:
    ehr, server = both
    visitor, page = _drawn_for_the_left(ehr, server)
    _worse_right_leg(ehr)
    done = send(visitor, page, "save", **denied(page))
    assert "Saved in the chart" in words(done)
    assert ehr.created[0]["bodySite"]["coding"][0]["code"] == LEFT


@pytest.mark.parametrize("action", ["save", "order"])
def test_answers_about_a_leg_that_is_no_longer_judged_are_no_answers_about_the_other(both: Both, action: str) -> None:
    ehr, server = both
    visitor, page = _drawn_for_the_left(ehr, server)
    answers = denied(page) | {"ask-pitting_oedema_one_leg": "yes"}
    _worse_right_leg(ehr)
    for at in range(2):
        del ehr.chart[f"Observation/left-{at}"]
    done = send(visitor, page, action, **answers, chart="")
    assert done.status_code == 422
    assert "names another leg" in words(done)
    assert ehr.created == []
    assert 'name="ask-pitting_oedema_one_leg" value="yes"' in done.text
    assert "checked" in done.text.split('name="ask-pitting_oedema_one_leg" value="yes"')[1][:40]

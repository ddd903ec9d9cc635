"""The assessment page over HTTP: behind a plain link, and as a SMART app that saves what was answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
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
from tests.conftest import NOW, Server, bundle, run_server
from tests.ehr import SCOPES, Call, Ehr, does_it_and_hangs_up, fails, hangs_up, routed
from tests.web.pages.launching import PATIENT, Visitor, card_link, ehr_and_service, first_card, words
from tests.web.pages.order.test_copy import Clock

Both = tuple[Ehr, Server]
MAY_SAVE = f"{SCOPES} patient/Observation.c"
_ASKED = re.compile(r'name="ask-([a-z0-9_]+)" value="yes"')
_HIDDEN = re.compile(r'<input type="hidden" name="(key|chart)" value="([^"]*)"')
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


def test_a_chart_that_no_form_carries_is_read_again(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    ehr, _ = both
    monkeypatch.setattr(page_module, "LONGEST_IN_FORM", 10)
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


def test_saved_while_the_database_goes_away_is_still_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reader learns that it is in the chart; that nothing could be noted or counted is in the log."""
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
    assert "'event': 'assessment_not_counted'" in caplog.text

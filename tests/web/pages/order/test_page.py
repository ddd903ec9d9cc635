"""The order page as a SMART app, over HTTP with a real authorization server: launch, page, sign and send."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from fhir.resources.R4B.servicerequest import ServiceRequest
from pydantic import SecretStr

from cds_service.adapters.store.store import Store
from cds_service.service.smart.launches import Launches, Opened, Ticket
from cds_service.web.pages.order.dependencies import LAUNCHES_PER_MINUTE
from tests.conftest import NOW, Server
from tests.ehr import PRACTITIONER, Call, Ehr, does_it_and_hangs_up, fails, hangs_up, routed
from tests.web.pages.launching import PATIENT, Visitor, card_link, ehr_and_service, own_patients_chart, words

Both = tuple[Ehr, Server]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with ehr_and_service(tmp_path) as found:
        yield found


def opened(both: Both, visitor: Visitor | None = None, context: str | None = None) -> tuple[Visitor, requests.Response]:
    """The order page, launched from the card."""
    ehr, server = both
    visitor = visitor or Visitor()
    context = card_link(server, ehr)["appContext"] if context is None else context
    return visitor, visitor.go(ehr.launch_url(server.url, context))


def test_from_the_card_to_the_order(both: Both) -> None:
    ehr, server = both
    link = card_link(server, ehr)
    assert link["type"] == "smart"
    assert link["url"] == f"{server.url}/orders/launch"
    visitor, page = opened(both, context=link["appContext"])
    assert page.status_code == 200
    assert not ehr.wrong
    seen = words(page)
    assert "Mabel Northcote, born 1961-05-04, female, number MRN-77" in seen
    assert "Nothing is sent until you press" in seen
    assert ehr.posts() == 0
    done = visitor.send(page)
    assert done.status_code == 200
    assert "ServiceRequest/placed-1" in words(done)
    [order] = ehr.created
    ServiceRequest.model_validate(order)
    [mark] = order["identifier"]
    assert mark["value"].startswith("urn:uuid:")
    assert ehr.conditions == [f"identifier={mark['system']}|{mark['value']}"]
    assert (order["status"], order["intent"], order["priority"]) == ("active", "order", "asap")
    assert order["subject"] == {"reference": f"Patient/{PATIENT['id']}"}
    assert order["requester"] == {"reference": PRACTITIONER}
    assert order["bodySite"][0]["coding"][0]["display"] == "Structure of left lower limb"
    assert order["reasonCode"][0]["text"] == "suspected DVT"
    assert order["note"] == [
        {"text": "Please assess today. Calf swelling. Anticoagulant: not taking one. Contact: bleep 12."}
    ]
    assert {one["reference"] for one in order["reasonReference"]} <= set(ehr.chart)
    assert "ServiceRequest/placed-1" in words(visitor.go(page.url))


def test_the_facts_of_the_page_are_those_of_the_chart(both: Both) -> None:
    """Unknowns first, and nothing that the chart does not say."""
    seen = words(opened(both)[1])
    assert seen.index("Not recorded:") < seen.index("Recorded:")
    for fact in ("calf swelling (14 Mar)", "calf pain (14 Mar)", "one-sided pitting oedema (15 Mar)"):
        assert fact.lower() in seen.lower()
    assert requests.get(f"{both[1].url}/evidence/RF01", timeout=20).status_code == 200


def test_a_public_client(tmp_path: Path) -> None:
    with ehr_and_service(tmp_path, confidential=False) as (ehr, server):
        _, page = opened((ehr, server))
        assert page.status_code == 200
        assert not ehr.wrong


def test_our_public_key_is_published_without_its_private_part(both: Both) -> None:
    ehr, server = both
    [key] = server.get("/.well-known/jwks.json").json()["keys"]
    assert ehr.client_key is not None
    assert key == {**ehr.client_key.as_dict(private=False), "kid": "ours", "use": "sig", "alg": "ES384"}
    assert "d" not in key


# What must not get in.


@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example/fhir",
        "{iss}.evil.example",
        "{iss}/../evil",
        "{iss}/more",
        "{iss}?x=1",
        "http://user@127.0.0.1:{port}/fhir",
        "http://localhost:{port}/fhir",
        "http://127.0.0.1:1/fhir",
        "javascript:alert(1)",
        "",
    ],
)
def test_launches_from_elsewhere_ask_nobody(both: Both, iss: str) -> None:
    ehr, server = both
    answer = Visitor().ask(
        "GET", f"{server.url}/orders/launch", params={"iss": iss.format(iss=ehr.iss, port=ehr.port), "launch": "x"}
    )
    assert answer.status_code == 403
    assert "not known here" in words(answer)
    assert "Set-Cookie" not in answer.headers
    assert not ehr.asked


@pytest.mark.parametrize(
    "configuration",
    [
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://ehr.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://ehr.example/a#b"},
        {"authorization_endpoint": "https://ehr.example/a?state=fixed"},
        {"authorization_endpoint": 7},
    ],
)
def test_an_ehr_that_signs_nobody_in_safely(both: Both, configuration: dict[str, object]) -> None:
    both[0].configuration = configuration
    _, page = opened(both, context="")
    assert page.status_code == 400
    assert "cannot sign you in" in words(page)
    assert "Nothing has been placed" in words(page)


def test_the_answer_of_another_launch_is_not_taken(both: Both) -> None:
    """The state is bound to the browser: a code sent to somebody else's browser opens nothing there."""
    ehr, server = both
    attacker, victim = Visitor(), Visitor()
    first = attacker.ask("GET", ehr.launch_url(server.url))
    back = attacker.ask("GET", first.headers["Location"]).headers["Location"]
    assert victim.ask("GET", back).status_code == 403
    assert victim.ask("GET", back.replace("code=", "code=x")).status_code == 403
    assert attacker.go(back).status_code == 200


def test_a_code_is_good_once(both: Both) -> None:
    ehr, server = both
    visitor = Visitor()
    first = visitor.ask("GET", ehr.launch_url(server.url))
    back = visitor.ask("GET", first.headers["Location"]).headers["Location"]
    assert visitor.ask("GET", back).status_code == 303
    again = visitor.ask("GET", back)
    assert again.status_code == 400
    assert "expired" in words(again)
    forged = visitor.ask("GET", back.split("?")[0] + "?state=nonsense&code=x")
    assert forged.status_code == 403


def test_each_launch_has_its_own_state_and_challenge(both: Both) -> None:
    ehr, server = both
    asked = [
        parse_qs(urlsplit(Visitor().ask("GET", ehr.launch_url(server.url)).headers["Location"]).query) for _ in "12"
    ]
    for name in ("state", "code_challenge", "nonce"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 22  # 128 bits
    assert asked[0]["code_challenge_method"] == ["S256"]
    assert asked[0]["aud"] == [ehr.iss]


def test_the_cookie_is_for_frames_of_one_ehr_and_for_no_script(both: Both) -> None:
    visitor, page = opened(both)
    [cookie] = visitor.set_cookies
    assert {part.strip() for part in cookie.split(";")[1:]} >= {"Secure", "HttpOnly", "SameSite=None", "Partitioned"}
    ehr, _ = both
    assert f"frame-ancestors http://localhost:{ehr.port}" in page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("lends", "said"),
    [
        ({"patient": None}, "did not say whose chart"),
        ({"patient": "../../x"}, "did not say whose chart"),
        ({"patient": 7}, "did not say whose chart"),
        ({"access_token": None}, "cannot be used"),
        ({"access_token": "a\r\nb"}, "cannot be used"),
        ({"token_type": "mac"}, "cannot be used"),
        ({"id_token": "x.y.z"}, "could not be checked"),
    ],
)
def test_grants_that_cannot_be_used(both: Both, lends: dict[str, object], said: str) -> None:
    both[0].lends = lends
    _, page = opened(both)
    assert page.status_code == 400
    assert said in words(page)
    assert both[0].posts() == 0


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://evil.example"}, "could not be checked"),
        ({"aud": "another-app"}, "could not be checked"),
        ({"nonce": "another"}, "could not be checked"),
        ({"nonce": None}, "could not be checked"),
        ({"exp": 1}, "could not be checked"),
        ({"fhirUser": "Patient/p1"}, "Only for clinicians"),
        ({"fhirUser": "RelatedPerson/p1"}, "Only for clinicians"),
    ],
)
def test_identities_that_are_not_taken(both: Both, claims: dict[str, object], said: str) -> None:
    both[0].claims = claims
    _, page = opened(both)
    assert page.status_code == 400
    assert said in words(page)


def test_an_identity_signed_by_somebody_else(both: Both) -> None:
    ehr, _ = both
    from joserfc.jwk import ECKey

    honest = ehr.key.as_dict(private=False)
    ehr.key = ECKey.generate_key("P-384")

    def keys(call: Call) -> None:
        call.answer(200, {"keys": [{**honest, "kid": "ehr", "use": "sig"}]})

    ehr.faults["GET /auth/keys"] = keys
    _, page = opened(both)
    assert "could not be checked" in words(page)


def test_the_ehr_refuses(both: Both) -> None:
    both[0].refuses = "access_denied"
    _, page = opened(both)
    assert page.status_code == 400
    assert "did not let you in" in words(page)


@pytest.mark.parametrize(
    ("error", "title", "logged", "status"),
    [
        ("access_denied", "did not let you in", "access_denied", 400),
        ("login_required", "did not let you in", "login_required", 400),
        ("unauthorized_client", "not set up rightly", "unauthorized_client", 400),
        ("invalid_scope", "not set up rightly", "invalid_scope", 400),
        ("temporarily_unavailable", "did not answer", "temporarily_unavailable", 502),
        ("canary-<b>Mabel</b>", "did not let you in", "unlisted", 400),
    ],
)
def test_the_ehrs_error_code_is_logged_and_says_whose_turn_it_is(
    both: Both, caplog: pytest.LogCaptureFixture, error: str, title: str, logged: str, status: int
) -> None:
    both[0].refuses = error
    with caplog.at_level(logging.WARNING):
        _, page = opened(both)
    assert page.status_code == status
    assert title in words(page)
    assert f"error code: {logged}" in words(page)
    assert "Mabel" not in page.text
    [line] = [record.msg for record in caplog.records if "order_page_failed" in str(record.msg)]
    assert isinstance(line, dict)
    assert line["error"] == logged


def test_a_client_that_the_token_endpoint_does_not_know_is_a_matter_of_set_up(both: Both) -> None:
    def answer(call: Call) -> None:
        call.answer(401, {"error": "invalid_client"})

    both[0].faults["POST /auth/token"] = answer
    _, page = opened(both)
    assert "not set up rightly" in words(page)
    assert "invalid_client" in words(page)


@pytest.mark.parametrize("path", ["GET /fhir/.well-known/smart-configuration", "POST /auth/token"])
def test_the_ehr_hangs_up_while_signing_in(both: Both, path: str) -> None:
    both[0].faults[path] = hangs_up
    _, page = opened(both, context="")
    assert page.status_code in (400, 502)
    assert "Nothing has been placed" in words(page)


def test_a_card_about_another_patient_stops_the_page(both: Both) -> None:
    ehr, server = both
    context = card_link(server, ehr)["appContext"]
    ehr.put({**PATIENT, "id": "other-2"})
    ehr.patient = "other-2"
    _, page = opened(both, context=context)
    assert page.status_code == 403
    assert "Another patient" in words(page)


@pytest.mark.parametrize("context", ["", "nonsense", "a.b.c.d.e"])
def test_without_a_context_the_chart_says_what_to_order(both: Both, context: str) -> None:
    _, page = opened(both, context=context)
    assert page.status_code == 200
    assert "Same-day DVT assessment" in words(page)


# The page, when things go wrong.


def test_the_side_has_to_be_stated(both: Both) -> None:
    visitor, page = opened(both)
    answer = visitor.send(page, side="")
    assert answer.status_code == 422
    assert "State the side" in words(answer)
    assert both[0].posts() == 0
    answer = visitor.send(page, service="nothing", priority="now", side="up", indication="", anticoagulant="?")
    assert words(answer).count("Choose") >= 2
    assert "Say why this is ordered" in words(answer)
    assert visitor.send(page, contact="x" * 121).status_code == 422


def test_a_side_that_the_chart_does_not_say_is_not_preset(both: Both) -> None:
    ehr, _ = both
    _, page = opened(both)
    assert 'value="left" checked' in page.text or 'value="right" checked' in page.text
    for one in ehr.chart.values():
        one.pop("bodySite", None)
    _, page = opened(both)
    sides = page.text[page.text.index('id="side"') : page.text.index('id="indication"')]
    assert "checked" not in sides
    assert "does not say which leg" in words(page)


@pytest.mark.parametrize(
    "scope",
    ["launch patient/Patient.r patient/ServiceRequest.rs", "patient/*.read", "", "patient/ServiceRequest.crudsx"],
)
def test_no_scope_to_create(both: Both, scope: str) -> None:
    both[0].scope = scope
    visitor, page = opened(both)
    assert "does not let this page place orders" in words(page)
    assert "Sign and send" not in page.text
    assert visitor.send(page, action="text").text.startswith("Service: Same-day DVT assessment\nPatient: Mabel")
    assert "does not let this page place orders" in words(visitor.send(page)), "also if the button is made up"
    assert both[0].posts() == 0


@pytest.mark.parametrize(
    "scope",
    [
        "patient/ServiceRequest.c",
        "user/ServiceRequest.cruds",
        "patient/*.write",
        "patient/ServiceRequest.write",
        "user/*.*",
    ],
)
def test_scopes_as_ehrs_spell_them(both: Both, scope: str) -> None:
    both[0].scope = scope
    assert "Sign and send" in opened(both)[1].text


def test_no_create_declared(both: Both) -> None:
    both[0].capabilities = ("read", "search-type")
    assert "Sign and send" not in opened(both)[1].text


def test_nobody_signed_in(both: Both) -> None:
    both[0].lends = {"id_token": None}
    visitor, page = opened(both)
    assert "did not say who you are" in words(page)
    assert "Sign and send" not in page.text
    forced = visitor.send(page)
    assert both[0].posts() == 0
    assert "Nothing has been" in words(forced) or "nothing has been" in words(forced)


def test_refused_write(both: Both) -> None:
    both[0].faults["POST /fhir/ServiceRequest"] = fails(403)
    visitor, page = opened(both)
    answer = visitor.send(page, note="typed by hand")
    assert "does not let this page place orders" in words(answer)
    assert "typed by hand" in words(answer)
    assert both[0].posts() == 1


def test_invalid_order(both: Both) -> None:
    both[0].faults["POST /fhir/ServiceRequest"] = fails(422, "code <b>not</b> known")
    visitor, page = opened(both)
    answer = visitor.send(page)
    assert answer.status_code == 422
    assert "code &lt;b&gt;not&lt;/b&gt; known" in answer.text
    assert '<span class="wrong" id="service-wrong">The EHR says: code' in answer.text
    both[0].faults.clear()
    assert "placed-1" in words(visitor.send(answer))


def test_expired_token_keeps_what_was_typed(both: Both) -> None:
    visitor, page = opened(both)
    both[0].tokens.clear()
    answer = visitor.send(page, note="typed by hand")
    assert "sign-in has ended" in words(answer)
    assert "typed by hand" in words(answer)
    assert both[0].posts() == 0
    assert "sign-in has ended" in words(visitor.go(page.url))


def test_another_patient_at_the_last_moment(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    ehr.chart[f"Patient/{ehr.patient}"] = {**PATIENT, "id": "somebody-else"}
    answer = visitor.send(page)
    assert answer.status_code == 403
    assert "Another patient" in words(answer)
    assert ehr.posts() == 0


def test_an_encounter_of_another_patient(both: Both) -> None:
    ehr, _ = both
    ehr.encounter = "e-1"
    ehr.put({"resourceType": "Encounter", "id": "e-1", "subject": {"reference": "Patient/somebody-else"}})
    visitor, page = opened(both)
    assert "Another patient" in words(visitor.send(page))
    assert ehr.posts() == 0
    ehr.put({"resourceType": "Encounter", "id": "e-1", "subject": {"reference": f"Patient/{ehr.patient}"}})
    visitor.send(page)
    assert ehr.created[0]["encounter"] == {"reference": "Encounter/e-1"}


def test_a_double_click_places_one_order(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    entered, go_on = threading.Event(), threading.Event()

    def slow(call: Call) -> None:
        entered.set()
        go_on.wait(10)
        del ehr.faults["GET /fhir/Patient/dvt-1"]
        call.answer(200, ehr.chart["Patient/dvt-1"])

    ehr.faults["GET /fhir/Patient/dvt-1"] = slow
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(visitor.send, page)
        assert entered.wait(10)
        second = visitor.send(page)
        go_on.set()
        assert "placed-1" in words(first.result())
    assert "being sent" in words(second)
    assert ehr.posts() == 1
    assert "placed-1" in words(visitor.send(page))
    assert len(ehr.created) == 1


def test_two_that_press_at_the_same_instant(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read the launch as open before either has said that it sends."""
    ehr, _ = both
    visitor, page = opened(both)
    together, reads, opening = threading.Barrier(2), iter(range(2)), Launches.open

    def met(self: Launches, ticket: Ticket, now: datetime) -> Opened:
        found = opening(self, ticket, now)
        if next(reads, None) is not None:
            together.wait(10)
        return found

    monkeypatch.setattr(Launches, "open", met)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: visitor.send(page), range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("being sent" in words(one) or "placed-1" in words(one) for one in answers)
    assert (ehr.posts(), len(ehr.created)) == (1, 1)


def test_an_answer_that_got_lost_is_looked_up_and_not_sent_again(both: Both) -> None:
    ehr, _ = both
    ehr.faults["POST /fhir/ServiceRequest"] = does_it_and_hangs_up
    visitor, page = opened(both)
    answer = visitor.send(page)
    assert "ServiceRequest/placed-1" in words(answer)
    assert (ehr.posts(), len(ehr.created)) == (1, 1)


def test_when_nothing_is_certain_it_says_so_and_asks_before_it_sends_again(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)

    def does_it_and_goes_down(call: Call) -> None:
        does_it_and_hangs_up(call)
        ehr.faults["GET /fhir/ServiceRequest"] = hangs_up

    ehr.faults["POST /fhir/ServiceRequest"] = does_it_and_goes_down
    answer = visitor.send(page)
    assert "not certain whether the order was placed" in words(answer)
    assert "Sign and send" not in answer.text
    assert "Check again" in words(answer)
    assert "not certain" in words(visitor.send(answer, action="check"))
    assert "not certain" in words(visitor.go(page.url)), "a reload must not say that nothing was placed"
    assert "not certain" in words(visitor.send(page)), "nor may the form of another window send"
    assert ehr.posts() == 1
    ehr.faults.clear()
    assert "placed-1" in words(visitor.send(answer, action="check"))
    assert (ehr.posts(), len(ehr.created)) == (1, 1)


def test_a_reload_asks_what_became_of_it(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    ehr.faults["POST /fhir/ServiceRequest"] = fails(500)
    assert "not certain" in words(visitor.send(page))
    ehr.faults.clear()
    assert "has not got it" in words(visitor.go(page.url))
    assert "Nothing is sent until you press" in words(visitor.go(page.url))


def test_not_there_after_all(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    ehr.faults["POST /fhir/ServiceRequest"] = fails(503)
    answer = visitor.send(page)
    assert "not certain" in words(answer)
    ehr.faults.clear()
    answer = visitor.send(answer, action="check")
    assert "has not got it" in words(answer)
    assert "placed-1" in words(visitor.send(answer))
    assert len(ehr.created) == 1


def test_an_order_like_this_has_to_be_confirmed(both: Both) -> None:
    ehr, _ = both
    visitor, page = opened(both)
    visitor.send(page)
    [first] = ehr.created
    first["code"]["coding"] = first["code"]["coding"][:1]
    other, page = opened(both)
    answer = other.send(page)
    assert answer.status_code == 409
    assert "There is an order like this" in words(answer) or "there is an order like this" in words(answer)
    assert "ServiceRequest/placed-1" in words(answer)
    assert len(ehr.created) == 1
    assert "placed-2" in words(other.send(answer, again="yes"))


def test_a_form_from_elsewhere(both: Both) -> None:
    visitor, page = opened(both)
    for changes in ({"key": ""}, {"key": "0" * 64}):
        answer = visitor.send(page, **changes)
        assert answer.status_code == 403
        assert "did not come from this page" in words(answer)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        sent = {"key": page.text.split('name="key" value="')[1].split('"')[0], "action": "send", **_filled()}
        assert visitor.ask("POST", page.url, data=sent, headers=headers).status_code == 403
    assert both[0].posts() == 0


def _filled() -> dict[str, str]:
    from tests.web.pages.launching import FILLED

    return FILLED


def test_another_browser_sees_nothing(both: Both) -> None:
    _, page = opened(both)
    for visitor in (Visitor(), Visitor({next(iter(page.request.headers["Cookie"].split("="))): "guess"})):
        answer = visitor.go(page.url)
        assert answer.status_code == 403
        assert "Northcote" not in answer.text


def test_two_patients_open_at_once_do_not_meet(both: Both) -> None:
    ehr, _ = both
    visitor, first = opened(both)
    ehr.put({**PATIENT, "id": "other-2", "name": [{"text": "Other Person"}]})
    for one in list(ehr.chart.values()):
        if one["resourceType"] == "Observation":
            ehr.put({**one, "id": f"o-{one['id']}", "subject": {"reference": "Patient/other-2"}})
    ehr.patient = "other-2"
    _, second = opened(both, visitor, context="")
    assert "Other Person" in words(second)
    visitor.send(first)
    visitor.send(second, again="yes")
    assert [one["subject"]["reference"] for one in ehr.created] == ["Patient/dvt-1", "Patient/other-2"]


@pytest.mark.parametrize("path", ["GET /fhir/Patient/dvt-1", "GET /fhir/Observation", "GET /fhir/Condition"])
@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_chart_that_cannot_be_read_is_named(both: Both, path: str, status: int) -> None:
    both[0].faults[path] = fails(status)
    _, page = opened(both)
    assert page.status_code == 200
    seen = words(page)
    if "Patient" in path:
        assert "Sign and send" not in page.text
    else:
        assert "Not available from the chart" in seen
    assert "Text to copy" in seen


def test_tokens_and_patients_are_nowhere_but_sealed(tmp_path: Path) -> None:
    """Not in the page, cookies, log, audit journal or metrics, and not readable in the database."""
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    audit = tmp_path / "audit"
    audit.mkdir()
    database = tmp_path / "cards.db"
    url = SecretStr(f"sqlite:///{database}")
    try:
        with ehr_and_service(tmp_path, audit_folder=audit, database_url=url) as (ehr, server):
            visitor, page = opened((ehr, server))
            visitor.send(page)
            [token] = ehr.tokens
            metrics = server.get("/metrics").text
    finally:
        logging.getLogger().removeHandler(handler)
    kept = "".join(file.read_bytes().decode("latin-1") for file in (*audit.iterdir(), *tmp_path.glob("cards.db*")))
    for secret in (token, "Northcote", "MRN-77", "dvt-1"):
        for place in (str(visitor.set_cookies), metrics, kept, str(seen)):
            assert secret not in place
    assert token not in page.text
    events = [json.loads(line)["event"] for file in audit.glob("*.ndjson") for line in file.read_text().splitlines()]
    told = [coding["code"] for event in events for coding in event.get("subtype", ())]
    assert told.count("signed-order") == 1
    assert told.count("search-type") >= 5
    assert "order_page_opened" in str(seen)


def test_what_has_ended_is_deleted(tmp_path: Path) -> None:
    """The row of a launch, with the EHR's token in it, goes when the token has ended."""
    store = Store.open(f"sqlite:///{tmp_path}/cards.db")
    store.migrate()
    store.begin_launch("a", "sealed", NOW)
    store.begin_launch("b", "sealed", NOW + timedelta(minutes=5))
    store.forget(NOW + timedelta(seconds=1))
    assert store.launch("a") is None
    assert store.launch("b") == ("sealed", 0)
    assert store.continue_launch("b", "next", 0, NOW)
    assert not store.continue_launch("b", "other", 0, NOW)
    assert store.launch("b") == ("next", 1)
    store.close()


def test_the_database_is_down(tmp_path: Path) -> None:
    """A page that says so, not a bare error, and nothing is sent: it could not be kept from being sent twice."""
    data = tmp_path / "data"
    data.mkdir()
    with ehr_and_service(tmp_path, database_url=SecretStr(f"sqlite:///{data}/cards.db")) as (ehr, server):
        visitor, page = opened((ehr, server))
        data.rename(tmp_path / "gone")
        data.touch()  # a file where the folder was: nothing can be opened or made there
        while server.get("/health/ready").json()["database"]["status"] == "up":
            pass
        for answer in (
            visitor.ask("GET", ehr.launch_url(server.url)),
            visitor.ask("GET", page.url),
            visitor.send(page),
        ):
            assert answer.status_code == 503
            assert "Nothing has been placed" in words(answer)
        assert ehr.posts() == 0


def test_placed_while_the_database_goes_away_is_still_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reader learns that the order is placed; that it could not be noted is in the log."""
    database = f"sqlite:///{tmp_path}/cards.db"

    def loses_its_tables(call: Call) -> None:
        store = Store.open(database)
        store.downgrade("base")
        store.close()
        routed(call)

    with ehr_and_service(tmp_path, database_url=SecretStr(database)) as (ehr, server):
        visitor, page = opened((ehr, server))
        ehr.faults["POST /fhir/ServiceRequest"] = loses_its_tables
        answer = visitor.send(page)
        assert "Order placed" in words(answer)
        assert ehr.posts() == 1
    assert "'event': 'order_not_noted'" in caplog.text


def test_the_launch_address_is_no_lever(both: Both) -> None:
    """Anybody can open it; what that costs the EHR and the database is bounded."""
    ehr, server = both
    url = ehr.launch_url(server.url)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda _: requests.get(url, allow_redirects=False, timeout=30).status_code, range(320))
        )
    assert statuses.count(303) == LAUNCHES_PER_MINUTE
    assert set(statuses) == {303, 503}


def test_a_card_that_the_chart_no_longer_backs(both: Both) -> None:
    """What the page proposes is what the chart says now, and it says that this is another thing."""
    ehr, server = both
    context = card_link(server, ehr)["appContext"]
    for name in [name for name in ehr.chart if name.startswith(("Observation", "Condition", "Procedure"))]:
        del ehr.chart[name]
    _, page = opened(both, context=context)
    assert "holds no reason for an urgent order" in words(page)
    assert "Recorded:" not in words(page)
    ehr.put(*own_patients_chart("red-flag-rf04")[1:])
    _, page = opened(both, context=context)
    assert "The chart has changed since the card was shown" in words(page)
    assert "Emergency" in words(page)


@pytest.mark.parametrize(
    "outcome",
    [
        {"resourceType": "OperationOutcome", "issue": "x"},
        {"resourceType": "OperationOutcome", "issue": [None, 7, {"expression": 7, "diagnostics": 7}]},
        {"resourceType": "OperationOutcome", "issue": [{"expression": None, "details": "x", "code": "invalid"}]},
        {"resourceType": "OperationOutcome"},
        {"resourceType": "Bundle"},
        [],
        None,
    ],
)
@pytest.mark.parametrize("status", [201, 400, 500])
def test_answers_to_a_write_of_every_shape(both: Both, outcome: object, status: int) -> None:
    """None of them is taken for an order placed, and none ends the page."""
    both[0].faults["POST /fhir/ServiceRequest"] = lambda call: call.answer(status, outcome)
    visitor, page = opened(both)
    answer = visitor.send(page)
    assert answer.status_code in (200, 409, 422)
    assert "Order placed" not in words(answer)
    assert "Text to copy" in words(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {"reference": "Patient/somebody-else"}},
        {"identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:another"}]},
        {"identifier": None},
        {"id": "../../x"},
        {"resourceType": "Observation"},
    ],
)
def test_another_order_in_the_answer_is_not_ours(both: Both, changes: dict[str, object]) -> None:
    def answers_with_another(call: Call) -> None:
        call.answer(201, {**json.loads(call.body), "id": "1", **changes})

    both[0].faults["POST /fhir/ServiceRequest"] = answers_with_another
    visitor, page = opened(both)
    answer = visitor.send(page)
    assert "not certain whether the order was placed" in words(answer)

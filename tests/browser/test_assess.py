"""The assessment page in a browser: from the card to the completed score, the order and the next card."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, Watch, first_paint_bytes
from tests.conftest import Server
from tests.ehr import Call, Ehr, fails
from tests.web.pages.assess.test_page import MAY_SAVE, links_of
from tests.web.pages.launching import PATIENT, card_link, ehr_and_service, first_card

Both = tuple[Ehr, Server]
OPEN_ITEMS = ("Active cancer", "Paralysis or plaster", "Whole leg swollen", "Collateral veins", "Previous DVT")
MAX_CLICKS = 12


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with ehr_and_service(tmp_path) as found:
        found[0].scope = MAY_SAVE
        yield found


def launched(page: Page, both: Both) -> None:
    """The assessment page behind the DVT card's second link."""
    ehr, server = both
    page.goto(ehr.launch_url(server.url, card_link(server, ehr, 1)["appContext"]))
    expect(page.get_by_role("heading", level=1)).to_have_text("Assessment: left leg")


def answer(page: Page, item: str, reply: str) -> None:
    page.get_by_role("group", name=item).get_by_label(reply, exact=True).check()


def result(page: Page) -> str:
    return page.locator("#result").inner_text()


def test_the_plain_page(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, links_of(server)[1]["url"]) < FIRST_PAINT_BYTES
    expect(page.get_by_text("Nothing is saved in the chart.")).to_be_visible()
    expect(page.locator(".score")).to_contain_text("Wells 4 to 9")
    look(page, "assess-plain")
    for item in OPEN_ITEMS:
        answer(page, item, "No")
    expect(page.locator(".score")).to_have_text("Wells 4")
    expect(page.locator("#said")).to_have_text("Wells 4")
    answer(page, "Whole leg swollen", "Yes")
    expect(page.locator(".score")).to_have_text("Wells 5")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the note").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").startswith("Wells 5, left leg, 16 Mar")
    look(page, "assess-plain-answered")
    page.get_by_role("button", name="Go on to the order").click()
    expect(page.locator("#text")).to_contain_text("Wells 5, all items.")


def test_from_the_card_to_score_and_order_in_few_clicks(both: Both, page: Page) -> None:
    """The card's link, every open item of the score, on to the order, sign and send."""
    clicks = 1
    launched(page, both)
    for item in OPEN_ITEMS:
        answer(page, item, "No")
        clicks += 1
    expect(page.locator(".score")).to_have_text("Wells 4")
    page.get_by_role("button", name="Go on to the order").click()
    page.get_by_role("button", name="Sign and send").click()
    clicks += 2
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    assert "Wells 4, all items." in both[0].created[0]["note"][0]["text"]
    assert clicks <= MAX_CLICKS


def test_by_keyboard_only(both: Both, page: Page) -> None:
    """Tab, arrow and Enter: to the completed score, the order and the chart of the EHR."""
    launched(page, both)
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.name || ''")
        if name.startswith("ask-") and name not in seen:
            seen.append(name)
            page.keyboard.press("ArrowUp")  # from "not examined" to "no"
        if page.evaluate("document.activeElement.value === 'order'"):
            break
    expect(page.locator(".score")).to_have_text("Wells 4")
    assert len(seen) > len(OPEN_ITEMS)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Referral order: Same-day DVT assessment")
    expect(page.locator("#text")).to_contain_text("Wells 4, all items.")
    expect(page.locator("#text")).to_contain_text("Anticoagulant: Not taking one")


def test_saved_and_read_again(both: Both, page: Page, look: Look) -> None:
    ehr, server = both
    launched(page, both)
    look(page, "assess-smart")
    for item in OPEN_ITEMS:
        answer(page, item, "No")
    page.get_by_role("button", name="Save to the chart").dblclick()
    expect(page.get_by_text("Saved in the chart.")).to_be_visible()
    expect(page.get_by_text("Observation/placed-1", exact=True)).to_be_visible()
    look(page, "assess-saved")
    assert len(ehr.created) == 1
    assert "Wells 4 of 9, completed 16 Mar 14:02 UTC." in first_card(server, ehr)["detail"]


def test_failed_write(both: Both, page: Page, watch: Watch, look: Look) -> None:
    watch.expected |= {422}
    both[0].faults["POST /fhir/Observation"] = fails(422, "performer is not known")
    launched(page, both)
    answer(page, "Active cancer", "Yes")
    page.get_by_role("button", name="Save to the chart").click()
    expect(page.get_by_role("alert").first).to_contain_text("performer is not known")
    expect(page.get_by_role("group", name="Active cancer").get_by_label("Yes")).to_be_checked()
    expect(page.locator("#note-text")).to_contain_text("Yes: active cancer")
    look(page, "assess-refused")


def test_expired_session(both: Both, page: Page) -> None:
    launched(page, both)
    answer(page, "Active cancer", "Yes")
    both[0].tokens.clear()
    page.get_by_role("button", name="Save to the chart").click()
    expect(page.get_by_role("alert").first).to_contain_text("Your sign-in has ended: nothing has been saved")
    expect(page.locator("#note-text")).to_contain_text("Yes: active cancer")
    answer(page, "Previous DVT", "Yes")
    expect(page.locator("#note-text")).to_contain_text("previous DVT")


def test_wrong_patient(both: Both, page: Page, watch: Watch) -> None:
    watch.expected |= {403}
    ehr, server = both
    context = card_link(server, ehr, 1)["appContext"]
    ehr.put({**PATIENT, "id": "other-2"})
    ehr.patient = "other-2"
    page.goto(ehr.launch_url(server.url, context))
    expect(page.get_by_role("heading", level=1)).to_have_text("Another patient")


def test_back_button(both: Both, page: Page) -> None:
    """From the order back to the assessment: the answers are there, and what follows is that of the answers."""
    launched(page, both)
    for item in OPEN_ITEMS:
        answer(page, item, "No")
    page.get_by_role("button", name="Go on to the order").click()
    expect(page.locator("#text")).to_contain_text("Wells 4, all items.")
    page.go_back()
    expect(page.get_by_role("group", name="Previous DVT").get_by_label("No", exact=True)).to_be_checked()
    expect(page.locator(".score")).to_have_text("Wells 4")


def test_two_tabs(both: Both, page: Page) -> None:
    """Of one launch: the second to save finds what the first has saved, and changes nothing of it."""
    launched(page, both)
    other = page.context.new_page()
    other.goto(page.url)
    answer(page, "Active cancer", "No")
    answer(other, "Active cancer", "Yes")
    page.get_by_role("button", name="Save to the chart").click()
    expect(page.get_by_text("Saved in the chart.")).to_be_visible()
    other.get_by_role("button", name="Save to the chart").click()
    expect(other.get_by_text("Saved in the chart.")).to_be_visible()
    expect(other.locator("#note-text")).to_contain_text("No: active cancer")
    assert len(both[0].created) == 1


def test_a_slow_line(both: Both, page: Page) -> None:
    """As over 2G: what follows is that of the last answer, whichever fetch comes back last."""
    launched(page, both)
    page.wait_for_load_state("networkidle")
    line = page.context.new_cdp_session(page)
    conditions = {"offline": False, "latency": 800, "downloadThroughput": 30_000, "uploadThroughput": 15_000}
    line.send("Network.emulateNetworkConditions", conditions)
    for item in OPEN_ITEMS:
        answer(page, item, "No")
        page.wait_for_timeout(200)
    answer(page, "Whole leg swollen", "Yes")
    expect(page.locator(".score")).to_have_text("Wells 5", timeout=20_000)
    page.wait_for_timeout(2_500)
    expect(page.locator(".score")).to_have_text("Wells 5")


def test_offline_is_said(server: Server, page: Page, watch: Watch) -> None:
    page.goto(links_of(server)[1]["url"])
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    answer(page, "Active cancer", "Yes")
    expect(page.locator("#lost")).to_be_visible()
    watch.wrong.clear()  # the browser names the failed fetch
    page.context.set_offline(False)
    answer(page, "Previous DVT", "Yes")
    expect(page.locator(".score")).to_contain_text("Wells 6 to 9")
    expect(page.locator("#lost")).to_be_hidden()


def test_without_script(server: Server, page: Page) -> None:
    """Nothing is lost with the script: the form posts, and draws the same."""
    browser = page.context.browser
    assert browser is not None
    bare = browser.new_context(java_script_enabled=False)
    other = bare.new_page()
    other.goto(links_of(server)[1]["url"])
    for item in OPEN_ITEMS:
        answer(other, item, "No")
    other.get_by_role("button", name="Work out").click()
    assert "Wells 4\n" in result(other)
    other.get_by_role("button", name="Go on to the order").click()
    assert "Wells 4, all items." in other.locator("#text").inner_text()
    bare.close()


def test_girths(server: Server, page: Page, watch: Watch, look: Look) -> None:
    watch.expected |= {422}
    page.goto(links_of(server, "dvt-soft-sign-alone")[1]["url"])
    page.get_by_label("This leg, cm").fill("39,5")
    page.get_by_label("Other leg, cm").fill("36")
    expect(page.get_by_text("This calf is 3.5 cm larger.")).to_be_visible()
    page.get_by_label("Other leg, cm").fill("360")
    page.get_by_role("button", name="Go on to the order").click()
    expect(page.get_by_role("alert").first).to_contain_text("Give both girths in cm")
    look(page, "assess-mistake")
    page.get_by_role("alert").first.get_by_role("link").click()
    expect(page.locator("#calves")).to_be_focused()


def test_no_one_elses_answers(both: Both, page: Page) -> None:
    """Two patients open in one browser: each page keeps to its own launch."""
    ehr, server = both
    launched(page, both)
    answer(page, "Active cancer", "Yes")
    page.get_by_role("button", name="Go on to the order").click()
    expect(page.locator("#text")).to_contain_text("Wells 5 to 9")
    other = page.context.new_page()
    other.goto(ehr.launch_url(server.url, card_link(server, ehr, 1)["appContext"]))
    expect(other.get_by_role("group", name="Active cancer").get_by_label("Not examined")).to_be_checked()


def test_a_second_press_while_it_is_being_saved(both: Both, page: Page) -> None:
    ehr, _ = both
    launched(page, both)
    other = page.context.new_page()
    other.goto(page.url)
    for one in (page, other):
        answer(one, "Active cancer", "No")
    go_on = threading.Event()

    def slow(call: Call) -> None:
        ehr.faults.clear()
        go_on.wait(10)
        call.answer(200, ehr.chart["Patient/dvt-1"])

    ehr.faults["GET /fhir/Patient/dvt-1"] = slow
    page.get_by_role("button", name="Save to the chart").click(no_wait_after=True)
    while ehr.faults:
        page.wait_for_timeout(20)
    other.get_by_role("button", name="Save to the chart").click()
    expect(other.get_by_text("The assessment is being saved.")).to_be_visible()
    go_on.set()
    expect(page.get_by_text("Saved in the chart.")).to_be_visible()
    assert len(ehr.created) == 1

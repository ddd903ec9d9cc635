"""The order page in a browser: as a text to copy, and as a SMART app inside an EHR's frame."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, Watch, first_paint_bytes
from tests.conftest import Server
from tests.ehr import Call, Ehr, does_it_and_hangs_up, fails, hangs_up
from tests.web.pages.launching import PATIENT, card_link, ehr_and_service
from tests.web.pages.order.test_copy import link_of

Both = tuple[Ehr, Server]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with ehr_and_service(tmp_path) as found:
        yield found


def launched(page: Page, both: Both) -> None:
    """The order page behind the DVT card's link."""
    ehr, server = both
    page.goto(ehr.launch_url(server.url, card_link(server, ehr)["appContext"]))
    expect(page.get_by_role("heading", level=1)).to_have_text("Referral order: Same-day DVT assessment")


def framing(address: str) -> Callable[[Call], None]:
    """A page that shows ``address`` in a frame."""
    content = (
        f'<!doctype html><title>EHR</title><iframe src="{escape(address)}" width=420 height=800></iframe>'.encode()
    )

    def answer(call: Call) -> None:
        call.handler.send_response(200)
        call.handler.send_header("Content-Type", "text/html")
        call.handler.send_header("Content-Length", str(len(content)))
        call.handler.end_headers()
        call.handler.wfile.write(content)

    return answer


def send(page: Page) -> None:
    page.get_by_role("button", name="Sign and send").click()


def test_text_to_copy(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, link_of(server)) < FIRST_PAINT_BYTES
    expect(page.get_by_text("Nothing has been ordered.")).to_be_visible()
    text = page.locator("#text")
    expect(text).to_contain_text("Side: Left leg")
    page.get_by_label("Right leg").check()
    expect(text).to_contain_text("Side: Right leg")
    page.get_by_label("Contact for the result").fill("bleep 12")
    expect(text).to_contain_text("Contact: bleep 12")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the text").click()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == text.text_content()
    expect(page.locator(".patient")).to_contain_text("This page does not know the patient's name.")
    look(page, "order-text")


def test_only_the_text_is_printed(both: Both, page: Page) -> None:
    launched(page, both)
    page.emulate_media(media="print")
    text = page.locator("#text")
    expect(text).to_contain_text("Patient: Mabel Northcote")
    seen = page.locator("body").inner_text()
    assert seen.split() == text.inner_text().split()


def test_text_when_the_side_is_not_recorded(server: Server, page: Page, look: Look) -> None:
    page.goto(link_of(server, "laterality-unknown-all"))
    expect(page.get_by_text("does not say which leg")).to_be_visible()
    assert page.locator("input[name=side]:checked").count() == 0
    expect(page.locator("#text")).to_contain_text("NOT STATED")
    look(page, "order-text-no-side")


def test_sign_and_send(both: Both, page: Page, look: Look) -> None:
    launched(page, both)
    expect(page.get_by_text("Mabel Northcote, born 1961-05-04, female, number MRN-77", exact=True)).to_be_visible()
    look(page, "order-smart")
    page.get_by_label("Not taking one").check()
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    expect(page.get_by_text("ServiceRequest/placed-1")).to_be_visible()
    look(page, "order-placed")
    assert both[0].created[0]["note"][0]["text"].count("not taking one") == 1


def test_by_keyboard_only(both: Both, page: Page) -> None:
    """From the top of the page to the order, with Tab, arrows and Enter."""
    launched(page, both)
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "document.activeElement.name || document.activeElement.id || document.activeElement.className"
        )
        seen.add(here)
        if page.evaluate("document.activeElement.name === 'side'"):
            page.keyboard.press("ArrowDown")
        if page.evaluate("document.activeElement.value === 'send'"):
            break
    assert {"skip", "service", "priority", "side", "indication", "question", "anticoagulant", "contact", "note"} <= seen
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    assert "right" in str(both[0].created[0]["bodySite"])


def test_missing_side_is_said_at_the_top_and_at_the_field(both: Both, page: Page, watch: Watch, look: Look) -> None:
    watch.expected |= {422}
    for one in both[0].chart.values():
        one.pop("bodySite", None)
    launched(page, both)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("State the side")
    look(page, "order-mistake")
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.locator("#side")).to_be_focused()
    page.get_by_label("Left leg").check()
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")


def test_refused_write(both: Both, page: Page, look: Look) -> None:
    both[0].faults["POST /fhir/ServiceRequest"] = fails(403)
    launched(page, both)
    page.get_by_label("Findings").fill("typed by hand")
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("does not let this page place orders")
    expect(page.locator("#text")).to_contain_text("typed by hand")
    look(page, "order-refused")


def test_expired_token(both: Both, page: Page, look: Look) -> None:
    launched(page, both)
    page.get_by_label("Findings").fill("typed by hand")
    both[0].tokens.clear()
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("Your sign-in has ended: nothing has been placed")
    expect(page.locator("#text")).to_contain_text("typed by hand")
    look(page, "order-expired")


def test_wrong_patient(both: Both, page: Page, watch: Watch, look: Look) -> None:
    watch.expected |= {403}
    ehr, server = both
    context = card_link(server, ehr)["appContext"]
    ehr.put({**PATIENT, "id": "other-2"})
    ehr.patient = "other-2"
    page.goto(ehr.launch_url(server.url, context))
    expect(page.get_by_role("heading", level=1)).to_have_text("Another patient")
    look(page, "order-wrong-patient")


def test_offline(both: Both, page: Page) -> None:
    launched(page, both)
    page.get_by_label("Findings").fill("typed by hand")
    expect(page.locator("#text")).to_contain_text("typed by hand")
    page.context.set_offline(True)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("You are offline: nothing has been sent")
    expect(page.locator("#text")).to_contain_text("typed by hand")
    page.context.set_offline(False)
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    assert len(both[0].created) == 1


def test_double_click(both: Both, page: Page) -> None:
    launched(page, both)
    page.get_by_role("button", name="Sign and send").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    assert (both[0].posts(), len(both[0].created)) == (1, 1)


LONG_WAITS_ARE_OURS = """
const wait = window.setTimeout;
window.later = [];
window.setTimeout = (act, ms, ...more) => (ms === 2000 ? window.later.push(act) : wait(act, ms, ...more));
"""
"""A page that looks again by itself does so when the test says: a look at it may take longer than it would wait."""


def test_two_windows_of_one_launch(both: Both, page: Page, look: Look) -> None:
    """The second waits for the first, and then shows the same order."""
    ehr, _ = both
    launched(page, both)
    other = page.context.new_page()
    other.add_init_script(LONG_WAITS_ARE_OURS)
    other.goto(page.url)
    go_on = threading.Event()

    def slow(call: Call) -> None:
        ehr.faults.clear()
        go_on.wait(10)
        call.answer(200, ehr.chart["Patient/dvt-1"])

    ehr.faults["GET /fhir/Patient/dvt-1"] = slow
    page.get_by_role("button", name="Sign and send").click(no_wait_after=True)
    while ehr.faults:
        page.wait_for_timeout(20)
    send(other)
    expect(other.get_by_role("heading", level=1)).to_have_text("This order is being sent")
    go_on.set()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    look(other, "order-being-sent")
    other.evaluate("later.forEach((act) => act())")
    expect(other.get_by_role("heading", level=1)).to_have_text("Order placed")
    assert len(ehr.created) == 1


def test_uncertain(both: Both, page: Page, look: Look) -> None:
    ehr, _ = both

    def does_it_and_goes_down(call: Call) -> None:
        does_it_and_hangs_up(call)
        ehr.faults["GET /fhir/ServiceRequest"] = hangs_up

    ehr.faults["POST /fhir/ServiceRequest"] = does_it_and_goes_down
    launched(page, both)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("not certain whether the order was placed")
    look(page, "order-uncertain")
    ehr.faults.clear()
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order placed")
    assert len(ehr.created) == 1


def test_inside_the_frame_of_the_ehr(both: Both, page: Page, watch: Watch) -> None:
    """On another site than ours: the cookie has to work in a frame, and only this EHR's pages may frame it."""
    ehr, server = both
    inside = ehr.launch_url(server.url, card_link(server, ehr)["appContext"])

    watch.expected |= {404}  # this EHR has no icon
    ehr.faults["GET /chart"] = framing(inside)
    page.goto(f"http://localhost:{ehr.port}/chart")
    frame = page.frame_locator("iframe")
    expect(frame.locator(".patient")).to_contain_text("Mabel Northcote")
    frame.get_by_role("button", name="Sign and send").click()
    expect(frame.get_by_role("heading", level=1)).to_have_text("Order placed")


def test_no_other_page_may_frame_it(both: Both, page: Page, watch: Watch) -> None:
    ehr, server = both
    launched(page, both)
    address = page.url

    ehr.faults["GET /trap"] = framing(address)
    page.goto(f"{ehr.origin}/trap")  # 127.0.0.1, not the listed localhost
    page.wait_for_timeout(300)
    assert any("frame-ancestors" in one for one in watch.wrong)
    watch.wrong.clear()
    assert server.url

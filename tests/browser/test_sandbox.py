"""The sandbox as people meet it: a newcomer, a clinician who answers cards, an integrator who turns the switches."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from cds_service.base.settings import Settings
from tests.browser.conftest import FIRST_PAINT_BYTES, Look, Watch, first_paint_bytes, screenshot
from tests.conftest import EXAMPLES, Server, run_server, shipped_service

CALL = "**/cds-services/posterior-knee-pain"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Server]:
    yield from run_server(Settings(sandbox=True, auth="open"))


def open_dvt(page: Page, server: Server) -> None:
    """The newcomer's one click."""
    page.goto(f"{server.url}/sandbox")
    page.get_by_role("button", name="Open a patient with a suspected DVT").click()
    expect(page.locator(".verdict")).to_be_visible()


def cards(page: Page) -> list[str]:
    """The summaries of the cards."""
    return page.locator(".card h3").all_inner_texts()


def test_one_click_from_the_first_page_shows_a_dvt_card_and_its_order_page(sandbox: Server, page: Page) -> None:
    page.goto(sandbox.url)
    page.get_by_role("link", name="Open the sandbox").click()
    page.get_by_role("button", name="Open a patient with a suspected DVT").click()
    urgent = page.locator(".card").first
    expect(urgent.locator(".badge")).to_have_text("Urgent")
    expect(urgent.get_by_role("heading")).to_contain_text("Suspected DVT, left leg")
    expect(page.locator("#latency")).to_contain_text("ms")
    link = urgent.get_by_role("link", name="Referral order")
    with page.context.expect_page() as opening:
        link.click()
    expect(opening.value.get_by_role("heading", level=1)).to_contain_text("Same-day DVT assessment")


def test_choosing(sandbox: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{sandbox.url}/sandbox") < FIRST_PAINT_BYTES
    featured = page.locator(".featured button")
    expect(featured).to_have_count(6)
    assert {one.split("\n")[0] for one in featured.all_inner_texts()} >= {"Urgent", "For information", "Silent"}
    expect(page.get_by_label("Find a story")).to_be_hidden()
    page.get_by_text("example patients", exact=False).and_(page.locator("#everyone h2")).click()
    page.get_by_label("Find a story").fill("pregnant calf")
    expect(page.locator("#found")).to_contain_text("found")
    shown = page.locator("#everyone .patients li:visible")
    assert 0 < shown.count() < 8
    assert all("pregnant" in text.lower() for text in shown.all_inner_texts())
    page.get_by_label("Find a story").fill("")
    look(page, "sandbox-choose")


def test_the_chart_looks_right_everywhere(sandbox: Server, page: Page, look: Look) -> None:
    open_dvt(page, sandbox)
    assert first_paint_bytes(page, page.url) < FIRST_PAINT_BYTES
    expect(page.locator(".verdict")).to_be_visible()
    screenshot(page, "sandbox-chart")
    quiet = f"{len(shipped_service().content.red_flags) - 1} rules did not fire"
    for name in ("The ten items", quiet, "Override this card", "Copy as curl", "Request", "Answer"):
        page.get_by_text(name, exact=True).first.click()
    page.locator(".causes summary").first.click()
    look(page, "sandbox-chart-open")


def test_accepting_puts_the_draft_into_the_chart_and_signing_orders_it(sandbox: Server, page: Page, look: Look) -> None:
    open_dvt(page, sandbox)
    with page.expect_request("**/feedback") as told:
        page.get_by_role("button", name="Venous duplex today, left leg").click()
    assert '"outcome":"accepted"' in (told.value.post_data or "")
    expect(page.locator("#said")).to_contain_text("Feedback sent: accepted")
    drafts = page.locator("#drafts")
    expect(drafts).to_contain_text("Leg vein duplex ultrasound, left leg")
    expect(page.get_by_role("heading", name="Draft orders, unsigned")).to_be_focused()
    assert cards(page)[0].startswith("Still open: Suspected DVT")
    look(page, "sandbox-accepted")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(drafts).to_have_count(0)
    expect(page.locator(".card").first).to_contain_text("already ordered 16 Mar")
    expect(page.locator("#cards-heading")).to_be_focused()
    page.get_by_label("Opened by").select_option("Clinician B")
    expect(page.locator(".card h3").first).to_contain_text(
        re.compile("^Suspected DVT, left leg: .*check the result today")
    )
    expect(page.locator(".card").first).to_contain_text("already ordered 16 Mar")


def test_overriding_needs_a_reason_and_keeps_the_card_quiet(sandbox: Server, page: Page) -> None:
    open_dvt(page, sandbox)
    card = page.locator(".card").first
    card.get_by_text("Override this card").click()
    card.get_by_role("button", name="Send the override").click()  # the browser asks for a reason
    expect(card.get_by_role("heading")).to_contain_text("Suspected DVT, left leg (Wells at least 4): consider")
    reason = card.get_by_role("radio").nth(1)
    reason.check()
    card.get_by_label("Comment").fill("scan booked elsewhere")
    with page.expect_request("**/feedback") as told:
        card.get_by_role("button", name="Send the override").click()
    item = orjson.loads(told.value.post_data or "")["feedback"][0]
    assert item["outcome"] == "overridden"
    assert item["overrideReason"]["userComment"] == "scan booked elsewhere"
    assert item["overrideReason"]["reason"]["code"]
    expect(page.locator(".card h3").first).to_contain_text("Still open")
    expect(page.locator("#said")).to_contain_text("overridden")


def test_a_dismissed_differential_stays_away(sandbox: Server, page: Page) -> None:
    page.goto(f"{sandbox.url}/sandbox")
    page.locator("#everyone > summary").click()
    page.get_by_text("Worked cases").click()
    page.get_by_role("button", name="Woman of 63").click()
    page.get_by_text("Dismiss this card").click()
    page.get_by_role("button", name="Send and hide it").click()
    expect(page.get_by_text("No card. Silence is not an all-clear.")).to_be_visible()
    expect(page.get_by_text("Not shown because you have answered it")).to_be_visible()
    screenshot(page, "sandbox-suppressed")


def test_switches_move_range_cards_and_ranking(sandbox: Server, page: Page) -> None:
    open_dvt(page, sandbox)
    expect(page.locator(".wells-range")).to_have_text("4 to 9")
    leading = page.locator(".causes .cause").all_inner_texts()
    page.get_by_label("Status of Recently bedridden").select_option("absent")
    expect(page.locator(".wells-range")).not_to_have_text("4 to 9")
    expect(page.locator(".verdict")).to_contain_text("was 4 to 9")
    expect(page.locator("#said")).to_contain_text("Changed: ")
    page.locator("#add-filter").fill("push-off with")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#said")).to_contain_text("Added: ")
    expect(page.locator(".causes .cause").first).to_be_visible()
    assert page.locator(".causes .cause").all_inner_texts() != leading
    screenshot(page, "sandbox-switched")
    page.get_by_role("button", name="Put the chart back").click()
    expect(page.locator(".wells-range")).to_have_text("4 to 9")
    expect(page.locator("#cards-heading")).to_be_focused()
    assert page.locator(".causes .cause").all_inner_texts() == leading


def test_cards_stand_first_and_twice_as_wide(sandbox: Server, page: Page) -> None:
    open_dvt(page, sandbox)
    cards_box, chart_box = (page.locator(part).bounding_box() for part in (".cards-area", ".chart-area"))
    assert cards_box
    assert chart_box
    assert cards_box["x"] < chart_box["x"]
    assert 1.9 < cards_box["width"] / chart_box["width"] < 2.2


def test_chart_and_switches_fold_and_stay_folded(sandbox: Server, page: Page) -> None:
    open_dvt(page, sandbox)
    facts = page.locator("#part-facts")
    facts.locator("summary").click()
    expect(page.locator("#status-calf_swelling")).to_be_hidden()
    page.get_by_role("button", name="Call again").click()
    expect(page.locator("#cards-heading")).to_be_focused()
    expect(page.locator("#status-calf_swelling")).to_be_hidden()
    facts.locator("summary").click()
    expect(page.locator("#status-calf_swelling")).to_be_visible()


def test_dates_are_in_one_style(sandbox: Server, page: Page) -> None:
    """As the cards say them; what was sent stays as it was sent."""
    open_dvt(page, sandbox)
    assert not re.search(r"\b\d{4}-\d{2}", page.locator("#chart").inner_text())
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(r"born \d{1,2} [A-Z][a-z]{2} \d{4}"))
    expect(page.locator("[data-finding=calf_swelling] .fact")).to_contain_text(re.compile(r"\b\d{1,2} Mar\b"))


def test_days_ago_and_side_are_switches_too(sandbox: Server, page: Page) -> None:
    open_dvt(page, sandbox)
    page.locator("#days-calf_swelling").fill("400")
    page.locator("#days-calf_swelling").press("Tab")
    expect(page.locator("[data-finding=calf_swelling]")).to_contain_text("9 Feb 2025")
    page.locator("#side-calf_swelling").focus()
    page.locator("#side-calf_swelling").select_option("right")
    expect(page.locator("[data-finding=calf_swelling] .fact")).to_contain_text("right leg")
    expect(page.locator("#side-calf_swelling")).to_be_focused()


def test_the_fhir_road(sandbox: Server, page: Page) -> None:
    open_dvt(page, sandbox)
    before = cards(page)
    page.get_by_label("from the FHIR server").check()
    expect(page.locator(".verdict")).to_contain_text("read from the FHIR server")
    assert cards(page) == before
    request = orjson.loads(page.locator("#request-text").text_content() or "")
    assert "prefetch" not in request


def test_keyboard_alone(sandbox: Server, page: Page) -> None:
    page.goto(f"{sandbox.url}/sandbox")
    for _ in range(12):
        page.keyboard.press("Tab")
        if "suspected DVT" in page.evaluate("document.activeElement.textContent"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.accept"):
            break
    page.keyboard.press("Space")
    expect(page.locator("#drafts-heading")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".card").first).to_contain_text("already ordered")


def test_a_pasted_and_an_uploaded_bundle(sandbox: Server, page: Page, watch: Watch, look: Look) -> None:
    watch.expected.add(400)
    page.goto(f"{sandbox.url}/sandbox")
    expect(page.get_by_text("Invented data only")).to_be_visible()
    field = page.get_by_label("A FHIR R4 Bundle of one patient")
    page.get_by_role("button", name="Open this Bundle").click()
    expect(page.locator("#bundle-wrong")).to_have_text("Paste a Bundle here or choose a file.")
    field.fill('{"resourceType": "Patient", "id": "p"}')
    page.get_by_role("button", name="Open this Bundle").click()
    expect(page.locator("#bundle-wrong")).to_contain_text("not a FHIR Bundle")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    look(page, "sandbox-bundle")
    page.get_by_label("or a file").set_input_files(EXAMPLES / "dvt-pregnant.json")
    expect(field).not_to_have_value('{"resourceType": "Patient", "id": "p"}')
    page.get_by_role("button", name="Open this Bundle").click()
    expect(page.locator(".card h3").first).to_contain_text("Suspected DVT in pregnancy")
    expect(page.locator(".story")).to_contain_text("pasted or uploaded")


def test_the_curl_command_gets_the_same_cards(
    sandbox: Server, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_dvt(page, sandbox)
    shown = cards(page)
    page.get_by_text("Copy as curl").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#said")).to_have_text("Copied.")
    command = page.evaluate("navigator.clipboard.readText()")
    assert command == page.locator("#curl-text").text_content()
    script = tmp_path / "call.sh"
    script.write_text(command, encoding="utf-8")
    answer = orjson.loads(subprocess.run(["bash", script], capture_output=True, check=True, timeout=30).stdout)
    assert [card["summary"] for card in answer["cards"]] == shown


def test_a_failing_service_is_no_all_clear(sandbox: Server, page: Page, watch: Watch, look: Look) -> None:
    open_dvt(page, sandbox)
    watch.expected |= {500}
    body = '{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "out of order"}]}'
    page.route(CALL, lambda route: route.fulfill(status=500, content_type="application/json", body=body))
    page.get_by_role("button", name="Call again").click()
    expect(page.get_by_text("No judgement was made. This is not an all-clear.")).to_be_visible()
    expect(page.get_by_text("HTTP 500: out of order")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator(".verdict")).not_to_contain_text("suspected")
    look(page, "sandbox-fault")


def test_an_unreachable_service_is_no_all_clear(sandbox: Server, context: BrowserContext) -> None:
    page = context.new_page()  # not under watch: the browser itself complains of what is cut off
    open_dvt(page, sandbox)

    def cut(route: Route) -> None:
        route.abort()

    page.route(CALL, cut)
    page.get_by_role("button", name="Call again").click()
    expect(page.get_by_text("The service did not answer.")).to_be_visible()
    page.route("**/sandbox/charts/*/*", cut)
    page.get_by_role("button", name="Call again").click()
    expect(page.get_by_text("The service cannot be reached.")).to_be_visible()
    expect(page.get_by_text("No judgement was made. This is not an all-clear.")).to_be_visible()


def test_a_chart_that_is_gone(sandbox: Server, page: Page, watch: Watch, look: Look) -> None:
    watch.expected.add(404)
    page.goto(f"{sandbox.url}/sandbox/charts/0123456789abcdef")
    expect(page.get_by_role("heading", level=1)).to_have_text("This chart is gone")
    look(page, "sandbox-gone")


def test_a_difficult_chart(sandbox: Server, page: Page) -> None:
    page.goto(f"{sandbox.url}/sandbox")
    page.locator("#everyone > summary").click()
    page.get_by_text("Difficult charts").click()
    page.locator("button[value=unreadable-parts]").click()
    expect(page.get_by_role("heading", name="Not understood")).to_be_visible()
    screenshot(page, "sandbox-unread")


def test_the_preview_of_cards(sandbox: Server, page: Page, look: Look) -> None:
    page.goto(f"{sandbox.url}/sandbox")
    page.get_by_role("link", name="Preview").click()
    page.get_by_label("Rule or cause").select_option("RF07")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("heading", name="red-flag-rf07")).to_be_visible()
    assert "Possible septic arthritis" in " ".join(cards(page))
    look(page, "preview", ("wide", "narrow"))

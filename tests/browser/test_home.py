"""The first page: what this is and where to go."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, Watch, first_paint_bytes
from tests.conftest import Server


def test_home(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, server.url) < FIRST_PAINT_BYTES
    expect(page.get_by_role("heading", level=1)).to_have_text("Decision support for pain behind the knee")
    expect(page.get_by_text("silence is not an all-clear")).to_be_visible()
    expect(page.get_by_text("Not clinically reviewed")).to_be_visible()
    picture = page.get_by_role("img", name="Drawing: a chart in an EHR")
    sheet, title = (picture.locator(part).bounding_box() for part in (".card-sheet", ".card-title"))
    assert sheet
    assert title
    assert title["x"] + title["width"] < sheet["x"] + sheet["width"]
    look(page, "home")
    page.get_by_role("main").get_by_role("link", name="API", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API")


def test_api(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{server.url}/docs") < FIRST_PAINT_BYTES
    call = page.locator(".operation", has_text="Judge a chart and get cards")
    call.locator("summary").click()
    expect(call.get_by_text("The chart cannot be judged")).to_be_visible()
    look(page, "api", ("wide", "narrow"))
    call.get_by_role("link", name="PatientViewRequest").click()
    expect(page.locator("#PatientViewRequest")).to_be_in_viewport()


def test_a_page_that_is_missing(server: Server, page: Page, watch: Watch, look: Look) -> None:
    watch.expected.add(404)
    page.goto(f"{server.url}/nothing/here")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    look(page, "missing", ("wide", "narrow"))
    page.get_by_role("link", name="First page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Decision support for pain behind the knee")


def test_first_tab_skips_to_the_content(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()

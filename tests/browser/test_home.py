"""The first page: what this is and where to go."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, first_paint_bytes
from tests.conftest import Server


def test_home(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, server.url) < FIRST_PAINT_BYTES
    expect(page.get_by_role("heading", level=1)).to_have_text("Decision support for pain behind the knee")
    expect(page.get_by_text("silence is not an all-clear")).to_be_visible()
    look(page, "home")


def test_first_tab_skips_to_the_content(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()

"""The leaflet for a patient, on the screen and on paper."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, first_paint_bytes
from tests.conftest import Server


def test_leaflet(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{server.url}/leaflets/bakers_cyst") < FIRST_PAINT_BYTES
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    look(page, "leaflet")
    page.emulate_media(media="print")
    assert page.locator("body").inner_text().split() == page.locator(".leaflet").inner_text().split()

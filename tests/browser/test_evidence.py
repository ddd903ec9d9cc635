"""The evidence pages in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, first_paint_bytes
from tests.conftest import Server


@pytest.mark.parametrize(
    ("key", "sizes"),
    [
        ("RF01", ("wide", "panel", "narrow")),
        ("RF10", ("panel",)),
        ("bakers_cyst", ("wide", "narrow")),
        ("dvt", ("wide",)),
        ("unread", ("narrow",)),
    ],
)
def test_a_page(server: Server, page: Page, look: Look, key: str, sizes: tuple[str, ...]) -> None:
    assert first_paint_bytes(page, f"{server.url}/evidence/{key}") < FIRST_PAINT_BYTES
    expect(page.get_by_text("Not reviewed by a clinician")).to_be_visible()
    look(page, f"evidence-{key}", sizes)


def test_index(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{server.url}/evidence") < FIRST_PAINT_BYTES
    look(page, "evidence")
    page.get_by_label("Find a rule or cause").fill("baker")
    expect(page.get_by_role("link", name="Baker's (popliteal) cyst", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Cellulitis")).to_be_hidden()
    expect(page.get_by_role("heading", name="Urgent rules")).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Baker's")


def test_explorer(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{server.url}/evidence/explorer") < FIRST_PAINT_BYTES
    look(page, "explorer", ("wide",))
    row = page.get_by_role("row", name="Calf swelling", exact=False).first
    expect(row.get_by_text("4", exact=True)).to_be_visible()
    page.get_by_label("if absent").check()
    expect(row.get_by_text("0.67", exact=True)).to_be_visible()
    expect(row.get_by_text("4", exact=True)).to_be_hidden()
    page.get_by_label("Cause", exact=True).select_option(label="Septic arthritis")
    expect(page.get_by_role("columnheader")).to_have_count(2)
    page.get_by_label("Findings", exact=True).select_option(label="Laboratory")
    expect(page.get_by_role("status")).to_have_text("2 findings")
    look(page, "explorer-one-cause", ("panel", "narrow"))


def test_what_is_open(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{server.url}/evidence/open") < FIRST_PAINT_BYTES
    expect(page.get_by_role("heading", level=1)).to_have_text("Open for a clinician")
    look(page, "open", ("wide", "narrow"))

"""The evidence pages in a browser."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FIRST_PAINT_BYTES, Look, first_paint_bytes
from tests.conftest import Server, shipped_service

CONTENT = shipped_service().content


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


def test_explorer_shows_one_cause_at_a_time_below_900_pixels(server: Server, page: Page) -> None:
    page.set_viewport_size({"width": 890, "height": 800})
    page.goto(f"{server.url}/evidence/explorer")
    expect(page.get_by_role("columnheader")).to_have_count(2)
    page.get_by_label("Cause", exact=True).select_option(label="Septic arthritis")
    expect(page.get_by_role("columnheader").nth(1)).to_have_text("Septic arthritis")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_role("columnheader")).to_have_count(2)  # chosen by the reader: it stays
    page.reload()
    expect(page.get_by_role("columnheader")).to_have_count(len(CONTENT.causes) + 1)
    page.set_viewport_size({"width": 890, "height": 800})
    expect(page.get_by_role("columnheader")).to_have_count(2)
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_role("columnheader")).to_have_count(len(CONTENT.causes) + 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_stronger_weights_stand_out_more(server: Server, page: Page, scheme: Literal["light", "dark"]) -> None:
    """In both schemes: the stronger a weight, the more its colour differs from the page's."""
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{server.url}/evidence/explorer")
    sheet = brightness(page, ".heat")
    for kind in "fa":
        distances = [abs(brightness(page, f".key .{kind}{step}") - sheet) for step in (1, 2, 3, 4)]
        assert distances == sorted(distances)
        assert len(set(distances)) == 4


def brightness(page: Page, selector: str) -> float:
    """Of the background, 0 to 255."""
    colour = page.locator(selector).first.evaluate("one => getComputedStyle(one).backgroundColor")
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return 0.299 * red + 0.587 * green + 0.114 * blue


@pytest.mark.parametrize("width", [1280, 640, 400])
def test_words_about_a_ratio_stand_beside_it(server: Server, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server.url}/evidence/bakers_cyst")
    ends = set()
    for one in page.locator(".ratio:not(.settles)").all():
        number, words = (one.locator(part).bounding_box() for part in (".number", ".quiet"))
        assert number
        assert words
        assert number["x"] + number["width"] < words["x"]
        ends.add(round(number["x"] + number["width"]))
    assert len(ends) == 2  # one line of digits in each of the two columns


def test_what_is_open(server: Server, page: Page, look: Look) -> None:
    assert first_paint_bytes(page, f"{server.url}/evidence/open") < FIRST_PAINT_BYTES
    expect(page.get_by_role("heading", level=1)).to_have_text("Open for a clinician")
    look(page, "open", ("wide", "narrow"))

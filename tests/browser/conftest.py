"""A real browser: Debian's Chromium, driven by Playwright. Every page a test opens is watched while it is open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conftest import LONG, ROOT

SCREENSHOTS = ROOT / "build" / "screenshots"
FIRST_PAINT_BYTES = 150_000
SIZES = {"wide": (1280, 900), "panel": (420, 900), "narrow": (320, 800)}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window. Closed when this folder is done: while it runs, asyncio cannot be used beside it."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium on this machine: the tests in a browser are left out (apt-get install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


class Watch:
    """What a page must never do: call another host, break its own policy, fail in a script."""

    def __init__(self, context: BrowserContext) -> None:
        self.wrong: list[str] = []
        self.allowed: set[str] = {"127.0.0.1", "localhost"}
        self.expected: set[int] = set()
        context.on("page", self._attach)

    def _attach(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.wrong.append(f"script failed: {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not any(
            f"status of {code}" in message.text for code in self.expected
        ):
            self.wrong.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        host = url.split("/")[2].rsplit(":", 1)[0] if "://" in url else ""
        if host and host not in self.allowed:
            self.wrong.append(f"another host: {url}")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile, wide and light."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce")
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """Fails the test for anything that no page may do."""
    watched = Watch(context)
    yield watched
    assert not watched.wrong


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    """A page under watch."""
    return context.new_page()


class Look(Protocol):
    """``look(page, name)``; ``sizes``: some of ``SIZES``."""

    def __call__(self, page: Page, name: str, sizes: Sequence[str] = ...) -> None: ...


@pytest.fixture(scope="session")
def look() -> Look:
    """``look(page, name)``: no sideways scrolling in any size, and no finding by axe.

    axe takes up to a second each time, and thrice that if it also describes what is right. It looks at the first size
    in light and at the last in dark: colours do not depend on the size, nor the layout on the colours. The long profile
    has it look at everything and takes screenshots.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def every(page: Page, name: str, sizes: Sequence[str] = tuple(SIZES)) -> None:
        for size in sizes:
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            _does_not_scroll_sideways(page, f"{name}-{size}")
            if LONG or size == sizes[0]:
                _one(page, f"{name}-{size}-light", "light")
            if LONG or size == sizes[-1]:
                _one(page, f"{name}-{size}-dark", "dark")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 900})

    return every


def _one(page: Page, name: str, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    if LONG:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]})
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"


def _does_not_scroll_sideways(page: Page, name: str) -> None:
    across = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert across <= 0, f"{name} scrolls sideways by {across} px"


def first_paint_bytes(page: Page, url: str) -> int:
    """Bytes of everything that ``url`` loads before it stands."""
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(url, wait_until="networkidle")
    return sum(sizes)


def screenshot(page: Page, name: str) -> None:
    """In the long profile, one picture of what is in sight now."""
    if LONG:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

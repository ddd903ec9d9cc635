"""``/sandbox/preview``: the cards of a rule or cause for its examples, with the content that is now on disk."""

from __future__ import annotations

import threading
from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from cds_service.base.errors import ContentError, UnusableInput
from cds_service.base.settings import Settings
from cds_service.clinical.content.loading.languages import languages_in
from cds_service.rendering.layout import INFO_WORDS, URGENT_WORDS
from cds_service.service.evaluate import Service, content_files
from cds_service.service.examples import EXAMPLES
from cds_service.service.previews import Preview, previews
from cds_service.web.current_service import CurrentService
from cds_service.web.pages.layout import Pages
from cds_service.web.pages.sandbox.answers import BADGES

PATH = "/sandbox/preview"


@dataclass(frozen=True, slots=True)
class _Looked:
    """The cards to show. ``problems``: the errors of the content on disk, each with its place and what to do."""

    cards: tuple[Preview, ...] = ()
    problems: tuple[str, ...] = ()


class Desk:
    """The content on disk. It is loaded again when a file has changed. Handles one request at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.cards.resolve().parent / EXAMPLES
        self._lock = threading.Lock()
        self._files: Mapping[str, str] = {}
        self._service: Service | None = None

    def look(self, key: str, language: str) -> _Looked:
        """Return the cards of ``key`` in ``language``."""
        with self._lock:
            try:
                spoken = self._current().speaking(self._settings, language)
                return _Looked(cards=tuple(previews(spoken, self._folder, key)))
            except ContentError as error:
                return _Looked(problems=tuple(map(str, error.problems)))
            except (UnusableInput, OSError) as error:
                return _Looked(problems=(str(error),))

    def _current(self) -> Service:
        files = content_files(self._settings)
        if self._service is None or files != self._files:
            self._service, self._files = Service.from_settings(self._settings), files
        return self._service


def add_preview(app: FastAPI, settings: Settings, current: CurrentService, pages: Pages) -> None:
    """Add ``GET /sandbox/preview``. Without a key, the page asks for one."""
    desk = Desk(settings)

    @app.get(PATH, include_in_schema=False)
    async def preview(key: str = "", language: str = "en") -> Response:
        looked = await to_thread(desk.look, key, language) if key else _Looked()
        return await to_thread(_page, key, language, looked)

    def _page(key: str, language: str, looked: _Looked) -> HTMLResponse:
        content = current.service.content
        return pages.page(
            "sandbox/preview.html",
            forms=True,
            content=content,
            key=key,
            language=language,
            languages=languages_in(content_files(settings)),
            looked=looked,
            badges=BADGES,
            limits={"critical": URGENT_WORDS, "warning": URGENT_WORDS, "info": INFO_WORDS},
        )

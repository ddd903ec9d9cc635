"""The content and clients that the routes use. A reload replaces them all at once."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime

from cds_service.base.errors import KneeCdsError
from cds_service.base.logs import get_log
from cds_service.base.settings import Settings
from cds_service.clinical.content.decisions import OPEN_PAGE
from cds_service.service.evaluate import Service
from cds_service.web.security.authenticator import Authenticator

log = get_log()


class CurrentService:
    """Holds the current service. A call reads ``service`` once, so that one version of the content judges all of it."""

    def __init__(self, settings: Settings, service: Service, authenticator: Authenticator) -> None:
        self.service = service
        self.refused_at: datetime | None = None
        self.open_points = _open_points(settings)
        """The page of questions for a clinician (``OPEN.md``), in Markdown; empty if there is none."""
        self._settings = settings
        self._authenticator = authenticator
        self._reloads: set[asyncio.Task[bool]] = set()

    async def reload(self) -> bool:
        """Reload the content and the clients file. Returns False, and keeps the old ones, if either has an error."""
        try:
            fresh = await asyncio.to_thread(Service.from_settings, self._settings)
            open_points = await asyncio.to_thread(_open_points, self._settings)
            self._authenticator.use(fresh.clients)
        except (KneeCdsError, OSError) as error:
            self.refused_at = datetime.now(UTC)
            problems = getattr(error, "problems", ())
            log.error(
                "reload_refused", error=type(error).__name__, count=len(problems), content=self.service.content.version
            )
            for problem in problems[:20]:
                log.error("reload_problem", file=problem.file, place=problem.place, message=problem.message)
            return False
        was, self.service = self.service.content.version, fresh
        self.refused_at, self.open_points = None, open_points
        log.warning("reloaded", was=was, content=fresh.content.version)
        return True

    def reload_on_hangup(self) -> None:
        """Reload on SIGHUP, unless the service runs in a terminal: then SIGHUP ends it, as usual."""
        if sys.stdin is not None and sys.stdin.isatty():
            return
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread, or no such signal
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)

    def _hang_up(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)


def _open_points(settings: Settings) -> str:
    path = settings.cards / OPEN_PAGE
    return path.read_text(encoding="utf-8") if path.is_file() else ""

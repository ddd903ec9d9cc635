"""What the routes answer from: the content and clients as last loaded, exchanged whole when they are loaded anew."""

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
    """The service of this moment. A call takes ``service`` once, so that it is judged by one content throughout."""

    def __init__(self, settings: Settings, service: Service, authenticator: Authenticator) -> None:
        self.service = service
        self.refused_at: datetime | None = None
        self.open_points = _open_points(settings)
        """What is open for a clinician, in Markdown; empty if nobody has written it."""
        self._settings = settings
        self._authenticator = authenticator
        self._reloads: set[asyncio.Task[bool]] = set()

    async def reload(self) -> bool:
        """Load the content and the clients file anew; if anything is wrong with them, all stays as it was."""
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
            for one in problems[:20]:
                log.error("reload_problem", file=one.file, place=one.place, message=one.message)
            return False
        was, self.service = self.service.content.version, fresh
        self.refused_at, self.open_points = None, open_points
        log.warning("reloaded", was=was, content=fresh.content.version)
        return True

    def reload_on_hangup(self) -> None:
        """``kill -HUP`` reloads, unless a person started the service: then it ends with its terminal."""
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

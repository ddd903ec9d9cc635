"""Keeps the SQLite file readable only by the service's own user, independent of the umask of the process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cds_service.base.logs import get_log

log = get_log()

MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BESIDE = ("-wal", "-shm", "-journal")
"""Files beside the database. SQLite creates them with the mode of the database file."""


def keep_private(path: Path) -> None:
    """Create the file if it does not exist, and remove the rights of other users on it and the files beside it.

    Failures are logged. If the file cannot be created at all, SQLite reports it.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    except FileExistsError:
        for file in (path, *(path.with_name(path.name + ending) for ending in _BESIDE)):
            _tighten(file)
    except OSError:
        return
    else:
        os.fchmod(handle, MODE)  # the umask may have removed rights that the service itself needs
        os.close(handle)


def _tighten(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or not mode & _OTHERS:
            return
        path.chmod(MODE)
    except FileNotFoundError:
        return
    except OSError as error:
        log.error("database_file_open_to_others", file=path.name, error=type(error).__name__)
    else:
        log.warning("database_file_tightened", file=path.name, was=f"{stat.S_IMODE(mode):04o}")

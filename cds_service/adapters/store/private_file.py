"""The file of SQLite, readable by the service's own user alone, whatever the process's umask is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cds_service.base.logs import get_log

log = get_log()

MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BESIDE = ("-wal", "-shm", "-journal")
"""SQLite gives the files beside a database the mode of the database itself, when it makes them."""


def keep_private(path: Path) -> None:
    """Make the file if there is none, and take it and those beside it away from everybody else.

    Where that cannot be done, the log says so; whether there can be a database at all, SQLite says itself.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    except FileExistsError:
        for one in (path, *(path.with_name(path.name + ending) for ending in _BESIDE)):
            _tighten(one)
    except OSError:
        return
    else:
        os.fchmod(handle, MODE)  # a umask may have taken away what the service itself needs
        os.close(handle)


def _tighten(path: Path) -> None:
    try:
        was = path.stat().st_mode
        if not stat.S_ISREG(was) or not was & _OTHERS:
            return
        path.chmod(MODE)
    except FileNotFoundError:
        return
    except OSError as error:
        log.error("database_file_open_to_others", file=path.name, error=type(error).__name__)
    else:
        log.warning("database_file_tightened", file=path.name, was=f"{stat.S_IMODE(was):04o}")

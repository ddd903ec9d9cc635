"""Nobody but the service's own user may read the card log's file, from its first moment."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cds_service.adapters.store.store import Store
from tests.adapters.store.test_store import card_row, feedback_row
from tests.processes import serving


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {file.name: f"{stat.S_IMODE(file.stat().st_mode):04o}" for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077, 0o177, 0o777])
def test_the_file_and_those_beside_it_are_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        store = Store.open(f"sqlite:///{tmp_path}/cards.db")
        store.migrate()
        store.add([card_row()], [feedback_row()])
        found = modes(tmp_path)
        store.close()
    assert found == dict.fromkeys(("cards.db", "cards.db-shm", "cards.db-wal"), "0600")


@pytest.mark.parametrize("mode", [0o644, 0o664, 0o640, 0o604, 0o777])
def test_a_file_that_others_can_read_is_tightened_and_the_log_says_so(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    """As an older release left it, with another process still at work."""
    path = tmp_path / "cards.db"
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("CREATE TABLE something (x)")
    other.commit()
    for file in tmp_path.iterdir():
        file.chmod(mode)
    store = Store.open(f"sqlite:///{path}")
    store.migrate()
    assert set(modes(tmp_path).values()) == {"0600"}
    store.add([card_row()], [])
    store.close()
    other.close()
    said = [record.getMessage() for record in caplog.records if "database_file_tightened" in record.getMessage()]
    assert len(said) == 3
    assert f"{mode:04o}" in said[0]


def test_a_private_file_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        store = Store.open(f"sqlite:///{tmp_path}/cards.db")
        store.migrate()
        store.close()
    assert "database_file" not in caplog.text


def test_a_file_that_is_made_again_is_private_too(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/cards.db")
    with umask(0):
        store.migrate()
        store.close()
        (tmp_path / "cards.db").unlink()
        store.migrate()
    assert modes(tmp_path)["cards.db"] == "0600"
    store.close()


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A folder in the place of the file is left as it is; SQLite says that it is no database."""
    (tmp_path / "cards.db").mkdir(mode=0o755)
    store = Store.open(f"sqlite:///{tmp_path}/cards.db")
    with pytest.raises(Exception, match="unable to open"):
        store.migrate()
    assert modes(tmp_path) == {"cards.db": "0755"}


def test_the_served_process_keeps_its_file_private(tmp_path: Path) -> None:
    with umask(0o022), serving(tmp_path, database_url=f"sqlite:///{tmp_path}/cards.db"):
        found = modes(tmp_path)
    assert {found[name] for name in found if name.startswith("cards.db")} == {"0600"}

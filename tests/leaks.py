"""Everything that leaves the service during the tests, looked through for canaries.

The invented patients carry strings that start with ``canary-`` in names, identifiers and telephone numbers; the tests'
access tokens do too. Whatever answers, logs, counts, audits or stores must not hold one, nor the signature of a token.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, create_engine, inspect, select

CANARY = re.compile(rb"canary-[a-z0-9-]+")


class Leaks:
    """What was looked through, by kind and amount, and every canary found. Texts are looked at and let go."""

    def __init__(self) -> None:
        self.looked_through: Counter[str] = Counter()
        self.found: list[tuple[str, bytes]] = []
        self.signatures: set[bytes] = set()

    def look(self, kind: str, text: bytes | str) -> None:
        """Look for canaries and signatures in something that has left the service."""
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self.looked_through[kind] += 1
        self.found += [(kind, canary) for canary in CANARY.findall(raw)]
        if self.signatures:
            words = set(re.findall(rb"[A-Za-z0-9_-]{60,}", raw))
            self.found += [(kind, b"signature of a token") for _ in words & self.signatures]

    def look_into_database(self, url: str) -> None:
        """Every column of every row of every table, and for SQLite the bytes of its files too.

        Raises:
            SQLAlchemyError, sqlite3.Error: there is no such database.
        """
        if url.startswith("sqlite:///"):
            self._look_into_file(Path(url.removeprefix("sqlite:///")))
            return
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        try:
            tables = MetaData()
            tables.reflect(engine, only=inspect(engine).get_table_names())
            with engine.connect() as connection:
                for table in tables.sorted_tables:
                    for row in connection.execute(select(table)):
                        self.look(f"table {table.name}", repr(tuple(row)))
        finally:
            engine.dispose()

    def _look_into_file(self, file: Path) -> None:
        """Without SQLAlchemy, which takes longer than most tests to find out which tables there are."""
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as connection:
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    self.look(f"table {table}", repr(row))
        for path in file.parent.glob(f"{file.name}*"):
            self.look("file of the database", path.read_bytes())


LEAKS = Leaks()


class Listener(logging.Handler):
    """Hears every record at every level, whole: message, arguments and trace."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("pixeltable", "hypothesis")):
            return
        LEAKS.look("log", self.format(record) + repr(record.args))


_IS_THE_CHART = re.compile(r"/samples$|/sandbox/(fhir|charts/[0-9a-f]+/(fhir|request|orders))(/|$)")
"""Answers of the sandbox whose purpose is to give an invented chart back as it is. Its pages are looked at."""


class Watched:
    """ASGI middleware around the whole application: looks at every answer that goes out."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _IS_THE_CHART.match(scope["path"]):
            await self.app(scope, receive, send)
            return
        kind = "answer"

        async def seen(message: Any) -> None:
            nonlocal kind
            if message["type"] == "http.response.start":
                kind = f"answer {message['status'] // 100}xx"
                LEAKS.look(kind, repr(message["headers"]))
            elif message["type"] == "http.response.body":
                LEAKS.look(kind, message.get("body", b""))
            await send(message)

        await self.app(scope, receive, seen)


def canaries_in(folder: Path) -> Iterator[tuple[str, set[bytes]]]:
    """Each example with its canaries."""
    for path in sorted(folder.glob("*.json")):
        json.loads(path.read_bytes())
        yield path.stem, set(CANARY.findall(path.read_bytes()))

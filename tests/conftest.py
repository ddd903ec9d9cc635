"""Shared by all tests: the reference day of the examples, the content, and a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import socket
import sqlite3
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import orjson
import psycopg
import pytest
import requests
import uvicorn
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from cds_service.adapters.store.store import Store
from cds_service.base.collector import started
from cds_service.base.files import read_texts
from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.load import load
from cds_service.protocol.queries import Plan, Style, plan_of
from cds_service.rendering.orders.requests import check_templates
from cds_service.service.evaluate import Service
from cds_service.web.app import create_app
from cds_service.web.server import server_config
from tests.leaks import LEAKS, Watched
from tests.postgres import postgres_server

pytest_plugins = ["tests.leaks_judged"]

Case = TypeVar("Case")
ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "fhir_examples"
NOW = datetime(2026, 3, 16, 14, 2, tzinfo=UTC)
"""The reference day of the examples, at two minutes past two."""

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
hypothesis_settings.register_profile("normal", max_examples=30, deadline=None, suppress_health_check=_slow)
hypothesis_settings.register_profile("long", max_examples=2000, deadline=None, suppress_health_check=_slow)
_profile = os.environ.get("HYPOTHESIS_PROFILE", "normal")
hypothesis_settings.load_profile(_profile)
LONG = _profile == "long"
"""Whether there is time for many more generated inputs."""


def pytest_collection_finish() -> None:
    """What is imported by now stays until the end, so the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def one_in(parts: int, cases: Sequence[Case], first: int = 0) -> Sequence[Case]:
    """Every ``parts``-th of ``cases``, beginning at ``first``; all of them in the long profile.

    For work that is alike for each example. Tests begin at different places, so that together they meet every example.
    """
    return cases if LONG else cases[first % parts :: parts]


@cache
def stories() -> dict[str, dict[str, Any]]:
    """The stories of the invented patients with what must and must not be shown. Read once: nobody changes them."""
    found = tomllib.loads((EXAMPLES / "stories.toml").read_text(encoding="utf-8"))
    return {name: story for name, story in found.items() if isinstance(story, dict)}


def bundle(name: str) -> dict[str, Any]:
    """One example as it stands in its file."""
    loaded: dict[str, Any] = orjson.loads((EXAMPLES / f"{name}.json").read_bytes())
    return loaded


@cache
def shipped_service() -> Service:
    """The service as shipped. Property tests call this: a fixture would be printed whole with every failure."""
    return Service.from_settings(Settings())


@pytest.fixture(scope="session")
def service() -> Service:
    """The service as shipped."""
    return shipped_service()


def texts_without_codes(folder: Path = ROOT / "cards") -> dict[str, str]:
    """The shipped content without its long tables of codes, of which most mistakes in content know nothing."""
    texts = read_texts(folder, ".toml", ".tsv")
    return {name: text for name, text in texts.items() if not name.startswith("codes/")}


@pytest.fixture(scope="session")
def content() -> Content:
    """The shipped content."""
    return shipped_service().content


@dataclass(frozen=True)
class Server:
    """A running service."""

    url: str

    def call(self, body: Any, **kwargs: Any) -> requests.Response:
        """POST a patient-view request."""
        return requests.post(f"{self.url}/cds-services/posterior-knee-pain", json=body, timeout=20, **kwargs)

    def call_feedback(self, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
        """POST feedback."""
        url = f"{self.url}/cds-services/posterior-knee-pain/feedback"
        return requests.post(url, json=body, headers=headers, timeout=20)

    def get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        """GET a path."""
        return requests.get(f"{self.url}{path}", headers=headers, timeout=20)

    def wait_for_database(self, seconds: float = 30) -> None:
        """The service answers calls before its tables are made; launches and pages of answers need them."""
        end = time.monotonic() + seconds
        while self.get("/health/ready").json()["database"]["status"] == "starting":
            assert time.monotonic() < end, "the tables have not been made"
            time.sleep(0.02)


@lru_cache(maxsize=16)
def _loaded(texts: frozenset[tuple[str, str]], pathway: str, local_text: str | None) -> Content:
    return load(dict(texts), pathway, local_text)


def check_once(content: Content) -> None:
    """The order templates of a content are checked once: hundreds of servers start on the same."""
    if not content.__dict__.get("checked"):
        check_templates(content)
        content.__dict__["checked"] = True


@cache
def _empty_database() -> bytes:
    """An SQLite file with the tables of today, made once: making them takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/empty.db")
        store.migrate()
        store.close()  # the last connection writes everything into the file
        return Path(folder, "empty.db").read_bytes()


def load_once(texts: Mapping[str, str], pathway: str, local_text: str | None = None) -> Content:
    """The content of these texts, built once: hundreds of servers start on the same, and nothing changes it."""
    return _loaded(frozenset(texts.items()), pathway, local_text)


def plan_once(content: Content, style: Style) -> Plan:
    """The searches of a content, made once: they name thousands of codes."""
    plans: dict[Style, Plan] = content.__dict__.setdefault("plans_of_tests", {})
    if style not in plans:
        plans[style] = plan_of(content, style)
    return plans[style]


@cache
def _shipped_texts(suffixes: tuple[str, ...]) -> Mapping[str, str]:
    return read_texts(ROOT / "cards", *suffixes)


def read_once(folder: Path, *suffixes: str) -> Mapping[str, str]:
    """The shipped files, read once; those of another folder, which a test may change, whenever they are asked for."""
    return _shipped_texts(suffixes) if folder == ROOT / "cards" else read_texts(folder, *suffixes)


def pytest_configure() -> None:
    """Services and commands in this process share what they make of equal content."""
    patch = pytest.MonkeyPatch()
    patch.setattr("cds_service.service.evaluate.read_texts", read_once)
    patch.setattr("cds_service.service.evaluate.load", load_once)
    patch.setattr("cds_service.service.evaluate.check_templates", check_once)
    patch.setattr("cds_service.service.evaluate.plan_of", plan_once)


def _reference_time() -> datetime:
    return NOW


def run_server(settings: Settings, clock: Callable[[], datetime] = _reference_time) -> Iterator[Server]:
    """A real uvicorn on a free loopback port, judging as of the reference day, stopped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        if "database_url" not in settings.model_fields_set:
            Path(folder, "cards.db").touch(0o600)
            Path(folder, "cards.db").write_bytes(_empty_database())
            settings = settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{folder}/cards.db")})
        if "auth" not in settings.model_fields_set:
            settings = settings.model_copy(update={"auth": "open"})
        if settings.audit_folder is None:
            settings = settings.model_copy(update={"audit_folder": Path(folder)})
        yield from _run(settings, clock)
        for file in settings.audit_folder.glob("audit-*") if settings.audit_folder else ():
            LEAKS.look("audit", file.read_bytes())


class _Server(uvicorn.Server):
    """Looks every 20 ms whether it should stop. uvicorn looks every 100 ms, for which hundreds of tests would wait."""

    async def main_loop(self) -> None:
        ticks = itertools.count(1)
        while not await self.on_tick(next(ticks)):
            await asyncio.sleep(0.02)


@cache
def _settle() -> None:
    """Let the collector skip what is loaded, as in a process that serves."""
    gc.collect()
    started()


def _run(settings: Settings, clock: Callable[[], datetime]) -> Iterator[Server]:
    taken = socket.create_server(("127.0.0.1", 0), backlog=2048)  # from now on, so that no other process takes it
    port = taken.getsockname()[1]
    settings = settings.model_copy(update={"port": port})
    app = create_app(settings, clock=clock)
    _settle()
    server = _Server(server_config(Watched(app), settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server has not come up"
        threading.Event().wait(0.005)
    try:
        yield Server(f"http://127.0.0.1:{port}")
        LEAKS.look("metrics", requests.get(f"http://127.0.0.1:{port}/metrics", timeout=20).content)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
    with contextlib.suppress(SQLAlchemyError, sqlite3.Error):  # some tests take the database away
        LEAKS.look_into_database(settings.database_url.get_secret_value())


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a PostgreSQL server for all tests of this process."""
    with postgres_server() as running:
        yield running.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    return empty_database(request.param, request, tmp_path)


def empty_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """URL of an empty database: ``sqlite`` in ``folder``, or ``postgresql``."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/cards.db"
    return new_database(request.getfixturevalue("postgres"))


def new_database(server_url: str) -> str:
    """URL of a new database on a PostgreSQL server."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The shipped service over HTTP."""
    yield from run_server(Settings())

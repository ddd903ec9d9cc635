"""Several replicas for real: three services on one PostgreSQL behind the nginx that is shipped, under load, while
one of them is killed and the database is restarted."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import trustme
from sqlalchemy import select

from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import cards, feedback
from cds_service.service.examples import as_request, bundles
from tests.conftest import EXAMPLES, ROOT
from tests.postgres import Postgres, postgres_server
from tests.processes import Process, free_port, serving
from tests.tokens import PATH, Signer, key_server

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
PUBLIC = "https://cds.example"
KEY = "0123456789abcdef"
AT_ONCE = 6
PAUSE = 0.1
"""Seconds between two calls of one EHR: enough load to see a gap, and it leaves the other tests their processor."""
pytestmark = pytest.mark.skipif(not Path(NGINX).exists(), reason="nginx is not installed (Debian package nginx-light)")


def proxied(folder: Path, ports: list[int], port: int, authority: trustme.CA) -> str:
    """The shipped configuration with this machine's paths, ports and certificate."""
    certificate = authority.issue_cert("127.0.0.1", "cds.example")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    servers = "".join(f"        server 127.0.0.1:{one} max_fails=1 fail_timeout=2s;\n" for one in ports)
    text, upstreams = re.subn(r"( *server [\w.-]+:8000[^;]*;\n)+", servers, text)
    assert upstreams == 1
    text = re.sub(r"listen \[::\]:\d+[^;]*;", "", text)
    text = re.sub(r"listen 80\d*;", f"listen 127.0.0.1:{free_port()};", text)
    text = re.sub(r"listen \d+ ssl( http2)?;", f"listen 127.0.0.1:{port} ssl;", text)
    text = re.sub(r"(ssl_certificate) [^;]+;", rf"\1 {folder}/cert.pem;", text)
    text = re.sub(r"(ssl_certificate_key) [^;]+;", rf"\1 {folder}/key.pem;", text)
    text = re.sub(r"(access_log|error_log) [^;\s]+", rf"\1 {folder}/nginx.log", text)
    text = re.sub(r"(?m)^(user|pid) [^;]+;\n", "", text)
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = re.sub(r"(?m)^ *\w+_temp_path [^;]+;\n", "", text)
    return text.replace("http {\n", f"http {{\n{temporary}", 1)


@contextmanager
def nginx(folder: Path, ports: list[int], authority: trustme.CA) -> Iterator[str]:
    """nginx on a free port until the block ends; its base URL."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(proxied(folder, ports, port, authority), encoding="utf-8")
    command = [
        NGINX,
        "-c",
        str(config),
        "-p",
        str(folder),
        "-e",
        str(folder / "nginx.log"),
        "-g",
        f"daemon off; pid {folder}/pid;",
    ]
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        for _ in range(200):
            assert running.poll() is None, (folder / "nginx.log").read_text()
            try:
                requests.get(f"https://127.0.0.1:{port}/health/live", verify=str(folder / "ca.pem"), timeout=2)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(timeout=20)


@dataclass
class Cluster:
    """What runs, and what the load has seen."""

    url: str
    ca: str
    replicas: list[Process]
    signer: Signer
    call: dict[str, Any]
    answers: Counter[str] = field(default_factory=Counter)
    answered_at: list[float] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def token(self, path: str, **claims: Any) -> dict[str, str]:
        now = int(time.time())
        return self.signer.bearer(PUBLIC + path, iat=now, exp=now + 60, **claims)

    def post(self, path: str, body: Any, session: requests.Session, url: str | None = None) -> requests.Response:
        return session.post(f"{url or self.url}{path}", json=body, headers=self.token(path), verify=self.ca, timeout=20)

    def drive(self, *, answering: bool) -> None:
        """One EHR: a call; ``answering``: feedback on its urgent card, sent until acknowledged; and so on."""
        session = requests.Session()
        while not self.over.wait(PAUSE):
            try:
                answer = self.post(PATH, {**self.call, "hookInstance": str(uuid4())}, session)
                urgent = (
                    [card for card in answer.json()["cards"] if card["indicator"] == "critical"] if answer.ok else []
                )
            except requests.RequestException as error:  # also half an answer
                self.answers[f"{type(error).__name__}, no card"] += 1
                continue
            self.answers[f"{answer.status_code} {'urgent' if urgent else 'no card'}"] += 1
            if not urgent:
                continue
            self.answered_at.append(time.monotonic())
            if answering:
                self.override(urgent[0]["uuid"], session)

    def override(self, card: str, session: requests.Session) -> None:
        said = {"card": card, "outcome": "overridden", "outcomeTimestamp": datetime.now(UTC).isoformat()}
        while True:
            try:
                answer = self.post(f"{PATH}/feedback", {"feedback": [said]}, session)
            except requests.RequestException:
                continue
            self.answers[f"feedback {answer.status_code}"] += 1
            if answer.status_code == 200:
                self.kept.append(card)
                return
            if self.over.is_set():
                return
            time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Postgres]]:
    """Three replicas behind nginx for all tests here; the last of them takes parts away."""
    tmp_path = tmp_path_factory.mktemp("cluster")
    signer, authority = Signer(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    bundle = dict(bundles(EXAMPLES, datetime.now(UTC).date()))["dvt-likely"]
    with ExitStack() as stack:
        database = stack.enter_context(postgres_server())
        keys = stack.enter_context(key_server(signer.public()))
        clients = f'[client.north.token]\nissuer = "{signer.issuer}"\njwks_url = "{keys.url}"\n'
        clients += "[client.north.limits]\ncalls_per_minute = 100000\n"
        settings = {
            "auth": "required", "clients_toml": clients, "database_url": database.url, "hash_key": KEY,
            "public_url": PUBLIC, "quiet": "false",
        }  # fmt: skip
        replicas = [stack.enter_context(serving(tmp_path, **settings)) for _ in range(3)]
        ports = [int(one.url.rsplit(":", 1)[1]) for one in replicas]
        url = stack.enter_context(nginx(tmp_path, ports, authority))
        yield Cluster(url, str(tmp_path / "ca.pem"), replicas, signer, as_request(bundle, str(uuid4()))), database


def test_a_token_counts_once_for_all_replicas(cluster: tuple[Cluster, Postgres]) -> None:
    """Whichever replica sees it first, the others refuse it, and so does the proxy."""
    running, _ = cluster
    for first in running.replicas:
        token = running.token(PATH)
        urls = [first.url, *(one.url for one in running.replicas), running.url]
        codes = [
            requests.post(f"{url}{PATH}", json=running.call, headers=token, verify=running.ca, timeout=20).status_code
            for url in urls
        ]
        assert codes == [200, 401, 401, 401, 401]


def test_what_is_not_for_the_outside_stays_inside(cluster: tuple[Cluster, Postgres]) -> None:
    running, _ = cluster
    told = {path: requests.get(running.url + path, verify=running.ca, timeout=20).status_code
            for path in ("/metrics", "/health/ready", "/health/live", "/cds-services")}  # fmt: skip
    assert told == {"/metrics": 404, "/health/ready": 404, "/health/live": 200, "/cds-services": 200}


def test_a_killed_replica_and_a_restarted_database_under_load(cluster: tuple[Cluster, Postgres]) -> None:
    """Cards keep coming, no acknowledged feedback is lost, and all is well again afterwards."""
    running, database = cluster
    threads = [threading.Thread(target=running.drive, kwargs={"answering": n % 2 == 0}) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    running.replicas[0].kill()
    time.sleep(3)
    after_kill, kept_before = dict(running.answers), len(running.kept)
    database.stop()
    stopped = time.monotonic()
    time.sleep(3)
    started = time.monotonic()
    database.start()
    time.sleep(4)
    running.over.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)

    # Those in the hands of the killed one get an error, which an EHR shows as no answer; nobody else does.
    failed = {what: count for what, count in running.answers.items() if what not in ("200 urgent", "feedback 200")}
    broken = {"502 no card", "504 no card", "ChunkedEncodingError, no card", "ConnectionError, no card"}
    assert set(failed) <= broken | {"feedback 502", "feedback 503"}, failed
    assert sum(count for what, count in failed.items() if "no card" in what) <= AT_ONCE, failed
    assert failed.get("feedback 503", 0) > 0, "the database was never missed"
    assert after_kill["200 urgent"] > 20
    during = [moment for moment in running.answered_at if stopped < moment < started]
    assert len(during) > 3, "no cards while the database was away"
    gaps = [later - earlier for earlier, later in pairwise(running.answered_at)]
    assert max(gaps) < 10
    assert len(running.kept) > kept_before, "no feedback was taken after the outage"

    store = Store.open(database.url)
    there = {row.card for row in store.stream(select(feedback.c.card))}
    assert set(running.kept) <= there
    registered = {row.uuid for row in store.stream(select(cards.c.uuid))}
    assert len(set(running.kept) & registered) > kept_before / 2
    store.close()

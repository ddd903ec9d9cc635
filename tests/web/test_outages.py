"""It bends and does not break: processes killed, stopped and reloaded under load, and everything around it down."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests
from sqlalchemy import create_engine, text

from cds_service.base.settings import Settings, shipped
from cds_service.service.examples import as_request, moved
from tests import fhir_server as fhir
from tests.conftest import NOW, ROOT, Server, bundle, run_server
from tests.processes import Process, serving
from tests.tokens import ISSUER, PATH, KeyServer, Signer, key_server

KEY = "0123456789abcdef0123456789abcdef"


def good_call(*, today: bool = False) -> dict[str, Any]:
    """A DVT chart, opened by somebody new; ``today``: for a service that goes by the clock on the wall."""
    chart = bundle("dvt-likely")
    if today:
        chart = moved(chart, (datetime.now(UTC).date() - NOW.date()).days)
    call = as_request(chart, str(uuid4()))
    call["context"]["userId"] = f"Practitioner/{uuid4()}"
    return call


def item(card: str) -> dict[str, Any]:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def is_gone(process: Process, worker: int) -> bool:
    """``worker``: its pid. It may have been replaced by now."""
    running = workers(process)
    return len(running) < 2 or worker not in [one.pid for one in running]


def workers(process: Process) -> list[psutil.Process]:
    found = []
    for one in psutil.Process(process.running.pid).children():
        with contextlib.suppress(psutil.Error):  # it may be gone by now
            found += [one] if "spawn_main" in " ".join(one.cmdline()) else []
    return found


def answers(process: Process) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{process.url}/health/live", timeout=2).status_code == 200
    return False


def test_a_worker_that_is_killed_loses_nothing_and_comes_back(tmp_path: Path, database_url: str) -> None:
    """Two workers under load, one of them killed twice: what was acknowledged is there, and the service goes on."""
    with serving(tmp_path, workers="2", database_url=database_url) as process:
        until(lambda: len(workers(process)) == 2 and answers(process))
        stop, acknowledged, odd = threading.Event(), [], []

        def send(number: int) -> None:
            count = 0
            while not stop.wait(0.1):
                card = f"{number}-{count}"
                count += 1
                with contextlib.suppress(requests.RequestException):
                    url = f"{process.url}{PATH}"
                    answer = requests.post(f"{url}/feedback", json={"feedback": [item(card)]}, timeout=20)
                    if answer.status_code == 200:
                        acknowledged.append(card)
                    elif answer.status_code != 503:
                        odd.append(answer.status_code)
                    call = requests.post(url, json=good_call(today=True), timeout=20)
                    if call.status_code != 200 or not call.json()["cards"]:
                        odd.append(call.status_code)

        with ThreadPoolExecutor(6) as pool:
            running = [pool.submit(send, number) for number in range(6)]
            try:
                for _ in range(2):
                    time.sleep(1)
                    victim = workers(process)[0]
                    victim.kill()
                    until(partial(is_gone, process, victim.pid))
                    until(lambda: len(workers(process)) == 2)
                time.sleep(1)
            finally:
                stop.set()
            for one in running:
                one.result()
        assert odd == []
        assert len(acknowledged) > 20
        assert answers(process)
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        kept = set(connection.execute(text("SELECT card FROM feedback")).scalars())
    engine.dispose()
    assert set(acknowledged) <= kept


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_stop_finishes_what_is_in_flight(tmp_path: Path, count: str) -> None:
    with fhir.running({}) as ehr:
        for key in fhir.KEYS.values():
            ehr.behaviours[key] = fhir.after(1.0, fhir.body(fhir.empty()))
        call = good_call(today=True)
        del call["prefetch"]["procedures"]
        call["fhirServer"] = ehr.url
        call["fhirAuthorization"] = {
            "access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"
        }  # fmt: skip
        settings = {"workers": count, "fhir_servers": ehr.url, "fhir_deadline_ms": "3000"}
        with serving(tmp_path, **settings) as process, ThreadPoolExecutor(4) as pool:
            until(lambda: answers(process))
            held = [pool.submit(requests.post, process.url + PATH, json=call, timeout=20) for _ in range(4)]
            until(lambda: ehr.connections >= 4)
            process.running.terminate()
            for one in held:
                assert one.result().status_code == 200
                assert one.result().json()["cards"]
            assert process.running.wait(60) in (0, -signal.SIGTERM)


def health(process: Process) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{process.url}/health/ready", timeout=10).json()
    return found


@pytest.mark.parametrize("count", ["1", "2"])
def test_wrong_content_at_a_reload_leaves_the_old(tmp_path: Path, count: str) -> None:
    cards = tmp_path / "cards"
    shutil.copytree(shipped("cards"), cards)
    file = cards / "causes" / "bakers_cyst.toml"
    right = file.read_text(encoding="utf-8")
    with serving(tmp_path, cards=str(cards), workers=count, hash_key=KEY) as process:
        until(lambda: answers(process))
        before = health(process)["content"]
        file.write_text(right.replace("prior", "priro"), encoding="utf-8")
        process.running.send_signal(signal.SIGHUP)
        log = next(tmp_path.glob("serve-*.log"))
        refused = "reload_refused" if count == "1" else "worker_not_started"
        until(lambda: refused in log.read_text())
        assert answers(process)
        assert health(process)["content"] == before
        assert requests.post(process.url + PATH, json=good_call(today=True), timeout=20).json()["cards"]
        if count == "1":
            assert "refused" in health(process)["reload"]
            assert "bakers_cyst.toml" in log.read_text()
            assert "priro" in log.read_text()
        file.write_text(right.replace("title = ", "title = ", 1) + "\n# looked at again\n", encoding="utf-8")
        process.running.send_signal(signal.SIGHUP)
        until(lambda: health(process)["content"] != before if answers(process) else False)
        assert "reload" not in health(process)
        assert requests.post(process.url + PATH, json=good_call(today=True), timeout=20).json()["cards"]


def test_a_terminal_that_closes_ends_the_service(tmp_path: Path) -> None:
    """Started by a person, the service goes with the terminal instead of taking the hang-up for a reload."""
    master, slave = os.openpty()
    with serving(tmp_path, stdin=slave) as process:
        until(lambda: answers(process))
        process.running.send_signal(signal.SIGHUP)
        assert process.running.wait(60) != 0
    os.close(master)
    os.close(slave)


# ---- everything around it down: the table of deploy/README.md, row by row ----


def outage_table() -> list[list[str]]:
    manual = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    part = manual.split("## What the caller sees when something is down")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


class Around:
    """A service with its database, FHIR server and key server, each of which can be taken away."""

    def __init__(self, folder: Path, ehr: fhir.FhirServer, keys: KeyServer) -> None:
        self.signer = Signer()
        keys.keys = [self.signer.public()]
        self.folder, self.ehr, self.keys = folder, ehr, keys
        (folder / "data").mkdir()
        text = f"""
[client.north]
fhir_servers = ["{ehr.url}"]
[client.north.token]
issuer = "{ISSUER}"
jwks_url = "{keys.url}"
"""
        self.settings = Settings(
            auth="required", clients_toml=text, fhir_servers=(ehr.url,), database_url=f"sqlite:///{folder}/data/r.db"
        )

    def take_away(self, what: str) -> None:
        if what == "database":
            shutil.move(self.folder / "data", self.folder / "elsewhere")
        elif what == "FHIR server":
            for key in fhir.KEYS.values():
                self.ehr.behaviours[key] = fhir.resets
        elif what == "key server":
            self.keys.status, self.keys.body = 500, b"down"


def seen(around: Around, server: Server) -> list[str]:
    """What three calls and the health page tell, in the words of the table."""
    url = server.url + PATH
    whole = server.call(good_call(), headers=around.signer.bearer(url))
    lacking = good_call()
    del lacking["prefetch"]["procedures"]
    lacking["fhirServer"] = around.ehr.url
    lacking["fhirAuthorization"] = {
        "access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"
    }  # fmt: skip
    partly = server.call(lacking, headers=around.signer.bearer(url))
    bare = (
        good_call()
        | {"prefetch": {}, "fhirServer": around.ehr.url}
        | {"fhirAuthorization": lacking["fhirAuthorization"]}
    )
    nothing = server.call(bare, headers=around.signer.bearer(url))
    said = server.call_feedback({"feedback": [item(str(uuid4()))]}, around.signer.bearer(f"{url}/feedback"))
    return [words(whole), words(partly), words(nothing), words(said)]


def words(answer: requests.Response) -> str:
    if answer.status_code == 200 and "cards" in answer.text:
        cards = answer.json()["cards"]
        assert cards, "nothing may turn an urgent card into silence"
        assert cards[0]["indicator"] == "critical"
        named = " that say what is missing" if "Not available" in cards[0]["detail"] else ""
        return f"200, cards{named}"
    again = " and `Retry-After`" if "Retry-After" in answer.headers else ""
    return f"{answer.status_code}{again}"


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Around]:
    prefetch = as_request(bundle("dvt-likely"), str(uuid4()))["prefetch"]
    with fhir.running(prefetch) as ehr, key_server() as keys:
        yield Around(tmp_path, ehr, keys)


def until_the_database_is(server: Server, state: str) -> None:
    until(lambda: server.get("/health/ready").json()["database"]["status"] == state)


@pytest.mark.parametrize("row", outage_table(), ids=lambda row: row[0])
def test_what_the_caller_sees(around: Around, row: list[str]) -> None:
    down = [part.strip() for part in re.split(r",| and ", row[0]) if part.strip() != "nothing"]
    at_the_start = "key server since the start" in down
    if at_the_start:
        around.take_away("key server")
    for server in run_server(around.settings):
        until_the_database_is(server, "up")
        for what in down:
            around.take_away(what)
        if "database" in down and not at_the_start:
            server.call_feedback({"feedback": [item("x")]}, around.signer.bearer(f"{server.url}{PATH}/feedback"))
            until_the_database_is(server, "down")
        assert seen(around, server) == row[1:]
        assert server.get("/health/live").status_code == 200
        if "database" in down:
            assert server.get("/health/ready").json()["database"]["status"] == "down"
        if at_the_start:
            assert server.get("/health/ready").json()["keys"]["failing"] == 1


def test_a_token_is_good_once_also_without_the_database(around: Around, caplog: pytest.LogCaptureFixture) -> None:
    """Each process remembers for itself then, and says so."""
    for server in run_server(around.settings):
        until_the_database_is(server, "up")
        around.take_away("database")
        header = around.signer.bearer(server.url + PATH)
        assert server.call(good_call(), headers=header).status_code == 200
        assert server.call(good_call(), headers=header).status_code == 401
        assert "tokens_not_shared" in caplog.text
        assert server.get("/health/ready").json()["tokens"] == "not shared with other processes"
        assert "knee_cds_tokens_shared 0.0" in server.get("/metrics").text

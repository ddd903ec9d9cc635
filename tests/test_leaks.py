"""No patient data in answers, logs, metrics, audit or database; and the run fails for any that left in any test."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import pytest

from cds_service.base.logs import FIELDS, get_log
from cds_service.base.settings import Settings
from cds_service.service.examples import as_request
from tests.conftest import EXAMPLES, ROOT, Server, bundle, one_in, run_server, stories
from tests.leaks import LEAKS, Leaks, canaries_in
from tests.tokens import ISSUER, PATH, Signer, key_server


def test_every_example_carries_canaries() -> None:
    found = dict(canaries_in(EXAMPLES))
    assert set(found) == set(stories())
    for name, canaries in found.items():
        kinds = {canary.split(b"-")[1] for canary in canaries}
        assert {b"name", b"mrn", b"phone"} <= kinds, name


def test_a_leak_would_be_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leaks = Leaks()
    for place in ("log", "answer"):
        leaks.look(place, "a line with canary-name-1234abcd in it")
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute("INSERT INTO t VALUES ('canary-mrn-1234abcd')")
    leaks.look_into_database(f"sqlite:///{path}")
    assert [kind for kind, _ in leaks.found] == ["log", "answer", "table t", "file of the database"]
    token = Signer().token("u")
    leaks.signatures = LEAKS.signatures
    leaks.look("log", f"Bearer {token}")
    assert leaks.found[-1] == ("log", b"signature of a token")


def test_a_log_line_takes_named_fields_only(caplog: pytest.LogCaptureFixture) -> None:
    log = get_log()
    with caplog.at_level("INFO"):
        log.info("call", cards=1, patient="Doe", client="x" * 1000, rule="a\r\nb\x1b[31m\u202e", error=ValueError("é"))
    assert caplog.records[-1].msg == {
        "event": "call",
        "level": "info",
        "cards": 1,
        "client": "x" * 297 + "...",
        "rule": "a\ufffd\ufffdb\ufffd[31m\ufffd",
        "error": "é",
        "left_out": 1,
    }
    assert not {"patient", "user", "name", "token", "body", "url"} & FIELDS


@pytest.mark.parametrize("auth", ["open", "required"])
def test_every_example_with_everything_on(auth: str) -> None:
    """Each invented patient through the service, the cards answered, and a word of each kind that goes wrong.

    In the normal profile each patient with one of the two ways to sign in.
    """
    before = Counter(LEAKS.looked_through)
    signer = Signer()
    with key_server(signer.public()) as keys:
        text = f'[client.north.token]\nissuer = "{ISSUER}"\njwks_url = "{keys.url}"\n'
        settings = Settings.model_validate({"auth": auth, "clients_toml": text, "log_level": "debug"})
        for server in run_server(settings):
            _all_calls(server, signer, one_in(2, sorted(stories()), first=auth == "open"))
    looked_through = LEAKS.looked_through - before
    assert looked_through["answer 2xx"] > 100
    assert looked_through["answer 4xx"] > 100
    assert all(looked_through[kind] > 0 for kind in ("log", "table card", "metrics", "audit"))
    assert LEAKS.found == []


CHANGES: tuple[dict[str, object], ...] = (
    {},
    {"prefetch": {}},
    {"prefetch": {"patient": "canary-text"}},
    {"context": {"patientId": "canary-id"}},
)


def _all_calls(server: Server, signer: Signer, names: Iterable[str]) -> None:
    url = server.url + PATH
    for name in names:
        call = as_request(bundle(name), str(uuid4()))
        call["fhirServer"] = "https://ehr.example/canary-path"
        call["fhirAuthorization"] = {
            "access_token": "canary-token", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"
        }  # fmt: skip
        for change in CHANGES:
            answer = server.call(call | change, headers=signer.bearer(url, sub="canary-sub"))
            assert answer.status_code in (200, 400, 412)
            for card in answer.json().get("cards", ()):
                item = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}
                kept = server.call_feedback(
                    {"feedback": [item, {"card": "canary-card"}]}, signer.bearer(f"{url}/feedback")
                )
                assert kept.status_code == 400


PLANTED = """
import logging
import os

import pytest

@pytest.mark.parametrize("number", range(6))
def test_one(number):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "the only process")
    logging.getLogger("x").warning("here is %s", "canary-name-1234abcd" if worker == {leaks!r} else "nothing")
    if worker == {dies!r}:
        os._exit(1)
"""


@pytest.mark.parametrize(
    ("leaks", "dies", "said"),
    [
        ("nowhere", "none", "no patient data in 6 answers"),
        ("gw0", "none", "gw0: canary-name-1234abcd in log"),
        ("gw1", "none", "gw1: canary-name-1234abcd in log"),
        ("nowhere", "gw0", "gw0 ended without saying what it had found"),
        ("the only process", "none", "canary-name-1234abcd in log"),
    ],
)
def test_a_leak_in_any_process_fails_the_run(tmp_path: Path, leaks: str, dies: str, said: str) -> None:
    (tmp_path / "test_planted.py").write_text(PLANTED.format(leaks=leaks, dies=dies))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p tests.leaks_judged -p no:cacheprovider")
    processes = [] if leaks == "the only process" else ["-p", "xdist", "-n", "2", "--dist", "worksteal"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *processes],
        cwd=tmp_path,
        env=inherited | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said in ran.stdout, ran.stdout + ran.stderr
    assert (ran.returncode == 0) == (leaks == "nowhere" and dies == "none"), ran.stdout
    assert "6 passed" in ran.stdout or dies != "none"

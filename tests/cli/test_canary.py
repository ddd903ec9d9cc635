"""``knee-cds canary`` and ``knee-cds purge`` against a running service and a real database."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cds_service.adapters.store.reports import report
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import cards
from cds_service.base.settings import Settings
from cds_service.cli.main import main
from tests.adapters.store.test_store import card_row, feedback_row
from tests.conftest import Server, run_server
from tests.tokens import Signer


def today() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Server]:
    """A service that judges as of today, as the canary does."""
    settings = Settings(auth="open", database_url=f"sqlite:///{tmp_path}/live.db")
    yield from run_server(settings, today)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server whose every answer is this; not ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listener = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_address[1]}"
    listener.shutdown()
    listener.server_close()
    thread.join(5)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_all_is_well(live: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    textfile = tmp_path / "canary.prom"
    assert main(["canary", live.url, "--within", "20", "--textfile", str(textfile)]) == 0
    assert "urgent card came in" in said(capsys)
    values = dict(line.split() for line in textfile.read_text().splitlines() if not line.startswith("#"))
    assert values["knee_cds_canary_ok"] == "1.0"
    assert float(values["knee_cds_canary_seconds"]) > 0
    assert abs(float(values["knee_cds_canary_timestamp_seconds"]) - today().timestamp()) < 60
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == ["canary.prom"]


def test_it_passes_for_no_patient(live: Server, tmp_path: Path) -> None:
    """Neither a metric nor the report of what clinicians saw counts it: it would hide that nothing fires."""
    assert main(["canary", live.url, "--within", "20"]) == 0
    metrics = live.get("/metrics").text
    assert "knee_cds_canary_calls_total 1.0" in metrics
    carded = [line for line in metrics.splitlines() if line.startswith("knee_cds_cards_total{")]
    assert {line.rsplit(" ", 1)[1] for line in carded} == {"0.0"}
    assert 'knee_cds_calls_total{outcome="urgent"} 0.0' in metrics
    store = Store.open(f"sqlite:///{tmp_path}/live.db")
    waited = threading.Event()
    for _ in range(500):
        with suppress(OperationalError):  # the card log makes its tables beside the first calls
            if list(store.stream(select(cards.c.uuid))):
                break
        waited.wait(0.02)
    assert list(store.stream(select(cards.c.user).distinct())) == [("Practitioner/knee-cds-canary",)]
    assert report(store).lines == ()
    store.close()


def a_card(**changes: Any) -> bytes:
    card = {"summary": "Something", "indicator": "critical", "detail": "x", "links": [{"url": "https://x"}]}
    return json.dumps({"cards": [{**card, **changes}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b'{"cards": []}', "there is no card"),
        (200, b'{"cards": null}', "holds no list of cards"),
        (200, b"<html>", "holds no list of cards"),
        (200, a_card(), "unexpected card, critical: Something"),
        (200, a_card(indicator="info"), "missing card, critical: Suspected DVT"),
        (200, a_card(links=[]), "no link to the order"),
        (500, b"{}", "status 500 instead of 200"),
        (302, b"", "status 302 instead of 200"),
    ],
)
def test_a_wrong_answer_is_loud(
    status: int, body: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    textfile = tmp_path / "canary.prom"
    with answering(status, body) as url:
        assert main(["canary", url, "--within", "20", "--textfile", str(textfile)]) == 1
    assert words in said(capsys)
    assert "knee_cds_canary_ok 0.0" in textfile.read_text()


def test_no_answer_and_a_late_one_are_loud(live: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["canary", "http://127.0.0.1:9"]) == 1
    assert "no answer: ConnectionError" in said(capsys)
    assert main(["canary", live.url, "--within", "0.000001"]) == 1
    assert "the answer took" in said(capsys)


def test_a_service_with_other_content_is_loud(
    live: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNEE_CDS_PATHWAY", "us_ash2018")
    assert main(["canary", live.url, "--within", "20"]) == 1
    assert "missing card, critical" in said(capsys)


def test_as_a_client_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where callers must bring a token, the canary is a client like any other, known by a key on disk."""
    signer = Signer(issuer="https://canary.example")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.public()]}))
    private = tmp_path / "private.json"
    private.write_text(json.dumps({**signer.key.as_dict(private=True), "kid": signer.kid}))
    clients = tmp_path / "clients.toml"
    clients.write_text(f'[client.canary.token]\nissuer = "{signer.issuer}"\njwks_file = "keys.json"')
    for closed in run_server(Settings(auth="required", clients=clients), today):
        assert main(["canary", closed.url]) == 1
        assert "status 401" in said(capsys)
        signed = ["canary", closed.url, "--within", "20", "--issuer", signer.issuer, "--key", str(private)]
        assert main(signed) == 0
        assert main(signed) == 0  # with a token of its own each time
    monkeypatch.setenv("KNEE_CDS_PUBLIC_URL", "https://cds.example")
    public = Settings(auth="required", clients=clients)
    for closed in run_server(public, today):  # by an address of its own, with a token made out to the public one
        assert main(["canary", closed.url, *signed[2:]]) == 0
    assert main(["canary", "http://127.0.0.1:9", "--issuer", signer.issuer]) == 2


def test_purge(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(database_url)
    store.migrate()
    long_ago = today() - timedelta(days=800)
    store.add(
        [card_row("a", shown_at=long_ago, quiet_until=None), card_row("b", shown_at=today())],
        [feedback_row("1", "a", received_at=long_ago)],
    )
    monkeypatch.setenv("KNEE_CDS_DATABASE_URL", database_url)
    assert main(["purge", "--older-than", "29"]) == 2
    assert main(["purge", "--older-than", "730"]) == 0
    assert "Deleted: 1 card(s) and 1 statement(s) older than 730 days." in said(capsys)
    assert [row.uuid for row in store.stream(select(cards))] == ["b"]
    store.close()

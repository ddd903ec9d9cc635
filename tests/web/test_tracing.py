"""Traces, as a collector on loopback receives them."""

from __future__ import annotations

import gzip
import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from cds_service.base.settings import Settings
from cds_service.cli.main import main
from tests.conftest import run_server
from tests.web.test_hook import STAGES, request_for

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@contextmanager
def collector(received: list[bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listener = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_address[1]}/v1/traces"
    listener.shutdown()
    listener.server_close()
    thread.join(5)


def spans(received: list[bytes]) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in received]
    return [
        span for one in requests for group in one.resource_spans for scope in group.scope_spans for span in scope.spans
    ]


def test_a_span_a_call_and_one_a_stage(tmp_path: Path) -> None:
    received: list[bytes] = []
    with collector(received) as url:
        settings = Settings(auth="open", database_url=f"sqlite:///{tmp_path}/t.db", tracing_url=url)
        for server in run_server(settings):
            header = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "secret=1"}
            assert server.call(request_for("dvt-likely"), headers=header).status_code == 200
            assert server.call({"hook": "patient-view", "context": {"patientId": "canary-7781"}}).status_code == 400
    found = spans(received)
    calls = [span for span in found if span.name == "patient-view"]
    good, bad = calls
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == (TRACE, PARENT)
    stages = [span for span in found if span.parent_span_id == good.span_id]
    assert [span.name for span in stages] == STAGES
    for before, after in itertools.pairwise(stages):
        assert before.end_time_unix_nano == after.start_time_unix_nano
    assert {one.key: one.value.int_value for one in good.attributes} == {"knee_cds.cards": 2}
    assert {one.key: one.value.string_value for one in bad.attributes} == {"error.type": "UnusableInput"}
    assert not bad.events
    sent = b"".join(received)
    patient = request_for("dvt-likely")["context"]["patientId"].encode()
    assert not [word for word in (patient, b"canary-7781", b"Practitioner", b"secret", b"127.0.0.1") if word in sent]


def test_a_collector_that_is_away_disturbs_nobody(tmp_path: Path) -> None:
    settings = Settings(
        auth="open", database_url=f"sqlite:///{tmp_path}/t.db", tracing_url="http://127.0.0.1:9/v1/traces"
    )
    for server in run_server(settings):
        for _ in range(20):
            assert len(server.call(request_for("dvt-likely")).json()["cards"]) == 2


def test_without_the_packages_the_start_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNEE_CDS_TRACING_URL", "http://127.0.0.1:9/v1/traces")
    monkeypatch.setenv("KNEE_CDS_AUTH", "open")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert main(["serve"]) == 2
    assert "needs the package's extra `tracing`" in " ".join(capsys.readouterr().err.split())

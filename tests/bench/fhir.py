"""Fifty calls at once while the chart has to be read from a FHIR server that takes 300 ms, or never answers.

Service, FHIR server and clients are processes of their own, as they are in life; they share the cores of this machine.
Prints the time from sending to the whole answer for each of the fifty; nothing here passes or fails.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import requests
import uvicorn

from cds_service.base.settings import Settings
from cds_service.web.app import create_app
from tests.bench.bodies import body
from tests.conftest import NOW
from tests.processes import free_port

CALLS, ROUNDS = 50, 8
KINDS = {"Patient": "patient", "Observation": "observations"}


class _Fhir(asyncio.Protocol):
    """/300/... answers after 300 ms, /never/... does not. With little work of its own: the cores are shared."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self.answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.way = transport

    def data_received(self, data: bytes) -> None:
        """One GET comes in one piece here."""
        _, server, kind = data.split(b" ", 2)[1].split(b"?")[0].split(b"/")[:3]
        if server == b"300":
            asyncio.get_running_loop().call_later(0.3, self.way.write, self.answers[kind])


def fhir_server(port: int) -> None:
    """The EHR's FHIR server, until killed."""
    gc.disable()  # a pause of its own would be taken for the service's
    chart = orjson.loads(body(60, 6))["prefetch"]
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    answers = {}
    for kind in ("Patient", "Observation", "Condition", "Procedure", "MedicationRequest", "ServiceRequest"):
        content = orjson.dumps(chart[KINDS[kind]] if kind in KINDS else empty)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n"
        answers[kind.encode()] = head % len(content) + content

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Fhir(answers), "127.0.0.1", port, backlog=1000)
        await server.serve_forever()

    asyncio.run(run())


def service(port: int, fhir_port: int, folder: str) -> None:
    """The service, until killed."""
    servers = tuple(f"http://127.0.0.1:{fhir_port}/{kind}" for kind in ("300", "never"))
    settings = Settings(fhir_servers=servers, database_url=f"sqlite:///{folder}/bench.db", port=port, auth="open")
    app = create_app(settings, clock=lambda: NOW)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


async def _one(port: int, data: bytes, start: asyncio.Event) -> tuple[float, int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=10_000_000)
    await start.wait()
    began = time.perf_counter()
    writer.write(
        b"POST /cds-services/posterior-knee-pain HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(data) + data
    )
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    await reader.readexactly(length)
    took = time.perf_counter() - began
    writer.close()
    return took, int(head.split(b" ")[1])


def volley(port: int, data: bytes) -> list[tuple[float, int]]:
    """Fifty calls at once: seconds and status of each."""

    async def run() -> list[tuple[float, int]]:
        start = asyncio.Event()
        calls = [asyncio.create_task(_one(port, data, start)) for _ in range(CALLS)]
        await asyncio.sleep(0.1)
        start.set()
        return list(await asyncio.gather(*calls))

    return asyncio.run(run())


def request(server: str | None, *, sent: bool) -> bytes:
    """A call with the chart in it, or with the patient's id only and a server to read the rest from."""
    call = orjson.loads(body(60, 6))
    if server:
        call["fhirServer"] = server
        call["fhirAuthorization"] = {
            "access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": "s",
        }  # fmt: skip
    if not sent:
        call["prefetch"] = {}
    return orjson.dumps(call)


def clients(port: int, fhir_port: int) -> None:
    """Drive the service and print."""
    gc.disable()
    base = f"http://127.0.0.1:{fhir_port}"
    kinds = {
        "all prefetched": request(None, sent=True),
        "all read, 300 ms": request(f"{base}/300", sent=False),
        "all read, never": request(f"{base}/never", sent=False),
    }
    for _ in range(2):
        for data in kinds.values():
            volley(port, data)
    print(f"{CALLS} at once, {ROUNDS} rounds in turn {'p50 ms':>10} {'p95 ms':>8} {'max ms':>8}  statuses")
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, data in kinds.items():
            found[name] += volley(port, data)
    for name, answers in found.items():
        times = sorted(seconds * 1000 for seconds, _ in answers)
        p95 = times[int(len(times) * 0.95)]
        statuses = {status: sum(1 for _, one in answers if one == status) for _, status in answers}
        print(f"{name:<32} {statistics.median(times):8.0f} {p95:8.0f} {times[-1]:8.0f}  {statuses}")


def main() -> None:
    """Measure and print."""
    context = multiprocessing.get_context("spawn")
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        what: tuple[tuple[Callable[..., None], tuple[Any, ...]], ...] = (
            (fhir_server, (ports[1],)),
            (service, (*ports, folder)),
        )
        workers = [context.Process(target=target, args=arguments) for target, arguments in what]
        for worker in workers:
            worker.start()
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                try:
                    requests.get(f"http://127.0.0.1:{ports[0]}/health/ready", timeout=2)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            driver = context.Process(target=clients, args=ports)
            driver.start()
            driver.join()
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()


if __name__ == "__main__":
    main()

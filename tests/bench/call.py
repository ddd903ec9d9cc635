"""How long a call takes beside a bare FastAPI endpoint that parses the same body into dicts.

Both run under the same uvicorn settings in processes of their own and are driven in turn, A B A B, over one kept
connection. Prints medians and their ratio; nothing here passes or fails.
"""

from __future__ import annotations

import multiprocessing
import shutil
import socket
import statistics
import tempfile
import time
from typing import Any

import orjson
import requests
import uvicorn
from fastapi import FastAPI, Request

from cds_service.ground.settings import Settings
from cds_service.web.app import create_app
from tests.conftest import NOW

ROUNDS, CALLS = 15, 60
_LOINC = ("8867-4", "8310-5", "9279-1", "85354-9", "29463-7", "8302-2", "718-7", "777-3", "6690-2", "2160-0", "33914-3")


def body(observations: int, relevant: int) -> bytes:
    """A patient-view request of invented vitals and labs, ``relevant`` of them findings of a DVT picture."""
    findings = ("pain_calf", "calf_swelling", "previous_dvt", "bedrest_3d", "redness", "warmth", "knee_effusion")
    entries = []
    for number in range(observations):
        resource: dict[str, Any] = {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "category": [
                {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
                    ]
                }
            ],
            "subject": {"reference": "Patient/p1"},
            "encounter": {"reference": "Encounter/e1"},
            "effectiveDateTime": f"2026-03-{1 + number % 15:02d}T08:{number % 60:02d}:00+00:00",
            "issued": "2026-03-15T08:00:00.000+00:00",
            "performer": [{"reference": "Practitioner/d1", "display": "Invented Nurse"}],
        }
        if number < relevant:
            key = findings[number % len(findings)]
            resource["code"] = {
                "coding": [{"system": "https://posterior-knee-cds.example/fhir/CodeSystem/finding", "code": key}]
            }
            resource["valueBoolean"] = True
            resource["bodySite"] = {"coding": [{"system": "http://snomed.info/sct", "code": "62175007"}]}
        else:
            code = _LOINC[3 + number % (len(_LOINC) - 3)]
            resource["code"] = {
                "coding": [{"system": "http://loinc.org", "code": code, "display": "Invented"}],
                "text": "x",
            }
            resource["valueQuantity"] = {
                "value": 70 + number % 30,
                "unit": "kg",
                "system": "http://unitsofmeasure.org",
                "code": "kg",
            }
        entries.append(
            {
                "fullUrl": f"https://ehr.example/fhir/Observation/o{number}",
                "resource": resource,
                "search": {"mode": "match"},
            }
        )
    request = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/d1", "patientId": "p1"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "p1", "birthDate": "1960-01-01", "gender": "female"},
            "observations": {"resourceType": "Bundle", "type": "searchset", "entry": entries},
            "conditions": None,
            "procedures": None,
            "medications": None,
            "orders": None,
        },
    }
    return orjson.dumps(request)


def bare_app() -> FastAPI:
    """The yardstick: parse the body into dicts, answer with no card."""
    app = FastAPI()

    @app.post("/cds-services/{service_id}")
    async def call(service_id: str, request: Request) -> dict[str, Any]:
        await request.json()
        return {"cards": []}

    return app


def serve(port: int, folder: str, *, bare: bool) -> None:
    """Run one of the two until killed."""
    settings = Settings(database_url=f"sqlite:///{folder}/bench.db", auth="open")
    app = bare_app() if bare else create_app(settings, clock=lambda: NOW)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def timed(session: requests.Session, url: str, data: bytes) -> float:
    """Seconds per call over one batch."""
    started = time.perf_counter()
    for _ in range(CALLS):
        session.post(url, data=data, headers={"Content-Type": "application/json"}, timeout=20).raise_for_status()
    return (time.perf_counter() - started) / CALLS


def main() -> None:
    """Measure and print."""
    context = multiprocessing.get_context("spawn")
    ports = [free_port(), free_port()]
    folder = tempfile.mkdtemp()
    workers = [
        context.Process(target=serve, args=(port, folder), kwargs={"bare": bare})
        for port, bare in zip(ports, (False, True), strict=True)
    ]
    for worker in workers:
        worker.start()
    try:
        urls = [f"http://127.0.0.1:{port}/cds-services/posterior-knee-pain" for port in ports]
        session = requests.Session()
        deadline = time.monotonic() + 30
        for url in urls:
            while time.monotonic() < deadline:
                try:
                    session.post(url, data=body(1, 1), headers={"Content-Type": "application/json"}, timeout=2)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
        print(
            f"{'observations':>12} {'relevant':>8} {'service ms':>10} {'bare ms':>8} {'ratio':>6} {'min':>6} {'max':>6}"
        )
        for observations, relevant in ((10, 5), (100, 1), (100, 7), (100, 100), (1000, 10)):
            data = body(observations, relevant)
            for url in urls:
                timed(session, url, data)
            pairs = [(timed(session, urls[0], data), timed(session, urls[1], data)) for _ in range(ROUNDS)]
            ratios = [ours / theirs for ours, theirs in pairs]
            ours, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
            middle = statistics.median(ratios)
            row = f"{observations:12d} {relevant:8d} {ours:10.2f} {theirs:8.2f} "
            print(row + f"{middle:6.2f} {min(ratios):6.2f} {max(ratios):6.2f}")
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

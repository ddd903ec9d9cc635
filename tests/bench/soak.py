"""Minutes of mixed load: good, bad, slow, huge and hostile callers at once, and the service as a process of its own.

``python -m tests.bench.soak 10``: ten minutes. Ends with a table, and exit code 0 if every good call got exactly the
cards it should have, nothing but the intended 503 was a 5xx, and memory at the end is within 10 % of what it was after
the warm-up.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psutil
import requests

from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.verify import verify
from cds_service.base.settings import Settings
from cds_service.cli.evaluate import judge
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request, bundles
from tests import fhir_server as fhir
from tests.conftest import EXAMPLES
from tests.hostile import HOSTILE
from tests.processes import serving
from tests.tokens import ISSUER, PATH, Signer, key_server, part

KEY = "0123456789abcdef0123456789abcdef"
WARM_UP = 60.0
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"Chart read [^\u00b7]+")


def plain(cards: Any) -> str:
    """Cards without what is new in every call."""
    text = orjson.dumps(cards, option=orjson.OPT_SORT_KEYS).decode()
    return _TIME.sub("Chart read now ", _UUID.sub("uuid", text))


class Load:
    """All callers and what they saw."""

    def __init__(self, url: str, ehr: fhir.FhirServer, signer: Signer) -> None:
        self.url, self.ehr, self.signer = url, ehr, signer
        self.stop = threading.Event()
        self.seen: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self.times: list[float] = []
        self._lock = threading.Lock()
        today = datetime.now(UTC).date()
        service = Service.from_settings(Settings(public_url=url))
        self.charts: list[tuple[str, dict[str, Any], str]] = []
        for name, bundle in bundles(EXAMPLES, today):
            cards, _ = judge(service, orjson.dumps(bundle), datetime.now(UTC))
            expected = plain([card.message().model_dump(mode="json", exclude_none=True) for card in cards])
            self.charts.append((name, as_request(bundle, str(uuid4())), expected))
        self.dvt = next(chart for name, chart, _ in self.charts if name == "dvt-likely")

    def count(self, kind: str, what: str) -> None:
        with self._lock:
            self.seen[kind, what] += 1

    def complain(self, words: str) -> None:
        with self._lock:
            self.wrong.append(words)

    def headers(self, path: str = PATH) -> dict[str, str]:
        now = int(time.time())
        return self.signer.bearer(f"{self.url}{path}", iat=now, exp=now + 120)

    def post(self, kind: str, expected: set[int], path: str = PATH, **options: Any) -> requests.Response | None:
        """A call of ``kind`` and whether its status is one of ``expected``."""
        try:
            answer = requests.post(f"{self.url}{path}", timeout=60, **options)
        except requests.ConnectionError:
            self.count(kind, "connection closed")
            return None
        self.count(kind, str(answer.status_code))
        if answer.status_code not in expected:
            self.complain(f"{kind}: {answer.status_code} {answer.text[:100]}")
        return answer

    def good(self, dice: random.Random) -> None:
        """Any example, by somebody new: exactly its cards; sometimes answered."""
        name, chart, expected = dice.choice(self.charts)
        body = {
            **chart,
            "hookInstance": str(uuid4()),
            "context": {**chart["context"], "userId": f"Practitioner/{uuid4()}"},
        }
        started = time.perf_counter()
        answer = self.post("good", {200, 503}, json=body, headers=self.headers())
        self.times.append(time.perf_counter() - started)
        if answer is None:
            self.complain("good: connection closed")
            return
        if answer.status_code == 200:
            cards = answer.json()["cards"]
            if plain(cards) != expected:
                self.complain(f"good: other cards for {name}")
            if cards and dice.random() < 0.2:
                said = {"card": cards[0]["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-16T14:02:00Z"}
                path = f"{PATH}/feedback"
                self.post("feedback", {200, 503}, path, json={"feedback": [said]}, headers=self.headers(path))

    def incomplete(self, dice: random.Random) -> None:
        """The FHIR server has to be read; it is quick, slow, broken or refuses."""
        chart = {**self.dvt, "prefetch": {**self.dvt["prefetch"]}}
        for key in dice.sample(["procedures", "medications", "orders"], 2):
            del chart["prefetch"][key]
        chart["fhirServer"] = self.ehr.url
        chart["context"] = {**chart["context"], "userId": f"Practitioner/{uuid4()}"}
        chart["fhirAuthorization"] = {
            "access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "c"
        }  # fmt: skip
        answer = self.post("lacking", {200, 503}, json=chart, headers=self.headers())
        if answer is not None and answer.status_code == 200 and answer.json()["cards"][0]["indicator"] != "critical":
            self.complain("lacking: no urgent card")

    def bad(self, dice: random.Random) -> None:
        """Tokens of all bad kinds, and bodies that are none."""
        token = self.headers()["Authorization"]
        for header in (
            "",
            "Bearer x",
            token[:-6] + "AAAAAA",
            f"Bearer {part({'alg': 'none'})}.{part({'iss': ISSUER})}.",
        ):
            self.post("bad token", {401}, json=self.dvt, headers={"Authorization": header})
        for data in (b"{", b"[" * 5000, b'{"a":1,"a":2}', b"null", orjson.dumps({**self.dvt, "hook": "x"})):
            kind = {"Content-Type": "application/json", **self.headers()}
            self.post("bad body", {400, 503}, data=data, headers=kind)

    def huge(self, dice: random.Random) -> None:
        """Lawful and very large, too large, and too large for what it is."""
        kind = {"Content-Type": "application/json"}
        entry = {
            "resource": {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x" * 2000}}
        }
        chart = {**self.dvt, "prefetch": {**self.dvt["prefetch"], "conditions": {
            "resourceType": "Bundle", "type": "searchset", "entry": [entry] * 4000}}}  # fmt: skip
        self.post("huge", {200, 412, 503}, data=orjson.dumps(chart), headers={**kind, **self.headers()})
        self.post("too huge", {413, 503}, data=b" " * 21_000_000, headers={**kind, **self.headers()})
        self.post("too many", {413, 503}, data=b"[" + b"{}," * 1_000_000 + b"{}]", headers={**kind, **self.headers()})
        time.sleep(1)

    def slow(self, dice: random.Random) -> None:
        """Headers or a body that never come to an end, and connections that say nothing."""
        host, port = self.url.removeprefix("http://").split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=15) as connection:
            token = self.headers()["Authorization"].encode()
            head = b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: " + token
            start = dice.choice([b"", b"GET / HT", head, head + b"\r\nContent-Type: application/json\r\n"
                                 b"Content-Length: 5000\r\n\r\n{"])  # fmt: skip
            connection.sendall(start)
            for _ in range(20):
                if self.stop.wait(0.7):
                    break
                connection.sendall(b"x")
        self.count("slow", "ended")

    def hostile(self, dice: random.Random) -> None:
        """Hostile texts in every free text of a chart; the DVT card must come all the same."""
        chart = orjson.loads(orjson.dumps(self.dvt))
        chart["context"]["userId"] = f"Practitioner/{uuid4()}"

        def change(value: Any) -> None:
            for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                change(inner)
            if isinstance(value, dict):
                value.update(
                    {key: dice.choice(HOSTILE) for key in ("display", "text") if isinstance(value.get(key), str)}
                )

        change(chart["prefetch"])
        answer = self.post("hostile", {200, 503}, json=chart, headers=self.headers())
        if answer is not None and answer.status_code == 200:
            if not answer.json()["cards"] or answer.json()["cards"][0]["indicator"] != "critical":
                self.complain("hostile: no urgent card")
            if "<script" in answer.text or "](http" in answer.text:
                self.complain("hostile: markup came out")

    def run(self, what: Callable[[random.Random], None], seed: int) -> None:
        dice = random.Random(seed)
        while not self.stop.is_set():
            what(dice)


def main(minutes: float) -> int:
    """Run, print, and say whether it held."""
    signer = Signer()
    folder = Path(tempfile.mkdtemp(prefix="knee-cds-soak-"))
    (folder / "audit").mkdir()
    with fhir.running({}) as ehr, key_server(signer.public()) as keys:
        ehr.behaviours |= {
            "procedures": fhir.after(0.05, fhir.body(fhir.empty())),
            "medications": fhir.after(1.0, fhir.body(fhir.empty())),
            "orders": fhir.raw(500, b""),
        }
        text = f"""
[client.north]
fhir_servers = ["{ehr.url}"]
[client.north.token]
issuer = "{ISSUER}"
jwks_url = "{keys.url}"
[client.north.limits]
calls_per_minute = 100000
"""
        settings = {
            "auth": "required", "clients_toml": text, "fhir_servers": ehr.url, "hash_key": KEY, "log_level": "error",
            "audit_folder": str(folder / "audit"), "database_url": f"sqlite:///{folder}/soak.db",
            "max_connections": "200",
        }  # fmt: skip
        with serving(folder, **settings) as process:
            load = Load(process.url, ehr, signer)
            callers = [load.good] * 4 + [load.slow] * 6 + [load.incomplete, load.bad, load.huge, load.hostile]
            memory: list[tuple[float, float]] = []
            watched = psutil.Process(process.running.pid)
            started = time.monotonic()
            with ThreadPoolExecutor(len(callers)) as pool:
                running = [pool.submit(load.run, what, seed) for seed, what in enumerate(callers)]
                try:
                    while (now := time.monotonic() - started) < minutes * 60 and not any(one.done() for one in running):
                        memory.append((now, watched.memory_info().rss / 1e6))
                        time.sleep(1)
                finally:
                    load.stop.set()
                for one in running:
                    one.result()
            ended = time.monotonic() - started
            time.sleep(2)
            journal = verify(folder / "audit" / "audit-1.ndjson", Hasher.of(KEY))
    return tell(load, memory, ended, whole=journal.whole)


def tell(load: Load, memory: list[tuple[float, float]], ended: float, *, whole: bool) -> int:
    """Print the results; 0 if all held."""
    for (kind, what), count in sorted(load.seen.items()):
        print(f"{kind:12} {what:20} {count:8}")
    warm = min(WARM_UP, ended / 4)
    first = statistics.median(size for when, size in memory if warm <= when < 2 * warm)
    last = statistics.median(size for when, size in memory if when >= ended - warm)
    times = sorted(load.times)
    print(f"good calls   p50 {times[len(times) // 2] * 1000:.0f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.0f} ms")
    print(f"memory       {first:.0f} MB after the warm-up, {last:.0f} MB at the end: {last / first - 1:+.1%}")
    by_minute = [
        [size for when, size in memory if minute <= when / 60 < minute + 1] for minute in range(int(ended // 60))
    ]
    print(f"by minute    {' '.join(f'{statistics.median(sizes):.0f}' for sizes in by_minute if sizes)}")
    print(f"audit        {'whole' if whole else 'NOT WHOLE'}")
    print(f"wrong        {len(load.wrong)}: {load.wrong[:5]}")
    return 0 if not load.wrong and whole and abs(last / first - 1) <= 0.1 else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10))

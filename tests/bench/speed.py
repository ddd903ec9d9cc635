"""``make bench``: the service beside three bare servers, driven in turn, and what signing, starting and workers cost.

Every answer is checked. Writes ``deploy/SPEED.md`` and ``deploy/speed.svg``; nothing here passes or fails.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

import orjson
import psutil
import requests

import cds_service
from tests.bench import peer
from tests.bench.bodies import Vitals, body, relevant_of
from tests.bench.load import Check, Measured, drive, http_call
from tests.bench.servers import CLIENT_CORE, Served, pin, running
from tests.bench.stages import STEPS, stages
from tests.processes import free_port, serving
from tests.tokens import ISSUER, PATH, Signer

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAMES = {
    "ours": "this service",
    "typed": "Starlette + msgspec, needed fields",
    "dicts": "Starlette + orjson, dicts",
    "whole": "FastAPI + fhir.resources, whole",
    **({"peer": "HealthChain, doing nothing"} if peer.PYTHON else {}),
}
ROUNDS = 5
ROUND_SECONDS = 0.6
FEWEST, MOST = 2, 1_200
RATIOS = ((1000, "typed", 0.45), (1000, "dicts", 1.3), (10, "dicts", 0.15), (5000, "dicts", 2))
"""Observations, the other server, and the least ratio of CPU time that is aimed at."""
PATIENTS = {10: 400, 100: 200, 1000: 24, 5000: 8}


@dataclass(frozen=True)
class Case:
    """A chart's size and kind (``bodies.body``), and over how many connections it comes."""

    observations: int
    relevant: int
    connections: int
    vitals: Vitals | None = "years"

    @property
    def words(self) -> str:
        """For a table."""
        rest = {"years": "", "recent": ", vitals of five days", None: ", bare rows"}[self.vitals]
        return f"{self.observations:,}{', all relevant' if self.relevant == self.observations else rest}"

    def body(self, patient: int = 0, today: date | None = None) -> bytes:
        """One call."""
        return body(self.observations, self.relevant, patient, self.vitals, today)


@dataclass
class Figures:
    """What the rounds of one server in one case showed."""

    rounds: list[Measured] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    above_idle: int = 0

    @property
    def per_second(self) -> float:
        """Median over the rounds."""
        return median(one.per_second for one in self.rounds)

    def p(self, which: Callable[[Measured], float]) -> float:
        """Median of a percentile, milliseconds."""
        return median(which(one) for one in self.rounds)


CASES = [
    *(Case(n, relevant_of(n), connections) for n in PATIENTS for connections in (1, 16)),
    Case(1000, relevant_of(1000), 1, "recent"),
    *(Case(n, relevant_of(n), 1, None) for n in PATIENTS),
    Case(1000, 1000, 1),
]


def check_of(name: str, case: Case) -> Check:
    """What a right answer of this server holds."""
    if name == "peer":
        return lambda answer: answer == b'{"cards":[]}'
    if name == "ours":
        return lambda answer: b'"indicator":"critical"' in answer and b'"code":"kneedvt1"' in answer
    wanted = b'{"observations":%d,"relevant":%d}' % (case.observations, case.relevant)
    return lambda answer: answer == wanted


def measure(servers: Sequence[Served], case: Case) -> dict[str, Figures]:
    """Each server in turn, A B C A B C, after a round to warm up that also tells how many calls fit into a round."""
    calls = [http_call(PATH, case.body(one)) for one in range(PATIENTS[case.observations])]
    found = {one.name: Figures() for one in servers}
    counts: dict[str, int] = {}
    for number in range(ROUNDS + 1):
        for server in servers:
            if server.name == "whole" and case.observations >= 1000 and (case.connections > 1 or number > 2):
                continue  # a second and more for each call
            count = counts.get(server.name, max(FEWEST, case.connections))
            server.forget_peak()
            before = server.cpu
            measured = drive(server.port, calls, count, case.connections, check_of(server.name, case))
            if number:
                figures = found[server.name]
                figures.rounds.append(measured)
                figures.cpu.append((server.cpu - before) / count)
                figures.above_idle = max(figures.above_idle, server.peak - server.idle)
            else:
                fitting = int(ROUND_SECONDS * measured.per_second)
                counts[server.name] = min(MOST, max(FEWEST, case.connections * 2, fitting))
    return {name: one for name, one in found.items() if one.rounds}


def ratio_words(ours: Figures, other: Figures) -> str:
    """Requests a second, ours to the other's: median and range over the rounds that were driven side by side."""
    ratios = [a.per_second / b.per_second for a, b in zip(ours.rounds, other.rounds, strict=False)]
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def cpu_ratio(ours: Figures, other: Figures) -> str:
    """CPU time a request, the other's to ours: more than 1 where the other needs more."""
    return f"{median(b / a for a, b in zip(ours.cpu, other.cpu, strict=False)):.2f}"


def signed_cost() -> tuple[float, float]:
    """Milliseconds a call at 10 Observations, without and with an ES384 token, in turn."""
    signer = Signer()
    case = Case(10, relevant_of(10), 1)
    bodies = [case.body(one) for one in range(PATIENTS[10])]
    count = 300
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        Path(folder, "keys.json").write_bytes(orjson.dumps({"keys": [signer.public()]}))
        clients = Path(folder, "clients.toml")
        clients.write_text(
            f'[client.bench.token]\nissuer = "{ISSUER}"\njwks_file = "keys.json"\n'
            "[client.bench.limits]\ncalls_per_minute = 100000\n",
            encoding="utf-8",
        )
        plain, closed = stack.enter_context(running("ours")), stack.enter_context(running("ours", str(clients)))
        url = f"https://bench.example{PATH}"
        opened: list[float] = []
        proved: list[float] = []
        for _ in range(ROUNDS + 1):
            headers = [f"Authorization: Bearer {signer.token(url)}\r\n" for _ in range(count)]
            signed = [http_call(PATH, bodies[n % len(bodies)], headers[n]) for n in range(count)]
            check = check_of("ours", case)
            opened.append(median(drive(plain.port, [http_call(PATH, one) for one in bodies], count, 1, check).each))
            proved.append(median(drive(closed.port, signed, count, 1, check).each))
    return median(opened[1:]) * 1000, median(proved[1:]) * 1000


@dataclass(frozen=True)
class Start:
    """Seconds from the command to the first answer, to import the application, and to load the content.

    ``memory``: bytes of the process after its first answer.
    """

    first: float
    imports: float
    content: float
    memory: int

    @property
    def words(self) -> str:
        """For a table."""
        return f"{self.first:.2f} s, of which imports {self.imports:.2f} s and content {self.content:.2f} s"


def start_up() -> Start:
    """Start the service three times, as an installed one is started again: with bytecode, and with its tables made."""
    firsts, memory = [], []
    compile_package()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "KNEE_CDS_AUTH": "open",
            "KNEE_CDS_DATABASE_URL": f"sqlite:///{folder}/start.db",
            "TMPDIR": folder,
        }
        made = [sys.executable, "-m", "cds_service.cli.main", "database", "upgrade"]
        subprocess.run(made, env=environment, cwd=folder, check=True, capture_output=True)
        for _ in range(3):
            port = free_port()
            environment["KNEE_CDS_PORT"] = str(port)
            started = time.perf_counter()
            command = [sys.executable, "-m", "cds_service.cli.main", "serve"]
            process = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                while True:
                    with contextlib.suppress(requests.ConnectionError):
                        requests.get(f"http://127.0.0.1:{port}/cds-services", timeout=5).raise_for_status()
                        break
                    time.sleep(0.01)
                firsts.append(time.perf_counter() - started)
                time.sleep(1)
                memory.append(psutil.Process(process.pid).memory_info().rss)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
    code = (
        "from cds_service.base.collector import collect_after_the_start; collect_after_the_start();"
        "import time; a = time.perf_counter(); import cds_service.web.app; b = time.perf_counter();"
        "from cds_service.base.settings import Settings; from cds_service.service.evaluate import load_content;"
        "load_content(Settings()); print(b - a, time.perf_counter() - b)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    return Start(median(firsts), float(told[0]), float(told[1]), int(median(memory)))


def compile_package() -> None:
    """Compile the service's modules as pip does when it installs them. From a checkout they may have no bytecode."""
    if not compileall.compile_dir(cds_service.__path__[0], quiet=1):
        raise RuntimeError("the package does not compile")


def command(*words: str) -> tuple[float, float]:
    """Seconds of a command, and seconds of CPU time of it: the least of five, because the machine is shared."""
    walls, cpus = [], []
    for _ in range(5):
        before, began = os.times(), time.perf_counter()
        subprocess.run([sys.executable, "-m", "cds_service.cli.main", *words], capture_output=True, check=False)
        walls.append(time.perf_counter() - began)
        after = os.times()
        cpus.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(walls), min(cpus)


def goals(results: Sequence[tuple[Case, dict[str, Figures]]], start: Start) -> str:
    """A table of what was aimed at and what was reached."""
    rows = []
    for observations, name, wanted in (
        (1000, "typed", 0.45),
        (1000, "dicts", 1.3),
        (10, "dicts", 0.15),
        (5000, "dicts", 2),
    ):
        found = next(one for case, one in results if case == Case(observations, relevant_of(observations), 1))
        ratio = median(b / a for a, b in zip(found["ours"].cpu, found[name].cpu, strict=False))
        reached = f"{ratio:.2f}"
        rows.append(
            (f"{observations:,}: CPU time of {NAMES[name]} to ours at least {wanted}", reached, ratio >= wanted)
        )
    for case, found in results:
        if "peer" in found and case.observations >= 100 and case.connections == 1 and case.vitals == "years":
            ratio = median(b / a for a, b in zip(found["ours"].cpu, found["peer"].cpu, strict=False))
            rows.append((f"{case.words}: CPU time of {NAMES['peer']} to ours at least 1", f"{ratio:.2f}", ratio >= 1))
    memory = start.memory / 1e6
    rows.append(("memory of a worker without a call at most 110 MB", f"{memory:.0f} MB", memory <= 110))
    chart = str(DEPLOY.parent / "fhir_examples" / "dvt-likely.json")
    for words, most in ((("--version",), 0.2), (("evaluate", chart, "--now", "2026-03-16"), 0.8)):
        wall, cpu = command(*words)
        named = f"`knee-cds {words[0]}` at most {most} s"
        rows.append((named, f"{wall:.2f} s, of which CPU {cpu:.2f} s", wall <= most))
    rows.append(("`knee-cds serve` answers after at most 1.2 s", f"{start.first:.2f} s", start.first <= 1.2))
    table = [f"| {goal} | {reached} | {'yes' if met else 'no'} |" for goal, reached, met in rows]
    return "\n".join(("| goal | measured | met |", "|---|---|---|", *table))


def limits() -> str:
    """What a call is made of, and so what keeps a goal away."""
    cases = (Case(10, relevant_of(10), 1), Case(1000, relevant_of(1000), 1), Case(1000, relevant_of(1000), 1, "recent"))
    found = [stages([case.body(one) for one in range(8)], 120 if case.observations == 10 else 24) for case in cases]
    head = f"| CPU ms of a call | {' | '.join(case.words for case in cases)} |\n|---|{'---|' * len(cases)}"
    rows = [f"| {step} | {' | '.join(f'{one[step]:.2f}' for one in found)} |" for step in STEPS]
    return "\n".join((head, *rows))


def two_workers() -> tuple[float, float]:
    """Requests a second with one worker and with two, at 100 Observations over 16 connections; nothing pinned."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    case = Case(100, relevant_of(100), 16)
    today = datetime.now(UTC).date()  # the real clock judges here
    calls = [http_call(PATH, case.body(one, today)) for one in range(PATIENTS[100])]
    found: dict[int, list[float]] = {1: [], 2: []}
    with contextlib.ExitStack() as stack:
        ports = {}
        for workers in found:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder}/workers.db"
            process = stack.enter_context(serving(folder, workers=str(workers), database_url=url))
            ports[workers] = int(process.url.rpartition(":")[2])
        for number in range(ROUNDS + 1):
            for workers, port in ports.items():
                measured = drive(port, calls, 600, 16, check_of("ours", case))
                if number:
                    found[workers].append(measured.per_second)
    return median(found[1]), median(found[2])


def main() -> None:
    """Measure, print and write down."""
    pin(CLIENT_CORE)
    results: list[tuple[Case, dict[str, Figures]]] = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(name)) for name in NAMES]
        for case in CASES:
            results.append((case, measure(servers, case)))
            print(*_rows(*results[-1]), sep="\n", flush=True)
    text = _document(results)
    (DEPLOY / "SPEED.md").write_text(text, encoding="utf-8")
    _draw(results, DEPLOY / "speed.svg")
    print(text)


def _rows(case: Case, figures: dict[str, Figures]) -> list[str]:
    ours = figures["ours"]
    size = len(case.body())
    rows = []
    for name, one in figures.items():
        against = ("", "") if name == "ours" else (cpu_ratio(ours, one), ratio_words(ours, one))
        memory = f"{one.above_idle / size / case.connections:.1f}" if case.observations >= 1000 else ""
        cells = [
            case.words, str(case.connections), NAMES[name], f"{one.per_second:,.1f}", f"{one.p(lambda m: m.p50):,.2f}",
            f"{one.p(lambda m: m.p99):,.2f}", f"{median(one.cpu) * 1000:,.2f}", memory, *against,
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _document(results: Sequence[tuple[Case, dict[str, Figures]]]) -> str:
    plain, signed = signed_cost()
    start = start_up()
    one, two = two_workers()
    head = (
        "| Observations | connections | server | requests/s | p50 ms | p99 ms | CPU ms | memory / body |"
        " its CPU to ours | ours to it, requests/s (range) |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    single = (case for case, _ in results if case.connections == 1)
    sizes = "; ".join(f"{case.words}: {len(case.body()) / 1e6:.2f} MB" for case in single)
    return f"""# How fast it is

Written by `make bench`; do not edit. Each server is one process on one core, the client on another; the servers are
driven in turn, A B C D A B C D, {ROUNDS} rounds, and every answer is checked. Medians over the rounds. The service
answers with its cards, card log on SQLite; the bare servers only count. One Observation in a hundred is relevant, at
least {relevant_of(10)}. Charts are as EHRs send them: US Core's profiles, a narrative, display and text, a third of the
rows vital signs over 900 days; "bare rows" have no profiles and no narrative, and vital signs that no rule looks at.
Sizes: {sizes}. `memory / body`: peak above idle, in bodies, for each call in flight. Machines differ and this one is
shared: the ratios are what to look at, first that of CPU time.

Python {platform.python_version()} ({platform.python_compiler()}). A Python that was compiled without its profile-guided
optimization takes up to twice the time for our code and the same for the C code of the bare servers.

{head}{chr(10).join(row for result in results for row in _rows(*result))}

![Time of a call against the number of Observations](speed.svg)

| what | measured |
|---|---|
| a call of 10 Observations without and with an ES384 token | {plain:.2f} ms and {signed:.2f} ms |
| from the command to the first answer, of an installed service that is started again | {start.words} |
| two workers beside one, {os.cpu_count()} cores shared with the client | {two / one:.2f} times the requests/s |

{goals(results, start)}

The bare servers decode the body once and count. What a call of ours does besides is the limit; in one process, without
HTTP, card log, links, log and metrics, which are the difference to the CPU time above:

{limits()}

- With ten Observations half is assessing and wording the cards, the other half is what stands around them: the card
  log, sealed links, log, metrics and FastAPI. A bare server has nothing of either.
- With a thousand, the heads of all rows are decoded (as the typed server does, with more elements) and the rows are
  counted, sorted by owner, version and meaning in Python, one by one: each ends in a state of the ledger.
- A number of the last days is parsed strictly and judged, as any of them may be a fever or a fast pulse.
"""


def _draw(results: Sequence[tuple[Case, dict[str, Figures]]], path: Path) -> None:
    """Milliseconds a call over one connection against the number of Observations, both on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "speed"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    single = [
        (case, found)
        for case, found in results
        if case.connections == 1 and case.vitals == "years" and case.relevant < case.observations
    ]
    for name, words in NAMES.items():
        points = [(case.observations, 1000 / found[name].per_second) for case, found in single if name in found]
        axes.loglog(*zip(*points, strict=True), marker="o", label=words)
    axes.set_xlabel("Observations in the chart")
    axes.set_ylabel("time of a call, ms")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()

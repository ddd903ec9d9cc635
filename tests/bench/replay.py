"""How fast a replay is and how much memory it takes: ``python -m tests.bench.replay PATIENTS [ROWS [WORKERS]]``.

Writes an invented export of that size (100 rows a patient make a chart of 125 kB, 22 rows one of 29 kB), replays it in
processes of its own and watches the memory of all of them together. All visits of a patient come after these rows, so
that each opening has the whole chart. Bounded: 1,000 patients take about half a minute.

``python -m tests.bench.replay linear`` replays 500, 1,000 and 2,000 patients, with one worker and with two, and prints
a table.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

from tests.population import export

MILLION = 1_000_000
LINEAR = (500, 1_000, 2_000)


@dataclass(frozen=True)
class Measured:
    """What one run took. ``memory``: peak of all its processes, shared pages counted once, in bytes."""

    seconds: float
    cpu_seconds: float
    memory: int
    disk: int
    report: dict[str, object]


def measure(source: Path, out: Path, workers: int) -> Measured:
    """Replay ``source`` and watch."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "cds_service.cli.main", "replay", str(source), "--out", str(out)]
    process = psutil.Popen([*command, "--workers", str(workers)])
    memory = disk = 0
    cpu: dict[int, float] = {}
    while process.poll() is None:
        memory = max(memory, _memory(process, cpu))
        disk = max(disk, _size(out / "work"))
        time.sleep(0.5)
    report = orjson.loads((out / "report.json").read_bytes())
    return Measured(time.perf_counter() - began, sum(cpu.values()), memory, disk, report)


def _size(folder: Path) -> int:
    """Bytes in a folder; files that come and go while it is looked at do not count."""
    with contextlib.suppress(OSError):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return 0


def _memory(process: psutil.Process, cpu: dict[int, float]) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_full_info().pss
            times = one.cpu_times()
            cpu[one.pid] = times.user + times.system
    except (psutil.Error, FileNotFoundError):
        pass
    return total


def told(source: Path, found: Measured) -> str:
    """The measurement in words, with what a million patients would take if all grew alike."""
    size = sum(path.stat().st_size for path in source.iterdir())
    report = found.report
    patients, openings = int(str(report["patients"])), int(str(report["openings"]))
    factor = MILLION / patients
    return (
        f"{patients:,} patients, {openings:,} openings, {size / 1e9:.2f} GB of NDJSON, "
        f"{orjson.dumps(report['run']).decode()}\n"
        f"{size / patients / 1e3:.0f} kB a patient; {found.seconds:.1f} s, {found.cpu_seconds:.1f} CPU s, "
        f"{openings / found.cpu_seconds:.0f} openings per CPU s; "
        f"peak memory {found.memory / 1e6:.0f} MB, peak of work files {found.disk / 1e6:.0f} MB\n"
        f"1,000,000 patients alike: {found.cpu_seconds * factor / 3600:.1f} CPU hours, {size * factor / 1e9:.0f} GB of "
        f"input, {found.disk * factor / 1e9:.0f} GB of work files\n"
    )


def linear() -> None:
    """Show whether the cost grows with the patients only, and whether a second worker halves the time."""
    print("| patients | workers | seconds of the judging | computing, s | openings in a second of it | peak memory |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for patients in LINEAR:
            source = Path(folder) / f"export-{patients}"
            export(source, patients, padding=100)
            for workers in (1, 2):
                found = measure(source, Path(folder) / f"out-{patients}-{workers}", workers)
                run = found.report["run"]
                assert isinstance(run, dict)
                cost, openings = sum(run["core_seconds"].values()), int(str(found.report["openings"]))
                cells = (
                    f"{patients:,}", str(workers), f"{run['seconds']:.1f}", f"{cost:.1f}", f"{openings / cost:.0f}",
                    f"{found.memory / 1e6:.0f} MB",
                )  # fmt: skip
                print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Generate, replay, say."""
    if sys.argv[1:] == ["linear"]:
        linear()
        return
    patients, rows, workers = (int(one) for one in (*sys.argv[1:], *("1000", "100", "1")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "export"
        export(source, patients, padding=rows)
        sys.stdout.write(told(source, measure(source, Path(folder) / "out", workers)))


if __name__ == "__main__":
    main()

"""The service as its own process, so that it can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.leaks import LEAKS


@dataclass
class Process:
    """A running ``knee-cds serve``."""

    url: str
    running: subprocess.Popen[bytes]

    def kill(self) -> None:
        """At once, without a chance to tidy up."""
        self.running.kill()
        self.running.wait(timeout=10)


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, stdin: Any = subprocess.DEVNULL, **settings: str) -> Iterator[Process]:
    """``knee-cds serve`` with ``settings`` (names without their prefix) until the block ends; its log in ``folder``."""
    port = free_port()
    chosen = {f"KNEE_CDS_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, "KNEE_CDS_AUTH": "open", "TMPDIR": str(folder), "KNEE_CDS_PORT": str(port), **chosen}
    with (folder / f"serve-{port}.log").open("wb") as log:
        command = [sys.executable, "-W", "error", "-m", "cds_service.cli.main", "serve"]
        running = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=stdin, stdout=log, stderr=log, preexec_fn=_hears_hang_ups
        )
        process = Process(f"http://127.0.0.1:{port}", running)
        try:
            _wait(process, folder / f"serve-{port}.log")
            yield process
        finally:
            if running.poll() is None:
                running.terminate()
                running.wait(timeout=60)
            LEAKS.look("log", (folder / f"serve-{port}.log").read_bytes())


def _hears_hang_ups() -> None:
    """Under ``nohup`` the tests, and whatever they start, would ignore that a terminal closes."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _wait(process: Process, log: Path) -> None:
    end = time.monotonic() + 120  # on a busy machine two workers take half a minute
    while time.monotonic() < end:
        assert process.running.poll() is None, log.read_text()
        try:
            if requests.get(f"{process.url}/health/ready", timeout=1).json()["database"]["status"] != "starting":
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())

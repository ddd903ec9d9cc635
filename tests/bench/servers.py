"""The service and three bare servers, each a process of its own on one core, with their CPU time and memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvicorn

from cds_service.base.collector import started
from cds_service.base.logs import set_up
from cds_service.base.settings import Settings
from cds_service.cli.serve import SWITCH_SECONDS
from cds_service.web.app import create_app
from cds_service.web.server import server_config
from tests.bench import bare, peer
from tests.conftest import NOW
from tests.processes import free_port
from tests.tokens import PATH

SERVER_CORE, CLIENT_CORE = 0, 1
SECONDS = 60


@dataclass
class Served:
    """A running server. ``idle``: bytes in memory when it was last seen without a call."""

    name: str
    port: int
    process: psutil.Process
    idle: int = 0

    @property
    def cpu(self) -> float:
        """Seconds of CPU time so far, all threads that still run; counted in nanoseconds, not in ticks."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int(one.read_text(encoding="ascii").split()[0]) for one in tasks.glob("*/schedstat")) / 1e9

    def forget_peak(self) -> None:
        """From now on a new peak, above what it holds now without a call."""
        self.idle = int(self.process.memory_info().rss)
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    @property
    def peak(self) -> int:
        """Most bytes in memory since ``forget_peak``."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def pin(core: int) -> None:
    """Onto one core, so that servers and the client that drives them do not take each other's."""
    if os.cpu_count() != 1:
        os.sched_setaffinity(0, {core})


def service(port: int, folder: str, clients: str) -> None:
    """Our service as ``knee-cds serve`` runs it, its log in a file; with ``clients`` (a file) a token is asked for."""
    pin(SERVER_CORE)
    with Path(folder, "log").open("w", encoding="utf-8") as log:
        sys.stderr = log
        choice: dict[str, Any] = {"auth": "required", "clients": clients} if clients else {"auth": "open"}
        url = f"sqlite:///{folder}/bench.db"
        settings = Settings(database_url=url, port=port, public_url="https://bench.example", **choice)
        set_up("info", "json")
        sys.setswitchinterval(SWITCH_SECONDS)
        app = create_app(settings, clock=lambda: NOW)
        started()
        uvicorn.Server(server_config(app, settings)).run()


def bare_server(kind: str, port: int) -> None:
    """One of the three yardsticks."""
    pin(SERVER_CORE)
    makers: dict[str, Callable[[], Any]] = {"typed": bare.typed, "dicts": bare.dicts, "whole": bare.whole}
    bare.serve(makers[kind](), port)


@contextlib.contextmanager
def running(name: str, clients: str = "") -> Iterator[Served]:
    """``ours``, one of the bare servers, or ``peer``, until the block ends."""
    if name == "peer":
        with _peer() as served:
            yield served
        return
    context = multiprocessing.get_context("spawn")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        if name == "ours":
            process = context.Process(target=service, args=(port, folder, clients))
        else:
            process = context.Process(target=bare_server, args=(name, port))
        process.start()
        try:
            _wait(port)
            time.sleep(1)  # the service connects to its database
            assert process.pid is not None
            yield Served(name, port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.join()


@contextlib.contextmanager
def _peer() -> Iterator[Served]:
    port = free_port()
    command = [peer.PYTHON, "-P", peer.__file__, str(port), PATH.rpartition("/")[2], str(SERVER_CORE)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield Served("peer", port, psutil.Process(process.pid))
        finally:
            process.terminate()


def _wait(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")

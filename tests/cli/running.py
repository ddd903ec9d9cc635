"""``knee-cds`` as a test calls it: in this process, or in one of its own where the process is what is tested."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from subprocess import CompletedProcess

import pytest

from cds_service.cli.main import main

DAY = ["--now", "2026-03-16"]
"""The reference day of the examples."""


def knee_cds(*arguments: str, given: bytes = b"", **environment: str) -> CompletedProcess[bytes]:
    """Run a command in this process, with the exit code and the bytes that a process would give.

    A process of its own would import everything anew, which takes longer than most commands. ``serve`` needs one: it
    changes the environment.
    """
    said, complained = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(given), encoding="utf-8"))
        try:
            code = main(arguments)
        except SystemExit as ended:  # wrong arguments and --help
            code = ended.code if isinstance(ended.code, int) else 0
    outputs = [stream.buffer.getvalue() for stream in (said, complained) if isinstance(stream.buffer, BytesIO)]
    return CompletedProcess(arguments, code, *outputs)


def knee_cds_process(*arguments: str, given: bytes = b"", **environment: str) -> CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "cds_service.cli.main", *arguments]
    return subprocess.run(command, input=given, capture_output=True, env={**os.environ, **environment}, timeout=120)

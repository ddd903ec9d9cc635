"""The garbage collector waits while a process starts, and then skips what the start has made."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc
from cds_service.base.collector import collect_after_the_start, started

class Node:
    def __init__(self): self.me = self

collect_after_the_start()
before = gc.get_stats()[0]["collections"]
kept = [Node() for _ in range(100_000)]
assert gc.get_stats()[0]["collections"] == before
started()
assert gc.get_freeze_count() > 100_000
for _ in range(100_000):
    Node()
assert gc.get_stats()[0]["collections"] > before
assert sum(stats["collected"] for stats in gc.get_stats()) > 50_000
"""


def test_nothing_is_searched_during_a_start_and_cycles_are_found_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

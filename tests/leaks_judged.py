"""Judges, after the last test and the last server, all that left the service during the run.

One process judges for itself. With pytest-xdist each worker hands over what it looked through and found; the process
that started them judges it all together. A worker that hands nothing over fails the run too.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from tests.leaks import LEAKS, Listener

_HANDED_OVER = "leaks"


class _Judgement:
    """Of one run, with all its workers."""

    def __init__(self) -> None:
        self.looked_through: Counter[str] = Counter()
        self.wrong: list[str] = []

    def add(self, who: str, looked_through: dict[str, int], found: list[str]) -> None:
        self.looked_through.update(looked_through)
        self.wrong += [f"{who}{flaw}" for flaw in found]


_JUDGEMENT = pytest.StashKey[_Judgement]()


def pytest_configure(config: pytest.Config) -> None:
    """From the first test on, everything that is logged is looked at."""
    config.stash[_JUDGEMENT] = _Judgement()
    logging.getLogger().addHandler(Listener())
    logging.getLogger("cds_service").setLevel(logging.DEBUG)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker has ended: take what it hands over."""
    judgement = node.config.stash[_JUDGEMENT]
    handed_over = getattr(node, "workeroutput", {}).get(_HANDED_OVER)
    if handed_over is None:
        judgement.wrong.append(f"{node.gateway.id} ended without saying what it had found")
    else:
        judgement.add(f"{node.gateway.id}: ", *handed_over)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """All tests have run and all servers have stopped."""
    found = [f"{what.decode()} in {kind}" for kind, what in LEAKS.found]
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_HANDED_OVER] = (dict(LEAKS.looked_through), found)
        return
    judgement = session.config.stash[_JUDGEMENT]
    judgement.add("", LEAKS.looked_through, found)
    if judgement.wrong:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was found, or how much was looked through."""
    judgement = config.stash[_JUDGEMENT]
    if judgement.wrong:
        terminalreporter.section("patient data has got out", red=True, bold=True)
        for flaw in sorted(set(judgement.wrong)):
            terminalreporter.line(flaw, red=True)
    elif count := judgement.looked_through.total():
        terminalreporter.line(f"no patient data in {count} answers, log lines, rows and files that left the service")

"""What the README prints is what the service does: its calls are sent as they stand there, by a shell."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.base.settings import Settings
from tests.conftest import ROOT, Server, run_server

README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"
CALL, FEEDBACK = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
(PRINTED,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)


def today() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def own() -> Iterator[Server]:
    """The service as it is today: the README's dates are of the day on which they are sent."""
    yield from run_server(Settings(), clock=today)


def sent(server: Server, command: str, **variables: str) -> Any:
    """The answer to a call that is pasted into a shell."""
    assert ADDRESS in command
    shell = ["bash", "-c", command.replace(ADDRESS, server.url)]
    done = subprocess.run(shell, capture_output=True, timeout=60, env={"PATH": "/usr/bin:/bin", **variables})
    return json.loads(done.stdout)


def assert_holds(found: Any, printed: Any, place: str = "card") -> None:
    """Whether ``found`` has all that is ``printed``; the README leaves keys out, but no item of a list."""
    if isinstance(printed, dict):
        for key, value in printed.items():
            assert_holds(found[key], value, f"{place}.{key}")
    elif isinstance(printed, list):
        assert len(found) == len(printed), place
        for number, (one, other) in enumerate(zip(found, printed, strict=True)):
            assert_holds(one, other, f"{place}[{number}]")
    else:
        assert found == printed, place


def test_the_calls_are_answered_as_printed(own: Server) -> None:
    answer = sent(own, CALL)
    card = answer["cards"][0]
    assert_holds(card, json.loads(PRINTED))
    kept = sent(own, FEEDBACK, CARD=card["uuid"])
    assert kept == {"extension": {"com.posterior-knee-cds.feedback": {"received": 1}}}


def test_its_links_lead_to_files() -> None:
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "deploy").glob("*.md")):
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if not link.startswith("http"):
                assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_it_is_short() -> None:
    """What a newcomer reads in five minutes; everything else has a page of its own."""
    assert len(README.split()) <= 800

"""The log as it comes out of the process: one line an event, and of a library's line only its place."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging
from cds_service.base.logs import get_log, set_up
set_up("info", {style!r})
get_log().info("call", cards=2, patient="Doe", rules="RF01:shown")
get_log().debug("unseen", cards=3)
logging.getLogger("uvicorn.error").error("for %s", "canary-name-x")
try:
    raise ValueError("canary-mrn-x")
except ValueError:
    logging.getLogger("sqlalchemy.engine").exception("canary-phone-x in a query")
logging.getLogger("urllib3").info("GET /Patient/canary-id-x")
"""


def said(style: str) -> list[str]:
    command = [sys.executable, "-c", SCRIPT.format(style=style)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr.splitlines()


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_librarys_line_is_told_by_its_place_only(style: str) -> None:
    lines = said(style)
    assert len(lines) == 3
    assert "canary" not in "".join(lines)
    assert "Doe" not in "".join(lines)
    for words in ("uvicorn.error", "sqlalchemy.engine", "ValueError"):
        assert words in "".join(lines)


def test_a_line_is_an_object() -> None:
    first, second, third = (json.loads(line) for line in said("json"))
    assert first.pop("timestamp").endswith("Z")
    assert first == {"event": "call", "level": "info", "cards": 2, "rules": "RF01:shown", "left_out": 1}
    assert (second["event"], second["source"], second["level"]) == ("library", "uvicorn.error", "error")
    assert (third["error"], third["place"].split(":")[0]) == ("ValueError", "<string>")


def test_a_line_of_text_can_be_taken_apart() -> None:
    script = """
from cds_service.base.logs import get_log, set_up
set_up("info", "text")
get_log().warning("call", error=None, quiet=True, rule="a", reason='b "c" = d\\\\e', path="f=g", place="")
"""
    command = [sys.executable, "-c", script]
    line = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr
    told, _, _ = line.partition(" timestamp=")
    assert told == ('event=call level=warning error= quiet=true rule=a reason="b \\"c\\" = d\\\\e" path="f=g" place=')

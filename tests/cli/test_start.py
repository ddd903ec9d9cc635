"""What a start must not load: libraries that take long, and that this command or most sites never need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES

WEB = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "prometheus_client", "limits"}
RARELY_USED = {
    "alembic",
    "authlib",
    "cryptography",
    "fhir.resources",
    "jinja2",
    "joserfc",
    "limits",
    "markdown_it",
    "requests",
    "sqlalchemy.dialects.postgresql",
    "urllib3",
    "cds_service.web.pages.sandbox",
}
"""Loaded by the first call, page, token or server that needs them."""

VERSION = """
from contextlib import suppress
from cds_service.cli.main import main
with suppress(SystemExit):
    main(["--version"])
"""
EVALUATE = f"""
from cds_service.cli.main import main
assert main(["evaluate", {str(EXAMPLES / "dvt-likely.json")!r}, "--json", "--now", "2026-03-16"]) == 0
"""
SERVE = """
import gc
from cds_service.base.collector import collect_after_the_start
collect_after_the_start()
before = gc.get_stats()
from cds_service.base.settings import Settings
from cds_service.cli.serve import create_app
app = create_app(Settings(auth="open", database_url="sqlite:///start.db"))
assert gc.get_stats() == before, "the collector has searched what was loaded"
"""


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        (VERSION, {"pydantic", "rich", "orjson", *WEB, *RARELY_USED}),
        (EVALUATE, {*WEB, *RARELY_USED} - {"markdown_it"}),
        (SERVE, RARELY_USED),
    ],
    ids=["version", "evaluate", "serve"],
)
def test_a_start_loads_only_what_it_needs(code: str, unwanted: set[str], tmp_path: Path) -> None:
    told = f"{code}\nimport sys; print('loaded', *({unwanted!r} & sys.modules.keys()), sep=chr(10))"
    done = subprocess.run([sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"

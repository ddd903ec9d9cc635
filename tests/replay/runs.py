"""Replays of small inputs, and what they found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from cds_service.base.settings import Settings
from cds_service.replay.options import Options
from cds_service.replay.replay import replay
from tests.conftest import shipped_service
from tests.leaks import LEAKS

KEY = "a key for tests only, 32 letters"


def settings() -> Settings:
    """A site with a key for its pseudonyms."""
    return Settings.model_validate({"hash_key": KEY})


def replayed(source: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The report of a run."""
    wanted = Options(str(source), out, **options)
    ready = None if wanted.against else (shipped_service(), None)
    found = replay(wanted, settings(), services=ready)
    for name in ("report.json", "report.html", "not_grouped.ndjson"):
        LEAKS.look("replay", (out / name).read_bytes())
    return found


def kept(out: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The rows of a run's Parquet, in a fixed order and without times of computing."""
    files = str(out / "verdicts" / kind / "*.parquet")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"SELECT * FROM read_parquet('{files}') ORDER BY ALL")
        names = [one[0] for one in found.description or ()]
        for row in found.fetchall():
            LEAKS.look("verdicts", repr(row))
            yield {name: value for name, value in zip(names, row, strict=True) if name != "milliseconds"}


def all_kept(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything that a run has kept."""
    return {kind: list(kept(out, kind)) for kind in ("openings", "cards")}

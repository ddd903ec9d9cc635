"""Known good parts: every package that is installed is pinned by its hash, from whatever index it comes."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions

import pytest

from tests.conftest import ROOT

LOCKS = (
    "requirements.txt",
    "requirements-tracing.txt",
    "requirements-replay.txt",
    "requirements-spark.txt",
    "requirements-dev.txt",
)


def locked(name: str) -> dict[str, dict[str, int]]:
    """Package -> each of its versions (another Python may need another) and how many hashes that has."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        if line.startswith((" ", "#")) or not line.strip():
            continue
        pinned = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", line)
        assert pinned, line
        found.setdefault(normal(pinned[1]), {})[pinned[2]] = line.count("--hash=sha256:")
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(extra: str | None) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    return {normal(re.split(r"[\[<>=!~ ]", line)[0]) for line in lines}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_hash_and_no_index(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text
    assert all(count > 0 for versions in locked(name).values() for count in versions.values())


def test_the_locks_hold_what_the_project_asks_for() -> None:
    assert wanted(None) <= set(locked("requirements.txt"))
    for extra in ("tracing", "replay", "spark"):
        assert wanted(extra) <= set(locked(f"requirements-{extra}.txt"))
        assert locked("requirements.txt").items() <= locked(f"requirements-{extra}.txt").items()
    assert wanted("dev") <= set(locked("requirements-dev.txt"))
    assert locked("requirements-replay.txt").items() <= locked("requirements-dev.txt").items()
    assert locked("requirements-replay.txt").items() <= locked("requirements-spark.txt").items()
    assert locked("requirements-tracing.txt").items() <= locked("requirements-dev.txt").items()


def test_what_is_installed_is_what_is_locked() -> None:
    """Only what the lock names: somebody may have more in an environment of their own."""
    here = {normal(one.metadata["Name"]): one.version for one in distributions()}
    pinned = locked("requirements-dev.txt")
    assert {name: here[name] for name in pinned if name in here and here[name] not in pinned[name]} == {}

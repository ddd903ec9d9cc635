"""The wheel alone, in a fresh environment and another folder: content and examples are inside, and the demo runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import requests

from cds_service.base.files import read_texts
from cds_service.replay.wheel_content import content_folder
from tests.conftest import EXAMPLES, ROOT
from tests.processes import free_port


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel and, without the network, the dependencies of this one."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    command = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python")]
    command += ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (packages,) = home.glob("lib/python*/site-packages")
    # A line of a .pth file adds a folder, and does not follow the .pth files of that folder to a checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin"


def test_all_content_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("cards", "fhir_examples"):
        tracked = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True)
        lacking = {name for name in tracked.stdout.splitlines() if f"cds_service/shipped/{name}" not in inside}
        assert not lacking
    for path in (ROOT / "cds_service").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(ROOT)) in inside


def test_its_content_is_read_without_running_it(wheel: Path) -> None:
    with content_folder(wheel) as folder:
        assert read_texts(folder, ".toml", ".tsv") == read_texts(ROOT / "cards", ".toml", ".tsv")
    assert not folder.exists()


def clean() -> dict[str, str]:
    """The environment without what a checkout or a site may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KNEE_CDS_", "PYTHON"))}


def test_it_judges_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = [str(installed / "python"), "-c", "import cds_service; print(cds_service.__file__)"]
    told = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path, env=clean(), timeout=60)
    assert str(installed.parent) in told.stdout
    checked = [str(installed / "knee-cds"), "check"]
    done = subprocess.run(checked, capture_output=True, text=True, cwd=tmp_path, env=clean(), timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def demo(installed: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and printed lines of ``knee-cds demo``, which leaves nothing behind."""
    port, said = free_port(), tmp_path / "said.txt"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [str(installed / "knee-cds"), "demo", "--port", str(port)]
    with said.open("wb") as out:
        environment = {**clean(), "TMPDIR": str(temporary)}
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(running, url, said)
            yield url, said
        finally:
            running.terminate()
            assert running.wait(timeout=20) is not None
    assert [path.name for path in temporary.iterdir()] == ["knee-cds-demo-request.json"]
    assert list(tmp_path.glob("*.db")) == []


def _wait(running: subprocess.Popen[bytes], url: str, said: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert running.poll() is None, said.read_text()
        try:
            requests.get(f"{url}/health/ready", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(said.read_text())


def test_the_demo_serves_the_sandbox_and_prints_a_call(demo: tuple[str, Path]) -> None:
    url, said = demo
    assert requests.get(f"{url}/sandbox", timeout=20).status_code == 200
    (call,) = re.findall(r"^curl .*$", said.read_text(), re.MULTILINE)
    assert url in call
    done = subprocess.run(shlex.split(call), capture_output=True, check=True, timeout=60)
    cards = orjson.loads(done.stdout)["cards"]
    assert cards[0]["indicator"] == "critical"
    patient = requests.get(f"{url}/sandbox/fhir/Patient", timeout=20).json()
    assert patient["total"] == len(list(EXAMPLES.glob("*.json")))

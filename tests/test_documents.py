"""What the documents promise: every setting is explained, and the example of a clients file is one."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from joserfc.jwk import ECKey

from cds_service.adapters.clients.loading import load_clients
from cds_service.adapters.clients.model import SCOPES
from cds_service.base.settings import Settings
from cds_service.cli.settings_page import page
from cds_service.clinical.content.catalogue import Content
from tests.conftest import ROOT

DEPLOY = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")


def test_the_settings_reference_is_that_of_the_settings() -> None:
    """To write it anew: ``knee-cds settings > deploy/SETTINGS.md``."""
    written = (ROOT / "deploy" / "SETTINGS.md").read_text(encoding="utf-8")
    assert written == page()
    assert set(re.findall(r"^\| `KNEE_CDS_([A-Z_]+)`", written, re.MULTILINE)) == {
        n.upper() for n in Settings.model_fields
    }
    assert "| None |" not in written


def test_the_manuals_name_no_setting_that_is_not_there() -> None:
    for path in (*ROOT.glob("*.md"), *(ROOT / "deploy").rglob("*.md"), ROOT / "cards" / "README.md"):
        for name in re.findall(r"KNEE_CDS_([A-Z_]+)", path.read_text(encoding="utf-8")):
            assert name.lower() in Settings.model_fields, f"{path.name}: {name}"


def test_every_test_that_security_names_is_there() -> None:
    """``path::test``, or ``::test`` of the file named before it in the same row."""
    manual = (ROOT / "deploy" / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in manual.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        named = re.findall(r"`((?:tests/[\w/]+\.py)?(?:::\w+)?)`", row.split("|")[4])
        assert named, row
        file = ""
        for name in named:
            path, _, test = name.partition("::")
            file = path or file
            assert (ROOT / file).is_file(), name
            if test:
                assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), name


def test_the_examples_of_a_clients_file_load(tmp_path: Path, content: Content) -> None:
    example, smart = re.findall(r"```toml\n(.*?)```", DEPLOY, re.DOTALL)
    path = tmp_path / "clients.toml"
    path.write_text(example, encoding="utf-8")
    settings = Settings(clients=path, order_url="https://orders.north.example/{order}")
    clients = load_clients(settings, content)
    assert [caller.name for caller in clients.everyone] == ["default", "north"]
    assert clients.everyone[1].order_coding("venous_duplex", "left") is not None
    path.write_text(smart, encoding="utf-8")
    key = ECKey.generate_key("P-384").as_dict(private=True)
    (tmp_path / "north-private.json").write_text(json.dumps({**key, "kid": "one"}), encoding="utf-8")
    clients = load_clients(Settings(clients=path), content)
    assert clients.signing["north"].kid == "one"
    assert clients.launched_from("https://ehr.north.example/fhir") is clients.everyone[1]


def test_the_scopes_to_register_are_those_asked_for() -> None:
    assert f"| scopes | `{' '.join(SCOPES)}` |" in DEPLOY


def test_no_merge_has_left_its_marks() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            marks = re.findall(rb"^(?:<{7}|>{7}) ", path.read_bytes(), re.MULTILINE)
            assert not marks, name


_TEST_FILE = re.compile(r"`(?:tests/)?((?:\w+/)*test_\w+)(?:\.py)?(?:::(\w+))?`")


def test_every_test_that_is_named_is_there(content: Content) -> None:
    """In back-ticks, in documents, code and tests: a file with or without its folder, or a test function."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    names = [name for name in tracked.split("\0") if name.endswith((".md", ".py", ".toml", ".yaml"))]
    texts = {name: (ROOT / name).read_text("utf-8") for name in names if (ROOT / name).is_file()}
    files = {name.removeprefix("tests/").removesuffix(".py") for name in texts if name.startswith("tests/")}
    functions = {found for text in texts.values() for found in re.findall(r"def (test_\w+)\(", text)}
    known = files | {Path(file).name for file in files} | functions | set(type(content.pathway).model_fields)
    named = [(name, *found) for name, text in texts.items() for found in _TEST_FILE.findall(text)]
    assert len(named) > 20
    wrong = [f"{name}: {file}" for name, file, test in named if file not in known or (test and test not in functions)]
    assert not wrong

"""Every sample is sent as it stands in its file and answered as printed; the files are those of the command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.base.settings import Settings
from cds_service.cli.main import main
from cds_service.web.samples import BASE_URL, CALL, FEEDBACK, VERSION
from tests.conftest import EXAMPLES, NOW, ROOT, Server, run_server

FOLDER = EXAMPLES / "requests"
NAMES = sorted(path.name.removesuffix(".request.json") for path in FOLDER.glob("*.request.json"))


@pytest.fixture(scope="module")
def fresh() -> Iterator[Server]:
    """A service of its own: what another test answers must not keep a card quiet here."""
    yield from run_server(Settings(time_zone="UTC"))


def stable(answer: Any, url: str = BASE_URL) -> Any:
    """An answer without what is new in every call."""
    text = json.dumps(answer).replace(url, BASE_URL)
    text = re.sub(r'"uuid": "[^"]+"', '"uuid": ""', re.sub(r"\?draft=[\w.-]+", "", text))
    return json.loads(re.sub(r"content [0-9a-f]{12}", f"content {VERSION}", text))


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_bytes())


def test_the_files_are_those_of_the_command(tmp_path: Path) -> None:
    """To write them anew: ``knee-cds samples fhir_examples/requests --day 2026-03-16``."""
    assert main(["samples", str(tmp_path), "--day", NOW.date().isoformat()]) == 0
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert set(made) == set(kept)
    for name, text in made.items():
        assert kept[name] == text, f"{name}: run knee-cds samples fhir_examples/requests --day {NOW.date()}"


def test_they_show_each_kind_of_answer() -> None:
    answers = [read(f"{name}.response.json") for name in NAMES]
    levels = {card["indicator"] for one in answers for card in one.get("cards", ())}
    assert levels == {"critical", "warning", "info"}
    assert any(one.get("cards") == [] for one in answers)
    assert sum(one.get("resourceType") == "OperationOutcome" for one in answers) == 2
    urgent = read("dvt-likely.response.json")["cards"][0]
    assert read("feedback-accepted.request.json")["feedback"][0]["card"] == urgent["uuid"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_answered_as_printed(fresh: Server, name: str) -> None:
    path = FEEDBACK if name.startswith("feedback") else CALL
    data = (FOLDER / f"{name}.request.json").read_bytes()
    answer = requests.post(fresh.url + path, data=data, headers={"Content-Type": "application/json"}, timeout=20)
    assert stable(answer.json(), fresh.url) == stable(read(f"{name}.response.json"))


def test_the_http_file_is_answered_as_its_titles_say(fresh: Server) -> None:
    text = (FOLDER / "samples.http").read_text(encoding="utf-8")
    assert f"@base = {BASE_URL}\n" in text
    blocks = re.findall(r"### (.+)\nPOST \{\{base\}\}(\S+)\nContent-Type: (\S+)\n\n< \./(\S+)\n", text)
    assert len(blocks) == len(NAMES)
    for title, path, kind, file in blocks:
        headers = {"Content-Type": kind}
        answer = requests.post(fresh.url + path, data=(FOLDER / file).read_bytes(), headers=headers, timeout=20)
        assert title.endswith(f" ({answer.status_code})"), title


def test_the_collection_is_answered_as_its_checks_say(fresh: Server) -> None:
    collection = read("posterior-knee.postman_collection.json")
    assert collection["variable"] == [{"key": "base", "value": BASE_URL}]
    first, *others = collection["item"]
    assert requests.get(first["request"]["url"]["raw"].replace("{{base}}", fresh.url), timeout=20).status_code == 200
    assert sorted(one["name"] for one in others) == NAMES
    for one in others:
        request = one["request"]
        url = request["url"]["raw"].replace("{{base}}", fresh.url)
        assert request["url"]["raw"] == "{{base}}/" + "/".join(request["url"]["path"])
        headers = {header["key"]: header["value"] for header in request["header"]}
        answer = requests.request(request["method"], url, data=request["body"]["raw"], headers=headers, timeout=20)
        (check,) = one["event"][0]["script"]["exec"]
        assert f"have.status({answer.status_code})" in check


def test_a_sandbox_gives_them_for_today() -> None:
    for today in run_server(Settings(sandbox=True, auth="open", time_zone="UTC"), clock=lambda: datetime.now(UTC)):
        given = today.get("/samples").json()["samples"]
        assert sorted(one["name"] for one in given) == NAMES
        for one in given:
            answer = requests.request(one["method"], today.url + one["path"], json=one["body"], timeout=20)
            assert answer.status_code == one["status"], one["name"]
            shown = [(card["indicator"], card["summary"]) for card in answer.json().get("cards", ())]
            assert shown == [(card["indicator"], card["summary"]) for card in one["answer"].get("cards", ())]


def test_only_a_sandbox_gives_them(fresh: Server) -> None:
    assert fresh.get("/samples").status_code == 404


def test_the_lines_of_the_manual_run(capsys: pytest.CaptureFixture[str]) -> None:
    manual = (ROOT / "deploy" / "try" / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    for today in run_server(Settings(sandbox=True, auth="open"), clock=lambda: datetime.now(UTC)):
        exec(lines.replace(BASE_URL, today.url), {})
    printed = capsys.readouterr().out
    assert re.search(r"^dvt-likely 200 \['.+'", printed, re.MULTILINE)
    assert re.search(r"^other-site-pain 200 \[\]$", printed, re.MULTILINE)
    assert len(printed.splitlines()) == len(NAMES)
